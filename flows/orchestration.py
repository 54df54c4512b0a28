"""How Prefect behaves in a run from the command line.

No report home; no traceback for a failure that its message explains; and where no server is configured (PREFECT_API_URL), a
temporary one that does only what one run needs. Its database is SQLite, where each more writer is one more to wait for:
https://github.com/PrefectHQ/prefect/issues/18934.
"""

from __future__ import annotations

import logging
import os

from configs.errors import LsifIngestError

_NOT_NEEDED_FOR_ONE_RUN = (
    "CANCELLATION_CLEANUP",
    "CLEANUP_RECONCILER",
    "EVENT_PERSISTER",
    "FOREMAN",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
    "REPOSSESSOR",
    "SCHEDULER",
    "TRIGGERS",
)
"""Services of the temporary server: https://docs.prefect.io/v3/api-ref/settings-ref#serverservicessettings"""


class _NoTraceback(logging.Filter):
    """Cuts the traceback from a record about one of this project's own failures; Prefect's server still gets it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        if record.exc_info and isinstance(record.exc_info, tuple) and isinstance(record.exc_info[1], LsifIngestError):
            record.exc_info, record.exc_text = None, None
        return True


def prepare_prefect(*, debug: bool) -> None:
    """Set what must be set before Prefect is imported, then quiet its console."""
    settings = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # a busy machine takes longer than the default of 20
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING" if debug else "CRITICAL",
        **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _NOT_NEEDED_FOR_ONE_RUN},
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    import prefect.logging.configuration  # noqa: PLC0415 - after the environment is set

    prefect.logging.configuration.setup_logging()
    if debug:
        return
    for name in ("prefect", "prefect.flow_runs", "prefect.task_runs"):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.addFilter(_NoTraceback())
