"""`lsif-ingest doctor`: looks at all that a run needs, and says what to do about what is missing.

The checks run side by side, each in a thread of its own: one that fails, or hangs, keeps no other from its answer. No check imports
a model library, and none writes anything that stays.
"""

from __future__ import annotations

import atexit
import os
import queue
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from flows.doctor.finding import Finding, secrets_of
from machine.text import clean
from storage.schema import VECTORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from configs.workspace import Workspace

_DEADLINE_S = 20.0
"""Seconds after which a check that has not answered is taken for failed."""
_STYLES: dict[str, str] = {
    "ok": "green",
    "warning": "yellow",
    "failed": "bold red",
    "skipped": "dim",
}


def checks_of(workspace: Workspace, repo: Path | None) -> dict[str, Callable[[], Finding]]:
    """Return the checks by name, in the order in which they are shown."""
    from flows.doctor import data, index, packages, prefect, toolchain  # noqa: PLC0415 - half a second

    hub = data.go_without_hub(workspace)
    checks: dict[str, Callable[[], Finding]] = {
        "python": packages.check_python,
        "packages": packages.check_packages,
        "git": toolchain.check_git,
        "rust-analyzer": partial(
            toolchain.check_rust_analyzer, workspace.settings.rust_analyzer, repo
        ),
        "rust-src": partial(toolchain.check_rust_src, repo),
        "cargo": partial(toolchain.check_cargo, workspace.settings.rust_analyzer, repo),
        **{
            f"model {vector}": partial(data.check_model, workspace, vector, hub)
            for vector in VECTORS
        },
        "checkpoint": partial(data.check_checkpoint, workspace),
        "index": partial(index.check_index, workspace),
        "prefect": packages.check_prefect,
        "prefect server": prefect.check_server,
        "deployments": prefect.check_deployments,
        "dask": partial(packages.check_dask, workspace.settings.cluster),
        "disk": partial(data.check_disk, workspace),
        "runs": partial(data.check_runs, workspace),
        "leftovers": partial(index.check_leftovers, workspace),
    }
    if repo is not None:
        checks["repository"] = partial(toolchain.check_repository, repo)
        checks["toolchain"] = partial(toolchain.check_toolchain, repo)
        checks["sources"] = partial(toolchain.check_sources, repo)
    return checks


def examine(
    checks: Mapping[str, Callable[[], Finding]], *, deadline_s: float = _DEADLINE_S
) -> list[Finding]:
    """Return what each check found, in their order, without secrets of the environment; none takes longer than the deadline."""
    answers: queue.SimpleQueue[Finding] = queue.SimpleQueue()
    began = time.monotonic()
    for name, check in checks.items():
        threading.Thread(
            target=lambda name=name, check=check: answers.put(_examine(name, check)), daemon=True
        ).start()
    found: dict[str, Finding] = {}
    while len(found) < len(checks):
        try:
            one = answers.get(timeout=max(0.0, began + deadline_s - time.monotonic()))
        except queue.Empty:
            break
        found[one.check] = one
    late = f"did not answer within {deadline_s:g} s"
    secrets = secrets_of(os.environ)
    return [
        found.get(
            name,
            Finding(
                name, "failed", late, "try again; is a disk or a network out of reach?", deadline_s
            ),
        ).without(secrets)
        for name in checks
    ]


def _examine(name: str, check: Callable[[], Finding]) -> Finding:
    began = time.perf_counter()
    try:
        finding = check()
    except Exception as exc:  # noqa: BLE001 - a defect of one check must hide no other
        finding = Finding(
            name,
            "failed",
            f"{type(exc).__name__}: {exc}",
            "lsif-ingest doctor --debug, and report it",
        )
    return replace(finding, seconds=round(time.perf_counter() - began, 3))


def examine_workspace(workspace: Workspace, repo: Path | None) -> list[Finding]:
    """Return what each check found, of a Cargo project too if one is given."""
    findings = examine(checks_of(workspace, repo), deadline_s=_DEADLINE_S)
    if any(finding.seconds >= _DEADLINE_S for finding in findings):
        atexit.register(_leave)
    return findings


def print_findings(findings: list[Finding]) -> None:
    """Print a list with the statuses under each other, and each advice under what it is about."""
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False, markup=False, emoji=False)
    width = max(len(one.check) for one in findings)
    for one in findings:
        line = Text(f"{one.status:<8} ", style=_STYLES[one.status])
        line.append(f"{one.check:<{width}}  ", style="bold")
        line.append(clean(one.found), style="not bold default")
        console.print(line)
        if one.advice:
            console.print(Text(f"{'':<{width + 9}}  > {clean(one.advice)}", style="cyan"))
    counts = Counter[str](one.status for one in findings)
    console.print(", ".join(f"{counts[status]} {status}" for status in _STYLES if counts[status]))


def _leave() -> None:
    """End the process at once: what hangs in a library (S3 of pyarrow) would keep it for minutes."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
