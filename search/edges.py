"""Filters by what structures refer to, as conditions: calls, called_by, implements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.errors import SearchError, StructureMissing
from storage.query import Condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from search.filters import Filters
    from search.references import References, Target


def edge_conditions(filters: Filters, open_references: Callable[[], References]) -> list[Condition]:
    """Return what structures must meet; the references are opened if a filter asks for them.

    Only edges between the two count: no calls through a trait's member that the target implements.
    Guessed edges do. Raises SearchError if a value names nothing or several, ReferencesMissing if
    the index has no references.
    """
    if not (filters.calls or filters.called_by or filters.implements):
        return []
    return [*_conditions(filters, open_references())]


def _conditions(filters: Filters, references: References) -> Iterator[Condition]:
    def targets(name: str, values: tuple[str, ...]) -> tuple[Target, ...]:
        return tuple(_target(references, name, value) for value in values)

    if filters.calls:
        keys = tuple(target.key for target in targets("calls", filters.calls))
        yield Condition("refers_to", keys, others=("uses", "may_refer_to"))
    if filters.implements:
        keys = tuple(target.key for target in targets("implements", filters.implements))
        yield Condition("implements", keys)
    if filters.called_by:
        callers = targets("called_by", filters.called_by)
        callees = {key for caller in callers for key in _callees(caller)}
        yield Condition("id", tuple(sorted(callees)))


def _target(references: References, name: str, value: str) -> Target:
    try:
        return references.target(value)
    except StructureMissing as exc:
        raise SearchError(f"the filter {name}: {exc}") from exc


def _callees(target: Target) -> Iterator[str]:
    """Yield the ids of the structures that the target's own lines refer to."""
    if target.structure is not None:  # what is outside refers to nothing that is known
        yield from target.structure.refers_to
        yield from target.structure.may_refer_to
