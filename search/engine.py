"""The searcher: answers queries from one generation of an index.

A query goes through the retrievers of its mode (search.retrievers). Their rankings become one: the
modes `text`, `code`, `bm25` and `blocks` have one retriever, `merged` follows the rule of Qdrant's
demo, and `hybrid` fuses all (search.fusion). Only the best structures are read, at the end.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from search import limits
from search.answer import MODES, Answer, Stopwatch
from search.asked import Asked, asked_by
from search.edges import edge_conditions
from search.encoding import QueryModels
from search.errors import SearchError
from search.evidence import evidence
from search.filters import Filters
from search.fusion import deduplicate, hits_of, merge, normalised_scores, reciprocal_ranks
from search.lines import with_lines
from search.lookup import Lookup
from search.ranking import Relation, ordered
from search.references import References
from search.related import related
from search.request import Request
from search.retrievers import RETRIEVERS_OF, SIMILAR, Query
from search.told import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from configs.settings import SearchSettings
    from embedding.encoder import Encoder
    from embedding.reranker import Reranker
    from lsif.structure import Structure
    from search.answer import Group, GroupBy, Mode
    from search.confidence import Calibration
    from search.fusion import Candidate, Retriever
    from search.hit import Hit
    from search.retrievers import Vector
    from storage.index import Generation

_LEAST_READ = 50
"""Structures that are read at least: tests sink, and others rise into their places."""


class Searcher(Lookup):
    """Answers queries from one generation. Several threads may use it.

    `load(vector)` returns the encoder of a named vector, `load_reranker()` the reranker; each is
    called once, when it is first needed. Without a calibration for its models, the confidence of
    answers is not known; without the file of places, all but the places of references is.
    """

    def __init__(
        self,
        generation: Generation,
        load: Callable[[str], Encoder],
        settings: SearchSettings,
        load_reranker: Callable[[], Reranker],
        calibration: Calibration | None = None,
        places: Path | None = None,
    ) -> None:
        super().__init__(generation)
        self._places = places
        self._models = QueryModels(load, load_reranker, generation.word_counts)
        self._settings = settings
        self._calibration = calibration

    @cached_property
    def references(self) -> References:
        """What refers to what. Raises ReferencesMissing if the index was made without that."""
        return References(self, self._places)

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
        without: Collection[str] = (),
    ) -> Answer:
        """Return at most `limit` hits, best first.

        With `group_by`, return at most `limit` groups of at most `group_size` hits each. With
        `lines`, each hit has the lines that match best. The index is searched as if it did not
        hold the structures of the ids `without`. Raises SearchError for unusable values.
        """
        limits.validate_query(query)
        limits.validate_name("mode", mode, MODES)
        request = Request.of(
            query, asked_by(query), mode, limit, group_by, group_size, self._settings
        )
        clock = Stopwatch()
        asking = self._query({}, filters, clock, without)
        if mode == "hybrid" and asking.structures is not None:
            with clock.phase("qdrant"):
                told = tell(lambda: self.references, query, asking.structures)
            if told is not None:
                request = replace(request, told=told, asked=told.asked)
        if request.told is None or not request.told.is_complete:
            with clock.phase("encode"):
                names = self._retrievers(request)
                vectors = {name: self._models.vector(name, query) for name in names}
            asking = replace(asking, vectors=vectors)
        answer = self._answer(asking, request)
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
        """Return the structures most similar to this one, without itself, by its own vectors.

        Modes are hybrid (both vectors), text and code. Raises SearchError for another mode,
        StructureMissing if the index has no such structure.
        """
        if mode not in SIMILAR:
            raise SearchError(
                f"structures can't be compared by {mode}; expected {', '.join(SIMILAR)}."
            )
        clock = Stopwatch()
        with clock.phase("qdrant"):
            stored = self.stored(structure_id, vectors=True)
        vectors: dict[Retriever, Vector] = {
            name: np.array(stored.vectors[name], dtype=np.float32) for name in SIMILAR[mode]
        }
        symbol, asked = stored.record.symbol, Asked("words")
        request = Request.of(symbol, asked, mode, limit, group_by, group_size, self._settings)
        query = self._query(vectors, filters, clock)
        answer = self._answer(query, replace(request, without=structure_id))
        return replace(answer, latency_ms=clock.read())

    def _query(
        self,
        vectors: Mapping[Retriever, Vector],
        filters: Filters | None,
        clock: Stopwatch,
        without: Collection[str] = (),
    ) -> Query:
        given = filters or Filters()
        with clock.phase("qdrant"):
            edges = edge_conditions(given, lambda: self.references)
        return Query.of(vectors, given, self.files, clock, without, edges)

    def _retrievers(self, request: Request) -> list[Retriever]:
        """Return the retrievers of the mode; for `hybrid`, those with a weight."""
        named = RETRIEVERS_OF[request.mode]
        weights = self._weights(request)
        return [name for name in named if request.mode != "hybrid" or weights[name]]

    def _weights(self, request: Request) -> dict[Retriever, float]:
        """Return the weight of each retriever for what is asked."""
        settings = self._settings
        weights = settings.code_weights if request.asked.kind == "code" else settings.weights
        return {name: getattr(weights, name) for name in RETRIEVERS_OF["hybrid"]}

    def _answer(self, query: Query, request: Request) -> Answer:
        """Return the answer without its latency."""
        found, hits, groups = self._find(query, request)
        calibration, told = None if request.without else self._calibration, request.told
        confidence = calibration.confidence(request.mode, found) if calibration else None
        if told is not None:
            confidence = 1.0
        metadata = self.generation.metadata
        return Answer(
            query=request.text,
            mode=request.mode,
            query_kind=request.asked.kind,
            project=metadata.project,
            branch=metadata.branch,
            commit=metadata.commit,
            dirty=metadata.dirty,
            generation=self.generation.name,
            confidence=confidence,
            has_answer=confidence is None or confidence >= self._settings.no_answer_below,
            latency_ms={},
            hits=hits,
            groups=groups,
            evidence=found,
            from_references=None if told is None else told.summary(),
        )

    def _find(
        self, query: Query, request: Request
    ) -> tuple[dict[str, float], list[Hit], list[Group] | None]:
        """Return the evidence, the hits and their groups; search deeper as needed."""
        wanted = request.hits
        while True:
            depth = max(wanted, self._settings.candidates)
            rankings = query.run(self.generation, depth)
            hits, left_out = self._ranked(query, request, rankings, wanted)
            hits = [hit for hit in hits if hit.id != request.without]
            is_told = request.told is not None
            if self._settings.rerank.model and hits and not (request.without or is_told):
                hits = self._reranked(hits, request, query.clock)
            shown, groups = request.choose(hits)
            more = left_out or any(len(ranking) >= depth for ranking in rankings.values())
            if request.is_full(shown, groups) or not more or wanted >= limits.DEPTH:
                found = evidence(request.text, request.asked, rankings, hits) if rankings else {}
                return found, shown, groups
            wanted = min(limits.DEPTH, wanted * 4)

    def _ranked(
        self,
        query: Query,
        request: Request,
        rankings: Mapping[Retriever, list[Candidate]],
        wanted: int,
    ) -> tuple[list[Hit], bool]:
        """Return hits, best first, some more than wanted; and whether candidates are left out."""
        if request.mode == "merged":
            return self._merged(rankings, wanted, query.clock)
        settings = self._settings
        candidates = {name: deduplicate(found) for name, found in rankings.items()}
        ranked = self._fused(candidates, request) if candidates else []
        first = ranked[: max(2 * wanted, settings.rerank.top, _LEAST_READ)]
        if request.mode != "hybrid":
            hits = hits_of(first, self._records(first, query.clock), rankings)
            return hits, len(first) < len(ranked)
        found = [*first, *related(self.generation, query, request.asked, rankings, first)]
        left_out = len(first) < len(ranked)
        if request.told is not None:
            found = deduplicate([*found, *request.told.candidates(wanted)])
            left_out = left_out or wanted < len(request.told.ids)
        hits = hits_of(found, self._records(found, query.clock), rankings)
        hits = ordered(hits, request.text, request.asked, settings)
        return (hits if request.told is None else request.told.first(hits)), left_out

    def _merged(
        self, rankings: Mapping[Retriever, list[Candidate]], wanted: int, clock: Stopwatch
    ) -> tuple[list[Hit], bool]:
        settings = self._settings
        # An answer longer than the usual needs more of both, in the same proportion.
        scale = max(1.0, wanted / settings.limit)
        by_text = rankings["text"][: round(settings.text_hits * scale)]
        by_code = [*rankings["code"], *rankings["blocks"]]
        by_code.sort(key=lambda candidate: -candidate.score)
        by_code = by_code[: round(settings.code_hits * scale)]
        records = self._records([*by_text, *by_code], clock)
        text_hits, code_hits = (hits_of(found, records, rankings) for found in (by_text, by_code))
        found = sum(map(len, rankings.values()))
        return merge(text_hits, code_hits), len(by_text) + len(by_code) < found

    def _fused(
        self, rankings: Mapping[Retriever, list[Candidate]], request: Request
    ) -> list[Candidate]:
        if len(rankings) == 1:
            (ranked,) = rankings.values()
            return ranked
        weights = self._weights(request)
        if not any(weights[name] for name in rankings):
            # `similar` needs both vectors, even if `search` uses none.
            weights = dict.fromkeys(rankings, 1.0)
        if self._settings.fusion == "rrf":
            return reciprocal_ranks(rankings, weights, self._settings.rrf_k)
        return normalised_scores(rankings, weights)

    def _reranked(self, hits: list[Hit], request: Request, clock: Stopwatch) -> list[Hit]:
        """Return the hits with the first few in the order of a cross-encoder."""
        first, rest = hits[: self._settings.rerank.top], hits[self._settings.rerank.top :]
        with clock.phase("encode"):
            scores = self._models.scores(request.text, first)
        asked = request.asked if request.mode == "hybrid" else Asked("words")
        relation = Relation.of(asked, first)
        ranked = [
            replace(hit, score=score + relation.lift(hit))
            for hit, score in zip(first, scores, strict=True)
        ]
        return sorted(ranked, key=lambda hit: -hit.score) + rest

    def _records(self, found: Iterable[Candidate], clock: Stopwatch) -> dict[str, Structure]:
        """Return the structures by id, without those that a sync in place deleted meanwhile."""
        ids = list(dict.fromkeys(candidate.id for candidate in found))
        if not ids:
            return {}
        with clock.phase("qdrant"):
            points = self.generation.structures.retrieve(ids, vectors=False)
            return {point.id: point.record for point in points}
