from __future__ import annotations

import pytest

from lsif.reader.hover import CRATE_ROOT, NO_ITEM, parse_hover


def hover(path: str, declaration: str, docs: str | None = None) -> str:
    end = f"\n\n---\n\n{docs}" if docs else ""
    return f"\n```rust\n{path}\n```\n\n```rust\n{declaration}\n```{end}"


@pytest.mark.parametrize(
    ("declaration", "code_type", "name"),
    [
        ("pub fn after_emoji() -> u8", "Function", "after_emoji"),
        ("pub(crate) async unsafe fn f()", "Function", "f"),
        ('pub unsafe extern "C" fn c_fn(a: i32) -> i32', "Function", "c_fn"),
        ("const fn f()", "Function", "f"),
        ("fn r#type()", "Function", "r#type"),
        (
            (
                "impl<'a, T, const N: usize> Gen<'a, T, N>\npub fn new(x: T) -> Self\nwhere\n"
                "    // Bounds from impl:\n    T: Copy"
            ),
            "Function",
            "new",
        ),
        ("pub trait Shape\npub fn area(&self) -> f64", "Function", "area"),
        ("pub trait Shape\nwhere\n    Self: Sized", "Trait", "Shape"),
        ("pub struct S {\n    a: u8,\n    /* … */\n}", "Struct", "S"),
        ("enum E { A, B }", "Enum", "E"),
        ("pub union U", "Union", "U"),
        ("type A = u8", "TypeAlias", "A"),
        ("const C: u8 = 10 (0xA)", "Const", "C"),
        ("static mut S: u8 = 1", "Static", "S"),
        ("pub mod sub", "Module", "sub"),
        ("macro_rules! m", "Macro", "m"),
        ("B(u8)", None, None),
        ("pub a: u8", None, None),
    ],
)
def test_the_declaration_tells_kind_and_name(
    declaration: str, code_type: str | None, name: str | None
) -> None:
    parsed = parse_hover(hover("a::b", declaration))
    assert parsed is not None
    assert (parsed.code_type, parsed.name, parsed.path) == (code_type, name, "a::b")


def test_docs_begin_at_the_first_rule_and_may_hold_more() -> None:
    parsed = parse_hover(hover("a", "fn f()", "First.\n\n---\n\n```rust\nlet x = 1;\n```"))
    assert parsed is not None
    assert parsed.docs == "First.\n\n---\n\n```rust\nlet x = 1;\n```"
    assert parsed.declaration == "fn f()"


def test_one_block_is_no_item() -> None:
    assert parse_hover("\n```rust\nlet x: u8\n```") is NO_ITEM
    assert parse_hover("\n```rust\nextern crate std\n```\n\n---\n\nDocs.") is CRATE_ROOT
    assert parse_hover("plain text") is None


def test_a_constant_whose_body_holds_a_fence() -> None:
    parsed = parse_hover(hover("a", 'const HELP: &str = "\n```rust\nlet y = 2;\n```\n"'))
    assert parsed is not None
    assert (parsed.code_type, parsed.name) == ("Const", "HELP")


def test_a_hover_full_of_fences_takes_no_longer_than_its_length() -> None:
    parsed = parse_hover("```rust\nx" * 300_000)  # quadratic time would take hours
    assert parsed is None
