"""Declarations of C: functions, types, macros, and variables of a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lsif.other.declaration import Declaration
from lsif.other.nodes import is_inside, is_name_of, place_in_list, start_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from lsif.structure import CodeType

_TAGGED: dict[str, CodeType] = {
    "struct_specifier": "Struct",
    "union_specifier": "Union",
    "enum_specifier": "Enum",
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
    }
)
_STATEMENTS = frozenset({"declaration", "function_definition", "type_definition"})
_TOP = ("translation_unit", "preproc_", "declaration_list")
_TYPE_HOLDERS = frozenset({"declaration", "type_definition", "field_declaration"})
_DIRECTIVE = re.compile(
    rb"[ \t]*\#[ \t]*(?P<word>if|ifdef|ifndef|elif|elifdef|elifndef|else|endif)\b"
)
_NEVER = re.compile(rb"[ \t]*\#[ \t]*if[ \t]+(?:0|false)\b")
_NOT_NEWLINE = re.compile(rb"[^\r\n]")


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


def declared_by(name: Node) -> Declaration | None:
    """Return what the name declares, None if nothing."""
    node = name.parent
    if node is None:
        return None
    if node.type in _TAGGED and is_name_of(name, node):
        return _tagged(node)
    if node.type in _MACROS and is_name_of(name, node):
        head_end = (node.child_by_field_name("parameters") or name).end_byte
        last = node.child_by_field_name("value")
        end = last.end_byte if last is not None else head_end
        return Declaration("Macro", node.start_byte, node.start_byte, None, head_end, end)
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
        body = statement.child_by_field_name("body")
        start = statement.start_byte
        return Declaration("Function", start, start, None, start_of(body), statement.end_byte)
    return _listed(found, statement, members)


def _listed(found: _Declarator, statement: Node, members: list[Node]) -> Declaration | None:
    """Return what one of the declarators of a statement declares."""
    kind: CodeType
    if statement.type == "type_definition":
        kind = "TypeAlias"
    elif is_inside(statement, ("function_definition",)):
        return None
    elif found.is_function:
        kind = "Function"
    else:
        qualifiers = {child.text for child in statement.children if child.type == "type_qualifier"}
        is_constant = found.is_constant or (b"const" in qualifiers and not found.is_pointer)
        kind = "Const" if is_constant else "Static"
    end, shared = place_in_list(statement, found.outermost, members)
    head = found.outermost.start_byte if shared is not None else statement.start_byte
    value = start_of(found.value)
    return Declaration(kind, statement.start_byte, head, value, None, end, shared=shared)


def _tagged(node: Node) -> Declaration | None:
    """Return the type that a `struct`, `union` or `enum` declares; to use one declares none."""
    outer = node.parent
    holder = outer if outer is not None and outer.type in _TYPE_HOLDERS else None
    body = node.child_by_field_name("body")
    stands_alone = outer is not None and outer.type.startswith(_TOP)
    if body is None and not stands_alone:
        return None
    start = holder.start_byte if holder is not None else node.start_byte
    return Declaration(
        _TAGGED[node.type], start, node.start_byte, None, start_of(body), node.end_byte
    )


def _declarator(name: Node) -> _Declarator | None:
    """Return the name as it is declared; None if it is a parameter, a value or a length."""
    inner, node = name, name.parent
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
        nearest == "function_declarator", is_constant, is_pointer, value, inner, node
    )


def branches(code: bytes) -> Iterator[bytes]:
    """Yield the source with only the first branch of each `#if`, then with only the last.

    Lines and offsets stay: what is left out becomes blanks. `code` has no comments. Where branches
    open a bracket each that one line closes, no grammar understands all of them at once.
    """
    lines = code.splitlines(keepends=True)
    words = [_directive(line) for line in lines]
    groups = list(_conditionals(words))
    for last in (False, True):
        kept: set[int] = set()
        for group in groups:
            branches_alive = group[1:] if _NEVER.match(lines[group[0]]) else group
            kept.update(branches_alive[-1:] if last else branches_alive[:1])
        yield b"".join(_without_others(lines, words, kept))


def _directive(line: bytes) -> str:
    """Return "if", "else" or "endif" for a line that begins, parts or ends a condition."""
    match = _DIRECTIVE.match(line)
    if match is None:
        return ""
    word = match["word"].decode()
    return "if" if word.startswith("if") else "else" if word.startswith("el") else "endif"


def _conditionals(words: list[str]) -> Iterator[list[int]]:
    """Yield for each condition the numbers of the lines that begin its branches."""
    around: list[list[int]] = []
    for number, word in enumerate(words):
        if word == "if":
            around.append([number])
        elif word == "else" and around:
            around[-1].append(number)
        elif word == "endif" and around:
            yield around.pop()
    yield from around


def _without_others(lines: list[bytes], words: list[str], kept: set[int]) -> Iterator[bytes]:
    """Yield the lines; directives, and branches whose first line is not kept, are blanks."""
    taken: list[bool] = []
    left_out = 0  # conditions around the line whose branch is not kept
    goes_on = False
    for number, (line, word) in enumerate(zip(lines, words, strict=True)):
        if word in ("else", "endif") and taken:
            left_out -= not taken.pop()
        if word in ("if", "else"):
            taken.append(number in kept)
            left_out += not taken[-1]
        is_directive = bool(word) or goes_on
        goes_on = is_directive and line.rstrip(b"\r\n").endswith(b"\\")
        yield _NOT_NEWLINE.sub(b" ", line) if is_directive or left_out else line
