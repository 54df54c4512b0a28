"""What a search returns, and the modes and groups that it can be asked for."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from search.asked import QueryKind
    from search.hit import Hit

Mode: TypeAlias = Literal["hybrid", "merged", "text", "code", "bm25", "blocks"]
MODES: tuple[Mode, ...] = get_args(Mode)

GroupBy: TypeAlias = Literal["module", "file", "crate", "kind"]
GROUPINGS: tuple[GroupBy, ...] = get_args(GroupBy)
_GROUPED_BY: dict[GroupBy, str] = {
    "module": "context.module",
    "file": "context.file_path",
    "crate": "crate",
    "kind": "code_type",
}
"""The field of a structure that hits are grouped by."""


@dataclass(frozen=True, slots=True)
class Group:
    """The hits of one module, file, crate or kind."""

    value: str
    ids: tuple[str, ...]
    """Best first."""


@dataclass(frozen=True, slots=True)
class FromReferences:
    """Says that the index's references answered the query: who calls X, what implements it."""

    relation: QueryKind
    """callers, implementations or tests."""
    id: str | None
    """Of the structure X; None for a symbol outside the index."""
    symbol: str
    total: int
    """Structures that have the relation and meet the filters."""

    def describe(self) -> str:
        """Return it for people: `callers of a::b, from the references`."""
        return f"{self.relation} of {self.symbol}, from the references"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found."""

    query: str
    mode: Mode
    query_kind: QueryKind
    """What the query asks for, which orders the hits of mode hybrid."""
    project: str
    branch: str
    commit: str | None
    dirty: bool
    generation: str
    confidence: float | None
    """0 to 1, that the index has an answer to the query; None if that is not known."""
    has_answer: bool
    """False if the confidence is below search.no_answer_below: there is no good match."""
    latency_ms: dict[str, float]
    """encode, qdrant, fuse (everything else) and total."""
    hits: list[Hit]
    groups: list[Group] | None = None
    """The groups in order, if hits were grouped; `hits` has the hits of all groups."""
    evidence: dict[str, float] = field(default_factory=dict)
    """What the confidence is computed from; see search.evidence. Empty if references gave all."""
    from_references: FromReferences | None = None
    """None if the retrievers found all hits."""

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return {
            "query": self.query,
            "mode": self.mode,
            "query_kind": self.query_kind,
            "from_references": None
            if self.from_references is None
            else asdict(self.from_references),
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
            else [{"value": group.value, "ids": list(group.ids)} for group in self.groups],
        }


def group_hits(
    hits: Iterable[Hit], group_by: GroupBy, limit: int, size: int
) -> tuple[list[Hit], list[Group]]:
    """Return the first `size` hits of each of the first `limit` groups, and the groups."""
    value_of = attrgetter(_GROUPED_BY[group_by])
    grouped: dict[str, list[Hit]] = {}
    for hit in hits:
        value = value_of(hit.structure)
        if value in grouped or len(grouped) < limit:
            members = grouped.setdefault(value, [])
            if len(members) < size:
                members.append(hit)
    groups = [Group(value, tuple(hit.id for hit in members)) for value, members in grouped.items()]
    return [hit for members in grouped.values() for hit in members], groups


@dataclass(slots=True)
class Stopwatch:
    """Milliseconds that an answer takes, by phase."""

    started: float = field(default_factory=time.perf_counter)
    spent: dict[str, float] = field(default_factory=lambda: {"encode": 0.0, "qdrant": 0.0})

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to the phase."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] += (time.perf_counter() - started) * 1000

    def read(self) -> dict[str, float]:
        """Return the phases, the rest as `fuse`, and the `total`."""
        total = (time.perf_counter() - self.started) * 1000
        return {**self.spent, "fuse": total - sum(self.spent.values()), "total": total}
