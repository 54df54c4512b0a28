"""Declarations of Go: functions, methods, types, constants and variables of a package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsif.other.declaration import Declaration
from lsif.other.nodes import is_inside, is_name_of, start_of, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from lsif.other.declaration import Span
    from lsif.structure import CodeType

_FUNCTIONS = frozenset({"function_declaration", "method_declaration", "method_elem"})
_TYPES: dict[str, CodeType] = {"struct_type": "Struct", "interface_type": "Interface"}
_VARIABLES: dict[str, CodeType] = {"const_spec": "Const", "var_spec": "Static"}
_KEYWORDS = {"const_spec": b"const", "var_spec": b"var"}


def declared_by(name: Node) -> Declaration | None:
    """Return what the name declares, None if nothing."""
    node = name.parent
    if node is None:
        return None
    if node.type in _FUNCTIONS and is_name_of(name, node):
        start, body = node.start_byte, node.child_by_field_name("body")
        owner = _receiver(node.child_by_field_name("receiver"))
        return Declaration(
            "Function", start, start, None, start_of(body), node.end_byte, owner=owner
        )
    if node.type in ("type_spec", "type_alias") and is_name_of(name, node):
        return _type(node)
    if node.type in _VARIABLES and name in node.children_by_field_name("name"):
        return _variable(name, node)
    return _closure(name, node)


def _type(node: Node) -> Declaration:
    defined = node.child_by_field_name("type")
    kind = _TYPES.get(defined.type, "TypeAlias") if defined is not None else "TypeAlias"
    members = defined.children if defined is not None and kind == "Interface" else []
    body = next((child for child in members if child.type == "{"), None)
    start, head, shared = _in_group(node)
    end = node.end_byte
    return Declaration(kind, start, head, None, start_of(body), end, shared=shared)


def _variable(name: Node, node: Node) -> Declaration | None:
    names = node.children_by_field_name("name")
    values = node.child_by_field_name("value")
    each = values.named_children if values is not None else []
    value = each[names.index(name)] if len(each) == len(names) else values
    start, head, shared = _in_group(node)
    if value is not None and value.type == "func_literal":
        body = value.child_by_field_name("body")
        return Declaration(
            "Function", start, head, None, start_of(body), node.end_byte, shared=shared
        )
    if is_inside(node, ("block",)):
        return None
    if len(names) > 1 and shared is None:
        shared = (start, start + len(_KEYWORDS[node.type]))
    if len(names) > 1:
        head = name.start_byte
    kind = _VARIABLES[node.type]
    first = values.start_byte if values is not None else None
    end = node.end_byte
    if len(names) > 1 and first is not None:
        # Its own words end with its name: the type, if any, stands after the last name.
        first = name.end_byte
    return Declaration(kind, start, head, first, None, end, shared=shared)


def _closure(name: Node, names: Node) -> Declaration | None:
    """Return the function that `name := func() { ... }` makes."""
    node = names.parent
    if node is None or node.type != "short_var_declaration" or names.type != "expression_list":
        return None
    values = node.child_by_field_name("right")
    if not is_name_of(names, node, "left") or values is None:
        return None
    if len(values.named_children) != len(names.named_children):
        return None
    value = values.named_children[names.named_children.index(name)]
    if value.type != "func_literal":
        return None
    body, start = value.child_by_field_name("body"), node.start_byte
    return Declaration("Function", start, start, None, start_of(body), value.end_byte)


def _in_group(node: Node) -> tuple[int, int, Span | None]:
    """Return start, head and shared words of one of the declarations of a keyword.

    `type A ...` is one declaration, of `type ( A ...; B ... )` each member is.
    """
    statement = node.parent
    if statement is not None and statement.type.endswith("_list"):
        statement = statement.parent
    if statement is None:
        return node.start_byte, node.start_byte, None
    keyword = statement.children[0]
    if (statement.text or b"")[len(keyword.text or b"") :].lstrip().startswith(b"("):
        shared = (keyword.start_byte, keyword.end_byte)
        return node.start_byte, node.start_byte, shared
    return statement.start_byte, statement.start_byte, None


def _receiver(parameters: Node | None) -> str | None:
    """Return the name of the type that a method is of."""
    parameter = parameters.named_children[0] if parameters and parameters.named_children else None
    node = parameter.child_by_field_name("type") if parameter is not None else None
    while node is not None and node.type != "type_identifier":
        node = node.child_by_field_name("type") or next(iter(node.named_children), None)
    return text_of(node) or None
