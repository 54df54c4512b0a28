"""A copy of a Rust source that differs where the grammar does not know the syntax.

It is as long as the source, so that positions in it are positions in the source.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from lsif.rust.code import Code, blanked

if TYPE_CHECKING:
    from lsif.structure import CodeType

_FREE = re.compile(rb"[^\r\n]")


class Readable:
    """The copy, and what it lacks."""

    def __init__(self, data: bytes) -> None:
        self.code = Code(data)
        """Of the source, not of the copy."""
        self.text = bytearray(data)
        self.left = bytearray(self.code.text)
        """The code of the copy."""
        self.starts: dict[int, int] = {}
        """Where items begin in the source, by where they begin in the copy, if that differs."""
        self.kinds: dict[int, CodeType] = {}
        """Kinds of items that the copy declares as something else, by the start of the name."""
        self.visibilities: dict[int, str] = {}
        """Visibilities that the copy lacks, by the start of the name."""
        self.cuts: list[tuple[int, int]] = []
        """Attributes and comments of items that the tree of the copy does not have there."""
        self.unread: set[int] = set()
        """Where the names of items begin that the grammar could not read."""
        self._words: list[tuple[int, int]] = []

    def drop(self, start: int, end: int) -> None:
        """Blank the range."""
        self.text[start:end] = blanked(self.text[start:end])
        self.left[start:end] = blanked(self.left[start:end])

    def drop_code(self, start: int, end: int) -> None:
        """Blank the range but for its comments."""
        self.code.blank(self.text, start, end)
        self.left[start:end] = blanked(self.left[start:end])

    def drop_word(self, start: int, end: int) -> None:
        """Blank a word that an item begins with; `link_words` tells the item of it."""
        self.drop(start, end)
        self._words.append((start, end))

    def put(self, start: int, text: bytes) -> None:
        """Write over the text from there, as far as there is any."""
        text = text[: max(len(self.text) - start, 0)]
        self.text[start : start + len(text)] = text
        self.left[start : start + len(text)] = text

    def put_tokens(self, start: int, end: int, tokens: bytes) -> None:
        """Write tokens of one character each over the range, but over no line end or comment.

        Nothing is written if there is no room for all.
        """
        room = bytearray(self.text[start:end])
        for comment_start, comment_end in self.code.comments_in(start, end):
            room[comment_start - start : comment_end - start] = b"\n" * (
                comment_end - comment_start
            )
        free = [start + match.start() for match in islice(_FREE.finditer(room), len(tokens))]
        if len(free) == len(tokens):
            for at, token in zip(free, tokens, strict=True):
                self.put(at, bytes([token]))

    def link_words(self) -> None:
        """Record where the items that begin with dropped words begin in the source."""
        left = bytes(self.left)
        for start, end in sorted(self._words):
            rest = left[end : end + 1000]
            begin = end + len(rest) - len(rest.lstrip())
            self.starts.setdefault(begin, start)
            self.cuts += self.code.comments_in(start, begin)
        self._words.clear()
