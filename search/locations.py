"""Places in files, as answers print them and people hand them back: FILE:LINE and the like."""

from __future__ import annotations

import re
from typing import NamedTuple

from search.errors import SearchError

_FORMS = (
    re.compile(r"(?P<file>.*[^:]):(?P<first>[0-9]+)", re.DOTALL),
    re.compile(r"(?P<file>.*[^:]):(?P<first>[0-9]+):(?P<column>[0-9]+)", re.DOTALL),
    re.compile(r"(?P<file>.*[^:]):(?P<first>[0-9]+)-(?P<last>[0-9]+)", re.DOTALL),
)
_DIGITS = 9
"""Of a line's number; no file has more lines."""


class Location(NamedTuple):
    """Lines of a file, 1-based and inclusive."""

    file_path: str
    line_from: int
    line_to: int

    def __str__(self) -> str:
        """Return it as messages name it.

        >>> str(Location("a.rs", 3, 3)), str(Location("a.rs", 3, 9))
        ("line 3 of 'a.rs'", "lines 3 to 9 of 'a.rs'")
        """
        first, last = self.line_from, self.line_to
        lines = f"line {first}" if first == last else f"lines {first} to {last}"
        return f"{lines} of {self.file_path!r}"


def locations_in(text: str) -> list[Location]:
    """Return what the text means as FILE:LINE, FILE:LINE:COLUMN or FILE:FROM-TO; none if it can't.

    A file's name may end with a colon and a number, so there may be two: the longer name is first.
    Columns are not looked at. Raises SearchError for numbers that no line has.

    >>> locations_in("./src/a.rs:7:5")
    [Location(file_path='src/a.rs:7', line_from=5, line_to=5), \
Location(file_path='src/a.rs', line_from=7, line_to=7)]
    """
    return [_location(match) for form in _FORMS if (match := form.fullmatch(text))]


def _location(match: re.Match[str]) -> Location:
    found = match.groupdict()
    file_path, first = found["file"], found["first"]
    last = found.get("last") or first
    digits = max(len(first), len(last))
    if digits > _DIGITS:
        raise SearchError(
            f"the line of {file_path!r} has {digits} digits; expected at most {_DIGITS}."
        )
    if int(last) < int(first):
        raise SearchError(f"lines {first} to {last} of {file_path!r} end before they begin.")
    return Location(file_path.removeprefix("./"), int(first), int(last))
