"""The searcher: one live generation, one encoder a named vector, three modes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from search.errors import SearchError
from search.fusion import merge
from search.hit import Hit, read_hit

if TYPE_CHECKING:
    from collections.abc import Callable

    from configs.settings import SearchSettings
    from embedding.encoder import Encoder
    from storage.index import Generation

Mode: TypeAlias = Literal["text", "code", "merged"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found."""

    query: str
    mode: Mode
    project: str
    commit: str | None
    generation: str
    hits: list[Hit]

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return {
            "query": self.query,
            "mode": self.mode,
            "project": self.project,
            "commit": self.commit,
            "generation": self.generation,
            "hits": [hit.to_dict() for hit in self.hits],
        }


class Searcher:
    """Answers queries from one generation.

    `load(vector)` gives the encoder of a named vector; it is called once each, when first needed.
    """

    def __init__(self, generation: Generation, load: Callable[[str], Encoder], settings: SearchSettings) -> None:
        self._generation = generation
        self._load = load
        self._settings = settings
        self._encoders: dict[str, Encoder] = {}

    def search(self, query: str, mode: Mode = "merged", *, limit: int | None = None) -> Answer:
        """Return at most `limit` hits, best first. Raises SearchError for an empty query or a limit below 1."""
        try:
            query.encode("utf-8")
        except UnicodeEncodeError as exc:
            raise SearchError("the query is not valid UTF-8.") from exc
        if not query.strip():
            raise SearchError("the query is empty; expected some words or a piece of code.")
        limit = self._settings.limit if limit is None else limit
        if limit < 1:
            raise SearchError(f"the limit is {limit}; expected at least 1.")
        if mode == "merged":
            # A longer answer than usual asks both vectors for more, in the same proportion.
            scale = max(1.0, limit / self._settings.limit)
            hits = merge(
                self._nearest("text", query, round(self._settings.text_hits * scale)),
                self._nearest("code", query, round(self._settings.code_hits * scale)),
            )
        else:
            hits = self._nearest(mode, query, limit)
        metadata = self._generation.metadata
        return Answer(query, mode, metadata.project, metadata.commit, self._generation.name, hits[:limit])

    def _nearest(self, vector: str, query: str, limit: int) -> list[Hit]:
        if vector not in self._encoders:
            self._encoders[vector] = self._load(vector)
        encoded = self._encoders[vector].encode_queries([query])[0]
        return [read_hit(point, vector) for point in self._generation.structures.search(vector, encoded, limit=limit)]
