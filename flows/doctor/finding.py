"""What one check of `lsif-ingest doctor` found, and what may not be said of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from configs.errors import LsifIngestError

Status: TypeAlias = Literal["ok", "warning", "failed", "skipped"]
"""`warning`: a run works, but not as well as it could; `skipped`: not set up, or nothing to look at."""

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
    """The command or setting that mends it; empty where nothing is to be mended."""
    seconds: float = 0.0
    """How long the check took."""

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return asdict(self)

    def without(self, secrets: Iterable[str]) -> Finding:
        """Return the finding with `***` in the place of each secret."""
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
    """Return the finding that an error of this project makes: its message ends with the way out, unless `advice` is a better one.

    >>> from configs.errors import ConfigError
    >>> of_error("index", ConfigError("no Qdrant answers (at all). Start it; or not."))
    Finding(check='index', status='failed', found='no Qdrant answers (at all)', advice='Start it; or not.', seconds=0.0)
    """
    message = " ".join(str(exc).split())
    if advice:
        return Finding(check, status, message, advice)
    for border in (". ", "; "):
        found, separator, way_out = message.rpartition(border)
        if separator:
            return Finding(check, status, found, way_out)
    return Finding(check, status, message)


def secrets_of(environment: Mapping[str, str]) -> list[str]:
    """Return the secrets that the environment holds, as they stand there and as they are meant, the longest first."""
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
