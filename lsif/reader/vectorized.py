"""Reads the common lines of rust-analyzer's dumps a block at a time, by columns of numbers.

Nine of ten lines of such a dump are ranges, edges and items of one exact layout, which differ only
in numbers. numpy compares the layout and reads the numbers of all lines of a kind at once. A line
that differs from its layout in one byte is left to the reader, which decodes it as JSON: the result
is the same. Lines of kinds that are not used (monikers, package information, `contains`) are
recognised by their beginning and end, and skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lsif.reader.elements import MAX_NUMBER
from lsif.reader.hover import CRATE_ROOT, NO_ITEM, PLAIN_HOVERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lsif.reader.tables import Table, Tables

PADDING = 512
"""Bytes, of any value, that must follow a block: layouts are compared beyond its last line."""
_MAX_DIGITS = 15
"""A line with a longer number is left to the reader."""


class _Layout(NamedTuple):
    """A kind of line: texts with a number between each two, the line's own id first."""

    texts: tuple[bytes, ...]
    columns: tuple[int, ...]
    """The numbers that go into the table, in its order; number 0 is the line's own id."""


def _edge(label: str) -> _Layout:
    return _Layout(
        (b'{"id":', b',"type":"edge","label":"%s","inV":' % label.encode(), b',"outV":', b"}\n"),
        (2, 1),
    )


_START = b'{"id":'
_RANGE = _Layout(
    (
        _START,
        b',"type":"vertex","label":"range","start":{"line":',
        b',"character":',
        b'},"end":{"line":',
        b',"character":',
        b"}}\n",
    ),
    (0, 1, 2, 3, 4),
)
_ITEM = b',"type":"edge","label":"item","document":'
_DEFINITION = _Layout((_START, _ITEM, b',"inVs":[', b'],"outV":', b"}\n"), (3, 1, 2))
_REFERENCES = b',"property":"references","inVs":['
_RESULT = b'],"outV":'
_HOVER = b',"type":"vertex","label":"hoverResult","result":{"contents":{"kind":"markdown","value":"'
_FENCE = b"```rust\\n"
"""How JSON spells the beginning of a fenced block of Rust."""
_CRATE_ROOT = b"\\n" + _FENCE + b"extern crate "
_HOVER_END = b'"}}}'
_CRATE_ROOT_HOVER, _LOCAL_HOVER = PLAIN_HOVERS.index(CRATE_ROOT), PLAIN_HOVERS.index(NO_ITEM)
_RESULT_SET = b',"type":"vertex","label":"resultSet"}\n'

# The first eight bytes of a label distinguish most kinds, eight more at 13 the textDocument edges.
# Texts end where lines of the kind begin to differ. If a kind is skipped, its line's end is
# compared, too.
_EDGES = {
    (b'next","i', b""): "next",
    (b"textDocu", b'hover","'): "textDocument/hover",
    (b"textDocu", b"definiti"): "textDocument/definition",
    (b"textDocu", b"referenc"): "textDocument/references",
}
_IGNORED_VERTICES = {
    b'moniker"': b',"type":"vertex","label":"moniker",',
    b"packageI": b',"type":"vertex","label":"packageInformation",',
    b"definiti": b',"type":"vertex","label":"definitionResult"}\n',
    b"referenc": b',"type":"vertex","label":"referenceResult"}\n',
}
_FOLDING_RANGES = b',"type":"vertex","label":"foldingRangeResult",'
_IGNORED_EDGES = {
    b'moniker"': b',"type":"edge","label":"moniker",',
    b"packageI": b',"type":"edge","label":"packageInformation",',
    b"contains": b',"type":"edge","label":"contains",',
}


