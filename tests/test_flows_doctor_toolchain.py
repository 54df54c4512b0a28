"""The doctor's checks of git, rust-analyzer, cargo, and of a repository."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from doctored import changed, healthy_programs

from configs.settings import Settings
from flows.doctor import toolchain as doctor_toolchain
from flows.doctor.finding import Finding
from machine import programs

from conftest import SAMPLE

pytestmark = pytest.mark.usefixtures("bare_environment")
STUB = (
    "error: Unknown binary 'rust-analyzer' in official toolchain 'stable-x86_64-unknown-linux-gnu'."
)


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


def test_a_repository_is_a_cargo_project_in_git(tmp_path: Path, settings: Settings) -> None:
    repo = shutil.copytree(SAMPLE, tmp_path / "sample")
    finding = doctor_toolchain.check_repository(settings.rust_analyzer, repo)
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
    finding = doctor_toolchain.check_repository(settings.rust_analyzer, repo)
    assert (finding.status, finding.found.startswith(f"{repo} at ")) == ("ok", True)
    (repo / "src/lib.rs").write_text("")
    assert doctor_toolchain.check_repository(settings.rust_analyzer, repo).found.endswith(
        " with changes"
    )
    shutil.rmtree(repo)
    repo.mkdir()
    finding = doctor_toolchain.check_repository(settings.rust_analyzer, repo)
    assert (finding.status, finding.found) == ("failed", f"{repo} holds no Cargo.toml")
    assert (
        doctor_toolchain.check_repository(settings.rust_analyzer, tmp_path / "none").found
        == f"there is no folder {tmp_path / 'none'}"
    )


def test_a_repository_of_another_user(
    program: Callable[[str, str], Path], tmp_path: Path, settings: Settings
) -> None:
    repo = shutil.copytree(SAMPLE, tmp_path / "sample")
    program("git", "echo \"fatal: detected dubious ownership in repository at '/x'\" >&2; exit 128")
    finding = doctor_toolchain.check_repository(settings.rust_analyzer, repo)
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
        "sources", "ok", "all 10 .rs files are UTF-8"
    )
    (repo / "src/old.rs").write_bytes(b"// caf\xe9\n")
    finding = doctor_toolchain.check_sources(repo)
    assert (finding.status, finding.found) == ("failed", "src/old.rs is not UTF-8")
    assert finding.advice.startswith(f"iconv -f latin1 -t utf-8 {repo}/src/old.rs")


def test_a_folder_without_rust_has_no_good_sources(tmp_path: Path) -> None:
    finding = doctor_toolchain.check_sources(tmp_path)
    assert (finding.status, finding.found) == ("failed", f"there is no .rs file in {tmp_path}")
    (tmp_path / "one.rs").write_text("")
    assert doctor_toolchain.check_sources(tmp_path).found == "the .rs file is UTF-8"


def test_a_folder_with_rust_but_without_cargo_is_enough_for_a_model_of_our_own(
    tmp_path: Path, settings: Settings
) -> None:
    (tmp_path / "one.rs").write_text("")
    assert doctor_toolchain.check_repository(settings.rust_analyzer, tmp_path).status != "failed"
    own = changed(settings, "rust_analyzer.project=cargo").rust_analyzer
    assert doctor_toolchain.check_repository(own, tmp_path).status == "failed"
