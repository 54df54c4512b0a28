"""Items of a Rust source by their keywords and brackets alone: a second witness beside the grammar.

What an item holds does not matter here, so that syntax which the grammar does not know can't
mislead. Offsets are in bytes; ends are exclusive.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lsif.rust.code import WORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsif.rust.code import Code

_MODIFIER = rb"""(?:
    (?:default|const|async|unsafe|safe|gen|auto|final|extern|crate(?!\s*::)|type(?=\s+const\b))\b\s*
  | impl\s*\([^()]*\)\s*
)"""
_KEYWORD = rb"""(?P<keyword>
    (?:fn|struct|enum|union|trait|impl|mod|type|const|static|use|macro|extern)\b
  | macro_rules\s*!
)"""
_HEAD = re.compile(
    rb"(?P<visibility>pub\b(?:\s*\([^()]*\))?\s*)?"
    + (_MODIFIER + rb"{0,8}" + _KEYWORD + rb"\s*(?:mut\s+)?(?P<name>" + WORD + rb")?"),
    re.VERBOSE,
)
_CALL = re.compile(
    rb"(?:::\s*)?" + WORD + rb"(?:\s*::\s*" + WORD + rb")*\s*!\s*(?:" + WORD + rb"\s*)?(?=[({\[])"
)
_PART = re.compile(rb"[-=]>|[({\[)}\];<>=]")
_NESTED = re.compile(
    rb"(?:pub\b(?:\s*\([^()]*\))?\s*)?"
    + _MODIFIER
    + rb"{0,8}(?:(?:fn|struct|enum|union|trait|mod|type|const|static|macro)\s+(?:mut\s+)?"
    + WORD
    + rb"|macro_rules\s*!|impl\b)|(?<![\w\x80-\xff])"
    + WORD
    + rb"\s*!\s*(?P<call>[({\[])",
    re.VERBOSE,
)
_IN_BRACES = frozenset(
    {b"fn", b"struct", b"enum", b"union", b"trait", b"impl", b"mod", b"extern", b"macro"}
)
_VISIBILITY = re.compile(rb"pub\b(?:\s*\([^()]*\))?\s*")
_BRACKETS = ((b"(", b")"), (b"[", b"]"), (b"{", b"}"))
_BEFORE_HEAD = (b" ", b"\t", b"\n", b"\r", b")", b"]")
_NAMELESS = frozenset({b"impl", b"use", b"extern"})
_LONGEST_HEAD = 10_000
"""Number of brackets and signs in the longest header that is looked at."""
CONTAINERS = frozenset({b"mod", b"impl", b"trait", b"extern"})
"""Keywords of what has other items in its braces."""
CALL, UNKNOWN = b"!", b""


class Segment(NamedTuple):
    """An item, or what stands where one may stand."""

    leading: int
    """Where its attributes begin; `start` if it has none."""
    start: int
    end: int
    keyword: bytes
    """CALL for a macro call, UNKNOWN for anything else."""
    keyword_start: int
    name: tuple[int, int] | None
    """Start and end of the name."""
    body: int | None
    """Of the brace that opens its body."""
    value: int | None
    """Of the `=` before its value."""
    visibility_end: int
    """`start` if it has no visibility."""


def segments(code: Code, start: int, end: int) -> Iterator[Segment]:
    """Yield what is in the range, in order. The code's brackets must be in pairs."""
    position = start
    while True:
        segment = next_segment(code, position, end)
        if segment is None:
            return
        yield segment
        position = segment.end


def next_segment(code: Code, position: int, limit: int) -> Segment | None:
    """Return the first item from the position, None if there is none before the limit."""
    text, pairs = code.text, code.pairs or {}
    leading = None
    position = code.skip_blank(position, limit)
    while position < limit and text[position] in b"#;":
        if text[position] == ord(b"#"):
            bracket = text.find(b"[", position, limit)
            if bracket < 0:
                break
            if text[position + 1 : bracket].strip() != b"!":
                leading = position if leading is None else leading
            position = pairs.get(bracket, bracket) + 1
        else:
            position += 1
        position = code.skip_blank(position, limit)
    if position >= limit:
        return None
    head = _HEAD.match(text, position, limit)
    leading = position if leading is None else leading
    keyword = head["keyword"].rstrip(b"! \t\r\n") if head is not None else UNKNOWN
    has_name = keyword not in _NAMELESS
    if head is None or (has_name and head["name"] is None):
        return _other(code, leading, position, limit)
    after = head.end("name") if has_name else head.end("keyword")
    if keyword == b"macro_rules":
        end, body, value = *_call_end(code, after, limit), None
    else:
        end, body, value = _item_end(code, after, limit, keyword)
    return Segment(
        leading,
        position,
        end,
        keyword,
        head.start("keyword"),
        head.span("name") if has_name else None,
        body,
        value,
        head.end("visibility") if head["visibility"] else position,
    )


