"""Documentation, attributes and decorators above a declaration, in languages without a grammar.

Rows are 0-based.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsif.comments import strip_stars, unindent

if TYPE_CHECKING:
    from lsif.lines import Lines

ATTRIBUTES = (b"@", b"#[")
_CODE_ENDS = ("{", "}", ";", ",")
_ATTRIBUTE_ROWS = 100
"""Maximum number of rows of an attribute."""
_LINE_DOCS = {"go": ("//",)}
"""How lines of documentation begin, by language."""


def documentation_above(lines: Lines, row: int, language: str) -> tuple[int, str | None]:
    """Return the first row of the docs and attributes above the row, and the docs' text."""
    markers = _LINE_DOCS.get(language, ("///",))
    fragments: list[str] = []
    first = next_row = row  # plain comments belong to the item only below docs or attributes
    while next_row > 0:
        above = next_row - 1
        line = (lines.line(above) or b"").decode("utf-8", "replace").strip()
        if line.endswith("*/"):
            opening = _comment_start(lines, above)
            if opening is None:
                break
            comment = lines.snippet(opening, above).removeprefix("\ufeff").strip()
            fragments.append(strip_stars(comment.removesuffix("*/")[3:]))
            first = above = opening
        elif line.startswith(markers) and not line.startswith("////"):
            fragments.append(line.lstrip("/"))
            first = above
        elif (
            line.endswith((")", "]")) and (attribute := _attribute_start(lines, above)) is not None
        ):
            first = above = attribute
        elif line.encode().startswith(ATTRIBUTES) and not line.endswith(_CODE_ENDS):
            first = above
        elif not line.startswith("//"):
            break
        next_row = above
    return first, unindent(fragments[::-1]) or None


def _comment_start(lines: Lines, row: int) -> int | None:
    """Return the first row of the documentation comment that ends in the row.

    None if the row ends with code or no such comment.
    """
    for first in range(row, -1, -1):
        line = (lines.line(first) or b"").strip()
        if first < row and b"*/" in line:
            return None
        # A line that begins with a star is inside: it may speak of `src/*.ts`.
        if b"/*" in line and not line.startswith(b"*"):
            return (
                first
                if line.startswith(b"/**") and line.find(b"*/") in (-1, len(line) - 2)
                else None
            )
    return None


def _attribute_start(lines: Lines, row: int) -> int | None:
    """Return the first row of the attribute that ends in the row, None if there is none."""
    depth = 0
    for first in range(row, max(-1, row - _ATTRIBUTE_ROWS), -1):
        line = lines.line(first) or b""
        depth += sum(map(line.count, (b")", b"]"))) - sum(map(line.count, (b"(", b"[")))
        if depth <= 0:
            return first if line.strip().startswith(ATTRIBUTES) else None
    return None
