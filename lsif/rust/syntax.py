"""Parses a Rust file and finds the item whose name is at a position. Knows nothing about dumps.

A dump gives only the position of a name. The source says where the item begins and ends, which
docs and attributes it has, and what it is called. Rows and byte columns are 0-based; both ends of
a row range are inclusive.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

import tree_sitter

from lsif.lines import Lines
from lsif.rust.calls import LookedInto, MacroCall, calls_with_items
from lsif.rust.declared import declared_module
from lsif.rust.docs import (
    attached,
    first_row,
    inner_docs,
    is_leading,
    is_plain_comment,
    is_test_attribute,
)
from lsif.rust.grammar import (
    CODE_TYPES,
    ITEM_NODES,
    MAY_BE_ITEM,
    blocks_in,
    enclosing,
    item_query,
)
from lsif.rust.nodes import make_impl, make_item
from lsif.rust.reading import Reading
from lsif.rust.scopes import (
    RESERVED,
    Scope,
    body_of,
    has_test_attribute_inside,
    inner_scope,
    leave,
    scope_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from lsif.blocks import SourceBlock
    from lsif.items import SourceItem
    from lsif.rust.declared import DeclaredModule

_CONTAINERS = frozenset({"mod_item", "impl_item", "trait_item", "foreign_mod_item"})
"""Nodes whose bodies are items and nothing else."""
_CALLED = re.compile(rb"(?:[\w:]|[\x80-\xff])+!(?!=)\s*[({\[]")
_PARENTS = 4
"""Parents whose children are remembered: of a call, and of what is in it. All trees stay."""
_NESTING = 200
"""Nesting of modules, functions and impls that open scopes of their own; real code has a dozen."""
_MACRO_DEPTH = 8
"""Depth of macro calls in macro calls that is searched."""


class _Impl(NamedTuple):
    """An impl block, and what it takes to make an item of it."""

    node: Node
    leading: list[Node]
    scope: Scope
    is_test: bool


class SourceFile(Lines):
    """A parsed Rust file. Raises UnicodeDecodeError if the bytes are not UTF-8."""

    counts_mark = True  # rust-analyzer does: to it a byte order mark is a part of the text

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._items: dict[tuple[int, int], SourceItem] = {}
        self._scopes: list[Scope] = []
        self._impls: dict[tuple[int, int], _Impl] = {}
        self._declared: dict[int, DeclaredModule] = {}
        self._looked_into: dict[int, LookedInto] = {}
        self._in_calls: set[tuple[int, int]] = set()
        self._reading = Reading(self.data)
        self._tree = self._reading.tree
        self._unread: list[tuple[Node, Scope] | None] = []
        self._unread_starts: list[tuple[int, int]] = []
        self._last_parents: dict[int, list[Node]] = {}
        is_test = has_test_attribute_inside(self._tree.root_node)
        self._walk(self._tree.root_node, Scope(0, len(self.data) + 1, is_test=is_test))

    @property
    def root(self) -> Node:
        """The whole tree."""
        return self._tree.root_node

    @property
    def is_mended(self) -> bool:
        """Whether the source has syntax that the grammar does not know."""
        return self._reading.is_mended

    def needs_witness(self, row: int, column: int) -> bool:
        """Return whether the grammar may have guessed at the item whose name begins there."""
        reading = self._reading
        return reading.is_broken or bool(
            reading.disputed and self.offset(row, column) in reading.disputed
        )

    def items(self) -> Iterator[tuple[tuple[int, int], SourceItem]]:
        """Yield all items, those in macro calls included, with row and byte column of their names.

        They are in no particular order. Impl blocks are at their types.
        """
        self._read_all()
        yield from self._items.items()
        for place, found in self._impls.items():
            item = make_impl(
                self._reading, found.node, found.leading, found.scope, is_test=found.is_test
            )
            if item is not None:
                yield place, item

    def declared_modules(self) -> list[DeclaredModule]:
        """Return the modules that the file declares and that are files of their own."""
        self._read_all()
        return list(self._declared.values())

    def blocks(self) -> Iterator[SourceBlock]:
        """Yield the blocks of at least MIN_LINES lines in no particular order."""
        return blocks_in(self._tree.root_node)

    def item_at(self, row: int, column: int) -> SourceItem | None:
        """Return the item whose name begins at the byte column.

        Macro calls are searched if there is none outside them.
        """
        item = self._items.get((row, column))
        if item is None:
            self._read_around(row, column)
            item = self._items.get((row, column))
        root, scopes = self._tree.root_node, self._scopes
        for _ in range(_MACRO_DEPTH):
            if item is not None:
                break
            call = enclosing(root, row, column, "macro_invocation")
            if call is None:
                break
            inside = self._look_into(call, scope_of(call, scopes))
            root, scopes = inside.tree.root_node, inside.scopes
            item = self._items.get((row, column))
        return item

    def inline_modules(self) -> set[tuple[str, ...]]:
        """Return the modules, outermost first, that the file spells outside of macro calls."""
        return {scope.modules for scope in self._scopes}

    def is_in_call(self, row: int, column: int) -> bool:
        """Return whether an item or call was found at the position, in the tokens of a call."""
        return (row, column) in self._in_calls

    def macro_call_at(self, row: int, column: int) -> MacroCall | None:
        """Return the outermost macro call around the position."""
        call = enclosing(self._tree.root_node, row, column, "macro_invocation")
        if call is None:
            return None
        statement = (
            call.parent
            if call.parent is not None and call.parent.type == "expression_statement"
            else call
        )
        leading = attached(statement, self._siblings(statement))
        self._in_calls.add((row, column))
        scope = scope_of(call, self._scopes)
        is_test = scope.is_test or any(is_test_attribute(node) for node in leading)
        extent = (leading[0] if leading else statement).start_byte, statement.end_byte
        row_from, row_to = first_row(statement, leading), statement.end_point.row
        return MacroCall(row_from, row_to, is_test, scope, extent)

    def names_macro(self, row: int, column: int) -> bool:
        """Return whether a call of a macro begins at the position, in tokens, too."""
        call = enclosing(self._tree.root_node, row, column, "macro_invocation", innermost=True)
        if call is None:
            return False
        if (call.start_point.row, call.start_point.column) == (row, column):
            return True
        at = self.offset(row, column)
        return _CALLED.match(self.data, at) is not None

    def stands_in(self, row: int, column: int, node_type: str) -> bool:
        """Return whether a node of the type, or an impl's header, is around the position."""
        node = enclosing(self._tree.root_node, row, column, node_type, innermost=True)
        if node is None or node_type != "impl_item":
            return node is not None
        body = body_of(node)
        return body is None or (row, column) < (body.start_point.row, body.start_point.column)

    def scope_at(self, row: int, column: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the modules around the position, and the qualifiers of an item there."""
        node = self._tree.root_node.descendant_for_point_range((row, column), (row, column + 1))
        scope = scope_of(node if node is not None else self._tree.root_node, self._scopes)
        return scope.modules, scope.qualifiers

    def module_docs(self) -> tuple[int, int, str] | None:
        """Return first row, last row and text of the inner docs that the file begins with."""
        return inner_docs(self._tree.root_node)

    def _look_into(self, call: Node, scope: Scope) -> LookedInto:
        """Parse the tokens of a macro call in place; add the items that parse without an error."""
        inside = self._looked_into.get(call.start_byte)
        if inside is None:
            tokens = next((child for child in call.children if child.type == "token_tree"), None)
            tree = self._reading.inside(tokens)
            inside = self._looked_into[call.start_byte] = LookedInto(tree, [scope])
            self._collect(tree.root_node, [scope], inside.scopes, strict=True)
        return inside

    def _read_all(self) -> None:
        """Add all items that are not read yet."""
        for at, unread in enumerate(self._unread):
            inside = (body_of(unread[0]) or unread[0]) if unread is not None else None
            if inside and MAY_BE_ITEM.search(self.data, inside.start_byte, inside.end_byte):
                self._read(at)
        self._read_calls(self._tree.root_node, self._scopes, _MACRO_DEPTH)

    def _read_calls(self, root: Node, scopes: list[Scope], depth: int) -> None:
        """Add the items in the macro calls under `root`, down to that depth."""
        waiting = sorted(scopes, key=lambda scope: (-scope.start, scope.end))
        around = [waiting.pop()]
        for call in calls_with_items(root, self.data):
            while waiting and waiting[-1].start <= call.start_byte:
                leave(around, waiting[-1].start)
                around.append(waiting.pop())
            leave(around, call.start_byte)
            inside = self._look_into(call, around[-1])
            if depth > 1:
                self._read_calls(inside.tree.root_node, inside.scopes, depth - 1)

    def _walk(self, container: Node, scope: Scope, depth: int = 0) -> None:
        """Add the items of the container, its modules, impls and traits.

        Other nodes with items inside are read when one of these is asked for.
        """
        self._scopes.append(scope)
        leading: list[Node] = []
        for child in container.children:
            kind = child.type
            if kind in ITEM_NODES:
                is_test = self._add(child, leading, scope)
                body = body_of(child) if kind in _CONTAINERS and depth < _NESTING else None
                inner = (
                    inner_scope(self.data, child, scope, is_test=is_test)
                    if body is not None
                    else None
                )
                if inner is not None and body is not None:
                    self._walk(body, inner, depth + 1)
                else:
                    self._put_off(child, scope)
                leading = []
            elif is_leading(child) or (leading and is_plain_comment(child)):
                leading.append(child)
            elif not is_plain_comment(child):
                leading = []
                if child.is_named:
                    self._put_off(child, scope)

    def _put_off(self, node: Node, scope: Scope) -> None:
        """Read the inside of the node when it is asked for; call it in the order of the text."""
        self._unread.append((node, scope))
        self._unread_starts.append((node.start_point.row, node.start_point.column))

    def _read_around(self, row: int, column: int) -> None:
        """Add the items of the node around the position that `_walk` put off, if any."""
        at = bisect_right(self._unread_starts, (row, column)) - 1
        unread = self._unread[at] if at >= 0 else None
        if unread is not None and (row, column) < (
            unread[0].end_point.row,
            unread[0].end_point.column,
        ):
            self._read(at)

    def _read(self, at: int) -> None:
        """Add the items inside what was put off as the `at`-th, unless that is done."""
        unread, self._unread[at] = self._unread[at], None
        if unread is not None:
            self._collect(unread[0], [unread[1]], self._scopes)

    def _collect(
        self, root: Node, scopes: list[Scope], opened: list[Scope], *, strict: bool = False
    ) -> None:
        """Add the items under `root` in the last of `scopes`; if `strict`, only valid ones.

        The scopes inside `root` are added to `opened`.
        """
        captures = tree_sitter.QueryCursor(item_query()).captures(root)
        for node in sorted(
            captures.get("item", []), key=lambda node: (node.start_byte, -node.end_byte)
        ):
            while len(scopes) > 1 and scopes[-1].end <= node.start_byte:
                scopes.pop()
            is_test = self._add(
                node, attached(node, self._siblings(node)), scopes[-1], strict=strict
            )
            inner = inner_scope(self.data, node, scopes[-1], is_test=is_test)
            if inner is not None and len(scopes) <= _NESTING:
                scopes.append(inner)
                opened.append(inner)

    def _siblings(self, node: Node) -> list[Node]:
        """Return the node and its siblings.

        Those of the last parent are kept, since calls come in the order of the text.
        """
        parent = node.parent
        if parent is None:
            return [node]
        known = self._last_parents.pop(parent.id, None)
        if known is None and len(self._last_parents) >= _PARENTS:
            self._last_parents.pop(next(iter(self._last_parents)))
        children = self._last_parents[parent.id] = known if known is not None else parent.children
        return children

    def _add(self, node: Node, leading: list[Node], scope: Scope, *, strict: bool = False) -> bool:
        """Add the node's item, if `strict` only a valid one; return whether it is test code."""
        is_test = scope.is_test or any(map(is_test_attribute, leading))
        name = node.child_by_field_name("name")
        if name is not None and name.text in (RESERVED, b""):  # none where the source is broken
            return is_test
        if _is_definition(node) and name is not None and not (strict and node.has_error):
            key = (name.start_point.row, name.start_point.column)
            if strict:
                self._in_calls.add(key)
            if key not in self._items:
                self._items[key] = make_item(
                    self._reading, node, name, leading, scope, is_test=is_test
                )
        elif node.type == "mod_item" and name is not None:
            if name.start_byte not in self._declared:
                module = declared_module(node, name, leading, scope.modules, is_test=is_test)
                self._declared[name.start_byte] = module
        elif node.type == "impl_item" and not (strict and node.has_error):
            written = node.child_by_field_name("type")
            if written is not None:
                key = (written.start_point.row, written.start_point.column)
                self._impls.setdefault(key, _Impl(node, leading, scope, is_test))
        return is_test


def _is_definition(node: Node) -> bool:
    """Return whether the node is an item; `mod x;` only declares another file."""
    return node.type in CODE_TYPES and (node.type != "mod_item" or body_of(node) is not None)
