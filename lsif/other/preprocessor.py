"""What C's preprocessor hides from a grammar: branches of conditions, macros in declarations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsif.other.declaration import Declaration

_DIRECTIVE = re.compile(
    rb"[ \t]*\#[ \t]*(?P<word>if|ifdef|ifndef|elif|elifdef|elifndef|else|endif)\b"
)
_WORDS_BEFORE = re.compile(rb"(?:\A|[;{}])[ \t]*(?P<words>\w[\w \t*]*)\Z")
_BRACKET_MACRO = re.compile(rb"\w*(?:BEGIN|END|OPEN|CLOSE)(?:_\w*)?[ \t]*\r?\n\s*")
"""A line as `__BEGIN_DECLS`, which opens or closes a bracket."""
_LOOKED_AT = 200
_NEVER = re.compile(rb"[ \t]*\#[ \t]*if[ \t]+(?:0|false)\b")
_NOT_NEWLINE = re.compile(rb"[^\r\n]")


def branches(code: bytes) -> Iterator[bytes]:
    """Yield the source with only the first branch of each `#if`, then with only the last.

    Lines and offsets stay: what is left out becomes blanks. `code` has no comments. Where branches
    open a bracket each that one line closes, no grammar understands all of them at once.
    """
    lines = code.splitlines(keepends=True)
    words = [_directive(line) for line in lines]
    groups = list(_conditionals(words))
    for last in (False, True):
        kept: set[int] = set()
        for group in groups:
            branches_alive = group[1:] if _NEVER.match(lines[group[0]]) else group
            kept.update(branches_alive[-1:] if last else branches_alive[:1])
        yield b"".join(_without_others(lines, words, kept))


def _directive(line: bytes) -> str:
    """Return "if", "else" or "endif" for a line that begins, parts or ends a condition."""
    match = _DIRECTIVE.match(line)
    if match is None:
        return ""
    word = match["word"].decode()
    return "if" if word.startswith("if") else "else" if word.startswith("el") else "endif"


def _conditionals(words: list[str]) -> Iterator[list[int]]:
    """Yield for each condition the numbers of the lines that begin its branches."""
    around: list[list[int]] = []
    for number, word in enumerate(words):
        if word == "if":
            around.append([number])
        elif word == "else" and around:
            around[-1].append(number)
        elif word == "endif" and around:
            yield around.pop()
    yield from around


def _without_others(lines: list[bytes], words: list[str], kept: set[int]) -> Iterator[bytes]:
    """Yield the lines; directives, and branches whose first line is not kept, are blanks."""
    taken: list[bool] = []
    left_out = 0  # conditions around the line whose branch is not kept
    goes_on = False
    for number, (line, word) in enumerate(zip(lines, words, strict=True)):
        if word in ("else", "endif") and taken:
            left_out -= not taken.pop()
        if word in ("if", "else"):
            taken.append(number in kept)
            left_out += not taken[-1]
        is_directive = bool(word) or goes_on
        goes_on = is_directive and line.rstrip(b"\r\n").endswith(b"\\")
        yield _NOT_NEWLINE.sub(b" ", line) if is_directive or left_out else line


def with_macros(declaration: Declaration, code: bytes) -> Declaration:
    """Return the declaration with the words before it in its line, without a bracket's macro.

    A grammar takes the first of two words before a name for a type: of `API void CALL f()` it has
    `CALL f()`, and of a line `__BEGIN_DECLS` it makes the type of the next one.
    """
    start = declaration.start
    if declaration.shared is not None or declaration.head != start:
        return declaration
    bracket = _BRACKET_MACRO.match(code, start, declaration.end)
    if bracket is not None:
        return declaration._replace(start=bracket.end(), head=bracket.end())
    line = max(code.rfind(b"\n", 0, start) + 1, start - _LOOKED_AT)
    before = _WORDS_BEFORE.search(code[line:start])
    if before is None:
        return declaration
    begin = line + before.start("words")
    return declaration._replace(start=begin, head=begin)
