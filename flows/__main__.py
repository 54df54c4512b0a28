"""`python -m flows` and `lsif-ingest`: the command line as a process of its own."""

import gc

from flows.cli import main

_YOUNG_OBJECTS = 50_000
"""Objects made before unused cycles are looked for, 700 by Python's default: Prefect and torch make a million that all stay."""


def run() -> int:
    """Run the command line; return the exit code."""
    gc.set_threshold(_YOUNG_OBJECTS)
    code = main()
    gc.freeze()  # the end of the interpreter would look through all objects for cycles, which takes a second and frees nothing
    return code


if __name__ == "__main__":
    raise SystemExit(run())
