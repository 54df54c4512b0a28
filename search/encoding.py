"""The models that read a query: encoders and a reranker, loaded when first needed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING

from embedding.text import passage
from storage.sparse import query_vector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from embedding.encoder import Encoder
    from embedding.reranker import Reranker
    from search.fusion import Retriever
    from search.hit import Hit
    from search.retrievers import Vector
    from storage.words import WordCounts

_CACHED_QUERIES = 1024
"""Vectors of queries that are kept: retrievers share them, and queries come again."""


class QueryModels:
    """Encodes queries and scores hits. Several threads may use it; models run one at a time."""

    def __init__(
        self,
        load_encoder: Callable[[str], Encoder],
        load_reranker: Callable[[], Reranker],
        load_word_counts: Callable[[], WordCounts | None],
    ) -> None:
        self._load_encoder, self._load_reranker = load_encoder, load_reranker
        self._load_word_counts = load_word_counts
        self._lock = threading.RLock()
        self._encoders: dict[str, Encoder] = {}
        self._reranker: Reranker | None = None
        self._vectors: OrderedDict[tuple[int, str], NDArray[np.float32]] = OrderedDict()

    def vector(self, retriever: Retriever, query: str) -> Vector:
        """Return the query's vector for the retriever."""
        if retriever == "bm25":
            vector, counts = query_vector(query), self._word_counts
            return vector if counts is None else counts.weighted(vector)
        name = "code" if retriever == "blocks" else retriever
        with self._lock:
            if name not in self._encoders:
                self._encoders[name] = self._load_encoder(name)
            encoder = self._encoders[name]
            key = (id(encoder), query)
            if key not in self._vectors:
                self._vectors[key] = encoder.encode_queries([query])[0]
            self._vectors.move_to_end(key)
            while len(self._vectors) > _CACHED_QUERIES:
                self._vectors.popitem(last=False)
            return self._vectors[key]

    @cached_property
    def _word_counts(self) -> WordCounts | None:
        """How many structures hold each word; None if Qdrant weighs the query's words."""
        return self._load_word_counts()

    def scores(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Return how well each hit fits the query, by the reranker."""
        texts = [passage(hit.structure) for hit in hits]
        with self._lock:
            if self._reranker is None:
                self._reranker = self._load_reranker()
            return self._reranker.score(query, texts)
