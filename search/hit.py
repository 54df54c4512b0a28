"""One answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, order=True)
class LineRange:
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
class LineMatch:
    """A line that says what was asked for."""

    line: int
    """1-based, in the file."""
    score: float
    """0 to 1, the share of the query's words, by their weight, that stand in it."""
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One structure that answers a query."""

    id: str
    score: float
    """What the hits are ranked by, not below 0 where it is fused; those of different modes can't be compared."""
    scores: Mapping[str, float]
    """By leg: `text`, `code`, `blocks` cosine similarities, `bm25` a sum of weights. Those of different legs can't be compared."""
    name: str
    symbol: str
    code_type: str
    crate: str
    module: str
    module_path: str
    struct_name: str | None
    trait_name: str | None
    visibility: str
    is_test: bool
    signature: str
    docstring: str | None
    summary: str | None
    """The first line of the documentation."""
    references: int
    file_path: str
    line: int
    line_from: int
    line_to: int
    snippet: str
    ranges: tuple[LineRange, ...] = ()
    """Lines of this hit to look at first: those that hits of the code vector overlap (merged), and blocks that were found."""
    lines: tuple[LineMatch, ...] = ()
    """Lines that match best, where they were asked for."""

    @property
    def place(self) -> LineRange:
        """Where it stands in its file."""
        return LineRange(self.line_from, self.line_to)

    @property
    def owned_name(self) -> str:
        """The name with its owner: `Backoff::delays (trait Delays)`."""
        if self.struct_name is None:
            return self.name
        trait = (
            f" (trait {self.trait_name})"
            if self.trait_name is not None and self.trait_name != self.struct_name
            else ""
        )
        return f"{self.struct_name}::{self.name}{trait}"

    def to_dict(self) -> dict[str, Any]:
        """Return the hit as plain data."""
        return asdict(self)


def read_hit(
    point_id: str,
    payload: Mapping[str, Any],
    score: float,
    scores: Mapping[str, float],
    ranges: tuple[LineRange, ...] = (),
) -> Hit:
    """Return the hit that a structure's point is."""
    context = payload["context"]
    docs = payload["docstring"]
    return Hit(
        id=point_id,
        score=score,
        scores=scores,
        name=payload["name"],
        symbol=payload["symbol"],
        code_type=payload["code_type"],
        crate=payload["crate"],
        module=context["module"],
        module_path=payload["module_path"],
        struct_name=context["struct_name"],
        trait_name=payload["trait_name"],
        visibility=payload["visibility"],
        is_test=payload["is_test"],
        signature=payload["signature"],
        docstring=docs,
        summary=next((line.strip() for line in (docs or "").splitlines() if line.strip()), None),
        references=payload["references"],
        file_path=context["file_path"],
        line=payload["line"],
        line_from=payload["line_from"],
        line_to=payload["line_to"],
        snippet=context["snippet"],
        ranges=ranges,
    )
