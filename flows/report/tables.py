"""Tables of a report's page: what heads a row, what is a number, what is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from flows.report.markup import Html, tag

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

Cell: TypeAlias = str
"""A text, or what one of the functions here made."""


def head(text: str, remark: str = "", *, span: int = 1) -> Html:
    """Return the cell that names its row, with a remark below the name; `span` columns wide."""
    below = (tag("small", remark, class_="why"),) if remark else ()
    return tag(
        "th",
        tag("bdi", text),
        *below,
        scope="row",
        class_="name",
        colspan=span if span > 1 else None,
    )


def number(value: float | str) -> Html:
    """Return a cell with a number, or with one written out."""
    return tag("td", value if isinstance(value, str) else f"{value:,}", class_="n")


def chart(picture: Html) -> Html:
    """Return a cell with a picture."""
    return tag("td", picture, class_="chart")


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    parts: Container[int] = (),
    wide: bool = False,
) -> Html:
    """Return a table; rows in `parts` (0-based) belong to one above. A table too wide for the window scrolls by itself."""
    numbers = {
        place for row in rows for place, cell in enumerate(row) if cell.startswith('<td class="n"')
    }
    heads = [
        tag("th", name, scope="col", class_="n" if place in numbers else None)
        for place, name in enumerate(columns)
    ]
    body = [
        tag(
            "tr",
            *(cell if _is_cell(cell) else tag("td", cell, class_="why") for cell in row),
            class_="part" if at in parts else None,
        )
        for at, row in enumerate(rows)
    ]
    made = tag(
        "table",
        tag("thead", tag("tr", *heads)),
        tag("tbody", *body),
        aria_label=title,
        class_="wide" if wide else None,
    )
    return tag("div", made, class_="scroll", role="region", aria_label=title, tabindex="0")


def _is_cell(cell: Cell) -> bool:
    return isinstance(cell, Html) and cell.startswith(("<td", "<th"))
