"""The doctor's checks of a Prefect server, asked by its REST API: importing Prefect takes a second, and it is not needed."""

from __future__ import annotations

import os
from base64 import b64encode
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from flows.errors import FlowError
from flows.finding import Finding, of_error
from flows.prefect_files import server_may_be_named
from flows.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

_ANSWER_S = 5.0
_TAG = "lsif-ingest"
"""What our deployments are tagged with."""
_REFUSED = (401, 403)
_MISSING = 404
_CLOUD = "api.prefect.cloud"


class Api(NamedTuple):
    """A Prefect server's API, and what it is asked with."""

    url: str
    headers: Mapping[str, str]

    @property
    def location(self) -> str:
        """The URL without user and password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def check_server(client_version: str | None = None) -> Finding:
    """Return whether the Prefect server that is configured answers, and in a version that fits."""
    check, client = "prefect server", client_version or version("prefect")
    try:
        api = _configured()
        if api is None:
            return Finding(check, "ok", "none (PREFECT_API_URL is not set): a temporary one for each run")
        _ask(api, "GET", "/health")
        server = client if urlsplit(api.url).hostname == _CLOUD else str(_ask(api, "GET", "/admin/version"))
    except FlowError as exc:
        return of_error(check, exc)
    words = f"Prefect {server} at {api.location}, this is {client}"
    if server.split(".")[0] != client.split(".")[0]:
        return Finding(check, "failed", words, f"python -m pip install 'prefect=={server}', or set up a server of {client}")
    if server.split(".")[:2] != client.split(".")[:2]:
        return Finding(check, "warning", words, f"pip install 'prefect=={client}' where the server runs")
    return Finding(check, "ok", words)


def require_server() -> None:
    """Raise FlowError, with what to do, where a Prefect server is configured and does not answer."""
    api = _configured()
    if api is not None and urlsplit(api.url).hostname != _CLOUD:
        _ask(api, "GET", "/health")


def check_deployments() -> Finding:
    """Return the deployments of lsif-ingest and whether workers are there for them."""
    check = "deployments"
    try:
        api = _configured()
        if api is None:
            return Finding(check, "skipped", "no Prefect server")
        found = _ask(api, "POST", "/deployments/filter", {"deployments": {"tags": {"all_": [_TAG]}}})
        pools = sorted({one["work_pool_name"] for one in found if one.get("work_pool_name")})
        workers = {pool: _ask(api, "POST", f"/work_pools/{pool}/workers/filter", {}) for pool in pools}
        if not found:
            return Finding(check, "skipped", f"no deployment is tagged {_TAG}")
        return _judge(found, workers)
    except FlowError:  # the check of the server tells it
        return Finding(check, "skipped", "the Prefect server can't be asked")
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        return Finding(check, "warning", f"the server's answer is not understood: {type(exc).__name__}", "check its version")


def _judge(deployments: list[dict[str, Any]], workers: Mapping[str, list[dict[str, Any]]]) -> Finding:
    words, lonely = list[str](), list[str]()
    for one in deployments:
        pool, state = one.get("work_pool_name"), "paused" if one.get("paused") else str(one.get("status", "")).lower()
        words.append(f"{one['name']} {state} in {pool}" if pool else f"{one['name']} {state}, served")
    for pool, those in workers.items():
        online = [worker for worker in those if worker.get("status") == "ONLINE"]
        seen = max((str(worker.get("last_heartbeat_time") or "") for worker in those), default="")
        words.append(f"{pool}: {counted(len(online), 'worker')}{f', last heartbeat {_ago(seen)} ago' if seen else ''}")
        lonely += [] if online else [pool]
    if lonely:
        return Finding("deployments", "warning", "; ".join(words), f"prefect worker start --pool {lonely[0]}")
    return Finding("deployments", "ok", "; ".join(words))


def _ago(moment: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    return f"{seconds:,.0f} s"


def _configured() -> Api | None:
    """Return the API that runs would use, None where they start a server of their own. Raises FlowError where it is no URL."""
    values = _values()
    url = values.get("PREFECT_API_URL", "").rstrip("/")
    if not url:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:  # not quoted: a password may stand in it
        raise FlowError("PREFECT_API_URL is no URL; export PREFECT_API_URL=http://127.0.0.1:4200/api")
    headers = {}
    if key := values.get("PREFECT_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    elif password := values.get("PREFECT_API_AUTH_STRING"):
        headers["Authorization"] = f"Basic {b64encode(password.encode()).decode()}"
    return Api(url, headers)


def _values() -> dict[str, str]:
    """Return Prefect's settings that matter here: the environment's, else those of files, which Prefect itself is asked about."""
    names = ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING")
    found = {name: os.environ[name] for name in names if os.environ.get(name)}
    if "PREFECT_API_URL" in found or not server_may_be_named():
        return found
    from prefect.settings import get_current_settings  # noqa: PLC0415 - takes a second, and few need it

    api = get_current_settings().api
    secrets = {"PREFECT_API_KEY": api.key, "PREFECT_API_AUTH_STRING": api.auth_string}
    kept = {name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None}
    return {"PREFECT_API_URL": api.url or "", **kept}


def _ask(api: Api, method: str, path: str, body: object = None) -> Any:
    """Return the answer. Raises FlowError, which quotes no credentials: neither URL nor exception of the client is shown."""
    try:
        answer = httpx.request(method, api.url + path, json=body, headers=dict(api.headers), timeout=_ANSWER_S)
    except httpx.TimeoutException:
        raise FlowError(f"Prefect at {api.location} did not answer within {_ANSWER_S:g} s; prefect server start") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError) as exc:
        raise FlowError(
            f"no Prefect answers at {api.location} ({type(exc).__name__}). prefect server start, or unset PREFECT_API_URL"
        ) from None
    if answer.status_code in _REFUSED:
        way_out = "export PREFECT_API_KEY=KEY, or PREFECT_API_AUTH_STRING=USER:PASSWORD"
        raise FlowError(f"{api.location} refuses (HTTP {answer.status_code}). {way_out}")
    if answer.status_code == _MISSING or "json" not in answer.headers.get("content-type", ""):
        parts = urlsplit(api.location)
        raise FlowError(
            f"what answers at {api.location} is no Prefect API (HTTP {answer.status_code}). "
            f"export PREFECT_API_URL={parts.scheme}://{parts.netloc}/api"
        )
    if not answer.is_success:
        raise FlowError(f"{api.location} fails with HTTP {answer.status_code}. Look at the log of `prefect server start`")
    return answer.json()
