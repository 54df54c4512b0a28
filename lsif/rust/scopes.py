"""Scopes of a Rust file: what modules, functions, impls and traits say of the items inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lsif.lines import squeeze
from lsif.rust.docs import is_test_attribute
from lsif.rust.signature import base_name, text_of, visibility

if TYPE_CHECKING:
    from tree_sitter import Node

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


def inner_scope(data: bytes, node: Node, around: Scope, *, is_test: bool) -> Scope | None:
    """Return the scope that the node opens for items inside it, None if it has none.

    `data` is the source.
    """
    name = node.child_by_field_name("name")
    scope = Scope(
        node.start_byte, node.end_byte, around.modules, around.qualifiers, is_test=is_test
    )
    if node.type == "foreign_mod_item":
        return scope
    if node.type == "impl_item":
        return impl_scope(data, node, scope)
    if name is None or name.text == RESERVED:
        return None
    text = text_of(name)
    if node.type == "mod_item":
        return _module_scope(node, scope, text)
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


def _module_scope(node: Node, scope: Scope, name: str) -> Scope | None:
    """Return the scope inside a module; None if its items are in another file."""
    body = body_of(node)
    if body is None:
        return None
    is_test = scope.is_test or has_test_attribute_inside(body)
    return scope._replace(modules=(*scope.modules, name), is_test=is_test)


def impl_scope(data: bytes, node: Node, scope: Scope) -> Scope | None:
    """Return the scope inside an impl block; None if the block has no type."""
    self_type, trait = node.child_by_field_name("type"), node.child_by_field_name("trait")
    if self_type is None:
        return None
    written, owner = squeeze(_spelled(data, self_type)), base_name(self_type, data)
    if trait is None:
        return scope._replace(qualifiers=(*scope.qualifiers, written), owner=owner)
    qualifier = f"<{written} as {squeeze(_spelled(data, trait))}>"
    return scope._replace(
        qualifiers=(*scope.qualifiers, qualifier),
        owner=owner,
        trait_name=base_name(trait, data),
        member_visibility="inherited",
    )


def _spelled(data: bytes, node: Node) -> str:
    """Return the node as the source has it; the tree may be of a copy."""
    return data[node.start_byte : node.end_byte].decode("utf-8")


def has_test_attribute_inside(body: Node) -> bool:
    """Return whether a file or module has `#![cfg(test)]`."""
    return any(
        is_test_attribute(child) for child in body.children if child.type == "inner_attribute_item"
    )


def body_of(node: Node) -> Node | None:
    """Return the node of the item's body."""
    return node.child_by_field_name("body")


def scope_of(node: Node, scopes: list[Scope]) -> Scope:
    """Return the innermost of the scopes that are around the node; the first is the widest."""
    around = [
        scope for scope in scopes if scope.start <= node.start_byte and node.end_byte <= scope.end
    ]
    return min(around, key=lambda scope: scope.end - scope.start, default=scopes[0])


def leave(around: list[Scope], position: int) -> None:
    """Drop the scopes that end before the position; the first is the widest and stays."""
    while len(around) > 1 and around[-1].end <= position:
        around.pop()
