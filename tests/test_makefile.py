"""What the Makefile's variables become: arguments of the program, which no shell interprets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from conftest import PROJECT_ROOT

HOSTILE = "a b'\"; touch PWNED `touch PWNED` | & * ~ \\"
"""A `$` is make's own: whoever writes the command line of make writes for make."""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment that is ready, whose program prints its arguments, one a line."""
    program = tmp_path / "bin/lsif-ingest"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    program.chmod(0o755)
    (tmp_path / ".ready").touch()
    return tmp_path


def arguments(environment: Path, target: str, **variables: str) -> list[str]:
    """Return what `make` calls the program with."""
    words = [f"{name}={value}" for name, value in variables.items()]
    command = [
        "make",
        "--no-print-directory",
        "-f",
        str(PROJECT_ROOT / "Makefile"),
        "-C",
        str(PROJECT_ROOT),
        target,
    ]
    done = subprocess.run(
        [*command, f"VENV={environment}", *words], capture_output=True, text=True, check=True
    )
    assert not (PROJECT_ROOT / "PWNED").exists()
    return done.stdout.splitlines()


def test_what_is_indexed(environment: Path) -> None:
    sample = ["ingest", "--dump", "tests/data/sample.lsif", "--root", "tests/data/sample"]
    assert arguments(environment, "ingest") == sample
    assert arguments(environment, "ingest", DUMP="d", ROOT="r") == [
        "ingest",
        "--dump",
        "d",
        "--root",
        "r",
    ]
    repository = [
        "ingest",
        "--repo",
        "https://example.org/a.git",
        "--ref",
        "v1.0",
        "--subdir",
        "rust",
        "--set",
        "project.name='7'",
    ]
    assert (
        arguments(
            environment,
            "ingest",
            REPO="https://example.org/a.git",
            REF="v1.0",
            SUBDIR="rust",
            PROJECT="7",
        )
        == repository
    )
    # Where they make no sense, they reach the program, which says so.
    assert arguments(environment, "ingest", REF="main") == [*sample, "--ref", "main"]


@pytest.mark.parametrize("target", ["search", "serve", "status", "verify"])
def test_commands_about_an_index_take_the_project(environment: Path, target: str) -> None:
    assert arguments(environment, target)[:2] != [target, "--project"]
    assert arguments(environment, target, PROJECT="one")[:3] == [target, "--project", "one"]


@pytest.mark.parametrize("name", ["REPO", "REF", "SUBDIR"])
def test_a_value_is_one_word_whatever_is_in_it(environment: Path, name: str) -> None:
    assert arguments(environment, "ingest", **{"REPO": "r", name: HOSTILE}).count(HOSTILE) == 1
    assert f"project.name='{HOSTILE}'" in arguments(environment, "ingest", PROJECT=HOSTILE)
