"""What differs between the points that are stored and those that should be, and bringing them together.

The difference is taken from what the index itself says, id and digests, so it holds after any interruption. New and changed points
are written with their vectors, those that only moved get their lines, those that are gone are deleted last.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from storage.points import READ_AT_ONCE, batched
from storage.schema import PLACE, label_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from storage.index import Points, Refusal
    from storage.points import Record


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
            "deleted": {point_id: self.deleted_labels.get(point_id, point_id) for point_id in self.deleted},
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as plain data."""
        return {**self.parts(), "unchanged": self.unchanged}

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self.everything or self.written or self.moved)


def difference(points: Points, records: Iterable[Record]) -> Difference:
    """Return what has to change so that the points are the records."""
    stored = {
        _key(one.id): _state(str(one.payload.get("digest")), str(one.payload.get(PLACE)))
        for one in points.scroll(["digest", PLACE])
    }
    found, unchanged = Difference(), 0
    for record in records:
        there, wanted = stored.pop(_key(record.id), None), _state(record.digest, record.place)
        if there is None:
            found.added[record.id] = record.label()
        elif there[:_HALF] != wanted[:_HALF]:
            found.changed[record.id] = record.label()
        elif there != wanted:
            found.moved[record.id] = record.label()
        else:
            unchanged += 1
    deleted = [str(uuid.UUID(bytes=key)) for key in stored]
    return Difference(found.added, found.changed, found.moved, deleted, unchanged=unchanged)


def with_deleted_labels(found: Difference, points: Points) -> Difference:
    """Return the difference with the names of what is deleted, which the index alone knows."""
    labels = {}
    for batch in batched(iter(found.deleted), READ_AT_ONCE):
        for one in points.retrieve(batch):
            labels[one.id] = label_of(one.payload)
    return replace(found, deleted_labels=labels)


def equal(points: Points, records: Iterable[Record]) -> tuple[bool, int, int]:
    """Return whether the points are the records, and the numbers of either, points first; in memory for no more than one."""
    sums, counts = [0, 0], [0, 0]
    stored = ((one.id, str(one.payload.get("digest")), str(one.payload.get(PLACE))) for one in points.scroll(["digest", PLACE]))
    wanted = ((one.id, one.digest, one.place) for one in records)
    for side, rows in enumerate((stored, wanted)):
        for row in rows:
            counts[side] += 1
            sums[side] += int.from_bytes(hashlib.blake2b("\0".join(row).encode(), digest_size=16).digest(), "big")
    return counts[0] == counts[1] and sums[0] == sums[1], counts[0], counts[1]


def apply(points: Points, found: Difference, records: Iterable[Record], moving: Iterable[str]) -> list[Refusal]:
    """Bring the points to what the records say; return those that were refused. Their former versions are deleted, too.

    `moving` names the fields of a payload that change where a point moves.
    """
    fields, places = (*moving, PLACE), list[tuple[str, dict[str, object]]]()

    def writing() -> Iterable[Record]:
        for record in records:
            if found.everything or record.id in found.added or record.id in found.changed:
                yield record
            elif record.id in found.moved:
                payload = record.payload()
                places.append((record.id, {name: payload[name] for name in fields}))

    refused = points.upsert(record.point() for record in writing())
    points.set_payloads(places)
    stale = [one.id for one in refused if one.id in found.changed]
    points.delete([*found.deleted, *stale])
    return refused


_HALF = 16
"""Bytes of a state that stand for the content; the rest is for the place."""


def _key(point_id: str) -> bytes:
    """Return the id as 16 bytes: a million of them must fit."""
    return uuid.UUID(point_id).bytes


def _state(digest: str, place: str) -> bytes:
    """Return 16 bytes for the content and 8 for the place."""
    return hashlib.blake2b(digest.encode(), digest_size=_HALF).digest() + hashlib.blake2b(place.encode(), digest_size=8).digest()
