"""From settings to a searcher: which index, which of its collections, which models."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedding.models import (
    fingerprints_of,
    kept_models,
    resolve_model,
    shared_encoder,
    shared_query_encoder,
)
from embedding.reranker import load_reranker
from search.confidence import packaged_calibrations, read_calibration
from search.engine import Searcher
from storage.errors import IndexMissing, StorageError
from storage.live import check_fingerprints, require_live
from storage.open import open_index

if TYPE_CHECKING:
    from collections.abc import Mapping

    from configs.settings import SearchSettings
    from configs.workspace import Workspace
    from embedding.encoder import Encoder, Fingerprint
    from search.confidence import Calibration
    from storage.index import Index
    from storage.metadata import Metadata

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """What a published collection contains, or why that can't be read."""

    collection: str
    points: int = 0
    """Structures, as counted by Qdrant."""
    generation: str = ""
    metadata: Metadata | None = None
    """None if it can't be read."""
    error: str = ""
    """Why it can't be read."""

    def to_dict(self) -> dict[str, Any]:
        """Return the information as plain data."""
        if self.metadata is None:
            return {"collection": self.collection, "error": self.error}
        return {
            "collection": self.collection,
            "points": self.points,
            "generation": self.generation,
            **self.metadata.to_dict(),
        }


def connect(workspace: Workspace) -> Index:
    """Return the index that the settings and the environment name."""
    return open_index(workspace.settings.storage, workspace.index_folder, os.environ)


def open_searcher(
    workspace: Workspace, index: Index, collection: str, *, quick: bool = False
) -> Searcher:
    """Return a searcher of the collection; a quick one is for a few queries: its models start fast.

    Raises IndexMissing or IndexMismatch.
    """
    generation = require_live(index, collection)
    settings = workspace.settings.search
    models = kept_models(workspace.structure_models, generation.metadata.fingerprints)
    fingerprints = fingerprints_of(models)
    check_fingerprints(
        generation,
        fingerprints,
        collection,
        "Search with the configuration it was made with (--config FILE), "
        "or ingest again with --rebuild.",
    )

    def load(vector: str) -> Encoder:
        found = resolve_model(models[vector])
        light = shared_query_encoder(found) if quick else None
        return light or shared_encoder(found, workspace.models_folder)

    return Searcher(
        generation,
        load,
        settings,
        lambda: load_reranker(settings.rerank),
        _calibration(settings, fingerprints),
    )


def _calibration(
    settings: SearchSettings, fingerprints: Mapping[str, Fingerprint]
) -> Calibration | None:
    """Return the calibration for these models, None if there is none. Raises CalibrationError."""
    own = settings.calibration
    known = [read_calibration(Path(own))] if own else packaged_calibrations()
    digests = {name: fingerprint.digest for name, fingerprint in fingerprints.items()}
    return next((found for found in known if found.models == digests), None)


def choose_collection(index: Index, wanted: str) -> str:
    """Return the wanted collection, else the one published last. Raises IndexMissing."""
    if wanted:
        return wanted
    names = index.collections()
    if len(names) == 1:
        return names[0]
    live: list[tuple[str, str]] = []
    damaged: StorageError | None = None
    for name in names:
        try:
            generation = index.live(name)
        except StorageError as exc:
            logger.warning("%s", exc)
            damaged = exc
            continue
        if generation is not None:
            live.append((generation.metadata.created, name))
    if damaged is not None and not live:
        raise damaged
    if not live:
        raise IndexMissing(
            f"there is no index at {index.location} (the working folder is {Path.cwd()}). "
            f"{IndexMissing.ADVICE}"
        )
    return max(live)[1]


def describe_collections(index: Index) -> list[CollectionInfo]:
    """Return what each published collection contains and was made of."""
    described: list[CollectionInfo] = []
    for name in index.collections():
        try:
            generation = index.live(name)
            if generation is not None:
                points, metadata = generation.structures.count(), generation.metadata
                described.append(CollectionInfo(name, points, generation.name, metadata))
        except StorageError as exc:  # one damaged collection must not hide the others
            described.append(CollectionInfo(name, error=str(exc)))
    return described
