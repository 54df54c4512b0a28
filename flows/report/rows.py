"""The rows of the page's tables: numbers and names, with the chart of each row. No markup.

Each chart is in the table of its numbers, so that nothing is said by a picture or a colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.report.charts import Piece, Rect, bar, columns
from flows.report.model import tokens_a_second

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from embedding.embed import EmbedReport
    from flows.report.model import IngestReport, Run
    from lsif.ledger import FolderLedger
    from storage.sync import Change

_OPEN = 20
"""A list of at most this many names is shown at once; a longer one is folded."""
CHANGES = {
    "added": ("s2", "not indexed before"),
    "changed": ("s1", "another text, documentation or signature"),
    "moved": ("s3", "the same text at other lines, or with other counts of references"),
    "deleted": ("s1", "gone"),
}
"""Colour and meaning of each change."""
ORIGINS = {"embedded": "s1", "from the checkpoint": "s2", "duplicates": "s3"}
"""Where vectors come from, with the colour of each."""

FILES = {
    "from the index": "s1",
    "from the source": "s2",
    "excluded": "s3",
    "unread": "s3",
    "not in the dump": "s3",
}
"""What becomes of Rust files, with the colour of each."""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One kind of change, with the structures that it concerns."""

    name: str
    meaning: str
    count: int
    names: list[str]
    """Of the first of them."""
    is_open: bool
    chart: list[Rect]


@dataclass(frozen=True, slots=True)
class CountRow:
    """How many structures have one value of a field."""

    name: str
    count: int
    share: float
    title: str
    chart: list[Rect]


@dataclass(frozen=True, slots=True)
class FolderRow:
    """What became of the Rust files of a folder at the top of the repository."""

    name: str
    counts: list[int]
    """Files, then a count for each of FILES."""
    share: str
    """Of files that are not excluded: those from the index; "" if all are excluded."""
    title: str
    chart: list[Rect]


@dataclass(frozen=True, slots=True)
class StageRow:
    """When a stage ran, in seconds after the run's start."""

    name: str
    began_s: float
    wall_s: float
    busy_s: float
    tasks: int
    title: str
    chart: list[Rect]


@dataclass(frozen=True, slots=True)
class VectorRow:
    """Where the vectors of one name come from."""

    name: str
    texts: int
    origins: list[int]
    """A count for each of ORIGINS."""
    share_spared: str
    """Of texts that were not embedded; "" if there are no texts."""
    cut_off: int
    rate: str
    title: str
    chart: list[Rect]


@dataclass(frozen=True, slots=True)
class Trend:
    """A number over the runs."""

    name: str
    latest: str
    title: str
    chart: list[Rect]


def differing(report: IngestReport) -> int:
    """Return how many structures differ from what was live; all, if nothing comparable was."""
    changes = report.upload.changes
    return sum(change.count for change in changes.values()) if changes else report.upload.points


def change_rows(changes: Mapping[str, Change]) -> list[ChangeRow]:
    """Return the changes in their order; a chart's whole is the largest of them."""
    most = max((change.count for change in changes.values()), default=0) or 1
    rows = list[ChangeRow]()
    for name, change in changes.items():
        style, meaning = CHANGES.get(name, ("s1", ""))
        piece = Piece(0, change.count / most, style, f"{change.count:,} {name}")
        rows.append(
            ChangeRow(
                name=name,
                meaning=meaning,
                count=change.count,
                names=change.names,
                is_open=change.count <= _OPEN,
                chart=bar([piece]),
            )
        )
    return rows


def count_rows(counts: Mapping[str, int]) -> list[CountRow]:
    """Return the counts, the largest first; names in parentheses, which group others, last."""
    total, most = sum(counts.values()) or 1, max(counts.values(), default=0) or 1
    rows = list[CountRow]()
    for name, count in sorted(
        counts.items(), key=lambda item: (item[0].startswith("("), -item[1], item[0])
    ):
        title = f"{name}: {count:,} of {total:,}"
        chart = bar([Piece(0, count / most, "s1", title)])
        rows.append(CountRow(name, count, count / total, title, chart))
    return rows


