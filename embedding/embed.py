"""Finds out which vectors the checkpoint lacks, record by record, and cuts those texts into work units; each text is embedded once.

`Embedding` is for records that come one after the other while others embed; `embed_structures` and `embed_blocks` do all of it for
one file and one named vector.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING

from embedding.checkpoint import Checkpoint
from embedding.text import RECIPES
from embedding.vectors import KEY, VectorTable, as_keys
from embedding.work_units import UnitReport, WorkUnit, embed_unit, remove_old_units, write_unit
from lsif.blocks import read_blocks
from lsif.structure import SequenceDigest, parse_structure, read_lines, read_structures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from embedding.encoder import Encoder, Fingerprint
    from lsif.record import Record

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EmbedReport:
    """What embedding one named vector took. texts = embedded + from_checkpoint + duplicates."""

    vector: str
    model: str
    dimension: int
    texts: int
    embedded: int
    from_checkpoint: int
    duplicates: int
    """Texts equal to one that this run embeds."""
    seconds: float
    """From the first work unit's begin to the last one's end."""
    cut_off: int = 0
    """Embedded texts of which the model saw only the beginning."""
    tokens: int = 0
    """Of the embedded texts, as far as the model saw them."""
    device: str = ""
    """What computed; empty where nothing was to do, as is `precision`."""
    precision: str = ""

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the report as plain data."""
        return asdict(self)


