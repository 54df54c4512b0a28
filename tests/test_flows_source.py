from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from configs.workspace import PARTS, hide_from_git
from flows.errors import UsageError
from flows.source.source import Source
from machine.git import git_state


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
    with pytest.raises(UsageError, match="found --repo and --structures"):
        Source(repo=Path("a"), structures=Path("b"))
    with pytest.raises(UsageError, match="--dump and --root go together"):
        Source(dump=Path("a"))


def test_git_tells_commit_and_changes(tmp_path: Path) -> None:
    assert git_state(tmp_path) == (None, False)
    assert git_state(None) == (None, False)

    def git(*arguments: str) -> None:
        subprocess.run(
            [
                "git",
                "-C",
                str(tmp_path),
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@example.org",
                *arguments,
            ],
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


def test_git_does_not_see_what_this_program_keeps_in_a_data_folder(tmp_path: Path) -> None:
    def untracked() -> str:
        return subprocess.run(
            ["git", "-C", str(tmp_path), "status", "-s", "-uall"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    for part in (*PARTS, "reindex-x"):
        (tmp_path / "data" / part).mkdir(parents=True)
        (tmp_path / "data" / part / "file").touch()
    assert len(untracked().splitlines()) == len(PARTS) + 1
    hide_from_git(tmp_path / "data")
    assert untracked() == ""
    (tmp_path / "data/.gitignore").write_text("somebody's own")
    hide_from_git(tmp_path / "data")
    assert (tmp_path / "data/.gitignore").read_text() == "somebody's own"
    hide_from_git(tmp_path)  # a repository's own folder
    assert not (tmp_path / ".gitignore").exists()


def test_the_identity_is_that_of_the_repository_not_of_the_checkout(tmp_path: Path) -> None:
    def git(folder: Path, *arguments: str) -> None:
        subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)

    for name in ("one", "two"):
        (tmp_path / name / "crate").mkdir(parents=True)
        git(tmp_path / name, "init")
    first, second = Source(repo=tmp_path / "one" / "crate"), Source(repo=tmp_path / "two" / "crate")
    assert first.identity() != second.identity()
    for name in ("one", "two"):
        git(
            tmp_path / name,
            "remote",
            "add",
            "origin",
            "https://user:secret-key-0451@example.org/repo.git",
        )
    assert first.identity() == second.identity() == "https://example.org/repo.git crate/"
    assert Source(repo=tmp_path / "one").identity() == "https://example.org/repo.git"
    git(
        tmp_path / "one",
        "remote",
        "set-url",
        "origin",
        "https://example.org/repo.git?private_token=secret-key-0451",
    )
    assert Source(repo=tmp_path / "one").identity() == "https://example.org/repo.git"
    assert Source(structures=tmp_path / "s.jsonl").identity() == str(tmp_path / "s.jsonl")


def test_a_link_has_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert Source(repo=tmp_path / "link").project("") == "link"
    assert Source(repo=tmp_path / "target" / "..").project("") == tmp_path.name.strip("-.")
