"""What git says about a folder. Changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

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


def git_environment() -> dict[str, str]:
    """Return this process's environment, without what points git to another repository, and with messages in English."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY
    }
    return {**inherited, "LC_ALL": "C"}


def git_output(folder: Path, *arguments: str) -> str | None:
    """Return what the git command prints; None where it fails, as in a folder of no repository, or git is not installed."""
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run(
        [git, "--no-optional-locks", "-C", str(folder), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=git_environment(),
    )
    return done.stdout.decode("utf-8", "surrogateescape") if done.returncode == 0 else None
