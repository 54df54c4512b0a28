"""Declarations as text: signatures, visibility, the bare name of a type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsif.lines import squeeze

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

_LEFT_OUT = ("line_comment", "block_comment", "attribute_item")
_TYPE_FIELDS = {
    "generic_type": "type",
    "reference_type": "type",
    "pointer_type": "type",
    "scoped_type_identifier": "name",
    "scoped_identifier": "name",
    "dynamic_type": "trait",
    "abstract_type": "trait",
    "higher_ranked_trait_bound": "type",
}
_PARENTHESIS = re.compile(r"\s*([()])\s*")
_VALUED = frozenset({"const_item", "static_item"})
_BODIES = {
    "function_item": "block",
    "trait_item": "declaration_list",
    "mod_item": "declaration_list",
    "impl_item": "declaration_list",
}


def signature(
    node: Node, data: bytes, start: int | None = None, cuts: Iterable[tuple[int, int]] = ()
) -> tuple[str, str | None]:
    """Return the item's declaration, and its visibility as in the source, None if there is none.

    The declaration lacks visibility, attributes, comments and body. Fields and variants stay; the
    value of a constant or static counts as its body. `data` is the node's source. The visibility
    has no white space but around `in`. `start` and `cuts` are where it begins, and what is left
    out, too, where the node does not have that.
    """
    kind, spelled = node.type, None
    if kind == "macro_definition":
        name = node.child_by_field_name("name")
        return f"macro_rules! {text_of(name)}" if name is not None else "macro_rules!", None
    start = node.start_byte if start is None else start
    end, body = node.end_byte, _BODIES.get(kind)
    for child in node.children:
        part = child.type
        if part == "visibility_modifier":
            start, spelled = (
                child.end_byte,
                spelled_visibility(data[child.start_byte : child.end_byte]),
            )
        elif part == body or (part == "=" and kind in _VALUED):
            end = child.start_byte
            break
    pieces, position = [], start
    left_out = _cuts(node, data, start, end)
    for cut_start, cut_end in sorted([*left_out, *cuts]) if cuts else left_out:
        if position <= cut_start < end:
            pieces.append(data[position:cut_start])
            position = cut_end
    pieces.append(data[position:end])
    return squeeze(b" ".join(pieces).decode("utf-8")).rstrip(";").rstrip().removesuffix(
        ","
    ), spelled


def visibility(node: Node) -> str | None:
    """Return the item's visibility as `signature` does, None if the source has none."""
    for child in node.children:
        if child.type == "visibility_modifier":
            return spelled_visibility(child.text or b"")
    return None


def spelled_visibility(text: bytes) -> str:
    """Return a visibility without white space but around `in`."""
    text = text.strip()
    return "pub" if text == b"pub" else _PARENTHESIS.sub(r"\1", squeeze(text.decode("utf-8")))


def base_name(node: Node, data: bytes) -> str:
    """Return a type's name without path, references and generics, as the source `data` has it.

    Types without a name are returned as written, on one line.

    `&'a mut cache::Cache<K, V>` becomes `Cache`, `dyn Shape + Send` `Shape`; `[T]` stays `[T]`.
    """
    inner: Node | None = node
    while inner is not None:
        node, inner = inner, _inside(inner)
    if node.type in ("type_identifier", "identifier"):
        return data[node.start_byte : node.end_byte].decode("utf-8")
    return squeeze(text_of(node))


def _inside(node: Node) -> Node | None:
    """Return the type inside a reference, generic type, path or parentheses, else None."""
    if node.type in ("bounded_type", "parenthesized_type"):
        return node.named_children[0] if node.named_children else None
    if node.type == "tuple_type":  # (dyn Shape) is parentheses, no tuple
        alone = len(node.named_children) == 1 and b"," not in (node.text or b"")
        return node.named_children[0] if alone else None
    field = _TYPE_FIELDS.get(node.type)
    return node.child_by_field_name(field) if field is not None else None


def _cuts(node: Node, data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the byte ranges of comments and attributes in start..end, in order."""
    text = data[start:end]
    if b"//" not in text and b"/*" not in text and b"#" not in text:
        return
    waiting = node.children[::-1]
    while waiting:
        child = waiting.pop()
        if child.end_byte <= start or child.start_byte >= end:
            continue
        if child.type in _LEFT_OUT:
            yield child.start_byte, child.end_byte
        else:
            waiting += child.children[::-1]


def text_of(node: Node) -> str:
    """Return the source of the node."""
    return (node.text or b"").decode("utf-8")
