"""Every command that the README shows exists, and its session is what the program prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from flows.cli import main as cli
from flows.cli.main import command_line_parser

from conftest import PROJECT_ROOT

README = (PROJECT_ROOT / "README.md").read_text()
MAKEFILE = (PROJECT_ROOT / "Makefile").read_text()
SEARCH_README = (PROJECT_ROOT / "search" / "README.md").read_text()
FLOWS_README = (PROJECT_ROOT / "flows" / "README.md").read_text()
SHELL = "\n".join(
    re.findall(r"```(?:sh|console)\n(.*?)```", README + SEARCH_README + FLOWS_README, re.DOTALL)
)
COMMANDS = [
    line.removeprefix("$ ").split("  #")[0].strip().removesuffix(" &")
    for line in SHELL.splitlines()
    if re.match(r"(\$ )?(\w+=\S+ )*(make|\S*lsif-ingest) ", line)
]
NUMBERS = re.compile(r"\d+\.\d+")


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) > 15


@pytest.mark.parametrize("command", [one for one in COMMANDS if "make " in one])
def test_make_targets_and_variables_exist(command: str) -> None:
    words = shlex.split(command)
    words = words[words.index("make") + 1 :]
    assert re.search(rf"^{re.escape(words[0])}:", MAKEFILE, re.MULTILINE), words[0]
    for variable in words[1:]:
        assert re.search(rf"^{variable.split('=')[0]} *\?=", MAKEFILE, re.MULTILINE), variable


@pytest.mark.parametrize("command", [one for one in COMMANDS if "lsif-ingest " in one])
def test_commands_are_understood(command: str) -> None:
    program, *arguments = shlex.split(command)
    assert program.endswith("lsif-ingest")
    assert command_line_parser().parse_args(arguments).run is not None


@pytest.mark.parametrize("path", ["README.md", "search/README.md", "flows/README.md"])
def test_every_file_that_the_readme_links_exists(path: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (PROJECT_ROOT / path).read_text())
    assert links
    for link in links:
        assert (
            link.startswith("https://") or (PROJECT_ROOT / path).parent.joinpath(link).exists()
        ), link


def test_the_search_readme_names_every_module_and_route() -> None:
    for module in (PROJECT_ROOT / "search").glob("*.py"):
        assert module.name == "__init__.py" or f"`{module.name}`" in SEARCH_README, module.name
    for route in re.findall(
        r'(?:app|router)\.get\("([^"]+)"', (PROJECT_ROOT / "search" / "web" / "app.py").read_text()
    ):
        assert route.partition("{")[0] in SEARCH_README, route


def test_the_readme_is_not_longer_than_a_reader_bears() -> None:
    assert len(README.splitlines()) <= 200


def test_the_search_session_is_what_the_program_prints(
    indexed_sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = re.search(r"\$ \.venv/bin/lsif-ingest (search .*?)\n(.*?)```", README, re.DOTALL)
    assert session is not None
    capsys.readouterr()
    assert cli.main([*shlex.split(session[1]), "--set", f"paths.data={indexed_sample}"]) == 0
    printed = capsys.readouterr().out
    # The commit is another one by now, and scores differ in the last digits from one processor to another.
    printed = re.sub(r" at [0-9a-f]{12}", "", printed)
    assert NUMBERS.sub("N", printed.strip()) == NUMBERS.sub("N", session[2].strip())
