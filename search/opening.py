"""From settings to a searcher: with which models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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
from storage.live import check_fingerprints, require_live

if TYPE_CHECKING:
    from collections.abc import Mapping

    from configs.settings import SearchSettings
    from configs.workspace import Workspace
    from embedding.encoder import Encoder, Fingerprint
    from search.confidence import Calibration
    from storage.index import Index


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
        workspace.project_folder(collection).places(generation.metadata.places),
    )


def _calibration(
    settings: SearchSettings, fingerprints: Mapping[str, Fingerprint]
) -> Calibration | None:
    """Return the calibration for these models, None if there is none. Raises CalibrationError."""
    own = settings.calibration
    known = [read_calibration(Path(own))] if own else packaged_calibrations()
    digests = {name: fingerprint.digest for name, fingerprint in fingerprints.items()}
    return next((found for found in known if found.models == digests), None)
