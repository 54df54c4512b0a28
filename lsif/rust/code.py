"""A Rust source without its comments and literals, and its brackets. Knows no grammar.

Offsets are in bytes. What is left out becomes blanks, so that offsets stay true.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cached_property

_TOKEN = re.compile(
    rb"""
    (?P<line> //[^\n]* )
  | (?P<block> /\* )
  | (?P<literal>
        (?<![\w\x80-\xff])(?:[bc]?r)(?P<hashes>\#*)".*?(?:"(?P=hashes)|\Z)
      | (?:(?<![\w\x80-\xff])[bc])?"(?:\\.|[^"\\])*(?:"|\\?\Z)
      | (?:(?<![\w\x80-\xff])b)?'(?:\\[^\n]+?|[^'\\\n\x80-\xff]|[\xc0-\xff][\x80-\xbf]{1,3})'
    )
  | '[A-Za-z_\x80-\xff][\w\x80-\xff]*               # a lifetime
    """,
    re.DOTALL | re.VERBOSE,
)
"""A string without an end is all that follows: looking for its end again and again takes long."""
_HEAD = re.compile(
    rb"(?P<shebang>#!(?!\s*\[)[^\n]*\n)?\s*"
    rb"(?P<frontmatter>(?P<fence>-{3,})[^\n]*\n(?:.*?\n)?(?P=fence)[ \t\r]*(?:\n|\Z))?",
    re.DOTALL,
)
"""What may stand before the code of a script."""
_BLOCK_COMMENT_END = re.compile(rb"/\*|\*/")
_BRACKET = re.compile(rb"[()\[\]{}]")
_BLANKS = b" \t\r\n\x0b\x0c"
_VISIBLE = re.compile(rb"[^\s]")
_ANGLE = re.compile(rb"[-=]>|[<>;{]|\bimpl\b")
_LONGEST_GENERICS = 10_000
_CLOSING = {b")": b"(", b"]": b"[", b"}": b"{"}
WORD = rb"(?:r\#)?[A-Za-z_\x80-\xff][\w\x80-\xff]*"
"""An identifier. All bytes of characters outside ASCII belong to words."""


class Code:
    """The code of a source: comments and literals are blank."""

    def __init__(self, data: bytes) -> None:
        text = bytearray(data)
        self.comments: list[tuple[int, int]] = []
        """Where the comments are, in order."""
        head = _HEAD.match(data)
        self.frontmatter = head.span("frontmatter") if head and head["frontmatter"] else (0, 0)
        """Where the manifest of a script is: https://rust-lang.github.io/rfcs/3503-frontmatter.html"""
        position = head.end() if head is not None else 0
        text[:position] = blanked(data[:position])
        while (match := _TOKEN.search(data, position)) is not None:
            start, position = match.span()
            if match["block"] is not None:
                position = _comment_end(data, position)
            if match["literal"] is None and match["line"] is None and match["block"] is None:
                continue
            if match["literal"] is None:
                self.comments.append((start, position))
            text[start:position] = blanked(data[start:position])
        self.text = bytes(text)

    @cached_property
    def pairs(self) -> dict[int, int] | None:
        """The offset of each closing bracket by that of the opening one; None if some lack."""
        pairs: dict[int, int] = {}
        opened: list[tuple[bytes, int]] = []
        for match in _BRACKET.finditer(self.text):
            opening = _CLOSING.get(match[0])
            if opening is None:
                opened.append((match[0], match.start()))
            elif opened and opened[-1][0] == opening:
                pairs[opened.pop()[1]] = match.start()
            else:
                return None
        return None if opened else pairs

    def blank(self, text: bytearray, start: int, end: int) -> None:
        """Blank the range of the text, which is as long as the source, but for its comments."""
        for comment_start, comment_end in self.comments_in(start, end):
            text[start:comment_start] = blanked(text[start:comment_start])
            start = comment_end
        text[start:end] = blanked(text[start:end])

    @cached_property
    def openings(self) -> dict[int, int]:
        """The offset of each opening bracket by that of the closing one."""
        return {closing: opening for opening, closing in (self.pairs or {}).items()}

    def comments_in(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the comments in the range, in order."""
        return self.comments[
            bisect_left(self.comments, (start, 0)) : bisect_left(self.comments, (end, 0))
        ]

    def skip_blank(self, position: int, end: int) -> int:
        """Return the offset of the first code from the position, `end` if there is none."""
        match = _VISIBLE.search(self.text, position, end)
        return match.start() if match is not None else end

    def before(self, position: int, start: int) -> int:
        """Return the offset after the last code before the position, `start` if there is none."""
        while position > start and self.text[position - 1] in _BLANKS:
            position -= 1
        return position


def blanked(text: bytes | bytearray) -> bytes:
    """Return as many blanks as the text has bytes; its line ends stay."""
    return _VISIBLE.sub(b" ", text)


def after_generics(text: bytes, position: int, end: int) -> int:
    """Return where the generics end that begin at the position; the position if there are none."""
    at = position
    while at < end and text[at] in b" \t\r\n":
        at += 1
    if at >= end or text[at] != ord(b"<"):
        return position
    depth = 0
    for match in _ANGLE.finditer(text, at, min(end, at + _LONGEST_GENERICS)):
        if match[0] in (b";", b"{", b"impl"):
            break
        depth += {b"<": 1, b">": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    return position


def _comment_end(data: bytes, position: int) -> int:
    """Return the end of a block comment, which may hold others, from after its `/*`."""
    depth = 1
    while depth:
        match = _BLOCK_COMMENT_END.search(data, position)
        if match is None:
            return len(data)
        position = match.end()
        depth += 1 if match[0] == b"/*" else -1
    return position
