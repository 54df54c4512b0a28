"""A walk along the edges of a generation: from a target to what refers to it, or the other way.

An edge leads from a structure to what its own lines refer to. A call of a trait's member may run
whatever implements it: that is one edge, too, which goes `through` the member. A walk comes to each
structure once, in as few steps as possible, so cycles end; it stops when it has come to MOST.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from search import limits
from storage.index import Condition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from lsif.structure import Structure
    from storage.index import Points

MOST = limits.WALKED
"""Structures that a walk comes to; of more, the rest is only known to exist."""
_IDS = 1_000
"""Ids in one filter."""
_READ = 200
"""Structures that are read at once."""
_DIRECT, _GUESSED, _INDIRECT, _OUTSIDE = range(4)
"""Groups of what is equally far away, in this order."""
_RANKED_BY = ("crate", "is_test", "references", "context.file_path", "line")


class Reached(NamedTuple):
    """A structure, or a symbol outside the index, that a walk came to."""

    key: str
    """Id of the structure; else the symbol."""
    rank: tuple[Any, ...] = ()
    """What comes first is smaller: it is nearer, of the target's crate, no test, used more."""
    steps: int = 0
    via: str | None = None
    """Id of the structure one step nearer to the target; None if that is the target."""
    through: str | None = None
    """Key of the trait's member that the last step goes through."""
    is_guessed: bool = False
    """Whether only names say so, of one of the steps at least."""
    is_test: bool = False
    """Whether it is a function of test code."""
    is_outside: bool = False
    implements: tuple[str, ...] = ()
    """Keys of the traits' members that it implements; known on the way to callers only."""


class _Way(NamedTuple):
    """How a walk goes on from a structure."""

    key: str
    through: str | None = None
    is_guessed: bool = False


class Walk:
    """Walks from one target."""

    def __init__(self, points: Points[Structure], key: str, structure: Structure | None) -> None:
        """Start at the structure, whose id is the key, or at a symbol outside the index."""
        self._points, self._key, self._structure = points, key, structure

    def callers(self, steps: int) -> list[Reached]:
        """Return the structures that refer to the target, in at most so many steps."""
        implements = self._structure.implements if self._structure is not None else ()
        last = [Reached(self._key, implements=implements)]
        found: dict[str, Reached] = {}
        for step in range(1, steps + 1):
            new: dict[str, Reached] = {}
            for caller in self._callers_of(last, step):
                known = new.get(caller.key)
                if caller.key not in found and (known is None or caller.rank < known.rank):
                    new[caller.key] = caller
                if len(found) + len(new) >= MOST:
                    return [*found.values(), *new.values()]
            found |= new
            last = sorted(new.values(), key=lambda caller: caller.rank)
        return [*found.values()]

    def callees(self, steps: int, code_types: Collection[str]) -> list[Reached]:
        """Return what the target refers to, in at most so many steps.

        Structures of other kinds than `code_types` are left out, and no way leads through them.
        """
        last = [] if self._structure is None else [(Reached(self._key), self._structure)]
        found: dict[str, Reached] = {}
        for step in range(1, steps + 1):
            new: list[tuple[Reached, Structure]] = []
            for callee, structure in self._callees_of(last, step, code_types, found):
                if callee.key in found:
                    continue
                found[callee.key] = callee
                if structure is not None:
                    new.append((callee, structure))
                if len(found) >= MOST:
                    return [*found.values()]
            last = sorted(new, key=lambda pair: pair[0].rank)
        return [*found.values()]

    def implementations(self) -> list[Reached]:
        """Return the impl blocks of a trait, or the members of impl blocks of a trait's member."""
        rows = select(self._points, _RANKED_BY, "implements", [self._key])
        way = _Way(self._key)
        return [self._reached(key, values, way, 1) for key, values in islice(rows, MOST)]

    def _callers_of(self, last: Sequence[Reached], step: int) -> Iterator[Reached]:
        """Yield what refers to one of the structures; the same one may come several times."""
        ways = _ways_to(last)
        for field in ("refers_to", "uses", "may_refer_to"):
            names = (field, "implements", "code_type", *_RANKED_BY)
            rows = select(self._points, names, field, ways)
            for key, (named, implements, code_type, *values) in rows:
                known = [ways[name] for name in named or () if name in ways]
                way = min(known, key=lambda way: (way.through is not None, way.is_guessed))
                if way.through is not None and code_type == "Impl":
                    continue  # its head names the trait: it uses no other impl block of that
                if field == "may_refer_to":
                    way = way._replace(is_guessed=True)
                caller = self._reached(key, values, way, step, implements)
                yield caller if code_type == "Function" else caller._replace(is_test=False)

    def _callees_of(
        self,
        last: Sequence[tuple[Reached, Structure]],
        step: int,
        code_types: Collection[str],
        found: Mapping[str, Reached],
    ) -> Iterator[tuple[Reached, Structure | None]]:
        """Yield what the structures refer to; of symbols outside, no structure is known."""
        ways = {key: way for key, way in _ways_from(last).items() if key not in found}
        members: dict[str, _Way] = {}
        for structure in read(self._points, ways):
            if structure.code_type in code_types:
                way = members[structure.id] = ways[structure.id]
                yield self._reached(structure.id, _values_of(structure), way, step), structure
        implementing = {
            key: members[member]._replace(through=member)
            for key, (implements,) in select(self._points, ("implements",), "implements", members)
            for member in implements or ()
            if member in members
        }
        for structure in read(self._points, implementing):
            way = implementing[structure.id]
            yield self._reached(structure.id, _values_of(structure), way, step), structure
        for caller, structure in last:
            via = caller.key if step > 1 else None
            for symbol in structure.uses:
                callee = Reached(symbol, (step, _OUTSIDE, symbol), step, via, is_outside=True)
                yield callee._replace(is_guessed=caller.is_guessed), None

    def _reached(
        self,
        key: str,
        values: Sequence[Any],
        way: _Way,
        step: int,
        implements: Sequence[str] | None = (),
    ) -> Reached:
        """Return the structure that the way leads to; `values` are those of _RANKED_BY."""
        crate, is_test, references, file_path, line = values
        own = self._structure.crate if self._structure is not None else crate
        group = _INDIRECT if way.through else _GUESSED if way.is_guessed else _DIRECT
        rank = (step, group, crate != own, bool(is_test), -(references or 0), file_path, line)
        via = way.key if step > 1 else None
        return Reached(
            key,
            rank,
            step,
            via,
            way.through,
            is_guessed=way.is_guessed,
            is_test=bool(is_test),
            implements=tuple(implements or ()),
        )


