"""A Prefect server's REST API, without importing Prefect: that takes a second."""

from __future__ import annotations

import os
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from flows.errors import FlowError, ServerUnreachable
from flows.server.environment import server_may_be_named
from machine.proxies import client_options, why_out_of_reach

if TYPE_CHECKING:
    from collections.abc import Mapping

_ANSWER_S = 5.0
_REFUSED = (401, 403)
_MISSING = 404
CLOUD = "api.prefect.cloud"
"""Host of Prefect's own service, which has no page for its health or version."""


class Api(NamedTuple):
    """A Prefect server's API, and the headers of requests to it."""

    url: str
    headers: Mapping[str, str]

    @property
    def location(self) -> str:
        """The URL without user and password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def configured() -> Api | None:
    """Return the API that runs would use, None if they start a server. Raises FlowError."""
    values = _values()
    url = values.get("PREFECT_API_URL", "").rstrip("/")
    if not url:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:  # not quoted: it may contain a password
        raise FlowError(
            "PREFECT_API_URL is not a URL; export PREFECT_API_URL=http://127.0.0.1:4200/api"
        )
    headers = {}
    if key := values.get("PREFECT_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    elif password := values.get("PREFECT_API_AUTH_STRING"):
        headers["Authorization"] = f"Basic {b64encode(password.encode()).decode()}"
    return Api(url, headers)


def require_answer() -> None:
    """Raise FlowError, with what to do, if a server is configured and does not answer."""
    api = configured()
    if api is None:
        return
    if urlsplit(api.url).hostname == CLOUD:
        _require_reach(api)
    else:
        ask(api, "GET", "/health")


def _require_reach(api: Api) -> None:
    """Raise ServerUnreachable if the environment's proxy for the server can't be used."""
    if why := why_out_of_reach(api.url, os.environ):
        raise ServerUnreachable(f"Prefect at {api.location} can't be reached: {why}")


def _values() -> dict[str, str]:
    """Return Prefect's settings that matter here: the environment's, else those that it reads."""
    names = ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING")
    found = {name: os.environ[name] for name in names if os.environ.get(name)}
    if "PREFECT_API_URL" in found or not server_may_be_named():
        return found
    from prefect.settings import get_current_settings  # noqa: PLC0415 - takes a second, and few need it

    api = get_current_settings().api
    secrets = {"PREFECT_API_KEY": api.key, "PREFECT_API_AUTH_STRING": api.auth_string}
    kept = {
        name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None
    }
    return {"PREFECT_API_URL": api.url or "", **kept}


def ask(api: Api, method: str, path: str, body: object = None) -> Any:
    """Return the answer. Raises FlowError without credentials: no URL, no exception in it."""
    _require_reach(api)
    try:
        answer = httpx.request(
            method,
            api.url + path,
            json=body,
            headers=dict(api.headers),
            timeout=_ANSWER_S,
            **client_options(api.url, os.environ),
        )
    except httpx.TimeoutException:
        raise ServerUnreachable(
            f"Prefect at {api.location} did not answer within {_ANSWER_S:g} s; prefect server start"
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError) as exc:
        raise ServerUnreachable(
            f"no Prefect server answers at {api.location} ({type(exc).__name__}). "
            "prefect server start, or unset PREFECT_API_URL"
        ) from None
    if answer.status_code in _REFUSED:
        advice = "export PREFECT_API_KEY=KEY, or PREFECT_API_AUTH_STRING=USER:PASSWORD"
        raise FlowError(f"{api.location} denies access (HTTP {answer.status_code}). {advice}")
    if answer.status_code == _MISSING or "json" not in answer.headers.get("content-type", ""):
        parts = urlsplit(api.location)
        raise FlowError(
            f"what answers at {api.location} is not a Prefect API (HTTP {answer.status_code}). "
            f"export PREFECT_API_URL={parts.scheme}://{parts.netloc}/api"
        )
    if not answer.is_success:
        raise FlowError(
            f"{api.location} fails with HTTP {answer.status_code}. "
            "Look at the log of `prefect server start`"
        )
    return answer.json()
