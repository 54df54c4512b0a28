"""Finds declarations by a grammar, in languages other than Rust. Offsets are in bytes.

Where a grammar had to guess, nothing that it says is taken on trust: other grammars and single
branches of a preprocessor's conditions are tried, then the indexer and the brackets are asked.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING

import tree_sitter

from lsif.other.grammars import GRAMMARS, language_of, parser_of
from lsif.other.lexer import blank_comments
from lsif.other.outlined import OutlinedSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from lsif.lines import Lines
    from lsif.other.declaration import Declaration, Span
    from lsif.other.grammars import Grammar, Load
    from lsif.reader.elements import Tag
    from lsif.reader.graph import Outline
    from lsif.reader.hover import Hover

_COMMENTS = ("comment", "line_comment", "block_comment", "html_comment", "hash_bang_line")
_BODIES = ("body", "block", "list", "program", "module", "translation_unit", "source_file")
"""How the types of nodes end that hold statements or members."""
_MAX_STEPS = 50
"""From a name to the statement that it is in; a longer way is not gone."""


class ParsedSource:
    """A source in a language that has a grammar."""

    def __init__(self, lines: Lines, outline: Outline) -> None:
        self._lines = lines
        self._data = data = lines.data
        self._outline = outline
        self._grammar = GRAMMARS[outline.language]
        load = self._grammar.languages[0]
        self._trees = [_Tree(self._grammar, load, data)]
        self._further = self._other_trees()

    @cached_property
    def code(self) -> bytes:
        """The source with blanks for its comments."""
        return blank_comments(self._data, self._trees[0].comments())

    def declaration_at(
        self, name: Span, hover: Hover | None, tag: Tag | None, extent: Span | None
    ) -> Declaration | None:
        """Return what the name declares, None if nothing.

        `extent` is where the indexer says that the declaration is.
        """
        found = self._declaration_at(name, hover, tag, extent)
        if found is None or self._grammar.with_macros is None:
            return found
        return self._grammar.with_macros(found, self.code)

    def _declaration_at(
        self, name: Span, hover: Hover | None, tag: Tag | None, extent: Span | None
    ) -> Declaration | None:
        """Return what the first tree says that guesses nothing, else the indexer or brackets."""
        guessed: Declaration | None = None
        written = self._data[slice(*name)]
        for tree in self._each_tree():
            if tree.data[slice(*name)] != written:  # in a branch that was left out
                continue
            found, is_sound = tree.declaration_at(*name)
            if is_sound:
                return found
            guessed = guessed or found
        said = self._outlined.declaration_at(name, hover, tag, extent)
        if guessed is None or said is None:
            return guessed or said
        return guessed._replace(end=said.end) if said.body == guessed.body else said

    @cached_property
    def _outlined(self) -> OutlinedSource:
        return OutlinedSource(self._lines, self._outline)

    def _each_tree(self) -> Iterator[_Tree]:
        """Yield the trees of the source; each is made when it is first wanted."""
        yield from self._trees
        for tree in self._further:
            self._trees.append(tree)
            yield tree

    def _other_trees(self) -> Iterator[_Tree]:
        grammar = self._grammar
        for load in grammar.languages[1:]:
            yield _Tree(grammar, load, self._data)
        if grammar.branches is not None:
            for branch in grammar.branches(self.code):
                yield _Tree(grammar, grammar.languages[0], branch)


class _Tree:
    """A source as one grammar understands it."""

    def __init__(self, grammar: Grammar, load: Load, data: bytes) -> None:
        self._grammar = grammar
        self._load = load
        self._root = parser_of(load).parse(data).root_node
        self.data = data

    def comments(self) -> list[Span]:
        """Return where the comments are, in their order."""
        names = language_of(self._load)
        kinds = [kind for kind in _COMMENTS if names.id_for_node_kind(kind, True)]  # noqa: FBT003
        nodes = self._captured("".join(f"({kind}) @it\n" for kind in kinds))
        return [(node.start_byte, node.end_byte) for node in nodes]

    def declaration_at(self, start: int, end: int) -> tuple[Declaration | None, bool]:
        """Return what the name there declares, and whether the grammar had to guess nothing."""
        name = self._root.named_descendant_for_byte_range(start, end)
        if name is None or name.start_byte < start or name.end_byte > end:
            return None, not self._root.has_error
        found = self._grammar.declared_by(name)
        if found is None:
            return None, not self._is_guessed(name)
        node = self._root.descendant_for_byte_range(found.start, found.end)
        return found, node is not None and not node.has_error

    def _captured(self, query: str) -> list[Node]:
        """Return the nodes that a query names `it`, in their order."""
        compiled = tree_sitter.Query(language_of(self._load), query)
        nodes = tree_sitter.QueryCursor(compiled).captures(self._root).get("it", [])
        return sorted(nodes, key=lambda node: node.start_byte)

    @cached_property
    def _errors(self) -> tuple[list[int], list[int]]:
        """Where the outermost errors begin and end."""
        begins: list[int] = []
        ends: list[int] = []
        for node in self._captured("(ERROR) @it") if self._root.has_error else ():
            if not ends or node.start_byte >= ends[-1]:
                begins.append(node.start_byte)
                ends.append(node.end_byte)
            ends[-1] = max(ends[-1], node.end_byte)
        return begins, ends

    def _is_guessed(self, name: Node) -> bool:
        """Return whether the statement around the name has an error, or is inside one."""
        if not self._root.has_error:
            return False
        begins, ends = self._errors
        number = bisect_right(begins, name.start_byte) - 1
        if number >= 0 and name.start_byte < ends[number]:
            return True
        node = name
        for _ in range(_MAX_STEPS):
            if node.parent is None or node.parent.type.endswith(_BODIES):
                return node.has_error
            node = node.parent
        return True
