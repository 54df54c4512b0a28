"""Declarations as text: signatures, visibility, the bare name of a type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_LEFT_OUT = ("line_comment", "block_comment", "attribute_item")
_BODIES = {"function_item": "block", "trait_item": "declaration_list", "mod_item": "declaration_list"}


def fold(text: str) -> str:
    r"""Return the text with each run of white space made one blank.

    >>> fold("a,\n    b ")
    'a, b'
    """
    return " ".join(text.split())


def signature(node: Node) -> str:
    """Return the item's declaration without visibility, attributes, comments and body; fields and variants stay.

    A constant's or static's value counts as its body.
    """
    if node.type == "macro_definition":
        name = node.child_by_field_name("name")
        return f"macro_rules! {_text(name)}" if name is not None else "macro_rules!"
    start, end = node.start_byte, node.end_byte
    for child in node.children:
        if child.type == "visibility_modifier":
            start = child.end_byte
        elif child.type == _BODIES.get(node.type) or (child.type == "=" and node.type in ("const_item", "static_item")):
            end = child.start_byte
            break
    text = node.text or b""
    pieces, position = [], start
    for cut_start, cut_end in _cuts(node, start, end):
        pieces.append(text[position - node.start_byte : cut_start - node.start_byte])
        position = cut_end
    pieces.append(text[position - node.start_byte : end - node.start_byte])
    return fold(b" ".join(pieces).decode("utf-8")).rstrip(";").rstrip().removesuffix(",")


def visibility(node: Node) -> str | None:
    """Return the item's visibility as the source spells it, white space dropped but for `in`; None where it spells none."""
    for child in node.children:
        if child.type == "visibility_modifier":
            return re.sub(r"\s*([()])\s*", r"\1", fold(_text(child)))
    return None


def base_name(node: Node) -> str:
    """Return a type's name without path, references and generics; types that have no name are returned as written, folded.

    >>> # &'a mut cache::Cache<K, V>  ->  Cache;  dyn Shape + Send  ->  Shape;  [T]  ->  [T]
    """
    if node.type in ("type_identifier", "identifier"):
        return _text(node)
    inner = {
        "generic_type": "type",
        "reference_type": "type",
        "pointer_type": "type",
        "scoped_type_identifier": "name",
        "scoped_identifier": "name",
        "dynamic_type": "trait",
        "abstract_type": "trait",
        "higher_ranked_trait_bound": "type",
    }.get(node.type)
    child = node.child_by_field_name(inner) if inner is not None else None
    if child is None and node.type in ("bounded_type", "parenthesized_type") and node.named_children:
        child = node.named_children[0]
    if child is None and node.type == "tuple_type" and len(node.named_children) == 1 and b"," not in (node.text or b""):
        child = node.named_children[0]  # (dyn Shape): parentheses, no tuple
    return base_name(child) if child is not None else fold(_text(node))


def _cuts(node: Node, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the byte ranges of comments and attributes in start..end, in order."""
    text = (node.text or b"")[start - node.start_byte : end - node.start_byte]
    if b"//" not in text and b"/*" not in text and b"#" not in text:
        return
    for child in node.children:
        if child.start_byte >= end:
            return
        if child.type in _LEFT_OUT and child.start_byte >= start:
            yield child.start_byte, child.end_byte
        elif child.child_count and child.start_byte >= start:
            yield from _cuts(child, child.start_byte, min(child.end_byte, end))


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8")
