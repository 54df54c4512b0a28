"""Charts as numbers: the rectangles that the page's template draws as SVG. No markup is made here.

Charts are shapes only, so that they may be stretched; the words and numbers are in the tables
around them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, BAR_HEIGHT, COLUMNS_HEIGHT = 100, 10, 40
"""Sizes of the charts, in units of their own."""
_LEAST = 0.4
"""Width or height of a piece that is not zero: nothing that counts is invisible."""
_FEWEST_COLUMNS = 8
"""Columns are as narrow as if there were this many at least."""
_GAP = 0.1
"""Space on each side of a column, as a share of its width."""
_PAST = 0.55
"""Opacity of the columns before the last one."""


class Piece(NamedTuple):
    """One piece of a bar; begin and length are shares of the whole, 0 to 1."""

    begin: float
    length: float
    style: str
    """CSS class of its colour."""
    title: str
    opacity: float = 1.0


class Rect(NamedTuple):
    """A rectangle of a chart, in the chart's units; y grows downwards."""

    x: float
    y: float
    width: float
    height: float
    style: str
    title: str
    opacity: float


def bar(pieces: Sequence[Piece]) -> list[Rect]:
    """Return a horizontal bar; pieces without a length are left out.

    >>> [(rect.x, rect.width) for rect in bar([Piece(0.5, 0.25, "s1", ""), Piece(1, 0, "s2", "")])]
    [(50.0, 25.0)]
    """
    return [
        Rect(
            x=min(piece.begin * WIDTH, WIDTH - _LEAST),
            y=0,
            width=max(piece.length * WIDTH, _LEAST),
            height=BAR_HEIGHT,
            style=piece.style,
            title=piece.title,
            opacity=piece.opacity,
        )
        for piece in pieces
        if piece.length > 0
    ]


def columns(values: Sequence[tuple[str, float]]) -> list[Rect]:
    """Return a column from zero for each (title, value); the last one is in full colour."""
    most = max([value for _, value in values], default=0) or 1
    width = WIDTH / max(len(values), _FEWEST_COLUMNS)
    rects = list[Rect]()
    for number, (title, value) in enumerate(values):
        height = max(value / most * COLUMNS_HEIGHT, _LEAST) if value > 0 else 0
        rects.append(
            Rect(
                x=(number + _GAP) * width,
                y=COLUMNS_HEIGHT - height,
                width=width * (1 - 2 * _GAP),
                height=height,
                style="s1",
                title=title,
                opacity=1.0 if number == len(values) - 1 else _PAST,
            )
        )
    return rects