def folder_rows(folders: Mapping[str, FolderLedger]) -> list[FolderRow]:
    """Return the folders in their order; a chart's whole are the folder's files."""
    rows = list[FolderRow]()
    for name, folder in folders.items():
        known = [
            folder.files_from_index,
            folder.files_from_source,
            folder.files_excluded,
            folder.files_unread,
        ]
        counts = [*known, folder.files - sum(known)]
        total, begin, pieces = folder.files or 1, 0.0, list[Piece]()
        for (what, style), count in zip(FILES.items(), counts, strict=True):
            pieces.append(Piece(begin, count / total, style, f"{count:,} {what}"))
            begin += count / total
        wanted = folder.files - folder.files_excluded
        rows.append(
            FolderRow(
                name=name,
                counts=[folder.files, *counts],
                share=f"{folder.files_from_index / wanted:.0%}" if wanted else "",
                title=f"{name}: " + ", ".join(piece.title for piece in pieces),
                chart=bar(pieces),
            )
        )
    return rows


def time_axis_s(report: IngestReport) -> float:
    """Return the end of the stages' time axis, in seconds after the run's start."""
    ends = [stage.began_s + stage.wall_s for stage in report.stages]
    return max([report.seconds.get("total", 0.0), *ends]) or 1.0


def stage_rows(report: IngestReport) -> list[StageRow]:
    """Return the stages that had something to do."""
    end_s, rows = time_axis_s(report), list[StageRow]()
    for stage in report.stages:
        if not stage.tasks:
            continue
        title = (
            f"{stage.stage}: {duration(stage.wall_s)} from second {stage.began_s:.1f} on, "
            f"busy for {duration(stage.busy_s)}"
        )
        busy_s = min(stage.busy_s, stage.wall_s)  # it is summed over parallel tasks
        pieces = [
            Piece(stage.began_s / end_s, stage.wall_s / end_s, "s1", title, opacity=0.4),
            Piece(stage.began_s / end_s, busy_s / end_s, "s1", title),
        ]
        rows.append(
            StageRow(
                name=stage.stage,
                began_s=stage.began_s,
                wall_s=stage.wall_s,
                busy_s=stage.busy_s,
                tasks=stage.tasks,
                title=title,
                chart=bar(pieces),
            )
        )
    return rows


def vector_row(embedding: EmbedReport) -> VectorRow:
    """Return where the vectors of one name come from; the chart's whole are all texts."""
    counts = [embedding.embedded, embedding.from_checkpoint, embedding.duplicates]
    total, begin, pieces = embedding.texts or 1, 0.0, list[Piece]()
    for (name, style), count in zip(ORIGINS.items(), counts, strict=True):
        pieces.append(Piece(begin, count / total, style, f"{count:,} {name}"))
        begin += count / total
    spared = embedding.from_checkpoint + embedding.duplicates
    return VectorRow(
        name=embedding.vector,
        texts=embedding.texts,
        origins=counts,
        share_spared=f"{spared / total:.0%}" if embedding.texts else "",
        cut_off=embedding.cut_off,
        rate=tokens_a_second(embedding),
        title=f"{embedding.vector}: " + ", ".join(piece.title for piece in pieces),
        chart=bar(pieces),
    )


def trends(runs: Sequence[Run]) -> list[Trend]:
    """Return the numbers that are shown over the runs, oldest run first."""

    def trend(name: str, value_of: Callable[[IngestReport], float], form: str) -> Trend:
        values = [value_of(run.report) for run in runs]
        texts = [form.format(value) for value in values]
        titles = [
            f"{moment(run.report.started)}: {text}" for run, text in zip(runs, texts, strict=True)
        ]
        return Trend(
            name=name,
            latest=texts[-1],
            title=f"{name} over {len(runs)} runs: {texts[0]} in the first, {texts[-1]} in the last",
            chart=columns(list(zip(titles, values, strict=True))),
        )

    return [
        trend("structures", lambda report: report.parse.structures, "{:,.0f}"),
        trend("time", lambda report: report.seconds.get("total", 0.0), "{:,.1f} s"),
        trend("texts embedded", lambda report: report.embedded(), "{:,.0f}"),
    ]


def moment(started: str) -> str:
    """Return an ISO 8601 time as people read it.

    >>> moment("2026-11-25T03:15:00+00:00")
    '2026-11-25 03:15:00 UTC'
    """
    return started.replace("T", " ").replace("+00:00", " UTC") or "an unknown time"


def duration(seconds: float) -> str:
    """Return a time in words.

    >>> duration(3.21), duration(125), duration(7300)
    ('3.2 s', '2 min 5 s', '2 h 1 min')
    """
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
