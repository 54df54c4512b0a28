"""Declarations of C and C++: functions, types, macros, and variables of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lsif.other.declaration import Declaration
from lsif.other.nodes import is_inside, is_name_of, place_in_list, start_of, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from lsif.structure import CodeType

_TAGGED: dict[str, CodeType] = {
    "struct_specifier": "Struct",
    "union_specifier": "Union",
    "enum_specifier": "Enum",
    "class_specifier": "Class",
}
_NAMED: dict[str, CodeType] = {
    "alias_declaration": "TypeAlias",
    "concept_definition": "Trait",
    "namespace_definition": "Module",
}
_MACROS = frozenset({"preproc_def", "preproc_function_def"})
_DECLARATORS = frozenset(
    {
        "array_declarator",
        "attributed_declarator",
        "function_declarator",
        "init_declarator",
        "parenthesized_declarator",
        "pointer_declarator",
        "reference_declarator",
    }
)
_STATEMENTS = frozenset(
    {"declaration", "field_declaration", "function_definition", "type_definition"}
)
_TOP = ("translation_unit", "preproc_", "declaration_list", "template_declaration")
_SPECIFIERS = frozenset({"storage_class_specifier", "type_qualifier"})
_NAMES = frozenset({"destructor_name", "qualified_identifier", "template_function"})
_INITIALIZERS = frozenset({"field_initializer_list"})
_TYPE_HOLDERS = frozenset({"declaration", "type_definition", "field_declaration"})


class _Declarator(NamedTuple):
    """A name with what C writes around it: `*names[3] = ...`."""

    is_function: bool
    is_constant: bool
    """Whether a pointer of that name is constant."""
    is_pointer: bool
    value: Node | None
    outermost: Node
    statement: Node | None
    """What all this is in."""
    owner: str | None = None
    """The last name before `::`."""


def declared_by(name: Node) -> Declaration | None:
    """Return what the name declares, None if nothing."""
    node = name.parent
    if node is None:
        return None
    if node.type == "template_type" and node.parent is not None and is_name_of(name, node):
        name, node = node, node.parent  # a specialization
    if node.type in _TAGGED and is_name_of(name, node):
        return _tagged(node)
    if node.type in _MACROS and is_name_of(name, node):
        head_end = (node.child_by_field_name("parameters") or name).end_byte
        last = node.child_by_field_name("value")
        end = last.end_byte if last is not None else head_end
        return Declaration("Macro", node.start_byte, node.start_byte, None, head_end, end)
    if node.type == "nested_namespace_specifier":
        name, node = node, node.parent or node
    if node.type in _NAMED and is_name_of(name, node):
        start = _whole(node).start_byte
        body = start_of(node.child_by_field_name("body"))
        return Declaration(_NAMED[node.type], start, start, None, body, node.end_byte)
    return _variable(name)


def _variable(name: Node) -> Declaration | None:
    """Return what a name with its declarators declares: a function, a variable or a type."""
    found = _declarator(name)
    statement = found.statement if found is not None else None
    if found is None or statement is None or statement.type not in _STATEMENTS:
        return None
    members = statement.children_by_field_name("declarator")
    if found.outermost not in members:
        return None
    if statement.type == "function_definition":
        initializers = [child for child in statement.children if child.type in _INITIALIZERS]
        body = initializers[0] if initializers else statement.child_by_field_name("body")
        start, end = _whole(statement).start_byte, statement.end_byte
        return Declaration("Function", start, start, None, start_of(body), end, found.owner)
    return _listed(found, statement, members)


def _listed(found: _Declarator, statement: Node, members: list[Node]) -> Declaration | None:
    """Return what one of the declarators of a statement declares."""
    kind, body = _kind(found, statement), None
    if found.value is not None and found.value.type == "lambda_expression":
        kind, body = "Function", start_of(found.value.child_by_field_name("body"))
    if kind is None:
        return None
    end, shared = place_in_list(statement, found.outermost, members)
    start = _whole(statement).start_byte
    head = found.outermost.start_byte if shared is not None else start
    value = start_of(found.value or statement.child_by_field_name("default_value"))
    return Declaration(kind, start, head, value, body, end, found.owner, shared)


def _kind(found: _Declarator, statement: Node) -> CodeType | None:
    """Return what one of the declarators of a statement is; None for locals and fields."""
    if statement.type == "type_definition":
        return "TypeAlias"
    is_field = statement.type == "field_declaration"
    if not is_field and is_inside(statement, ("compound_statement", "function_definition")):
        return None
    if found.is_function:
        return "Function"
    words = {child.text for child in statement.children if child.type in _SPECIFIERS}
    if is_field and b"static" not in words:
        return None
    is_constant = {b"const", b"constexpr"} & words and not found.is_pointer
    return "Const" if is_constant or found.is_constant else "Static"


def _tagged(node: Node) -> Declaration | None:
    """Return the type that a `struct`, `union` or `enum` declares; to use one declares none."""
    outer = node.parent
    holder = outer if outer is not None and outer.type in _TYPE_HOLDERS else None
    body = node.child_by_field_name("body")
    stands_alone = outer is not None and outer.type.startswith(_TOP)
    if body is None and not stands_alone:
        return None
    start = _whole(holder or node).start_byte
    head = node.start_byte if holder is not None else start
    return Declaration(_TAGGED[node.type], start, head, None, start_of(body), node.end_byte)


def _whole(node: Node) -> Node:
    """Return the template that the node declares, else the node."""
    parent = node.parent
    while parent is not None and parent.type == "template_declaration":
        node, parent = parent, parent.parent
    return node


def _declarator(name: Node) -> _Declarator | None:
    """Return the name as it is declared; None if it is a parameter, a value or a length."""
    inner, owner = _qualified(name)
    node = inner.parent
    nearest, is_constant, is_pointer, value = "", False, False, None
    while node is not None and node.type in _DECLARATORS:
        field = node.child_by_field_name("declarator")
        if field is not None and field != inner:
            return None
        if node.type == "init_declarator":
            value = node.child_by_field_name("value")
        elif node.type in ("function_declarator", "pointer_declarator", "array_declarator"):
            nearest = nearest or node.type
        if node.type == "pointer_declarator":
            is_constant = is_constant or (
                not is_pointer
                and any(
                    child.type == "type_qualifier" and child.text == b"const"
                    for child in node.children
                )
            )
            is_pointer = True
        inner, node = node, node.parent
    return _Declarator(
        nearest == "function_declarator", is_constant, is_pointer, value, inner, node, owner
    )


def _qualified(name: Node) -> tuple[Node, str | None]:
    """Return the name with what C++ writes before it, `A<T>::~name`, and the last type there."""
    owner, node = None, name.parent
    while node is not None and node.type in _NAMES:
        if node.type == "qualified_identifier" and is_name_of(name, node):
            scope = node.child_by_field_name("scope")
            inner = scope.child_by_field_name("name") if scope is not None else None
            owner = owner or text_of(inner or scope) or None
        name, node = node, node.parent
    return name, owner
