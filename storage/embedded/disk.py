"""Disk space of the embedded index: how much is free, and copies of its sparse files."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from machine.disk import free_bytes, is_short_of
from storage.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

EMPTY = 64 << 20
"""Upper bound of the bytes that an empty generation takes: 0.6 MB on ext4, 45 MB on a tmpfs of
huge pages."""
_SPARE = 32 << 20
"""Bytes that stay free while the engine writes. It maps sparse files into memory: on a full disk
the process is killed by SIGBUS, without a message. Other programs write at the same time."""
_COPY_BYTES = 1 << 20


def require_room(place: Path, writer: Path, size: int) -> None:
    """Raise StorageError unless `size` bytes, and some to spare, fit on the disk of `place`."""
    needed = size + _SPARE
    try:
        short, free = is_short_of(place, needed), free_bytes(place)
    except OSError as exc:
        raise StorageError(f"can't write {writer}: {exc.strerror or exc}") from exc
    if short:
        raise StorageError(
            f"the disk is full: writing {writer} needs {needed / 1e6:,.1f} MB of room, and "
            f"{free / 1e6:,.1f} MB are free. Finished embeddings are saved; make room, "
            "or choose another disk: --set paths.data=DIR"
        )


def copy_file(source: str, target: str) -> None:
    """Copy a file without its holes: the engine's files are mostly holes, hundreds of megabytes."""
    with open(source, "rb") as reader, open(target, "wb") as writer:  # noqa: PTH123 - copytree passes strings
        end, at = os.fstat(reader.fileno()).st_size, 0
        while at < end:
            try:
                at = os.lseek(reader.fileno(), at, os.SEEK_DATA)
                stop = os.lseek(reader.fileno(), at, os.SEEK_HOLE)
            except OSError as exc:
                if exc.errno == errno.ENXIO:  # only a hole is left
                    break
                stop = end  # the system knows no holes: copy everything
            reader.seek(at)
            writer.seek(at)
            while at < stop and (block := reader.read(min(_COPY_BYTES, stop - at))):
                at += writer.write(block)
        writer.truncate(end)
