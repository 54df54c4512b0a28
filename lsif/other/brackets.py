"""Finds the parts of a declaration in a source without a grammar, by its brackets.

It is made for languages that write blocks in braces. Offsets are in bytes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cached_property
from typing import NamedTuple

from lsif.other.lexer import C_FAMILY, blank_comments, lex

_GOES_ON = re.compile(
    rb"(?:[.?:|&+\-*/%<>=,)\]{]|(?:where|extends|implements|throws|for|override|noexcept)\b)"
)
_OPEN_ENDED = re.compile(rb"(?:[.?:|&+\-*/%<=,(\[]|=>|\b(?:where|extends|implements|throws))\s*\Z")
_OPENING = {b")": b"(", b"]": b"[", b"}": b"{"}
_NOT_BLANK = re.compile(rb"\S")
_GENERICS = re.compile(rb"[<>;{}]|->|=>")
_GENERICS_BYTES = 1000
_BEFORE_HEAD = re.compile(
    # Lines of a preprocessor and labels of members end with no semicolon.
    rb"(?:\s|\#(?:\\\r?\n|[^\n])*|(?:public|private|protected)\s*:(?!:))*+"
)
_HEAD_TOKENS = 300
"""Maximum number of tokens between a declaration's begin and its name."""
_TYPE = re.compile(rb"\b(?:class|struct|enum|record|union|interface)\s+(?P<name>[^\W\d]\w*)")


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
        self._language = language
        tokens = lex(data, language)
        self.code = blank_comments(
            data, [(token.start, token.end) for token in tokens if token.kind == "comment"]
        )
        """The source with blanks for its comments."""
        self._last = len(self.code.rstrip())
        self._tokens = [
            token for token in tokens if token.kind not in ("comment", "string", "escape", "colon")
        ]
        self._starts = [token.start for token in self._tokens]
        self._counterparts: dict[int, int] = {}
        """Number of the closing token by that of the opening one, and the other way round."""
        self._match()

    def _match(self) -> None:
        """Find the counterparts. A brace closes what was left open since its own began."""
        opened: dict[bytes, list[int]] = {b"(": [], b"[": [], b"{": []}
        for number, token in enumerate(self._tokens):
            bracket = self._data[token.start : token.end]
            if token.kind == "open":
                opened[bracket].append(number)
            elif token.kind == "close" and opened[_OPENING[bracket]]:
                opening = opened[_OPENING[bracket]].pop()
                if bracket != b"}" and opened[b"{"] and opened[b"{"][-1] > opening:
                    opened[_OPENING[bracket]].append(opening)  # of a statement around the brace
                    continue
                self._counterparts[opening], self._counterparts[number] = number, opening
                if bracket == b"}":
                    for others in (opened[b"("], opened[b"["]):
                        while others and others[-1] > opening:
                            others.pop()

    def confirm(self, extent: tuple[int, int], name_start: int) -> bool:
        """Return whether a declaration whose name is there may extend from begin to end.

        It may if brackets are in pairs in it, and none is open at the name: else it is what is
        around the declaration, such as an impl block or a macro call.
        """
        begin, end = extent
        if not begin <= name_start < end:
            return False
        first, last = bisect_left(self._starts, begin), bisect_left(self._starts, end)
        name = bisect_left(self._starts, name_start)
        for number in range(first, last):
            if self._tokens[number].kind not in ("open", "close"):
                continue
            other = self._counterparts.get(number)
            if other is None or not first <= other < last or (number < name) != (other < name):
                return False
        return True

    def find_bounds(self, name_end: int, *, has_body: bool) -> Bounds:
        """Return the parts of the declaration whose name ends at `name_end`.

        It ends with its body, if one is expected; else at a semicolon, at a bracket that closes
        what is around it, or at the end of a line that does not continue.
        """
        value = None
        number = bisect_left(self._starts, self.after_generics(name_end))
        while number < len(self._tokens):
            token = self._tokens[number]
            if token.kind == "open":
                closing = self._counterparts.get(number)
                if has_body and self._data.startswith(b"{", token.start):
                    end = (
                        self._tokens[closing].end
                        if closing is not None
                        else _line_end(self._data, token.start)
                    )
                    return Bounds(value, token.start, end)
                if closing is None:
                    break
                number = closing
            elif token.kind == "close":
                return Bounds(value, None, token.start)
            elif token.kind == "end":
                return Bounds(value, None, token.end)
            elif token.kind == "value" and not has_body:  # else it is in generics
                value = token.start if value is None else value
            elif token.kind == "line":
                following = self._following(name_end, token.start)
                if following is None:
                    return Bounds(value, None, token.start)
                number = bisect_left(self._starts, following) - 1
            number += 1
        # Without a closing bracket nothing says where it ends.
        return Bounds(value, None, _line_end(self._data, name_end))

    def find_head(self, name_start: int, words: int) -> int:
        """Return where the declaration begins whose name is there.

        `words` is where the words before the name begin in its line: the answer in languages
        without semicolons. In others a return type may stand in an earlier line.
        """
        if self._language not in C_FAMILY:
            return words
        number = bisect_left(self._starts, name_start) - 1
        for _ in range(_HEAD_TOKENS):
            if number < 0:
                break
            token = self._tokens[number]
            if token.kind == "close" and not self._data.startswith(b"}", token.start):
                number = self._counterparts.get(number, 0)
            elif token.kind in ("open", "close", "end"):
                break
            number -= 1
        else:
            return words
        match = _BEFORE_HEAD.match(self.code, self._tokens[number].end if number >= 0 else 0)
        return min(match.end(), words) if match is not None else words

    def after_generics(self, at: int) -> int:
        """Return the place after the `<...>` that begins there; `at` if none does."""
        opening = self._next(at)
        if opening is None or opening[0] != b"<":
            return at
        depth = 0
        limit = opening.start() + _GENERICS_BYTES
        for mark in _GENERICS.finditer(self.code, opening.start(), limit):
            if mark[0] == b"<":
                depth += 1
            elif mark[0] == b">":
                depth -= 1
                if depth == 0:
                    return mark.end()
            elif mark[0] in (b";", b"{", b"}"):
                break
        return at

    def is_called(self, name_end: int) -> bool:
        """Return whether a parenthesis follows the name, with or without generics between."""
        following = self._next(self.after_generics(name_end))
        return following is not None and following[0] == b"("

    def _next(self, at: int) -> re.Match[bytes] | None:
        """Return the next byte from there on that is no blank."""
        return _NOT_BLANK.search(self.code, at) if at < self._last else None

    def _following(self, start: int, line_end: int) -> int | None:
        """Return where the declaration goes on in a later line, None if it does not."""
        following = self._next(line_end)
        if following is None:
            return None
        before = self.code[max(start, line_end - 200) : line_end]
        goes_on = _OPEN_ENDED.search(before) or _GOES_ON.match(self.code, following.start())
        return following.start() if goes_on else None

    @cached_property
    def types(self) -> frozenset[bytes]:
        """Names of the types that the source declares."""
        return frozenset(match["name"] for match in _TYPE.finditer(self.code))


def _line_end(data: bytes, at: int) -> int:
    end = data.find(b"\n", at)
    return end if end >= 0 else len(data)
