"""Names and imports of a Rust source, from which references are guessed."""

from __future__ import annotations

import pytest

from lsif.items import Imports
from lsif.rust.finder import RustFile
from lsif.rust.grammar import parser
from lsif.rust.names import names_in, uses_in


def imports_of(source: str) -> Imports:
    root = parser().parse(source.encode()).root_node
    return {name: path for _, found in uses_in(root) for name, path in found.items()}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("use a;", {"a": ("a",)}),
        ("use crate::a::B;", {"B": ("crate", "a", "B")}),
        ("use a::b as c;", {"c": ("a", "b")}),
        ("use a::*;", {}),
        ("use a::{self, b, c::{D as E, *}};", {
            "a": ("a",), "b": ("a", "b"), "E": ("a", "c", "D"),
        }),
        ("use {a::b, super::c};", {"b": ("a", "b"), "c": ("super", "c")}),
        ("pub(crate) use r#type::X;", {"X": ("type", "X")}),
        ("use ;", {}),
    ],
)  # fmt: skip
def test_what_a_use_imports(source: str, expected: Imports) -> None:
    assert imports_of(source) == expected


def test_deep_uses_end() -> None:
    assert imports_of(f"use {'a::{' * 3000}b{'}' * 3000};") == {}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("f(1); a::g::<u8>(x)", {"f", "a::g", "x"}),
        ("S { k: v }.method().field", {"S", "v"}),
        ('/* c */ "s"; \'l: loop {}', set()),
        ("m!(inner)", {"m", "inner"}),
        ("Vec::<T>::new()", {"Vec::new", "Vec", "T"}),
        ("<T as Tr>::f()", {"T", "Tr"}),
    ],
)
def test_names_that_may_be_items(body: str, expected: set[str]) -> None:
    root = parser().parse(f"fn own() {{ {body} }}".encode()).root_node
    assert {"::".join(name.segments) for name in names_in(root)} - {"own"} == expected


def test_imports_are_those_of_their_module() -> None:
    source = b"use a::X;\nmod m { use b::Y; fn f() { use c::Z; } }\n"
    assert RustFile("src/lib.rs", source, frozenset()).imports() == {
        (): {"X": ("a", "X")},
        ("m",): {"Y": ("b", "Y"), "Z": ("c", "Z")},
    }
