"""What differs between the points that are stored and those that should be, and bringing them together.

The difference is taken from what the index itself says, id and digests, so it holds after any interruption. New and changed points
are written with their vectors, those that only moved get their lines, those that are gone are deleted last.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from storage.points import READ_AT_ONCE, batched
from storage.schema import PLACE, label_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lsif.blocks import Block
    from lsif.structure import Structure
    from storage.index import Points, Refusal
    from storage.points import PointDraft
    from storage.schema import Kind

AnyPoints: TypeAlias = "Points[Structure] | Points[Block]"
Part: TypeAlias = Literal["added", "changed", "moved", "deleted", "unchanged"]

NAMED = 200
"""Points of each part that are told by name; the counts are of all."""


@dataclass(frozen=True)
class Difference:
    """Points by id; what is not named is as it should be."""

    added: dict[str, str] = field(default_factory=dict)
    """Not stored yet: id → what people call it, as in the next two."""
    changed: dict[str, str] = field(default_factory=dict)
    """Stored with another content."""
    moved: dict[str, str] = field(default_factory=dict)
    """Stored with the same content at another place or with other counts of references."""
    deleted: list[str] = field(default_factory=list)
    """Stored, but gone."""
    deleted_labels: dict[str, str] = field(default_factory=dict)
    """What people call the deleted ones, as far as it was asked for."""
    unchanged: int = 0
    everything: bool = False
    """Whether all records are to be added, named or not: nothing is stored."""

    @property
    def written(self) -> int:
        """Points whose vectors are sent, or that are deleted."""
        return len(self.added) + len(self.changed) + len(self.deleted)

    def parts(self) -> dict[str, dict[str, str]]:
        """Return the points by what would be done with them, as id → what people call it."""
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
    """What people call the first of them, NAMED at most; in the order of the records, deleted ones by the alphabet."""


def difference(points: AnyPoints, records: Iterable[PointDraft]) -> Difference:
    """Return what has to change so that the points are the records."""
    stored, found, unchanged = _stored(points), Difference(), 0
    named = {"added": found.added, "changed": found.changed, "moved": found.moved}
    for part, record in _compared(stored, records):
        if part == "unchanged":
            unchanged += 1
        else:
            named[part][record.id] = record.label()
    return Difference(
        found.added, found.changed, found.moved, list(_ids(stored)), unchanged=unchanged
    )


def with_deleted_labels(found: Difference, points: AnyPoints) -> Difference:
    """Return the difference with the names of what is deleted, which the index alone knows."""
    return replace(found, deleted_labels=_labels(points, found.deleted))


def changes_of(found: Difference, points: AnyPoints) -> dict[str, Change]:
    """Return the parts of a difference that was found between these points and records; not that of what is unchanged."""
    parts: dict[str, Mapping[str, str]] = {
        "added": found.added,
        "changed": found.changed,
        "moved": found.moved,
    }
    told = {
        name: Change(len(part), list(islice(part.values(), NAMED))) for name, part in parts.items()
    }
    first = found.deleted[:NAMED]
    return {**told, "deleted": Change(len(found.deleted), sorted(_labels(points, first).values()))}


def changes_between(points: AnyPoints, records: Iterable[PointDraft]) -> dict[str, Change]:
    """Return the same parts without keeping more than the names that are told: for points that are replaced as a whole."""
    stored, counts = _stored(points), {"added": 0, "changed": 0, "moved": 0, "unchanged": 0}
    names: dict[str, list[str]] = {part: [] for part in counts}
    for part, record in _compared(stored, records):
        counts[part] += 1
        if part != "unchanged" and counts[part] <= NAMED:
            names[part].append(record.label())
    deleted = sorted(_labels(points, list(islice(_ids(stored), NAMED))).values())
    told = {part: Change(counts[part], names[part]) for part in ("added", "changed", "moved")}
    return {**told, "deleted": Change(len(stored), deleted)}


def _stored(points: AnyPoints) -> dict[bytes, bytes]:
    """Return what is stored: key → state."""
    return {
        _key(point_id): _state(str(digest), str(place))
        for point_id, (digest, place) in points.select(("digest", PLACE))
    }


def _compared(
    stored: dict[bytes, bytes], records: Iterable[PointDraft]
) -> Iterator[tuple[Part, PointDraft]]:
    """Yield each record with its part, and take it out of what is stored: what is left over is to be deleted."""
    for record in records:
        there, wanted = stored.pop(_key(record.id), None), _state(record.digest, record.place)
        if there is None:
            yield "added", record
        elif there[:_HALF] != wanted[:_HALF]:
            yield "changed", record
        else:
            yield ("unchanged" if there == wanted else "moved"), record


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


def equal(points: AnyPoints, records: Iterable[PointDraft]) -> tuple[bool, int, int]:
    """Return whether the points are the records, and the numbers of either, points first; in memory for no more than one."""
    sums, counts = [0, 0], [0, 0]
    stored = (
        (point_id, str(digest), str(place))
        for point_id, (digest, place) in points.select(("digest", PLACE))
    )
    wanted = ((one.id, one.digest, one.place) for one in records)
    for side, rows in enumerate((stored, wanted)):
        for row in rows:
            counts[side] += 1
            sums[side] += int.from_bytes(
                hashlib.blake2b("\0".join(row).encode(), digest_size=16).digest(), "big"
            )
    return counts[0] == counts[1] and sums[0] == sums[1], counts[0], counts[1]


def apply(
    points: AnyPoints, found: Difference, drafts: Iterable[PointDraft], kind: Kind[Any]
) -> list[Refusal]:
    """Make the points what the drafts say; return the rejected ones.

    Former versions of rejected points are deleted, too.
    """
    fields, places = (*kind.moving_fields, PLACE), list[tuple[str, dict[str, object]]]()

    def written() -> Iterator[PointDraft]:
        for draft in drafts:
            if found.everything or draft.id in found.added or draft.id in found.changed:
                yield draft
            elif draft.id in found.moved:
                payload = draft.payload()
                places.append((draft.id, {name: payload[name] for name in fields}))

    rejected = points.upsert(draft.point() for draft in written())
    points.set_payloads(places)
    stale = [refusal.id for refusal in rejected if refusal.id in found.changed]
    points.delete([*found.deleted, *stale])
    return rejected


_HALF = 16
"""Bytes of a state that stand for the content; the rest is for the place."""


def _key(point_id: str) -> bytes:
    """Return the id as 16 bytes: a million of them must fit."""
    return uuid.UUID(point_id).bytes


def _state(digest: str, place: str) -> bytes:
    """Return 16 bytes for the content and 8 for the place."""
    return (
        hashlib.blake2b(digest.encode(), digest_size=_HALF).digest()
        + hashlib.blake2b(place.encode(), digest_size=8).digest()
    )
