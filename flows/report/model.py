"""The report of a run, as data. It is plain data when written, and its ledger must balance."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from configs.workspace import BLOCKS_VECTOR
from embedding.embed import EmbedReport  # noqa: TC001 - as the next
from flows.errors import LedgerError
from lsif.coverage import Coverage  # noqa: TC001 - as the next
from lsif.dump.cache import DumpReport  # noqa: TC001 - as the next
from machine.text import counted
from storage.upload import UploadReport  # noqa: TC001 - pydantic, which reads reports back, needs it

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage.sync import UsedChange

OTHERS = "(others)"
"""No crate can have this name."""
_ENOUGH_FOR_A_RATE = 32
"""Texts. Fewer take less time than loading the model."""


@dataclass(frozen=True, kw_only=True)
class ParseReport:
    """What became of the parse stage's input: a dump, or somebody else's structures.jsonl."""

    structures: int
    kinds: dict[str, int]
    """Structures by code_type."""
    skipped: dict[str, int]
    """Definitions (or lines) that are no structures, by reason."""
    definitions: int
    notes: list[str] = field(default_factory=list)
    """What needs attention: bad lines, missing files, sources that changed."""
    seconds: float = 0.0
    blocks: int = 0
    crates: dict[str, int] = field(default_factory=dict)
    """Structures by crate, see `largest`; the crate is "" if it is unknown."""
    from_source: int = 0
    """Structures that are not in the dump, but in the sources; impl blocks are among them."""
    coverage: Coverage | None = None
    """Of the repository's Rust files; None if it is not known: records that were
    imported, another language."""
    places: int = 0
    """Places that refer to a structure or to a symbol outside."""
    places_digest: str = ""
    """Of the file of places; empty if the index was made without references."""


@dataclass(frozen=True)
class StageTime:
    """When a stage ran. Stages overlap, so their walls add up to more than the run's."""

    stage: str
    began_s: float
    """Seconds after the run's start."""
    wall_s: float
    """From its start to its end."""
    busy_s: float
    """Time in which it worked and did not wait for another stage; summed over parallel tasks."""
    tasks: int = 1
    """0 if the stage had nothing to do."""


