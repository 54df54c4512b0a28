"""Declarations of Rust as text."""

from __future__ import annotations

import pytest

from lsif.rust.grammar import parser
from lsif.rust.signature import base_name, signature, visibility


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("fn f() {}", "fn f()"),
        ("fn f() -> u8 { 1 }", "fn f() -> u8"),
        ("fn f<const N: usize>() -> [u8; { N }] { [0; { N }] }",
         "fn f<const N: usize>() -> [u8; { N }]"),
        ("fn f(a: u8 /* { */, b: u8) {}", "fn f(a: u8 , b: u8)"),
        ("fn f(\r\n    a: u8,\r\n) {}", "fn f( a: u8, )"),
        ("fn größe(ß: u8 /* ü */) {}", "fn größe(ß: u8 )"),
        ('extern "C" fn f() {}', 'extern "C" fn f()'),
        ("const N: usize = 4;", "const N: usize"),
        ('const S: &str = "=;{ // /*";', "const S: &str"),
        ("const F: [u8; { 1 }] = [0];", "const F: [u8; { 1 }]"),
        ('static mut S: &str = "a";', "static mut S: &str"),
        ("type T = [u8; 2];", "type T = [u8; 2]"),
        ("struct S;", "struct S"),
        ("struct S(/* /* nested */ */ u8);", "struct S( u8)"),
        ('struct S(#[doc = "]"] u8);', "struct S( u8)"),
        ("struct S { // a\n    #[serde(default)]\n    pub x: [u8; 2], /* b */ y: u8 }",
         "struct S { pub x: [u8; 2], y: u8 }"),
        ("struct S<const C: char = '#'> { a: u8 }", "struct S<const C: char = '#'> { a: u8 }"),
        ("enum E { A = 1, /// Docs.\n B }", "enum E { A = 1, B }"),
        ("union U { a: u8 }", "union U { a: u8 }"),
        ("trait A: B where Self: Sized { fn f(); }", "trait A: B where Self: Sized"),
        ("mod m { fn f() {} }", "mod m"),
        ("mod m;", "mod m"),
        ("macro_rules! m { () => {} }", "macro_rules! m"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("above", ["", "/* pub fn g() {} */\n", "/// Docs.\n#[inline]\n"])
def test_a_signature_has_no_body_no_comment_and_no_attribute(
    above: str, source: str, expected: str
) -> None:
    data = (above + source).encode()
    node = parser().parse(data).root_node.named_children[-1]
    assert signature(node, data) == (expected, None)
    assert visibility(node) is None


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ("pub", "pub"),
        ("pub(crate)", "pub(crate)"),
        ("pub ( crate )", "pub(crate)"),
        ("pub(\r\n    super\r\n)", "pub(super)"),
        ("pub(in crate::a)", "pub(in crate::a)"),
        ("pub( in\n  crate::a )", "pub(in crate::a)"),
    ],
)
@pytest.mark.parametrize(
    ("rest", "declaration"),
    [("fn f() {}", "fn f()"), ("const N: u8 = 1;", "const N: u8"), ("mod m;", "mod m")],
)
def test_the_visibility_is_apart_and_has_one_spelling(
    spelled: str, expected: str, rest: str, declaration: str
) -> None:
    data = f"{spelled} {rest}".encode()
    node = parser().parse(data).root_node.named_children[-1]
    assert signature(node, data) == (declaration, expected)
    assert visibility(node) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Cache", "Cache"),
        ("u8", "u8"),
        ("Cache<K, V>", "Cache"),
        ("a::b::Cache<K, Vec<V>>", "Cache"),
        ("::a::Cache", "Cache"),
        ("&'a mut cache::Cache<K, V>", "Cache"),
        ("&&Cache", "Cache"),
        ("*const a::Cache", "Cache"),
        ("dyn Shape", "Shape"),
        ("dyn Shape + Send", "Shape"),
        ("Box<dyn Shape>", "Box"),
        ("&(dyn a::Shape + Send)", "Shape"),
        ("(dyn Shape)", "Shape"),
        ("impl Iterator<Item = u8>", "Iterator"),
        ("<T as Iterator>::Item", "Item"),
        ("(Shape,)", "(Shape,)"),
        ("(A, B)", "(A, B)"),
        ("()", "()"),
        ("!", "!"),
        ("[T]", "[T]"),
        ("&[T\r\n]", "[T ]"),
        ("[Cache<K>; 3]", "[Cache<K>; 3]"),
        ("fn(u8) -> u8", "fn(u8) -> u8"),
        ("Größe<T>", "Größe"),
    ],
)
def test_a_types_name_has_no_path_no_reference_and_no_generics(written: str, expected: str) -> None:
    source = f"type T = {written};".encode()
    alias = parser().parse(source).root_node.named_children[0]
    node = alias.child_by_field_name("type")
    assert node is not None
    assert base_name(node, source) == expected
