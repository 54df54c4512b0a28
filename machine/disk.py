"""The disk: whether a folder is writable, how much room there is, and how much is used."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK = 512
"""Bytes that st_blocks counts in."""


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    return next((parent for parent in (folder, *folder.parents) if parent.exists()), folder)


def why_not_writable(folder: Path) -> str:
    """Return why the folder can't be made or no file can be made in it, "" if both work.

    Nothing is left behind.
    """
    nearest = existing(folder)
    if not nearest.is_dir():
        return f"{nearest} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"\0")
    except OSError as exc:
        return exc.strerror or str(exc)
    return ""


def free_bytes(folder: Path) -> int:
    """Return the bytes that can still be written to the folder's disk."""
    return shutil.disk_usage(existing(folder)).free


def is_short_of(folder: Path, size: int) -> bool:
    """Return whether fewer than `size` bytes can be written to the folder's disk.

    Some network file systems don't know their size: they are not short of anything. Raises
    OSError.
    """
    disk = shutil.disk_usage(existing(folder))
    return bool(disk.total) and disk.free < size


def taken_bytes(path: Path) -> int:
    """Return the bytes on the disk of the file, or the files in the folder; holes take none."""
    if path.is_file():
        return path.stat().st_blocks * _BLOCK
    return sum(entry.stat(follow_symlinks=False).st_blocks * _BLOCK for entry in _entries(path))


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _entries(folder / entry.name)
                else:
                    yield entry
    except OSError:  # removed meanwhile, or not ours to read
        return
