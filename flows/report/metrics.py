"""Metrics of a project's last run, in a file for node_exporter's textfile collector.

https://github.com/prometheus/node_exporter#textfile-collector: each file is replaced as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from flows.report.model import largest

if TYPE_CHECKING:
    from pathlib import Path

    from flows.report.model import IngestReport
    from lsif.coverage import Coverage


def metrics_file(folder: Path, project: str) -> Path:
    """Return the file of a project's (or a branch's) metrics; each project has its own."""
    return folder / f"lsif-ingest-{project}.prom"


def write_metrics(
    folder: Path, project: str, report: IngestReport | None, *, ended_s: float, success: bool
) -> None:
    """Write the metrics of a run that ended at `ended_s` (Unix time).

    `report` is that of the last successful run. Raises OSError if the folder can't be written.
    """
    registry = CollectorRegistry(auto_describe=False)
    _Gauges(registry, project).run(report, ended_s=ended_s, success=success)
    folder.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(metrics_file(folder, project)), registry)


class _Gauges:
    """Gauges of one project: the state after a run; nothing is counted up from run to run."""

    def __init__(self, registry: CollectorRegistry, project: str) -> None:
        self._registry, self._project = registry, project

    def run(self, report: IngestReport | None, *, ended_s: float, success: bool) -> None:
        """Set all of them."""
        self._set(
            "last_run_timestamp_seconds",
            "When the last run ended, failed or not (Unix time).",
            ended_s,
        )
        outcome = "Whether the last run succeeded (1) or failed (0)."
        self._set("last_run_success", outcome, float(success))
        if report is not None:
            self._times(report)
            self._counts(report)

    def _times(self, report: IngestReport) -> None:
        self._set(
            "last_success_timestamp_seconds",
            "When the last run that succeeded ended (Unix time).",
            report.ended_s(),
        )
        total = report.seconds.get("total", 0.0)
        self._set("duration_seconds", "Wall time of the last run that succeeded.", total)
        walls = {stage.stage: stage.wall_s for stage in report.stages}
        self._family(
            "stage_duration_seconds", "Wall time by stage; stages overlap.", "stage", walls
        )
        what = "Time in which a stage worked, summed over parallel tasks."
        busy = {stage.stage: stage.busy_s for stage in report.stages}
        self._family("stage_busy_seconds", what, "stage", busy)

    def _counts(self, report: IngestReport) -> None:
        parse, upload = report.parse, report.upload
        self._family("structures", "Structures by kind.", "kind", largest(parse.kinds))
        what = "Definitions that are no structures, by reason."
        self._family("skipped_definitions", what, "reason", parse.skipped)
        if parse.coverage is not None:
            self._coverage(parse.coverage)
        self._texts(report)
        points = {"structures": upload.points, "blocks": upload.blocks}
        self._family("points", "Points in the index.", "of", points)
        what = "Structures that differ from what was live before, by change."
        changes = {name: change.count for name, change in upload.changes.items()}
        self._family("changed_structures", what, "change", changes)
        self._set("refused_points", "Points that Qdrant rejected.", len(upload.refused))

    def _coverage(self, coverage: Coverage) -> None:
        files = {
            "index": coverage.files_from_index,
            "source": coverage.files_from_source,
            "excluded": coverage.files_excluded,
            "unread": sum(coverage.files_unread.values()),
            "not_in_dump": coverage.files_absent,
        }
        self._family("source_files", "Rust files by where their items come from.", "from", files)
        definitions = {
            "index": coverage.definitions_from_index,
            "source": coverage.definitions_from_source,
        }
        what = "Definitions in Rust files by where they come from, without impl blocks."
        self._family("definitions", what, "from", definitions)
        if coverage.files_index_share is not None:
            what = "Share of Rust files that are in the dump (0 to 1), of those not excluded."
            self._set("files_index_share", what, coverage.files_index_share)

    def _texts(self, report: IngestReport) -> None:
        gauge = self._gauge(
            "texts", "Texts by vector and where their vector comes from.", "vector", "origin"
        )
        for embedding in report.embeddings:
            origins = {
                "embedded": embedding.embedded,
                "checkpoint": embedding.from_checkpoint,
                "duplicate": embedding.duplicates,
            }
            for origin, count in origins.items():
                gauge.labels(self._project, embedding.vector, origin).set(count)

    def _family(
        self, name: str, what: str, label: str, values: dict[str, int] | dict[str, float]
    ) -> None:
        gauge = self._gauge(name, what, label)
        for key, value in values.items():
            gauge.labels(self._project, key).set(value)

    def _set(self, name: str, what: str, value: float) -> None:
        self._gauge(name, what).labels(self._project).set(value)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(f"lsif_ingest_{name}", what, ("project", *labels), registry=self._registry)
