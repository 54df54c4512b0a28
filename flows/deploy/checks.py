"""What `python -m flows.deploy.commands` looks at before it changes anything: each message is one line and says the next step."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flows.doctor.prefect import check_server
from flows.errors import FlowError, ServerUnreachable, UsageError
from flows.server.api import Api, ask, configured

_EXAMPLE = "export PREFECT_API_URL=http://127.0.0.1:4200/api"


def require_server() -> Api:
    """Return the Prefect server that is named. Raises UsageError where none is, FlowError where it is not to be used."""
    api = configured()
    if api is None:
        raise UsageError(
            "no Prefect server is named, and one that ends with this command would be of no use: start one by `make prefect` "
            f"(python -m flows.deploy.commands server), then `{_EXAMPLE}` here and for workers."
        )
    try:
        ask(api, "GET", "/health")
    except ServerUnreachable as exc:
        said = str(exc).partition("; ")[0].partition(". prefect ")[0]
        raise FlowError(
            f"{said}: start one by `make prefect`, or name one that runs (`{_EXAMPLE}`)."
        ) from None
    finding = check_server()
    if finding.status == "failed":
        raise FlowError(f"{finding.found}: {finding.advice}.")
    return api


def require_pool(api: Api, name: str, pool_type: str) -> None:
    """Raise UsageError where the work pool is not there, or of another type: a worker would make it, and wait for ever."""
    found: list[dict[str, Any]] = ask(
        api, "POST", "/work_pools/filter", {"work_pools": {"name": {"any_": [name]}}}
    )
    if not found:
        there = ", ".join(sorted(one["name"] for one in ask(api, "POST", "/work_pools/filter", {})))
        raise UsageError(
            f"no work pool {name!r} at {api.location}; there {f'are: {there}' if there else 'is none'}. "
            "`make deploy` makes it (POOL=, POOL_TYPE=), or name another by --pool (POOL=)."
        )
    if found[0]["type"] != pool_type:
        raise UsageError(
            f"work pool {name} is of type {found[0]['type']}, not {pool_type}: say --pool-type (POOL_TYPE=)."
        )


def check_schedule(cron: str, timezone: str) -> None:
    """Raise UsageError where Prefect would not take them."""
    from prefect.client.schemas.schedules import CronSchedule  # noqa: PLC0415 - takes time
    from pydantic import ValidationError  # noqa: PLC0415

    try:
        CronSchedule(cron=cron, timezone=timezone)
    except ValidationError as exc:
        if any("timezone" in error["loc"] for error in exc.errors()):
            raise UsageError(
                f"--timezone (TIMEZONE=) takes a name such as UTC or Europe/Berlin, found {timezone!r}."
            ) from None
        raise UsageError(
            f'--cron (CRON=) takes minute, hour, day, month and weekday, as in "0 3 * * *", found {cron!r}.'
        ) from None


def check_address(url: str) -> None:
    """Raise UsageError where the address of whoever is told is none. It is not quoted: it is a secret."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise UsageError("LSIF_NOTIFY_URL is no address such as https://hooks.example.org/...")
