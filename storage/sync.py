"""The difference between stored points and those that should be stored, and how to remove it.

It is computed from the ids and digests in the index itself, so it is right after any interruption.
New and changed points are written with their vectors, points that only moved get their lines, and
points that should not exist are deleted last.
"""

from __future__ import annotations

import hashlib
import heapq
import struct
import uuid
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from storage.points import READ_AT_ONCE, batched
from storage.schema import PLACE, label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from lsif.blocks import Block
    from lsif.structure import Structure
    from storage.index import Point, Points, Rejection
    from storage.points import PointDraft
    from storage.schema import Kind

AnyPoints: TypeAlias = "Points[Structure] | Points[Block]"
Part: TypeAlias = Literal["added", "changed", "moved", "deleted", "unchanged"]

NAMED = 200
"""Points of each part that are named; all are counted."""
MOST_USED = 10
"""Structures that are named because others use them."""


@dataclass(frozen=True)
class Difference:
    """Points by id; those that are not named are as they should be."""

    added: dict[str, str] = field(default_factory=dict)
    """Not stored yet: id → what people call it, as the next two."""
    changed: dict[str, str] = field(default_factory=dict)
    """Stored with another content."""
    moved: dict[str, str] = field(default_factory=dict)
    """Stored with the same content at another position or with other counts of references."""
    deleted: list[str] = field(default_factory=list)
    """Stored, but no longer in the source."""
    deleted_labels: dict[str, str] = field(default_factory=dict)
    """What people call the deleted ones, if it was asked for."""
    unchanged: int = 0
    everything: bool = False
    """Whether nothing is stored and all drafts are added, named or not."""
    most_used: list[UsedChange] = field(default_factory=list)
    """Of what was added or changed, as Changes has it."""

    @property
    def written(self) -> int:
        """Points whose vectors are sent, or that are deleted."""
        return len(self.added) + len(self.changed) + len(self.deleted)

    def parts(self) -> dict[str, dict[str, str]]:
        """Return the points by what happens to them, as id → what people call it."""
        return {
            "added": self.added,
            "changed": self.changed,
            "moved": self.moved,
            "deleted": {
                point_id: self.deleted_labels.get(point_id, point_id) for point_id in self.deleted
            },
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as plain data."""
        return {**self.parts(), "unchanged": self.unchanged}

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self.everything or self.written or self.moved)


@dataclass(frozen=True)
class Change:
    """Points of one part of a difference."""

    count: int
    names: list[str] = field(default_factory=list)
    """What people call the first NAMED, in the order of the records; deleted ones sorted."""


@dataclass(frozen=True)
class UsedChange:
    """A structure that was added or changed, and that others use."""

    id: str
    name: str
    """What people call it."""
    change: Part
    references: int
    """Places that refer to it now."""
    tests: int | None = None
    """Tests that reach it; None if that is not known."""


@dataclass(frozen=True)
class Changes:
    """What differs, as people are told."""

    parts: dict[str, Change] = field(default_factory=dict)
    """Empty if there is nothing to compare with."""
    most_used: list[UsedChange] = field(default_factory=list)
    """At most MOST_USED, the most used first."""


@dataclass
class Sum:
    """The number of points, and a digest of their ids, contents and positions in any order."""

    count: int = 0
    digests: int = 0

    def add(self, point_id: str, digest: str, place: str) -> None:
        """Take one point into account."""
        self.count += 1
        row = f"{point_id}\0{digest}\0{place}".encode()
        self.digests += int.from_bytes(hashlib.blake2b(row, digest_size=16).digest(), "big")


def sum_of(points: AnyPoints) -> Sum:
    """Return the sum of what is stored."""
    found = Sum()
    for point_id, (digest, place) in points.select(("digest", PLACE)):
        found.add(point_id, str(digest), str(place))
    return found


def sum_of_drafts(drafts: Iterable[PointDraft]) -> Sum:
    """Return the sum of what should be stored."""
    found = Sum()
    for draft in drafts:
        found.add(draft.id, draft.digest, draft.place)
    return found


def difference(points: AnyPoints, drafts: Iterable[PointDraft]) -> Difference:
    """Return what has to change so that the points are as the drafts say."""
    stored, found, unchanged, used = _stored(points), Difference(), 0, _MostUsed()
    named = {"added": found.added, "changed": found.changed, "moved": found.moved}
    for part, draft in _compared(stored, drafts):
        if part == "unchanged":
            unchanged += 1
        else:
            named[part][draft.id] = draft.label()
            used.note(part, draft)
    return replace(found, deleted=list(_ids(stored)), unchanged=unchanged, most_used=used.changes())


def with_deleted_labels(found: Difference, points: AnyPoints) -> Difference:
    """Return the difference with the names of deleted points, which only the index knows."""
    return replace(found, deleted_labels=_labels(points, found.deleted))


def changes_of(found: Difference, points: AnyPoints) -> Changes:
    """Return the parts of a difference by name, without the unchanged points."""
    parts: dict[str, Mapping[str, str]] = {
        "added": found.added,
        "changed": found.changed,
        "moved": found.moved,
    }
    changes = {
        name: Change(len(part), list(islice(part.values(), NAMED))) for name, part in parts.items()
    }
    first = _labels(points, found.deleted[:NAMED])
    changes["deleted"] = Change(len(found.deleted), sorted(first.values()))
    return Changes(changes, found.most_used)


def changes_between(points: AnyPoints, drafts: Iterable[PointDraft]) -> Changes:
    """Return the same for points that are replaced as a whole; it keeps only the names."""
    stored, counts = _stored(points), {"added": 0, "changed": 0, "moved": 0, "unchanged": 0}
    names, used = {part: list[str]() for part in counts}, _MostUsed()
    for part, draft in _compared(stored, drafts):
        counts[part] += 1
        used.note(part, draft)
        if part != "unchanged" and counts[part] <= NAMED:
            names[part].append(draft.label())
    deleted = sorted(_labels(points, list(islice(_ids(stored), NAMED))).values())
    changes = {part: Change(counts[part], names[part]) for part in ("added", "changed", "moved")}
    changes["deleted"] = Change(len(stored), deleted)
    return Changes(changes, used.changes())


class _MostUsed:
    """The most used structures of what is added or changed, while drafts are compared."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, UsedChange]] = []
        self._noted = 0

    def note(self, part: Part, draft: PointDraft) -> None:
        """Take a draft into account."""
        if part not in ("added", "changed") or not (references := draft.references()):
            return
        self._noted += 1
        order = (references, -self._noted)  # of equals the first come first
        if len(self._heap) == MOST_USED and order < self._heap[0][:2]:
            return
        change = UsedChange(draft.id, draft.label(), part, references)
        heapq.heappush(self._heap, (*order, change))
        if len(self._heap) > MOST_USED:
            heapq.heappop(self._heap)

    def changes(self) -> list[UsedChange]:
        """Return them, the most used first."""
        return [change for _, _, change in sorted(self._heap, reverse=True)]


def _stored(points: AnyPoints) -> dict[bytes, bytes]:
    """Return key → state of what is stored."""
    return {
        _key(point_id): _state(str(digest), str(place))
        for point_id, (digest, place) in points.select(("digest", PLACE))
    }


def _compared(
    stored: dict[bytes, bytes], drafts: Iterable[PointDraft]
) -> Iterator[tuple[Part, PointDraft]]:
    """Yield each draft with its part, and take it out of `stored`; the rest is to be deleted."""
    for draft in drafts:
        old, new = stored.pop(_key(draft.id), None), _state(draft.digest, draft.place)
        if old is None:
            yield "added", draft
        elif old[:_HALF] != new[:_HALF]:
            yield "changed", draft
        else:
            yield ("unchanged" if old == new else "moved"), draft


def _ids(keys: Iterable[bytes]) -> Iterator[str]:
    return (str(uuid.UUID(bytes=key)) for key in keys)


def _labels(points: AnyPoints, ids: Iterable[str]) -> dict[str, str]:
    """Return what people call the stored points of these ids."""
    batches = batched(iter(ids), READ_AT_ONCE)
    return {
        point.id: label_of(point.record)
        for batch in batches
        for point in points.retrieve(batch, vectors=False)
    }


def apply(
    points: AnyPoints,
    found: Difference,
    drafts: Iterable[PointDraft],
    kind: Kind[Any],
    *,
    note: Callable[[Point], None] = lambda _: None,
    wait: bool = False,
) -> list[Rejection]:
    """Make the points what the drafts say; return the rejected ones.

    Their former versions are deleted. `note` gets each point that is written; see upsert on `wait`.
    """
    fields, places = (*kind.moving_fields, PLACE), list[tuple[str, dict[str, object]]]()

    def written() -> Iterator[Point]:
        for draft in drafts:
            if found.everything or draft.id in found.added or draft.id in found.changed:
                point = draft.point()
                note(point)
                yield point
            elif draft.id in found.moved:
                payload = draft.payload()
                places.append((draft.id, {name: payload[name] for name in fields}))

    rejected = points.upsert(written(), wait=wait)
    points.set_payloads(places)
    stale = [rejection.id for rejection in rejected if rejection.id in found.changed]
    points.delete([*found.deleted, *stale])
    return rejected


_HALF = 8
"""Bytes of a state that stand for the content; the rest is for the position."""
_PACK = struct.Struct("qq").pack


def _key(point_id: str) -> bytes:
    """Return the id as 16 bytes: a million of them must fit into memory."""
    return bytes.fromhex(point_id.replace("-", ""))


def _state(digest: str, place: str) -> bytes:
    """Return 8 bytes for the content and 8 for the position; only valid in this process."""
    return _PACK(hash(digest), hash(place))
