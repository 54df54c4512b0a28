"""The snippets of a file's items: their lines, or a part where that would be too much.

Items may share lines: a file may be one line, and a macro call the lines of thousands of names. The
snippets of a file are together at most a multiple of its size, whatever stands in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from lsif.blocks import SourceBlock
    from lsif.items import FoundItem
    from lsif.lines import Lines

LONGEST_SNIPPET = 1 << 19
"""Bytes of one snippet."""
_ALLOWED, _TIMES = 1 << 16, 8
"""Bytes of all snippets of a file: so many, and so many times its size."""
_SHARED_TIMES, _SHARED_BYTES = 2, 256
"""Lines that are so much longer than the item are shared with others."""


_CONTINUING = range(0x80, 0xC0)
"""Bytes of UTF-8 that no character begins with."""


class Snippet(NamedTuple):
    """The source of an item."""

    text: str
    row: int | None = None
    """The row that it begins in if it is only a part of the item's rows; None if it is all."""


class _Span(NamedTuple):
    """Bytes of a file: the item's own, and where its name is."""

    start: int
    end: int
    name: int


def allowance(size: int) -> int:
    """Return how many bytes all snippets of a file of that size may have."""
    return _ALLOWED + _TIMES * size


def largest_share(sizes: Sequence[int], most: int) -> int:
    """Return how much each may have at most, so that all have at most `most` together.

    >>> largest_share([10, 50, 100], 100)
    45
    """
    left, ordered = most, sorted(sizes)
    for number, size in enumerate(ordered):
        waiting = len(ordered) - number
        if size * waiting > left:
            return left // waiting
        left -= size
    return max(ordered, default=0)


def snippets_of(lines: Lines, items: Sequence[FoundItem]) -> Iterator[Snippet]:
    """Yield the snippet of each of a file's items, in time linear in the file's size."""
    rows = [(found.item.row_from, found.item.row_to) for found in items]
    sizes = [lines.size(*between) for between in rows]
    most = allowance(len(lines.data))
    if sum(sizes) <= most and max(sizes, default=0) <= LONGEST_SNIPPET:
        yield from (Snippet(lines.snippet(*between)) for between in rows)
        return
    spans = [_span(lines, found) for found in items]
    is_alone = [
        size <= _SHARED_TIMES * (span.end - span.start) + _SHARED_BYTES
        for size, span in zip(sizes, spans, strict=True)
    ]
    needed = [
        size if alone else span.end - span.start
        for size, span, alone in zip(sizes, spans, is_alone, strict=True)
    ]
    share = min(LONGEST_SNIPPET, largest_share(needed, most))
    for between, size, span, alone in zip(rows, sizes, spans, is_alone, strict=True):
        if alone and size <= share:
            yield Snippet(lines.snippet(*between))
        else:
            yield _part(lines, span, share)


def block_snippets(
    lines: Lines, blocks: Iterable[SourceBlock]
) -> Callable[[SourceBlock], tuple[str, bool]]:
    """Return what returns the snippet of one of a file's blocks, and whether it was cut off."""
    sizes = [lines.size(block.row_from, block.row_to) for block in blocks]
    share = min(LONGEST_SNIPPET, largest_share(sizes, allowance(len(lines.data))))

    def snippet_of(block: SourceBlock) -> tuple[str, bool]:
        if lines.size(block.row_from, block.row_to) <= share:
            return lines.snippet(block.row_from, block.row_to), False
        start = lines.offset(block.row_from)
        head = lines.data[start : start + share].decode("utf-8", "ignore").rstrip("\n")
        return f"{head}\n", True

    return snippet_of


def bounded_docs(docs: Sequence[str | None], size: int) -> list[str | None]:
    """Return the documentation of a file's items, together at most a multiple of the file's size.

    That of a trait's member, which its impls inherit, and that of a macro come again and again.
    """
    most = largest_share([len(text) for text in docs if text], allowance(size))
    return [text and (text if len(text) <= most else f"{text[:most]}\u2026") for text in docs]


def _span(lines: Lines, found: FoundItem) -> _Span:
    item = found.item
    start, end = lines.offset(item.row_from), lines.offset(item.row_to + 1)
    if item.extent is not None:  # what says more of the rows may know no offsets
        first, last = lines.row_of(item.extent[0]), lines.row_of(max(item.extent[1] - 1, 0))
        start = item.extent[0] if first == item.row_from else start
        end = item.extent[1] if last == item.row_to else end
    name = lines.offset(found.row, max(found.column, 0))
    return _Span(start, max(start, end), max(start, min(name, end)))


def _part(lines: Lines, span: _Span, share: int) -> Snippet:
    """Return at most `share` bytes of the item, the name among them."""
    start = span.start
    if span.end - start > share and span.name - start > share // 2:
        start = span.name - share // 4
        start = lines.data.find(b"\n", start, span.name) + 1 or start
    while start < span.end and lines.data[start] in _CONTINUING:
        start += 1
    end = min(span.end, start + share)
    text = lines.data[start:end].decode("utf-8", "ignore").rstrip("\n")
    return Snippet(f"{text}\n", lines.row_of(start))
