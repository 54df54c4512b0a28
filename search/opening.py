"""From settings to a searcher: which index, which of its collections, which models."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedding.models import resolve_model, shared_encoder, shared_query_encoder
from embedding.reranker import load_reranker
from search.confidence import CALIBRATION, read_calibration
from search.engine import Searcher
from storage.errors import IndexMissing, StorageError
from storage.index import VECTORS, open_index
from storage.upload import check_fingerprints, require_live

if TYPE_CHECKING:
    from collections.abc import Mapping

    from configs.settings import ModelSettings, Settings
    from embedding.encoder import Encoder, Fingerprint
    from search.confidence import Calibration
    from storage.index import Index

logger = logging.getLogger(__name__)


def connect(settings: Settings) -> Index:
    """Return the index that the settings and the environment name."""
    return open_index(settings.storage, settings.paths.data, os.environ)


def open_searcher(
    settings: Settings, index: Index, collection: str, *, quick: bool = False
) -> Searcher:
    """Return a searcher of the collection; a quick one is for a few queries: its models start at once where they can.

    Raises IndexMissing or IndexMismatch.
    """
    generation, fingerprints = require_live(index, collection), fingerprints_of(settings)
    check_fingerprints(
        generation,
        fingerprints,
        collection,
        "Search with the configuration it was made with (--config FILE), or ingest again with --rebuild.",
    )

    def load(vector: str) -> Encoder:
        found = resolve_model(model_settings(settings, vector))
        light = shared_query_encoder(found) if quick else None
        return light or shared_encoder(found, models_folder(settings))

    return Searcher(
        generation,
        load,
        settings.search,
        lambda: load_reranker(settings.search.rerank),
        _calibration(settings, fingerprints),
    )


def _calibration(settings: Settings, fingerprints: Mapping[str, Fingerprint]) -> Calibration | None:
    """Return the calibration, None where it was fitted for other models. Raises CalibrationError where it can't be read."""
    path = Path(settings.search.calibration) if settings.search.calibration else CALIBRATION
    calibration = read_calibration(path)
    digests = {name: fingerprint.digest for name, fingerprint in fingerprints.items()}
    return calibration if calibration.models == digests else None


def models_folder(settings: Settings) -> Path:
    """Return where is kept what takes long to make of a model."""
    return Path(settings.paths.data) / "models"


def checkpoint_address(settings: Settings) -> str:
    """Return where vectors are kept: a folder or a URI."""
    return settings.checkpoint.store or str(Path(settings.paths.data) / "checkpoints")


def model_settings(settings: Settings, vector: str) -> ModelSettings:
    """Return the settings of a named vector's model."""
    model: ModelSettings = getattr(settings.embedding, vector)
    return model


def fingerprints_of(settings: Settings) -> dict[str, Fingerprint]:
    """Return the fingerprint of each named vector. Raises ModelError where a model is not to be had."""
    return {
        vector: resolve_model(model_settings(settings, vector)).fingerprint for vector in VECTORS
    }


def choose_collection(index: Index, wanted: str) -> str:
    """Return the wanted collection, else the one that was published last. Raises IndexMissing where there is none."""
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
            f"there is no index at {index.location} (seen from {Path.cwd()}). Make one: lsif-ingest ingest --repo DIR"
        )
    return max(live)[1]


def describe_collections(index: Index) -> list[dict[str, Any]]:
    """Return what each published collection holds and was made of, as plain data; `error` says why one can't be read."""
    described: list[dict[str, Any]] = []
    for name in index.collections():
        try:
            generation = index.live(name)
            if generation is not None:
                facts = {
                    "points": generation.structures.count(),
                    "generation": generation.name,
                    **generation.metadata.to_dict(),
                }
                described.append({"collection": name, **facts})
        except StorageError as exc:  # one damaged collection must not hide the others
            described.append({"collection": name, "error": str(exc)})
    return described
