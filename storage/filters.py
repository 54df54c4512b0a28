"""Filters that no point can meet. Qdrant is not asked about them.

A server takes no heed of a condition in `must_not` that is in `must`, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from storage.query import Condition, Nearest, ScoredPoint, Where


def excludes_itself(where: Where) -> bool:
    """Return whether no point can meet the conditions, because one excludes what another asks for.

    >>> from storage.query import Condition
    >>> tests = Condition("is_test", (True,))
    >>> excludes_itself([tests, Condition("is_test", (True, False), negated=True)])
    True
    >>> excludes_itself([tests, Condition("crate", ("core",), negated=True)])
    False
    >>> used = Condition("refers_to", ("a",), others=("uses",))
    >>> excludes_itself([used, Condition("refers_to", ("a",), negated=True)])
    False
    """
    return any(
        _fields(wanted) <= _fields(unwanted) and set(wanted.values) <= set(unwanted.values)
        for wanted in where
        for unwanted in where
        if unwanted.negated and not wanted.negated
    )


def _fields(condition: Condition) -> set[str]:
    return {condition.field, *condition.others}


def search_possible(
    queries: Sequence[Nearest], search: Callable[[Sequence[Nearest]], list[list[ScoredPoint]]]
) -> list[list[ScoredPoint]]:
    """Return what `search` finds for each query; those that exclude themselves are not asked."""
    possible = [query for query in queries if not excludes_itself(query.where)]
    found = iter(search(possible) if possible else ())
    return [[] if excludes_itself(query.where) else next(found) for query in queries]
