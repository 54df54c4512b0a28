"""What the references tell of a query that asks for a relation to a name.

"Who calls X", "implementations of X" and "tests of X" are answered by them, if X is one structure,
or one symbol outside. If not, or if there are none, the words of the query have to do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from search.answer import FromReferences
from search.asked import relation_asked
from search.errors import ReferencesMissing, SearchError, StructureMissing
from search.fusion import Candidate
from storage.query import Condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from search.asked import Asked
    from search.hit import Hit
    from search.references import References, Target

_SCORE = 10_000.0
"""Of what is told, or more: above all that words find."""
_NAMES_OF_WORDS = frozenset({"Module", "Const", "Static"})
"""Kinds of structures whose names are often words of a sentence, too."""


@dataclass(frozen=True, slots=True)
class Told:
    """The structures that have the relation."""

    asked: Asked
    target: Target
    ids: tuple[str, ...]
    """In order, at most as many as a walk comes to; those that meet the query's filters."""

    @property
    def is_complete(self) -> bool:
        """Whether it is the whole answer. Types that derive a trait have no impl block to tell."""
        return self.asked.kind != "implementations"

    def summary(self) -> FromReferences:
        """Return what the answer says of it."""
        structure = self.target.structure
        key, symbol = (
            (None, self.target.key) if structure is None else (structure.id, structure.symbol)
        )
        return FromReferences(self.asked.kind, key, symbol, len(self.ids))

    def candidates(self, count: int) -> list[Candidate]:
        """Return the first structures as candidates, with the score 0."""
        return [Candidate(key, 0.0) for key in self.ids[:count]]

    def first(self, hits: Iterable[Hit]) -> list[Hit]:
        """Return the hits that are told, in order, then the others, if they may be answers."""
        order = {key: rank for rank, key in enumerate(self.ids)}
        told = [
            replace(hit, score=_SCORE * (1 + 1 / (1 + order[hit.id])))
            for hit in hits
            if hit.id in order
        ]
        others = [] if self.is_complete else [hit for hit in hits if hit.id not in order]
        return sorted(told, key=lambda hit: order[hit.id]) + others


def tell(
    open_references: Callable[[], References], query: str, where: Sequence[Condition]
) -> Told | None:
    """Return what the references tell of the query, confined to what meets the conditions.

    The references are opened if it asks for a relation. None if it asks for none, if the name is
    unknown or of several, if nothing has the relation, or if the index has no references.
    """
    found = relation_asked(query)
    if found is None:
        return None
    asked, name = found
    try:
        references = open_references()
        target = references.target(name)
    except (ReferencesMissing, SearchError, StructureMissing):
        return None
    if not asked.path[1:] and _may_be_a_word(target):
        return None
    ranked = references.ranked(asked.kind, target)
    if where:
        fitting = [*where, Condition("id", tuple(ranked))]
        kept = {row.id for row in references.lookup.generation.structures.select((), where=fitting)}
        ranked = [key for key in ranked if key in kept]
    return Told(asked, target, tuple(ranked)) if ranked else None


def _may_be_a_word(target: Target) -> bool:
    structure = target.structure
    return (
        structure is not None
        and structure.code_type in _NAMES_OF_WORDS
        and structure.name.islower()
    )
