"""Rust syntax that the grammar does not know and whose meaning is plain.

A copy of the source loses such words, or has others of the same length that it does know. Most of
it is nightly Rust, which the standard library uses: https://doc.rust-lang.org/nightly/unstable-book/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsif.rust.code import WORD, after_generics
from lsif.rust.segments import next_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lsif.rust.readable import Readable
    from lsif.rust.segments import Segment

NEW_SYNTAX = re.compile(
    rb"\b(?:safe|auto|macro|gen|final|become|yeet|bikeshed|builtin|super)\s|unsafe\s+static\b"
    rb"|\bconst\s+(?:unsafe\s+)?(?:auto\s+)?(?:trait|impl)\b|~\s*const\b|\[\s*const\s*\]"
    rb"|\bimpl\b[^{;]*?\bconst\b|\btrait\s+[^{;=]*=|\bdefault\s+(?:unsafe\s+)?(?:impl|const|type)\b"
    rb"|\bimpl\s*\(|\b(?:pin|async)\s+(?:mut|const|Fn)|\bunsafe\s*<"
)
"""What makes it worth while to read the tokens of a macro call again."""

_ITEM_WORDS = tuple(
    re.compile(pattern)
    for pattern in (
        rb"\bsafe\s+(?=(?:unsafe\s+)?(?:extern\s+)?(?:fn|static)\b)",
        rb"\bunsafe\s+(?=static\s+(?:mut\s+)?[A-Za-z_])",
        rb"\b(?:const|auto)\s+(?=(?:(?:const|unsafe|auto)\s+){0,4}trait\b)",
        rb"\bimpl\s*\([^()]*\)\s*(?=(?:(?:const|unsafe|auto)\s+){0,4}trait\b)",
        rb"\b(?:gen|final|crate)\s+(?=(?:(?:const|async|unsafe|gen|extern|safe)\s+){0,8}fn\s)",
        rb"\b(?:default|const)\s+(?=(?:(?:const|unsafe)\s+){0,4}impl\b)",
        rb"\b(?:default|final)\s+(?=(?:const\s+[A-Za-z_]|type\s))",
        rb"\btype\s+(?=const\s)",
        rb"\bunsafe\s+(?=mod\s+[A-Za-z_])",
        rb"\bsuper\s+(?=let\b)",
    )
)
"""Words before an item's keyword."""
_WORDS = tuple(
    re.compile(pattern)
    for pattern in (
        rb"~\s*const\b",
        rb"(?<=[\s:+(,=<&])\[\s*const\s*\](?=\s*[A-Za-z_:(?])",
        rb"(?<=[:+])\s*const\s+(?=[A-Za-z:(])",
        rb"\basync\s+(?=(?:for\s*<[^<>]*>\s*)?(?:\w+\s*::\s*){0,8}(?:Async)?Fn(?:Mut|Once)?\b)",
        rb"\bunsafe\s*<[^<>]*>",
        rb"(?<=&)\s*pin\s+(?:const\b|(?=mut\b))",
        rb"(?<=\bdyn)\s*\*(?=\s*[\w:])",
        rb"\bbuiltin\s*#",
        rb"\bbikeshed\b[^{};]{0,300}(?=\{)",
        rb"(?<=\basync)\s+gen\b",
        rb"\bfor\s*<[^<>]*>\s*(?=(?:(?:const|static|async|move)\s+){0,4}\|)",
        rb"\bconst\s+(?=(?:(?:static|async|move)\s+){0,4}\|)",
        rb"(?<=[<,])\s*const\s*(?=\{)",
        rb"(?<=[<,])\s*-(?=\s*\d)",
        rb"(?<=,)\s*\.\.(?=\s*\})",
        rb"(?<![\w\x80-\xff])\d[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?[\d_]+)?(f(?:16|128))\b",
        rb"\bbox\s+(?=[A-Za-z_&(])",
        rb"\$\s*(?=[{$])|[~`\\]",
    )
)
"""Words inside an item, or their group. Where other code has them, too, no structure changes."""
_IMPL = re.compile(rb"\bimpl\b")
_CONST = re.compile(rb"\s*const\s+(?=[^{])")
_REPLACED = (
    (re.compile(rb"\bbecome(?=\s)"), b"return"),
    (re.compile(rb"\bdo\s+yeet\b"), b"return"),
    (re.compile(rb"(?<=&)_(?=\s*[),])"), b"A"),
    (re.compile(rb"\btry(?=\s*!\s*[(\[{])"), b"tri"),  # a macro until the edition of 2018
    (re.compile(rb"(?<=<)raw(?=>)"), b"Raw"),
)
_MACRO = re.compile(rb"(?<![\w#$])macro\s+" + WORD + rb"\s*[({]")
_TRAIT = re.compile(rb"\btrait\s+" + WORD)
_ATTRIBUTE = re.compile(rb"#\s*\[")
_FIELD_AFTER = re.compile(rb"\s*" + WORD + rb"\s*:(?!:)")
"""In patterns of structs, where the grammar knows no attributes. Definitions can do without."""
_EXPRESSION_BEFORE = re.compile(rb"(?:[=|&+*/?-]|=>|\b(?:return|break|yield|become|else|in))\Z")


