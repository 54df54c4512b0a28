"""Declarations of Python: functions, classes, type aliases, and lambdas that get a name."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from lsif.other.declaration import Declaration
from lsif.other.nodes import is_name_of, start_of, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from lsif.structure import CodeType

_KINDS: dict[str, CodeType] = {"function_definition": "Function", "class_definition": "Class"}
_RAW = frozenset("rR")
_ESCAPE = re.compile(r"""\\(["'\\\n])""")
"""What a backslash takes for itself in documentation; it leaves out a newline."""
_NO_DOCS = frozenset("bBfFtT")
"""Prefixes of strings that Python takes for no documentation."""


def declared_by(name: Node) -> Declaration | None:
    """Return what the name declares, None if nothing."""
    node = name.parent
    if node is None:
        return None
    kind = _KINDS.get(node.type)
    if kind is not None and is_name_of(name, node):
        body = node.child_by_field_name("body")
        outer = node.parent
        decorated = outer is not None and outer.type == "decorated_definition"
        start = outer.start_byte if decorated and outer is not None else node.start_byte
        return Declaration(
            kind,
            start,
            node.start_byte,
            None,
            start_of(body),
            node.end_byte,
            docs=_docstring(body),
        )
    return _lambda(name, node) or _type_alias(name)


def _lambda(name: Node, node: Node) -> Declaration | None:
    value = node.child_by_field_name("right")
    if node.type != "assignment" or not is_name_of(name, node, "left"):
        return None
    while value is not None and value.type == "assignment":  # as in `f = g = lambda: 0`
        value = value.child_by_field_name("right")
    if value is None or value.type != "lambda":
        return None
    body, end = value.child_by_field_name("body"), node.end_byte
    while node.parent is not None and node.parent.type == "assignment":
        node = node.parent
    start = node.start_byte
    return Declaration("Function", start, start, None, start_of(body), end)


def _type_alias(name: Node) -> Declaration | None:
    left, node = name, name.parent
    while node is not None and node.type in ("type", "generic_type"):
        if node.named_children[0] != left:  # a parameter
            return None
        left, node = node, node.parent
    if node is None or node.type != "type_alias_statement" or not is_name_of(left, node, "left"):
        return None
    start = node.start_byte
    return Declaration("TypeAlias", start, start, None, None, node.end_byte)


def _docstring(body: Node | None) -> str | None:
    """Return the text of the string that a body begins with, None if it does with none."""
    statements = body.named_children if body is not None else []
    first = next((node for node in statements if node.type != "comment"), None)
    if first is None or first.type != "expression_statement" or first.named_child_count != 1:
        return None
    string = first.named_children[0]
    if string.type != "string" or string.child_count == 0:
        return None
    opening, closing = string.children[0], string.children[-1]
    if not _NO_DOCS.isdisjoint(text_of(opening)) or closing.type != "string_end":
        return None
    text = (string.text or b"")[len(opening.text or b"") : -len(closing.text or b"")]
    docs = text.decode("utf-8", "replace").replace("\r\n", "\n")
    if _RAW.isdisjoint(text_of(opening)):
        docs = _ESCAPE.sub(lambda match: match[1].strip("\n"), docs)
    return inspect.cleandoc(docs) or None
