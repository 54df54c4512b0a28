"""Counts the vectors in a checkpoint that records still refer to, and drops the others.

A vector is live as long as some structures.jsonl makes its key. Compaction first writes the live
vectors of a folder into new files, then removes the old files; if it is killed in between, a later
one cleans up. Files of the last day stay as they are: the run that wrote them may be in progress,
here or on another machine, and may not have written its structures.jsonl yet.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from configs.settings import SNIPPET_RECIPE
from configs.workspace import blocks_beside
from embedding.checkpoint import ASIDE, FINGERPRINT, SUFFIX, Checkpoint, as_keys
from embedding.encoder import Fingerprint
from embedding.store import Store
from embedding.text import RECIPES
from embedding.vectors import gather
from lsif.jsonl import read_blocks, read_structures
from machine.files import temporary_beside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

_YOUNG_S = 24 * 3600
"""A younger file may belong to a run in progress."""


@dataclass(frozen=True)
class FolderStats:
    """The content of one fingerprint's folder."""

    folder: str
    model: str
    """See Fingerprint.describe; empty if no file of the folder can be read."""
    files: int
    vectors: int
    live: int
    """Vectors that some structures.jsonl refers to."""
    megabytes: float
    set_aside: int
    """Files that could not be read; compaction removes them."""

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the fields as plain data."""
        return asdict(self)


def inspect(root: Path | str, structures: Iterable[Path]) -> Iterator[FolderStats]:
    """Yield the content of each folder under `root`, and how much of it is live."""
    sources, store = list(structures), Store(root)
    for folder in store.folders():
        fingerprint = _fingerprint_of(store, folder)
        checkpoint = Checkpoint(root, fingerprint) if fingerprint is not None else None
        keys = checkpoint.keys() if checkpoint is not None else set()
        live = _live_keys(fingerprint, sources) & keys if fingerprint is not None else set()
        sizes = store.files(folder)
        yield FolderStats(
            folder=folder,
            model=fingerprint.describe() if fingerprint is not None else "",
            files=len(_ending(sizes, SUFFIX)),
            vectors=len(keys),
            live=len(live),
            megabytes=round(sum(sizes.values()) / 1e6, 3),
            set_aside=len(_ending(sizes, ASIDE)),
        )


@dataclass(frozen=True)
class Compaction:
    """What happened to the vectors that nothing refers to."""

    dropped: int
    too_young: int
    """Vectors that stay because their files are of the last day."""

    def to_dict(self) -> dict[str, int]:
        """Return the fields as plain data."""
        return asdict(self)


def compact(
    root: Path | str,
    structures: Iterable[Path],
    *,
    rows_per_file: int,
    scratch: Path,
    dtype: str = "float32",
    age_s: float = _YOUNG_S,
) -> Compaction:
    """Drop the vectors that no structures.jsonl refers to, from files older than `age_s` seconds.

    `scratch` is a folder for a temporary file. A folder without a readable file stays as it is.
    Raises CheckpointError; no live vector is lost then.
    """
    sources, store, done = list(structures), Store(root), Compaction(0, 0)
    for folder in store.folders():
        fingerprint = _fingerprint_of(store, folder)
        if fingerprint is None:
            continue
        checkpoint, live = Checkpoint(root, fingerprint, dtype), _live_keys(fingerprint, sources)
        dropped, too_young = _compact_folder(checkpoint, live, rows_per_file, scratch, age_s)
        done = Compaction(done.dropped + dropped, done.too_young + too_young)
    return done


def _compact_folder(
    checkpoint: Checkpoint, live: set[bytes], rows_per_file: int, scratch: Path, age_s: float
) -> tuple[int, int]:
    """Compact one folder; return how many vectors were dropped, and how many are too young."""
    store, folder = checkpoint.store, checkpoint.folder
    # Listed before they are read, so that files that another run writes meanwhile stay.
    old = set(_ending(store.files(folder), SUFFIX))
    young = store.younger(folder, age_s)
    old -= young
    keys, staying = checkpoint.keys(old), checkpoint.keys(young)
    unreadable = set(_ending(store.files(folder), ASIDE)) - store.younger(folder, age_s)
    if keys - live or unreadable:
        temporary = temporary_beside(scratch / "compaction")
        _rewrite(checkpoint, sorted(keys & live), old, rows_per_file, temporary)
        # Unreadable files have another name by now. A file that another run has written again
        # under an old name is young.
        for name in sorted((old | unreadable) - store.younger(folder, age_s)):
            store.remove(name)
        store.remove_folder(folder)
    return len(keys - live - staying), len(staying - live)


def _rewrite(
    checkpoint: Checkpoint, keep: list[bytes], old: set[str], rows_per_file: int, scratch: Path
) -> None:
    """Write the vectors of `keep` into files, and take those files out of `old`."""
    if keep:
        table = gather(checkpoint, as_keys(keep), scratch)
        try:
            for start in range(0, len(keep), rows_per_file):
                rows = slice(start, start + rows_per_file)
                old.discard(checkpoint.append(keep[rows], np.ascontiguousarray(table[rows])))
        finally:
            table.close()


def _live_keys(fingerprint: Fingerprint, structures: Iterable[Path]) -> set[bytes]:
    """Return the keys of the structures, and of the blocks in the blocks.jsonl beside each file."""
    recipe, key, live = RECIPES[fingerprint.recipe], fingerprint.hasher(), set[bytes]()
    for path in structures:
        live.update(key(recipe(structure)) for structure in read_structures(path))
        blocks = blocks_beside(path)
        if fingerprint.recipe == SNIPPET_RECIPE and blocks.is_file():
            live.update(key(block.snippet) for block in read_blocks(blocks))
    return live


def _ending(names: Iterable[str], suffix: str) -> list[str]:
    return [name for name in names if name.endswith(suffix)]


def _fingerprint_of(store: Store, folder: str) -> Fingerprint | None:
    """Return the fingerprint in the metadata of the folder's files.

    None if no file can be read, or if this version does not know the fingerprint.
    """
    for name in _ending(store.files(folder), SUFFIX):
        try:
            with store.open(name) as file:
                fields = orjson.loads((pq.read_schema(file).metadata or {})[FINGERPRINT])
            fingerprint = Fingerprint(**fields)
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
            continue
        if fingerprint.digest == folder and fingerprint.recipe in RECIPES:
            return fingerprint
    return None
