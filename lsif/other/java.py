"""Declarations of Java: types, methods, constructors and static fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsif.other.declaration import Declaration, Span
from lsif.other.nodes import is_name_of, place_in_list, start_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from lsif.structure import CodeType

_KINDS: dict[str, CodeType] = {
    "class_declaration": "Class",
    "interface_declaration": "Interface",
    "annotation_type_declaration": "Interface",
    "enum_declaration": "Enum",
    "record_declaration": "Struct",
    "method_declaration": "Function",
    "constructor_declaration": "Function",
    "compact_constructor_declaration": "Function",
    "annotation_type_element_declaration": "Function",
}
_VISIBILITY = frozenset({"public", "protected", "private"})
_ANNOTATIONS = frozenset({"annotation", "marker_annotation"})


def declared_by(name: Node) -> Declaration | None:
    """Return what the name declares, None if nothing."""
    node = name.parent
    if node is None or not is_name_of(name, node):
        return None
    if node.type == "variable_declarator":
        return _field(node)
    kind = _KINDS.get(node.type)
    if kind is None:
        return None
    _, visibility, left_out = _modifiers(node)
    body = node.child_by_field_name("body")
    return Declaration(
        kind,
        node.start_byte,
        node.start_byte,
        None,
        start_of(body),
        node.end_byte,
        left_out=(*left_out, *_methods(node, body)),
        visibility=visibility,
    )


def _methods(node: Node, body: Node | None) -> list[Span]:
    """Return where a record's or an enum's methods are, which are no part of its signature."""
    if body is None or node.type == "record_declaration":
        return [(body.start_byte, body.end_byte)] if body is not None else []
    methods = [child for child in body.named_children if child.type == "enum_body_declarations"]
    return [(child.start_byte, child.end_byte) for child in methods]


def _field(node: Node) -> Declaration | None:
    """Return a static field, of which there is one; a field of each object is no item."""
    statement = node.parent
    if statement is None or statement.type not in ("field_declaration", "constant_declaration"):
        return None
    words, visibility, left_out = _modifiers(statement)
    kind: CodeType
    if statement.type == "constant_declaration" or {"static", "final"} <= words:
        kind = "Const"
    elif "static" in words:
        kind = "Static"
    else:
        return None
    members = statement.children_by_field_name("declarator")
    end, shared = place_in_list(statement, node, members)
    value = node.child_by_field_name("value")
    head = node.start_byte if shared is not None else statement.start_byte
    return Declaration(
        kind,
        statement.start_byte,
        head,
        start_of(value),
        None,
        end,
        shared=shared,
        left_out=left_out,
        visibility=visibility,
    )


def _modifiers(node: Node) -> tuple[set[str], str, tuple[Span, ...]]:
    """Return the words before a declaration, its visibility, and what is not in the signature."""
    words: set[str] = set()
    visibility = ""
    left_out: list[Span] = []
    modifiers = next((child for child in node.children if child.type == "modifiers"), None)
    for child in modifiers.children if modifiers is not None else ():
        words.add(child.type)
        if child.type in _VISIBILITY:
            visibility = child.type
        if child.type in _VISIBILITY or child.type in _ANNOTATIONS:
            left_out.append((child.start_byte, child.end_byte))
    return words, visibility, tuple(left_out)
