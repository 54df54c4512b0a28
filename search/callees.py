"""What a structure refers to, and what that refers to: the walk in the direction of the edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.graph import Node, implementing, node_of, read
from search.walk import Listed, Reached

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from lsif.structure import Structure
    from storage.index import Points

    _Last = Sequence[tuple[Reached, Structure]]
    """What the last step came to: from there the next one goes on."""


def callees(
    points: Points[Structure],
    structure: Structure,
    steps: int,
    most: int,
    code_types: Collection[str],
) -> Listed:
    """Return what the structure refers to in at most so many steps: at most so many.

    Structures of other kinds than `code_types` are left out, and no way leads through them. A
    trait's member is followed by what implements it, equally far away.
    """
    last: _Last = [(Reached(node_of(structure), 0, ""), structure)]
    found = dict[str, Reached]()
    for step in range(1, steps + 1):
        new: list[tuple[Reached, Structure]] = []
        for callee, record in _next(points, last, step, code_types, found):
            if callee.key in found:
                continue
            if len(found) >= most:
                return Listed(_ordered(found, structure), is_all=False)
            found[callee.key] = callee
            if record is not None:
                new.append((callee, record))
        last = sorted(new, key=lambda pair: pair[0].rank(structure.crate))
    return Listed(_ordered(found, structure), is_all=True)


def _ordered(found: Mapping[str, Reached], structure: Structure) -> list[Reached]:
    return sorted(found.values(), key=lambda callee: callee.rank(structure.crate))


def _next(
    points: Points[Structure],
    last: _Last,
    step: int,
    code_types: Collection[str],
    found: Mapping[str, Reached],
) -> Iterator[tuple[Reached, Structure | None]]:
    """Yield what the structures refer to; of symbols outside, no structure is known."""
    callers = {key: caller for key, caller in _named(last).items() if key not in found}
    members = dict[str, Reached]()
    for record in read(points, callers):
        if record.code_type in code_types:
            caller = callers[record.id]
            callee = members[record.id] = caller._replace(node=node_of(record), steps=step)
            yield callee, record
    through = dict[str, Reached]()
    for node in implementing(points, members):
        for member in members.keys() & set(node.implements):
            through[node.key] = members[member]._replace(node=node, through=member)
    for record in read(points, through):
        yield through[record.id], record
    for caller, structure in last:
        for symbol in structure.uses_called:
            yield Reached(Node(symbol), step, caller.key, None, caller.is_guessed), None


def _named(last: _Last) -> dict[str, Reached]:
    """Return how these lead on, by the ids that they refer to; guesses give way."""
    named = dict[str, Reached]()
    for caller, structure in last:
        way = Reached(caller.node, 0, caller.key, None, caller.is_guessed)
        named |= {key: way for key in structure.refers_to if key not in named}
    for caller, structure in last:
        way = Reached(caller.node, 0, caller.key, None, is_guessed=True)
        named |= {key: way for key in structure.may_refer_to if key not in named}
    return named
