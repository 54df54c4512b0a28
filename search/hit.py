"""One answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from storage.index import ScoredPoint


class LineRange(NamedTuple):
    """Lines of a file, 1-based, both ends inclusive."""

    line_from: int
    line_to: int

    def overlap(self, other: LineRange) -> LineRange | None:
        """Return the lines that both have.

        >>> LineRange(1, 9).overlap(LineRange(7, 20))
        LineRange(line_from=7, line_to=9)
        """
        line_from, line_to = max(self.line_from, other.line_from), min(self.line_to, other.line_to)
        return LineRange(line_from, line_to) if line_from <= line_to else None


@dataclass(frozen=True, slots=True)
class Hit:
    """One structure that answers a query."""

    id: str
    score: float
    """Cosine similarity by `vector`; scores of different vectors can't be compared."""
    vector: str
    """The named vector that found it: `text` or `code`."""
    name: str
    symbol: str
    code_type: str
    signature: str
    docstring: str | None
    struct_name: str | None
    trait_name: str | None
    file_path: str
    line: int
    line_from: int
    line_to: int
    snippet: str
    sub_matches: tuple[LineRange, ...] = ()
    """Lines of this hit that hits by the code vector overlap, best first; mode merged only."""

    @property
    def lines(self) -> LineRange:
        """Where it stands in its file."""
        return LineRange(self.line_from, self.line_to)

    def to_dict(self) -> dict[str, Any]:
        """Return the hit as plain data, sub_matches as objects with line_from and line_to."""
        return {**asdict(self), "sub_matches": [match._asdict() for match in self.sub_matches]}


def read_hit(point: ScoredPoint, vector: str) -> Hit:
    """Return the hit that a point found by the named vector is."""
    payload, context = point.payload, point.payload["context"]
    return Hit(
        id=point.id,
        score=point.score,
        vector=vector,
        name=payload["name"],
        symbol=payload["symbol"],
        code_type=payload["code_type"],
        signature=payload["signature"],
        docstring=payload["docstring"],
        struct_name=context["struct_name"],
        trait_name=payload["trait_name"],
        file_path=context["file_path"],
        line=payload["line"],
        line_from=payload["line_from"],
        line_to=payload["line_to"],
        snippet=context["snippet"],
    )
