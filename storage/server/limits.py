"""What a server's strict mode allows: hosted servers switch it on, for each collection.

Most servers allow everything, so nobody asks before a request is refused. Then the collection's
configuration says what is allowed, and where it does not, the refusal itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from storage.errors import RequestRejected, StorageError
from storage.server.described import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from qdrant_client import models

    from storage.server.connection import Connection

T = TypeVar("T")

_EXCEEDED = re.compile(r"Limit exceeded \d+ > (\d+) for \\?\"(?P<what>[\w ]+?)\\?\"")
_NOT_EXACT = "Exact search disabled"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for; None is as much as it likes."""

    points: int | None = None
    """Points, or values of a field, of one answer."""
    wait_s: int | None = None
    """Seconds that a request may wait for its work to be done."""
    batch_points: int | None = None
    """Points of one upsert."""
    searches: int | None = None
    """Queries of one request."""
    exact: bool = True
    """Whether exact counts are allowed."""

    def page(self, wanted: int) -> int:
        """Return how many points to ask for at once, at most as many as wanted."""
        return _least(wanted, self.points)

    def wait(self, wanted: float) -> int:
        """Return how many seconds a request may wait, at least 1."""
        return max(1, _least(int(wanted), self.wait_s))

    def batch(self, wanted: int) -> int:
        """Return how many points to send at once."""
        return _least(wanted, self.batch_points)


def _least(wanted: int, allowed: int | None) -> int:
    return wanted if allowed is None else min(wanted, allowed)


class CollectionLimits:
    """The limits of one collection, as far as they are known."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection, self._name = connection, name
        self.known = Limits()

    def within(self, request: Callable[[Limits], T]) -> T:
        """Return what the request returns; if strict mode refuses it, make it within the limits."""
        while True:
            allowed = self.known
            try:
                return request(allowed)
            except RequestRejected as exc:
                # What is no news any more, another thread may have learnt meanwhile.
                if not self.learn(str(exc)) and allowed == self.known:
                    raise

    def learn(self, refusal: str) -> bool:
        """Return whether the refusal is strict mode's, and says something that was not known."""
        learnt = learnt_from(refusal, self.known)
        if learnt == self.known:
            return False
        try:
            configured = limits_of(describe(self._connection, self._name).config.strict_mode_config)
        except StorageError:  # a key may be allowed to write, and not to look
            configured = Limits()
        self.known = _strictest(learnt, configured)
        return True


def limits_of(config: models.StrictModeConfigOutput | None) -> Limits:
    """Return what a collection's configuration allows."""
    if config is None or not config.enabled:
        return Limits()
    return Limits(
        points=config.max_query_limit,
        wait_s=config.max_timeout,
        batch_points=config.upsert_max_batchsize,
        searches=config.search_max_batchsize,
        exact=config.search_allow_exact is not False,
    )


def learnt_from(refusal: str, known: Limits) -> Limits:
    """Return the limits with what the refusal says of them."""
    if _NOT_EXACT in refusal:
        return replace(known, exact=False)
    found = _EXCEEDED.search(refusal)
    most = int(found[1]) if found else 0
    match found["what"] if found else "":
        case "limit":
            return replace(known, points=most)
        case "timeout":
            return replace(known, wait_s=most)
        case "upsert limit":
            return replace(known, batch_points=most)
        case "search batch size":
            return replace(known, searches=most)
    return known


def _strictest(first: Limits, second: Limits) -> Limits:
    def less(one: int | None, other: int | None) -> int | None:
        return other if one is None else _least(one, other)

    return Limits(
        points=less(first.points, second.points),
        wait_s=less(first.wait_s, second.wait_s),
        batch_points=less(first.batch_points, second.batch_points),
        searches=less(first.searches, second.searches),
        exact=first.exact and second.exact,
    )


def why_unusable(config: models.StrictModeConfigOutput | None, indexes: int, points: int) -> str:
    """Return why no run can end well under this strict mode; empty if one can.

    `indexes` is the number of payload indexes that are needed, `points` that of the points now.
    """
    if config is None or not config.enabled:
        return ""
    most = config.max_payload_index_count
    if most is not None and most < indexes:
        return f"strict mode allows {most} payload indexes (max_payload_index_count), not {indexes}"
    if config.max_points_count is not None and config.max_points_count <= points:
        return f"strict mode allows {config.max_points_count:,} points (max_points_count)"
    return ""


def restriction(config: models.StrictModeConfigOutput | None, candidates: int) -> str:
    """Return what searches have to do without; empty if nothing.

    `candidates` is the number of points that each retriever asks for.
    """
    most = limits_of(config).page(candidates)
    if most == candidates:
        return ""
    return (
        f"strict mode gives a search {most} points of each retriever (max_query_limit), "
        f"not search.candidates = {candidates}"
    )
