"""Documentation comments and attributes of an item, and their Markdown.

Rules: https://doc.rust-lang.org/reference/comments.html#doc-comments and rustdoc's own unindenting
(https://doc.rust-lang.org/rustdoc/write-documentation/the-doc-attribute.html). Rows are 0-based.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from operator import attrgetter
from typing import TYPE_CHECKING

from lsif.comments import strip_stars, unindent

if TYPE_CHECKING:
    from tree_sitter import Node

_COMMENTS = ("line_comment", "block_comment")
_HEADS = frozenset({*_COMMENTS, "inner_attribute_item", "shebang"})
"""Nodes that may precede inner documentation."""
_ESCAPE = re.compile(
    r"\\(?:x(?P<code>[0-9a-fA-F]{2})|u\{(?P<unicode>[0-9a-fA-F_]{1,12})\}"
    r"|(?P<line>\r?\n\s*)|(?P<one>.))",
    re.DOTALL,
)
_LAST_CHARACTER, _SURROGATES = 0x10FFFF, range(0xD800, 0xE000)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_TEST_ATTRIBUTE = re.compile(
    r"^#\s*\[\s*(?:[^\s:\[\](),=]+\s*::\s*)*(?:r#)?"
    r"(?:test|bench|rstest|test_case|quickcheck|proptest|wasm_bindgen_test)\b(?!\s*=)"
)
_CFG = re.compile(r"^#\s*!?\s*\[\s*cfg\s*\((.*)\)\s*\]$", re.DOTALL)
_CFG_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\w-]+|[(),=]')
_CFG_DEPTH = 64


def attached(node: Node, siblings: list[Node]) -> list[Node]:
    """Return the docs, attributes and comments between them before the node, in order.

    `siblings` are all children of the node's parent. tree-sitter can find the previous sibling,
    too, but in time proportional to their number.
    """
    nodes: list[Node] = []
    plain: list[Node] = []
    for sibling in siblings[
        bisect_left(siblings, node.start_byte, key=attrgetter("start_byte")) - 1 :: -1
    ]:
        if sibling.start_byte >= node.start_byte:
            break
        if is_leading(sibling):
            nodes += [*plain, sibling]
            plain = []
        elif is_plain_comment(sibling):
            plain.append(sibling)
        else:
            break
    return nodes[::-1]


def is_leading(node: Node) -> bool:
    """Return whether the node is an attribute or a documentation comment of what follows."""
    return node.type == "attribute_item" or _is_outer_doc(node)


def is_plain_comment(node: Node) -> bool:
    """Return whether the node is a comment that documents nothing around it."""
    return node.type in _COMMENTS and not _is_inner_doc(node)


def first_row(node: Node, leading: list[Node]) -> int:
    """Return the row that an item begins in; `leading` are its docs and attributes."""
    return (leading[0] if leading else node).start_point.row


def docstring(leading: list[Node], inner: str | None) -> str | None:
    """Return the Markdown of the docs before an item and inside it, None if there are none."""
    if not leading:
        return inner or None
    fragments = [fragment for node in leading if (fragment := _fragment(node)) is not None]
    outer = unindent(fragments)
    return "\n".join(part for part in (outer, inner) if part) or None


def inner_docs(body: Node) -> tuple[int, int, str] | None:
    """Return first row, last row and Markdown of the inner docs that the body begins with.

    Inner docs are `//!` and `#![doc = ".."]`.
    """
    found = []
    first = body.named_child(0) if body.named_child_count else None
    if (
        first is None or first.type not in _HEADS
    ):  # true of most bodies, whose many children need not be listed
        return None
    for child in body.named_children:
        if child.type not in _HEADS:
            break
        fragment = (
            _fragment(child)
            if _is_inner_doc(child) or child.type == "inner_attribute_item"
            else None
        )
        if fragment is not None:
            found.append((child, fragment))
    text = unindent([fragment for _, fragment in found])
    return (found[0][0].start_point.row, _last_row(found[-1][0]), text) if text else None


def is_test_attribute(node: Node) -> bool:
    """Return whether the node is an attribute of a test, or of code that only tests compile."""
    if node.type not in ("attribute_item", "inner_attribute_item"):
        return False
    text = (node.text or b"").decode("utf-8")
    if node.type == "attribute_item" and _TEST_ATTRIBUTE.match(text):
        return True
    condition = _CFG.match(text)
    return condition is not None and is_test_only(condition[1])


def is_test_only(predicate: str) -> bool:
    """Return whether a `cfg` predicate never holds without `test`.

    >>> [is_test_only(cfg) for cfg in ("test", "all(unix, test)", "any(test, unix)", "not(test)")]
    [True, True, False, False]
    """
    return _evaluate(_CFG_TOKEN.findall(predicate)[::-1], 0) is False


def _evaluate(tokens: list[str], depth: int) -> bool | None:
    """Return the value of the predicate that the reversed tokens begin with; None if unknown.

    `test` is false.
    """
    name = tokens.pop() if tokens else ""
    if not tokens or tokens[-1] != "(" or depth > _CFG_DEPTH:
        if len(tokens) > 1 and tokens[-1] == "=":
            del tokens[-2:]  # key = "value"
            return None
        return False if name == "test" else None
    tokens.pop()
    values = []
    while tokens and tokens[-1] != ")":
        values.append(_evaluate(tokens, depth + 1))
        if tokens and tokens[-1] == ",":
            tokens.pop()
    if tokens:
        tokens.pop()
    if name == "not" and values:
        return None if values[0] is None else not values[0]
    if name == "all":
        return False if False in values else None if None in values else True
    if name == "any":
        return True if True in values else None if None in values else False
    return None


def _last_row(node: Node) -> int:
    """Return the row that the node's text ends in; a line comment's node ends in the next row."""
    end = node.end_point
    return end.row - 1 if end.column == 0 and end.row > node.start_point.row else end.row


def _is_outer_doc(node: Node) -> bool:
    return node.type in _COMMENTS and node.child_by_field_name("outer") is not None


def _is_inner_doc(node: Node) -> bool:
    return node.type in _COMMENTS and node.child_by_field_name("inner") is not None


def _fragment(node: Node) -> str | None:
    """Return the documentation that a comment or attribute holds, None where it holds none."""
    if node.type in ("attribute_item", "inner_attribute_item"):
        return _attribute_docs(node)
    text = (node.text or b"").decode("utf-8")
    if not (_is_outer_doc(node) or _is_inner_doc(node)):
        return None
    if node.type == "line_comment":
        return text[3:].rstrip("\r\n")
    return strip_stars(text[3:].removesuffix("*/"))


def _attribute_docs(node: Node) -> str | None:
    """Return the text of `#[doc = "text"]`, None for any other attribute."""
    attribute = next((child for child in node.named_children if child.type == "attribute"), None)
    value = attribute.child_by_field_name("value") if attribute is not None else None
    if attribute is None or value is None or not (attribute.text or b"").startswith(b"doc"):
        return None
    text = (value.text or b"").decode("utf-8")
    if value.type == "raw_string_literal":
        return text[text.index('"') + 1 : text.rindex('"')]
    return _ESCAPE.sub(_unescape, text[1:-1]) if value.type == "string_literal" else None


def _unescape(match: re.Match[str]) -> str:
    """Return the text of an escape in a string literal.

    https://doc.rust-lang.org/reference/tokens.html#character-escapes
    """
    digits = match["code"] or match["unicode"]
    if digits is not None:
        code = int(digits.replace("_", "") or "0", 16)
        return chr(code) if code <= _LAST_CHARACTER and code not in _SURROGATES else "\ufffd"
    if match["line"] is not None:
        return ""
    return _ESCAPES.get(match["one"], match["one"])
