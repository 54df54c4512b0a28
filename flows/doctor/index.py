"""The doctor's checks of the index, embedded or on a server, and of what killed runs left."""

from __future__ import annotations

import shlex
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from configs.workspace import Workspace
from embedding.errors import ModelError
from embedding.models import fingerprints_of, kept_models
from embedding.work_units import UNIT_SUFFIX
from flows.doctor.finding import Finding, of_error
from machine.disk import taken_bytes, why_not_writable
from machine.text import counted
from search.published import connect
from storage.errors import IndexMismatch, StorageError
from storage.generations import GenerationInfo
from storage.indexes import missing_indexes
from storage.live import check_fingerprints, require_live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.index import Index

_ANSWER_S = 5
"""Seconds a request to a server may take."""
_OLD_S = 24 * 3600
"""Age from which a temporary file belongs to no run."""
_MOST_NAMED = 8


def check_index(workspace: Workspace) -> Finding:
    """Return whether the index answers, can be written, and fits the configuration."""
    try:
        with closing(connect(_impatient(workspace))) as index:
            return _check_open_index(workspace, index)
    except StorageError as exc:
        return of_error("index", exc)


def _check_open_index(workspace: Workspace, index: Index) -> Finding:
    try:
        health = index.health()
    except IndexMismatch as exc:
        advice = "docker pull qdrant/qdrant, and restart the server with it"
        return of_error("index", exc, advice)
    found = f"Qdrant {health.version} at {index.location}"
    found += f", {health.peers} peers" if health.peers > 1 else ""
    if not index.changes_in_place and (reason := why_not_writable(Path(index.location))):
        found = f"{index.location} can't be written: {reason}"
        return Finding("index", "failed", found, "--set paths.data=DIR")
    if health.trouble:
        advice = "restart that peer; its log says why"
        return Finding("index", "warning", f"{found}: {health.trouble}", advice)
    return _check_collections(workspace, index, found)


def check_leftovers(workspace: Workspace) -> Finding:
    """Return what killed runs left behind."""
    files, built, folder = list(_old_files(workspace)), list[GenerationInfo](), None
    try:
        with closing(connect(_impatient(workspace))) as index:
            built = [each for each in index.unfinished() if each.dead]
            folder = None if index.changes_in_place else Path(index.location)
    except StorageError:  # the check of the index reports it
        pass
    if not files and not built:
        return Finding("leftovers", "ok", "none")
    # On a server a generation is no path.
    folders = [folder / each.collection / each.name for each in built] if folder else []
    size = sum(taken_bytes(path) for path in (*folders, *files)) / 1e6
    found = (
        f"{counted(len(built), 'unfinished generation')} and "
        f"{counted(len(files), 'temporary file')} of killed runs, {size:,.1f} MB"
    )
    advice = ["lsif-ingest remove --unfinished"] if built else []
    if files:
        advice.append(shlex.join(["rm", "-r", *map(str, files[:_MOST_NAMED])]))
    return Finding("leftovers", "warning", found, "; ".join(advice))


def _check_collections(workspace: Workspace, index: Index, server: str) -> Finding:
    """Return the worst finding: a collection can't be read, or was made with other models."""
    names = index.collections()
    points, stale, damaged = 0, list[StorageError](), list[StorageError]()
    for name in names:
        try:
            points += _check_collection(index, name, workspace)
        except IndexMismatch as exc:
            stale.append(exc)
        except StorageError as exc:
            damaged.append(exc)
    if damaged or stale:
        worst = of_error("index", (damaged or stale)[0], status="failed" if damaged else "warning")
        more = len(damaged) + len(stale) - 1
        found = f"{worst.found}{f' (and {more} more collections)' if more else ''}"
        return Finding("index", worst.status, found, worst.advice)
    return Finding("index", "ok", f"{server}: {points:,} structures in {_listed(names)}")


def _check_collection(index: Index, name: str, workspace: Workspace) -> int:
    """Return the number of its structures.

    Raises IndexMismatch if it was made with other models, lacks a payload index, or is limited by
    the server; another StorageError if it is unreadable.
    """
    live = require_live(index, name)
    project = shlex.quote(live.metadata.project)
    remedy = f"lsif-ingest ingest --rebuild --set project.name={project}, with the same sources"
    with suppress(ModelError):  # the check of the model reports it
        kept = kept_models(workspace.structure_models, live.metadata.fingerprints)
        check_fingerprints(live, fingerprints_of(kept), name, remedy)
    if missing := missing_indexes(live):
        raise IndexMismatch(
            f"collection {name!r} lacks the payload indexes of {', '.join(missing)}, so searches "
            f"by these fields read all points; lsif-ingest ingest "
            f"--set project.name={project}, with the same sources"
        )
    if found := index.restriction(name, workspace.settings.search.candidates):
        raise IndexMismatch(f"collection {name!r}: {found}; raise the limit on the server")
    return live.structures.count()


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more if names else "no collection"


def _old_files(workspace: Workspace) -> Iterator[Path]:
    """Yield day-old temporary files and folders beside records, vectors and indexes."""
    projects, store = workspace.project_folders(), Path(workspace.store)
    temporary = [
        *workspace.projects_folder.glob("*/.*.tmp"),
        *(plan for project in projects for plan in project.plans()),
        *workspace.index_folder.glob("*/.*.tmp"),
        *store.glob("*/.*.tmp"),
        *store.glob(f"*/*{UNIT_SUFFIX}"),
    ]
    for path in temporary:
        try:
            if time.time() - path.lstat().st_mtime > _OLD_S:
                yield path
        except OSError:  # removed meanwhile
            continue


def _impatient(workspace: Workspace) -> Workspace:
    """Return the workspace with a server that answers at once or not at all."""
    settings = workspace.settings
    storage = settings.storage.model_copy(update={"timeout_s": _ANSWER_S, "retry_s": 0.0})
    return Workspace(settings.model_copy(update={"storage": storage}))
