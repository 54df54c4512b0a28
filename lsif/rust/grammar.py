"""tree-sitter's Rust grammar: its parser, and queries for blocks and items.

https://github.com/tree-sitter/tree-sitter-rust
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import tree_sitter
import tree_sitter_rust

from lsif.blocks import KINDS
from lsif.rust.nodes import CODE_TYPES

if TYPE_CHECKING:
    from tree_sitter import Node

ITEM_NODES = frozenset({*CODE_TYPES, "impl_item", "foreign_mod_item"})


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
def block_query() -> tree_sitter.Query:
    """Return the query for blocks, captured as `block`."""
    return tree_sitter.Query(language(), f"[{' '.join(f'({kind})' for kind in KINDS)}] @block")


@cache
def item_query() -> tree_sitter.Query:
    """Return the query for items and what holds them, captured as `item`."""
    kinds = " ".join(f"({kind})" for kind in sorted(ITEM_NODES))
    return tree_sitter.Query(language(), f"[{kinds}] @item")
