"""Takes out of a copy of a Rust source what the grammar can't read, item by item.

Brackets and keywords say where items begin and end. An item that can't be read by itself loses its
body, then its header but for keyword and name: so it does no harm to its neighbours, and still is
an item of its kind at its place.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsif.rust.code import WORD, after_generics
from lsif.rust.grammar import parser
from lsif.rust.segments import CALL, CONTAINERS, UNKNOWN, Segment, nested_items, segments
from lsif.rust.signature import spelled_visibility

if TYPE_CHECKING:
    from lsif.rust.code import Code
    from lsif.rust.readable import Readable

_DEPTH = 30
_AROUND = (b"mod m{", b"\n}")
_TYPED = {b"fn": b"()", b"const": b":A", b"static": b":A"}
"""What the grammar expects behind the name."""
_HEADS = {b"fn": b"fn f()", b"struct": b"struct S", b"enum": b"enum E", b"union": b"union U"}
_FIELD_VALUE = re.compile(rb"(?<![<>=!])=(?![=>])[^,{}]*")
_WORD = re.compile(WORD)
_CONTEXTUAL = re.compile(rb"\b(?:auto|default|final|gen|raw|safe|union)\b")
"""Words that may be names of types, but not for the grammar."""
_ATTRIBUTE = re.compile(rb"#\s*\[")
_ATTRIBUTE_PATH = re.compile(rb"\s*(?:" + WORD + rb"\s*(?:::\s*)?)+")
_BEFORE_TRAIT = re.compile(rb"(?:(?:const\b|[!?~])\s*)+")
_PART = re.compile(rb"[-=]>|[<>({\[]|\bfor\b(?!\s*<)|\bwhere\b")


def isolate(copy: Readable, start: int, end: int, depth: int = 0) -> None:
    """Take out of the range what can't be read. The code's brackets must be in pairs."""
    for segment in list(segments(copy.code, start, end)):
        if not _is_clean(copy, segment):
            _mend(copy, segment, depth)
        if segment.leading < segment.start and not _reads(
            bytes(copy.text[segment.leading : segment.start]) + b"fn f();"
        ):
            _shorten_attributes(copy, segment.leading, segment.start)


def _shorten_attributes(copy: Readable, start: int, end: int) -> None:
    """Leave of each attribute its name."""
    for match in _ATTRIBUTE.finditer(copy.code.text, start, end):
        path = _ATTRIBUTE_PATH.match(copy.code.text, match.end())
        after = path.end() if path is not None else match.end()
        copy.drop_code(after, (copy.code.pairs or {})[match.end() - 1])


def _is_clean(copy: Readable, segment: Segment) -> bool:
    """Return whether the grammar reads the segment by itself as one item, of that extent."""
    text = bytes(copy.text[segment.start : segment.end])
    tree = parser().parse(text.join(_AROUND))
    if tree.root_node.has_error or len(tree.root_node.children) != 1:
        return False
    body = tree.root_node.children[0].child_by_field_name("body")
    items = [node for node in body.named_children if not node.is_extra] if body is not None else []
    if items and items[-1].type == "empty_statement":
        del items[-1]
    if len(items) != 1:
        return not items and segment.name is None
    shift = len(_AROUND[0])
    first, last = shift + len(text) - len(text.lstrip()), shift + len(text.rstrip(b" \t\r\n;"))
    name = items[0].child_by_field_name("name")
    return (
        items[0].start_byte == first
        and items[0].end_byte >= last
        and (
            segment.name is None
            or (name is not None and name.start_byte - shift == segment.name[0] - segment.start)
        )
    )


def _reads(text: bytes) -> bool:
    return not parser().parse(text.join(_AROUND)).root_node.has_error


def _mend(copy: Readable, segment: Segment, depth: int) -> None:
    """Take out the body; if that is not enough, the header, too."""
    if segment.keyword == UNKNOWN or depth > _DEPTH:
        _drop_whole(copy, segment)
        return
    if segment.body is not None and not _has_clean_body(copy, segment):
        _drop_body(copy, segment, depth)
    if segment.keyword not in (CALL, b"use") and not _is_clean(copy, segment):
        _drop_header(copy, segment)
        if segment.visibility_end > segment.start and not _is_clean(copy, segment):
            _drop_visibility(copy, segment)
    if not _is_clean(copy, segment):
        _drop_whole(copy, segment)


def _has_clean_body(copy: Readable, segment: Segment) -> bool:
    """Return whether only the header can't be read, as far as the body can be seen alone."""
    head = _HEADS.get(segment.keyword)
    return head is not None and _reads(head + bytes(copy.text[segment.body : segment.end]))


def _drop_whole(copy: Readable, segment: Segment) -> None:
    """Leave an empty statement, so that the docs before it do not go to what follows."""
    copy.drop_code(segment.start, segment.end)
    copy.put(segment.end - 1, b";")


