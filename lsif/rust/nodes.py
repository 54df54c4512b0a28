"""Single nodes of tree-sitter's Rust grammar as what this package makes of them: items and scopes.

https://github.com/tree-sitter/tree-sitter-rust. Rows and byte columns are 0-based; both ends of a
row range are inclusive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lsif.items import SourceItem
from lsif.lines import squeeze
from lsif.rust.docs import docstring, first_row, inner_docs, is_test_attribute
from lsif.rust.signature import base_name, signature, text_of, visibility

if TYPE_CHECKING:
    from tree_sitter import Node

    from lsif.structure import CodeType

CODE_TYPES: dict[str, CodeType] = {
    "function_item": "Function",
    "function_signature_item": "Function",
    "struct_item": "Struct",
    "enum_item": "Enum",
    "union_item": "Union",
    "trait_item": "Trait",
    "type_item": "TypeAlias",
    "associated_type": "TypeAlias",
    "const_item": "Const",
    "static_item": "Static",
    "macro_definition": "Macro",
    "mod_item": "Module",
}
RESERVED = b"macro"
"""No item's name; what has it is the grammar's guess at `macro name(..)`."""


class Scope(NamedTuple):
    """A node that contains items."""

    start: int
    end: int
    modules: tuple[str, ...] = ()
    qualifiers: tuple[str, ...] = ()
    owner: str | None = None
    trait_name: str | None = None
    member_visibility: str | None = None
    is_test: bool = False


def make_item(
    data: bytes, node: Node, name: Node, leading: list[Node], scope: Scope, *, is_test: bool
) -> SourceItem:
    """Return the item that the node is; `leading` are its docs and attributes."""
    code_type = CODE_TYPES[node.type]
    row_to = node.end_point.row
    body = body_of(node)
    inside = (
        inner_docs(body)
        if body is not None and code_type in ("Function", "Module", "Trait")
        else None
    )
    if code_type == "Module" and body is not None:  # its items are structures of their own
        row_to = inside[1] if inside is not None else body.start_point.row
    written, own = signature(node, data)
    if code_type == "Macro":
        own = "pub" if any(b"macro_export" in (above.text or b"") for above in leading) else None
    return SourceItem(
        name=text_of(name),
        code_type=code_type,
        row=name.start_point.row,
        row_from=first_row(node, leading),
        row_to=row_to,
        signature=written,
        docstring=docstring(leading, inside[2] if inside is not None else None),
        owner=scope.owner,
        trait_name=scope.trait_name,
        visibility=own or scope.member_visibility or "private",
        is_test=is_test,
        modules=scope.modules,
        qualifiers=scope.qualifiers,
    )


def inner_scope(node: Node, around: Scope, *, is_test: bool) -> Scope | None:
    """Return the scope that the node opens for items inside it, None if it has none."""
    name = node.child_by_field_name("name")
    scope = Scope(
        node.start_byte, node.end_byte, around.modules, around.qualifiers, is_test=is_test
    )
    if node.type == "foreign_mod_item":
        return scope
    if node.type == "impl_item":
        return _impl_scope(node, scope)
    if name is None or name.text == RESERVED:
        return None
    text = text_of(name)
    if node.type == "mod_item":
        body = body_of(node)
        is_test = is_test or (body is not None and has_test_attribute_inside(body))
        return scope._replace(modules=(*scope.modules, text), is_test=is_test)
    if node.type == "const_item":  # const _: () = { items };
        return scope
    if node.type == "function_item":
        return scope._replace(qualifiers=(*scope.qualifiers, text))
    if node.type == "trait_item":
        members = visibility(node) or "private"
        return scope._replace(
            qualifiers=(*scope.qualifiers, text),
            owner=text,
            trait_name=text,
            member_visibility=members,
        )
    return None


def _impl_scope(node: Node, scope: Scope) -> Scope | None:
    self_type, trait = node.child_by_field_name("type"), node.child_by_field_name("trait")
    if self_type is None:
        return None
    written, owner = squeeze(text_of(self_type)), base_name(self_type)
    if trait is None:
        return scope._replace(qualifiers=(*scope.qualifiers, written), owner=owner)
    qualifier = f"<{written} as {squeeze(text_of(trait))}>"
    return scope._replace(
        qualifiers=(*scope.qualifiers, qualifier),
        owner=owner,
        trait_name=base_name(trait),
        member_visibility="inherited",
    )


def has_test_attribute_inside(body: Node) -> bool:
    """Return whether a file or module has `#![cfg(test)]`."""
    return any(
        is_test_attribute(child) for child in body.children if child.type == "inner_attribute_item"
    )


def body_of(node: Node) -> Node | None:
    """Return the node of the item's body."""
    return node.child_by_field_name("body")
