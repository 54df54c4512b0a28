"""Prefect's settings: those that this program sets, and whether others name a server.

Prefect itself is not imported: that takes a second.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from machine.proxies import ask_this_machine_directly, set_unusable_aside

PACKAGES = ("machine", "lsif", "embedding", "storage", "search", "flows")
"""Loggers whose records go to the Prefect server."""

_URL = "PREFECT_API_URL"
_DEFAULTS = {
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",  # flows.server.temporary starts ours
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(PACKAGES),
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}


def set_prefect_defaults() -> None:
    """Put our defaults into the environment, from where Prefect and its processes read them.

    Call it before Prefect is imported. What the environment sets already stays, except proxies that
    Prefect's client fails on, or would use for this machine.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    set_unusable_aside(os.environ)
    ask_this_machine_directly(os.environ)


def prefect_home() -> Path:
    """Return the user's folder of Prefect's profiles and of the database of a server that stays."""
    return Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()


def server_may_be_named() -> bool:
    """Return whether Prefect's settings may name a server. False is certain, true is not.

    The environment, a profile, or a file that Prefect reads in the working folder name it:
    https://docs.prefect.io/v3/concepts/settings-and-profiles
    """
    if any(name.upper() == _URL and value for name, value in os.environ.items()):
        return True
    profiles = Path(os.environ.get("PREFECT_PROFILES_PATH") or prefect_home() / "profiles.toml")
    return any(
        _names_a_server(file)
        for file in (profiles, Path(".env"), Path("prefect.toml"), Path("pyproject.toml"))
    )


def _names_a_server(file: Path) -> bool:
    try:
        text = file.read_text(encoding="utf-8", errors="replace").lower()
    except OSError:
        return False
    if file.suffix != ".toml":
        return _URL.lower() in text
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return True  # Prefect says what is wrong with it
    if file.name == "pyproject.toml":
        table = table.get("tool", {}).get("prefect", {})
    return _URL.lower() in str(table) or "url" in table.get("api", {})
