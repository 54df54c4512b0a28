"""What a checkpoint holds and what of it is still referred to; drops the rest.

A vector is live as long as some structures.jsonl makes its key. Compaction writes the live vectors of a folder anew, and removes
the old files only then: killed in between it leaves both, and a later one cleans up. Files of the last day are left alone: the run
that made them may still be at work, here or on another machine, and its structures.jsonl not be written yet.
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
from lsif.blocks import read_blocks
from lsif.structure import read_structures
from machine.files import temporary_beside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

_YOUNG_S = 24 * 3600
"""Age up to which a file may be that of a run at work."""


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
        """Return the counts as plain data."""
        return asdict(self)


def inspect(root: Path | str, structures: Iterable[Path]) -> Iterator[FolderStats]:
    """Yield what each folder under `root` holds, and how much of that the structures.jsonl refer to."""
    sources, store = list(structures), Store(root)
    for folder in store.folders():
        fingerprint = _fingerprint_of(store, folder)
        checkpoint = Checkpoint(root, fingerprint) if fingerprint is not None else None
        keys = checkpoint.keys() if checkpoint is not None else set()
        live = _live_keys(fingerprint, sources) & keys if fingerprint is not None else set()
        sizes = store.files(folder)
        yield FolderStats(
            folder,
            fingerprint.describe() if fingerprint is not None else "",
            len(_ending(sizes, SUFFIX)),
            len(keys),
            len(live),
            round(sum(sizes.values()) / 1e6, 3),
            len(_ending(sizes, ASIDE)),
        )


@dataclass(frozen=True)
class Compaction:
    """What became of the vectors that nothing refers to."""

    dropped: int
    too_young: int
    """Left in their files, which are of the last day."""

    def to_dict(self) -> dict[str, int]:
        """Return the counts as plain data."""
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
    """Drop the vectors under `root` that none of the structures.jsonl refers to, from files older than `age_s` seconds.

    `scratch` is a folder for a temporary file. A folder without a readable file is left alone. Raises CheckpointError; then nothing
    that is referred to is lost.
    """
    sources, store, dropped, too_young = list(structures), Store(root), 0, 0
    for folder in store.folders():
        fingerprint = _fingerprint_of(store, folder)
        if fingerprint is None:
            continue
        old = set(
            _ending(store.files(folder), SUFFIX)
        )  # before they are read: not among them is what another run writes meanwhile
        young = store.younger(folder, age_s)
        old -= young
        checkpoint = Checkpoint(root, fingerprint, dtype)
        keys, live = checkpoint.keys(old), _live_keys(fingerprint, sources)
        staying = checkpoint.keys(young)
        unreadable = set(_ending(store.files(folder), ASIDE)) - store.younger(folder, age_s)
        if keys - live or unreadable:
            _rewrite(
                checkpoint,
                sorted(keys & live),
                old,
                rows_per_file,
                temporary_beside(scratch / "compaction"),
            )
            # What could not be read has another name by now; what another run has made anew under an old name is young.
            for name in sorted((old | unreadable) - store.younger(folder, age_s)):
                store.remove(name)
            store.remove_folder(folder)
        dropped += len(keys - live - staying)
        too_young += len(staying - live)
    return Compaction(dropped, too_young)


def _rewrite(
    checkpoint: Checkpoint, keep: list[bytes], old: set[str], rows_per_file: int, scratch: Path
) -> None:
    """Write the vectors that are kept, and take the files that hold them now off the old ones."""
    if keep:
        table = gather(checkpoint, as_keys(keep), scratch)
        try:
            for start in range(0, len(keep), rows_per_file):
                rows = slice(start, start + rows_per_file)
                old.discard(checkpoint.append(keep[rows], np.ascontiguousarray(table[rows])))
        finally:
            table.close()


def _live_keys(fingerprint: Fingerprint, structures: Iterable[Path]) -> set[bytes]:
    """Return the keys that the structures make, and the blocks in the blocks.jsonl beside each file."""
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
    """Return the fingerprint that the folder's files name, None where none can be read or another version made it."""
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