def nested_items(code: Code, start: int, end: int) -> Iterator[Segment]:
    """Yield items and macro calls among the statements in the range, in blocks of any depth, too.

    What the brackets of macro calls contain is left out.
    """
    position = start
    while (match := _NESTED.search(code.text, position, end)) is not None:
        position = match.end()
        if match["call"] is not None:
            position = (code.pairs or {}).get(match.start("call"), match.start("call")) + 1
        begin = _attributes_start(code, match.start(), start)
        before = code.before(begin, start)
        if before > start and code.text[before - 1] not in b"{};":
            continue  # in the midst of an expression or a type
        segment = next_segment(code, begin, end)
        if segment is not None and segment.keyword != UNKNOWN:
            yield segment
            position = max(position, segment.end)


def _attributes_start(code: Code, position: int, limit: int) -> int:
    """Return where the attributes before the position begin, the position if there are none."""
    text = code.text
    while True:
        bracket = code.before(position, limit)
        opening = code.openings.get(bracket - 1) if text[bracket - 1] == ord(b"]") else None
        if opening is None:
            return position
        sign = code.before(opening, limit)
        if sign <= limit or text[sign - 1] != ord(b"#"):
            return position
        position = sign - 1


def _other(code: Code, leading: int, start: int, limit: int) -> Segment:
    """Return a macro call, or something unknown."""
    call = _CALL.match(code.text, start, limit)
    if call is not None:
        end, body = _call_end(code, call.end(), limit)
        return Segment(leading, start, end, CALL, start, None, body, None, start)
    end, body, value = _item_end(code, start, limit, b"fn")
    later = _item_after_unknown(code, leading, start, end if body is None else body)
    if later is not None:
        return later
    return Segment(leading, start, max(end, start + 1), UNKNOWN, start, None, body, value, start)


def _item_after_unknown(code: Code, leading: int, start: int, end: int) -> Segment | None:
    """Return the item that begins with unknown words, or these alone if it is in another line."""
    text = code.text
    head = _HEAD.search(text, start, end)
    while head is not None and (
        (head["name"] is None and head["keyword"] != b"impl")
        or head["keyword"] in (b"use", b"extern")
        or _is_open(text[start : head.start()])
        or text[head.start() - 1 : head.start()] not in _BEFORE_HEAD
    ):
        head = _HEAD.search(text, head.start() + 1, end)
    if head is None:
        return None
    begin = _attributes_start(code, head.start(), start)
    unknown = code.before(begin, start)
    if b"\n" in text[unknown:begin]:
        return Segment(leading, start, unknown, UNKNOWN, start, None, None, None, start)
    item = next_segment(code, head.start("keyword"), len(text))
    visible = _VISIBILITY.match(text, start, end)
    visibility_end = visible.end() if visible is not None else start
    return item and item._replace(leading=leading, start=start, visibility_end=visibility_end)


def _is_open(text: bytes) -> bool:
    """Return whether a bracket of the text is not closed in it."""
    return any(text.count(opening) != text.count(closing) for opening, closing in _BRACKETS)


def _call_end(code: Code, position: int, limit: int) -> tuple[int, int | None]:
    """Return the end of a macro call and the bracket that opens its tokens."""
    opening = code.skip_blank(position, limit)
    closing = (code.pairs or {}).get(opening)
    if closing is None:
        return min(max(opening, position) + 1, limit), None
    if code.text[opening] == ord(b"{"):
        return closing + 1, opening
    after = code.skip_blank(closing + 1, limit)
    ends_with = after < limit and code.text[after] == ord(b";")
    return (after + 1 if ends_with else closing + 1), opening


def _item_end(
    code: Code, position: int, limit: int, keyword: bytes
) -> tuple[int, int | None, int | None]:
    """Return the item's end, and where its body and its value begin."""
    text, pairs = code.text, code.pairs or {}
    angles, value = 0, None
    for _ in range(_LONGEST_HEAD):
        part = _PART.search(text, position, limit)
        if part is None:
            break
        at, position = part.span()
        symbol = part[0]
        if symbol in (b"(", b"[", b"{"):
            is_body = symbol == b"{" and angles <= 0 and value is None and keyword in _IN_BRACES
            position = pairs.get(at, at) + 1
            if is_body:
                return position, at, None
        elif symbol == b";":
            return position, None, value
        elif symbol in (b")", b"]", b"}"):
            return at, None, value
        elif symbol == b"=":
            value = at if angles <= 0 and value is None else value
        elif value is None and symbol in (b"<", b">"):
            angles += 1 if symbol == b"<" else -1
    return code.before(limit, position), None, value
