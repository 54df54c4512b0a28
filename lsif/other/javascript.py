"""Declarations of JavaScript and TypeScript, those that assign a function to a member included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsif.other.declaration import Declaration
from lsif.other.nodes import is_name_of, place_in_list, start_of, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from lsif.structure import CodeType

_KINDS: dict[str, CodeType] = {
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
    "field_definition": "Const",
    "public_field_definition": "Const",
    "assignment_expression": "Const",
    "pair": "Const",
}
_NAME_FIELDS = {"pair": "key", "field_definition": "property"}
"""Where it is not `name`."""
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
        "parenthesized_expression",
    }
)
"""Nodes that are nothing but a declaration and words before it."""
_VALUE_KINDS: dict[str, CodeType] = {
    "arrow_function": "Function",
    "function_expression": "Function",
    "generator_function": "Function",
    "class": "Class",
}
"""Values that are what the name declares."""
_AROUND_VALUES = frozenset(
    {
        "as_expression",
        "assignment_expression",
        "non_null_expression",
        "parenthesized_expression",
        "satisfies_expression",
    }
)
"""Nodes that are the value in them: `(f)`, `f as T`, `b = f`."""
_ONLY_FUNCTIONS = frozenset(
    {"assignment_expression", "field_definition", "pair", "public_field_definition"}
)
"""Nodes that declare an item if their value is one of these, else a field."""
_NO_OWNERS = frozenset(
    {
        "_this",
        "exports",
        "global",
        "globalThis",
        "module",
        "prototype",
        "self",
        "that",
        "this",
        "window",
    }
)
_MAX_NAMES = 20
"""In the name of a namespace; others' chains of names may be long, and each step takes time."""
_NAMES_IN = frozenset({"string", "computed_property_name", "nested_identifier"})
"""Nodes that a name may be a part of: `"a"() {}`, `["a"]() {}`, `namespace A.B`."""


def declared_by(name: Node) -> Declaration | None:
    """Return what the name declares, None if nothing."""
    node = _declaring_node(name)
    if node is not None and node.type in _VALUE_KINDS:
        return _named_value(node)
    kind = _KINDS.get(node.type) if node is not None else None
    if node is None or kind is None:
        return None
    value, body = _value(node), node.child_by_field_name("body")
    if value is not None and value.type in _VALUE_KINDS:
        if _is_module(node) and value.child_by_field_name("name") is not None:
            return None  # `module.exports = function f() {}` is f
        kind, body = _VALUE_KINDS[value.type], value.child_by_field_name("body")
        value = None
    elif node.type in _ONLY_FUNCTIONS or (node.type == "variable_declarator" and _is_local(node)):
        return None
    whole = _unwrapped(node)
    start, end, shared = whole.start_byte, whole.end_byte, None
    head = max(_decorators_end(whole), _decorators_end(node), start)
    sibling = whole.prev_sibling
    while (
        sibling is not None and sibling.type == "decorator"
    ):  # a method's are before it, a class's inside
        start, sibling = sibling.start_byte, sibling.prev_sibling
    statement = node.parent
    if node.type == "variable_declarator" and node == whole and statement is not None:
        members = [child for child in statement.named_children if child.type == node.type]
        whole = _unwrapped(statement)
        start = whole.start_byte
        end, shared = place_in_list(whole, node, members)
    owner = _owner(node)
    return Declaration(
        kind, start, head, start_of(value), start_of(body), end, owner=owner, shared=shared
    )


def _named_value(node: Node) -> Declaration | None:
    """Return a function or class with a name that is set to no other name.

    Such are `module.exports = function f() {}` and `memo(function f() {})`.
    """
    outer, inner = node.parent, node
    while outer is not None and outer.type in _AROUND_VALUES - {"assignment_expression"}:
        inner, outer = outer, outer.parent
    whole = inner
    if outer is not None and outer.type in _KINDS and _value(outer) == node:
        if not _is_module(outer):
            return None
        whole = _unwrapped(outer)
    body = start_of(node.child_by_field_name("body"))
    kind = _VALUE_KINDS[node.type]
    return Declaration(kind, whole.start_byte, node.start_byte, None, body, whole.end_byte)


def _is_module(node: Node) -> bool:
    """Return whether the node sets all that a module exports."""
    return text_of(node.child_by_field_name("left")) in ("module.exports", "exports")


def _declaring_node(name: Node) -> Node | None:
    """Return the node whose name that is, None if it is nobody's."""
    if name.type == "string_fragment" and name.parent is not None:
        name = name.parent
    node = name.parent
    while node is not None and node.type in _NAMES_IN:
        name, node = node, node.parent
    if node is None:
        return None
    if (namespace := _namespace(name)) is not None:
        return namespace
    field = {"member_expression": "property", "subscript_expression": "index"}.get(node.type)
    if field is not None:
        assignment = node.parent
        is_target = (
            is_name_of(name, node, field)
            and assignment is not None
            and assignment.type == "assignment_expression"
            and is_name_of(node, assignment, "left")
        )
        return assignment if is_target else None
    return node if is_name_of(name, node, _NAME_FIELDS.get(node.type, "name")) else None


def _namespace(name: Node) -> Node | None:
    """Return the namespace `A.B.C` that a part of its name declares."""
    node = name.parent
    for _ in range(_MAX_NAMES):
        if node is None or node.type not in ("member_expression", "nested_identifier"):
            break
        name, node = node, node.parent
    is_namespace = node is not None and node.type in ("internal_module", "module")
    return node if node is not None and is_namespace and is_name_of(name, node) else None


def _value(node: Node) -> Node | None:
    """Return what the name is set to: of `a = b = f`, it is f for both."""
    value = node.child_by_field_name("right") or node.child_by_field_name("value")
    while value is not None and value.type in _AROUND_VALUES:
        value = value.child_by_field_name("right") or next(iter(value.named_children), None)
    return value


def _owner(node: Node) -> str | None:
    """Return the name of what a function is assigned to: `F` for `F.prototype.g = ...`.

    A function of an object belongs to what the object is assigned to.
    """
    if node.type == "assignment_expression":
        target = node.child_by_field_name("left")
        return _last_name(target.child_by_field_name("object") if target is not None else None)
    outer = node.parent if node.type in ("pair", "method_definition") else None
    outer = outer.parent if outer is not None and outer.type == "object" else None
    if outer is None or outer.type != "assignment_expression":
        return None
    return _last_name(outer.child_by_field_name("left"))


def _last_name(node: Node | None) -> str | None:
    """Return the last name of a path of names that is no module, prototype or global object."""
    while node is not None and node.type == "member_expression":
        name = text_of(node.child_by_field_name("property"))
        if name and name not in _NO_OWNERS:
            return name
        node = node.child_by_field_name("object")
    name = text_of(node)
    is_owner = node is not None and node.type == "identifier" and name not in _NO_OWNERS
    return name if is_owner else None


def _decorators_end(node: Node) -> int:
    return max((child.end_byte for child in node.children if child.type == "decorator"), default=0)


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
    """Return the outermost node that is this declaration alone, or a chain of assignments."""
    parent = node.parent
    while parent is not None:
        if parent.type in _WRAPPERS:
            declared = [
                child
                for child in parent.named_children
                if child.type not in ("decorator", "comment")
            ]
            if len(declared) > 1:
                break
        elif node.type != "assignment_expression" or _value(parent) != _value(node):
            break
        node, parent = parent, parent.parent
    return node
