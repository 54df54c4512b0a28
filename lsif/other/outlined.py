"""Finds declarations without a grammar: as outline, hover and brackets say.

Offsets are in bytes.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from lsif.other.brackets import Bounds, Brackets
from lsif.other.declaration import Declaration, Span
from lsif.other.kinds import kind_of, kind_without_keyword, words_before

if TYPE_CHECKING:
    from lsif.lines import Lines
    from lsif.reader.elements import Tag
    from lsif.reader.graph import Outline
    from lsif.reader.hover import Hover
    from lsif.structure import CodeType

BY_INDENTATION = frozenset({"python"})
"""Languages with bodies by indentation."""
_HEAD_END = re.compile(rb":[ \t]*\r?(?:\n|\Z)")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+\Z")
_WITHOUT_BODY = frozenset({"Const", "Static", "TypeAlias"})
_DEFINE = re.compile(rb"[ \t]*\#[ \t]*define[ \t]+\Z")
_DIRECTIVE = re.compile(rb"(?:\\\r?\n|[^\n])*")
_OWNER = re.compile(rb"\b(?P<name>[^\W\d]\w*)\s*(?:<[^<>;{}]*>)?\s*::\s*~?\Z")
_OWNER_BYTES = 200


class OutlinedSource:
    """A source whose declarations its indexer and its brackets say."""

    def __init__(self, lines: Lines, outline: Outline) -> None:
        self._lines = lines
        self._data = lines.data
        self._outline = outline
        self._folds = outline.folds()

    @property
    def code(self) -> bytes:
        """The source with blanks for its comments."""
        return self._brackets.code

    @cached_property
    def _brackets(self) -> Brackets:
        return Brackets(self._data, self._outline.language)

    def declaration_at(
        self, name: Span, hover: Hover | None, tag: Tag | None, extent: Span | None
    ) -> Declaration | None:
        """Return what the name at start and end declares, None if nothing.

        `extent` is where the indexer says that the declaration is; it counts if brackets agree.
        """
        start, end = name
        line = self._lines.offset(self._lines.row_of(start))
        if _DEFINE.match(self._data, line, start):
            directive = _DIRECTIVE.match(self._data, start)
            last = directive.end() if directive is not None else end
            return Declaration("Macro", line, line, None, None, last)
        if extent is not None and not self._brackets.confirm(extent, start):
            extent = None
        before = words_before(self._data, start)
        head = self._brackets.find_head(start, before)
        kind = self._kind(name, hover, tag, (before, head))
        if kind is None:
            return None
        if self._outline.language in BY_INDENTATION:
            bounds = self._find_indented(head, end)
            return self._made(kind, head, bounds, extent, bounds.end, None)
        bounds = self._brackets.find_bounds(end, has_body=kind not in _WITHOUT_BODY)
        owner = _OWNER.search(self.code, max(head, start - _OWNER_BYTES), start)
        in_types = owner is not None and owner["name"] in self._brackets.types
        return self._made(
            kind,
            head,
            bounds,
            extent,
            self._folded(bounds, start) if kind not in _WITHOUT_BODY else bounds.end,
            owner["name"].decode() if owner is not None and in_types else None,
        )

    def _kind(
        self, name: Span, hover: Hover | None, tag: Tag | None, heads: Span
    ) -> CodeType | None:
        """Return the kind of what the name declares; `heads` are those of its line and of all."""
        start, end = name
        words, text = self._text(heads[0], start), self._text(start, end)
        kind = kind_of(hover, tag, words, text)
        if kind in (None, *_WITHOUT_BODY) and self._brackets.is_called(end):
            return (
                kind_without_keyword(
                    self._outline.language,
                    self._text(heads[1], start),
                    is_type=self._data[start:end] in self._brackets.types,
                )
                or kind
            )
        return kind

    def _find_indented(self, head: int, name_end: int) -> Bounds:
        """Return the bounds of a declaration whose body is indented deeper than its line."""
        line = self._data[self._lines.offset(self._lines.row_of(head)) : name_end]
        indent = len(line) - len(line.lstrip(b" \t"))
        found = _HEAD_END.search(self.code, name_end)
        body = end = found.end() if found is not None else len(self._data)
        for row in _LINE.finditer(self._data, body):
            text = row[0].lstrip(b" \t")
            if text.strip() and len(row[0]) - len(text) <= indent:
                break
            if text.strip():
                end = row.end()
        return Bounds(None, body, len(self._data[:end].rstrip()))

    def _made(
        self,
        kind: CodeType,
        head: int,
        bounds: Bounds,
        extent: Span | None,
        end: int,
        owner: str | None,
    ) -> Declaration:
        if extent is not None:
            head, end = min(head, extent[0]), extent[1]
        return Declaration(kind, head, head, bounds.value, bounds.body, end, owner)

    def _text(self, start: int, end: int) -> str:
        return self.code[start:end].decode("utf-8", "replace")

    def _folded(self, bounds: Bounds, name_start: int) -> int:
        """Return the end of the folding range that the body begins.

        This is the bounds' end if there is no such range or it says the same.
        """
        row = self._lines.row_of(bounds.body if bounds.body is not None else name_start)
        ends = self._folds.get(row, [])
        lexed = self._lines.row_of(max(bounds.end - 1, 0))
        last = max(ends, default=lexed)
        if not ends or lexed in ends or (bounds.body is None and last <= lexed):
            return bounds.end
        return self._lines.end_of(last)
