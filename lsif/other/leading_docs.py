"""Documentation, attributes and decorators above a declaration, in languages without a grammar.

Rows are 0-based.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsif.comments import strip_stars, unindent

if TYPE_CHECKING:
    from lsif.lines import Lines

ATTRIBUTES = (b"@", b"#[")
_CODE_ENDS = ("{", "}", ";", ",")
_ATTRIBUTE_ROWS = 100
"""Maximum number of rows of an attribute."""
_DOXYGEN = ("c", "cpp", "objective-c", "objective-cpp")
_ECMASCRIPT = ("javascript", "javascriptreact", "typescript", "typescriptreact")
_LINE_DOCS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_DOXYGEN, ("///", "//!")),
    **dict.fromkeys(_ECMASCRIPT, ()),  # three slashes begin a directive to the compiler
    "go": ("//",),
}
"""How lines of documentation begin, by language; in others with three slashes."""
_BLOCK_DOCS = {**dict.fromkeys(_DOXYGEN, ("/**", "/*!")), "go": ("/*",)}
"""How blocks of documentation begin, by language; in others with two stars."""
_NO_DOCS = ("/**/", "/***", "////", "///<", "//!<", "/**<", "/*!<")
"""Comments that are empty or lines of stars or slashes, or that are about what is before them."""
_GO_DIRECTIVE = re.compile(r"//(?:(?:line|extern|export) |nolint\b|[a-z0-9]+:[a-z0-9])")
_WITHOUT_DOCS_ABOVE = frozenset({"python"})
"""Languages whose documentation is inside a declaration."""


def documentation_above(
    lines: Lines, row: int, language: str, inline: str = ""
) -> tuple[int, str | None]:
    """Return the first row of the docs and attributes above the row, and the docs' text.

    `inline` is what the row has before the declaration.
    """
    if language in _WITHOUT_DOCS_ABOVE:
        return row, None
    blocks = _BLOCK_DOCS.get(language, ("/**",))
    first, fragments, ended = _inline_docs(lines, row, inline, blocks)
    if ended:
        return first, unindent(fragments[::-1]) or None
    markers = _LINE_DOCS.get(language, ("///",))
    next_row = first  # plain comments belong to the item only below docs or attributes
    while next_row > 0:
        above = next_row - 1
        line = (lines.line(above) or b"").decode("utf-8", "replace").strip()
        if line.endswith("*/"):
            opening = _comment_start(lines, above, blocks)
            if opening is None:
                break
            fragments.append(_comment_text(lines.snippet(opening, above), blocks))
            first = above = opening
        elif line.startswith(markers) and not line.startswith(_NO_DOCS):
            fragments += _line_text(line, language)
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


def documentation_before(inline: str, language: str) -> str | None:
    """Return the text of the documentation that ends the text before a declaration in its row."""
    blocks = _BLOCK_DOCS.get(language, ("/**",))
    text = inline.strip()
    opening = text.rfind("/*", 0, -2) if text.endswith("*/") else -1
    if opening < 0 or not _is_documentation(text[opening:], blocks):
        return None
    return unindent([_comment_text(text[opening:], blocks)]) or None


def _inline_docs(
    lines: Lines, row: int, inline: str, blocks: tuple[str, ...]
) -> tuple[int, list[str], bool]:
    """Return the first row of a comment before the declaration in its row, and its text.

    The last value is whether nothing above belongs to the declaration. `blocks` is how
    documentation begins.
    """
    text = inline.strip()
    if not text.endswith("*/"):
        return row, [], False
    before = text.rfind("*/", 0, -2)
    opening = text.find("/*", max(before, 0))
    if opening >= 0:
        comment = text[opening:]
        fragments = [_comment_text(comment, blocks)] if _is_documentation(comment, blocks) else []
        return row, fragments, opening > 0
    first = _comment_start(lines, row, blocks)
    if first is None:
        return row, [], True
    comment = (lines.snippet(first, row - 1) if first < row else "") + inline
    return first, [_comment_text(comment, blocks)], False


def _line_text(line: str, language: str) -> list[str]:
    """Return the text of a line of documentation; nothing if it is a directive of Go."""
    is_directive = language == "go" and _GO_DIRECTIVE.match(line) is not None
    return [] if is_directive else [line.lstrip("/").removeprefix("!")]


def _is_documentation(comment: str, blocks: tuple[str, ...]) -> bool:
    return comment.startswith(blocks) and not comment.startswith(_NO_DOCS)


def _comment_text(comment: str, blocks: tuple[str, ...]) -> str:
    comment = comment.removeprefix("\ufeff").strip().removesuffix("*/")
    return strip_stars(comment[len(blocks[0]) :])


def _comment_start(lines: Lines, row: int, blocks: tuple[str, ...]) -> int | None:
    """Return the first row of the documentation comment that ends in the row.

    None if the row ends with code or no such comment.
    """
    for first in range(row, -1, -1):
        line = (lines.line(first) or b"").decode("utf-8", "replace").strip()
        if first < row and "*/" in line:
            return None
        # A line that begins with a star is inside: it may speak of `src/*.ts`.
        if "/*" in line and not line.startswith("*"):
            is_alone = line.find("*/") in (-1, len(line) - 2)
            return first if _is_documentation(line, blocks) and is_alone else None
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
