"""Strings, comments and brackets of a source without a grammar.

One lexer serves all languages; a few properties of a language decide what a comment or a character
is. Offsets are in bytes. A source takes time linear in its length, whatever is left open in it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal, NamedTuple, get_args

Kind = Literal["comment", "string", "open", "close", "end", "line", "value", "escape", "colon"]

C_FAMILY = frozenset({"c", "cpp", "csharp", "dart", "java", "objective-c", "objective-cpp"})
"""Languages whose statements end at a semicolon, and whose functions need no keyword."""
_HASH_COMMENTS = frozenset(
    {"coffeescript", "crystal", "elixir", "julia", "nim", "perl", "php", "powershell", "python",
     "r", "ruby", "shellscript"}
)  # fmt: skip
_NO_SLASH_COMMENTS = _HASH_COMMENTS - {"php"}
_NESTED_COMMENTS = frozenset({"d", "dart", "kotlin", "rust", "scala", "swift"})
_CHARACTERS = frozenset({*C_FAMILY, "go", "kotlin", "scala", "swift"}) - {"dart"}
"""Languages where a single quote encloses one character."""

_COMMON = rb"""
  | \"{3}.*?\"{3}
  | (?P<open> [(\[{] ) | (?P<close> [)\]}] ) | (?P<end> ; )
  | (?P<escape> \\\r?\n ) | (?P<line> \n ) | (?P<colon> : )
  | (?P<value> (?<![=!<>])=(?![=>]) )
"""
_QUOTED = {
    b'"': rb"""| "(?:\\.|[^"\\])*+(?:"|\\?(?P<open1>\Z))""",
    b"`": rb"| `(?:\\.|[^`\\])*+(?:`|\\?(?P<open2>\Z))",
}
"""Strings over several lines; one that is never closed is found once, and is none."""
_RAW = rb"| (?<!\w)b?r(?P<hashes>\#*+)\"(?:.*?\"(?P=hashes)|.*)"
_RUST_CHARACTERS = rb"""
  | '(?:\\[^\n]{1,10}?|[^'\\\n\x80-\xff]|[\x80-\xff]{2,4})'
  | '(?:r\#)?[A-Za-z_\x80-\xff][\w\x80-\xff]*
"""
_C_CHARACTERS = rb"| (?<![0-9])'(?:\\[^\n]{1,10}?|[^'\\\n]{1,8})'"  # not the 1'000 of C++
_SHORT_STRINGS = rb"| '(?:\\.|[^'\\\n]){0,200}+'"  # bounded: it is tried at each quote of a line
_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
_NESTED = re.compile(rb"/\*|\*/")


class Token(NamedTuple):
    """What is neither a word nor an operator."""

    kind: Kind
    start: int
    end: int


def lex(data: bytes, language: str) -> list[Token]:
    """Return the source's tokens in their order; strings and comments may have several lines."""
    tokens: list[Token] = []
    at: int | None = 0
    quotes = frozenset(_QUOTED)
    while at is not None:
        begun, at = at, None
        for match in _pattern(language, quotes).finditer(data, begun):
            start, end = match.span()
            quote = data[start : start + 1]
            if match.lastgroup in ("open1", "open2"):
                # All further ones are escaped inside it, and would be as open.
                quotes, at = quotes - {quote}, start + 1
                break
            kind: Kind = _KINDS.get(match.lastgroup or "", "string")
            if kind == "comment" and language in _NESTED_COMMENTS and quote == b"/":
                end = _nested_end(data, start, end)
            tokens.append(Token(kind, start, end))
            if end != match.end():
                at = end
                break
    return tokens


def _nested_end(data: bytes, start: int, end: int) -> int:
    """Return the end of the comment at `start`, in which comments may be nested."""
    if not data.startswith(b"/*", start):
        return end
    depth = 0
    for mark in _NESTED.finditer(data, start):
        depth += 1 if mark[0] == b"/*" else -1
        if depth == 0:
            return mark.end()
    return len(data)


@cache
def _pattern(language: str, quotes: frozenset[bytes]) -> re.Pattern[bytes]:
    """Return the tokens of a language, in which only those quotes are still closed."""
    comments = [] if language in _NO_SLASH_COMMENTS else [rb"//[^\n]*", rb"/\*(?:.*?\*/|.*)"]
    if language in _HASH_COMMENTS:
        comments.append(rb"\#(?!\[)[^\n]*" if language == "php" else rb"(?<![$&{])\#[^\n]*")
    parts = [rb"(?P<comment>" + b"|".join(comments) + rb")"]
    if language == "rust":
        parts += [_RAW, _RUST_CHARACTERS]
    else:
        parts.append(_C_CHARACTERS if language in _CHARACTERS else _SHORT_STRINGS)
    strings = [_QUOTED[quote] for quote in sorted(quotes)]
    return re.compile(b"".join(parts) + _COMMON + b"".join(strings), re.DOTALL | re.VERBOSE)


def blank_comments(data: bytes, comments: list[tuple[int, int]]) -> bytes:
    """Return the source with blanks for the comments; lines and offsets stay."""
    code = bytearray(data)
    for start, end in comments:
        code[start:end] = re.sub(rb"[^\r\n]", b" ", data[start:end])
    return bytes(code)
