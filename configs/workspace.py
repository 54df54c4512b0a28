"""What this program keeps in its data folder (`paths.data`), and how git is told that this is no part of a repository around it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PARTS = ("checkpoints", "models", "prefect", "projects", "qdrant", "target")
"""Folders in it. `prefect`, and `reindex-*` beside them, are those of .ci/reindex."""
_IGNORED = "".join(
    [
        "# Written by lsif-ingest: what it keeps here is no part of the repository around it.\n",
        "/.gitignore\n",
    ]
    + [f"/{part}/\n" for part in (*PARTS, "reindex-*")]
)


def hide_from_git(data: Path) -> None:
    """Write a .gitignore into the data folder, so that a repository that the folder lies in has no changes for it.

    It names this program's own folders only: others may keep theirs beside them. A .gitignore that is there stays as it is, and
    a repository's own folder gets none.
    """
    if (data / ".git").exists():
        return
    with suppress(OSError):  # it is there; or nothing can be written, which what follows will tell
        data.mkdir(parents=True, exist_ok=True)
        file = os.open(data / ".gitignore", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(file, "w", encoding="utf-8") as opened:
            opened.write(_IGNORED)


def own_folders(data: Path) -> list[Path]:
    """Return what this program keeps in the data folder, and the file that hides it from git."""
    return [*(data / part for part in PARTS), *data.glob("reindex-*"), data / ".gitignore"]
