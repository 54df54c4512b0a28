"""What a symbol and its information say, as the hovers and tags of a dump of LSIF."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lsif.identifiers import is_identifier
from lsif.reader.hover import (
    CRATE_ROOT,
    PROC_MACRO,
    Hover,
    as_written,
    classify,
    is_crate_root,
    parse_hover,
)
from lsif.scip.rust_symbols import CRATE, rust_path
from lsif.scip.schema import text_of
from lsif.scip.symbols import Suffix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsif.scip.schema import SymbolInformation
    from lsif.scip.symbols import Descriptor, Symbol
    from lsif.structure import CodeType

NO_STRUCTURE = Hover("", "", None, None, None)
"""Of a field or a variant."""

_CODE_TYPES: dict[int, CodeType] = {
    3: "TypeAlias", 7: "Class", 8: "Const", 9: "Function", 11: "Enum", 17: "Function",
    18: "Function", 21: "Interface", 25: "Macro", 26: "Function", 29: "Module", 30: "Module",
    35: "Module", 42: "Interface", 45: "Function", 49: "Struct", 53: "Trait", 55: "TypeAlias",
    59: "Union", 61: "Static", 66: "Function", 67: "Function", 68: "Function", 69: "Function",
    70: "Function", 71: "Function", 74: "Function", 75: "Class", 76: "Function", 80: "Function",
    82: "Static",
}  # fmt: skip
"""By SymbolInformation.Kind; kinds that are missing here say nothing certain."""
_SYMBOL_KINDS: dict[CodeType, int] = {
    "Module": 2, "Class": 5, "Function": 12, "Enum": 10, "Interface": 11, "Trait": 11,
    "Static": 13, "Const": 14, "Struct": 23, "Union": 23,
}  # fmt: skip
"""The kinds of a dump's tags; see lsif.reader.elements.Tag."""
_FIELDS = frozenset({12, 15, 41, 77, 79, 81})
"""Kinds of members without code: enum members, fields, properties."""
_FIELD_TAG = 8
_PARAMETERS = frozenset({27, 37, 38, 44, 52, 58})
"""Kinds of parameters, of functions and of types."""

_BY_SUFFIX: dict[Suffix, CodeType] = {
    Suffix.NAMESPACE: "Module",
    Suffix.TYPE: "Struct",
    Suffix.TERM: "Const",
    Suffix.METHOD: "Function",
    Suffix.MACRO: "Macro",
    Suffix.META: "Function",
}
"""Of symbols that nothing else is known of; a Meta of rust-analyzer is a procedural macro."""
_HIDDEN = re.compile(r"\s*#(?: |$)")
_RULE = "---"
"""Between declaration and docs; scip-python has it as a part of its own."""
_FENCED = re.compile(r"\s*```[^\n]*\n(?P<code>.*?)\n?```\s*\Z", re.DOTALL)


class Described(NamedTuple):
    """What is known of a symbol that is defined."""

    hover: Hover | None
    name: str = ""
    """As in the source; empty if the indexer may call it otherwise."""
    kind: int = 0
    """As of a dump's tag; 0 if it is unknown."""


def is_parameter(symbol: bytes, information: SymbolInformation | None) -> bool:
    """Return whether what is defined is a parameter, as those are that are not `local`."""
    return symbol.endswith(b")") or (information is not None and information.kind in _PARAMETERS)


def is_field(information: SymbolInformation | None) -> bool:
    """Return whether the indexer calls it a field, a property or a variant."""
    return information is not None and information.kind in _FIELDS


def describe_rust(
    symbol: Symbol | None, crate: str | None, information: SymbolInformation | None
) -> Described:
    """Return what rust-analyzer says; `crate` is that of the document, None if it is unknown.

    The symbol has the package, which may be of another name.
    """
    if symbol is None:
        return Described(None)
    path, name = rust_path(symbol, crate)
    if information is None:
        code_type = _type_by_suffix(symbol.descriptors)
        hover = Hover(path, "", None, code_type, name) if code_type else NO_STRUCTURE
        return Described(hover, name)
    declaration = text_of(information.signature_documentation.text)
    if is_crate_root(declaration):
        return Described(CRATE_ROOT)
    code_type, declared = classify(declaration)
    if not declaration:
        code_type, declared = _CODE_TYPES.get(information.kind), name
    if code_type is None:
        return Described(NO_STRUCTURE)
    docs = as_shown("\n\n".join(map(text_of, information.documentation)).strip())
    return Described(Hover(path, declaration, docs or None, code_type, declared), declared or "")


