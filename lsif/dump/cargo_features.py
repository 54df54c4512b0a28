"""Has rust-analyzer ask Cargo for features: its `lsif` command has no option for them.

rust-analyzer starts the cargo in CARGO_HOME's folder `bin`, where there is one, else the one that
CARGO names. Both are a script that adds the arguments and starts the real one.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lsif.dump.cargo import feature_flags, find_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SCRIPT = """#!/bin/sh
{home}
case "$1:$(pwd -P)/" in
metadata:{repo}/* | check:{repo}/*) first=$1; shift; set -- "$first" {flags} "$@" ;;
esac
exec {cargo} "$@"
"""
"""The standard library is asked for, too; it keeps its features."""


@contextmanager
def with_features(
    environment: Mapping[str, str], repo: Path, features: str | list[str], target: Path
) -> Iterator[dict[str, str]]:
    """Yield the environment in which Cargo is asked for the features of the repository.

    The script is in the folder `target`, as what Cargo builds and runs: /tmp may forbid that.
    """
    flags, cargo = feature_flags(features), find_tool("cargo")
    if not flags or cargo is None:
        yield dict(environment)
        return
    given = environment.get("CARGO_HOME")
    home = Path(given) if given else Path.home() / ".cargo"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cargo-", dir=target.absolute()) as name:
        programs = Path(name) / "bin"
        programs.mkdir()
        if (home / "bin").is_dir():
            for path in (home / "bin").iterdir():
                if path.name != "cargo":
                    (programs / path.name).symlink_to(path.absolute())
        script = programs / "cargo"
        script.write_text(
            _SCRIPT.format(
                home=f"CARGO_HOME={shlex.quote(given)}; export CARGO_HOME"
                if given
                else "unset CARGO_HOME",
                repo=shlex.quote(str(repo.resolve())),
                flags=shlex.join(flags),
                cargo=shlex.quote(os.path.abspath(cargo)),  # noqa: PTH100 - not resolved: a proxy
            ),
            encoding="utf-8",
        )
        script.chmod(0o755)
        yield {**environment, "CARGO_HOME": name, "CARGO": str(script)}