def rewrite(copy: Readable, start: int, end: int) -> None:
    """Rewrite the range of the copy."""
    if start == 0:
        copy.drop(*copy.code.frontmatter)
    for rule in (_drop_words, _declare_macros, _declare_trait_aliases, _drop_attributes):
        rule(copy, start, end)
    copy.link_words()


def _drop_words(copy: Readable, start: int, end: int) -> None:
    for pattern in _ITEM_WORDS:
        _each(pattern, copy, start, end, copy.drop_word)
    for pattern in _WORDS:
        _each(pattern, copy, start, end, copy.drop)
    for match in _IMPL.finditer(copy.code.text, start, end):
        word = _CONST.match(copy.code.text, after_generics(copy.code.text, match.end(), end), end)
        if word is not None:
            copy.drop(*word.span())
    for pattern, text in _REPLACED:
        for match in list(pattern.finditer(copy.left, start, end)):
            copy.drop(*match.span())
            if b"\n" not in match[0]:
                copy.put(match.start(), text)


def _each(
    pattern: re.Pattern[bytes],
    copy: Readable,
    start: int,
    end: int,
    drop: Callable[[int, int], None],
) -> None:
    for match in pattern.finditer(copy.code.text, start, end):
        drop(*match.span(match.lastindex or 0))


def _declare_macros(copy: Readable, start: int, end: int) -> None:
    """Have `macro name(..) { .. }` as traits without members; both words have five letters."""
    for segment in _segments_at(_MACRO, copy, start, end):
        if segment.body is not None and segment.name is not None:
            copy.put(segment.keyword_start, b"trait")
            copy.drop_code(segment.name[1], segment.body)
            copy.drop_code(segment.body + 1, segment.end - 1)
            copy.kinds[segment.name[0]] = "Macro"


def _declare_trait_aliases(copy: Readable, start: int, end: int) -> None:
    """Have `trait A<T> = B + C where ..;` as an alias of a type."""
    for segment in _segments_at(_TRAIT, copy, start, end):
        if segment.body is None and segment.value is not None and segment.name is not None:
            copy.put(segment.keyword_start, b"type ")
            copy.drop_code(segment.name[1], segment.end - 1)
            copy.put_tokens(segment.value, segment.end - 1, b"=A")
            copy.kinds[segment.name[0]] = "Trait"


def _segments_at(
    pattern: re.Pattern[bytes], copy: Readable, start: int, end: int
) -> Iterator[Segment]:
    """Yield the items that begin with the pattern; none if brackets are not in pairs."""
    if copy.code.pairs is None:
        return
    while (match := pattern.search(copy.code.text, start, end)) is not None:
        segment = next_segment(copy.code, match.start(), end)
        if segment is None:
            return
        yield segment
        start = max(segment.end if segment.body is None else segment.body, match.end())


def _drop_attributes(copy: Readable, start: int, end: int) -> None:
    """Drop attributes of closures and other expressions where the grammar expects none."""
    for opening, closing in _attributes_in_expressions(copy, start, end):
        copy.drop(opening, closing)
        copy.cuts.append((opening, closing))


def _attributes_in_expressions(copy: Readable, start: int, end: int) -> Iterator[tuple[int, int]]:
    code, last = copy.code, -1
    if code.pairs is None:
        return
    for match in _ATTRIBUTE.finditer(code.text, start, end):
        before, after = code.before(match.start(), start), code.pairs[match.end() - 1] + 1
        if (
            before == last
            or _EXPRESSION_BEFORE.search(code.text, max(before - 8, start), before)
            or _FIELD_AFTER.match(code.text, after, end)
        ):
            last = after
            yield match.start(), after
