"""Where a declaration ends in a source that no grammar is at hand for: a small lexer that knows strings, comments and brackets.

Offsets are in bytes. Made for languages that write blocks in braces, and comments as C does.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_STRINGS = rb"""
    (?P<comment> //[^\n]* | /\*.*?\*/ )
  | r(?P<hashes>\#*)".*?"(?P=hashes)                  # Rust's raw strings
  | \"{3}.*?\"{3}
  | "(?:\\.|[^"\\])*"
  | `(?:\\.|[^`\\])*`
"""
_REST = rb"""
  | (?P<open> [(\[{] ) | (?P<close> [)\]}] ) | (?P<end> ; ) | (?P<line> \n ) | (?P<value> (?<![=!<>])=(?![=>]) )
"""
_CHARACTERS_AND_LIFETIMES = rb"| '(?:\\[^\n]+?|[^'\\\n\x80-\xff]|[\x80-\xff]{2,4})' | '[A-Za-z_]\w*"
_TOKENS = {
    True: re.compile(
        _STRINGS + rb"| '(?:\\[^\n]+?|[^'\\\n\x80-\xff]|[\x80-\xff]{2,4})' | '[A-Za-z_]\w*" + _REST, re.DOTALL | re.VERBOSE
    ),
    False: re.compile(_STRINGS + rb"| '(?:\\.|[^'\\\n])*'" + _REST, re.DOTALL | re.VERBOSE),
}
_GOES_ON = re.compile(rb"\s*(?:[.?:|&+\-*/%<>=,)\]{]|(?:where|extends|implements|throws|for|override|noexcept)\b)")
_OPEN_ENDED = re.compile(rb"(?:[.?:|&+\-*/%<=,(\[]|=>|\b(?:where|extends|implements|throws))\s*\Z")
_COMMENT = re.compile(rb"//[^\n]*|/\*.*?\*/", re.DOTALL)


class Bounds(NamedTuple):
    """Where the parts of a declaration lie behind its name."""

    value: int | None
    """Of the `=` before its value."""
    body: int | None
    """Of the brace that opens its body."""
    end: int
    """Behind its last character."""


def find_bounds(data: bytes, name_end: int, *, language: str, has_body: bool) -> Bounds:
    """Return where the declaration whose name ends at `name_end` has its parts.

    It ends with its body, if one is expected; else at a semicolon, at a bracket that closes what is around it, or at a line's end
    behind which nothing goes on.
    """
    depth, value = 0, None
    for token in _TOKENS[language == "rust"].finditer(data, name_end):
        at = token.start()
        if token["open"] is not None:
            if depth == 0 and has_body and token["open"] == b"{":
                return Bounds(value, at, _close(data, at, language))
            depth += 1
        elif token["close"] is not None:
            if depth == 0:
                return Bounds(value, None, at)
            depth -= 1
        elif depth:
            continue
        elif token["end"] is not None:
            return Bounds(value, None, token.end())
        elif token["value"] is not None and not has_body:  # else it stands in generics
            value = at if value is None else value
        elif token["line"] is not None and not _goes_on(data, name_end, at):
            return Bounds(value, None, at)
    return Bounds(value, None, len(data.rstrip()))


def without_comments(data: bytes) -> bytes:
    """Return the declaration with a blank for each comment."""
    return _COMMENT.sub(b" ", data)


def _close(data: bytes, opening: int, language: str) -> int:
    """Return the offset behind the bracket that closes the one at `opening`, the end of the data where none does."""
    depth = 0
    for token in _TOKENS[language == "rust"].finditer(data, opening):
        if token["open"] is not None:
            depth += 1
        elif token["close"] is not None:
            depth -= 1
            if depth == 0:
                return token.end()
    return len(data)


def _goes_on(data: bytes, start: int, line_end: int) -> bool:
    """Return whether the declaration goes on in the next line."""
    before = data[max(start, line_end - 200) : line_end]
    return _OPEN_ENDED.search(before) is not None or _GOES_ON.match(data, line_end + 1) is not None
