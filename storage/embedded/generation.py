"""One generation of the embedded index: a folder with a shard of structures and one of blocks."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from machine.files import atomic_writer
from machine.text import why_malformed
from storage.embedded.points import WAY_OUT
from storage.embedded.shards import create_shard, load_shard
from storage.errors import IndexDamaged, IndexMissing, StorageError
from storage.metadata import read_metadata
from storage.schema import BLOCKS, STRUCTURES

if TYPE_CHECKING:
    from pathlib import Path

    from lsif.blocks import Block
    from lsif.structure import Structure
    from storage.embedded.points import ShardPoints
    from storage.metadata import Metadata
    from storage.words import WordCounts

SHARDS = ("shard", "blocks")
"""The folders of structures and blocks."""
METADATA = "metadata.json"
WORDS = "words.json"
"""How many structures hold each word."""


class EmbeddedGeneration:
    """One folder with two shards."""

    def __init__(
        self,
        folder: Path,
        metadata: Metadata,
        structures: ShardPoints[Structure],
        blocks: ShardPoints[Block],
        words: bytes | None = None,
    ) -> None:
        self._folder = folder
        self._words = words
        """What WORDS holds, for searches that outlive the folder; None if there is none."""
        self.name = folder.name
        self.metadata = metadata
        self.structures, self.blocks = structures, blocks

    @classmethod
    def create(cls, folder: Path, metadata: Metadata) -> EmbeddedGeneration:
        """Make the folder and two empty shards in it."""
        dimensions = {name: info.dimension for name, info in metadata.vectors.items()}
        try:
            structures = create_shard(
                folder / SHARDS[0], dimensions, STRUCTURES, weighs_words=not metadata.word_counts
            )
            blocks = create_shard(folder / SHARDS[1], dimensions, BLOCKS)
            write_metadata(folder, metadata)
        except Exception as exc:  # the engine raises plain Exception
            shutil.rmtree(folder, ignore_errors=True)
            raise StorageError(f"can't make a collection in {folder}: {exc}") from exc
        return cls(folder, metadata, structures, blocks)

    @classmethod
    def open(cls, folder: Path) -> EmbeddedGeneration:
        """Open a generation that was built before. Raises IndexMissing if it can't be opened."""
        metadata = _metadata_in(folder)
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
        words = _read_if_any(folder / WORDS) if metadata.word_counts else None
        return cls(folder, metadata, structures, blocks, words)

    def describe(self, metadata: Metadata) -> None:
        """Replace its metadata; durable when this returns."""
        self._write(METADATA, metadata.to_dict())
        self.metadata = metadata

    def word_counts(self) -> WordCounts | None:
        """Return how many structures hold each word, None if the engine weighs words."""
        if not self.metadata.word_counts:
            return None
        from storage.words import read_word_counts  # noqa: PLC0415 - NumPy; most commands need none

        if self._words is None:
            raise IndexDamaged(f"{self._folder / WORDS} can't be read. {WAY_OUT}")
        try:
            fields = orjson.loads(self._words)
        except ValueError as exc:
            raise IndexDamaged(
                f"{self._folder / WORDS} can't be read: {why_malformed(exc)}. {WAY_OUT}"
            ) from exc
        return read_word_counts(fields)

    def keep_word_counts(self, counts: WordCounts) -> None:
        """Replace these counts; durable when this returns."""
        self._write(WORDS, counts.to_dict())
        self._words = _read_if_any(self._folder / WORDS)

    def finish(self) -> None:
        """Make what was written durable."""
        self.structures.flush()
        self.blocks.flush()

    def _write(self, name: str, fields: dict[str, Any]) -> None:
        try:
            write_fields(self._folder / name, fields)
        except OSError as exc:
            raise StorageError(
                f"can't write {self._folder}: {exc.strerror or exc}. Make room and run again."
            ) from exc

    def close(self) -> None:
        """Make everything durable and release the shards."""
        try:
            self.structures.close()
        finally:
            self.blocks.close()


def _metadata_in(folder: Path) -> Metadata:
    """Return a generation's metadata. Raises IndexMissing if it can't be read."""
    try:
        return read_metadata(orjson.loads((folder / METADATA).read_bytes()))
    except PermissionError as exc:
        raise StorageError(f"{folder} can't be opened: {exc.strerror}.") from exc
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IndexMissing(
            f"{folder} can't be opened: {METADATA}: {why_malformed(exc)}. {WAY_OUT}"
        ) from exc


def _read_if_any(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def write_metadata(folder: Path, metadata: Metadata) -> None:
    """Write a generation's metadata, atomically. Raises OSError."""
    write_fields(folder / METADATA, metadata.to_dict())


def write_fields(path: Path, fields: dict[str, Any]) -> None:
    """Write a file of plain data, atomically. Raises OSError."""
    with atomic_writer(path) as file:
        file.write(orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def remove_generation(folder: Path) -> None:
    """Remove a generation.

    Its metadata goes first: after a killed removal what is left must not count as complete.
    """
    with suppress(OSError):
        (folder / METADATA).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def found_metadata(folder: Path) -> Metadata | None:
    """Return a generation's metadata, None if they can't be read."""
    try:
        return read_metadata(orjson.loads((folder / METADATA).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def is_complete(folder: Path) -> bool:
    """Return whether the generation says that it was verified."""
    try:
        return bool(orjson.loads((folder / METADATA).read_bytes()).get("complete"))
    except (OSError, ValueError, AttributeError):
        return False
