"""What a search gives back, and by which modes and groups it can be asked for."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator

    from search.hit import Hit

Mode: TypeAlias = Literal["hybrid", "merged", "text", "code", "bm25", "blocks"]
MODES: tuple[Mode, ...] = get_args(Mode)

GroupBy: TypeAlias = Literal["module", "file", "crate", "kind"]
GROUPINGS: tuple[GroupBy, ...] = get_args(GroupBy)


@dataclass(frozen=True, slots=True)
class Group:
    """The hits of one module, file, crate or kind."""

    value: str
    ids: tuple[str, ...]
    """Best first."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found."""

    query: str
    mode: Mode
    project: str
    branch: str
    commit: str | None
    dirty: bool
    generation: str
    confidence: float | None
    """0 to 1, that the query has an answer here; None where that is not known."""
    has_answer: bool
    """False where the confidence is below search.no_answer_below: there is no good match."""
    latency_ms: dict[str, float]
    """encode, qdrant, fuse (all else) and total."""
    hits: list[Hit]
    groups: list[Group] | None = None
    """Of hits that were grouped, in their order; `hits` holds those of all groups."""
    evidence: dict[str, float] = field(default_factory=dict)
    """What the confidence is made of; see search.confidence."""

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return {
            "query": self.query,
            "mode": self.mode,
            "project": self.project,
            "branch": self.branch,
            "commit": self.commit,
            "dirty": self.dirty,
            "generation": self.generation,
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "good": self.has_answer,
            "latency_ms": {phase: round(spent, 2) for phase, spent in self.latency_ms.items()},
            "hits": [hit.to_dict() for hit in self.hits],
            "groups": None
            if self.groups is None
            else [{"value": one.value, "ids": list(one.ids)} for one in self.groups],
        }


@dataclass(slots=True)
class Stopwatch:
    """Milliseconds that an answer took, by phase."""

    started: float = field(default_factory=time.perf_counter)
    spent: dict[str, float] = field(default_factory=lambda: {"encode": 0.0, "qdrant": 0.0})

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add what happens meanwhile to the phase."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] += (time.perf_counter() - started) * 1000

    def read(self) -> dict[str, float]:
        """Return the phases, what is left as `fuse`, and `total`."""
        total = (time.perf_counter() - self.started) * 1000
        return {**self.spent, "fuse": total - sum(self.spent.values()), "total": total}
