"""The doctor's checks of what is on disk: the checkpoint, free space, runs in progress."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from embedding.checkpoint import ASIDE, SUFFIX, read_schema
from embedding.errors import CheckpointError
from embedding.store import Store
from flows.doctor.finding import Finding, of_error
from machine.disk import free_bytes, taken_bytes, why_not_writable
from machine.locks import is_locked
from machine.text import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from configs.workspace import Workspace
    from flows.doctor.finding import Status

_LITTLE, _TOO_LITTLE = 2_000_000_000, 200_000_000
"""Bytes: below the first a large repository may not fit, below the second nothing does."""
_WORTH_SHOWING = 50_000_000
"""Bytes; less would be shown as 0.0 GB."""


def check_checkpoint(workspace: Workspace) -> Finding:
    """Return whether vectors can be written, and how many files there are."""
    address = workspace.store
    advice = (
        "--set checkpoint.store=DIR, or s3://bucket/prefix with AWS_ACCESS_KEY_ID and the other "
        "AWS variables in the environment"
    )
    try:
        store = Store(address)
        reason = why_not_writable(store.folder) if store.folder is not None else ""
        if reason:
            return Finding("checkpoint", "failed", f"{address} can't be written: {reason}", advice)
        if store.folder is None:
            store.check_writable()
        sizes = {
            name: size for folder in store.folders() for name, size in store.files(folder).items()
        }
        # Not in a bucket: each file would cost a round trip.
        damaged = _damaged(store, sizes) if store.folder is not None else []
    except CheckpointError as exc:
        return of_error("checkpoint", exc, advice)
    files, aside = _ending(sizes, SUFFIX), _ending(sizes, ASIDE)
    found = f"{address}: {counted(files, 'file')}, {sum(sizes.values()) / 1e6:,.1f} MB"
    if aside:
        found += f", {aside:,} set aside as unreadable; their texts are embedded again"
        # Others may use a shared store: see flows.stages.checkpoint.
        is_shared = bool(workspace.settings.checkpoint.store)
        remove = f"remove {address}/*/*{ASIDE}" if is_shared else "lsif-ingest checkpoint compact"
        return Finding("checkpoint", "warning", found, remove)
    if damaged:
        found += (
            f", {len(damaged):,} unreadable, such as {damaged[0]}; "
            "the next run sets them aside and embeds their texts again"
        )
        again = "lsif-ingest ingest, with the arguments of the last run"
        return Finding("checkpoint", "warning", found, again)
    return Finding("checkpoint", "ok", found)


def check_disk(workspace: Workspace) -> Finding:
    """Return whether a run finds enough space.

    For data that is as much as the largest project takes: a run may build a copy beside it.
    """
    data = workspace.data
    if reason := why_not_writable(data):
        found = f"{data} can't be written: {reason}"
        return Finding("disk", "failed", found, "--set paths.data=DIR")
    required = sum(
        max(map(taken_bytes, folder.glob("*")), default=0)
        for folder in (workspace.index_folder, workspace.projects_folder)
    )
    places = {
        "data": (data, max(_LITTLE, required), "free some space, or --set paths.data=DIR"),
        "temporary files": (Path(tempfile.gettempdir()), _TOO_LITTLE, "export TMPDIR=DIR"),
    }
    free = {name: free_bytes(folder) for name, (folder, _, _) in places.items()}
    (first, size), *others = free.items()
    found = f"{size / 1e9:,.1f} GB free for {first}"
    found += "".join(f", {size / 1e9:,.1f} GB for {name}" for name, size in others)
    if required >= _WORTH_SHOWING:
        found += f"; a run needs about {required / 1e9:,.1f} GB"
    for name, (_, enough, advice) in places.items():
        if free[name] < enough:
            status: Status = "failed" if free[name] < _TOO_LITTLE else "warning"
            return Finding("disk", status, found, advice)
    return Finding("disk", "ok", found)


def check_runs(workspace: Workspace) -> Finding:
    """Return the projects with a run in progress; that is no fault."""
    held = [project.path.name for project in workspace.project_folders() if is_locked(project.lock)]
    return Finding("runs", "ok", f"in progress: {', '.join(held)}" if held else "none in progress")


def _damaged(store: Store, names: Collection[str]) -> list[str]:
    """Return the files whose schema can't be read."""
    files = [name for name in names if name.endswith(SUFFIX)]
    schemas = store.read_each(files, partial(read_schema, store))
    return [
        name for name, schema in zip(files, schemas, strict=True) if isinstance(schema, Exception)
    ]


def _ending(names: Iterable[str], suffix: str) -> int:
    return sum(name.endswith(suffix) for name in names)