class LedgerRow(NamedTuple):
    """What became of a step's input: came_in = went_on + the sum of left_out."""

    step: str
    came_in: int
    went_on: int
    left_out: dict[str, int]
    """By reason."""
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """What a run did."""

    project: str
    commit: str | None
    dirty: bool
    structures_file: str
    parse: ParseReport
    embeddings: list[EmbedReport]
    upload: UploadReport
    seconds: dict[str, float]
    """Wall time by stage, in order; `total` includes the time between the stages."""
    stages: list[StageTime] = field(default_factory=list)
    """When each stage ran, in the order in which they began."""
    started: str = ""
    """When the run began; ISO 8601, UTC."""
    branch: str = ""
    """The project's branch as configured; "" if none was."""
    run_id: str = ""
    """Prefect's flow run."""
    dump: DumpReport | None = None
    """None if the run made no dump: it began with a dump or a structures.jsonl."""

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)

    def embedded(self) -> int:
        """Return how many texts were embedded, for all vectors."""
        return sum(embedding.embedded for embedding in self.embeddings)

    def ended_s(self) -> float:
        """Return when the run ended, as Unix time; 0 if it is not known."""
        if not self.started:
            return 0.0
        return datetime.fromisoformat(self.started).timestamp() + self.seconds.get("total", 0.0)

    def check(self) -> None:
        """Raise LedgerError if something was lost between two stages."""
        structures = self.parse.structures - self.parse.from_source
        skipped = sum(self.parse.skipped.values())
        if self.parse.definitions != structures + skipped:
            raise LedgerError(
                f"{self.parse.definitions} definitions went in, "
                f"{structures} structures and {skipped} skipped ones came out."
            )
        for embedding in self.embeddings:
            expected = self._records(embedding)
            sources = embedding.embedded + embedding.from_checkpoint + embedding.duplicates
            if not embedding.texts == expected == sources:
                raise LedgerError(
                    f"{expected} records went in, "
                    f"{embedding.texts} texts for vector {embedding.vector} came out."
                )
        for kind, records, points, rejected in self._uploaded():
            if records != points + rejected:
                raise LedgerError(
                    f"{records} {kind} went in, "
                    f"{points} points and {rejected} rejected ones came out."
                )

    def ledger(self) -> list[LedgerRow]:
        """Return what became of the definitions, step by step."""
        parse = self.parse
        files = [] if parse.coverage is None else [_files_row(parse.coverage)]
        parsed = LedgerRow(
            "definitions → structures",
            parse.definitions,
            parse.structures - parse.from_source,
            parse.skipped,
            f"and {parse.from_source:,} from the sources alone" if parse.from_source else "",
        )
        embedded = [
            LedgerRow(
                f"{_kind(embedding)} → vectors {embedding.vector}",
                self._records(embedding),
                embedding.texts,
                {},
                f"{embedding.embedded:,} embedded, {embedding.from_checkpoint:,} from the "
                f"checkpoint, {embedding.duplicates:,} duplicates",
            )
            for embedding in self.embeddings
        ]
        uploaded = [
            LedgerRow(
                f"{kind} → points", records, points, {"rejected": rejected} if rejected else {}
            )
            for kind, records, points, rejected in self._uploaded()
        ]
        return [*files, parsed, *embedded, *uploaded]

    def _records(self, embedding: EmbedReport) -> int:
        """Return how many records the vector is made of."""
        return self.parse.blocks if _kind(embedding) == "blocks" else self.parse.structures

    def _uploaded(self) -> list[tuple[str, int, int, int]]:
        """Return the kind, the records, the points and the rejected points of each collection."""
        upload, parse = self.upload, self.parse
        rejected_blocks = len(upload.refused) - upload.refused_structures
        return [
            ("structures", parse.structures, upload.points, upload.refused_structures),
            ("blocks", parse.blocks, upload.blocks, rejected_blocks),
        ]


def _files_row(coverage: Coverage) -> LedgerRow:
    left_out = {
        "excluded": coverage.files_excluded,
        **coverage.files_unread,
        "not_in_dump": coverage.files_absent,
    }
    return LedgerRow(
        "Rust files → read",
        coverage.files,
        coverage.files_from_index + coverage.files_from_source,
        {reason: count for reason, count in left_out.items() if count},
        f"{coverage.files_from_index:,} from the index, {coverage.files_from_source:,} from the "
        "source",
    )


class Run(NamedTuple):
    """A run of the history."""

    name: str
    """Its files' stem: when it began, UTC, such as `20261125T031500Z`."""
    report: IngestReport


def largest(counts: Mapping[str, int], most: int = 50) -> dict[str, int]:
    """Return the largest counts in falling order, then the sum of the rest as OTHERS.

    >>> largest({"a": 1, "b": 3, "c": 2}, most=1)
    {'b': 3, '(others)': 3}
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in ordered[most:])
    return {**dict(ordered[:most]), **({OTHERS: rest} if rest else {})}


def used_text(change: UsedChange) -> str:
    """Return how much a structure that changed is used."""
    places = counted(change.references, "place")
    if change.tests is None:
        return f"{change.change}, used in {places}"
    tests = counted(change.tests, "test") if change.tests else "no test"
    return f"{change.change}, used in {places}, reached by {tests}"


def tokens_a_second(embedding: EmbedReport) -> str:
    """Return how fast texts were embedded; "" if they were too few to say."""
    if embedding.embedded < _ENOUGH_FOR_A_RATE:
        return ""
    return f"{embedding.tokens / max(embedding.seconds, 1e-3):,.0f}"


def _kind(embedding: EmbedReport) -> str:
    return "blocks" if embedding.vector == BLOCKS_VECTOR else "structures"
