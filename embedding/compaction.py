"""What a checkpoint holds and what of it is still referred to; drops the rest.

A vector is live as long as some structures.jsonl makes its key. Compaction writes the live vectors of a folder anew, and removes
the old files only then: killed in between it leaves both, and a later one cleans up.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from embedding.checkpoint import FINGERPRINT, Checkpoint
from embedding.encoder import Fingerprint
from embedding.errors import CheckpointError
from embedding.text import RECIPES
from lsif.structure import read_structures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FolderStats:
    """What one fingerprint's folder holds."""

    folder: str
    model: str
    """As Fingerprint.describe says it; empty where no file of the folder can be read."""
    files: int
    vectors: int
    live: int
    """Vectors that some structures.jsonl refers to."""
    megabytes: float
    set_aside: int
    """Files that could not be read; compaction removes them."""

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the numbers as plain data."""
        return asdict(self)


def inspect(root: Path, structures: Iterable[Path]) -> Iterator[FolderStats]:
    """Yield what each folder under `root` holds, and how much of that the structures.jsonl refer to."""
    sources = list(structures)
    for folder in _folders(root):
        fingerprint = _fingerprint_of(folder)
        checkpoint = Checkpoint(root, fingerprint) if fingerprint is not None else None
        keys = checkpoint.keys() if checkpoint is not None else set()
        live = _live_keys(fingerprint, sources) & keys if fingerprint is not None else set()
        yield FolderStats(
            folder.name,
            fingerprint.describe() if fingerprint is not None else "",
            len(list(folder.glob("*.parquet"))),
            len(keys),
            len(live),
            round(sum(path.stat().st_size for path in folder.iterdir()) / 1e6, 3),
            len(list(folder.glob("*.aside"))),
        )


def compact(root: Path, structures: Iterable[Path], *, rows_per_file: int) -> int:
    """Drop the vectors under `root` that none of the structures.jsonl refers to; return how many those were.

    Nobody may embed meanwhile. A folder without a readable file is left alone.
    """
    sources, dropped = list(structures), 0
    for folder in _folders(root):
        fingerprint = _fingerprint_of(folder)
        if fingerprint is None:
            continue
        old = set(folder.glob("*.parquet"))  # before they are read: what another run writes meanwhile is not among them
        checkpoint = Checkpoint(root, fingerprint)
        keys, live = checkpoint.keys(), _live_keys(fingerprint, sources)
        unreadable = set(folder.glob("*.aside"))
        if keys - live or unreadable:
            _rewrite(folder, checkpoint, sorted(keys & live), old | unreadable, rows_per_file)
            dropped += len(keys - live)
    return dropped


def _rewrite(folder: Path, checkpoint: Checkpoint, keep: list[bytes], old: set[Path], rows_per_file: int) -> None:
    """Write the vectors that are kept, then remove the old files, which held them before."""
    try:
        if keep:
            table = checkpoint.gather(keep, folder / "compaction.scratch")
            try:
                for start in range(0, len(keep), rows_per_file):
                    rows = slice(start, start + rows_per_file)
                    old.discard(checkpoint.append(keep[rows], np.ascontiguousarray(table[rows])))
            finally:
                table.close()
        for path in old:
            path.unlink(missing_ok=True)  # what could not be read has another name by now
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as exc:
        raise CheckpointError(f"can't compact {folder}: {exc.strerror or exc}. Nothing that is referred to was lost.") from exc


def _live_keys(fingerprint: Fingerprint, structures: Iterable[Path]) -> set[bytes]:
    recipe = RECIPES[fingerprint.recipe]
    return {fingerprint.key(recipe(structure)) for path in structures for structure in read_structures(path)}


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _fingerprint_of(folder: Path) -> Fingerprint | None:
    """Return the fingerprint that the folder's files name, None where none can be read or another version made it."""
    for path in sorted(folder.glob("*.parquet")):
        try:
            fields = orjson.loads((pq.read_schema(path).metadata or {})[FINGERPRINT])
            fingerprint = Fingerprint(**fields)
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
            continue
        if fingerprint.digest == folder.name and fingerprint.recipe in RECIPES:
            return fingerprint
    return None
