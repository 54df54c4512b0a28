"""Switching to another generation that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.errors import IndexMissing
from storage.live import require_live

if TYPE_CHECKING:
    from configs.settings import StorageSettings
    from storage.index import Index


def rollback(
    index: Index, collection: str, settings: StorageSettings, *, to: str = ""
) -> tuple[str, str]:
    """Publish a kept generation again: the one named `to`, else the newest before the live one.

    Returns the names of the one before and the one now. Raises IndexMissing if there is no such.
    """
    with index.writing(collection):
        live = require_live(index, collection)
        if to == live.name:
            return to, to
        kept = index.open(collection, to) if to else index.former(collection)
        if kept is None:
            raise IndexMissing(_nothing_older(index, collection, live.name, settings))
        name = kept.name
        # All are kept, so that one can go back and forth; the next run removes what is too much.
        index.publish(collection, kept, keep=len(index.generations(collection)))
        return live.name, name


def _nothing_older(index: Index, collection: str, live: str, settings: StorageSettings) -> str:
    """Return that no older generation is kept, and how to get to another one."""
    kept = [each.name for each in index.generations(collection) if each.complete]
    # Newer ones; all if a restored snapshot is live, whose age is not known.
    others = [name for name in kept if name != live]
    advice = (
        f"Others: {', '.join(others)}; go there by --to NAME"
        if others
        else f"storage.keep_generations is {settings.keep_generations}."
    )
    return (
        f"there is nothing to roll back to: no generation of {collection!r} older than {live} is "
        f"kept at {index.location}. {advice}"
    )
