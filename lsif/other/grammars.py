"""Finds declarations by a grammar, in languages other than Rust.

One rule serves all languages: a declaration is the node whose field `name` is the node at a given
position. Offsets are in bytes.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import tree_sitter
import tree_sitter_typescript

if TYPE_CHECKING:
    from tree_sitter import Node

    from lsif.structure import CodeType

_TYPESCRIPT: dict[str, CodeType] = {
    "function_declaration": "Function",
    "generator_function_declaration": "Function",
    "function_signature": "Function",
    "method_definition": "Function",
    "method_signature": "Function",
    "abstract_method_signature": "Function",
    "class_declaration": "Class",
    "abstract_class_declaration": "Class",
    "interface_declaration": "Interface",
    "enum_declaration": "Enum",
    "type_alias_declaration": "TypeAlias",
    "internal_module": "Module",
    "module": "Module",
    "variable_declarator": "Const",
    "public_field_definition": "Const",
}
_LOCAL = frozenset(
    {
        "statement_block",
        "class_static_block",
        "arrow_function",
        "for_statement",
        "for_in_statement",
        "catch_clause",
    }
)
"""Nodes inside which a variable is local."""
_WRAPPERS = frozenset(
    {
        "lexical_declaration",
        "variable_declaration",
        "export_statement",
        "ambient_declaration",
        "expression_statement",
    }
)
"""Nodes that are nothing but a declaration and words before it."""
_FUNCTION_VALUES = frozenset({"arrow_function", "function_expression", "generator_function"})
_GRAMMARS = {
    "typescript": tree_sitter_typescript.language_typescript,
    "typescriptreact": tree_sitter_typescript.language_tsx,
    "javascript": tree_sitter_typescript.language_tsx,
    "javascriptreact": tree_sitter_typescript.language_tsx,
}


class Declaration(NamedTuple):
    """A declaration in a source."""

    code_type: CodeType
    start: int
    """Of its first decorator."""
    head: int
    """After its decorators."""
    value: int | None
    """Of its value, which is no part of the signature."""
    body: int | None
    end: int


def has_grammar(language: str) -> bool:
    """Return whether there is a grammar for the language identifier."""
    return language in _GRAMMARS


class Syntax:
    """A parsed source."""

    def __init__(self, data: bytes, language: str) -> None:
        self._root = _parser(language).parse(data).root_node
        self._tree_holds = data  # a tree's nodes read the bytes that it was made of

    def declaration_at(self, name_start: int, name_end: int) -> Declaration | None:
        """Return the declaration whose name is there, None where none is."""
        name = self._root.named_descendant_for_byte_range(name_start, name_end)
        node = name.parent if name is not None else None
        if name is None or node is None or node.child_by_field_name("name") != name:
            return None
        code_type = _TYPESCRIPT.get(node.type)
        if code_type is None:
            return None
        value, body = node.child_by_field_name("value"), node.child_by_field_name("body")
        if value is not None and value.type in _FUNCTION_VALUES:
            code_type, body, value = "Function", value.child_by_field_name("body"), None
        elif node.type == "public_field_definition" or (
            node.type == "variable_declarator" and _is_local(node)
        ):
            return None
        whole = _unwrapped(node)
        head = max(
            (
                child.end_byte
                for child in (*whole.children, *node.children)
                if child.type == "decorator"
            ),
            default=0,
        )
        start = whole.start_byte
        sibling = whole.prev_sibling
        while (
            sibling is not None and sibling.type == "decorator"
        ):  # a method's are before it, a class's inside
            start, sibling = sibling.start_byte, sibling.prev_sibling
        return Declaration(
            code_type,
            start,
            max(head, whole.start_byte),
            value.start_byte if value is not None else None,
            body.start_byte if body is not None else None,
            whole.end_byte,
        )


def _is_local(node: Node) -> bool:
    parent = node.parent
    while parent is not None:
        if parent.type in _LOCAL:
            # A namespace's block is no function's.
            return (
                parent.type != "statement_block"
                or parent.parent is None
                or parent.parent.type not in ("internal_module", "module")
            )
        parent = parent.parent
    return False


def _unwrapped(node: Node) -> Node:
    """Return the outermost node that is this declaration alone."""
    parent = node.parent
    while parent is not None and parent.type in _WRAPPERS:
        declared = [
            child for child in parent.named_children if child.type not in ("decorator", "comment")
        ]
        if len(declared) > 1:
            break
        node, parent = parent, parent.parent
    return node


@cache
def _parser(language: str) -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(_GRAMMARS[language]()))
