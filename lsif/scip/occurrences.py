"""The occurrences of one document: what it defines, and what it names."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lsif.reader.elements import Extent
from lsif.scip.schema import DEFINITION, FORWARD_DEFINITION
from lsif.scip.symbols import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from numpy.typing import NDArray

    from lsif.scip.schema import Document, MultiLineRange, Occurrence, SingleLineRange

_SHORT, _LONG = 3, 4
"""Numbers of a range in one line, and of one across lines."""


class Defined(NamedTuple):
    """A place that defines a symbol."""

    symbol: bytes
    place: Extent
    extent: Extent | None
    """Of all of the definition; None if the indexer does not say it."""
    roles: int
    is_ambiguous: bool = False
    """Whether the document defines the symbol several times."""


class Occurrences:
    """What the occurrences of a document say; those of locals are only counted."""

    def __init__(
        self,
        document: Document,
        note_bad: Callable[[int, ValueError], None],
        kept: Container[bytes] = (),
    ) -> None:
        """`note_bad` is called with the number of each occurrence that can't be read.

        Places that name the locals in `kept` are kept.
        """
        self.defined: list[Defined] = []
        self.declared: list[Defined] = []
        """Forward declarations."""
        self.symbols: list[bytes] = []
        """What the other places name."""
        self.locals = 0
        """Definitions of locals."""
        self._places = array("q")
        self._document = document
        self._read(note_bad, kept)

    def places(self) -> NDArray[np.int64]:
        """Return rows (line, column, length, number of the occurrence) of what `symbols` name.

        The length is 0 if lines are spanned.
        """
        return np.frombuffer(self._places, dtype=np.int64).reshape(-1, 4)

    def enclosing(self, number: int) -> Extent | None:
        """Return the enclosing range of an occurrence."""
        return _enclosing(self._document.occurrences[number])

    def _read(self, note_bad: Callable[[int, ValueError], None], kept: Container[bytes]) -> None:
        name, add_place = self.symbols.append, self._places.extend
        for number, occurrence in enumerate(self._document.occurrences):
            symbol, roles = occurrence.symbol, occurrence.symbol_roles
            if not symbol:  # only highlighted
                continue
            is_definition = roles & DEFINITION
            if symbol.startswith(LOCAL) and (is_definition or symbol not in kept):
                self.locals += is_definition
                continue
            try:
                line, column, end_line, end_column = place_of(occurrence)
            except ValueError as exc:
                note_bad(number, exc)
                continue
            if is_definition or roles & FORWARD_DEFINITION:
                place = Extent(line, column, end_line, end_column)
                defined = Defined(symbol, place, _enclosing(occurrence), roles)
                (self.defined if is_definition else self.declared).append(defined)
            else:
                name(symbol)
                add_place((line, column, end_column - column if end_line == line else 0, number))


def place_of(occurrence: Occurrence) -> Sequence[int]:
    """Return line, column, end line and end column. Raises ValueError if there is no such range."""
    numbers = occurrence.range
    if len(numbers) == _SHORT:  # most are such
        line, column, end_column = numbers
        if 0 <= column <= end_column and line >= 0:
            return line, column, line, end_column
    found = _range(
        numbers,
        occurrence.single_line_range if occurrence.HasField("single_line_range") else None,
        occurrence.multi_line_range if occurrence.HasField("multi_line_range") else None,
    )
    if found is None:
        raise ValueError("it has no range")
    return found


def _enclosing(occurrence: Occurrence) -> Extent | None:
    """Return the range around an occurrence; None if it has none, or one that can't be."""
    has = occurrence.HasField
    try:
        found = _range(
            occurrence.enclosing_range,
            occurrence.single_line_enclosing_range if has("single_line_enclosing_range") else None,
            occurrence.multi_line_enclosing_range if has("multi_line_enclosing_range") else None,
        )
    except ValueError:
        return None
    return Extent(*found) if found is not None else None


def _range(
    numbers: Sequence[int], single: SingleLineRange | None, multi: MultiLineRange | None
) -> tuple[int, int, int, int] | None:
    """Return a range as four numbers, None if there is none. Raises ValueError if it can't be."""
    if multi is not None:
        found = multi.start_line, multi.start_character, multi.end_line, multi.end_character
    elif single is not None:
        found = single.line, single.start_character, single.line, single.end_character
    elif len(numbers) == _LONG:
        found = numbers[0], numbers[1], numbers[2], numbers[3]
    elif len(numbers) == _SHORT:
        found = numbers[0], numbers[1], numbers[0], numbers[2]
    elif not numbers:
        return None
    else:
        raise ValueError(f"expected a range of {_SHORT} or {_LONG} numbers, found {len(numbers)}")
    if min(found) < 0 or found[:2] > found[2:]:
        raise ValueError(f"expected a range from 0 that ends after its beginning, found {found}")
    return found
