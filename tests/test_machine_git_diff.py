"""Which lines differ between a commit and a folder, as git tells."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from machine.git_diff import (
    EVERY_LINE,
    FileChange,
    Hunk,
    Lines,
    changes_since,
    commit_of,
    common_commit,
    read_diff,
)


def git(folder: Path, *arguments: str) -> str:
    name = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", "-C", folder, *name, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(folder: Path, message: str = "one") -> str:
    """Commit everything; return the hash."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def numbered(count: int, word: str = "line") -> list[str]:
    return [f"{word} {number}\n" for number in range(1, count + 1)]


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose configuration changes how people see a diff."""
    repo = tmp_path_factory.mktemp("diff") / "repo"
    (repo / "crate/src").mkdir(parents=True)
    git(repo, "init", "--quiet", "--initial-branch=main")
    for setting in ("diff.noprefix=true", "color.diff=always", "diff.interHunkContext=99"):
        git(repo, "config", *setting.split("="))
    git(repo, "config", "diff.external", "false")
    sources = repo / "crate/src"
    for name in ("edited", "moved", "gone", "same", "bïn", "a b"):
        (sources / f"{name}.rs").write_text("".join(numbered(20, name)))
    (sources / "bïn.rs").write_bytes(b"\0one\n")
    (sources / 'q"\t\u00e9.rs').write_text("one\n")
    (repo / "other.rs").write_text("one\n")
    (repo / ".gitignore").write_text("*.tmp\n")
    commit(repo)
    return repo


def test_lines_of_every_kind_of_change_are_told(repo: Path) -> None:
    sources = repo / "crate/src"
    lines = numbered(20, "edited")
    lines[2:4], lines[10:10], lines[15:17] = ["other\n"], ["new\n", "newer\n"], []
    (sources / "edited.rs").write_text("".join(lines))
    (sources / "moved.rs").rename(sources / "there.rs")
    (sources / "gone.rs").unlink()
    (sources / "bïn.rs").write_bytes(b"\0two\n")
    (sources / 'q"\t\u00e9.rs').write_text("two\n")
    (sources / "a b.rs").write_text("".join(numbered(20, "a b")[1:]))
    (sources / "same.rs").chmod(0o755)
    (sources / "untracked.rs").write_text("one\n")
    (sources / "ignored.tmp").write_text("one\n")
    (repo / "other.rs").write_text("two\n")
    git(repo, "add", "--intent-to-add", "crate/src/there.rs")
    start = commit_of(repo, "main")
    assert start is not None
    found = {
        change.new or change.old: change for change in changes_since(repo / "crate", start) or ()
    }
    assert found.pop("src/edited.rs").hunks == (
        Hunk(Lines(3, 4), Lines(3, 3)),
        Hunk(Lines(12, 11), Lines(11, 12)),
        Hunk(Lines(15, 16), Lines(16, 15)),
    )
    assert found.pop("src/there.rs") == FileChange("src/moved.rs", "src/there.rs")
    gone = (Hunk(Lines(1, 20), Lines(1, 0)),)
    assert found.pop("src/gone.rs") == FileChange("src/gone.rs", None, gone)
    assert found.pop("src/bïn.rs").hunks == (Hunk(EVERY_LINE, EVERY_LINE),)
    assert found.pop('src/q"\t\u00e9.rs').hunks == (Hunk(Lines(1, 1), Lines(1, 1)),)
    assert found.pop("src/a b.rs").hunks == (Hunk(Lines(1, 1), Lines(1, 0)),)
    assert found.pop("src/same.rs") == FileChange("src/same.rs", "src/same.rs")
    new = (Hunk(Lines(1, 0), EVERY_LINE),)
    assert found.pop("src/untracked.rs") == FileChange(None, "src/untracked.rs", new)
    assert found == {}


def test_commits_are_found_by_what_people_call_them(repo: Path, tmp_path: Path) -> None:
    start = git(repo, "rev-parse", "main")
    assert commit_of(repo, "main") == commit_of(repo, "HEAD") == commit_of(repo, start[:9]) == start
    for name in ("", "-h", "--all", "none", "HEAD~9", "main:crate", "main\0", "main..main"):
        assert commit_of(repo, name) is None, name
    assert commit_of(tmp_path, "HEAD") is None
    assert changes_since(tmp_path, start) is None
    assert changes_since(repo, "0" * 40) is None


def test_the_commit_from_which_two_branches_come(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    start = commit(tmp_path)
    git(tmp_path, "checkout", "--quiet", "-b", "topic")
    topic = commit(tmp_path, "topic")
    git(tmp_path, "checkout", "--quiet", "--orphan", "alone")
    alone = commit(tmp_path, "alone")
    git(tmp_path, "checkout", "--quiet", "main")
    (tmp_path / "file").touch()
    commit(tmp_path)
    assert common_commit(tmp_path, topic) == start
    assert common_commit(tmp_path, alone) is None


def test_what_stands_in_a_file_is_not_read_as_the_diff() -> None:
    printed = (
        b"* Unmerged path a.rs\n"
        b"diff --git a/a.rs b/a.rs\nindex 1..2 100644\n--- a/a.rs\n+++ b/a.rs\n"
        b"@@ -1 +1,2 @@ fn a() {\n-@@ -5 +5 @@\n+diff --git a/b b/b\n+rename from x\n"
        b"\\ No newline at end of file\n"
    )
    assert list(read_diff(printed)) == [
        FileChange("a.rs", "a.rs", (Hunk(Lines(1, 1), Lines(1, 2)),))
    ]
    assert read_diff(b"") == []
