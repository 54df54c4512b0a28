"""Refuses to replace an index by a much smaller one: a broken toolchain must not empty it.

What a dump lacks comes from the sources, without references. So the definitions of the dump are
compared, too: else a broken toolchain would not be noticed by the number of structures.

`--rebuild` is no exception, since a scheduled run may well have it. Replacing the index of another
source is one: the two have nothing to do with each other.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from machine.text import counted
from storage.errors import IndexShrinks

if TYPE_CHECKING:
    from storage.index import Generation
    from storage.metadata import Metadata
    from storage.points import PointSource


def check_shrinkage(
    live: Generation, metadata: Metadata, source: PointSource, min_share: float
) -> None:
    """Raise IndexShrinks if the source has too few structures to replace the live generation.

    `metadata` is that of the new generation.
    """
    new = replace(metadata, structures=source.structure_count())
    if why := why_too_few(live.metadata, new, min_share):
        raise IndexShrinks(why)


def why_too_few(live: Metadata, new: Metadata, min_share: float) -> str:
    """Return why the new structures can't replace the live ones; empty if they can.

    `min_share` is that of the live structures, and of the live definitions that a dump held, 0 to
    1. The latter are compared if both are known.
    """
    if live.source != new.source:
        return ""
    what, least = "", f"less than {min_share * 100:g}% (storage.min_share_of_last) of the"
    if _is_less(new.structures, live.structures, min_share):
        what = (
            f"this run has {counted(new.structures, 'structure')}, which is {least} "
            f"{live.structures:,} in the published index"
        )
    elif live.coverage is not None and new.coverage is not None:
        before, now = live.coverage.definitions_from_index, new.coverage.definitions_from_index
        if _is_less(now, before, min_share):
            what = (
                f"the dump of this run has {counted(now, 'definition')}, which is {least} "
                f"{before:,} that the published index's had (the sources give the rest, without "
                "references)"
            )
    if not what:
        return ""
    return (
        f"{what}; that one stays as it is. `lsif-ingest doctor --repo DIR` shows what may be "
        "broken. If it is right, allow it: --set storage.min_share_of_last=0"
    )


def _is_less(now: int, before: int, min_share: float) -> bool:
    """Return whether it is less than the share; 55 of 100 are 55%, whatever floats make of it."""
    return now < min_share * before and not math.isclose(now, min_share * before)
