"""How a flow is run from the command line: with the configured Prefect server, or a temporary one; without a report home."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from configs.workspace import Workspace
from flows.errors import UsageError
from flows.runners import make_task_runner
from flows.server.api import require_answer
from flows.server.files import server_may_be_named
from flows.server.temporary import TemporaryServer

if TYPE_CHECKING:
    from prefect.task_runners import TaskRunner

    from configs.settings import Settings
    from flows.report.model import IngestReport
    from flows.source.source import Source

PACKAGES = ("machine", "lsif", "embedding", "storage", "search", "flows")
"""Loggers whose records go to the Prefect server."""

_SETTINGS = {
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",  # the only servers are ours: see flows.server.temporary
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(PACKAGES),
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}
"""Defaults for Prefect; what the environment says already stays."""


def set_prefect_defaults() -> None:
    """Put the defaults in the environment, where Prefect, not yet imported, and its processes read them."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)


def run_ingest(
    source: Source, settings: Settings, *, rebuild: bool, task_runner: TaskRunner[Any] | None = None
) -> IngestReport:
    """Run the flow `ingest` and return its report.

    `task_runner` embeds where cluster.runner is "flow"; any that Prefect knows. Raises UsageError where there is none, and
    FlowError where no Prefect server is to be had.
    """
    if settings.cluster.runner == "flow" and task_runner is None:
        raise UsageError(
            'cluster.runner "flow" is for Python: run_ingest(..., task_runner=...). Choose here, processes or dask.'
        )
    set_prefect_defaults()
    # Where Prefect is imported already, a caller may have chosen a server by its settings.
    server = None if "prefect" in sys.modules or server_may_be_named() else _start_server()
    from prefect import tags  # noqa: PLC0415 - takes time, while the server starts, and reads the environment
    from prefect.context import refresh_global_settings_context  # noqa: PLC0415
    from prefect.settings import (  # noqa: PLC0415
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )

    if server is None and not PREFECT_API_URL.value():
        server = _start_server()
        refresh_global_settings_context()  # Prefect's own threads know no other
    from flows.ingest import ingest  # noqa: PLC0415 - while the server starts
    from flows.report.publish import report_failure  # noqa: PLC0415

    workspace = source.workspace(Workspace(settings))
    with report_failure(settings.flow, workspace.collection, workspace.folder):
        if server is None:
            require_answer()
        else:
            server.wait()
        # Nobody watches a temporary server for runs that went away, and a flow waits up to a second for the end of its heartbeat.
        of_server = (
            {}
            if server is None
            else {PREFECT_API_URL: server.api_url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
        )
        with temporary_settings(of_server), tags("lsif-ingest", workspace.project):
            runner = task_runner or make_task_runner(settings.cluster, PREFECT_API_URL.value())
            run = ingest if runner is None else ingest.with_options(task_runner=runner)
            report: IngestReport = run(source, settings, rebuild=rebuild)
            return report


def _start_server() -> TemporaryServer:
    """Start a server that lives as long as this process, and name it to all of Prefect, threads and workers included."""
    server = TemporaryServer()
    os.environ["PREFECT_API_URL"] = server.api_url
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1")))
    return server
