from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flows.errors import UsageError
from flows.source import Source, git_state


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (Source(repo=Path("/a/my-repo")), "my-repo"),
        (Source(dump=Path("x"), root=Path("/a/My Repo (2)")), "My-Repo-2"),
        (Source(structures=Path("/a/qdrant/structures.jsonl")), "qdrant"),
        (Source(structures=Path("/a/code.jsonl")), "code"),
        (Source(repo=Path("/")), "project"),
        (Source(repo=Path("/a/.hidden")), "hidden"),
    ],
)
def test_the_project_is_named_after_its_folder(source: Source, name: str) -> None:
    assert source.project("") == name
    assert source.project("given") == "given"


def test_exactly_one_source_is_taken() -> None:
    with pytest.raises(UsageError, match="found none"):
        Source()
    with pytest.raises(UsageError, match="found repo and structures"):
        Source(repo=Path("a"), structures=Path("b"))
    with pytest.raises(UsageError, match="--dump and --root go together"):
        Source(dump=Path("a"))


def test_git_tells_commit_and_changes(tmp_path: Path) -> None:
    assert git_state(tmp_path) == (None, False)
    assert git_state(None) == (None, False)

    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
            check=True,
            capture_output=True,
        )

    git("init")
    (tmp_path / "file").write_text("one")
    git("add", ".")
    git("commit", "-m", "first")
    clean = git_state(tmp_path)
    assert clean.commit is not None
    assert len(clean.commit) == 40
    assert not clean.dirty
    (tmp_path / "file").write_text("two")
    assert git_state(tmp_path) == (clean.commit, True)
