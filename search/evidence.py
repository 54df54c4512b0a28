"""What the confidence of an answer is computed from: numbers that any index and mode can give.

Scores tell whether a code base knows the topic. Whether it has the very answer shows in the first
hits: do they contain the words, the name or the code that is asked for? Which numbers are worth
having was chosen by the development half of the judged queries, each repository by a fit to others.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from itertools import combinations
from typing import TYPE_CHECKING

from search.asked import folded
from search.ranking import Relation
from storage.sparse import document_vector, stems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from search.asked import Asked
    from search.fusion import Candidate, Retriever
    from search.hit import Hit

_FIRST = 3
"""First candidates of two retrievers that are compared, and first hits that are looked at."""
_BY_NAME = frozenset({"identifier", "callers", "implementations"})
_TOKEN = re.compile(r"\w+|[^\w\s]")
_RUN = 3
"""Tokens in a row that code has to share."""


def evidence(
    query: str,
    asked: Asked,
    rankings: Mapping[Retriever, Sequence[Candidate]],
    hits: Sequence[Hit],
) -> dict[str, float]:
    """Return the evidence by name; the names depend on the retrievers only.

    `hits` are all that were ranked, not just those that are shown, so that a smaller answer is as
    sure as a larger one.
    """
    words = stems(query)
    return {**_of_rankings(rankings, len(words)), **_of_hits(query, asked, words, hits)}


def _of_rankings(rankings: Mapping[Retriever, Sequence[Candidate]], words: int) -> dict[str, float]:
    """Return how good the best candidates are, and how far the retrievers agree.

    By retriever, the score of its best candidate; that of `bm25` is divided by the number of words
    in the query. Under "agreement", the mean share of their first three that two retrievers have
    in common.
    """
    found: dict[str, float] = {
        retriever: ranking[0].score if ranking else 0.0 for retriever, ranking in rankings.items()
    }
    if "bm25" in found:
        found["bm25"] /= max(1, words)
    if len(found) == 1:
        return found
    found.pop("blocks", None)  # says little that `code` does not
    first = [_first_structures(ranking) for ranking in rankings.values()]
    shared = [len(ids & others) / _FIRST for ids, others in combinations(first, 2)]
    return {**found, "agreement": sum(shared) / len(shared)}


def _first_structures(ranking: Sequence[Candidate]) -> set[str]:
    """Return the first structures; several candidates may be blocks of one."""
    return set(list(dict.fromkeys(candidate.id for candidate in ranking))[:_FIRST])


def _of_hits(query: str, asked: Asked, words: set[int], hits: Sequence[Hit]) -> dict[str, float]:
    """Return what the first hits have of the query; all values are 0 to 1."""
    first = hits[:_FIRST]
    return {
        "words": _share(words, set(document_vector(hits[0].structure).indices)) if hits else 0.0,
        **_of_names(asked, hits, first),
        "asks_code": float(asked.kind == "code"),
        "shared_code": _shared_code(query, first) if asked.kind == "code" else 0.0,
    }


def _share(wanted: set[int], found: set[int]) -> float:
    return len(wanted & found) / max(1, len(wanted))


def _of_names(asked: Asked, hits: Sequence[Hit], first: Sequence[Hit]) -> dict[str, float]:
    """Return whether the query asks by a name, whether that was found, and how similar one is."""
    asks_name, found, similar = asked.kind in _BY_NAME, False, 0.0
    if asks_name:
        relation = Relation.of(asked, hits)
        found = any(relation.lift(hit) > 0 for hit in first)
    if asked.kind == "identifier":
        # An impl block is named after its type, which may be elsewhere.
        names = [hit.name for hit in first if hit.code_type != "Impl"]
        similar = max((_similarity(asked.name, name) for name in names), default=0.0)
    return {
        "asks_name": float(asks_name),
        "found_name": float(found),
        "similar_name": similar,
    }


def _similarity(name: str, other: str) -> float:
    """Return how similar two names are: 1 if they are the same, 0 if less than half is."""
    matcher = SequenceMatcher(None, folded(name), folded(other), autojunk=False)
    return max(0.0, 2 * matcher.ratio() - 1)


def _shared_code(query: str, hits: Sequence[Hit]) -> float:
    """Return the largest share of the query's runs of three tokens that one source has."""
    wanted = _runs(query)
    return max((len(wanted & _runs(hit.snippet)) for hit in hits), default=0) / max(1, len(wanted))


def _runs(code: str) -> set[tuple[str, ...]]:
    tokens = _TOKEN.findall(code)
    return set(zip(*(tokens[start:] for start in range(_RUN)), strict=False))
