"""Structures that a query asks for by a name: candidates beside those that the retrievers find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsif.identifiers import spellings
from search.asked import spellings_by_convention
from search.fusion import Candidate
from search.ranking import TYPES
from storage.query import Condition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from search.asked import Asked
    from search.fusion import Retriever
    from search.retrievers import Query
    from storage.index import Generation

_MOST = 100
"""Candidates at most: hundreds of functions may be called `new`."""


def related(
    generation: Generation,
    query: Query,
    asked: Asked,
    rankings: Mapping[Retriever, Sequence[Candidate]],
    known: Iterable[Candidate],
) -> list[Candidate]:
    """Return the candidates that are not known already, at most 100, with the score 0.

    They are definitions of the name, implementations of the trait, or sources with its word.
    """
    if query.structures is None or not asked.path:
        return []
    with query.clock.phase("qdrant"):
        ids: list[str] = []
        if asked.kind == "identifier":
            names = spellings_by_convention(asked.name)
            ids = _where(generation, query, Condition("name", names))
        elif asked.kind == "implementations":
            ids = list(_implementations(generation, query, asked.name))
        if asked.kind != "identifier":  # callers and `derive` are known by the words in the source
            ids += [candidate.id for candidate in rankings.get("bm25", ())]
        seen = {candidate.id for candidate in known}
        new = [Candidate(found, 0.0) for found in dict.fromkeys(ids) if found not in seen]
    return new[:_MOST]


def _implementations(generation: Generation, query: Query, trait: str) -> Iterator[str]:
    """Yield the impl blocks of a trait, then their types."""
    of_trait = Condition("trait_name", spellings(trait)), Condition("code_type", ("Impl",))
    yield from _where(generation, query, *of_trait)
    # Without the filters: one that leaves out impl blocks may still want their types.
    names = generation.structures.select(("context.struct_name",), where=(*of_trait, *query.absent))
    types = tuple({str(row.values[0]) for row in names if row.values[0]})
    if types:
        is_type = Condition("code_type", tuple(sorted(TYPES)))
        yield from _where(generation, query, Condition("name", types), is_type)


def _where(generation: Generation, query: Query, *conditions: Condition) -> list[str]:
    """Return the ids that meet the conditions and the query's filters, tests last."""
    where = [*(query.structures or ()), *conditions]
    rows = generation.structures.select(("is_test", "context.file_path", "line"), where=where)
    return [row.id for row in sorted(rows, key=lambda row: row.values)]
