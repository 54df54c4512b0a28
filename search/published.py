"""From settings to an index, and what is published in it. Needs no models, so it starts fast."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.errors import IndexMissing, StorageError
from storage.open import open_index

if TYPE_CHECKING:
    from configs.workspace import Workspace
    from storage.generations import GenerationInfo
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
    generations: list[GenerationInfo] | None = None
    """Those that are kept, oldest first; None if they were not asked for."""

    def to_dict(self) -> dict[str, Any]:
        """Return the information as plain data."""
        kept = {}
        if self.generations is not None:
            kept = {"generations": [each.to_dict() for each in self.generations]}
        if self.metadata is None:
            return {"collection": self.collection, "error": self.error, **kept}
        return {
            "collection": self.collection,
            "points": self.points,
            "generation": self.generation,
            **self.metadata.to_dict(),
            **kept,
        }


def connect(workspace: Workspace) -> Index:
    """Return the index that the settings and the environment name."""
    return open_index(workspace.settings.storage, workspace.index_folder, os.environ)


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


def describe_collections(index: Index, *, generations: bool = False) -> list[CollectionInfo]:
    """Return what each published collection contains and was made of.

    With `generations`, also which generations of it are kept.
    """
    found = (_describe(index, name, generations=generations) for name in index.collections())
    return [info for info in found if info is not None]


def _describe(index: Index, name: str, *, generations: bool) -> CollectionInfo | None:
    """Return the same of one collection; None if it was removed meanwhile."""
    kept: list[GenerationInfo] | None = None
    try:
        kept = index.generations(name) if generations else None
        live = index.live(name)
        if live is None:
            return None
        points, metadata = live.structures.count(), live.metadata
    except StorageError as exc:  # one damaged collection must not hide the others
        return CollectionInfo(name, error=str(exc), generations=kept)
    return CollectionInfo(name, points, live.name, metadata, generations=kept)
