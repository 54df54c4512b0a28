"""The documents' commands and links exist, and their sessions are what the program prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main as cli
from flows.cli.main import COMMANDS as PROGRAM_COMMANDS
from flows.cli.main import command_line_parser
from flows.report.history import read_report
from flows.report.text import report_text

from conftest import PROJECT_ROOT

FOLDERS = ("", "docs", "benchmarks/results", "tests/data")
DOCUMENTS = sorted(path for folder in FOLDERS for path in (PROJECT_ROOT / folder).glob("*.md"))
TEXTS = {path.relative_to(PROJECT_ROOT).as_posix(): path.read_text() for path in DOCUMENTS}
README, SEARCH = TEXTS["README.md"], TEXTS["docs/search.md"]
MAKEFILE = (PROJECT_ROOT / "Makefile").read_text()
BLOCKS = [
    block
    for text in TEXTS.values()
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL)
]
COMMANDS = sorted(
    {
        line.removeprefix("$ ").split("  #")[0].strip().removesuffix(" &").strip()
        for block in BLOCKS
        for line in re.sub(r" *\\\n *", " ", block).splitlines()
        if re.match(r"(\$ )?(\w+=\S+ )*(make|\S*lsif-ingest) ", line)
    }
)
MEASURED = {
    name
    for name in TEXTS
    if name.startswith("benchmarks/results/") and not name.endswith("capacity.md")
}
"""Pages that benchmarks write."""
NUMBERS = re.compile(r"\d+\.\d+")


def test_the_documents_show_commands() -> None:
    assert len(COMMANDS) > 50


@pytest.mark.parametrize("command", [line for line in COMMANDS if "make " in line])
def test_make_targets_and_variables_exist(command: str) -> None:
    words = shlex.split(command)
    words = words[words.index("make") + 1 :]
    assert re.search(rf"^{re.escape(words[0])}:", MAKEFILE, re.MULTILINE), words[0]
    for variable in words[1:]:
        assert re.search(rf"^{variable.split('=')[0]} *\?=", MAKEFILE, re.MULTILINE), variable


@pytest.mark.parametrize("command", [line for line in COMMANDS if "lsif-ingest " in line])
def test_commands_are_understood(command: str) -> None:
    words = shlex.split(command)
    program = next(number for number, word in enumerate(words) if word.endswith("lsif-ingest"))
    assert command_line_parser().parse_args(words[program + 1 :]).run is not None


def test_every_command_and_benchmark_is_documented() -> None:
    shown = {word for line in COMMANDS for word in shlex.split(line)}
    assert set(PROGRAM_COMMANDS) <= shown
    (benches,) = re.findall(r"^BENCHES := ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    for name in benches.replace("\\", " ").split():
        assert f"`{name}`" in TEXTS["docs/measurements.md"], name


def test_every_make_target_is_explained_and_phony() -> None:
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
    phony = re.search(r"^TARGETS := ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert "\n.PHONY: $(TARGETS)\n" in MAKEFILE
    assert set(targets) == set(phony[1].replace("\\", " ").split())
    for target in targets:
        assert re.search(rf"^{target}:.*## \S", MAKEFILE, re.MULTILINE), target


@pytest.mark.parametrize("document", TEXTS)
def test_every_file_that_a_document_links_exists(document: str) -> None:
    folder = (PROJECT_ROOT / document).parent
    for link in re.findall(r"\]\(([^)#]+)\)", TEXTS[document]):
        assert link.startswith("https://") or folder.joinpath(link).exists(), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    for path in (PROJECT_ROOT / "docs").glob("*.md"):
        assert f"(docs/{path.name})" in README, path.name


def test_every_route_is_documented() -> None:
    app = (PROJECT_ROOT / "search" / "web" / "app.py").read_text()
    routes = re.findall(r'(?:app|router)\.get\(\s*"([^"]+)"', app)
    assert len(routes) > 5
    for route in routes:
        assert route.partition("{")[0] in SEARCH, route


def test_the_readme_is_not_longer_than_a_reader_bears() -> None:
    assert len(README.splitlines()) <= 120
    assert [line for line in README.splitlines() if len(line) > 100] == []


@pytest.mark.parametrize("document", [name for name in TEXTS if name not in MEASURED])
def test_lines_are_short(document: str) -> None:
    """Rows of tables, commands and addresses are as long as they must be."""
    prose = re.sub(r"```.*?```", "", TEXTS[document], flags=re.DOTALL)
    long = [line for line in prose.splitlines() if len(line) > 105]
    assert [
        line for line in long if not line.startswith(("|", "    ")) and "https:" not in line
    ] == []


@pytest.mark.parametrize("document", TEXTS)
def test_terms_are_those_of_the_glossary(document: str) -> None:
    """These words were used once; docs/glossary.md has the terms of today."""
    old = r"\b(legs?|kept dumps?|belongings|anew|to be had|at work on|shards? of texts)\b"
    assert re.findall(old, TEXTS[document], re.IGNORECASE) == []


def test_the_search_session_is_what_the_program_prints(
    indexed_sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = README.replace("\\\n", " ")
    session = re.search(r"\$ \.venv/bin/lsif-ingest (search .*?)\n(.*?)```", text, re.DOTALL)
    assert session is not None
    capsys.readouterr()
    assert cli.main([*shlex.split(session[1]), "--set", f"paths.data={indexed_sample}"]) == 0
    printed = capsys.readouterr().out
    # The commit is another one by now, and the last digits of scores depend on the processor.
    printed = re.sub(r" at [0-9a-f]{12}", "", printed)
    assert NUMBERS.sub("N", printed.strip()) == NUMBERS.sub("N", session[2].strip())


def label(line: str) -> str:
    """Return what a line of a run's report is about.

    >>> label("  text texts         77  77 embedded")
    'text texts'
    """
    return line.strip().partition("  ")[0]


def test_the_report_in_the_readme_is_what_a_run_prints(
    first_run: dict[str, Any], indexed_sample: Path
) -> None:
    # Not report.json: other tests may have run the project again.
    name = re.sub(r"[-:]|\+.*", "", first_run["started"]) + "Z"
    report = read_report(indexed_sample / "projects" / "sample" / "runs" / f"{name}.json")
    assert report is not None
    printed = report_text(report, "lsif-ingest search").replace(str(indexed_sample), "data")
    rows = {label(line): line for line in printed.splitlines() if line.startswith("  ")}
    times = re.compile(r" +\d+\.\d+")  # in a column: their width varies
    session = re.search(r"\$ make ingest\n(.*?)\nSearch it", README, re.DOTALL)
    assert session is not None
    shown = [line for line in session[1].splitlines() if line.startswith("  ")]
    assert len(shown) == 7
    for line in shown:
        start = times.sub(" N", line.removesuffix(" ..."))
        assert times.sub(" N", rows[label(line)]).startswith(start), line
