"""The stage that brings records and vectors to the index, verifies and publishes it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from configs.workspace import BLOCKS_VECTOR
from embedding.models import fingerprints_of
from search.opening import connect
from storage.metadata import VectorInfo
from storage.points import FileSource
from storage.schema import VECTORS
from storage.upload import UploadReport, publish_source

if TYPE_CHECKING:
    from configs.workspace import ProjectFolder, ProjectWorkspace
    from embedding.plan import VectorPlan
    from embedding.vectors import VectorTable
    from storage.metadata import Metadata

_OF_FAILED_RUNS = 2
"""Files of places that runs may have left which failed after the parse."""


def upload(
    project: ProjectWorkspace, metadata: Metadata, plan: VectorPlan, *, rebuild: bool = False
) -> UploadReport:
    """Bring the collection up to the project's records, verify and publish it.

    Waits for each vector until the plan has it. `metadata` lacks what only this stage knows:
    vectors, time and counts.
    """
    tables = plan.tables(project.folder.structures)
    with closing(connect(project)) as index:
        vectors = {
            name: VectorInfo(tables[name].dimension, fingerprint.digest, fingerprint.describe())
            for name, fingerprint in fingerprints_of(project.structure_models).items()
        }
        metadata = replace(metadata, created=now(), vectors=vectors)
        source, settings = with_vectors(project.folder, tables), project.settings.storage
        report = publish_source(
            index, project.collection, metadata, source, settings, rebuild=rebuild
        )
    keep = settings.keep_generations + _OF_FAILED_RUNS
    remove_old_places(project.folder, metadata.places, keep=keep)
    return report


def with_vectors(folder: ProjectFolder, tables: dict[str, VectorTable]) -> FileSource:
    """Return the folder's records with their vectors."""
    named = {name: tables[name] for name in VECTORS}
    return FileSource(folder.structures, named, folder.blocks, tables[BLOCKS_VECTOR])


def remove_old_places(folder: ProjectFolder, live: str, *, keep: int) -> None:
    """Remove files of places, but for the one of this digest and the `keep` newest others.

    Among these are those of the generations that can be rolled back to.
    """
    others = [path for path in folder.all_places() if path != folder.places(live)]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[keep:]:
        path.unlink(missing_ok=True)


def now() -> str:
    """Return the time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
