"""Prefect's own programs: its command line, its server, its worker."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

from flows.errors import FlowError
from machine.programs import run_program

# -P: the working folder may hold packages with names of ours, such as `search`.
_PREFECT = (sys.executable, "-P", "-m", "prefect")
RUNS_AT_ONCE = {"process": 1, "docker": 1, "kubernetes": 0}
"""Runs that a worker runs at the same time, 0 = any number, by the type of its work pool.

Runs in a process or Docker pool share the worker's machine.
"""
_LATE_S = 900
"""Seconds after which a run that did not begin is late.

With Prefect's 15 s every run that waits for another run of the worker would be late.
"""


def how_to_call(program: str) -> str:
    """Return the shell word that starts a program of this environment: its name or its path."""
    path = Path(sys.executable).with_name(program)
    found = shutil.which(program)
    if found is not None and Path(found).absolute() == path.absolute():
        return program
    inside = path.is_relative_to(Path.cwd())
    return shlex.quote(str(path.relative_to(Path.cwd()) if inside else path))


def run_prefect(*arguments: str, unless: str = "") -> None:
    """Run Prefect's command line.

    Raises FlowError with its output if it fails and the output does not contain `unless`.
    """
    found = run_program([*_PREFECT, "--no-prompt", *arguments])
    printed = (found.out + b" " + found.error).decode("utf-8", "replace")
    output = " ".join(printed.split())
    if found.status and not (unless and unless in output):
        raise FlowError(f"`prefect {' '.join(arguments[:2])}` failed: {output[-1000:]}")


def become_server() -> NoReturn:
    """Replace this process by a Prefect server."""
    # Kept in memory, Prefect's default, a lease on a concurrency limit is lost with the server:
    # what a run held would stay taken if the run dies, too.
    os.environ.setdefault(
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE",
        "prefect.server.concurrency.lease_storage.filesystem",
    )
    os.environ.setdefault("PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS", str(_LATE_S))
    if not os.environ.get("PREFECT_API_URL"):  # Prefect derives the page's address from that
        host = os.environ.get("PREFECT_SERVER_API_HOST", "127.0.0.1")
        port = os.environ.get("PREFECT_SERVER_API_PORT", "4200")
        everywhere = host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
        name = socket.gethostname() if everywhere else host
        # Notifications of failed runs link to it.
        os.environ.setdefault(
            "PREFECT_UI_URL", f"http://{f'[{name}]' if ':' in name else name}:{port}"
        )
    os.execv(sys.executable, [*_PREFECT, "server", "start"])  # noqa: S606 - takes the signals, too


def become_worker(pool: str, pool_type: str, limit: int) -> NoReturn:
    """Replace this process by a worker of the pool with at most `limit` runs, 0 = any number."""
    arguments = ["worker", "start", "--pool", pool, "--type", pool_type]
    arguments += ["--limit", str(limit)] if limit else []
    # A script's `&` makes its background jobs ignore SIGINT. Prefect's worker sends that to itself
    # on SIGTERM, and would never end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.executable, [*_PREFECT, *arguments])  # noqa: S606 - takes the signals, too