def _drop_body(copy: Readable, segment: Segment, depth: int) -> None:
    body = segment.body or 0
    end = (copy.code.pairs or {})[body]
    if segment.keyword in CONTAINERS:
        isolate(copy, body + 1, end, depth + 1)
        return
    if segment.keyword == b"struct":
        for match in _FIELD_VALUE.finditer(copy.code.text, body + 1, end):
            copy.drop(*match.span())
        if _has_clean_body(copy, segment):
            return
    if segment.name is not None:
        copy.unread.add(segment.name[0])
    if segment.keyword == b"fn":
        position = body + 1
        for item in nested_items(copy.code, body + 1, end):
            copy.drop_code(position, item.leading)
            if not _is_clean(copy, item):
                _mend(copy, item, depth + 1)
            position = item.end
        copy.drop_code(position, end)
        return
    _drop_with_attributes(copy, body + 1, end)


def _drop_with_attributes(copy: Readable, start: int, end: int) -> None:
    pairs = copy.code.pairs or {}
    for match in _ATTRIBUTE.finditer(copy.code.text, start, end):
        copy.cuts.append((match.start(), pairs[match.end() - 1] + 1))
    copy.drop_code(start, end)


def _drop_header(copy: Readable, segment: Segment) -> None:
    """Leave the keyword, the name, and what it takes to be an item."""
    text, keyword = copy.code.text, segment.keyword
    last = segment.end - 1 if text[segment.end - 1] == ord(b";") else segment.end
    stop = last if segment.body is None else segment.body
    if segment.visibility_end < segment.keyword_start:
        if segment.visibility_end == segment.start:
            copy.starts[segment.keyword_start] = segment.start
        copy.drop_code(segment.visibility_end, segment.keyword_start)
    if keyword == b"impl":
        _drop_impl_header(copy, segment)
    elif keyword == b"extern" and segment.body is not None:
        copy.drop_code(segment.keyword_start + len(keyword), stop)
    elif segment.name is not None and keyword != b"macro_rules":
        after = segment.name[1]
        copy.unread.add(segment.name[0])
        _drop_with_attributes(copy, after, stop)
        copy.put_tokens(after, segment.value or stop, _TYPED.get(keyword, b""))
        if segment.value is not None:
            copy.put_tokens(segment.value, stop, b"=A")


def _drop_visibility(copy: Readable, segment: Segment) -> None:
    """Drop the visibility: the grammar knows none before `type name;`, for example."""
    start, end = segment.start, segment.visibility_end
    copy.drop(start, end)
    if segment.name is not None:
        copy.visibilities[segment.name[0]] = spelled_visibility(copy.code.text[start:end])


def _drop_impl_header(copy: Readable, segment: Segment) -> None:
    """Leave trait and type, without their paths and generics if these can't be read."""
    start, body = segment.keyword_start + len(segment.keyword), segment.body
    if body is None:
        return
    trait, written = _impl_parts(copy.code, start, body)
    copy.unread.add(written[0])
    parts = [part for part in (trait, written) if part is not None]
    before = bytes(copy.text)
    copy.drop_code(start, body)
    for part in parts:
        copy.put(part[0], before[slice(*part)])
    if trait is not None:
        copy.put(copy.code.skip_blank(trait[1], body), b"for")
    if _is_clean(copy, segment):
        return
    for part in parts:
        path = copy.code.text[slice(*part)].partition(b"<")[0]
        words = list(_WORD.finditer(path))
        copy.drop(*part)
        if words:
            copy.put(part[0] + words[-1].start(), words[-1][0])
            copy.unread.add(part[0] + words[-1].start())
    if not _is_clean(copy, segment):
        for part in parts:
            for match in _CONTEXTUAL.finditer(copy.text, *part):
                copy.put(match.start(), b"A" * len(match[0]))


def _impl_parts(code: Code, start: int, end: int) -> tuple[tuple[int, int] | None, tuple[int, int]]:
    """Return where the trait, if there is one, and the type of an impl's header are."""
    text, pairs = code.text, code.pairs or {}
    begin = code.skip_blank(after_generics(text, start, end), end)
    words = _BEFORE_TRAIT.match(text, begin, end)
    position = begin = words.end() if words is not None else begin
    depth, trait, stop = 0, None, end
    while (part := _PART.search(text, position, stop)) is not None:
        at, position = part.span()
        symbol = part[0]
        if symbol in (b"(", b"[", b"{"):
            position = pairs.get(at, at) + 1
        elif symbol in (b"<", b">"):
            depth += 1 if symbol == b"<" else -1
        elif depth == 0 and symbol == b"for":
            trait = (begin, code.before(at, begin))
            begin = code.skip_blank(position, end)
        elif depth == 0 and symbol == b"where":
            stop = at
    return trait, (begin, code.before(stop, begin))
