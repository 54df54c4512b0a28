"""The files of a checkpoint: in a folder on this machine, or in a bucket that machines share.

A file appears whole or not at all. On a disk that takes a temporary file, fsync and rename; in a
bucket an object exists once its upload is complete. Access is by pyarrow's file systems.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from embedding.errors import CheckpointError
from machine.files import atomic_writer, remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

_AT_ONCE = 8
"""Files that are read from a bucket at once: each costs round trips, not bandwidth."""
_URI = re.compile(r"[a-z][a-z0-9+.-]+://")
_PROBE = ".probe"


class Store:
    """Files in folders under one address. Their names are relative to it, with slashes."""

    def __init__(self, address: Path | str) -> None:
        """Open the store at a folder or a URI such as s3://bucket/prefix.

        A folder is made once something is written. Credentials of a bucket come from the
        environment: AWS_ACCESS_KEY_ID and the others of its SDK. Raises CheckpointError.
        """
        self.location = str(address)
        """The address as given; it contains no secret."""
        self.folder = _local_folder(self.location)
        """The folder; None if the files are in a bucket."""
        if self.folder is not None:
            self._files: fs.FileSystem = fs.LocalFileSystem()
            self._root = str(self.folder.absolute())
            return
        if "@" in urlsplit(self.location).netloc or "secret_key" in self.location:
            raise CheckpointError(
                "the checkpoint's address must not contain credentials; "
                "they come from the environment."
            )
        try:
            self._files, self._root = fs.FileSystem.from_uri(self.location)
        except (OSError, ValueError, pa.ArrowException) as exc:
            raise CheckpointError(
                f"{self.location} can't be opened as a store: {exc}. "
                "Set checkpoint.store to a folder or to s3://bucket/prefix that can be reached."
            ) from exc

    def folders(self) -> list[str]:
        """Return the names of the folders, sorted."""
        return sorted(
            info.base_name for info in self._list("") if info.type is fs.FileType.Directory
        )

    def files(self, folder: str) -> dict[str, int]:
        """Return the files of the folder, sorted by name, with their sizes in bytes."""
        return {
            f"{folder}/{info.base_name}": info.size
            for info in sorted(self._list(folder), key=lambda info: info.base_name)
            if info.type is fs.FileType.File and info.base_name != _PROBE
        }

    def younger(self, folder: str, age_s: float) -> set[str]:
        """Return the names of files that were written less than `age_s` seconds ago.

        A file whose time is unknown counts as one.
        """
        since = time.time() - age_s
        return {
            f"{folder}/{info.base_name}"
            for info in self._list(folder)
            if info.mtime is None or info.mtime.timestamp() > since
        }

    def has(self, name: str) -> bool:
        """Return whether there is a file of the name."""
        return bool(self._files.get_file_info(self._path(name)).type is fs.FileType.File)

    def open(self, name: str) -> pa.NativeFile:
        """Open the file for reading. Raises OSError."""
        return self._files.open_input_file(self._path(name))

    def read_each(self, names: Iterable[str], read: Callable[[str], T]) -> Iterator[T]:
        """Yield what `read` returns for each name, in order; a bucket is read in parallel."""
        if self.folder is not None:
            yield from map(read, names)
            return
        left = list(names)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for start in range(0, len(left), _AT_ONCE):
                yield from pool.map(read, left[start : start + _AT_ONCE])

    def write(self, name: str, content: pa.Buffer) -> None:
        """Write the file. Raises CheckpointError; then there is no such file."""
        try:
            if self.folder is not None:
                with atomic_writer(self.folder / name) as file:
                    file.write(content)
            else:
                with self._files.open_output_stream(self._path(name)) as stream:
                    stream.write(content)
        except (OSError, pa.ArrowException) as exc:
            raise CheckpointError(
                f"can't write {self.location}/{name}: {_reason(exc)}. Finished embeddings are "
                "saved; free some space or fix the permissions, then run again to resume."
            ) from exc

    def check_writable(self) -> None:
        """Raise CheckpointError if nothing can be written, before there is work to lose."""
        self.write(_PROBE, pa.py_buffer(b""))
        self.remove(_PROBE)

    def rename(self, name: str, other: str) -> None:
        """Give the file another name. A missing file is not an error. Raises CheckpointError."""
        try:
            self._files.move(self._path(name), self._path(other))
        except OSError as exc:
            if self._files.get_file_info(self._path(name)).type is not fs.FileType.NotFound:
                raise CheckpointError(
                    f"can't rename {self.location}/{name}: {_reason(exc)}."
                ) from exc

    def remove(self, name: str) -> None:
        """Remove the file. A missing file is not an error. Raises CheckpointError."""
        try:
            if self._files.get_file_info(self._path(name)).type is not fs.FileType.NotFound:
                self._files.delete_file(self._path(name))
        except OSError as exc:
            raise CheckpointError(f"can't remove {self.location}/{name}: {_reason(exc)}.") from exc

    def remove_folder(self, folder: str) -> None:
        """Remove the folder if it is empty."""
        if self.folder is not None:
            # In one step: another run may write its first file between a check and a removal.
            with suppress(OSError):
                (self.folder / folder).rmdir()
            return
        exists = self._files.get_file_info(self._path(folder)).type is fs.FileType.Directory
        if exists and not self._list(folder):
            self._files.delete_dir(self._path(folder))

    def remove_leftovers(self, folder: str) -> None:
        """Remove the temporary files that killed writers left in the folder."""
        if self.folder is not None:
            remove_leftovers(self.folder / folder)

    def remove_old(self, folder: str, suffix: str, *, age_s: float) -> None:
        """Remove files with that suffix that were written more than `age_s` seconds ago."""
        for info in self._list(folder):
            if (
                info.base_name.endswith(suffix)
                and info.mtime is not None
                and time.time() - info.mtime.timestamp() > age_s
            ):
                self.remove(f"{folder}/{info.base_name}")

    def _list(self, folder: str) -> list[fs.FileInfo]:
        try:
            found: list[fs.FileInfo] = self._files.get_file_info(
                fs.FileSelector(self._path(folder), allow_not_found=True)
            )
        except OSError as exc:
            raise CheckpointError(f"can't read {self.location}: {_reason(exc)}.") from exc
        return found

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}".rstrip("/")


def _local_folder(address: str) -> Path | None:
    if address.startswith("file://"):
        return Path(urlsplit(address).path)
    return None if _URI.match(address) else Path(address)


def _reason(exc: Exception) -> str:
    return getattr(exc, "strerror", None) or str(exc).partition("\n")[0]
