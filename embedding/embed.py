"""Finds which vectors of one name the checkpoint lacks and cuts their texts into work units.

Texts come one by one while others are embedded. Each text is embedded once.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from embedding.checkpoint import KEY, as_keys
from embedding.vectors import VectorTable
from embedding.work_units import UnitReport, WorkUnit, remove_old_units, write_unit

if TYPE_CHECKING:
    from pathlib import Path

    from embedding.checkpoint import Checkpoint
    from embedding.encoder import Fingerprint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EmbedReport:
    """What embedding one named vector took; texts = embedded + from_checkpoint + duplicates."""

    vector: str
    model: str
    dimension: int
    texts: int
    embedded: int
    from_checkpoint: int
    duplicates: int
    """Texts equal to one that this run embeds."""
    seconds: float
    """From the beginning of the first work unit to the end of the last."""
    cut_off: int = 0
    """Embedded texts of which the model saw only the beginning."""
    tokens: int = 0
    """Of the embedded texts, as far as the model saw them."""
    device: str = ""
    """What computed the vectors; empty if nothing had to be embedded, as is `precision`."""
    precision: str = ""

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the report as plain data."""
        return asdict(self)


class Known:
    """The keys that one checkpoint holds and those that this run embeds.

    Vectors of one fingerprint share it.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.present, self.planned = checkpoint.keys(), set[bytes]()
        remove_old_units(checkpoint)


class Embedding:
    """Takes the texts of one named vector and cuts the missing ones into work units."""

    def __init__(
        self, vector: str, fingerprint: Fingerprint, known: Known, rows_per_file: int
    ) -> None:
        self.vector, self.fingerprint = vector, fingerprint
        self.planned = 0
        """Texts that the checkpoint lacked when they came."""
        self.embedded = 0
        """Planned texts that are embedded by now."""
        self._known, self._rows_per_file = known, rows_per_file
        self._key = fingerprint.hasher()
        self._keys = bytearray()
        self._from_checkpoint = self._duplicates = self._units = self._tokens = 0
        self._waiting_keys: list[bytes] = []
        self._waiting_texts: list[str] = []
        self._reports: list[UnitReport] = []
        self._began = self._ended = 0.0

    @property
    def checkpoint(self) -> Checkpoint:
        """Where the vectors are kept."""
        return self._known.checkpoint

    def add(self, text: str) -> WorkUnit | None:
        """Take the text of the next record; return a work unit if that made one full."""
        key = self._key(text)
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
        """Return the last work unit, or None if no text is left."""
        return self._cut() if self._waiting_keys else None

    def begin(self) -> None:
        """Note that a work unit is about to be embedded; the first one starts the clock."""
        if not self._began:
            self._began = time.perf_counter()
            logger.info("%s: embedding with %s", self.vector, self.fingerprint.describe())

    def done(self, unit: WorkUnit, report: UnitReport) -> None:
        """Note that a work unit is embedded."""
        self._reports.append(report)
        self.embedded += unit.texts
        self._ended = time.perf_counter()
        self._tokens += report.tokens
        rate = self._tokens / max(self._ended - self._began, 1e-3)
        logger.info(
            "%s: %d of %d texts, %.0f tokens/s", self.vector, self.embedded, self.planned, rate
        )

    def table(self, scratch: Path, source: str) -> VectorTable:
        """Return the vectors of all texts, in their order.

        `source` is the digest of the records that the texts came from.
        """
        return VectorTable(self.checkpoint, as_keys(self._keys), scratch, source=source)

    @property
    def times(self) -> tuple[float, float, float, int]:
        """When work began and ended (time.perf_counter), all units' seconds, and their number."""
        busy = sum(report.seconds for report in self._reports)
        return self._began, self._ended, busy, len(self._reports)

    def report(self) -> EmbedReport:
        """Return what was done."""
        reports = self._reports
        computed = next((report for report in reports if report.device), None)
        return EmbedReport(
            vector=self.vector,
            model=self.fingerprint.model,
            dimension=reports[0].dimension if reports else self.checkpoint.dimension or 0,
            texts=len(self._keys) // KEY.itemsize,
            embedded=self.embedded,
            from_checkpoint=self._from_checkpoint,
            duplicates=self._duplicates,
            seconds=self._ended - self._began,
            cut_off=sum(report.cut_off for report in reports),
            tokens=self._tokens,
            device=computed.device if computed else "",
            precision=computed.precision if computed else "",
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
