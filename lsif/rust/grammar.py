"""tree-sitter's Rust grammar: its parser, and queries for blocks and items.

https://github.com/tree-sitter/tree-sitter-rust
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import tree_sitter
import tree_sitter_rust

from lsif.blocks import KINDS, MIN_LINES, SourceBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

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
ITEM_NODES = frozenset({*CODE_TYPES, "impl_item", "foreign_mod_item"})
MAY_BE_ITEM = re.compile(
    rb"\b(?:const|enum|fn|impl|macro_rules|mod|static|struct|trait|type|union)\b"
)
"""A word that items begin with. Text without any has no item in it, and need not be queried."""


def enclosing(
    root: Node, row: int, column: int, node_type: str, *, innermost: bool = False
) -> Node | None:
    """Return the outermost or innermost node of the type around the position."""
    node = root.descendant_for_point_range((row, column), (row, column + 1))
    found = None
    while node is not None:
        if node.type == node_type:
            found = node
            if innermost:
                break
        node = node.parent
    return found


@cache
def language() -> tree_sitter.Language:
    """Return the grammar."""
    return tree_sitter.Language(tree_sitter_rust.language())


@cache
def parser() -> tree_sitter.Parser:
    """Return a parser of whole files."""
    return tree_sitter.Parser(language())


@cache
def _block_query() -> tree_sitter.Query:
    """Return the query for blocks, captured as `block`."""
    return tree_sitter.Query(language(), f"[{' '.join(f'({kind})' for kind in KINDS)}] @block")


def blocks_in(root: Node) -> Iterator[SourceBlock]:
    """Yield the blocks of at least MIN_LINES lines in no particular order.

    An `else if` belongs to its `if`.
    """
    for node in tree_sitter.QueryCursor(_block_query()).captures(root).get("block", []):
        in_else = (
            node.type == "if_expression"
            and node.parent is not None
            and node.parent.type == "else_clause"
        )
        if node.end_point.row - node.start_point.row + 1 >= MIN_LINES and not in_else:
            yield SourceBlock(KINDS[node.type], node.start_point.row, node.end_point.row)


@cache
def item_query() -> tree_sitter.Query:
    """Return the query for items and what holds them, captured as `item`."""
    kinds = " ".join(f"({kind})" for kind in sorted(ITEM_NODES))
    return tree_sitter.Query(language(), f"[{kinds}] @item")
