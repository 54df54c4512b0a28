"""Charts as SVG, made by hand: shapes only, so that they may be stretched; the words and numbers stand in the tables around them.

Lengths are shares of a chart's whole, 0 to 1. Fills and opacities stand as attributes, too: a chart can be read without the style.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flows.report.markup import Html, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _HEIGHT = 100, 10
_COLUMNS_HEIGHT = 40
_LEAST = 0.4
"""Width of a piece that is there at all, of 100: nothing that counts is invisible."""


class Piece(NamedTuple):
    """One piece of a bar."""

    begin: float
    length: float
    style: str
    """Class of its colour."""
    title: str
    opacity: float | None = None


def bar(title: str, pieces: Sequence[Piece]) -> Html:
    """Return a horizontal bar of pieces."""
    rects = [
        tag(
            "rect",
            tag("title", one.title),
            x=min(one.begin * _WIDTH, _WIDTH - _LEAST),
            y=0,
            width=max(one.length * _WIDTH, _LEAST),
            height=_HEIGHT,
            class_=one.style,
            fill_opacity=one.opacity,
        )
        for one in pieces
        if one.length > 0
    ]
    return _picture(title, _HEIGHT, "bar", rects)


def columns(title: str, values: Sequence[tuple[str, float]]) -> Html:
    """Return a column a value, from zero, the last one marked as the present; a value's title goes with it."""
    most = max([value for _, value in values], default=0) or 1
    width = _WIDTH / max(len(values), 8)
    rects = []
    for number, (name, value) in enumerate(values):
        height = max(value / most * _COLUMNS_HEIGHT, _LEAST) if value > 0 else 0
        last = number == len(values) - 1
        rects.append(
            tag(
                "rect",
                tag("title", name),
                x=number * width + width * 0.1,
                y=_COLUMNS_HEIGHT - height,
                width=width * 0.8,
                height=height,
                class_="s1",
                fill_opacity=None if last else 0.55,
            )
        )
    return _picture(title, _COLUMNS_HEIGHT, "columns", rects)


def swatch(style: str) -> Html:
    """Return a small square of a colour, for a legend."""
    square = tag("rect", x=0, y=0, width=10, height=10, class_=style)
    return tag(
        "svg", square, viewBox="0 0 10 10", width=10, height=10, class_="swatch", aria_hidden="true"
    )


def _picture(title: str, height: int, style: str, shapes: Sequence[Html]) -> Html:
    return tag(
        "svg",
        tag("title", title),
        *shapes,
        viewBox=f"0 0 {_WIDTH} {height}",
        preserveAspectRatio="none",
        width="100%",
        height=height,
        class_=style,
        role="img",
        aria_label=title,
    )