def select(
    points: Points[Structure], names: Sequence[str], field: str, keys: Iterable[str]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield id and fields of the structures whose `field` has one of the keys.

    One that has several of many keys may come more than once.
    """
    wanted = sorted(keys)
    for begin in range(0, len(wanted), _IDS):
        where = [Condition(field, tuple(wanted[begin : begin + _IDS]))]
        for row in points.select(names, where=where):
            yield row.id, row.values


def read(points: Points[Structure], ids: Iterable[str]) -> Iterator[Structure]:
    """Yield the structures of these ids; the index may lack some that Qdrant rejected."""
    waiting = iter(ids)
    while batch := [*islice(waiting, _READ)]:
        yield from (point.record for point in points.retrieve(batch, vectors=False))


def _ways_to(last: Sequence[Reached]) -> dict[str, _Way]:
    """Return the ways to these by what callers name: themselves, or what they implement."""
    through = {
        member: _Way(item.key, member, item.is_guessed)
        for item in reversed(last)
        for member in item.implements
    }
    return through | {item.key: _Way(item.key, None, item.is_guessed) for item in last}


def _ways_from(last: Sequence[tuple[Reached, Structure]]) -> dict[str, _Way]:
    """Return the ways from these by the ids that they refer to; guesses give way."""
    ways: dict[str, _Way] = {}
    for caller, structure in last:
        for callee in structure.refers_to:
            ways.setdefault(callee, _Way(caller.key, None, caller.is_guessed))
    for caller, structure in last:
        for callee in structure.may_refer_to:
            ways.setdefault(callee, _Way(caller.key, None, is_guessed=True))
    return ways


def _values_of(structure: Structure) -> tuple[Any, ...]:
    """Return the values of _RANKED_BY."""
    path, line = structure.context.file_path, structure.line
    return structure.crate, structure.is_test, structure.references, path, line
