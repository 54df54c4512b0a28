"""One answer to a query: a structure, how well it fits, and the lines to look at first."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from machine.text import counted
from search.record import flatten, summary_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lsif.structure import Structure


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
    """A line that contains words of the query."""

    line: int
    """1-based, in the file."""
    score: float
    """0 to 1, the share of the query's words, by their weight, that the line contains."""
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One structure that answers a query. Its properties are what is used often."""

    structure: Structure
    score: float
    """Score used for ranking, at least 0 if it is fused. Scores of different modes can't be
    compared."""
    scores: Mapping[str, float]
    """By retriever: cosine similarities of `text`, `code` and `blocks`, a sum of weights of
    `bm25`. Scores of different retrievers can't be compared."""
    ranges: tuple[LineRange, ...] = ()
    """Lines to look at first: overlaps with hits of the code vector (mode merged), and blocks
    that were found themselves."""
    lines: tuple[LineMatch, ...] = ()
    """The lines that match best, if they were asked for."""

    @property
    def id(self) -> str:
        """UUID of the structure."""
        return self.structure.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.structure.name

    @property
    def symbol(self) -> str:
        """Its path as the compiler writes it."""
        return self.structure.symbol

    @property
    def code_type(self) -> str:
        """Function, Struct, ..."""
        return self.structure.code_type

    @property
    def file_path(self) -> str:
        """POSIX path relative to the repository's root."""
        return self.structure.context.file_path

    @property
    def line(self) -> int:
        """Line of the name, 1-based."""
        return self.structure.line

    @property
    def line_from(self) -> int:
        """First line, 1-based, its documentation and attributes included."""
        return self.structure.line_from

    @property
    def line_to(self) -> int:
        """Last line, 1-based, inclusive."""
        return self.structure.line_to

    @property
    def extent(self) -> LineRange:
        """All its lines."""
        return LineRange(self.structure.line_from, self.structure.line_to)

    @property
    def signature(self) -> str:
        """Its declaration without body."""
        return self.structure.signature

    @property
    def summary(self) -> str | None:
        """The first line of its documentation."""
        return summary_of(self.structure)

    @property
    def snippet(self) -> str:
        """Its source: the lines of its extent, each ended by a newline, or a part of them."""
        return self.structure.context.snippet

    @property
    def first_line(self) -> int:
        """Line that the snippet begins in: `line_from`, unless it is a part."""
        return self.structure.snippet_from or self.line_from

    @property
    def is_test(self) -> bool:
        """Whether it is test code."""
        return self.structure.is_test

    @property
    def usage(self) -> str:
        """How often it is used and tested: `used in 14 places, tested by 3`; empty if never.

        What only the sources hold may be used, without the index knowing it.
        """
        references, tests = self.structure.references, self.structure.tested_by
        used = f"used in {counted(references, 'place')}" if references else ""
        return ", ".join(filter(None, (used, f"tested by {tests:,}" if tests else "")))

    @property
    def owned_name(self) -> str:
        """The name with its owner: `Backoff::delays (trait Delays)`."""
        owner, trait = self.structure.context.struct_name, self.structure.trait_name
        if owner is None or self.code_type == "Impl":  # whose name says both
            return self.name
        return f"{owner}::{self.name}" + (f" (trait {trait})" if trait not in (None, owner) else "")

    def to_dict(self) -> dict[str, Any]:
        """Return the hit as plain data: one flat object, the structure's keys in the middle."""
        return {
            "id": self.id,
            "score": self.score,
            "scores": dict(self.scores),
            **flatten(self.structure),
            "ranges": tuple(asdict(lines) for lines in self.ranges),
            "lines": tuple(asdict(match) for match in self.lines),
        }
