"""How Prefect behaves in a run from the command line.

No report home; and where no server is configured (PREFECT_API_URL), a temporary one that does only what one run needs. Its
database is SQLite, where each more writer is one more to wait for: https://github.com/PrefectHQ/prefect/issues/18934.
"""

from __future__ import annotations

import os

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

_OWN_LOGGERS = "lsif,embedding,storage,search,flows"


def prepare_prefect(*, debug: bool) -> None:
    """Set what must be set before Prefect is imported; what the environment says already stays."""
    settings = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # a busy machine takes longer than the default of 20
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING" if debug else "CRITICAL",
        "PREFECT_LOGGING_EXTRA_LOGGERS": _OWN_LOGGERS,
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _NOT_NEEDED_FOR_ONE_RUN},
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)
