"""What a disk says: whether a folder can be written, how much room there is, how much is taken."""

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
    """Return the folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    return next((one for one in (folder, *folder.parents) if one.exists()), folder)


def why_not_writable(folder: Path) -> str:
    """Return why no file can be made in the folder, or the folder not be made; "" where it can. Nothing is left behind."""
    place = existing(folder)
    if not place.is_dir():
        return f"{place} is no folder"
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"\0")
    except OSError as exc:
        return exc.strerror or str(exc)
    return ""


def free_bytes(folder: Path) -> int:
    """Return the bytes that can still be written where the folder is, or will be."""
    return shutil.disk_usage(existing(folder)).free


def taken_bytes(path: Path) -> int:
    """Return the bytes on the disk of the file, or of the files under the folder; holes take none."""
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
