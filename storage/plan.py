"""What bringing an index up to date would do: build, sync, change in place, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from storage.indexes import missing_indexes
from storage.sync import Changes, Difference, changes_of, difference, with_deleted_labels

if TYPE_CHECKING:
    from configs.settings import StorageSettings
    from storage.index import Generation, Index
    from storage.points import PointSource

Strategy: TypeAlias = Literal["built", "synced", "changed_in_place", "unchanged"]

_MOST_IN_PLACE = 0.5
"""Share of the points from which on publish = "auto" builds a new generation on a server."""
_EVERYTHING = Difference(everything=True)


@dataclass(frozen=True)
class Plan:
    """What bringing an index up to date would do."""

    strategy: Strategy
    structures: Difference
    blocks: Difference
    changes: Changes = field(default_factory=Changes)
    """Of structures, by name; none if nothing is live."""
    base: Generation | None = None
    """The live generation that is changed or copied; None if everything is built."""
    missing_indexes: list[str] = field(default_factory=list)
    """Payload fields whose index the live generation lacks: it is added."""
    refused: str = ""
    """Why a run would fail and change nothing; empty if it would not."""


def make_plan(
    index: Index,
    live: Generation | None,
    source: PointSource,
    settings: StorageSettings,
    *,
    named: bool = False,
) -> Plan:
    """Return what it takes to bring the live generation to what the source says.

    Without a live one it takes everything. With `named` a plan that sends everything has the names
    of all points; otherwise it leaves out what it does not need.
    """
    if live is None:
        structures, blocks = (
            Difference(
                {draft.id: draft.label() for draft in drafts()} if named else {}, everything=True
            )
            for drafts in (source.structures, source.blocks)
        )
        return Plan("built", structures, blocks)
    structures = difference(live.structures, source.structures())
    blocks = difference(live.blocks, source.blocks())
    changes = changes_of(structures, live.structures)
    if named:
        structures = with_deleted_labels(structures, live.structures)
        blocks = with_deleted_labels(blocks, live.blocks)
    missing = missing_indexes(live)
    is_same = not structures and not blocks
    if is_same and not missing:
        return Plan("unchanged", structures, blocks, changes, live)
    if not index.changes_in_place:
        return Plan("synced", structures, blocks, changes, live, missing)
    if is_same or _fits_in_place(structures, settings):
        return Plan("changed_in_place", structures, blocks, changes, live, missing)
    if named:
        return Plan("built", structures, blocks, changes)
    return Plan("built", _EVERYTHING, _EVERYTHING, changes)


def _fits_in_place(structures: Difference, settings: StorageSettings) -> bool:
    """Return whether a server's generation is changed in place: see storage.publish."""
    total = structures.unchanged + len(structures.moved) + structures.written
    return settings.publish == "in_place" or (
        settings.publish == "auto" and structures.written < _MOST_IN_PLACE * max(1, total)
    )
