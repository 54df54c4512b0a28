"""What git says about a folder. Changes nothing."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, NamedTuple

from machine.programs import run_program
from machine.proxies import given_environment

if TYPE_CHECKING:
    from pathlib import Path

_OF_ANOTHER_REPOSITORY = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
"""What git sets for its hooks; a run that a hook starts is about the folder that it was given."""
_OPTIONS = ("--no-optional-locks", "-c", "core.fsmonitor=false")
"""fsmonitor is a program that the repository's own configuration may name."""


def git_environment() -> dict[str, str]:
    """Return this process's environment, with English messages and no other repository in it."""
    inherited = {
        name: value
        for name, value in given_environment(os.environ).items()
        if name not in _OF_ANOTHER_REPOSITORY
    }
    return {**inherited, "LC_ALL": "C"}


def git_bytes(folder: Path, *arguments: str, timeout_s: float | None = None) -> bytes | None:
    """Return what the git command prints.

    None if it fails, as in a folder of no repository, takes too long, or git is not installed.
    """
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, *_OPTIONS, "-C", str(folder), *arguments]
    try:
        found = run_program(command, environment=git_environment(), timeout_s=timeout_s)
    except OSError:
        return None
    return found.out if found.status == 0 else None


def git_output(folder: Path, *arguments: str) -> str | None:
    """Return what `git_bytes` returns as text; bytes that are no UTF-8 become surrogates."""
    printed = git_bytes(folder, *arguments)
    return None if printed is None else printed.decode("utf-8", "surrogateescape")


class GitState(NamedTuple):
    """The commit of a folder's repository, and whether files differ from it."""

    commit: str | None
    """None if the folder is in no git repository, or git is not installed."""
    dirty: bool


def git_state(folder: Path | None) -> GitState:
    """Return the commit of the folder, and whether files in it differ from that commit."""
    commit = None if folder is None else git_output(folder, "rev-parse", "HEAD")
    if folder is None or commit is None:
        return GitState(None, dirty=False)
    changes = git_output(folder, "status", "--porcelain", "--", ".") or ""
    return GitState(commit.strip(), dirty=bool(changes.strip()))
