"""Runs the flow from the command line, with the configured Prefect server or a temporary one."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from configs.workspace import Workspace
from flows.errors import UsageError
from flows.runners import make_task_runner
from flows.server.api import require_answer
from flows.server.environment import (
    prefect_home,
    server_may_be_named,
    set_prefect_defaults,
)
from flows.server.temporary import TemporaryServer
from machine.disk import why_not_writable
from machine.processors import be_nice

if TYPE_CHECKING:
    from pathlib import Path

    from prefect.task_runners import TaskRunner

    from configs.settings import ClusterSettings, Settings
    from flows.report.model import IngestReport
    from flows.source.source import Source


def run_ingest(
    source: Source, settings: Settings, *, rebuild: bool, task_runner: TaskRunner[Any] | None = None
) -> IngestReport:
    """Run the flow `ingest` and return its report.

    If cluster.runner is "flow", `task_runner` embeds; any of Prefect's will do. Raises UsageError
    if it is missing, FlowError if no Prefect server is available.
    """
    _require_runner(settings.cluster, task_runner)
    be_nice(settings.flow.niceness)  # before anything is started
    set_prefect_defaults()
    # If Prefect is imported already, a caller may have chosen a server by its settings.
    workspace = source.workspace(Workspace(settings))
    kept = workspace.prefect_folder
    server = None if "prefect" in sys.modules or server_may_be_named() else _start_server(kept)
    # Imported late: Prefect takes a second, in which the server starts, and reads the environment.
    from prefect import tags  # noqa: PLC0415
    from prefect.context import refresh_global_settings_context  # noqa: PLC0415
    from prefect.settings import (  # noqa: PLC0415
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )

    if server is None and not PREFECT_API_URL.value():
        server = _start_server(kept)
        refresh_global_settings_context()  # Prefect's own threads know no other
    from flows.ingest import ingest  # noqa: PLC0415 - while the server starts
    from flows.report.publish import report_failure  # noqa: PLC0415

    with report_failure(settings.flow, workspace.collection, workspace.folder):
        _wait_for(server)
        # Nobody watches a temporary server for lost runs, and the end of its heartbeat takes a flow
        # up to a second.
        heartbeat = {} if server is None else {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
        url = {} if server is None else {PREFECT_API_URL: server.api_url}
        with temporary_settings({**url, **heartbeat}), tags("lsif-ingest", workspace.project):
            runner = task_runner or make_task_runner(settings.cluster, PREFECT_API_URL.value())
            run = ingest if runner is None else ingest.with_options(task_runner=runner)
            report: IngestReport = run(source, settings, rebuild=rebuild)
            return report


def _require_runner(cluster: ClusterSettings, task_runner: TaskRunner[Any] | None) -> None:
    if cluster.runner == "flow" and task_runner is None:
        raise UsageError(
            'cluster.runner "flow" is for Python: run_ingest(..., task_runner=...). '
            "Choose here, processes or dask."
        )


def _wait_for(server: TemporaryServer | None) -> None:
    """Return once the temporary server answers, or the configured one. Raises FlowError."""
    if server is None:
        require_answer()
    else:
        server.wait()


def _start_server(kept: Path) -> TemporaryServer:
    """Start a server for the life of this process; threads and workers of Prefect see it, too."""
    server = TemporaryServer(kept)
    os.environ["PREFECT_API_URL"] = server.api_url
    if why_not_writable(prefect_home()):
        os.environ.setdefault("PREFECT_PROFILES_PATH", str(prefect_home() / "profiles.toml"))
        os.environ["PREFECT_HOME"] = str(server.home)
    return server
