"""The searcher: one generation, an encoder a named vector, several ways to search.

A query goes through its mode's retrievers (search.retrievers), whose rankings become one: by `text`, `code`, `bm25`, `blocks` that of one retriever,
by `merged` the rule of Qdrant's demo, by `hybrid` a fusion of all (search.fusion). Records of what is shown are read at the end.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from search import limits
from search.answer import GROUPINGS, MODES, Answer, Group, Stopwatch
from search.confidence import evidence
from search.errors import SearchError
from search.filters import Filters
from search.fusion import deduplicate, merge, normalised_scores, reciprocal_ranks
from search.hit import Hit
from search.lines import with_lines
from search.lookup import Lookup
from search.retrievers import RETRIEVERS_OF, Query
from storage.sparse import query_vector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from configs.settings import SearchSettings
    from embedding.encoder import Encoder
    from embedding.reranker import Reranker
    from lsif.structure import Structure
    from search.answer import GroupBy, Mode
    from search.confidence import Calibration
    from search.fusion import Candidate, Retriever
    from search.retrievers import Vector
    from storage.index import Generation

_CACHED_QUERIES = 1024
_LEAST_READ = 50
"""Records that are read at least: where tests sink, others rise into their places."""
_GROUP_ATTRIBUTES: dict[GroupBy, str] = {
    "module": "context.module",
    "file": "context.file_path",
    "crate": "crate",
    "kind": "code_type",
}
"""Where a structure has what its hits are grouped by."""


class Searcher(Lookup):
    """Answers queries from one generation. Several threads may use it.

    `load(vector)` gives the encoder of a named vector, `load_reranker()` the reranker; both are called when first needed, once.
    Without a calibration for its models the confidence of answers is not known.
    """

    def __init__(
        self,
        generation: Generation,
        load: Callable[[str], Encoder],
        settings: SearchSettings,
        load_reranker: Callable[[], Reranker],
        calibration: Calibration | None = None,
    ) -> None:
        super().__init__(generation)
        self._calibration = calibration
        self._load, self._load_reranker = load, load_reranker
        self._settings = settings
        self._reranker: Reranker | None = None
        self._encoders: dict[str, Encoder] = {}
        self._model_lock = threading.RLock()
        self._encoded: OrderedDict[tuple[int, str], NDArray[np.float32]] = OrderedDict()

    def search(
        self,
        query: str,
        mode: Mode = "hybrid",
        *,
        limit: int | None = None,
        filters: Filters | None = None,
        group_by: GroupBy | None = None,
        group_size: int | None = None,
        lines: bool = False,
    ) -> Answer:
        """Return at most `limit` hits, best first; with `group_by` as many groups of at most `group_size` hits each.

        With `lines` each hit has the lines that match best. Raises SearchError for what can't be searched with.
        """
        _check(query)
        _check_name("mode", mode, MODES)
        clock = Stopwatch()
        with clock.phase("encode"):
            vectors = {
                retriever: self._vector(retriever, query) for retriever in self._retrievers(mode)
            }
        asked = Query.of(vectors, filters or Filters(), self.files, clock)
        limit = _within("limit", limit, self._settings.limit, limits.ENGINE.hits)
        answer = self._answer(asked, query, mode, limit, group_by, group_size)
        if lines:
            answer = replace(answer, hits=with_lines(answer.hits, query))
        return replace(answer, latency_ms=clock.read())

    def similar(
        self,
        structure_id: str,
        mode: Mode = "hybrid",
        *,
        limit: int | None = None,
        filters: Filters | None = None,
        group_by: GroupBy | None = None,
        group_size: int | None = None,
    ) -> Answer:
        """Return the structures most like this one, itself left out, by its own vectors: mode hybrid (both), text or code.

        Raises StructureMissing where the index has no such structure, SearchError for another mode.
        """
        retrievers: dict[Mode, tuple[Retriever, ...]] = {
            "hybrid": ("text", "code"),
            "text": ("text",),
            "code": ("code",),
        }
        if mode not in retrievers:
            raise SearchError(
                f"structures can't be compared by {mode}; expected {', '.join(retrievers)}."
            )
        clock = Stopwatch()
        with clock.phase("qdrant"):
            stored = self.stored(structure_id, vectors=True)
        vectors: dict[Retriever, Vector] = {
            retriever: np.array(stored.vectors[retriever], dtype=np.float32)
            for retriever in retrievers[mode]
        }
        asked = Query.of(vectors, filters or Filters(), self.files, clock)
        limit, symbol = (
            _within("limit", limit, self._settings.limit, limits.ENGINE.hits),
            stored.record.symbol,
        )
        answer = self._answer(
            asked, symbol, mode, limit, group_by, group_size, without=structure_id
        )
        return replace(answer, latency_ms=clock.read())

    def _retrievers(self, mode: Mode) -> list[Retriever]:
        """Return the mode's retrievers; of `hybrid` those that weigh something."""
        return [
            retriever
            for retriever in RETRIEVERS_OF[mode]
            if mode != "hybrid" or self._weight(retriever)
        ]

    def _weight(self, retriever: Retriever) -> float:
        weight: float = getattr(self._settings.weights, retriever)
        return weight

    def _vector(self, retriever: Retriever, query: str) -> Vector:
        """Return the query's vector for a retriever; those of an encoder are kept, several retrievers and later queries may want them."""
        if retriever == "bm25":
            return query_vector(query)
        name = "code" if retriever == "blocks" else retriever
        with self._model_lock:  # models are not made for several threads
            if name not in self._encoders:
                self._encoders[name] = self._load(name)
            encoder = self._encoders[name]
            key = (id(encoder), query)
            if key not in self._encoded:
                self._encoded[key] = encoder.encode_queries([query])[0]
            self._encoded.move_to_end(key)
            while len(self._encoded) > _CACHED_QUERIES:
                self._encoded.popitem(last=False)
            return self._encoded[key]

    def _answer(
        self,
        asked: Query,
        text: str,
        mode: Mode,
        limit: int,
        group_by: GroupBy | None,
        group_size: int | None,
        without: str = "",
    ) -> Answer:
        """Return the answer but for its latency: retrievers, fusion, reranking, groups, records."""
        if group_by is not None:
            _check_name("group", group_by, GROUPINGS)
        size = _within("group size", group_size, self._settings.group_size, limits.ENGINE.group)
        wanted = limit + bool(without) if group_by is None else min(limits.DEPTH, limit * size)
        while True:
            depth = max(wanted, self._settings.candidates)
            retrievers = asked.run(self.generation, depth)
            everything = all(len(ranking) < depth for ranking in retrievers.values())
            hits, left_out = self._ranked(retrievers, mode, wanted, asked.clock)
            hits = [hit for hit in hits if hit.id != without]
            if self._settings.rerank.model and hits and not without:
                hits = self._reranked(hits, text, asked.clock)
            chosen, groups = (
                (hits[:limit], None) if group_by is None else _grouped(hits, group_by, limit, size)
            )
            enough = (
                len(chosen) == limit or mode == "merged" if groups is None else len(groups) == limit
            )
            if enough or (everything and not left_out) or wanted >= limits.DEPTH:
                break
            wanted = min(limits.DEPTH, wanted * 4)  # too few so far, and there is more to be had
        found = evidence(retrievers, len(query_vector(text).indices))
        confidence = (
            None
            if without or self._calibration is None
            else self._calibration.confidence(mode, found)
        )
        metadata = self.generation.metadata
        return Answer(
            text,
            mode,
            metadata.project,
            metadata.branch,
            metadata.commit,
            metadata.dirty,
            self.generation.name,
            confidence,
            confidence is None or confidence >= self._settings.no_answer_below,
            {},
            chosen,
            groups,
            found,
        )

    def _ranked(
        self,
        retrievers: Mapping[Retriever, list[Candidate]],
        mode: Mode,
        wanted: int,
        clock: Stopwatch,
    ) -> tuple[list[Hit], bool]:
        """Return what the retrievers found, best first, as much as is wanted and some more; and whether something is left out."""
        settings = self._settings
        if mode == "merged":
            scale = max(
                1.0, wanted / settings.limit
            )  # a longer answer than usual asks for more of both, in the same proportion
            by_text = retrievers["text"][: round(settings.text_hits * scale)]
            by_code = sorted(
                [*retrievers["code"], *retrievers["blocks"]], key=lambda found: -found.score
            )[: round(settings.code_hits * scale)]
            records = self._records([*by_text, *by_code], clock)
            text_hits, code_hits = (
                _hits(found, records, retrievers) for found in (by_text, by_code)
            )
            return merge(text_hits, code_hits), len(by_text) + len(by_code) < sum(
                map(len, retrievers.values())
            )
        ranked = self._fused(
            {retriever: deduplicate(found) for retriever, found in retrievers.items()}
        )
        first = ranked[: max(2 * wanted, settings.rerank.top, _LEAST_READ)]
        hits = _hits(first, self._records(first, clock), retrievers)
        if mode == "hybrid":
            hits = [
                replace(hit, score=hit.score * settings.test_weight) if hit.is_test else hit
                for hit in hits
            ]
            hits.sort(key=lambda hit: -hit.score)
        return hits, len(first) < len(ranked)

    def _fused(self, rankings: Mapping[Retriever, list[Candidate]]) -> list[Candidate]:
        if len(rankings) == 1:
            (ranked,) = rankings.values()
            return ranked
        weights = {retriever: self._weight(retriever) for retriever in rankings}
        if not any(
            weights.values()
        ):  # what is similar is told by vectors, even if a search goes by words alone
            weights = dict.fromkeys(rankings, 1.0)
        if self._settings.fusion == "rrf":
            return reciprocal_ranks(rankings, weights, self._settings.rrf_k)
        return normalised_scores(rankings, weights)

    def _reranked(self, hits: list[Hit], text: str, clock: Stopwatch) -> list[Hit]:
        """Return the hits with the first few in the order of a cross-encoder."""
        first, rest = hits[: self._settings.rerank.top], hits[self._settings.rerank.top :]
        with clock.phase("encode"), self._model_lock:
            if self._reranker is None:
                self._reranker = self._load_reranker()
            scores = self._reranker.score(
                text,
                [f"{hit.symbol}\n{hit.structure.docstring or ''}\n{hit.snippet}" for hit in first],
            )
        ranked = [replace(hit, score=score) for hit, score in zip(first, scores, strict=True)]
        return sorted(ranked, key=lambda hit: -hit.score) + rest

    def _records(self, found: Sequence[Candidate], clock: Stopwatch) -> dict[str, Structure]:
        """Return the structures that were found; of what was deleted since, in an index that is changed in place, there is none."""
        ids = list(dict.fromkeys(one.id for one in found))
        with clock.phase("qdrant"):
            return (
                {
                    point.id: point.record
                    for point in self.generation.structures.retrieve(ids, vectors=False)
                }
                if ids
                else {}
            )


