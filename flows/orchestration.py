"""How a flow is run from the command line: with the configured Prefect server, or a temporary one; without a report home."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

from flows.prefect_files import server_may_be_named
from flows.temporary_server import TemporaryServer

if TYPE_CHECKING:
    from configs.settings import Settings
    from flows.report import IngestReport
    from flows.source import Source

_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "lsif,embedding,storage,search,flows",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}
"""Defaults for Prefect; what the environment says already stays."""


def run_ingest(source: Source, settings: Settings, *, rebuild: bool) -> IngestReport:
    """Run the flow `ingest` and return its report."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    server = None if server_may_be_named() else TemporaryServer()
    from prefect import tags  # noqa: PLC0415 - takes time, while the server starts, and reads the environment
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415

    if server is None and not PREFECT_API_URL.value():
        server = TemporaryServer()
    from flows.ingest import ingest  # noqa: PLC0415 - while the server starts

    if server is not None:
        server.wait()
    server_settings = nullcontext() if server is None else temporary_settings({PREFECT_API_URL: server.api_url})
    with server_settings, tags("lsif-ingest", source.project(settings.project.name)):
        report: IngestReport = ingest(source, settings, rebuild=rebuild)
        return report