def read_block(
    data: bytearray, size: int, first_id: int, tables: Tables
) -> tuple[list[tuple[int, bytes]], int]:
    """Add the whole lines in the first `size` bytes to the tables.

    Returns (0-based number, line) of the lines left to the reader, and the number of all lines.
    `first_id` is the id of the first line if ids count lines, as rust-analyzer's do; if they don't,
    more lines are left to the reader.
    """
    block = _Block(data, size, first_id)
    if not block.count:
        return [], 0
    for (label, rest), name in _EDGES.items():
        block.take(
            block.of_kind(vertex=False, label=label, rest=rest), _edge(name), tables.edges[name]
        )
    block.take(block.of_kind(vertex=True, label=b'range","'), _RANGE, tables.ranges)
    block.take_items(tables)
    block.take_hovers(tables)
    tables.result_sets += block.skip(block.of_kind(vertex=True, label=b"resultSe"), _RESULT_SET)
    for label, text in _IGNORED_VERTICES.items():
        block.skip(block.of_kind(vertex=True, label=label), text)
    if tables.meta.is_rust_analyzers:  # whose documents all have a grammar
        block.skip(block.of_kind(vertex=True, label=b"foldingR"), _FOLDING_RANGES)
    for label, text in _IGNORED_EDGES.items():
        block.skip(block.of_kind(vertex=False, label=label), text)
    return block.rest(), block.count


