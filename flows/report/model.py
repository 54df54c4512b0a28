"""What a run did, as data and as text. The ledger: definitions = structures + skipped; structures = texts = points."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from configs.workspace import BLOCKS_VECTOR
from embedding.embed import EmbedReport  # noqa: TC001 - as the next
from flows.errors import LedgerError
from flows.words import counted
from lsif.dump.cache import DumpReport  # noqa: TC001 - as the next
from storage.upload import UploadReport  # noqa: TC001 - pydantic, which reads reports back, needs it

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHERS = "(others)"
"""No name that a crate may have."""
_ENOUGH_FOR_A_RATE = 32
"""Texts."""


@dataclass(frozen=True)
class ParseReport:
    """What became of the input of the parse stage, a dump or a structures.jsonl of other origin."""

    structures: int
    kinds: dict[str, int]
    skipped: dict[str, int]
    """Definitions (or lines) that are no structures, by reason."""
    definitions: int
    notes: list[str] = field(default_factory=list)
    """What the user should look at: bad lines, missing files, sources that changed."""
    seconds: float = 0.0
    blocks: int = 0
    crates: dict[str, int] = field(default_factory=dict)
    """Structures by crate, see `largest`; the crate is "" where it is not known."""


@dataclass(frozen=True)
class StageTime:
    """When a stage was at work. Stages overlap, so their walls add up to more than the run's."""

    stage: str
    began_s: float
    """Seconds after the run's begin."""
    wall_s: float
    """From its begin to its end."""
    busy_s: float
    """In which it worked and did not wait for another stage; of tasks side by side the sum."""
    tasks: int = 1


class LedgerRow(NamedTuple):
    """What became of what went into one step: came_in = went_on + the sum of left_out."""

    step: str
    came_in: int
    went_on: int
    left_out: dict[str, int]
    """By reason."""
    remark: str = ""


@dataclass(frozen=True)
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
    """Wall time by stage, in order; `total` holds what is between the stages too."""
    stages: list[StageTime] = field(default_factory=list)
    """The same with begin and busy time, in the order of their begins."""
    started: str = ""
    """When the run began; ISO 8601, UTC."""
    branch: str = ""
    """Of the project, as it was named; "" where none was."""
    run_id: str = ""
    """Prefect's flow run."""
    dump: DumpReport | None = None
    """None where the run made none: it began with a dump or a structures.jsonl."""

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)

    def check(self) -> None:
        """Raise LedgerError where something was lost between two stages."""
        structures = self.parse.structures
        if self.parse.definitions != structures + sum(self.parse.skipped.values()):
            raise LedgerError(
                f"{self.parse.definitions} definitions went in, {structures} structures and "
                f"{sum(self.parse.skipped.values())} skipped ones came out."
            )
        for embedding in self.embeddings:
            expected = self.parse.blocks if embedding.vector == BLOCKS_VECTOR else structures
            if (
                not embedding.texts
                == expected
                == embedding.embedded + embedding.from_checkpoint + embedding.duplicates
            ):
                raise LedgerError(
                    f"{expected} records went in, {embedding.texts} texts for vector {embedding.vector} came out."
                )
        refused_blocks = len(self.upload.refused) - self.upload.refused_structures
        for kind, records, points, refused in (
            ("structures", structures, self.upload.points, self.upload.refused_structures),
            ("blocks", self.parse.blocks, self.upload.blocks, refused_blocks),
        ):
            if records != points + refused:
                raise LedgerError(
                    f"{records} {kind} went in, {points} points and {refused} refused ones came out."
                )

    def ledger(self) -> list[LedgerRow]:
        """Return the way of the definitions, step by step."""
        upload, parse = self.upload, self.parse
        rows = [
            LedgerRow(
                "definitions → structures", parse.definitions, parse.structures, parse.skipped
            )
        ]
        rows += [
            LedgerRow(
                f"{'blocks' if one.vector == BLOCKS_VECTOR else 'structures'} → vectors {one.vector}",
                parse.blocks if one.vector == BLOCKS_VECTOR else parse.structures,
                one.texts,
                {},
                f"{one.embedded:,} embedded, {one.from_checkpoint:,} from the checkpoint, {one.duplicates:,} duplicates",
            )
            for one in self.embeddings
        ]
        refused = {
            "structures": upload.refused_structures,
            "blocks": len(upload.refused) - upload.refused_structures,
        }
        for kind, came_in, points in (
            ("structures", parse.structures, upload.points),
            ("blocks", parse.blocks, upload.blocks),
        ):
            rows.append(
                LedgerRow(
                    f"{kind} → points",
                    came_in,
                    points,
                    {"refused": refused[kind]} if refused[kind] else {},
                )
            )
        return rows

    def ended_s(self) -> float:
        """Return when the run ended, as Unix time; 0 where it is not known."""
        return (
            datetime.fromisoformat(self.started).timestamp() + self.seconds.get("total", 0.0)
            if self.started
            else 0.0
        )

    def embedded(self) -> int:
        """Return how many texts were embedded, for all vectors."""
        return sum(one.embedded for one in self.embeddings)

    def to_text(self, search_command: str) -> str:
        """Return the report for a terminal."""
        commit = (
            f" at {self.commit[:12]}{' with changes' if self.dirty else ''}" if self.commit else ""
        )
        rows: list[tuple[str, int | str, str]] = [
            *(
                []
                if self.dump is None
                else [("dump", f"{self.dump.megabytes:,.1f}", _dump_text(self.dump))]
            ),
            ("structures", self.parse.structures, _tally(self.parse.kinds)),
            ("skipped", sum(self.parse.skipped.values()), _tally(self.parse.skipped)),
            *(
                (f"{embedding.vector} texts", embedding.texts, _embedding_text(embedding))
                for embedding in self.embeddings
            ),
            ("points", self.upload.points + self.upload.blocks, _upload_text(self.upload)),
        ]
        if self.upload.refused:
            rows.append(
                (
                    "refused",
                    len(self.upload.refused),
                    "; ".join(map(_refusal_text, self.upload.refused[:3])),
                )
            )
        lines = [
            f"  {name:<12} {count if isinstance(count, str) else f'{count:,}':>8}  {text}"
            for name, count, text in rows
        ]
        left_out = {"total", *(one.stage for one in self.stages if not one.tasks)}
        stages = ", ".join(
            f"{stage} {seconds:.1f}"
            for stage, seconds in self.seconds.items()
            if stage not in left_out
        )
        lines.append(f"  {'seconds':<12} {self.seconds['total']:>8.1f}  {stages}; stages overlap")
        lines += [f"  {'note':<21}  {note}" for note in self.parse.notes]
        header = f"Indexed {self.project}{commit}; the records are in {self.structures_file}"
        return "\n".join([header, "", *lines, "", f"Search it:  {search_command}"])


