"""Refuses a run that can't end well, before any work is done."""

from __future__ import annotations

import logging
import os
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from configs.settings import load_settings
from embedding.models import fingerprints_of, kept_models, resolve_model
from search.published import connect
from storage.errors import IndexMismatch
from storage.live import check_fingerprints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from configs.settings import ModelSettings, StorageSettings
    from configs.workspace import ProjectWorkspace
    from storage.index import Generation

logger = logging.getLogger(__name__)

_SERVER_ONLY = (
    "on_disk",
    "datatype",
    "hnsw_m",
    "hnsw_ef_construct",
    "indexing_threshold_kb",
    "quantization",
    "shard_number",
    "replication_factor",
    "write_consistency_factor",
)
"""Settings of a server's collections; the embedded index has none of them."""


class MayHold(NamedTuple):
    """What an index may hold: a live one that was made without it stays as it is."""

    source_items: bool
    """What no dump does."""
    project_model: bool
    """What rust_analyzer.project and features say, if they are left as they are by default."""
    models: Mapping[str, ModelSettings]
    """By named vector: "auto" stands for the model that the index was made with."""
    references: bool = True
    """Which structures each one refers to."""


def check_index(project: ProjectWorkspace, identity: str, *, rebuild: bool) -> MayHold:
    """Check that models and index are available, and that the index belongs to this source.

    `identity` is the source's. Returns what the index may hold. Raises ModelError, StorageError.
    """
    collection, models = project.collection, project.structure_models
    fingerprints_of(models)  # fails if one is not available
    with closing(connect(project)) as index:
        with index.writing(collection):
            if found := index.restriction(collection, project.settings.search.candidates):
                logger.warning("collection %r: %s", collection, found)
            live = None if rebuild else index.live(collection)
        models = kept_models(models, live.metadata.fingerprints if live is not None else {})
        if live is not None:
            check_source(live, collection, identity)
            check_fingerprints(
                live,
                fingerprints_of(models),
                collection,
                "Replace it: --rebuild; or keep both: --project NAME; "
                "or use the configuration it was made with.",
            )
    if live is None:
        return MayHold(source_items=True, project_model=True, models=models)
    made = live.metadata
    return MayHold(made.source_items, made.project_model, models, bool(made.places))


def kept_back(project: ProjectWorkspace, models: Mapping[str, ModelSettings]) -> list[str]:
    """Return a note on models that the index keeps although new indexes get another one."""
    newest = {name: resolve_model(model) for name, model in project.structure_models.items()}
    return [
        f"the index keeps its model {kept.model} for {name}; --rebuild gives it "
        f"{newest[name].settings.model}, the default of this version"
        for name, kept in models.items()
        if kept.model != newest[name].settings.model
    ]


def check_source(live: Generation, collection: str, identity: str) -> None:
    """Raise IndexMismatch if the live generation was made from another source."""
    if live.metadata.source != identity:
        raise IndexMismatch(
            f"project {collection!r} was indexed from {live.metadata.source}; this is {identity}. "
            "Choose another name: --project NAME; or replace it: --rebuild."
        )


def settings_without_effect(settings: StorageSettings) -> list[str]:
    """Return a note on settings of a server's collections if the index is embedded."""
    if os.environ.get("QDRANT_URL", "").strip():
        return []
    usual = load_settings().storage
    names = [
        f"storage.{name}"
        for name in _SERVER_ONLY
        if getattr(settings, name) != getattr(usual, name)
    ]
    return [f"of no effect without QDRANT_URL: {', '.join(names)}"] if names else []
