"""The Makefile's targets, and what its variables become: arguments that no shell interprets."""

from __future__ import annotations

import os
import re
import subprocess
from importlib.metadata import distributions
from pathlib import Path

import pytest

from conftest import PROJECT_ROOT

MAKEFILE = (PROJECT_ROOT / "Makefile").read_text()
HOSTILE = "a b'\"; touch PWNED `touch PWNED` | & * ~ \\"
"""It holds no `$`, which make itself interprets on its command line."""


HANDED_ON = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "ARGS")


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
    # Without what `make test ARGS=...` hands on to what it starts.
    own = {name: value for name, value in os.environ.items() if name not in HANDED_ON}
    done = subprocess.run(
        [*command, f"VENV={environment}", *words],
        capture_output=True,
        text=True,
        check=True,
        env=own,
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
        "--project",
        "7",
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
    assert arguments(environment, "ingest", PROJECT=HOSTILE)[-2:] == ["--project", HOSTILE]


def make(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", "-C", str(PROJECT_ROOT), *words]
    # The arguments of the make that runs the tests are none of this one's.
    environment = {name: value for name, value in os.environ.items() if name not in HANDED_ON}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_help_explains_every_target_and_is_the_default() -> None:
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
    explained = [line.split()[1] for line in make("help").stdout.splitlines()]
    assert explained == targets
    assert make().stdout == make("help").stdout
    declared = re.search(r"^TARGETS := ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert declared is not None
    assert declared[1].replace("\\", "").split() == targets
    assert ".PHONY: $(TARGETS)" in MAKEFILE


@pytest.mark.parametrize("name", ["", "speed", "parse embed", "%", "; touch PWNED"])
def test_an_unknown_benchmark_lists_those_that_exist(name: str, environment: Path) -> None:
    done = make("bench", f"NAME={name}", f"VENV={environment}")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "make bench NAME=... takes one of: parse embed stage gpu search upload scale flow quality "
        "truth truth-crates graph-parse graph-refs graph-truth formats kill-resume fuzz; "
        f"found: {name.strip() or 'nothing'}."
    ) in done.stderr
    assert not (PROJECT_ROOT / "PWNED").exists()


def test_a_benchmark_is_a_program_that_exists(environment: Path) -> None:
    def last(name: str, *words: str) -> list[str]:
        done = make("--dry-run", "bench", f"NAME={name}", f"VENV={environment}", *words)
        return done.stdout.replace("\\\n", " ").splitlines()[-1].split()

    benches = re.search(r"takes one of: (.*); found", make("bench").stderr)
    assert benches is not None
    for name in benches[1].split():
        programs = [word for word in last(name) if word.endswith(".py")]
        assert programs
        assert all((PROJECT_ROOT / program).is_file() for program in programs)
    records = "data/projects/sample/structures.jsonl"
    assert last("truth")[1:] == ["benchmarks/truth.py", records, "tests/data/sample"]
    assert last("truth", "ARGS=a b")[1:] == ["benchmarks/truth.py", "a", "b"]
    assert last("upload", "ARGS=--million")[1:] == ["benchmarks/bench_upload.py", "--million"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile and a Python that notes what pip would install."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        (folder / name).write_bytes((PROJECT_ROOT / name).read_bytes())
    python = folder / "python"
    python.write_text(
        '#!/bin/sh\n[ "$1" = -c ] && exit 0\n'
        '[ "$2" = venv ] && { mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; exit; }\n'
        'printf "%s\\037" "$@" >> installed; echo >> installed\n'
    )
    python.chmod(0o755)
    return folder


@pytest.mark.parametrize("index", ["", f"https://example.org/{HOSTILE}"])
def test_torch_alone_comes_from_an_index_of_its_own(checkout: Path, index: str) -> None:
    words = ["setup", "PYTHON=./python", *([f"TORCH_INDEX={index}"] if index else [])]
    subprocess.run(["make", "-C", str(checkout), *words], check=True, capture_output=True)
    torch, rest = (
        line.split("\037")[:-1] for line in (checkout / "installed").read_text().splitlines()
    )
    common = "-m pip install --quiet --disable-pip-version-check --constraint constraints.txt"
    from_index = ["--no-deps", "--index-url", index] if index else []
    assert torch == [*common.split(), *from_index, "torch==2.13.0"]
    assert rest == [*common.split(), "--editable", ".[dev]"]
    assert not (checkout / "PWNED").exists()


def test_clean_spares_the_data_that_clean_data_removes(checkout: Path) -> None:
    def clean(target: str) -> str:
        command = ["make", "--no-print-directory", "-C", str(checkout), target]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    for name in ("data/projects", ".venv", ".mypy_cache", "lsif/__pycache__"):
        (checkout / name).mkdir(parents=True)
    clean("clean")
    left = sorted(path.name for path in checkout.iterdir() if path.is_dir())
    assert left == ["data", "lsif"]
    assert list((checkout / "lsif").iterdir()) == []
    assert re.fullmatch(r"Removing \(size, folder\): [\d.]+[KM]?\tdata\n", clean("clean-data"))
    assert not (checkout / "data").exists()
    assert clean("clean-data") == "There is no folder data.\n"


def test_every_big_package_has_a_reason_in_the_constraints() -> None:
    text = (PROJECT_ROOT / "constraints.txt").read_text()
    explained = set(re.findall(r"^#   ([\w.-]+) +\d+ MB  \S", text, re.MULTILINE))
    of_cuda = ("nvidia-", "cuda-", "triton")  # parts of torch's default build
    for distribution in distributions():
        name = distribution.metadata["Name"].lower()
        sizes = (file.size or 0 for file in distribution.files or ())
        if sum(sizes) > 150_000_000 and not name.startswith(of_cuda):
            assert name in explained, name
    assert explained <= {line.partition("==")[0] for line in text.splitlines()}
