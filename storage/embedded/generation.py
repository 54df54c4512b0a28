"""One generation of the embedded index: a folder with a shard of structures and one of blocks."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson

from machine.files import atomic_writer
from machine.text import why_malformed
from storage.embedded.points import WAY_OUT, create_shard, load_shard
from storage.errors import IndexMissing, StorageError
from storage.metadata import read_metadata
from storage.schema import BLOCKS, STRUCTURES

if TYPE_CHECKING:
    from pathlib import Path

    from lsif.blocks import Block
    from lsif.structure import Structure
    from storage.embedded.points import ShardPoints
    from storage.metadata import Metadata

SHARDS = ("shard", "blocks")
"""The folders of structures and blocks."""
METADATA = "metadata.json"


class EmbeddedGeneration:
    """One folder with two shards."""

    def __init__(
        self,
        folder: Path,
        metadata: Metadata,
        structures: ShardPoints[Structure],
        blocks: ShardPoints[Block],
    ) -> None:
        self._folder = folder
        self.name = folder.name
        self.metadata = metadata
        self.structures, self.blocks = structures, blocks

    @classmethod
    def create(cls, folder: Path, metadata: Metadata) -> EmbeddedGeneration:
        """Make the folder and two empty shards in it."""
        dimensions = {name: info.dimension for name, info in metadata.vectors.items()}
        try:
            structures = create_shard(folder / SHARDS[0], dimensions, STRUCTURES)
            blocks = create_shard(folder / SHARDS[1], dimensions, BLOCKS)
            write_metadata(folder, metadata)
        except Exception as exc:  # the engine raises plain Exception
            shutil.rmtree(folder, ignore_errors=True)
            raise StorageError(f"can't make a collection in {folder}: {exc}") from exc
        return cls(folder, metadata, structures, blocks)

    @classmethod
    def open(cls, folder: Path) -> EmbeddedGeneration:
        """Open a generation that was built before. Raises IndexMissing if it can't be opened."""
        metadata = metadata_in(folder)
        try:
            structures = load_shard(folder / SHARDS[0], STRUCTURES)
            blocks = load_shard(folder / SHARDS[1], BLOCKS)
        except Exception as exc:  # the engine raises plain Exception
            if isinstance(exc, PermissionError) or any(
                text in str(exc).lower() for text in ("permission denied", "read-only file system")
            ):
                raise StorageError(
                    f"{folder} can't be opened: the engine needs permission to write there ({exc})."
                ) from exc
            raise IndexMissing(f"{folder} can't be opened: {exc}. {WAY_OUT}") from exc
        return cls(folder, metadata, structures, blocks)

    def describe(self, metadata: Metadata) -> None:
        """Replace its metadata; durable when this returns."""
        try:
            write_metadata(self._folder, metadata)
        except OSError as exc:
            raise StorageError(
                f"can't write {self._folder}: {exc.strerror or exc}. Make room and run again."
            ) from exc
        self.metadata = metadata

    def finish(self) -> None:
        """Make what was written durable."""
        self.structures.flush()
        self.blocks.flush()

    def close(self) -> None:
        """Make everything durable and release the shards."""
        try:
            self.structures.close()
        finally:
            self.blocks.close()


def metadata_in(folder: Path) -> Metadata:
    """Return a generation's metadata. Raises IndexMissing if it can't be read."""
    try:
        return read_metadata(orjson.loads((folder / METADATA).read_bytes()))
    except PermissionError as exc:
        raise StorageError(f"{folder} can't be opened: {exc.strerror}.") from exc
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IndexMissing(
            f"{folder} can't be opened: {METADATA}: {why_malformed(exc)}. {WAY_OUT}"
        ) from exc


def write_metadata(folder: Path, metadata: Metadata) -> None:
    """Write a generation's metadata, atomically. Raises OSError."""
    with atomic_writer(folder / METADATA) as file:
        file.write(
            orjson.dumps(metadata.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        )


def remove_generation(folder: Path) -> None:
    """Remove a generation.

    Its metadata goes first: after a killed removal what is left must not count as complete.
    """
    with suppress(OSError):
        (folder / METADATA).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def is_complete(folder: Path) -> bool:
    """Return whether the generation says that it was verified."""
    try:
        return bool(orjson.loads((folder / METADATA).read_bytes()).get("complete"))
    except (OSError, ValueError, AttributeError):
        return False
