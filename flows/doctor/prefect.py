"""The doctor's checks of a Prefect server, asked by its REST API: importing Prefect takes a second, and it is not needed."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flows.doctor.finding import Finding, of_error
from flows.errors import FlowError
from flows.server.api import CLOUD, ask, configured
from machine.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

_TAG = "lsif-ingest"
"""What our deployments are tagged with."""
_NIGHTLY = "nightly-"


def check_server(client_version: str | None = None) -> Finding:
    """Return whether the Prefect server that is configured answers, and in a version that fits."""
    check, client = "prefect server", client_version or version("prefect")
    try:
        api = configured()
        if api is None:
            return Finding(
                check, "ok", "none (PREFECT_API_URL is not set): a temporary one for each run"
            )
        ask(api, "GET", "/health")
        server = (
            client
            if urlsplit(api.url).hostname == CLOUD
            else str(ask(api, "GET", "/admin/version"))
        )
    except FlowError as exc:
        return of_error(check, exc)
    words = f"Prefect {server} at {api.location}, this is {client}"
    if server.split(".")[0] != client.split(".")[0]:
        return Finding(
            check,
            "failed",
            words,
            f"python -m pip install 'prefect=={server}', or set up a server of {client}",
        )
    if server.split(".")[:2] != client.split(".")[:2]:
        return Finding(
            check, "warning", words, f"pip install 'prefect=={client}' where the server runs"
        )
    return Finding(check, "ok", words)


def check_deployments() -> Finding:
    """Return the deployments of lsif-ingest and whether workers are there for them."""
    check = "deployments"
    try:
        api = configured()
        if api is None:
            return Finding(check, "skipped", "no Prefect server")
        found = ask(api, "POST", "/deployments/filter", {"deployments": {"tags": {"all_": [_TAG]}}})
        pools = sorted({one["work_pool_name"] for one in found if one.get("work_pool_name")})
        workers = {
            pool: ask(api, "POST", f"/work_pools/{pool}/workers/filter", {}) for pool in pools
        }
        if not found:
            return Finding(check, "skipped", f"no deployment is tagged {_TAG}")
        return _judge(found, workers)
    except FlowError:  # the check of the server tells it
        return Finding(check, "skipped", "the Prefect server can't be asked")
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        return Finding(
            check,
            "warning",
            f"the server's answer is not understood: {type(exc).__name__}",
            "check its version",
        )


def _judge(
    deployments: list[dict[str, Any]], workers: Mapping[str, list[dict[str, Any]]]
) -> Finding:
    words, lonely = list[str](), list[str]()
    for one in deployments:
        pool, state = (
            one.get("work_pool_name"),
            "paused" if _is_paused(one) else str(one.get("status", "")).lower(),
        )
        words.append(
            f"{one['name']} {state} in {pool}" if pool else f"{one['name']} {state}, served"
        )
    paused = [
        one["name"] for one in deployments if one["name"].startswith(_NIGHTLY) and _is_paused(one)
    ]
    for pool, those in workers.items():
        online = [worker for worker in those if worker.get("status") == "ONLINE"]
        seen = max((str(worker.get("last_heartbeat_time") or "") for worker in those), default="")
        words.append(
            f"{pool}: {counted(len(online), 'worker')}{f', last heartbeat {_ago(seen)} ago' if seen else ''}"
        )
        lonely += [] if online else [pool]
    if lonely:
        return Finding(
            "deployments", "warning", "; ".join(words), f"prefect worker start --pool {lonely[0]}"
        )
    if paused:
        advice = f"no night runs {', '.join(paused)}: `lsif-ingest serve-flow` or `deploy` again, or resume it on the server's page"
        return Finding("deployments", "warning", "; ".join(words), advice)
    return Finding("deployments", "ok", "; ".join(words))


def _is_paused(deployment: dict[str, Any]) -> bool:
    """Return whether its schedule starts nothing: itself is paused, as it is once `lsif-ingest serve-flow` ended, or each schedule."""
    schedules = deployment.get("schedules") or []
    return bool(deployment.get("paused")) or bool(
        schedules and not any(one.get("active") for one in schedules)
    )


def _ago(moment: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    return f"{seconds:,.0f} s"
