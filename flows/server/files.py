"""Where Prefect's settings stand, looked at without importing it: that takes a second."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

_URL = "PREFECT_API_URL"


def prefect_home() -> Path:
    """Return the folder of Prefect's database and profiles."""
    return Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()


def server_may_be_named() -> bool:
    """Return whether a server may be set up: false is sure, where true Prefect itself has to be asked.

    It is named by the environment, a profile, or a file that Prefect reads in the working folder:
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
