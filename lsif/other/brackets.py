"""Finds the end of a declaration in a source without a grammar, by its brackets.

A small lexer that knows strings, comments and brackets. It is made for languages that write blocks
in braces and comments as C does. Offsets are in bytes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import NamedTuple

_STRINGS = rb"""
    (?P<comment> //[^\n]* | /\*(?:.*?\*/|.*) )   # an open comment is never closed
  | r(?P<hashes>\#*)".*?"(?P=hashes)                  # Rust's raw strings
  | \"{3}.*?\"{3}
  | "(?:\\.|[^"\\])*"
  | `(?:\\.|[^`\\])*`
"""
_REST = rb"""
  | (?P<open> [(\[{] ) | (?P<close> [)\]}] ) | (?P<end> ; ) | (?P<line> \n )
  | (?P<value> (?<![=!<>])=(?![=>]) )
"""
_CHARACTERS_AND_LIFETIMES = rb"""
  | '(?:\\[^\n]+?|[^'\\\n\x80-\xff]|[\x80-\xff]{2,4})'
  | '(?:r\#)?[A-Za-z_\x80-\xff][\w\x80-\xff]*
"""
_TOKENS = {
    True: re.compile(_STRINGS + _CHARACTERS_AND_LIFETIMES + _REST, re.DOTALL | re.VERBOSE),
    False: re.compile(_STRINGS + rb"| '(?:\\.|[^'\\\n])*'" + _REST, re.DOTALL | re.VERBOSE),
}
_GOES_ON = re.compile(
    rb"\s*(?:[.?:|&+\-*/%<>=,)\]{]|(?:where|extends|implements|throws|for|override|noexcept)\b)"
)
_OPEN_ENDED = re.compile(rb"(?:[.?:|&+\-*/%<=,(\[]|=>|\b(?:where|extends|implements|throws))\s*\Z")
INDENTED = frozenset({"python"})
"""Languages with bodies by indentation."""
_HEAD_END = re.compile(rb":[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+\Z")
_COMMENT = re.compile(
    # An open string ends with its line or the text: none is searched twice.
    rb"(?P<string>'\"'|\"(?:\\.|[^\"\\\n])*+\"?|`(?:\\.|[^`\\])*+`?)|//[^\n]*|/\*(?:.*?\*/|.*)",
    re.DOTALL,
)


class Bounds(NamedTuple):
    """Where the parts of a declaration after its name are."""

    value: int | None
    """Of the `=` before its value."""
    body: int | None
    """Of the brace that opens its body."""
    end: int
    """After its last character."""


class Brackets:
    """The brackets of a source, each with its counterpart; found once for all questions."""

    def __init__(self, data: bytes, language: str) -> None:
        self._data = data
        self._tokens = [
            token
            for token in _TOKENS[language == "rust"].finditer(data)
            if token.lastgroup not in (None, "comment", "hashes")
        ]
        self._starts = [token.start() for token in self._tokens]
        self._closed_by: dict[int, int] = {}
        """Number of the closing token by that of the opening one."""
        opened: list[int] = []
        for number, token in enumerate(self._tokens):
            if token["open"] is not None:
                opened.append(number)
            elif token["close"] is not None and opened:
                self._closed_by[opened.pop()] = number

    def find_bounds(self, name_end: int, *, has_body: bool) -> Bounds:
        """Return the parts of the declaration whose name ends at `name_end`.

        It ends with its body, if one is expected; else at a semicolon, at a bracket that closes
        what is around it, or at the end of a line that does not continue.
        """
        data, value = self._data, None
        number = bisect_left(self._starts, name_end)
        while number < len(self._tokens):
            token = self._tokens[number]
            at = token.start()
            if token["open"] is not None:
                closing = self._closed_by.get(number)
                if has_body and token["open"] == b"{":
                    return Bounds(
                        value,
                        at,
                        self._tokens[closing].end() if closing is not None else _line_end(data, at),
                    )
                if closing is None:
                    break
                number = closing
            elif token["close"] is not None:
                return Bounds(value, None, at)
            elif token["end"] is not None:
                return Bounds(value, None, token.end())
            elif token["value"] is not None and not has_body:  # else it is in generics
                value = at if value is None else value
            elif token["line"] is not None and not _goes_on(data, name_end, at):
                return Bounds(value, None, at)
            number += 1
        return Bounds(
            value,
            None,
            _line_end(data, name_end),
            # Without a closing bracket nothing says where it ends.
        )


def _line_end(data: bytes, at: int) -> int:
    end = data.find(b"\n", at)
    return end if end >= 0 else len(data)


def find_indented(data: bytes, start: int, name_end: int) -> Bounds:
    """Return the parts of a declaration whose body is indented deeper than the line of `start`."""
    line_start = data.rfind(b"\n", 0, start) + 1
    line = data[line_start:name_end]
    indent = len(line) - len(line.lstrip(b" \t"))
    head = _HEAD_END.search(data, name_end)
    end = head.end() if head is not None else len(data)
    body = end
    for row in _LINE.finditer(data, end):
        text = row[0].lstrip(b" \t")
        if text.strip() and len(row[0]) - len(text) <= indent:
            break
        if text.strip():
            end = row.end()
    return Bounds(None, body, len(data[:end].rstrip()))


def without_comments(data: bytes) -> bytes:
    """Return the declaration with a blank for each comment; strings stay as they are."""
    return _COMMENT.sub(lambda match: match["string"] or b" ", data)


def _goes_on(data: bytes, start: int, line_end: int) -> bool:
    """Return whether the declaration goes on in the next line."""
    before = data[max(start, line_end - 200) : line_end]
    return _OPEN_ENDED.search(before) is not None or _GOES_ON.match(data, line_end + 1) is not None
