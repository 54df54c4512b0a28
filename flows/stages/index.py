"""What commands do with a finished index: verify, roll back, export, take a snapshot, import."""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from configs.workspace import ProjectWorkspace
from embedding.errors import CheckpointError, ModelError
from embedding.models import fingerprints_of, kept_models
from embedding.plan import gathered_vectors
from flows.errors import FlowError
from flows.locks import project_lock
from flows.report.history import read_report
from flows.stages.check import check_source
from flows.stages.upload import now, with_vectors
from lsif.jsonl import write_records
from lsif.references.places import digest_of
from machine.files import copy_atomically
from search.published import connect
from storage.errors import IndexLocked
from storage.live import require_live
from storage.maintenance.exchange import ExportedSource, export_generation
from storage.maintenance.rollback import rollback
from storage.maintenance.verify import VerifyReport, verify
from storage.points import RecordSource
from storage.upload import UploadReport, publish_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from configs.workspace import ProjectFolder, Workspace
    from storage.metadata import Metadata
    from storage.points import PointSource

logger = logging.getLogger(__name__)

EXPORTED_PLACES = "places.parquet"
"""Name of the file of places in an export's folder."""


def verify_index(workspace: Workspace, collection: str) -> VerifyReport:
    """Compare the live generation with the records of the last run, and its places with a digest.

    Its vectors are compared, too, if the checkpoint has them all. Raises FlowError if there are
    no records.
    """
    folder = workspace.project_folder(collection)
    if not folder.structures.is_file():
        raise FlowError(
            f"{folder.structures} does not exist, so there is nothing to compare the index with. "
            "Ingest again."
        )
    with closing(connect(workspace)) as index:
        live = require_live(index, collection)
        models = kept_models(workspace.structure_models, live.metadata.fingerprints)
        with _vectors_of(workspace.with_models(models), folder) as source:
            report = verify(live, source.structures, source.blocks)
    places = folder.places(live.metadata.places)
    if _is_damaged(places, live.metadata.places):
        return replace(report, bad_places=1, problems=[*report.problems, f"damaged: {places}"])
    return report


def was_rolled_back(workspace: Workspace, collection: str) -> bool:
    """Return whether the live generation is older than the last run."""
    report = read_report(workspace.project_folder(collection).report)
    with closing(connect(workspace)) as index:
        live = index.live(collection)
        return report is not None and live is not None and live.metadata.created < report.started


@contextmanager
def _vectors_of(workspace: Workspace, folder: ProjectFolder) -> Iterator[PointSource]:
    """Yield the records with the checkpoint's vectors, or without any if it lacks one."""
    with ExitStack() as stack:
        try:
            fingerprints = fingerprints_of(workspace.models)
            tables = stack.enter_context(
                gathered_vectors(fingerprints, workspace.store, folder.structures)
            )
        except (CheckpointError, ModelError) as exc:
            logger.warning("vectors are not compared with the checkpoint: %s", exc)
            yield RecordSource(folder.structures, folder.blocks)
        else:
            yield with_vectors(folder, tables)


def roll_back(workspace: Workspace, collection: str, to: str = "") -> tuple[str, str]:
    """Switch to the generation named `to`, or back to the previous one.

    Returns the names of the former and the live one.
    """
    with closing(connect(workspace)) as index:
        return rollback(index, collection, workspace.settings.storage, to=to)


def remove_unfinished(workspace: Workspace, collection: str = "") -> list[str]:
    """Remove what killed runs left of the collection, or of all; return the generations' names.

    Collections whose run is in progress in this data folder are left alone.
    """
    removed: list[str] = []
    with closing(connect(workspace)) as index:
        found = {each.collection for each in index.unfinished()}
        for name in sorted(found & {collection} if collection else found):
            try:
                with _held(workspace, name), index.writing(name):
                    removed += index.remove_unfinished(name)
            except (FlowError, IndexLocked) as exc:
                logger.warning("%s", exc)
    return removed


@contextmanager
def _held(workspace: Workspace, collection: str) -> Iterator[None]:
    """Hold the project's folder, if the data folder has one."""
    project = ProjectWorkspace(workspace.settings, collection, "")
    with project_lock(project) if project.folder.path.is_dir() else nullcontext():
        yield


def export_index(workspace: Workspace, collection: str, folder: Path) -> tuple[int, int]:
    """Write the live generation into the folder; return the numbers of structures and blocks.

    Raises FlowError if its file of places is damaged.
    """
    with closing(connect(workspace)) as index:
        live = require_live(index, collection)
        places = workspace.project_folder(collection).places(live.metadata.places)
        if _is_damaged(places, live.metadata.places):
            raise FlowError(f"{places} is damaged. Ingest again.")
        counts = export_generation(live, folder)
    if places.is_file():
        copy_atomically(places, folder / EXPORTED_PLACES)
    else:  # that of an earlier export would not fit
        (folder / EXPORTED_PLACES).unlink(missing_ok=True)
    return counts


def snapshot_index(workspace: Workspace, collection: str) -> list[str]:
    """Have the server write snapshots of the live generation; return their names.

    Raises StorageError if there is no server.
    """
    with closing(connect(workspace)) as index:
        return index.snapshot(require_live(index, collection))


def import_index(workspace: Workspace, folder: Path, *, rebuild: bool) -> UploadReport:
    """Make an index and its records from what `export_index` wrote; needs no model."""
    source = ExportedSource(folder)
    places = _exported_places(folder, source.metadata)
    configured = workspace.settings.project
    project = workspace.for_project(
        configured.name or source.metadata.project, configured.branch or source.metadata.branch
    )
    metadata = replace(
        source.metadata, project=project.project, branch=project.branch, created=now()
    )
    with project_lock(project), closing(connect(project)) as index:
        live = None if rebuild else index.live(project.collection)
        if live is not None:
            check_source(live, project.collection, metadata.source)
        write_records(project.folder.structures, (draft.record for draft in source.structures()))
        write_records(project.folder.blocks, (draft.record for draft in source.blocks()))
        if places is not None:
            copy_atomically(places, project.folder.places(metadata.places))
        return publish_source(
            index, project.collection, metadata, source, project.settings.storage, rebuild=rebuild
        )


def _exported_places(folder: Path, metadata: Metadata) -> Path | None:
    """Return the file of places of an export, None if it has none. Raises FlowError."""
    path = folder / EXPORTED_PLACES
    if not metadata.places or not path.is_file():
        return None
    if _is_damaged(path, metadata.places):
        raise FlowError(f"{path} is damaged, or of another export. Export again.")
    return path


def _is_damaged(places: Path, digest: str) -> bool:
    """Return whether the file of places is another than the one of this digest; not if none is."""
    return places.is_file() and digest_of(places) != digest
