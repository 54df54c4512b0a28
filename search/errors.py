"""Errors of a search.

SearchError                 the query can't be searched with
└── AmbiguousName           several structures, or symbols outside, have the name
ReferencesMissing           the index does not say what refers to what, or where
StructureMissing            the index has no such structure
FileUnknown                 the index has no such file
ProjectUnknown              a request names a project that is not indexed
MapFailed                   the map of the structures can't be made
EvaluationError             a file of judged queries can't be read
CalibrationError            a calibration can't be read, fitted or written
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from configs.errors import LsifIngestError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 5
"""Candidates that a message names."""


class SearchError(LsifIngestError):
    """The query can't be searched with."""


class Candidate(NamedTuple):
    """A structure, or a symbol outside the index, that a name may mean."""

    id: str
    """Of a structure; of what is outside the symbol."""
    file_path: str
    """Empty for a symbol outside, as is the code_type."""
    code_type: str
    symbol: str
    line: int
    """0 for a symbol outside."""

    @property
    def place(self) -> str:
        """What chooses it: FILE:LINE, or the symbol."""
        return f"{self.file_path}:{self.line}" if self.file_path else self.symbol

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data; a symbol outside has no id."""
        return {"place": self.place, **self._asdict(), "id": self.id if self.file_path else None}


class AmbiguousName(SearchError):
    """Several structures, or symbols outside, have the name."""

    def __init__(self, name: str, candidates: Sequence[Candidate]) -> None:
        """Name the first candidates in the message."""
        shown = ", ".join(candidate.place for candidate in candidates[:_SHOWN])
        outside = not candidates[0].file_path
        what, how = ("symbols", "its symbol") if outside else ("structures", "FILE:LINE")
        super().__init__(
            f"{len(candidates)} {what} are called {name}: choose one by {how}, such as {shown}."
        )
        self.candidates = tuple(candidates)


class ReferencesMissing(LsifIngestError):
    """The index does not say what refers to what, or where."""


class StructureMissing(LsifIngestError):
    """The index has no such structure."""


class FileUnknown(LsifIngestError):
    """The index has no such file."""


class ProjectUnknown(LsifIngestError):
    """A request names a project that is not indexed."""


class MapFailed(LsifIngestError):
    """The map of the structures can't be made."""


class EvaluationError(LsifIngestError):
    """A file of judged queries can't be read."""


class CalibrationError(LsifIngestError):
    """A calibration can't be read, fitted or written."""
