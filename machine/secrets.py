"""The one redactor: takes secrets out of messages, by their value or their place in a URL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SHORTEST_SECRET = 4
"""Characters; a shorter one would blot out ordinary words, and hides nothing from anybody."""
_SECRETS = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_AUTH_STRING", "_CUSTOM_HEADERS")
"""Ends of the names of environment variables that hold a secret."""
_URLS = ("_URL", "_URI", "_PROXY", "_proxy")
"""Ends of the names of those that may hold one in a URL."""

_URL = re.compile(r"//\S*")
_USER = re.compile(r"//[^/]*@")
"""Up to the last @ before the path: tokens may contain one."""
_USER_WITH_SLASH = re.compile(r"\A//[^/:\[]*:(?!\d*(?:/|\Z))\S*@")
"""What follows the colon is no port: a password with a slash."""
_USER_WITH_MARK = re.compile(r"\A//[^/?#]*[?#][^/]*@\S*")
"""A user with a ? or #, where the host ends for git; how much of the rest is secret is unknown."""
_BEHIND = re.compile(r"[?#]\S*?(?=['\")\]]{0,2}[.,:;]{0,2}\Z)")
"""Query and fragment, without the punctuation that the text around puts after an address."""


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return the text with `***` in place of each secret."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


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
    long_enough = (secret for secret in found if len(secret) >= _SHORTEST_SECRET)
    return sorted(long_enough, key=len, reverse=True)


def without_credentials(text: str) -> str:
    """Return the text with users and secrets taken out of its URLs, including ? and # parts.

    >>> without_credentials("no route to 'https://me:sec@ret@example.org/a.git?token=secret/'")
    "no route to 'https://example.org/a.git'"
    """
    return _URL.sub(_bare, text)


def _bare(found: re.Match[str]) -> str:
    url = _USER_WITH_SLASH.sub("//", _USER.sub("//", _USER_WITH_MARK.sub("//", found[0])))
    return _BEHIND.sub("", url, count=1)


def _secrets_in_url(url: str) -> set[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return {url} if "@" in url else set()
    credentials, separator, _ = parts.netloc.rpartition("@")
    if not separator:  # a password with an unescaped / ? # ends up after the host
        credentials = url.partition("//")[2].rpartition("@")[0]
    user, _, password = credentials.partition(":")
    hidden = [password] if password else [user]
    return {credentials, *hidden, *map(unquote, hidden), parts.query} - {""}
