"""TOML tables: read from a file, merged, changed by `section.key=value`. Knows no setting."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from configs.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_TOO_MUCH = "it has a number of thousands of digits, or hundreds of brackets inside each other"


def read_toml(path: Path) -> dict[str, Any]:
    """Return the file as a table. Raises ConfigError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise ConfigError(f"there is no configuration file {path}.") from exc
    except OSError as exc:
        raise ConfigError(f"{path} can't be read: {exc.strerror or exc}") from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"{path} can't be read as TOML: {exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{path} can't be read as TOML: {_TOO_MUCH}.") from exc


def read_value(text: str) -> object:
    """Return the text as a TOML value, or as it is if it is none."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"a value of --set can't be read: {_TOO_MUCH}.") from exc


def merge(table: dict[str, Any], changes: dict[str, Any]) -> None:
    """Put the changes into the table, key by key; tables in it are merged, not replaced."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(table.get(key), dict):
            merge(table[key], value)
        else:
            table[key] = value


def parse_override(override: str, table: dict[str, Any]) -> dict[str, Any]:
    """Return `a.b=c` as a nested table; the value is TOML if it parses, else a bare string.

    If `table` has a string there, 2048 and true are strings, too.
    """
    path, separator, value = override.partition("=")
    if not separator or not path.strip():
        raise ConfigError(f"--set takes section.key=value, found {override!r}.")
    keys = path.strip().split(".")
    former: Any = table
    for key in keys:
        former = former.get(key) if isinstance(former, dict) else None
    parsed: Any = read_value(value)
    if isinstance(former, str) and not isinstance(parsed, str):
        parsed = value.strip()
    for key in reversed(keys):
        parsed = {key: parsed}
    return dict(parsed)
