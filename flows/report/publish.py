"""Publishes what a run did: files for people and programs, artifacts in Prefect, metrics."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flows.report.artifacts import create_artifacts
from flows.report.history import read_report, write_report
from flows.report.metrics import write_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from configs.settings import FlowSettings
    from configs.workspace import ProjectFolder
    from flows.report.model import IngestReport

logger = logging.getLogger(__name__)


def publish_report(report: IngestReport, folder: ProjectFolder, settings: FlowSettings) -> None:
    """Write the report into the project's folder, and show it wherever the settings say.

    Raises FlowError as write_report does; what else fails is logged.
    """
    write_report(folder, report, keep=settings.keep_reports)
    create_artifacts(report)
    _write_metrics(settings, report.project, report, success=True)


@contextmanager
def report_failure(settings: FlowSettings, project: str, folder: ProjectFolder) -> Iterator[None]:
    """Report in the metrics that the run inside fails; they still show the last successful run."""
    try:
        yield
    except BaseException:
        if settings.metrics_folder:
            _write_metrics(settings, project, _last_report(folder), success=False)
        raise


def _last_report(folder: ProjectFolder) -> IngestReport | None:
    try:
        return read_report(folder.report)
    except Exception as exc:  # noqa: BLE001 - must not hide why the run failed
        logger.warning("can't read the last run's report in %s: %s", folder.path, exc)
        return None


def _write_metrics(
    settings: FlowSettings, project: str, report: IngestReport | None, *, success: bool
) -> None:
    if not settings.metrics_folder:
        return
    folder = Path(settings.metrics_folder)
    try:
        write_metrics(folder, project, report, ended_s=time.time(), success=success)
    except Exception as exc:  # noqa: BLE001 - the index is published, or the run failed anyway
        logger.warning("can't write the metrics of %s to %s: %s", project, folder, exc)
