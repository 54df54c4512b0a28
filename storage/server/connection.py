"""The connection to a Qdrant server: one client; requests are repeated, errors hold no secret."""

from __future__ import annotations

import logging
import os
import random
import time
import warnings
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

import httpx
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import (
    ApiException,
    ResponseHandlingException,
    UnexpectedResponse,
)

from machine.proxies import client_options, is_this_machine, why_out_of_reach
from machine.secrets import without_secrets
from storage.errors import IndexUnreachable, KeyRejected, RequestRejected, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from configs.settings import StorageSettings

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_REFUSED = (401, 403)
_BUSY = 429
_LATER = (408, _BUSY, 500, 502, 503, 504)
_BAD_REQUEST = (400, 413, 422)
_GRPC_REFUSED = ("UNAUTHENTICATED", "PERMISSION_DENIED")
_GRPC_BAD_REQUEST = ("INVALID_ARGUMENT", "OUT_OF_RANGE")
_GRPC_FINAL = ("NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "UNIMPLEMENTED")
"""The server answers: another try would fail likewise."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 10.0


def connect(url: str, api_key: str | None, settings: StorageSettings) -> QdrantClient:
    """Return a client of the server; nothing is sent yet.

    Raises StorageError if the URL is malformed, the key would travel unencrypted to another host,
    or the environment's proxy for it can't be used.
    """
    location = safe_location(url)
    if api_key is not None and not (
        api_key.isascii() and api_key.isprintable() and " " not in api_key
    ):
        raise StorageError(
            "QDRANT_API_KEY holds blanks or characters that no HTTP header may have; "
            "check it for a line end."
        )
    secret = api_key is not None or urlsplit(url).password
    if (
        secret
        and location.startswith("http://")
        and not is_this_machine(url)
        and not settings.allow_key_over_http
    ):
        raise StorageError(
            f"the API key or password would travel unencrypted to {location}; "
            "use https, or --set storage.allow_key_over_http=true"
        )
    if why := why_out_of_reach(url, os.environ):
        raise StorageError(f"{location} can't be reached: {why}")
    try:
        with warnings.catch_warnings():
            # A warning about a key over plain HTTP: decided above.
            warnings.simplefilter("ignore", UserWarning)
            return QdrantClient(
                url=url,
                api_key=api_key,
                timeout=settings.timeout_s,
                prefer_grpc=settings.prefer_grpc,
                grpc_options={"grpc.enable_http_proxy": 0} if is_this_machine(url) else None,
                check_compatibility=False,
                limits=httpx.Limits(
                    max_connections=None, max_keepalive_connections=settings.streams + 1
                ),
                **client_options(url, os.environ),
            )
    except Exception as exc:  # noqa: BLE001 - whatever the client says of a URL, it may quote the credentials in it
        raise StorageError(
            f"QDRANT_URL ({location}) can't be used: {type(exc).__name__}."
        ) from None


def safe_location(url: str) -> str:
    """Return the URL without user, password, path and query, which may hold a secret.

    Raises StorageError if it is malformed.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        # Not quoted: a password with an unescaped character looks like this.
        raise StorageError(
            "QDRANT_URL must be a URL such as http://localhost:6333; write characters like # ? / "
            "in a password as %23 %3F %2F."
        )
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"


def _seconds_until(date: str) -> float:
    """Return the seconds until an HTTP date; 0 if it is malformed or past."""
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except ValueError:
        return 0.0


class Connection:
    """A client and how its requests are made."""

    def __init__(
        self, client: QdrantClient, url: str, settings: StorageSettings, api_key: str | None = None
    ) -> None:
        self.client = client
        self.settings = settings
        self.location = safe_location(url)
        """The server's URL without credentials."""
        self._secrets = [secret for secret in (api_key, urlsplit(url).password) if secret]
        self._reached = False
        self._given_up = False
        """Whether a deadline passed without an answer since: cleaning up must not wait again."""

    def call(
        self, doing: str, operation: Callable[P, T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        """Return what the operation returns; repeat it until the deadline if it may succeed later.

        Raises the errors of storage.errors. The very first request is not repeated, so that a
        missing server is reported at once, unless the server answers that it is busy.
        """
        deadline, pause = time.monotonic() + self.settings.retry_s, _FIRST_PAUSE_S
        while True:
            try:
                with self._errors(doing):
                    result = operation(*arguments, **options)
            except IndexUnreachable as exc:
                wait = max(exc.retry_after_s, pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads clients, no secret
                if not self._reached or self._given_up or time.monotonic() + wait > deadline:
                    self._given_up = True
                    raise
                logger.warning("%s Trying again in %.1f s.", exc, wait)
                time.sleep(wait)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            else:
                self._reached, self._given_up = True, False
                return result

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Turn the client's errors into this package's.

        They are not chained: the answer of a server or proxy may hold the request's headers, and
        with them the key.
        """
        try:
            yield
        except UnexpectedResponse as exc:
            raise self._refusal(exc, doing) from None
        except ResourceExhaustedResponse as exc:
            raise self._busy(exc.retry_after_s) from None
        except (
            QdrantException
        ) as exc:  # the client can't read a Retry-After that is a date; it is after the colon
            raise self._busy(_seconds_until(str(exc).partition(": ")[2])) from None
        except (ResponseHandlingException, ApiException, ConnectionError, TimeoutError) as exc:
            raise IndexUnreachable(
                f"no Qdrant answers at {self.location} ({self._redact(str(exc))}); "
                "start it, or unset QDRANT_URL to use the embedded one."
            ) from None
        except Exception as exc:
            if type(exc).__module__.startswith("grpc"):
                raise self._grpc_refusal(exc, doing) from None
            raise

    def _refusal(self, exc: UnexpectedResponse, doing: str) -> StorageError:
        status = exc.status_code
        if status == _BUSY:
            self._reached = True
        if status in _REFUSED:
            return KeyRejected(
                f"{self.location} refuses to {doing} (HTTP {status}); "
                "set QDRANT_API_KEY to a key that allows it."
            )
        reason = self._redact(exc.content.decode("utf-8", "replace"))[:200]
        if not exc.content.lstrip().startswith(b"{"):
            reason = "with an answer that is not Qdrant's; is QDRANT_URL its address?"
        kind = (
            IndexUnreachable
            if status in _LATER
            else RequestRejected
            if status in _BAD_REQUEST
            else StorageError
        )
        return kind(f"{self.location} failed to {doing}: HTTP {status} {reason}")

    def _grpc_refusal(self, exc: Any, doing: str) -> StorageError:
        """Return the error of a call by gRPC, which says what is wrong by the name of a code."""
        code = exc.code().name if hasattr(exc, "code") else ""
        if code in _GRPC_REFUSED:
            return KeyRejected(
                f"{self.location} refuses to {doing} ({code}); "
                "set QDRANT_API_KEY to a key that allows it."
            )
        if code in (*_GRPC_BAD_REQUEST, *_GRPC_FINAL):
            kind = RequestRejected if code in _GRPC_BAD_REQUEST else StorageError
            reason = self._redact(str(exc.details()))[:200]
            return kind(f"{self.location} failed to {doing}: {code} {reason}")
        return IndexUnreachable(
            f"no Qdrant answers by gRPC at {self.location} (failed to {doing}); "
            "check port 6334, or --set storage.prefer_grpc=false"
        )

    def _busy(self, seconds: float) -> IndexUnreachable:
        self._reached = True
        return IndexUnreachable(f"{self.location} is busy (HTTP {_BUSY}).", retry_after_s=seconds)

    def _redact(self, text: str) -> str:
        return without_secrets(text, self._secrets)
