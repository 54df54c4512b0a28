"""A run's report as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flows.report.coverage import analysis_text, files_text
from flows.report.model import tokens_a_second, used_text
from machine.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from embedding.embed import EmbedReport
    from flows.report.model import IngestReport
    from lsif.dump.cache import DumpReport
    from storage.upload import UploadReport

_REJECTED = 3
"""Rejected points that are shown."""
_MOST_USED = 5
"""Structures that are shown of the most used of what changed."""


class _Row(NamedTuple):
    name: str
    number: str
    text: str

    def __str__(self) -> str:
        return f"  {self.name:<12} {self.number:>8}  {self.text}"


def report_text(report: IngestReport, search_command: str) -> str:
    """Return the report for a terminal; it ends with the command that searches the index."""
    commit = ""
    if report.commit:
        commit = f" at {report.commit[:12]}{' with changes' if report.dirty else ''}"
    header = f"Indexed {report.project}{commit}; the records are in {report.structures_file}"
    lines = [*map(str, _rows(report)), *(f"  {'note':<21}  {note}" for note in report.parse.notes)]
    return "\n".join([header, "", *lines, "", f"Search it:  {search_command}"])


def _rows(report: IngestReport) -> Iterator[_Row]:
    parse, upload = report.parse, report.upload
    if report.dump is not None:
        yield _Row("dump", f"{report.dump.megabytes:,.1f}", _dump_text(report.dump))
        if parse.coverage is not None and parse.coverage.analysis is not None:
            yield _Row("", "", analysis_text(parse.coverage.analysis))
    if parse.coverage is not None:
        yield _Row("Rust files", f"{parse.coverage.files:,}", files_text(parse.coverage))
    yield _Row("structures", f"{parse.structures:,}", _tally(parse.kinds))
    yield _Row("skipped", f"{sum(parse.skipped.values()):,}", _tally(parse.skipped))
    for embedding in report.embeddings:
        yield _Row(f"{embedding.vector} texts", f"{embedding.texts:,}", _embedding_text(embedding))
    yield _Row("points", f"{upload.points + upload.blocks:,}", _upload_text(upload))
    for number, change in enumerate(upload.most_used[:_MOST_USED]):
        yield _Row("" if number else "most used", "", f"{change.name}: {used_text(change)}")
    if upload.refused:
        first = [f"{point['label']}: {point['reason']}" for point in upload.refused[:_REJECTED]]
        yield _Row("rejected", f"{len(upload.refused):,}", "; ".join(first))
    yield _Row("seconds", f"{report.seconds['total']:.1f}", _seconds_text(report))


def _dump_text(dump: DumpReport) -> str:
    if dump.reused:
        text = "MB, reused"
    else:
        text = f"MB in {dump.seconds:.1f} s, peak memory {dump.peak_mb:,.0f} MB"
        text += f"; not cached: {dump.not_kept}" if dump.not_kept else ""
    if dump.dependencies == "unresolved":
        text += "; Cargo can't resolve the dependencies: their types are unknown"
    return text


def _embedding_text(embedding: EmbedReport) -> str:
    sources = (
        f"{embedding.from_checkpoint:,} from the checkpoint, {embedding.duplicates:,} duplicates"
    )
    if not embedding.embedded:
        return f"nothing embedded again, {sources}"
    rate = tokens_a_second(embedding)
    device = f"{embedding.device} ({embedding.precision})"
    return (
        f"{embedding.embedded:,} embedded, {sources}; {embedding.cut_off:,} cut off; "
        f"{f'{rate} tokens/s ' if rate else ''}on {device}"
    )


def _upload_text(upload: UploadReport) -> str:
    points = f"{counted(upload.points, 'structure')}, {counted(upload.blocks, 'block')}"
    text = f"{points} in collection {upload.collection} at {upload.location}"
    if upload.way in ("built", "unchanged"):
        return f"{text}, {upload.way}"
    return (
        f"{text}: {upload.added:,} added, {upload.changed:,} changed, "
        f"{upload.moved:,} moved, {upload.deleted:,} deleted{_indexes_text(upload)}"
    )


def _indexes_text(upload: UploadReport) -> str:
    added = upload.added_indexes
    return f"; payload indexes added: {', '.join(added)}" if added else ""


def _seconds_text(report: IngestReport) -> str:
    idle = {stage.stage for stage in report.stages if not stage.tasks}
    stages = [
        f"{stage} {seconds:.1f}"
        for stage, seconds in report.seconds.items()
        if stage != "total" and stage not in idle
    ]
    return f"{', '.join(stages)}; stages overlap"


def _tally(counts: Mapping[str, int]) -> str:
    """Return the counts in words, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ordered)
