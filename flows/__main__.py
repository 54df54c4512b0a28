"""`python -m flows` and `lsif-ingest`: the command line as a process of its own."""

import gc
import os
import sys
from pathlib import Path

from flows.cli.main import main

_YOUNG_OBJECTS = 50_000
"""Objects made before unused cycles are looked for, 700 by Python's default: Prefect and torch make a million that all stay."""


def run() -> int:
    """Run the command line; return the exit code."""
    gc.set_threshold(_YOUNG_OBJECTS)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as daemons do
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - to the end
    code = main()
    gc.freeze()  # the end of the interpreter would look through all objects for cycles, which takes a second and frees nothing
    return code


if __name__ == "__main__":
    raise SystemExit(run())
