"""What reaches some structures by references: one walk for callers, for tests, and for impact.

It goes from all targets at once, breadth first, and comes to each structure in as few steps as
possible, so cycles end. A call of a trait's member may run whatever implements it: that is one
step, too, which goes `through` the member. It reads nothing by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from search.lookup import is_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from search.graph import Edge, Node

    Ask = Callable[[Collection[str]], Iterable[Edge]]
    """Returns the edges that lead to one of some keys; the same more than once does no harm."""

_DIRECT, _GUESSED, _INDIRECT, _OUTSIDE = range(4)
"""Groups of what is equally far away, in this order."""


class Reached(NamedTuple):
    """A structure, or a symbol outside the index, that a walk came to."""

    node: Node
    steps: int
    """From the nearest target."""
    via: str
    """Key of what is one step nearer, which may be a target."""
    through: str | None = None
    """Key of the trait's member that the last step goes through."""
    is_guessed: bool = False
    """Whether only names say so, of one of the steps at least."""

    @property
    def key(self) -> str:
        """Id of the structure; else the symbol."""
        return self.node.key

    def rank(self, crate: str | None = None) -> tuple[Any, ...]:
        """Return the sort key of answers.

        What is nearer comes first, then what is known, of the crate (if one is given), no test
        code, and used more.
        """
        _, _, _, of_crate, is_test, references, *place = self.node
        is_abroad = crate is not None and of_crate != crate
        return self.steps, self._group(), is_abroad, is_test, -references, *place, self.key

    def _group(self) -> int:
        if self.node.is_outside:
            return _OUTSIDE
        return _INDIRECT if self.through else _GUESSED if self.is_guessed else _DIRECT


class Walked:
    """What reaches the targets, as far as it was followed."""

    def __init__(self, targets: Iterable[str], most: int) -> None:
        self.found: dict[str, Reached] = {}
        """By id, the nearest first. A target is among them if it reaches another one, or itself."""
        self.is_all = True
        """Whether nothing was left out."""
        self._most = most
        self._bit_of = {target: 1 << number for number, target in enumerate(targets)}
        self._targets_of = dict[str, int]()
        """Bits of the targets that a structure reaches."""

    def counts(self, ids: Collection[str]) -> dict[str, int]:
        """Return how many of these ids reach each target, besides itself."""
        width = len(self._bit_of) // 8 + 1
        totals = np.zeros(8 * width, np.int64)
        for key in ids:
            bits = self._targets_of.get(key, 0) & ~self._bit_of.get(key, 0)
            row = np.frombuffer(bits.to_bytes(width, "little"), np.uint8)
            totals += np.unpackbits(row, bitorder="little")
        return dict(zip(self._bit_of, totals.tolist(), strict=False))

    def bits(self, key: str) -> int:
        """Return the bits of the targets that the structure reaches or is."""
        return self._targets_of.get(key, 0) | self._bit_of.get(key, 0)

    def ordered(self, crate: str | None = None) -> Listed:
        """Return what reaches them, by rank."""
        items = sorted(self.found.values(), key=lambda reached: reached.rank(crate))
        return Listed(items, self.is_all)

    def note(self, reached: Reached, targets: int) -> bool:
        """Note that the structure reaches these targets; return whether that is news.

        Of several ways to a structure the first that is noted counts.
        """
        known = self._targets_of.get(reached.key, 0)
        if known | targets == known:
            return False
        if not known:
            if len(self.found) >= self._most:
                self.is_all = False
                return False
            self.found[reached.key] = reached
        self._targets_of[reached.key] = known | targets
        return True


class Listed(NamedTuple):
    """What a walk came to, in the order of an answer."""

    items: list[Reached]
    is_all: bool
    """Whether there is no more of it."""


def walk(
    ask: Ask, targets: Iterable[Node], steps: int, most: int, *, through_outside: bool = False
) -> Walked:
    """Return what reaches the targets in at most so many steps: at most so many structures.

    A call of a member of a trait outside, such as `Clone::clone`, may run too much to say anything
    of one type. Only `through_outside` follows those.
    """
    starts = [Reached(node, 0, "") for node in targets]
    walked, edges = Walked([start.key for start in starts], most), _Edges(ask, most)
    last: Iterable[Reached] = starts
    for step in range(1, steps + 1):
        new = dict[str, Reached]()
        for edge, way in _ways_to(last, walked, edges, through_outside=through_outside):
            is_guessed = edge.is_guessed or way.is_guessed
            reached = Reached(edge.source, step, way.via, way.through, is_guessed)
            if walked.note(reached, way.targets):
                new.setdefault(reached.key, reached)
        last = new.values()
    walked.is_all &= edges.is_all
    return walked


class _Way(NamedTuple):
    """Where an edge leads: to what the last step came to."""

    via: str
    targets: int
    """Bits of those that `via` reaches or is."""
    through: str | None
    is_guessed: bool


class _Edges:
    """The edges to some keys; each key is asked for once."""

    def __init__(self, ask: Ask, most: int) -> None:
        self._ask, self._most = ask, most
        self._known: dict[str, dict[str, Edge]] = {}
        """By their target, then by their source."""
        self.is_all = True
        """Whether no answer had more than so many sources: of such a one the rest is left out."""

    def to(self, keys: Collection[str]) -> Iterator[Edge]:
        """Yield the edges to the keys, in the order of these; one that is known is not guessed."""
        new: dict[str, dict[str, Edge]] = {key: {} for key in keys if key not in self._known}
        self._known |= new
        sources = set[str]()
        for edge in self._ask(new) if new else ():
            if len(sources) >= self._most and edge.source.key not in sources:
                self.is_all = False
                break
            sources.add(edge.source.key)
            known = new[edge.target].setdefault(edge.source.key, edge)
            if known.is_guessed:
                new[edge.target][edge.source.key] = edge
        for key in keys:
            yield from self._known[key].values()


def _ways_to(
    last: Iterable[Reached], walked: Walked, edges: _Edges, *, through_outside: bool
) -> list[tuple[Edge, _Way]]:
    """Return the edges to these and where each leads: what is known first, traits last."""
    direct, through = dict[str, _Way](), dict[str, _Way]()
    for reached in sorted(last, key=Reached.rank):
        key, targets, is_guessed = reached.key, walked.bits(reached.key), reached.is_guessed
        direct[key] = _Way(key, targets, None, is_guessed)
        for member in reached.node.implements:
            if through_outside or is_id(member):
                known = through.get(member) or _Way(key, 0, member, is_guessed)
                through[member] = known._replace(targets=known.targets | targets)
    found = [
        (edge, way)
        for edge in edges.to({**direct, **through})
        for way in (direct.get(edge.target), through.get(edge.target))
        if way is not None and not (way.through and edge.source.code_type == "Impl")
    ]  # the head of an impl block names the trait: it uses no other impl block of that
    return sorted(found, key=_how_sure)


def _how_sure(found: tuple[Edge, _Way]) -> tuple[bool, bool]:
    edge, way = found
    return way.through is not None, edge.is_guessed or way.is_guessed
