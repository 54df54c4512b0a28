"""Single nodes of tree-sitter's Rust grammar as items.

https://github.com/tree-sitter/tree-sitter-rust. Rows and byte columns are 0-based; both ends of a
row range are inclusive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsif.items import SourceItem
from lsif.rust.docs import docstring, inner_docs
from lsif.rust.grammar import CODE_TYPES
from lsif.rust.scopes import Scope, body_of, impl_scope
from lsif.rust.signature import signature, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from lsif.rust.reading import Reading


def make_item(
    reading: Reading, node: Node, name: Node, leading: list[Node], scope: Scope, *, is_test: bool
) -> SourceItem:
    """Return the item that the node is; `leading` are its docs and attributes."""
    code_type = reading.kind_of(name) or CODE_TYPES[node.type]
    row_to = node.end_point.row
    body = body_of(node)
    inside = (
        inner_docs(body)
        if body is not None and code_type in ("Function", "Module", "Trait")
        else None
    )
    if code_type == "Module" and body is not None:  # its items are structures of their own
        row_to = inside[1] if inside is not None else body.start_point.row
    written, own = _signature(reading, node)
    if node.type == "macro_definition":
        own = "pub" if any(b"macro_export" in (above.text or b"") for above in leading) else None
    return SourceItem(
        name=text_of(name),
        code_type=code_type,
        row=name.start_point.row,
        row_from=reading.first_row(leading[0] if leading else node),
        row_to=row_to,
        signature=written,
        docstring=docstring(leading, inside[2] if inside is not None else None),
        owner=scope.owner,
        trait_name=scope.trait_name,
        visibility=own or reading.visibility_of(name) or scope.member_visibility or "private",
        is_test=is_test,
        modules=scope.modules,
        qualifiers=scope.qualifiers,
        by_brackets=not reading.is_read(name.start_byte),
        extent=_extent(reading, node, leading, body if code_type == "Module" else None),
    )


def make_impl(
    reading: Reading, node: Node, leading: list[Node], scope: Scope, *, is_test: bool
) -> SourceItem | None:
    """Return the impl block that the node is, without what is in it; None if it has no type."""
    around = scope._replace(owner=None, trait_name=None)
    inside, written = impl_scope(reading.data, node, around), node.child_by_field_name("type")
    if inside is None or written is None or not inside.owner:
        return None
    body = body_of(node)
    inner = inner_docs(body) if body is not None else None
    row_to = node.end_point.row if body is None else body.start_point.row
    owner = inside.owner
    segment = inside.qualifiers[-1]
    return SourceItem(
        name=f"{inside.trait_name} for {owner}" if inside.trait_name else owner,
        code_type="Impl",
        row=written.start_point.row,
        row_from=reading.first_row(leading[0] if leading else node),
        row_to=row_to if inner is None else inner[1],
        signature=_signature(reading, node)[0],
        docstring=docstring(leading, inner[2] if inner is not None else None),
        visibility="",
        owner=inside.owner,
        trait_name=inside.trait_name,
        is_test=is_test,
        modules=scope.modules,
        qualifiers=scope.qualifiers,
        segment=segment if inside.trait_name else f"impl {segment}",
        by_brackets=not reading.is_read(written.start_byte),
        extent=_extent(reading, node, leading, body),
        trait_at=_name_start(node.child_by_field_name("trait")),
    )


def _name_start(path: Node | None) -> int | None:
    """Return the offset of the name that a path to a type ends with, generics aside."""
    while path is not None and path.type in ("generic_type", "scoped_type_identifier"):
        path = path.child_by_field_name("type" if path.type == "generic_type" else "name")
    return None if path is None else path.start_byte


def _extent(
    reading: Reading, node: Node, leading: list[Node], body: Node | None
) -> tuple[int, int]:
    """Return where an item begins and ends; that is where `body` begins, if one is given."""
    start = reading.start_of(leading[0] if leading else node)
    return start, node.end_byte if body is None else body.start_byte + 1


def _signature(reading: Reading, node: Node) -> tuple[str, str | None]:
    start = reading.start_of(node)
    return signature(node, reading.data, start, reading.cuts(start, node.end_byte))
