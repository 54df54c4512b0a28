"""Definitions in a Rust source that neither the grammar nor the hover explains."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lsif.items import Findings
from lsif.reader.elements import Range, Tag
from lsif.reader.graph import Definition
from lsif.reader.hover import Hover, parse_hover
from lsif.rust.finder import RustFile

from made_dump import Dump


def find(source: str, name: str, said: Hover | None, tag: Tag | None = None) -> Findings:
    at = source.index(f" {name}") + 1
    line = source.count("\n", 0, at)
    column = at - (source.rfind("\n", 0, at) + 1)
    definition = Definition(
        "file:///r/src/lib.rs", Range(1, line, column, line, column + len(name), tag), said, 0, 0
    )
    return RustFile("src/lib.rs", source.encode(), frozenset()).find([definition], "utf-16")


def hover(declaration: str) -> Hover | None:
    return parse_hover(f"\n```rust\na::b\n```\n\n```rust\n{declaration}\n```")


@pytest.mark.parametrize(
    ("source", "name", "declaration", "expected"),
    [
        (
            "fn f() {}\n\n/// Docs.\n#[rustc_macro]\npub macro vec_of($x:expr) {\n    [$x]\n}\n",
            "vec_of",
            "pub macro vec_of",
            ("Macro", 2, 6, "macro vec_of($x:expr)", "pub", "Docs."),
        ),
        (
            "pub trait Machine = Clone + Copy;\nfn f() {}\n",
            "Machine",
            "pub trait Machine",
            ("Trait", 0, 0, "trait Machine = Clone + Copy", "pub", None),
        ),
        (
            'extern "C" {\n    /// Opaque.\n    pub type Twine;\n}\n',
            "Twine",
            "pub type Twine",
            ("TypeAlias", 1, 2, "type Twine", "pub", "Opaque."),
        ),
    ],
)
def test_what_the_grammar_has_no_rule_for_is_found_by_its_brackets(
    source: str, name: str, declaration: str, expected: tuple[object, ...]
) -> None:
    (found,) = find(source, name, hover(declaration)).found
    item = found.item
    assert (
        item.code_type,
        item.row_from,
        item.row_to,
        item.signature,
        item.visibility,
        item.docstring,
    ) == expected


def test_a_scope_is_that_of_the_place() -> None:
    source = "mod outer {\n    fn inner() {\n        macro tool() { 1 }\n    }\n}\n"
    (found,) = find(source, "tool", hover("macro tool")).found
    assert (found.item.modules, found.item.qualifiers) == (("outer",), ("inner",))


def test_a_definition_without_a_hover_is_what_the_source_has_in_its_place() -> None:
    source = "/// Docs.\nfn f(a: u8) {}\n"
    (found,) = find(source, "f", None).found
    assert (found.item.code_type, found.item.docstring) == ("Function", "Docs.")
    assert find("fn f(x: u8, a: u8) {}\n", "a", None).skipped == {"no_extent": 1}


def test_a_tag_that_names_something_else_is_stale() -> None:
    findings = find("fn f() {}\n", "f", None, Tag("g", 12, None))
    assert findings.skipped == {"source_changed": 1}
    assert findings.stale == ["1: expected `g`, found `f`"]


def test_a_file_of_members_only_has_the_crate_that_its_hovers_name() -> None:
    source = "mod a;\nimpl a::Foo {\n    pub fn only(&self) {}\n}\n"
    said = parse_hover("\n```rust\nrenamed::a::Foo\n```\n\n```rust\npub fn only(&self)\n```")
    findings = find(source, "only", said)
    assert (
        RustFile("src/lib.rs", source.encode(), frozenset()).module_path(findings, []) == "renamed"
    )
    assert (
        RustFile("crates/x/src/b/c.rs", source.encode(), frozenset()).module_path(findings, [])
        == "renamed::b::c"
    )


def test_a_macro_of_the_new_kind_is_no_scope() -> None:
    source = "pub trait Al = Clone + Send;\n/// m2\npub macro m2($x:expr) { $x }\n"
    (found,) = find(source, "m2", hover("pub macro m2")).found
    assert (found.item.modules, found.item.qualifiers, found.item.row_from) == ((), (), 1)


def test_many_macro_calls_take_no_longer_than_many_items() -> None:
    source = "macro_rules! mk { ($n:ident) => { fn $n() {} } }\n" + "".join(
        f"mk!(f{number});\n" for number in range(3000)
    )
    file = RustFile("src/lib.rs", source.encode(), frozenset())
    calls = [
        Definition(
            "u",
            Range(number, number + 1, 4, number + 1, 4 + len(f"f{number}")),
            hover(f"fn f{number}()"),
            0,
            0,
        )
        for number in range(3000)
    ]
    began = time.perf_counter()
    assert len(file.find(calls, "utf-16").found) == 3000
    assert time.perf_counter() - began < 20


def module_dump(folder: Path, text: str, end: tuple[int, int], declaration: str) -> Dump:
    """Return a dump of a file and of what it is as a module: its range is the file."""
    dump = Dump(folder)
    dump.source("src/made.rs", text)
    dump.define("src/made.rs", 0, 0, end[1], "r", declaration, end_line=end[0])
    at = text.index("fn f") + 3
    row, begin = text.count("\n", 0, at), text.rfind("\n", 0, at) + 1
    dump.define("src/made.rs", row, at - begin, 1, "r::made", "pub fn f()")
    return dump


@pytest.mark.parametrize("ending", ["", "\n"])
def test_a_file_of_one_line_is_a_module_too(ending: str, tmp_path: Path) -> None:
    text = f'#![doc = "Made."] pub fn f() {{}}{ending}'
    end = (1, 0) if ending else (0, len(text))
    ledger, structures = module_dump(tmp_path, text, end, "mod made").parse()
    # rust-analyzer 1.85 never says that a module in a file of its own is public.
    assert [(each.symbol, each.code_type, each.visibility) for each in structures] == [
        ("r::made", "Module", ""),
        ("r::made::f", "Function", "pub"),
    ]
    assert not ledger.skipped


def test_a_module_that_a_call_at_the_beginning_makes_is_not_the_file(tmp_path: Path) -> None:
    text = "modules! {\n    a\n}\npub fn f() {}\n"
    ledger, structures = module_dump(tmp_path, text, (2, 1), "mod hidden").parse()
    assert [each.name for each in structures] == ["f"]
    assert ledger.skipped == {"macro_made": 1}
