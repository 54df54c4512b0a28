"""What is checked before anything changes on the server. Each message says the next step."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flows.doctor.prefect import check_server
from flows.errors import FlowError, ServerUnreachable, UsageError
from flows.server.api import Api, ask, configured

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXAMPLE = "export PREFECT_API_URL=http://127.0.0.1:4200/api"


def require_server() -> Api:
    """Return the Prefect server that PREFECT_API_URL names.

    Raises UsageError if none is named, FlowError if it can't be used.
    """
    api = configured()
    if api is None:
        raise UsageError(
            "PREFECT_API_URL names no Prefect server. Start one with "
            f"`lsif-ingest prefect-server`, then `{_EXAMPLE}` here and for workers."
        )
    try:
        ask(api, "GET", "/health")
    except ServerUnreachable as exc:
        what = str(exc).partition("; ")[0].partition(". prefect ")[0]
        raise FlowError(
            f"{what}: start one with `lsif-ingest prefect-server`, "
            f"or name one that runs (`{_EXAMPLE}`)."
        ) from None
    finding = check_server()
    if finding.status == "failed":
        raise FlowError(f"{finding.found}: {finding.advice}.")
    return api


def check_schedule(cron: str, timezone: str) -> None:
    """Raise UsageError if Prefect would reject the schedule."""
    from prefect.client.schemas.schedules import CronSchedule  # noqa: PLC0415 - takes a second
    from pydantic import ValidationError  # noqa: PLC0415 - with Prefect

    try:
        CronSchedule(cron=cron, timezone=timezone)
    except ValidationError as exc:
        if any("timezone" in error["loc"] for error in exc.errors()):
            raise UsageError(
                f"--timezone takes a name such as UTC or Europe/Berlin, found {timezone!r}."
            ) from None
        raise UsageError(
            f'--cron takes minute, hour, day, month and weekday, as in "0 3 * * *", found {cron!r}.'
        ) from None


def check_notify_url(url: str) -> None:
    """Raise UsageError if notifications can't be sent there. The URL is a secret: no quoting."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise UsageError("LSIF_NOTIFY_URL is not a URL such as https://hooks.example.org/...")


@contextmanager
def server_failures_explained() -> Iterator[None]:
    """Turn a failed request of Prefect's client into a FlowError of one line."""
    import httpx  # noqa: PLC0415 - not needed for `--help`

    try:
        yield
    except httpx.HTTPError as exc:  # not quoted: its text may be pages long
        raise FlowError(
            f"the Prefect server stopped answering or failed ({type(exc).__name__}): "
            "look at its log, then try again."
        ) from exc
