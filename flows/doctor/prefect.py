"""The doctor's checks of a Prefect server, by its REST API: importing Prefect takes a second."""

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
"""The tag of our deployments."""
_NIGHTLY = "nightly-"


def check_server(client_version: str | None = None) -> Finding:
    """Return whether the configured Prefect server answers, and its version fits."""
    check, client = "prefect server", client_version or version("prefect")
    try:
        api = configured()
        if api is None:
            none = "none (PREFECT_API_URL is not set): each run starts a temporary one"
            return Finding(check, "ok", none)
        ask(api, "GET", "/health")
        is_cloud = urlsplit(api.url).hostname == CLOUD
        server = client if is_cloud else str(ask(api, "GET", "/admin/version"))
    except FlowError as exc:
        return of_error(check, exc)
    found = f"Prefect {server} at {api.location}, {client} here"
    if server.split(".")[0] != client.split(".")[0]:
        advice = f"python -m pip install 'prefect=={server}', or use a server of version {client}"
        return Finding(check, "failed", found, advice)
    if server.split(".")[:2] != client.split(".")[:2]:
        advice = f"pip install 'prefect=={client}' where the server runs"
        return Finding(check, "warning", found, advice)
    return Finding(check, "ok", found)


def check_deployments() -> Finding:
    """Return the deployments of lsif-ingest, and whether they have workers."""
    check = "deployments"
    try:
        api = configured()
        if api is None:
            return Finding(check, "skipped", "no Prefect server")
        found = ask(api, "POST", "/deployments/filter", {"deployments": {"tags": {"all_": [_TAG]}}})
        names = {deployment.get("work_pool_name") for deployment in found}
        pools = sorted(name for name in names if name)
        workers = {
            pool: ask(api, "POST", f"/work_pools/{pool}/workers/filter", {}) for pool in pools
        }
        if not found:
            return Finding(check, "skipped", f"no deployment has the tag {_TAG}")
        return _judge(found, workers)
    except FlowError:  # the check of the server reports it
        return Finding(check, "skipped", "the Prefect server does not answer")
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        unexpected = f"unexpected answer from the server: {type(exc).__name__}"
        return Finding(check, "warning", unexpected, "check the server's version")


def _judge(
    deployments: list[dict[str, Any]], workers: Mapping[str, list[dict[str, Any]]]
) -> Finding:
    found, idle_pools, paused = list[str](), list[str](), list[str]()
    for deployment in deployments:
        name, pool = deployment["name"], deployment.get("work_pool_name")
        is_paused = _is_paused(deployment)
        state = "paused" if is_paused else str(deployment.get("status", "")).lower()
        found.append(f"{name} {state} in {pool}" if pool else f"{name} {state}, served")
        paused += [name] if is_paused and name.startswith(_NIGHTLY) else []
    for pool, members in workers.items():
        online = [worker for worker in members if worker.get("status") == "ONLINE"]
        seen = max((str(worker.get("last_heartbeat_time") or "") for worker in members), default="")
        heartbeat = f", last heartbeat {_ago(seen)} ago" if seen else ""
        found.append(f"{pool}: {counted(len(online), 'worker')}{heartbeat}")
        idle_pools += [] if online else [pool]
    if idle_pools:
        advice = f"prefect worker start --pool {idle_pools[0]}"
        return Finding("deployments", "warning", "; ".join(found), advice)
    if paused:
        advice = (
            f"{', '.join(paused)} won't start at night: run lsif-ingest serve-flow or "
            "lsif-ingest deploy again, or resume it in Prefect's UI"
        )
        return Finding("deployments", "warning", "; ".join(found), advice)
    return Finding("deployments", "ok", "; ".join(found))


def _is_paused(deployment: dict[str, Any]) -> bool:
    """Return whether its schedule starts nothing: the deployment is paused, or each schedule is.

    A served deployment is paused once `lsif-ingest serve-flow` ends.
    """
    schedules = deployment.get("schedules") or []
    has_active = any(schedule.get("active") for schedule in schedules)
    return bool(deployment.get("paused")) or (bool(schedules) and not has_active)


def _ago(moment: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    return f"{seconds:,.0f} s"
