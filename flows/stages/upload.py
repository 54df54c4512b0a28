"""The stage that brings records and vectors to the index, verifies and publishes it."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from configs.workspace import BLOCKS_VECTOR
from embedding.models import fingerprints_of
from search.impact import count_tests
from search.published import connect
from storage.errors import StorageError
from storage.metadata import VectorInfo
from storage.points import FileSource
from storage.schema import VECTORS
from storage.upload import UploadReport, publish_source

if TYPE_CHECKING:
    from configs.workspace import ProjectFolder, ProjectWorkspace
    from embedding.plan import VectorPlan
    from embedding.vectors import VectorTable
    from storage.index import Index
    from storage.metadata import Metadata

logger = logging.getLogger(__name__)

_UNNAMED_PLACES = 2
"""Files of places that stay although no generation names them: readers may be about to open one."""


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
        remove_old_places(project.folder, index, project.collection)
        return with_tests(report, index)


def with_vectors(folder: ProjectFolder, tables: dict[str, VectorTable]) -> FileSource:
    """Return the folder's records with their vectors."""
    named = {name: tables[name] for name in VECTORS}
    return FileSource(folder.structures, named, folder.blocks, tables[BLOCKS_VECTOR])


def with_tests(report: UploadReport, index: Index) -> UploadReport:
    """Return the report with the number of tests that reach the most used of what changed.

    Without it if the index, which is published by now, does not say what refers to what.
    """
    try:
        live = index.live(report.collection)
        if live is None or not live.metadata.places or not report.most_used:
            return report
        counts = count_tests(live.structures, {change.id for change in report.most_used})
    except StorageError as exc:
        logger.warning("can't count the tests of what changed: %s", exc)
        return report
    used = [replace(change, tests=counts.get(change.id)) for change in report.most_used]
    return replace(report, most_used=used)


def remove_old_places(folder: ProjectFolder, index: Index, collection: str) -> None:
    """Remove files of places that no generation names, but for the newest _UNNAMED_PLACES."""
    try:
        kept = [info.metadata for info in index.generations(collection) if info.metadata]
    except StorageError as exc:  # the index is published by now
        logger.warning("files of places of former generations stay: %s", exc)
        return
    named = {folder.places(metadata.places) for metadata in kept}
    others = [path for path in folder.all_places() if path not in named]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[_UNNAMED_PLACES:]:
        path.unlink(missing_ok=True)


def now() -> str:
    """Return the time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
