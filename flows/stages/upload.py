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
        source = with_vectors(project.folder, tables)
        return publish_source(
            index, project.collection, metadata, source, project.settings.storage, rebuild=rebuild
        )


def with_vectors(folder: ProjectFolder, tables: dict[str, VectorTable]) -> FileSource:
    """Return the folder's records with their vectors."""
    named = {name: tables[name] for name in VECTORS}
    return FileSource(folder.structures, named, folder.blocks, tables[BLOCKS_VECTOR])


def now() -> str:
    """Return the time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