class Run(NamedTuple):
    """A run of the history."""

    name: str
    """Of its files, without their ending: when it began, UTC, such as `20261125T031500Z`."""
    report: IngestReport


def largest(counts: Mapping[str, int], most: int = 50) -> dict[str, int]:
    """Return the largest counts, the largest first, and the sum of the rest as OTHERS.

    >>> largest({"a": 1, "b": 3, "c": 2}, most=1)
    {'b': 3, '(others)': 3}
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in ordered[most:])
    return {**dict(ordered[:most]), **({OTHERS: rest} if rest else {})}


def _dump_text(dump: DumpReport) -> str:
    if dump.reused:
        text = "MB, used again"
    else:
        kept = f"; not to be used again: {dump.not_kept}" if dump.not_kept else ""
        text = f"MB in {dump.seconds:.1f} s, highest memory {dump.peak_mb:,.0f} MB{kept}"
    return text + (
        "; Cargo can't resolve the dependencies: their types are unknown"
        if dump.dependencies == "unresolved"
        else ""
    )


def _upload_text(upload: UploadReport) -> str:
    points = f"{counted(upload.points, 'structure')}, {counted(upload.blocks, 'block')}"
    what = f"{points} in collection {upload.collection} at {upload.location}"
    if upload.way in ("built", "unchanged"):
        return f"{what}, {upload.way}"
    changes = ("added", "changed", "moved", "deleted")
    return f"{what}: {', '.join(f'{getattr(upload, name):,} {name}' for name in changes)}"


def _refusal_text(refused: dict[str, str]) -> str:
    return f"{refused['label']}: {refused['reason']}"


def _tally(counts: dict[str, int]) -> str:
    """Return the counts in words, largest first."""
    return ", ".join(
        f"{count:,} {name}"
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def _embedding_text(embedding: EmbedReport) -> str:
    nothing = (
        "nothing embedded again" if not embedding.embedded else f"{embedding.embedded:,} embedded"
    )
    text = f"{nothing}, {embedding.from_checkpoint:,} from the checkpoint, {embedding.duplicates:,} duplicates"
    if not embedding.embedded:
        return text
    rate = f"{told} tokens/s " if (told := tokens_a_second(embedding)) else ""
    return f"{text}; {embedding.cut_off:,} cut off; {rate}on {embedding.device} ({embedding.precision})"


def tokens_a_second(embedding: EmbedReport) -> str:
    """Return how fast texts were embedded; "" for a few, which take less time than the model's loading."""
    return (
        f"{embedding.tokens / max(embedding.seconds, 1e-3):,.0f}"
        if embedding.embedded >= _ENOUGH_FOR_A_RATE
        else ""
    )
