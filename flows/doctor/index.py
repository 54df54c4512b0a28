"""The doctor's checks of the index, embedded or on a server, and of what killed runs left in it and beside it."""

from __future__ import annotations

import shlex
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from configs.workspace import Workspace
from embedding.errors import ModelError
from embedding.models import fingerprints_of
from embedding.work_units import UNIT_SUFFIX
from flows.doctor.finding import Finding, of_error
from machine.disk import taken_bytes, why_not_writable
from search.opening import connect
from storage.errors import IndexMismatch, StorageError
from storage.upload import check_fingerprints, require_live

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from embedding.encoder import Fingerprint
    from storage.index import Index

_ANSWER_S = 5
"""Seconds a request to a server may take."""
_OLD_S = 24 * 3600
"""Age from which a temporary file is nobody's any more."""
_MOST_NAMED = 8


def check_index(workspace: Workspace) -> Finding:
    """Return whether the index answers and can be written, and whether its collections fit the configuration."""
    impatient = _impatient(workspace)
    try:
        with closing(connect(impatient)) as index:
            try:
                health = index.health()
            except IndexMismatch as exc:
                return of_error(
                    "index", exc, "docker pull qdrant/qdrant, and start the server anew with it"
                )
            words = f"Qdrant {health.version} at {index.location}"
            words += f", {health.peers} peers" if health.peers > 1 else ""
            if not index.changes_in_place and (reason := why_not_writable(Path(index.location))):
                return Finding(
                    "index",
                    "failed",
                    f"{index.location} can't be written: {reason}",
                    "--set paths.data=DIR",
                )
            if health.trouble:
                return Finding(
                    "index",
                    "warning",
                    f"{words}: {health.trouble}",
                    "restart that peer; its log says why",
                )
            return _check_collections(workspace, index, words)
    except StorageError as exc:
        return of_error("index", exc)


def check_leftovers(workspace: Workspace) -> Finding:
    """Return what killed runs left behind."""
    files = list(_old_files(workspace))
    folders, names = list[Path](), list[str]()
    try:
        with closing(connect(_impatient(workspace))) as index:
            built = index.half_built()
            names, folders = (
                (built, []) if index.changes_in_place else ([], [Path(name) for name in built])
            )
    except StorageError:  # the check of the index tells it
        pass
    paths = [*folders, *files]
    if not paths and not names:
        return Finding("leftovers", "ok", "none")
    size = sum(taken_bytes(path) for path in paths) / 1e6
    found = f"{len(folders) + len(names)} half-built generations and {len(files)} temporary files of killed runs, {size:,.1f} MB"
    advice = (
        shlex.join(["rm", "-r", *map(str, paths[:_MOST_NAMED])])
        if paths
        else "lsif-ingest ingest of the same project"
    )
    return Finding("leftovers", "warning", found, advice)


def _check_collections(workspace: Workspace, index: Index, words: str) -> Finding:
    """Return the worst that there is to say of the collections: one can't be read, one was made with other models."""
    names = index.collections()
    points, stale, damaged = 0, list[StorageError](), list[StorageError]()
    try:
        fingerprints = fingerprints_of(workspace.structure_models)
    except ModelError:  # the check of the model tells it
        fingerprints = {}
    for name in names:
        try:
            points += _check_collection(index, name, fingerprints)
        except IndexMismatch as exc:
            stale.append(exc)
        except StorageError as exc:
            damaged.append(exc)
    if damaged or stale:
        worst = of_error("index", (damaged or stale)[0], status="failed" if damaged else "warning")
        more = len(damaged) + len(stale) - 1
        found = f"{worst.found}{f' (and {more} more collections)' if more else ''}"
        return Finding("index", worst.status, found, worst.advice)
    return Finding("index", "ok", f"{words}: {points:,} structures in {_listed(names)}")


def _check_collection(index: Index, name: str, fingerprints: Mapping[str, Fingerprint]) -> int:
    """Return the number of its structures. Raises IndexMismatch, or another StorageError where it can't be read."""
    live = require_live(index, name)
    way_out = f"lsif-ingest ingest --rebuild --set project.name={shlex.quote(live.metadata.project)} with what it was made of"
    check_fingerprints(live, fingerprints, name, way_out)
    return live.structures.count()


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more if names else "no collection"


def _old_files(workspace: Workspace) -> Iterator[Path]:
    """Yield temporary files and folders beside records, vectors and indexes that are a day old."""
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