def _hits(
    found: Sequence[Candidate],
    records: Mapping[str, Structure],
    retrievers: Mapping[Retriever, Sequence[Candidate]],
) -> list[Hit]:
    """Return what was found as hits with the scores of all retrievers."""
    scores: dict[str, dict[str, float]] = {one.id: {} for one in found}
    for retriever, ranking in retrievers.items():
        for one in reversed(ranking):  # a structure's best block is noted last
            if one.id in scores:
                scores[one.id][retriever] = one.score
    return [
        Hit(records[one.id], one.score, scores[one.id], one.ranges[: limits.RANGES])
        for one in found
        if one.id in records
    ]


def _grouped(
    hits: list[Hit], group_by: GroupBy, limit: int, size: int
) -> tuple[list[Hit], list[Group]]:
    """Return the first `size` hits of each of the first `limit` groups, and the groups."""
    value_of = attrgetter(_GROUP_ATTRIBUTES[group_by])
    groups: dict[str, list[Hit]] = {}
    for hit in hits:
        value = value_of(hit.structure)
        if value in groups or len(groups) < limit:
            group = groups.setdefault(value, [])
            if len(group) < size:
                group.append(hit)
    chosen = [hit for group in groups.values() for hit in group]
    return chosen, [Group(value, tuple(hit.id for hit in group)) for value, group in groups.items()]


def _within(what: str, given: int | None, usual: int, most: int) -> int:
    number = usual if given is None else given
    if not 1 <= number <= most:
        raise SearchError(f"the {what} is {number}; expected 1 to {most}.")
    return number


def _check_name(what: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise SearchError(f"there is no {what} {name!r}; expected {', '.join(names)}.")


def _check(query: str) -> None:
    try:
        query.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise SearchError("the query is not valid UTF-8.") from exc
    if not query.strip():
        raise SearchError("the query is empty; expected some words or a piece of code.")
    if len(query) > limits.ENGINE.query:
        raise SearchError(
            f"the query has {len(query):,} characters; expected at most {limits.ENGINE.query:,}."
        )
