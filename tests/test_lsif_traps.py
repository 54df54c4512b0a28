"""Traps in rust-analyzer's dumps, each with the smallest dump that shows it.

The sample has the others together.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from made_dump import Dump


@pytest.fixture
def dump(tmp_path: Path) -> Dump:
    return Dump(tmp_path)


def test_self_is_no_structure_and_shares_the_traits_place(dump: Dump) -> None:
    dump.source("src/lib.rs", "struct Foo;\nimpl Foo {}\ntrait T where Self: Sized {}\n")
    dump.define("src/lib.rs", 0, 7, 3, "r", "struct Foo")
    dump.define("src/lib.rs", 1, 5, 3, "r", "struct Foo")
    dump.define("src/lib.rs", 2, 6, 1, "r", "trait T")
    dump.define("src/lib.rs", 2, 6, 1, "r", "trait T\nwhere\n    Self: Sized,")
    ledger, structures = dump.parse()
    assert [one.name for one in structures] == ["Foo", "T"]
    assert ledger.skipped == {"self_type": 1, "same_place": 1}


def test_a_file_in_several_crates_is_one_structure_of_one_id(dump: Dump, tmp_path: Path) -> None:
    definitions = ["shared::util", "app::util", "bench::util"]
    ids = set()
    for order in (definitions, definitions[::-1]):
        one = Dump(tmp_path / order[0].partition(":")[0])
        one.source("src/util.rs", "pub fn help() {}\n")
        for module in order:
            one.define("src/util.rs", 0, 7, 4, module, "pub fn help()")
        ledger, (structure,) = one.parse()
        assert ledger.skipped == {"same_place": 2}
        ids.add((structure.id, structure.symbol))
    assert len(ids) == 1


def test_a_module_in_a_file_of_its_own_is_its_inner_docs(dump: Dump) -> None:
    dump.source("src/a.rs", "//! About a.\n//! More.\n\npub fn f() {}\n")
    dump.source("src/b.rs", "pub fn g() {}\n")
    for path, last in (("src/a.rs", 4), ("src/b.rs", 1)):
        dump.define(path, 0, 0, 0, "r", f"mod {path[4]}", end_line=last)
    ledger, (module,) = dump.parse()
    assert (module.code_type, module.name, module.line_from, module.line_to, module.docstring) == (
        "Module",
        "a",
        1,
        2,
        "About a.\nMore.",
    )
    assert ledger.skipped == {"undocumented_module": 1}


def test_what_is_no_item_is_counted_by_its_kind(dump: Dump) -> None:
    dump.source(
        "src/lib.rs",
        "#[derive(Clone)]\nstruct S { a: u8 }\nfn f<const N: usize>(x: u8) {}\nmake!(1);\n",
    )
    dump.define("src/lib.rs", 0, 0, 16, "r::S", "fn clone(&self) -> Self")
    dump.define("src/lib.rs", 1, 7, 1, "r", "struct S {\n    a: u8,\n}")
    dump.define("src/lib.rs", 1, 11, 1, "r::S", "a: u8")
    dump.define("src/lib.rs", 2, 3, 1, "r", "fn f<const N: usize>(x: u8)")
    dump.define("src/lib.rs", 2, 11, 1, "", "const N: usize")
    dump.define("src/lib.rs", 2, 21, 1, "", "x: u8")
    dump.define("src/lib.rs", 3, 0, 8, "r", "fn made()")
    dump.define("src/lib.rs", 0, 0, 0, "", "extern crate r", end_line=3)
    ledger, structures = dump.parse()
    assert [one.name for one in structures] == ["S", "f"]
    assert ledger.skipped == {
        "crate_root": 1,
        "derived": 1,
        "field_or_variant": 1,
        "local": 2,
        "macro_made": 1,
    }


def test_docs_may_hold_rules_and_fences_and_constants_bodies_too(dump: Dump) -> None:
    dump.source(
        "src/lib.rs",
        "/// One.\n///\n/// ---\n///\n/// ```\n/// f();\n/// ```\nfn f() {}\n"
        'const C: &str = "```rust";\n',
    )
    dump.define("src/lib.rs", 7, 3, 1, "r", "fn f()", docs="One.\n\n---\n\n```rust\nf();\n```")
    dump.define("src/lib.rs", 8, 6, 1, "r", 'const C: &str = "\n```rust\n"')
    _, (function, constant) = dump.parse()
    assert function.docstring == "One.\n\n---\n\n```\nf();\n```"
    assert (function.line_from, function.line_to) == (1, 8)
    assert (constant.name, constant.signature) == ("C", "const C: &str")


def test_what_the_hover_adds_or_cuts_comes_from_the_source(dump: Dump) -> None:
    source = (
        'pub enum E {\n    A(u8),\n    B { x: Vec<u8> },\n}\nextern "C" {\n'
        "    pub fn c_fn(a: i32) -> i32;\n}\nconst N: u8 = 255;\n"
    )
    dump.source("src/lib.rs", source)
    dump.define(
        "src/lib.rs", 0, 9, 1, "r", "pub enum E {\n    A( /* … */ ),\n    B { /* … */ },\n}"
    )
    dump.define("src/lib.rs", 5, 11, 4, "r::<extern>", "pub unsafe fn c_fn(a: i32) -> i32")
    dump.define("src/lib.rs", 7, 6, 1, "r", "const N: u8 = 255 (0xFF)")
    _, structures = dump.parse()
    assert [one.signature for one in structures] == [
        "enum E { A(u8), B { x: Vec<u8> }, }", "fn c_fn(a: i32) -> i32", "const N: u8",
    ]  # fmt: skip
    assert structures[1].symbol == "r::c_fn"


def test_an_impls_owner_is_the_sources_not_the_paths(dump: Dump) -> None:
    source = (
        "mod far { pub struct Foo; }\nimpl far::Foo { pub fn here(&self) {} }\n"
        "impl Say for [u8] { fn say(&self) {} }\n"
    )
    dump.source("src/lib.rs", source)
    dump.define("src/lib.rs", 0, 21, 3, "r::far", "pub struct Foo")
    dump.define("src/lib.rs", 1, 23, 4, "r::far::Foo", "pub fn here(&self)")
    dump.define("src/lib.rs", 2, 23, 3, "r", "fn say(&self)", docs="Inherited.")
    _, (_, here, say) = dump.parse()
    assert (here.symbol, here.context.struct_name, here.module_path) == (
        "r::far::Foo::here",
        "Foo",
        "r",
    )
    assert (say.symbol, say.context.struct_name, say.trait_name) == (
        "r::<[u8] as Say>::say",
        "[u8]",
        "Say",
    )
    assert (say.docstring, say.docs_inherited) == ("Inherited.", True)


def test_columns_are_counted_in_utf_16_from_a_byte_order_mark_on_and_lone_carriage_returns(
    dump: Dump,
) -> None:
    source = '\ufeffconst A: &str = "\\r"; /* 🦀 \r */ fn r#type() {}\r\nfn b() {}\r\n'
    dump.source("src/lib.rs", source)
    at = len(source[: source.index("r#type")].encode("utf-16-le")) // 2
    dump.define("src/lib.rs", 0, 7, 1, "r", "const A: &str")
    dump.define("src/lib.rs", 0, at, 6, "r", "fn r#type()")
    dump.define("src/lib.rs", 1, 3, 1, "r", "fn b()")
    _, structures = dump.parse()
    assert [(one.name, one.line, one.line_to) for one in structures] == [
        ("A", 1, 1),
        ("r#type", 1, 1),
        ("b", 2, 2),
    ]
    assert structures[2].context.snippet == "fn b() {}\r\n"


def test_folders_that_are_links_to_each_other_give_each_file_once_a_path(
    dump: Dump, tmp_path: Path
) -> None:
    dump.source("src/lib.rs", "fn f() {}\n")
    (dump.root / "again").symlink_to(dump.root / "src")
    dump.source("again/lib.rs", "fn f() {}\n")
    for path in ("src/lib.rs", "again/lib.rs"):
        dump.define(path, 0, 3, 1, "r", "fn f()")
    _, structures = dump.parse()
    assert len({one.id for one in structures}) == len(structures) == 2
    shutil.rmtree(tmp_path / "r")