def describe(symbol: Symbol | None, information: SymbolInformation | None) -> Described:
    """Return what another indexer says of a definition."""
    may_be_field = (
        symbol is not None
        and is_in_type(symbol.descriptors)
        and symbol.descriptors[-1].suffix is Suffix.TERM
    )
    if information is None:
        return Described(None, _name(symbol, ""), _FIELD_TAG if may_be_field else 0)
    code_type = _CODE_TYPES.get(information.kind)
    declaration, docs = _documentation(information)
    if is_field(information) or (may_be_field and not information.kind and not declaration):
        kind = _FIELD_TAG
    else:
        kind = _SYMBOL_KINDS.get(code_type, 0) if code_type is not None else 0
    return Described(
        Hover(None, declaration, docs, code_type, None),
        _name(symbol, text_of(information.display_name)),
        kind,
    )


def outside_hover(symbol: Symbol, *, is_rust: bool, in_trait: bool) -> Hover | None:
    """Return path, name and kind of what the index does not define; None if it is no item.

    `in_trait` says whether it is inside something that has methods itself, as traits have.
    """
    code_type = _BY_SUFFIX.get(symbol.descriptors[-1].suffix)
    if code_type is None or (is_in_type(symbol.descriptors) and is_rust and not in_trait):
        return None
    if is_rust:
        path, name = rust_path(symbol, None)
        if symbol.descriptors[-1] == (CRATE, Suffix.NAMESPACE, ""):
            return None
    else:
        *around, name = (descriptor.name for descriptor in symbol.descriptors)
        path = "::".join(around)
    is_proc_macro = is_rust and symbol.descriptors[-1].suffix is Suffix.META
    declaration = f"{PROC_MACRO}{name}" if is_proc_macro else ""
    return Hover(path, declaration, None, code_type, name) if path else None


def is_in_type(descriptors: Sequence[Descriptor]) -> bool:
    """Return whether it is a type or term inside a type; in a trait they are items."""
    in_type = len(descriptors) > 1 and descriptors[-2].suffix is Suffix.TYPE
    return in_type and descriptors[-1].suffix in (Suffix.TYPE, Suffix.TERM)


def _type_by_suffix(descriptors: Sequence[Descriptor]) -> CodeType | None:
    """Return what a symbol seems to be.

    None for types and terms inside types: they may be variants and fields.
    """
    if is_in_type(descriptors):
        return None
    return _BY_SUFFIX.get(descriptors[-1].suffix)


def as_shown(docs: str) -> str:
    """Return docs as hovers show them.

    They are without the blank that macros leave between `///` and the text, and without the lines
    of examples that rustdoc hides.
    """
    first, *lines = docs.split("\n")
    if all(line.startswith(" ") for line in lines if line):
        lines = [line[1:] for line in lines]
    shown, in_code = [], False
    for line in (first, *lines):
        in_code ^= line.startswith("```")
        if not (in_code and _HIDDEN.match(line)):
            shown.append(line)
    return as_written("\n".join(shown))


def _name(symbol: Symbol | None, display_name: str) -> str:
    """Return the name that the source has where the definition is.

    Special names, such as `<constructor>`, are not in the source.
    """
    if is_identifier(display_name):
        return display_name
    name = symbol.descriptors[-1].name if symbol is not None and not display_name else ""
    return name if is_identifier(name) else ""


def _documentation(information: SymbolInformation) -> tuple[str, str | None]:
    """Return declaration and documentation; older indexers have the former among the latter."""
    declaration = text_of(information.signature_documentation.text).strip()
    parts = [text for part in information.documentation if (text := text_of(part)).strip() != _RULE]
    fenced = _FENCED.match(parts[0]) if parts else None
    if fenced is not None:
        declaration = declaration or fenced["code"].strip()
        parts = parts[1:]
    elif not declaration and parts:
        hover = parse_hover(parts[0])
        if hover is not None and parts[0].lstrip().startswith("```"):
            declaration, parts[0] = hover.declaration, hover.docs or ""
    return declaration, "\n\n".join(parts).strip() or None
