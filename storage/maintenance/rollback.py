"""Switching back to the previous generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.errors import IndexMissing
from storage.live import require_live

if TYPE_CHECKING:
    from configs.settings import StorageSettings
    from storage.index import Index


def rollback(index: Index, collection: str, settings: StorageSettings) -> tuple[str, str]:
    """Publish the previous generation again; return the names of the one before and the one now.

    Raises IndexMissing if none is kept.
    """
    with index.writing(collection):
        live, former = require_live(index, collection), index.former(collection)
        if former is None:
            raise IndexMissing(
                f"there is nothing to roll back to: no generation of {collection!r} older than "
                f"{live.name} is kept at {index.location}; storage.keep_generations is "
                f"{settings.keep_generations}."
            )
        name = former.name
        index.publish(collection, former, keep=settings.keep_generations)
        return live.name, name
