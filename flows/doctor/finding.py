"""What one check of `lsif-ingest doctor` found, without secrets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from configs.errors import LsifIngestError

Status: TypeAlias = Literal["ok", "warning", "failed", "skipped"]
"""`warning`: a run works, but less well than it could; `skipped`: there is nothing to check."""

_SHORTEST_SECRET = 4
"""Characters; a shorter one would blot out ordinary words, and hides nothing from anybody."""
_SECRETS = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_AUTH_STRING", "_CUSTOM_HEADERS")
"""Ends of the environment's names that hold a secret."""
_URLS = ("_URL", "_URI", "_PROXY", "_proxy")
"""Ends of those that may hold one in a URL."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome."""

    check: str
    status: Status
    found: str
    advice: str = ""
    """The command or setting that mends it; empty if nothing needs mending."""
    seconds: float = 0.0
    """How long the check took."""

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return asdict(self)

    def without(self, secrets: Iterable[str]) -> Finding:
        """Return the finding with `***` instead of each secret."""
        hidden = list(secrets)
        return replace(
            self,
            found=without_secrets(self.found, hidden),
            advice=without_secrets(self.advice, hidden),
        )


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return the text with `***` in the place of each secret."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def of_error(
    check: str, exc: LsifIngestError, advice: str = "", status: Status = "failed"
) -> Finding:
    """Return the finding of an error; its message ends with the advice, unless one is given.

    >>> from configs.errors import ConfigError
    >>> finding = of_error("index", ConfigError("no Qdrant answers (at all). Start it; or not."))
    >>> finding.found, finding.advice
    ('no Qdrant answers (at all)', 'Start it; or not.')
    """
    message = " ".join(str(exc).split())
    if advice:
        return Finding(check, status, message, advice)
    for border in (". ", "; "):
        found, separator, remedy = message.rpartition(border)
        if separator:
            return Finding(check, status, found, remedy)
    return Finding(check, status, message)


def secrets_of(environment: Mapping[str, str]) -> list[str]:
    """Return the secrets in the environment, the longest first.

    Each is there as it is written, and decoded if it is part of a URL.
    """
    found = set[str]()
    for name, value in environment.items():
        if name.endswith(_SECRETS):
            found |= {value, value.strip()}
        elif name.endswith(_URLS) or "CONNECTION" in name:
            found |= _secrets_in_url(value.strip())
    return sorted((one for one in found if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)


def _secrets_in_url(url: str) -> set[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return {url} if "@" in url else set()
    credentials, separator, _ = parts.netloc.rpartition("@")
    if not separator:  # a password with an unescaped / ? # ends up behind the host
        credentials = url.partition("//")[2].rpartition("@")[0]
    user, _, password = credentials.partition(":")
    hidden = [password] if password else [user]
    return {credentials, *hidden, *map(unquote, hidden), parts.query} - {""}
