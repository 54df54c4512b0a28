"""What the rules of several languages ask of nodes of a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from tree_sitter import Node

    from lsif.other.declaration import Span


def text_of(node: Node | None) -> str:
    """Return the node's text, "" if there is no node."""
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


def is_name_of(name: Node, node: Node, field: str = "name") -> bool:
    """Return whether the node has that name in the field."""
    return node.child_by_field_name(field) == name


def start_of(node: Node | None) -> int | None:
    """Return where the node begins, None if there is no node."""
    return node.start_byte if node is not None else None


def is_inside(node: Node, types: Collection[str]) -> bool:
    """Return whether a node of one of the types is around the node."""
    parent = node.parent
    while parent is not None:
        if parent.type in types:
            return True
        parent = parent.parent
    return False


def place_in_list(statement: Node, member: Node, members: list[Node]) -> tuple[int, Span | None]:
    """Return the end of one of the members of a statement, and the words that all of them share.

    There are none if it is the only one. The last one ends with the statement.
    """
    end = statement.end_byte if member == members[-1] else member.end_byte
    shared = (statement.start_byte, members[0].start_byte) if len(members) > 1 else None
    return end, shared