class Known:
    """The keys of one checkpoint: those that it holds, and those that this run embeds. Vectors of one fingerprint share it."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.present, self.planned = checkpoint.keys(), set[bytes]()
        remove_old_units(checkpoint)


class Embedding:
    """What one named vector lacks: texts go in one by one, work units of those that are to be embedded come out."""

    def __init__(
        self, vector: str, fingerprint: Fingerprint, known: Known, rows_per_file: int
    ) -> None:
        self.vector, self.fingerprint = vector, fingerprint
        self.planned = 0
        """Texts that went into work units, or will."""
        self.embedded = 0
        """Of those."""
        self._known, self._rows_per_file = known, rows_per_file
        self._keys, self._sequence = bytearray(), SequenceDigest()
        self._from_checkpoint = self._duplicates = self._units = 0
        self._waiting_keys: list[bytes] = []
        self._waiting_texts: list[str] = []
        self._reports: list[UnitReport] = []
        self._began = self._ended = 0.0

    @property
    def checkpoint(self) -> Checkpoint:
        """Where the vectors are kept."""
        return self._known.checkpoint

    def add(self, record: Record, text: str) -> WorkUnit | None:
        """Take a record into account, and the text that stands for it; return a work unit as soon as one is full."""
        key = self.fingerprint.key(text)
        self._sequence.add(record)
        self._keys += key
        if key in self._known.present:
            self._from_checkpoint += 1
        elif key in self._known.planned:
            self._duplicates += 1
        else:
            self._known.planned.add(key)
            self.planned += 1
            self._waiting_keys.append(key)
            self._waiting_texts.append(text)
            if len(self._waiting_keys) == self._rows_per_file:
                return self._cut()
        return None

    def finish(self) -> WorkUnit | None:
        """Return the last work unit, None where nothing is left."""
        return self._cut() if self._waiting_keys else None

    def begin(self) -> None:
        """Tell that the first work unit is about to be embedded."""
        if not self._began:
            self._began = time.perf_counter()
            logger.info("%s: embedding with %s", self.vector, self.fingerprint.describe())

    def done(self, unit: WorkUnit, report: UnitReport) -> None:
        """Take into account that a work unit is embedded."""
        self._reports.append(report)
        self.embedded += unit.texts
        self._ended = time.perf_counter()
        rate = sum(one.tokens for one in self._reports) / max(self._ended - self._began, 1e-3)
        logger.info(
            "%s: %d of %d texts, %.0f tokens/s", self.vector, self.embedded, self.planned, rate
        )

    def table(self, scratch: Path) -> VectorTable:
        """Return the vectors of all records, in their order."""
        return VectorTable(
            self.checkpoint, as_keys(self._keys), scratch, source=self._sequence.hexdigest()
        )

    @property
    def times(self) -> tuple[float, float, float, int]:
        """When the first work unit began and the last one ended, by time.perf_counter; the seconds of all; how many there were."""
        return (
            self._began,
            self._ended,
            sum(one.seconds for one in self._reports),
            len(self._reports),
        )

    def report(self) -> EmbedReport:
        """Return what was done."""
        computed = next((one for one in self._reports if one.device), None)
        return EmbedReport(
            self.vector,
            self.fingerprint.model,
            next((one.dimension for one in self._reports), self.checkpoint.dimension or 0),
            len(self._keys) // KEY.itemsize,
            self.embedded,
            self._from_checkpoint,
            self._duplicates,
            self._ended - self._began,
            sum(one.cut_off for one in self._reports),
            sum(one.tokens for one in self._reports),
            computed.device if computed else "",
            computed.precision if computed else "",
        )

    def _cut(self) -> WorkUnit:
        self._units += 1
        unit = write_unit(
            self.checkpoint,
            self._waiting_keys,
            self._waiting_texts,
            vector=self.vector,
            number=self._units,
        )
        self._waiting_keys, self._waiting_texts = [], []
        return unit


def embed_structures(
    structures: Path,
    checkpoint_root: Path | str,
    fingerprint: Fingerprint,
    load: Callable[[], Encoder],
    *,
    vector: str,
    rows_per_file: int,
    dtype: str = "float32",
) -> EmbedReport:
    """Make sure that the checkpoint holds a vector for each structure's text; return what that took.

    `fingerprint` says by which recipe a text is made. `load` is called only where something is missing. Each file of
    `rows_per_file` vectors is safe as soon as it is full; for `dtype` see Checkpoint.
    """
    recipe = RECIPES[fingerprint.recipe]
    structures_read = (parse_structure(line) for _, _, line in read_lines(structures))
    texts = ((structure, recipe(structure)) for structure in structures_read)
    return _embed(
        texts,
        Checkpoint(checkpoint_root, fingerprint, dtype),
        fingerprint,
        load,
        vector,
        rows_per_file,
    )


def embed_blocks(
    blocks: Path,
    checkpoint_root: Path | str,
    fingerprint: Fingerprint,
    load: Callable[[], Encoder],
    *,
    vector: str,
    rows_per_file: int,
    dtype: str = "float32",
) -> EmbedReport:
    """Do for the snippets of a blocks.jsonl what `embed_structures` does; `fingerprint` is of a recipe that takes snippets."""
    texts = ((block, block.snippet) for block in read_blocks(blocks))
    return _embed(
        texts,
        Checkpoint(checkpoint_root, fingerprint, dtype),
        fingerprint,
        load,
        vector,
        rows_per_file,
    )


def _embed(
    texts: Iterable[tuple[Record, str]],
    checkpoint: Checkpoint,
    fingerprint: Fingerprint,
    load: Callable[[], Encoder],
    vector: str,
    rows_per_file: int,
) -> EmbedReport:
    embedding, load = Embedding(vector, fingerprint, Known(checkpoint), rows_per_file), cache(load)

    def embed(unit: WorkUnit | None) -> None:
        if unit is not None:
            embedding.begin()
            embedding.done(unit, embed_unit(checkpoint, unit, load))

    for record, text in texts:
        embed(embedding.add(record, text))
    embed(embedding.finish())
    return embedding.report()


def gather_vectors(
    structures: Path, checkpoint_root: Path | str, fingerprint: Fingerprint, scratch: Path
) -> VectorTable:
    """Return the vectors of a structures.jsonl in the order of its lines. Raises CheckpointError where one is missing."""
    recipe = RECIPES[fingerprint.recipe]
    texts = ((structure, recipe(structure)) for structure in read_structures(structures))
    return _gather(texts, checkpoint_root, fingerprint, scratch)


def gather_block_vectors(
    blocks: Path, checkpoint_root: Path | str, fingerprint: Fingerprint, scratch: Path
) -> VectorTable:
    """Return the vectors of a blocks.jsonl in the order of its lines. Raises CheckpointError where one is missing."""
    texts = ((block, block.snippet) for block in read_blocks(blocks))
    return _gather(texts, checkpoint_root, fingerprint, scratch)


def _gather(
    texts: Iterable[tuple[Record, str]],
    checkpoint_root: Path | str,
    fingerprint: Fingerprint,
    scratch: Path,
) -> VectorTable:
    """Return the vectors of the records' texts, in their order."""
    sequence = SequenceDigest()

    def keys() -> Iterator[bytes]:
        for record, text in texts:
            sequence.add(record)
            yield fingerprint.key(text)

    table = Checkpoint(checkpoint_root, fingerprint).gather(keys(), scratch)
    table.source = sequence.hexdigest()
    return table
