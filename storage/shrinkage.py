"""Refuses to replace an index by a much smaller one: a broken toolchain must not empty it.

`--rebuild` is no exception, since a scheduled run may well have it. Replacing the index of another
source is one: the two have nothing to do with each other.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from machine.text import counted
from storage.errors import IndexShrinks, StorageError

if TYPE_CHECKING:
    from storage.index import Index
    from storage.metadata import Metadata
    from storage.points import PointSource

logger = logging.getLogger(__name__)


def check_shrinkage(
    index: Index, collection: str, metadata: Metadata, source: PointSource, min_share: float
) -> None:
    """Raise IndexShrinks if the source has too few structures to replace the published index.

    `metadata` is that of the new generation.
    """
    if not min_share:
        return
    try:
        live = index.live(collection)
    except StorageError as exc:  # a damaged index must be replaceable
        logger.warning("can't compare with the size of the index of %s: %s", collection, exc)
        return
    if live is None:
        return
    count = source.structure_count()
    if why := why_too_few(live.metadata, metadata.source, count, min_share):
        raise IndexShrinks(why)


def why_too_few(live: Metadata, source: str, structures: int, min_share: float) -> str:
    """Return why this many structures of a source can't replace the live ones; empty if they can.

    `min_share` is that of the live structures, 0 to 1.
    """
    if live.source != source or structures >= min_share * live.structures:
        return ""
    return (
        f"this run has {counted(structures, 'structure')}, which is less than {min_share:.0%} "
        f"(storage.min_share_of_last) of the {live.structures:,} in the published index; that one "
        "stays as it is. `lsif-ingest doctor --repo DIR` shows what may be broken. "
        "If it is right, allow it: --set storage.min_share_of_last=0"
    )
