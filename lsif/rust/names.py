"""Guesses what the names in a Rust source refer to, where no dump knows.

A name is guessed to be an item of its own module, or what a `use` of that module imports under it.
What it is called by is a symbol; whether there is one such structure is found out later. Names of
fields and methods, which only a compiler resolves, are left out, as are imports by `*`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import tree_sitter

from lsif.identifiers import plain_name
from lsif.items import WrittenName
from lsif.rust.grammar import language

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from lsif.items import Imports

_SCOPED = frozenset({"scoped_identifier", "scoped_type_identifier"})
_NO_WHOLE_NAMES = _SCOPED | {"label", "lifetime"}
"""Nodes whose parts are no names of their own."""
_DEEPEST = 50
"""Nesting of a `use`."""


@cache
def _name_query() -> tree_sitter.Query:
    kinds = ("identifier", "type_identifier", *sorted(_SCOPED))
    return tree_sitter.Query(language(), f"[{' '.join(f'({kind})' for kind in kinds)}] @name")


@cache
def _use_query() -> tree_sitter.Query:
    return tree_sitter.Query(language(), "(use_declaration) @use")


def names_in(root: Node) -> Iterator[WrittenName]:
    """Yield the names under a node, in no particular order; of a path only the whole."""
    for node in tree_sitter.QueryCursor(_name_query()).captures(root).get("name", []):
        if node.parent is not None and node.parent.type in _NO_WHOLE_NAMES:
            continue
        last = node.child_by_field_name("name") if node.type in _SCOPED else node
        segments = _segments(node)
        if segments and last is not None:
            place, size = last.start_point, last.end_byte - last.start_byte
            yield WrittenName(segments, place.row, place.column, size)


def uses_in(root: Node) -> Iterator[tuple[Node, Imports]]:
    """Yield each `use` under a node, with what it imports."""
    for node in tree_sitter.QueryCursor(_use_query()).captures(root).get("use", []):
        argument = node.child_by_field_name("argument")
        if argument is not None:
            yield node, dict(_imported(argument, (), 0))


def symbol_for(
    segments: tuple[str, ...], module: tuple[str, ...], imports: Imports
) -> tuple[str, ...]:
    """Return the full path of a path that is written in a module.

    >>> symbol_for(("super", "f"), ("r", "a", "b"), {})
    ('r', 'a', 'f')
    >>> symbol_for(("Out", "new"), ("r", "a"), {"Out": ("crate", "sink", "Sink")})
    ('r', 'sink', 'Sink', 'new')
    """
    if segments[0] in imports:
        imported = imports[segments[0]]
        if imported[0] not in imports:  # else it may go on for ever
            return symbol_for((*imported, *segments[1:]), module, {"": ()})
    if segments[0] == "crate":
        return (*module[:1], *segments[1:])
    if segments[0] == "self":
        return (*module, *segments[1:])
    if segments[0] == "super":
        while segments[:1] == ("super",):
            segments, module = segments[1:], module[:-1]
        return (*module, *segments)
    # What a `use` names begins with a crate, since edition 2018.
    return segments if "" in imports else (*module, *segments)


def _imported(
    node: Node, path: tuple[str, ...], depth: int
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what a part of a `use` imports; `path` is before it."""
    if depth > _DEEPEST:
        return
    if node.type == "use_list":
        for child in node.named_children:
            yield from _imported(child, path, depth + 1)
    elif node.type == "scoped_use_list":
        listed = node.child_by_field_name("list")
        if listed is not None:
            yield from _imported(listed, (*path, *_path_of(node)), depth + 1)
    elif node.type == "use_as_clause":
        alias = node.child_by_field_name("alias")
        if alias is not None:
            yield plain_name((alias.text or b"").decode()), (*path, *_path_of(node))
    else:
        own = () if node.type == "self" else _segments(node)
        whole = (*path, *own)
        if whole and (own or node.type == "self"):  # not `*`
            yield whole[-1], whole


def _path_of(node: Node) -> tuple[str, ...]:
    path = node.child_by_field_name("path")
    return _segments(path) if path is not None else ()


def _segments(node: Node) -> tuple[str, ...]:
    """Return the segments of a path, without generics; none if it has other parts."""
    segments: list[str] = []
    current: Node | None = node
    while current is not None and current.type in _SCOPED:
        name = current.child_by_field_name("name")
        segments.append(plain_name((name.text or b"").decode()) if name is not None else "")
        current = current.child_by_field_name("path")
    if current is not None and current.type == "generic_type":
        current = current.child_by_field_name("type")
    if current is not None:
        if current.type not in ("identifier", "type_identifier", "crate", "self", "super"):
            return ()
        segments.append(plain_name((current.text or b"").decode()))
    return tuple(reversed(segments)) if all(segments) else ()
