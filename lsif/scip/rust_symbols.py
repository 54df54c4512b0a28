"""What rust-analyzer's symbols say: crate, path, impl block, trait."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsif.identifiers import is_identifier
from lsif.reader.hover import is_crate_root
from lsif.scip.schema import text_of
from lsif.scip.symbols import Suffix

if TYPE_CHECKING:
    from lsif.scip.schema import SymbolInformation
    from lsif.scip.symbols import Descriptor, Symbol

_IMPL = "impl"
_AROUND = (Suffix.NAMESPACE, Suffix.TYPE)
CRATE = "crate"
"""The descriptor of a crate's root."""
_PRIMITIVES = frozenset({
    "bool", "char", "f16", "f32", "f64", "f128", "i8", "i16", "i32", "i64", "i128", "isize", "str",
    "u8", "u16", "u32", "u64", "u128", "usize",
})  # fmt: skip
_TYPE_VARIABLE = re.compile(r"[A-Z][0-9]?\Z")
_IMPL_BLOCK = b"impl#["
_TRAIT = re.compile(rb"impl#\[(?:`[^`]*`|[^`\]]*)\]\[`?([^`\]]+)")
"""The trait behind the type of an impl block."""


def rust_path(symbol: Symbol, crate: str | None) -> tuple[str, str]:
    """Return the path of what is around rust-analyzer's symbol, and its name.

    >>> from lsif.scip.symbols import parse_symbol
    >>> rust_path(parse_symbol("rust-analyzer cargo my-crate . a/impl#[`Bee<T>`][C]d()."), None)
    ('my_crate::a::Bee', 'd')
    """
    path = [crate or symbol.package.replace("-", "_")]
    *around, last = symbol.descriptors
    for number, descriptor in enumerate(around):
        if number and _is_impl(around[number - 1]):
            owner = _type_name(descriptor.name)
            if (
                is_identifier(owner)
                and owner not in _PRIMITIVES
                and not _TYPE_VARIABLE.match(owner)
            ):
                path.append(owner)
        elif descriptor.suffix in _AROUND and descriptor.name not in (_IMPL, CRATE):
            path.append(descriptor.name)
    return "::".join(path), last.name


def modern(symbol: Symbol) -> Symbol:
    """Return a symbol of rust-analyzer 1.85 or older as newer ones have it, but for impl blocks.

    There modules are inside out, a member of an impl block is one of its trait, too, and an
    associated type is a type parameter.

    >>> from lsif.scip.symbols import parse_symbol
    >>> rust_path(modern(parse_symbol("rust-analyzer cargo a . c/b/Tree#Add#[Output]")), None)
    ('a::b::c::Tree', 'Output')
    """
    *around, last = symbol.descriptors
    modules = [each for each in around if each.suffix is Suffix.NAMESPACE]
    others = [each for each in around if each.suffix is not Suffix.NAMESPACE]
    if last.suffix is Suffix.TYPE_PARAMETER and others:
        last = last._replace(suffix=Suffix.TYPE)
    return symbol._replace(descriptors=(*reversed(modules), *others[:1], last))


def crate_of(information: SymbolInformation) -> str | None:
    """Return the crate whose root rust-analyzer describes, None if it describes something else."""
    if not information.symbol.endswith(b" crate/"):
        return None
    signature = text_of(information.signature_documentation.text)
    return signature.removeprefix("extern crate ") if is_crate_root(signature) else None


def is_self_type(symbol: Symbol) -> bool:
    """Return whether rust-analyzer's symbol is that of an impl block, which `Self` refers to."""
    return symbol.descriptors[-1].suffix is Suffix.TYPE_PARAMETER and any(
        map(_is_impl, symbol.descriptors)
    )


def self_name(block: Symbol) -> str:
    """Return the name of the type that `Self` is in rust-analyzer's symbol of an impl block."""
    around = block.descriptors
    at = next(number for number, descriptor in enumerate(around) if _is_impl(descriptor))
    return _type_name(around[at + 1].name) if at + 1 < len(around) else ""


def implemented_trait(text: bytes) -> str:
    """Return the name of the trait in rust-analyzer's symbol of an impl block or of what is in it.

    Empty if there is none.

    >>> implemented_trait(b"rust-analyzer cargo a . impl#[`T<'a>`][`b::From<U>`]from().")
    'From'
    """
    # A search would try at each of many beginnings, and a symbol may be as long as the file.
    found = _TRAIT.match(text, max(0, text.find(_IMPL_BLOCK)))
    return _type_name(text_of(found[1])) if found is not None else ""


def _is_impl(descriptor: Descriptor) -> bool:
    return descriptor.suffix is Suffix.TYPE and descriptor.name == _IMPL


def _type_name(text: str) -> str:
    """Return the name of a type or trait without path and generics."""
    return text.partition("<")[0].rpartition("::")[2]
