"""The payload indexes of a generation. One that was made before a field got its index lacks it.

A search finds the same without the index, but reads the payload of every point for it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.index import Generation

logger = logging.getLogger(__name__)


def missing_indexes(generation: Generation) -> list[str]:
    """Return the payload fields, of either kind of points, that lack their index; sorted."""
    both = generation.structures, generation.blocks
    return sorted({field for points in both for field in points.missing_indexes()})


def add_missing_indexes(generation: Generation) -> None:
    """Add the indexes that are missing; searches go on meanwhile."""
    for points in (generation.structures, generation.blocks):
        missing = points.missing_indexes()
        if missing:
            logger.info("%s: adding payload indexes: %s", generation.name, ", ".join(missing))
            points.add_indexes(missing)
