"""What git says of a folder, also where it does not trust the folder."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

from configs.settings import load_settings
from flows.doctor.toolchain import check_repository
from flows.source.source import Source
from lsif.dump.inputs import why_not
from lsif.listing import list_files
from machine import git
from machine.git import GitState, git_output, git_state, is_distrusted


def run(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True)


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of another user, with a filter and a monitor that would leave a file."""
    repo = tmp_path / "a = 'b'"
    (repo / "src").mkdir(parents=True)
    (repo / "src/lib.rs").write_text("pub fn a() {}\n")
    (repo / ".gitattributes").write_text("*.rs filter=a.b=c\n")
    (repo / "Cargo.toml").write_text('[package]\nname = "a"\n')
    run(repo, "init", "--quiet")
    run(repo, "add", "--all")
    run(repo, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "one")
    run(repo, "remote", "add", "origin", "https://example.org/a.git")
    for name in ("filter.a.b=c.clean", "filter.a.b=c.process", "core.fsmonitor"):
        run(repo, "config", name, f"touch {tmp_path / 'ran'}; cat")
    run(repo, "config", "filter.a.b=c.required", "true")
    monkeypatch.setattr(git, "_warned", set())
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    return repo


def test_a_repository_of_another_user_is_read_and_runs_nothing(
    repo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert is_distrusted(repo)
    clean = git_state(repo)
    assert (len(clean.commit or ""), clean.dirty) == (40, False)
    (repo / "src/lib.rs").write_text("pub fn b() {}\n")
    assert git_state(repo) == GitState(clean.commit, dirty=True)
    (repo / "src/new.rs").write_text("")
    assert list_files(repo).rust == ["src/lib.rs"]
    assert Source(repo=repo).identity() == "https://example.org/a.git"
    assert git_output(repo, "status", "--porcelain") is None
    assert not (tmp_path / "ran").exists()
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning == (
        f"git does not trust {repo}, because another user owns it. Its commit and files are read, "
        "but no program that its configuration names is run, and the dump is not kept. "
        f"To trust it: git config --global --add safe.directory '{tmp_path}/a = '\"'\"'b'\"'\"''"
    )
    assert caplog.records[0].levelno == logging.WARNING


def test_its_dump_is_not_kept_and_the_doctor_tells_the_reason(repo: Path) -> None:
    assert why_not(repo, None) == (  # type: ignore[arg-type]  # asked later only
        "git does not trust the sources, because another user owns them"
    )
    finding = check_repository(load_settings().rust_analyzer, repo)
    assert (finding.status, finding.found) == (
        "warning",
        f"{repo} belongs to another user, so git does not trust it",
    )
    assert finding.advice.startswith("git config --global --add safe.directory ")


def test_what_is_no_repository_is_not_distrusted(tmp_path: Path) -> None:
    assert not is_distrusted(tmp_path)
    assert not is_distrusted(tmp_path / "none")
    assert git_output(tmp_path / "a\0b", "rev-parse") is None
    assert git_state(tmp_path) == GitState(None, dirty=False)
