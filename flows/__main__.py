"""`lsif-ingest` and `python -m flows`: the command line as a process."""

import gc
import os
import sys
from pathlib import Path

from flows.cli.main import main
from machine.collector import collect_rarely
from machine.processors import wait_without_spinning


def run() -> int:
    """Run the command line; return the exit code."""
    collect_rarely()
    wait_without_spinning(os.environ)  # before a library with threads is loaded
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by a daemon
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
            setattr(sys, name, nowhere)
    code = main()
    # At its end the interpreter looks for cycles in all objects: a second that frees nothing.
    gc.freeze()
    return code


if __name__ == "__main__":
    raise SystemExit(run())
