"""The container's recipe agrees with the project. No Docker runs: the tests read files."""

from __future__ import annotations

import re
import shlex
import tomllib

import pytest
import yaml  # type: ignore[import-untyped]

from flows.cli.main import command_line_parser
from flows.deploy.deployments import IMAGE_FOLDER

from conftest import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "flows" / "container"
PAGE = (PROJECT_ROOT / "docs" / "container.md").read_text()
PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
CONSTRAINTS = (PROJECT_ROOT / "constraints.txt").read_text()
INSTRUCTIONS = [
    line.split(None, 1)
    for line in re.sub(r"\\\n", " ", (FOLDER / "Dockerfile").read_text()).splitlines()
    if line.strip() and not line.startswith("#")
]
PAGE = (PROJECT_ROOT / "docs" / "container.md").read_text()
COMMANDS = [
    shlex.split(command)
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for command in re.sub(r"\\\n", " ", block).splitlines()
]
DEPLOYMENTS = yaml.safe_load((PROJECT_ROOT / "flows/deploy/prefect.yaml").read_text())
JOB = DEPLOYMENTS["definitions"]["every"]["work_pool"]["job_variables"]


def arguments_of(instruction: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def index_of(part: str) -> int:
    (found,) = (number for number, (_, rest) in enumerate(INSTRUCTIONS) if part in rest)
    return found


def test_python_is_the_one_that_the_constraints_were_tried_with() -> None:
    tried = re.search(r"on CPython (\d+\.\d+)", CONSTRAINTS)
    assert tried is not None
    assert arguments_of("FROM")[-1] == f"python:{tried[1]}-slim-bookworm"
    assert PROJECT["project"]["requires-python"] == f">={tried[1]}"


def test_torch_is_pinned_and_comes_first() -> None:
    (pin,) = re.findall(r"^torch==\S+$", CONSTRAINTS, re.MULTILINE)
    assert f'TORCH="{pin}"' in arguments_of("ARG")
    assert f"TORCH  ?= {pin}\n" in (PROJECT_ROOT / "Makefile").read_text()
    assert index_of('"${TORCH}"') < index_of("--constraint constraints.txt .")
    installs = [rest for rest in arguments_of("RUN") if "pip install" in rest]
    assert len(installs) == 2
    assert all("--constraint constraints.txt" in rest for rest in installs)


def test_what_is_copied_is_there_and_all_that_the_package_needs() -> None:
    copied = [
        word for rest in arguments_of("COPY") if "--from=" not in rest for word in rest.split()[:-1]
    ]
    assert [word for word in copied if not (PROJECT_ROOT / word).exists()] == []
    needed = {
        *PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"],
        PROJECT["project"]["readme"],
        "pyproject.toml",
    }
    assert needed <= set(copied)


def test_rust_analyzer_comes_with_the_toolchain_and_the_librarys_sources() -> None:
    assert "rustup component add rust-analyzer rust-src" in arguments_of("RUN")
    assert "RUSTUP_TOOLCHAIN=${RUST}" in " ".join(arguments_of("ENV"))


def test_the_librarys_types_are_known_without_network() -> None:
    (removed,) = (rest for rest in arguments_of("RUN") if rest.startswith("rm "))
    assert removed.endswith('/lib/rustlib/src/rust/library/Cargo.toml"')
    assert (
        index_of("component add")
        < index_of("library/Cargo.toml")
        < index_of("--from=rust /usr/local/rustup")
    )


def test_it_does_not_run_as_root() -> None:
    assert arguments_of("USER") == ["indexer"]
    assert not [
        rest
        for name, rest in INSTRUCTIONS[index_of("indexer /home/indexer/.cargo") + 1 :]
        if name == "RUN"
    ]


def runs(part: str) -> list[list[str]]:
    return [command for command in COMMANDS if command[:2] == ["docker", "run"] and part in command]


def test_code_of_the_repository_runs_without_network_secrets_and_rights() -> None:
    (command,) = runs("dump")
    line = " ".join(command)
    for wanted in (
        "--network none",
        "--read-only",
        "--memory",
        "--pids-limit",
        "--cap-drop ALL",
        "no-new-privileges",
    ):
        assert wanted in line
    assert "-e" not in command
    assert "/work/repo:ro" in line
    assert "/home/indexer/.cargo:ro" in line
    (ingest,) = runs("ingest")
    assert "--repo" not in ingest


def test_no_code_of_the_repository_runs_with_network() -> None:
    (command,) = runs("fetch")
    assert "--network" not in command
    # In the repository Cargo would run what its .cargo/config.toml names, such as another rustc.
    assert "--workdir" not in command
    assert "-w" not in command
    assert arguments_of("WORKDIR")[-1] == "/work"


def test_repositories_at_one_place_in_the_container_have_indexes_of_their_own() -> None:
    (ingest,), (search,) = runs("ingest"), runs("search")
    assert ingest[-2:] == ["--project", "$NAME"]
    assert search[-2:] == ["--project", "$NAME"]


def test_the_commands_of_the_program_are_understood() -> None:
    found = [
        command[command.index("lsif-ingest") + 1 :]
        for part in ("dump", "ingest", "search")
        for command in runs(part)
    ]
    found += [command[1:] for command in COMMANDS if command[0] == "lsif-ingest"]
    assert len(found) == 4
    for arguments in found:
        inside = [re.sub(r"^/work/out/", "/tmp/", word) for word in arguments]
        assert command_line_parser().parse_args(inside).run is not None


@pytest.mark.parametrize("volume", ["/home/indexer/.cargo", "/work/data"])
def test_volumes_belong_to_the_user(volume: str) -> None:
    (made,) = (rest for rest in arguments_of("RUN") if "install --directory" in rest)
    assert f" {volume}" in made
    (mounted,) = (mount for mount in JOB["volumes"] if mount.endswith(f":{volume}"))
    assert mounted.startswith("lsif-ingest-")


def test_a_pools_run_is_at_work_where_its_volume_is() -> None:
    """Without a pull step Prefect runs the flow in a copy, which ends with the container."""
    assert arguments_of("WORKDIR")[-1] == IMAGE_FOLDER
    assert DEPLOYMENTS["pull"] == [
        {"prefect.deployments.steps.set_working_directory": {"directory": "{{ $LSIF_FOLDER }}"}}
    ]


def test_a_pools_run_takes_the_image_that_was_built_here() -> None:
    assert JOB["image_pull_policy"] == "IfNotPresent"
