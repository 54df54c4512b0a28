"""Files that exist whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


_PAUSE_S = 0.05
_LEFT_BEHIND_S = 24 * 3600
"""Age from which a temporary file counts as that of a killed run."""


def temporary_beside(path: Path) -> Path:
    """Return a name beside `path` that no other writer uses, on no machine."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")


def remove_folder(path: Path, *, patience_s: float = 10.0) -> None:
    """Remove the folder, even if a process that is being ended still makes and removes files in it.

    A run that was killed is such a case: what it started ends a moment later. Raises OSError if the
    folder can't be removed within `patience_s` seconds.
    """
    deadline = time.monotonic() + patience_s
    while path.exists():
        try:
            shutil.rmtree(path)
        except OSError as exc:
            passing = isinstance(exc, FileNotFoundError) or exc.errno == errno.ENOTEMPTY
            if not passing or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)


def remove_leftovers(folder: Path, *, age_s: float = _LEFT_BEHIND_S) -> None:
    """Remove temporary files and folders older than `age_s` seconds: killed runs left them."""
    for path in folder.glob(".*.tmp"):
        with suppress(OSError):  # another run may be first
            if time.time() - path.stat().st_mtime <= age_s:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def copy_atomically(source: Path, target: Path) -> None:
    """Make `target` a copy of the file `source`; see `atomic_writer`. Raises OSError."""
    with source.open("rb") as file, atomic_writer(target) as copy:
        shutil.copyfileobj(file, copy)


@contextmanager
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` when the block ends; if it raises, `path` stays as it was.

    Makes the folder. Temporary file beside it, fsync, rename, fsync of the folder: after a crash
    there is the old content or the new.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)
