"""A Rust source as the grammar reads it, in spite of syntax that the grammar does not know.

A source that it can read costs nothing more. Else a copy is read in which that syntax is rewritten
(lsif.rust.rewrites) and, if that is not enough, what can't be read is left out
(lsif.rust.isolate). Positions are those of the source.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from lsif.rust.calls import parse_inside
from lsif.rust.grammar import parser
from lsif.rust.isolate import isolate
from lsif.rust.readable import Readable
from lsif.rust.rewrites import NEW_SYNTAX, rewrite
from lsif.rust.segments import CONTAINERS, segments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node, Tree

    from lsif.structure import CodeType


class Reading:
    """The tree of a source, and where it differs from the source."""

    def __init__(self, data: bytes) -> None:
        self.data = self.text = data
        """The source, and what the tree is of; the two are equally long."""
        self.tree = parser().parse(data)
        self.is_mended = self.tree.root_node.has_error
        """Whether the source has syntax that the grammar does not know."""
        self._copy: Readable | None = None
        self._sorted_cuts = 0
        self.disputed: set[int] = set()
        """Where the names of items begin about which brackets contradict the tree."""
        if self.is_mended:
            self._mend()
        self.is_broken = self.tree.root_node.has_error
        """Whether the grammar had to guess, even so."""

    def inside(self, tokens: Node | None) -> Tree:
        """Return the tree of what the brackets of a macro call contain."""
        tree = parse_inside(self.text, tokens)
        if (
            tokens is None
            or not tree.root_node.has_error
            or NEW_SYNTAX.search(self.data, tokens.start_byte, tokens.end_byte) is None
        ):
            return tree
        if self._copy is None:
            self._copy = Readable(self.data)
        copy = self._copy
        rewrite(copy, tokens.start_byte + 1, tokens.end_byte - 1)
        rewritten = parse_inside(bytes(copy.text), tokens)
        if _size_of_errors(rewritten.root_node) >= _size_of_errors(tree.root_node):
            return tree
        return rewritten

    def start_of(self, node: Node) -> int:
        """Return where the node begins in the source."""
        start = node.start_byte
        return start if self._copy is None else self._copy.starts.get(start, start)

    def first_row(self, node: Node) -> int:
        """Return the row in which the node begins in the source."""
        start = self.start_of(node)
        return node.start_point.row - self.data.count(b"\n", start, node.start_byte)

    def kind_of(self, name: Node) -> CodeType | None:
        """Return the kind of the item with that name, None if it is that of the node."""
        return None if self._copy is None else self._copy.kinds.get(name.start_byte)

    def visibility_of(self, name: Node) -> str | None:
        """Return the visibility of the item with that name, None if the node has it."""
        return None if self._copy is None else self._copy.visibilities.get(name.start_byte)

    def cuts(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return where attributes inside the range are that the tree does not have."""
        if self._copy is None or not self._copy.cuts:
            return []
        cuts = self._copy.cuts
        if self._sorted_cuts != len(cuts):
            cuts.sort()
            self._sorted_cuts = len(cuts)
        return cuts[bisect_left(cuts, (start, 0)) : bisect_left(cuts, (end, 0))]

    def is_read(self, start: int) -> bool:
        """Return whether the grammar read all of the item whose name begins there."""
        return self._copy is None or start not in self._copy.unread

    def _mend(self) -> None:
        """Read a copy, if that is better."""
        copy = Readable(self.data)
        rewrite(copy, 0, len(self.data))
        tree = parser().parse(bytes(copy.text))
        if copy.code.pairs is not None:
            if tree.root_node.has_error:
                isolate(copy, 0, len(self.data))
                tree = parser().parse(bytes(copy.text))
            self.disputed = set(_disputed(copy, tree))
        if _size_of_errors(tree.root_node) < _size_of_errors(self.tree.root_node):
            self._copy, self.tree, self.text = copy, tree, bytes(copy.text)


def _size_of_errors(root: Node) -> int:
    """Return the number of bytes that no rule explains; a missing token counts as one."""
    size, waiting = 0, [root]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            size += max(node.end_byte - node.start_byte, 1)
        elif node.has_error:
            waiting += node.children
    return size


def _disputed(copy: Readable, tree: Tree) -> Iterator[int]:
    """Yield where the names of items begin whose brackets contradict the tree."""
    waiting = [(0, len(copy.text))]
    while waiting:
        for segment in segments(copy.code, *waiting.pop()):
            if segment.body is not None and segment.keyword in CONTAINERS:
                waiting.append((segment.body + 1, segment.end - 1))
            if segment.name is None:
                continue
            name = tree.root_node.descendant_for_byte_range(*segment.name)
            node = name.parent if name is not None else None
            if node is None or abs(node.end_byte - segment.end) > 1:
                yield segment.name[0]
