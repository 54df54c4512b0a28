"""Macro calls of a Rust file, and the items that are spelled in their tokens."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import tree_sitter

from lsif.rust.grammar import language, parser

if TYPE_CHECKING:
    from tree_sitter import Node

    from lsif.rust.scopes import Scope

_KEYWORDS = ("const", "enum", "fn", "impl", "mod", "static", "struct", "trait", "type", "union")
_SPELLED_MACRO = re.compile(rb"\bmacro_rules\s*!")
_QUOTING = frozenset({
    b"quote", b"quote_spanned", b"parse_quote", b"parse_quote_spanned", b"stringify",
})  # fmt: skip
"""Macros that take tokens for what they are, not for items of this file."""


class MacroCall(NamedTuple):
    """The rows of a macro call with its docs and attributes, and what surrounds it."""

    row_from: int
    row_to: int
    is_test: bool
    scope: Scope
    extent: tuple[int, int]
    """Offsets of its first byte and behind its last."""


class LookedInto(NamedTuple):
    """The parsed tokens of a macro call."""

    tree: tree_sitter.Tree
    scopes: list[Scope]
    """The scope around the call, and those inside it."""


def parse_inside(data: bytes, tokens: Node | None) -> tree_sitter.Tree:
    """Return the tree of what the brackets of a macro call contain, at its place in the data."""
    if tokens is None:
        return parser().parse(b"")
    first, last = tokens.children[0], tokens.children[-1]
    inside = tree_sitter.Range(first.end_point, last.start_point, first.end_byte, last.start_byte)
    return tree_sitter.Parser(language(), included_ranges=[inside]).parse(data)


@cache
def _call_query() -> tree_sitter.Query:
    """Return the query for macro calls, and for groups of tokens with an item's keyword."""
    keywords = " ".join(f'"{keyword}"' for keyword in _KEYWORDS)
    return tree_sitter.Query(
        language(), f"(macro_invocation) @call (token_tree [{keywords}]) @spelled"
    )


def calls_with_items(root: Node, data: bytes) -> list[Node]:
    """Return the outermost macro calls under `root` that may spell items, in order."""
    captures = tree_sitter.QueryCursor(_call_query()).captures(root)
    calls = sorted(captures.get("call", []), key=lambda call: (call.start_byte, -call.end_byte))
    spelled = [node.start_byte for node in captures.get("spelled", [])]
    spelled += [
        match.start() for match in _SPELLED_MACRO.finditer(data, root.start_byte, root.end_byte)
    ]
    spelled.sort()
    found: list[Node] = []
    end = -1
    for call in calls:
        if call.start_byte < end:
            continue
        end = call.end_byte
        at = bisect_left(spelled, call.start_byte)
        if at < len(spelled) and spelled[at] < end and not _quotes(call):
            found.append(call)
    return found


def _quotes(call: Node) -> bool:
    name = call.child_by_field_name("macro")
    return name is not None and (name.text or b"").rpartition(b"::")[2].strip() in _QUOTING
