"""Runs the doctor's checks side by side, each in its own thread.

A check that fails or hangs delays no other. No check imports a model library, and none leaves
anything behind.
"""

from __future__ import annotations

import atexit
import os
import queue
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from flows.doctor.finding import Finding
from machine.secrets import secrets_of
from storage.schema import VECTORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from configs.settings import RustAnalyzerSettings
    from configs.workspace import Workspace

_DEADLINE_S = 20.0
"""A check that has not answered by then has failed."""


def examine_workspace(workspace: Workspace, repo: Path | None) -> list[Finding]:
    """Return what each check found; `repo` is a Cargo project to check, too."""
    findings = examine(checks_of(workspace, repo), deadline_s=_DEADLINE_S)
    if any(finding.seconds >= _DEADLINE_S for finding in findings):
        atexit.register(_leave)
    return findings


def checks_of(workspace: Workspace, repo: Path | None) -> dict[str, Callable[[], Finding]]:
    """Return the checks by name, in the order in which they are shown."""
    from flows.doctor import (  # noqa: PLC0415 - takes half a second
        data,
        index,
        models,
        packages,
        prefect,
        toolchain,
        torch,
    )

    settings, hub = workspace.settings, models.go_without_hub(workspace)
    checks: dict[str, Callable[[], Finding]] = {
        "python": packages.check_python,
        "packages": packages.check_packages,
        "torch": torch.check_torch,
        "git": toolchain.check_git,
        "rust-analyzer": partial(toolchain.check_rust_analyzer, settings.rust_analyzer, repo),
        "rust-src": partial(toolchain.check_rust_src, repo),
        "cargo": partial(toolchain.check_cargo, settings.rust_analyzer, repo),
    }
    for vector in VECTORS:
        checks[f"model {vector}"] = partial(models.check_model, workspace, vector, hub)
    checks |= {
        "checkpoint": partial(data.check_checkpoint, workspace),
        "index": partial(index.check_index, workspace),
        "prefect": packages.check_prefect,
        "prefect server": prefect.check_server,
        "deployments": prefect.check_deployments,
        "dask": partial(packages.check_dask, settings.cluster),
        "disk": partial(data.check_disk, workspace),
        "runs": partial(data.check_runs, workspace),
        "leftovers": partial(index.check_leftovers, workspace),
    }
    if repo is not None:
        checks |= _checks_of_repository(settings.rust_analyzer, repo)
    return checks


def _checks_of_repository(
    settings: RustAnalyzerSettings, repo: Path
) -> dict[str, Callable[[], Finding]]:
    from flows.doctor import coverage, toolchain  # noqa: PLC0415 - takes half a second

    return {
        "repository": partial(toolchain.check_repository, settings, repo),
        "toolchain": partial(toolchain.check_toolchain, repo),
        "sources": partial(toolchain.check_sources, repo),
        "manifests": partial(coverage.check_manifests, repo),
        "features": partial(coverage.check_features, settings, repo),
        "crates": partial(coverage.check_crates, settings, repo),
    }


def examine(
    checks: Mapping[str, Callable[[], Finding]], *, deadline_s: float = _DEADLINE_S
) -> list[Finding]:
    """Return what each check found, in their order, without the environment's secrets.

    A check that has not answered by the deadline has failed.
    """
    answers: queue.SimpleQueue[Finding] = queue.SimpleQueue()
    began = time.monotonic()
    for name, check in checks.items():
        threading.Thread(
            target=lambda name=name, check=check: answers.put(_examine(name, check)), daemon=True
        ).start()
    found: dict[str, Finding] = {}
    while len(found) < len(checks):
        try:
            finding = answers.get(timeout=max(0.0, began + deadline_s - time.monotonic()))
        except queue.Empty:
            break
        found[finding.check] = finding
    secrets = secrets_of(os.environ)
    return [(found.get(name) or _late(name, deadline_s)).without(secrets) for name in checks]


def _examine(name: str, check: Callable[[], Finding]) -> Finding:
    began = time.perf_counter()
    try:
        finding = check()
    except Exception as exc:  # noqa: BLE001 - a defect of one check must hide no other
        advice = "report this, with the output of lsif-ingest doctor --debug"
        finding = Finding(name, "failed", f"{type(exc).__name__}: {exc}", advice)
    return replace(finding, seconds=round(time.perf_counter() - began, 3))


def _late(name: str, deadline_s: float) -> Finding:
    return Finding(
        name,
        "failed",
        f"did not answer within {deadline_s:g} s",
        "try again; a disk or a network may be unreachable",
        deadline_s,
    )


def _leave() -> None:
    """End the process at once: a library that hangs (pyarrow's S3) would delay it for minutes."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
