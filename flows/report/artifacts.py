"""Shows a run in Prefect: its report as Markdown, its ledger as a table, its progress.

Artifacts hold names and counts, no source text. If one can't be written, that is logged; the run
goes on.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.context import FlowRunContext, TaskRunContext

from flows.report.coverage import analysis_text, definitions_text, files_text
from flows.report.model import used_text
from machine.text import clean, counted

if TYPE_CHECKING:
    from flows.report.model import IngestReport
    from lsif.coverage import Coverage

logger = logging.getLogger(__name__)

_NAMED = 20
"""Names of each part of the changes in the Markdown; report.json has more."""
_EVERY_S = 2.0


def artifact_key(project: str, what: str) -> str:
    """Return the key of a project's artifact; two projects never share one.

    Prefect takes lowercase letters, digits and dashes.

    >>> artifact_key("sample", "report"), artifact_key("Sample@dev", "report")
    ('lsif-ingest-sample-report', 'lsif-ingest-sample-dev-025040-report')
    """
    safe = re.sub(r"[^a-z0-9]+", "-", project.lower()).strip("-")
    digest = "" if safe == project else f"-{hashlib.sha256(project.encode()).hexdigest()[:6]}"
    return f"lsif-ingest-{safe}{digest}-{what}".replace("--", "-")


def create_artifacts(report: IngestReport) -> None:
    """Show the report and its ledger in Prefect, as artifacts of the current run."""
    if not _in_a_run():
        return
    try:
        create_markdown_artifact(
            report_markdown(report),
            key=artifact_key(report.project, "report"),
            description=f"What the run did to {report.project}",
        )
        create_table_artifact(
            ledger_table(report),
            key=artifact_key(report.project, "ledger"),
            description="What came in, went on and was left out",
        )
    except Exception as exc:  # noqa: BLE001 - whatever Prefect raises: the index is published
        logger.warning("the report can't be shown in Prefect: %s: %s", type(exc).__name__, exc)


class Progress:
    """The progress of a stage as an artifact of the current run; thread-safe.

    What takes less than two seconds makes no artifact. After that Prefect's API is called every two
    seconds, and once at the end.
    """

    def __init__(self, project: str, stage: str) -> None:
        self._key = artifact_key(project, re.sub(r"[^a-z0-9]+", "-", f"progress-{stage}".lower()))
        self._description = f"{stage}: percentage done"
        self._lock = threading.Lock()
        self._sent_s = time.monotonic()
        self._artifact: UUID | None = None
        self._off = not _in_a_run()

    def update(self, done: int, total: int) -> None:
        """Report how many of all are done."""
        with self._lock:
            now, ended = time.monotonic(), done >= total
            due = self._artifact is not None if ended else now - self._sent_s >= _EVERY_S
            if self._off or not due:
                return
            self._sent_s, self._off = now, ended
            self._send(100.0 if ended else 100.0 * done / total)

    def _send(self, percent: float) -> None:
        try:
            if self._artifact is None:
                made = create_progress_artifact(
                    percent, key=self._key, description=self._description
                )
                self._artifact = made if isinstance(made, UUID) else None
            else:
                update_progress_artifact(self._artifact, percent)
        except Exception as exc:  # noqa: BLE001 - whatever Prefect raises: the work goes on
            self._off = True
            logger.warning(
                "%s can no longer be shown in Prefect: %s: %s", self._key, type(exc).__name__, exc
            )


def ledger_table(report: IngestReport) -> list[dict[str, str | int]]:
    """Return the ledger as rows; the reasons for leaving something out follow their step."""
    rows: list[dict[str, str | int]] = []
    for row in report.ledger():
        left_out = sum(row.left_out.values())
        rows.append(
            {
                "step": row.step,
                "came in": row.came_in,
                "went on": row.went_on,
                "left out": left_out,
                "remark": row.remark,
            }
        )
        rows += [
            {"step": f"· {reason}", "came in": "", "went on": "", "left out": count, "remark": ""}
            for reason, count in row.left_out.items()
        ]
    return rows


def report_markdown(report: IngestReport) -> str:
    """Return the report as Markdown; names are code, whatever they contain."""
    lines = [f"# Index of {_code(report.project)}", "", _summary(report)]
    lines += ["", "## What changed", "", *_change_lines(report)]
    if report.parse.coverage is not None:
        lines += ["", "## Coverage", "", *_coverage_lines(report.parse.coverage)]
    lines += ["", "## Stages", ""]
    lines += _table(["stage", "began, s", "wall, s", "busy, s", "tasks"])
    lines += [
        f"| {stage.stage} | {stage.began_s:.1f} | {stage.wall_s:.1f} | {stage.busy_s:.1f} "
        f"| {stage.tasks} |"
        for stage in report.stages
        if stage.tasks
    ]
    lines += ["", "## Vectors", ""]
    lines += _table(["vector", "texts", "embedded", "from the checkpoint", "duplicates"])
    lines += [
        f"| {embedding.vector} | {embedding.texts:,} | {embedding.embedded:,} "
        f"| {embedding.from_checkpoint:,} | {embedding.duplicates:,} |"
        for embedding in report.embeddings
    ]
    if report.parse.notes:
        notes = [f"- {_code(note)}" for note in report.parse.notes]
        lines += ["", "## Needs attention", "", *notes]
    return "\n".join(lines) + "\n"


def _summary(report: IngestReport) -> str:
    parse, upload = report.parse, report.upload
    records = f"{counted(parse.structures, 'structure')} and {counted(parse.blocks, 'block')}"
    commit = "in no git repository"
    if report.commit:
        commit = f"at {_code(report.commit)}{' with changes' if report.dirty else ''}"
    way = f"{upload.way.replace('_', ' ')} in {report.seconds.get('total', 0.0):.1f} s"
    return f"{records} {commit}; {way} as {_code(upload.generation)}."


def _change_lines(report: IngestReport) -> list[str]:
    if not report.upload.changes:
        return ["There was no comparable live index before this run: everything is new."]
    lines = list[str]()
    for name, change in report.upload.changes.items():
        lines.append(f"- {change.count:,} {name}")
        lines += [f"  - {_code(changed)}" for changed in change.names[:_NAMED]]
        if change.count > _NAMED:
            lines.append(f"  - and {change.count - min(_NAMED, len(change.names)):,} more")
    if report.upload.most_used:
        lines.append("- the most used of what was added or changed")
    lines += [f"  - {_code(used.name)}: {used_text(used)}" for used in report.upload.most_used]
    return lines


def _coverage_lines(coverage: Coverage) -> list[str]:
    lines = [f"- {counted(coverage.files, 'Rust file')}: {files_text(coverage)}"]
    lines.append(f"- {definitions_text(coverage)}")
    if coverage.analysis is not None:
        lines.append(f"- {_code(analysis_text(coverage.analysis))}")
    lines += ["", *_table(["folder", "files", "from the index", "from the source", "excluded"])]
    return lines + [
        f"| {_code(name)} | {counts.files:,} | {counts.files_from_index:,} "
        f"| {counts.files_from_source:,} | {counts.files_excluded:,} |"
        for name, counts in coverage.folders.items()
    ]


def _table(columns: list[str]) -> list[str]:
    """Return the head of a table in Markdown; all columns but the first are numbers."""
    return [f"| {' | '.join(columns)} |", f"|---|{'--:|' * (len(columns) - 1)}"]


def _code(text: str) -> str:
    """Return the text as Markdown's code, on one line, in a fence longer than any in it.

    >>> _code("a `b`")
    '`` a `b` ``'
    """
    flat = " ".join(clean(text).split())
    longest = max(map(len, re.findall("`+", flat)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{flat}{space}{fence}"


def _in_a_run() -> bool:
    return FlowRunContext.get() is not None or TaskRunContext.get() is not None