class _Block:
    """Some megabytes of whole lines. A line is known by its number in the block, 0-based."""

    def __init__(self, data: bytearray, size: int, first_id: int) -> None:
        self._data = data
        self._size = size
        self._bytes = np.frombuffer(data, dtype=np.uint8, count=size + PADDING)
        ends = np.flatnonzero(self._bytes[:size] == ord("\n"))
        self.count = len(ends)
        self._ends = ends
        self._starts = np.concatenate(([0], ends[:-1] + 1)) if self.count else ends
        self._done = np.zeros(self.count, dtype=bool)
        self._after_id = self._starts + len(_START) + self._digits(first_id)
        # Eight bytes at any place, as one number to compare.
        self._words = np.ndarray(
            (len(self._bytes) - 8,), dtype="<u8", buffer=self._bytes, strides=(1,)
        )
        plausible = (self._bytes[self._after_id] == ord(",")) & self._is(self._starts, _START)
        self._vertex = plausible & (self._bytes[self._after_id + 9] == ord("v"))
        self._edge = plausible & (self._bytes[self._after_id + 9] == ord("e"))
        self._label_at = self._after_id + np.where(self._vertex, 26, 24)
        self._labels = self._words[self._label_at]

    def of_kind(self, *, vertex: bool, label: bytes, rest: bytes = b"") -> NDArray[np.intp]:
        """Return the lines whose label begins so, and goes on with `rest` at its 13th byte."""
        lines = np.flatnonzero(
            (self._labels == _word(label)) & (self._vertex if vertex else self._edge)
        )
        return lines[self._words[self._label_at[lines] + 13] == _word(rest)] if rest else lines

    def take(self, lines: NDArray[np.intp], layout: _Layout, table: Table) -> None:
        """Add the numbers of those lines that have the layout to the table."""
        numbers = [self._own_ids(lines)]
        place, fits = self._after_id[lines], np.ones(len(lines), dtype=bool)
        for text in layout.texts[1:-1]:
            fits &= self._is(place, text)
            number, place, valid = self._numbers(place + len(text))
            numbers.append(number)
            fits &= valid & (number <= MAX_NUMBER)
        fits &= self._is(place, layout.texts[-1]) & (numbers[0] >= 0)
        self._done[lines[fits]] = True
        table.extend(np.stack([numbers[column][fits] for column in layout.columns], axis=1))

    def take_items(self, tables: Tables) -> None:
        """Add the items that name definitions and references.

        Those that name definitions among references say nothing new.
        """
        lines = self.of_kind(vertex=False, label=b'item","d')
        fits = self._is(self._after_id[lines], _ITEM)
        document, place, valid = self._numbers(self._after_id[lines] + len(_ITEM))
        fits &= valid
        # Items that define several ranges are rare, and left to the reader.
        self.take(lines[fits & self._is(place, b',"inVs":[')], _DEFINITION, tables.definitions)
        self.skip(lines[fits & self._is(place, b',"property":"definitions"')], _ITEM)
        references = fits & self._is(place, _REFERENCES)
        self._take_references(
            lines[references], document[references], place[references] + len(_REFERENCES), tables
        )

    def _take_references(
        self,
        lines: NDArray[np.intp],
        document: NDArray[np.int64],
        begin: NDArray[np.int64],
        tables: Tables,
    ) -> None:
        """Add the items that name references; the lists of their ranges begin at `begin`."""
        brackets = np.append(np.flatnonzero(self._bytes[: self._size] == ord("]")), self._size)
        end = brackets[np.searchsorted(brackets, begin)]
        fits = end < self._ends[lines]
        end = np.where(fits, end, begin)
        count, well_formed = self._count_numbers(begin, end)
        result, place, valid = self._numbers(end + len(_RESULT))
        fits &= (
            well_formed
            & self._is(end, _RESULT)
            & valid
            & (result <= MAX_NUMBER)
            & (document <= MAX_NUMBER)
            & self._is(place, b"}\n")
        )
        result, document, count = result[fits], document[fits], count[fits]
        tables.references.extend(np.stack([result, document, count], axis=1))
        if tables.places is not None:
            ranges = self._listed_numbers(begin[fits], end[fits])
            rows = np.stack([result, document], axis=1).repeat(count, axis=0)
            tables.places.extend(np.column_stack([rows, ranges]))
        self._done[lines[fits]] = True

    def take_hovers(self, tables: Tables) -> None:
        """Add the hovers.

        Those of items, which have two blocks of Rust, stay JSON until the sources are read.
        """
        lines = self.of_kind(vertex=True, label=b"hoverRes")
        ids = self._own_ids(lines)
        fits = (ids >= 0) & self._is(self._after_id[lines], _HOVER)
        lines, ids = lines[fits], ids[fits]
        values = self._after_id[lines] + len(_HOVER)
        done, plain, data, view = [], [], self._data, memoryview(self._data)
        for line, hover_id, start, value, end in zip(
            lines.tolist(),
            ids.tolist(),
            self._starts[lines].tolist(),
            values.tolist(),
            self._ends[lines].tolist(),
            strict=True,
        ):
            first = data.find(_FENCE, value, end)
            second = data.find(_FENCE, first + len(_FENCE), end) if first >= 0 else -1
            if second >= 0:
                if not data.endswith(_HOVER_END, start, end):
                    continue
                tables.add_hover(hover_id, bytes(view[start:end]))
            elif first >= 0:
                plain.append(
                    (
                        hover_id,
                        _CRATE_ROOT_HOVER
                        if data.startswith(_CRATE_ROOT, value, end)
                        else _LOCAL_HOVER,
                    )
                )
            else:
                continue
            done.append(line)
        tables.plain_hovers.extend(np.array(plain, dtype=np.int64).reshape(-1, 2))
        self._done[done] = True

    def skip(self, lines: NDArray[np.intp], text: bytes) -> int:
        """Skip the lines with the text after their id that end as JSON; return their number."""
        fits = self._is(self._after_id[lines], text) & (
            self._bytes[self._ends[lines] - 1] == ord("}")
        )
        self._done[lines[fits]] = True
        return int(fits.sum())

    def rest(self) -> list[tuple[int, bytes]]:
        """Return (number, line) of the lines that nothing was taken from."""
        lines = np.flatnonzero(~self._done)
        bounds = zip(
            lines.tolist(), self._starts[lines].tolist(), self._ends[lines].tolist(), strict=True
        )
        return [(number, bytes(self._data[start : end + 1])) for number, start, end in bounds]

    def _own_ids(self, lines: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return the id of each line, -1 where it is no number or not as long as expected."""
        number, place, valid = self._numbers(self._starts[lines] + len(_START))
        return np.where(valid & (place == self._after_id[lines]), number, -1)

    def _is(self, places: NDArray[np.int64], text: bytes) -> NDArray[np.bool_]:
        """Return whether the text is at each place."""
        windows = np.ndarray(
            (len(self._bytes) - len(text),), dtype=f"S{len(text)}", buffer=self._bytes, strides=(1,)
        )
        found: NDArray[np.bool_] = windows[places] == text
        return found

    def _numbers(
        self, places: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Return the number at each place, the place after it, and whether JSON allows it."""
        value, place = np.zeros(len(places), dtype=np.int64), places.copy()
        digit = self._bytes[place] - ord("0")  # wraps around: below "0" is far above 9
        valid = digit < 10  # noqa: PLR2004 - the digits
        zero = digit == 0
        active = np.flatnonzero(valid)
        for _ in range(_MAX_DIGITS):
            if len(active) == len(place):  # all numbers have this digit: no need to pick
                value = value * 10 + digit
                place += 1
                digit = self._bytes[place] - ord("0")
                active = np.flatnonzero(digit < 10)  # noqa: PLR2004
            elif len(active):
                value[active] = value[active] * 10 + digit[active]
                place[active] += 1
                digit[active] = self._bytes[place[active]] - ord("0")
                active = active[digit[active] < 10]  # noqa: PLR2004
            else:
                break
        valid[active] = False  # more digits than are read
        return value, place, valid & ~(zero & (place - places > 1))

    def _count_numbers(
        self, begin: NDArray[np.int64], end: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the count of numbers in each begin..end, and whether they are well formed.

        They are if there is one comma between each two.
        """
        lengths = end - begin
        offsets = np.cumsum(lengths) - lengths
        characters = self._bytes[
            np.arange(int(lengths.sum())) + np.repeat(begin - offsets, lengths)
        ]
        comma, digit = characters == ord(","), characters - ord("0") < 10  # noqa: PLR2004 - the digits
        first, last = np.zeros(len(characters), dtype=bool), np.zeros(len(characters), dtype=bool)
        filled = lengths > 0
        first[offsets[filled]] = True
        last[(offsets + lengths - 1)[filled]] = True
        number_begins = first | np.roll(comma, 1)
        number_ends = last | np.roll(comma, -1)
        leading_zero = number_begins & (characters == ord("0")) & ~number_ends
        bad = ~(comma | digit) | (comma & (number_begins | number_ends)) | leading_zero
        counted, wrong = np.zeros(len(begin), dtype=np.int64), np.zeros(len(begin), dtype=np.int64)
        if filled.any():
            counted[filled] = np.add.reduceat(comma.astype(np.int64), offsets[filled])
            wrong[filled] = np.add.reduceat(bad.astype(np.int64), offsets[filled])
        return counted + 1, filled & (wrong == 0)

    def _listed_numbers(
        self, begin: NDArray[np.int64], end: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the numbers of well-formed lists at begin..end, one list after the other."""
        lengths = end - begin
        offsets = np.cumsum(lengths) - lengths
        places = np.arange(int(lengths.sum())) + np.repeat(begin - offsets, lengths)
        is_first = np.roll(self._bytes[places] == ord(","), 1)
        is_first[offsets] = True
        return self._numbers(places[is_first])[0]

    def _digits(self, first_id: int) -> NDArray[np.int64]:
        """Return how many digits the id of each line has, if ids count lines."""
        digits = np.full(self.count, len(str(first_id)), dtype=np.int64)
        power = 10 ** len(str(first_id))
        while power - first_id < self.count:
            digits[power - first_id :] += 1
            power *= 10
        return digits


def _word(text: bytes) -> int:
    """Return eight bytes as the number that they are in memory."""
    return int.from_bytes(text[:8], "little")
