"""Rust that tree-sitter's grammar does not know: its items, and those around them, come out right.

All rows were compared with `rust-analyzer symbols`, where rust-analyzer knows the syntax.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from lsif.items import SourceItem
from lsif.reader.elements import FoldingRange, Range
from lsif.reader.graph import Definition, Outline
from lsif.reader.hover import Hover
from lsif.rust import reading
from lsif.rust.code import Code
from lsif.rust.finder import RustFile
from lsif.rust.grammar import parser
from lsif.rust.segments import nested_items, segments
from lsif.rust.syntax import SourceFile

from made_dump import Dump

FRAME = """\
/// Before.
fn before() {}

/// Docs.
#[attribute]
HERE

/// After.
pub fn after() {
    if x {
    }
}

impl Z {
    /// A method.
    fn method(&self) {}
}
"""
TOKENS = (
    "fn f", "const", "trait A", "impl", "impl<T>", "for B", "{", "}", "(", ")", "[", "]", ";", "=",
    "<", ">", "->", "safe", "unsafe", "static X", "macro m", "mod m", "type T", "struct S", "#[a]",
    "enum E", "// c\n", "/* d */", "/// doc\n", '"s"', "'c'", "'a", 'extern "C"', "pub(crate)",
    "gen", "default", "where", "|x|", "1f16", "~", "[const]", "macro_rules! q", "m!", "\n", "$",
    'r#"x"#',
    "\u00e9", "&pin mut", "do yeet", "become", "super let", "crate", "builtin #",
    "{ }", "( )", "{}",
)  # fmt: skip
FIRST = 6
"""Line of the construct in the frame."""


def items(source: str) -> dict[str, SourceItem]:
    found = SourceFile(source.encode()).items()
    return {item.name: item for _, item in found if item.code_type != "Impl"}


def rows(source: str) -> list[str]:
    """All items but impl blocks, as `Kind owner::name first-last`, lines 1-based."""
    found = [item for _, item in sorted(SourceFile(source.encode()).items())]
    return [
        f"{item.code_type} {'::'.join((*item.modules, *item.qualifiers, item.name))} "
        f"{item.row_from + 1}-{item.row_to + 1}"
        for item in found
        if item.code_type != "Impl"
    ]


def framed(construct: str) -> list[str]:
    """Rows of the construct between two neighbours, which must be as they are without it.

    Lines count from the construct's first; its docs and attributes are in the two before.
    """
    source = FRAME.replace("HERE", construct)
    found = rows(source)
    end = FIRST + construct.count("\n")
    assert found[0] == "Function before 1-2"
    assert found[-2:] == [
        f"Function after {end + 2}-{end + 6}",
        f"Function Z::method {end + 9}-{end + 10}",
    ]
    shifted = []
    for row in found[1:-2]:
        what, _, lines = row.rpartition(" ")
        first, last = lines.split("-")
        shifted.append(f"{what} {int(first) - FIRST + 1}-{int(last) - FIRST + 1}")
    return shifted


@pytest.mark.parametrize(
    ("construct", "expected"),
    [
        (('unsafe extern "C" {\n    safe fn f();\n    pub unsafe static mut X: u8;\n'
         "    pub(crate) safe static Y: u8;\n    type T;\n    pub type U;\n}"),
         ["Function f 2-2", "Static X 3-3", "Static Y 4-4", "TypeAlias T 5-5", "TypeAlias U 6-6"]),
        ("const trait A {\n    fn f();\n}", ["Trait A -1-3", "Function A::f 2-2"]),
        ("pub const unsafe auto trait A {}", ["Trait A -1-1"]),
        ("pub(crate) impl(self) trait A {\n    fn f();\n}", ["Trait A -1-3", "Function A::f 2-2"]),
        (("pub const trait Try: [const] From<Self::R> + ~const Sized {\n"
         "    type T: [const] Try<O = u8>;\n    fn f(self) -> A<Self::A, B>;\n}"),
         ["Trait Try -1-4", "TypeAlias Try::T 2-2", "Function Try::f 3-3"]),
        ("const fn f<R: [const] A<O>, O>(r: R) -> <R as A<O>>::T {\n    r\n}", ["Function f -1-3"]),
        ("impl<T: [const] A> const A for B<T>\nwhere\n    T: ~const C,\n{\n    fn f() {}\n}",
         ["Function <B<T> as A>::f 5-5"]),
        ("const unsafe impl<T> A for B<T> { fn f() {} }", ["Function <B<T> as A>::f 1-1"]),
        (("default unsafe impl<T> A for B<T> {\n    default async fn f() {}\n"
         "    default const C: u8 = 3;\n    default type D = u8;\n}"),
         ["Function <B<T> as A>::f 2-2", "Const <B<T> as A>::C 3-3",
          "TypeAlias <B<T> as A>::D 4-4"]),
        ("impl<T> !Send for B<T> {}", []),
        ("pub trait A = B<C = ()>;", ["Trait A -1-1"]),
        (("trait A<'a, T: ?Sized> = for<'b> Fn(&'b T) -> Box<dyn B + 'a> + Send\n"
         "where\n    T: 'a, [u8; { 3 }]: Sized;"), ["Trait A -1-3"]),
        ("pub macro m($a:expr) {\n    fn inner() { $a }\n    mod x { struct S; }\n}",
         ["Macro m -1-4"]),
        ("macro m {\n    (@key $t:ty) => {{ fn g() {} struct L; }},\n    () => {}\n}",
         ["Macro m -1-4"]),
        ("#[rustc_builtin_macro] macro Clone($item:item) { /* built in */ }", ["Macro Clone -1-1"]),
        ("fn f() {\n    macro m($x:expr) { $x }\n    fn g() {}\n}",
         ["Function f -1-4", "Macro f::m 2-2", "Function f::g 3-3"]),
        ("fn f() {\n    let a = #[cold] #[inline] |x| {\n        fn g() {}\n        x\n    };\n}",
         ["Function f -1-6", "Function f::g 3-3"]),
        ("fn f() {\n    return #[a] async move {\n        struct S;\n    };\n}",
         ["Function f -1-5", "Struct f::S 3-3"]),
        ("fn f() {\n    let a = for<'a> |x: &'a u8| -> u8 { 1 };\n    const K: u8 = 1;\n}",
         ["Function f -1-4", "Const f::K 3-3"]),
        ("fn f() {\n    let a = const move || { fn g() {} };\n}",
         ["Function f -1-3", "Function f::g 2-2"]),
        ("gen fn f() {\n    yield 1;\n}", ["Function f -1-3"]),
        ("async gen unsafe fn f() { yield 1 }", ["Function f -1-1"]),
        ("fn f() {\n    let g = async gen move { yield 1; };\n    fn h() {}\n}",
         ["Function f -1-4", "Function f::h 3-3"]),
        ("fn f() {\n    loop { become g(x); }\n    fn h() {}\n}",
         ["Function f -1-4", "Function f::h 3-3"]),
        ("fn f() {\n    let x = try bikeshed A<u8> { y? };\n    do yeet E;\n    fn h() {}\n}",
         ["Function f -1-5", "Function f::h 4-4"]),
        ("fn f(x: unsafe<'a> &'a u8, y: &pin mut T, &pin const self) {}", ["Function f -1-1"]),
        ("type A = unsafe<'a> fn(&'a u8);", ["TypeAlias A -1-1"]),
        ("fn f() {\n    builtin # offset_of(A, b);\n    fn h() {}\n}",
         ["Function f -1-4", "Function f::h 3-3"]),
        ("fn f() {\n    super let x = 3;\n    fn h() {}\n}",
         ["Function f -1-4", "Function f::h 3-3"]),
        ("fn f<F: async Fn(u8) + A>(g: impl async FnMut()) {}", ["Function f -1-1"]),
        (("impl A<{ N + 1 }, -1> for B<{ N > 3 }, 'c'>\nwhere\n    [(); { N - 1 }]:,\n"
         "{\n    fn f() {}\n}"),
         ["Function <B<{ N > 3 }, 'c'> as A<{ N + 1 }, -1>>::f 5-5"]),
        ("struct S {\n    a: u8 = 3 + { 4 },\n    b: Vec<u8> = Vec::new(),\n}", ["Struct S -1-4"]),
        ("struct S {\n    pub unsafe a: u8,\n    _: union { b: u8 },\n}", ["Struct S -1-4"]),
        ("fn f() {\n    let x = 1f16 + 2.5f128;\n    let log2f128 = 3;\n    fn exp2f16() {}\n}",
         ["Function f -1-5", "Function f::exp2f16 4-4"]),
        ("fn f() {\n    let g = y as fn(&_) -> _;\n    fn h() {}\n}",
         ["Function f -1-4", "Function f::h 3-3"]),
        ("fn f() {\n    match x { A { a, .. } | box y => {}, ..5 | 7.. => {} }\n    fn h() {}\n}",
         ["Function f -1-4", "Function f::h 3-3"]),
        ("trait A {\n    final fn f() {}\n    type const N: usize;\n}",
         ["Trait A -1-4", "Function A::f 2-2", "Const A::N 3-3"]),
        ("impl X {\n    reuse A::{b, c} { self.0 }\n    fn f() {}\n}", ["Function X::f 3-3"]),
        ("fn f() {\n    let x = try!(y);\n    for z in try!(w) {\n        fn g() {}\n    }\n}",
         ["Function f -1-6", "Function f::g 4-4"]),
        ("fn f() {\n    match x { A { #[a] b: c, #[d] b: e, .. } => {} }\n    fn g() {}\n}",
         ["Function f -1-4", "Function f::g 3-3"]),
        ("fn f() {\n    p::<Token![const]>() ?? Token![~];\n}\nfn g() {\n    Token![const]\n}",
         ["Function f -1-3", "Function g 4-6"]),
        ("fn f() {\n    x ~~ q! { fn no() {} };\n    m! { fn g() {} }\n    if !x { fn h() {} } }",
         ["Function f -1-4", "Function f::g 3-3", "Function f::h 4-4"]),
        ("struct S\nwhere\n    u8: Copy;", ["Struct S -1-3"]),
        ("impl !A {}", []),
        ("reuse a::b;", []),
        ("$($x)*", []),
        ("weird impl A for B {\n    fn f() {}\n}", ["Function <B as A>::f 2-2"]),
        # What nobody has heard of yet.
        ("fn f(a: u8 is 1..) @weird -> u8 {\n    fn g() {}\n}",
         ["Function f -1-3", "Function f::g 2-2"]),
        ("fn f() {\n    x <~> y;\n    #[cfg(a)]\n    fn g() {\n        ??? }\n    z @@ 1\n}",
         ["Function f -1-7", "Function f::g 3-5"]),
        ("mod m {\n    wibble fn f() {}\n    fn g() {}\n    enum E { A ~~ 3 }\n}",
         ["Module m -1-1", "Function m::f 2-2", "Function m::g 3-3", "Enum m::E 4-4"]),
        ("impl<T> ?? weird Foo<T> for a::Bar<T>\nwhere ??\n{\n    fn f() {}\n}",
         ["Function <Bar as Foo>::f 4-4"]),
        ("const C: [u8; 3] ?= { 4 };", ["Const C -1-1"]),
        ("static S: u8 = a ??? b;", ["Static S -1-1"]),
        ("union U {\n    a ?: u8\n}", ["Union U -1-3"]),
        ("macro_rules! m {\n    () => { ${count($x)} $$ ` ~ }\n}", ["Macro m -1-3"]),
        ("m! { ~ $ ` \\ }", []),
        # Types that are named as words of the language are.
        ("impl union {\n    fn f() {}\n}", ["Function union::f 2-2"]),
        ("impl<T> From<default> for gen {\n    fn f() {}\n}", ["Function <gen as From>::f 2-2"]),
        # Strings and comments that look like code.
        ("const trait A { /* } fn x() { */ // }\n    fn f() -> [u8; 3]; // {\n}",
         ["Trait A -1-3", "Function A::f 2-2"]),
        ('fn f() {\n    let s = #[a] || (r#"fn x() { " {"#, \'{\', b\'}\');\n    fn g() {}\n}',
         ["Function f -1-4", "Function f::g 3-3"]),
    ],
)  # fmt: skip
def test_what_the_grammar_does_not_know_harms_no_neighbour(
    construct: str, expected: list[str]
) -> None:
    assert framed(construct) == expected


@pytest.mark.parametrize(
    ("source", "name", "signature", "visibility"),
    [
        ('extern "C" { pub safe fn f(x: u8); }', "f", "safe fn f(x: u8)", "pub"),
        ('extern "C" { safe /* why */ fn f(); }', "f", "safe fn f()", "private"),
        ('extern "C" { pub(in  crate::a) type T; }', "T", "type T", "pub(in crate::a)"),
        ("pub const unsafe trait A: ~const B {}", "A", "const unsafe trait A: ~const B", "pub"),
        ("const trait A { type T: [const] B; }", "T", "type T: [const] B", "private"),
        ("pub macro m($a:expr, $b:ty) { $a }", "m", "macro m($a:expr, $b:ty)", "pub"),
        ("pub(crate) macro m { () => {} }", "m", "macro m", "pub(crate)"),
        ("pub trait A<T> = B<T> + 'static where T: C;", "A",
         "trait A<T> = B<T> + 'static where T: C", "pub"),
        ("gen fn f<T: ~const A>() { yield 1 }", "f", "gen fn f<T: ~const A>()", "private"),
        ("pub fn f(a: u8 is 1..) -> u8 { 1 }", "f", "fn f(a: u8 is 1..) -> u8", "pub"),
        ("fn f() { do\nyeet 3; }", "f", "fn f()", "private"),
        ("trait A =\n//c\nB;", "A", "trait A = B", "private"),
        ("pub\nfn f\n(a @@ b)\n{}", "f", "fn f (a @@ b)", "pub"),
        ("pub wibble(x) const fn f() {}", "f", "wibble(x) const fn f()", "pub"),
        ("const C: u8 ?? = 3;", "C", "const C: u8 ??", "private"),
        ("type A = ??;", "A", "type A = ??", "private"),
        ("struct S { /// D.\n #[serde(x)] unsafe a: u8, // note\n }", "S",
         "struct S { unsafe a: u8, }", "private"),
        ("struct S { #[x] a: u8 } const trait A {}", "S", "struct S { a: u8 }", "private"),
        ("struct S { a: u8 = 3 }", "S", "struct S { a: u8 = 3 }", "private"),
    ],
)  # fmt: skip
def test_declarations_are_the_sources(
    source: str, name: str, signature: str | None, visibility: str | None
) -> None:
    item = items(source).get(name)
    assert (item and item.signature, item and item.visibility) == (signature, visibility)


def test_docs_attributes_and_tests_of_foreign_items_are_theirs() -> None:
    found = items(
        'unsafe extern "C" {\n    /// One.\n    #[cfg(test)]\n    safe\n    fn f();\n'
        '    #[link_name = "b"] unsafe static B: u8;\n}\n'
    )
    assert (found["f"].docstring, found["f"].is_test) == ("One.", True)
    assert [(item.row_from, item.row, item.row_to) for item in found.values()] == [
        (1, 4, 4),
        (5, 5, 5),
    ]


def test_a_word_of_the_item_in_the_line_above_is_its_first_line() -> None:
    assert rows("const\ntrait A {}\n") == ["Trait A 1-2"]


def test_macro_calls_are_read_in_the_same_way() -> None:
    source = (
        "cfg_if! {\n    if #[cfg(a)] {\n"
        '        unsafe extern "C" { safe fn f(); }\n        const trait T { fn g(&self); }\n'
        "    } else {\n        pub macro c { () => { fn no() {} } }\n        trait D = E;\n"
        "        fn h() {}\n    }\n}\n"
    )
    assert rows(source) == [
        "Function f 3-3",
        "Trait T 4-4",
        "Function T::g 4-4",
        "Macro c 6-6",
        "Trait D 7-7",
        "Function h 8-8",
    ]
    assert items(source)["f"].signature == "safe fn f()"


def test_a_source_that_the_grammar_knows_costs_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(reading, "Readable")
    assert rows("fn f() { m!(a => b); }\n") == ["Function f 1-1"]
    with pytest.raises(NameError):
        rows("const trait A {}")


def test_blocks_and_closures_of_rewritten_functions_stay() -> None:
    source = "fn f() {\n    let a = #[cold]\n    |x| {\n        b();\n        c();\n    };\n}\n"
    blocks = list(SourceFile(source.encode()).blocks())
    assert [(block.kind, block.row_from, block.row_to) for block in blocks] == [("closure", 2, 5)]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", "fn known() {}\nfn f() {\n    a <~> b;\n}\nconst trait A {}\n")
    dump.define("src/lib.rs", 1, 3, 1, "r", "fn f()")
    dump.define("src/lib.rs", 4, 12, 1, "r", "const trait A")
    ledger, structures = dump.parse(source_items=True)
    assert [(one.name, one.line_from, one.line_to) for one in structures] == [
        ("known", 1, 1),
        ("f", 2, 4),
        ("A", 5, 5),
    ]
    assert (ledger.files_mended, ledger.by_brackets) == (1, 1)
    assert ledger.first_by_brackets == ["src/lib.rs:2"]


BROKEN = """\
impl A {
    fn one(&self) {
        (
    }

    /// Two.
    fn two() {}
}

fn three() {
    1
}
"""
"""Its brackets are not in pairs, so that nothing but the dump knows what belongs where."""


def find(source: str, *definitions: Definition, folds: tuple[FoldingRange, ...] = ()) -> list[str]:
    """Rows of the definitions' items, those by brackets marked."""
    file = RustFile("src/lib.rs", source.encode(), frozenset(), None, Outline("rust", folds))
    found = [each.item for each in file.find(list(definitions), "utf-16").found]
    return [
        f"{item.code_type} {'::'.join((*item.qualifiers, item.name))} "
        f"{item.row_from + 1}-{item.row_to + 1}{' by brackets' if item.by_brackets else ''}"
        for item in found
    ]


def define(source: str, word: str, path: str, declaration: str, kind: str) -> Definition:
    """A definition of the first such word's last identifier, as rust-analyzer has it."""
    before, name = source[: source.index(word) + len(word)], word.rsplit(maxsplit=1)[-1]
    row, end = before.count("\n"), len(before.rpartition("\n")[2])
    hover = Hover(path, declaration, None, kind, name)  # type: ignore[arg-type]
    return Definition("", Range(1, row, end - len(name), row, end), hover, 0, 0)


def test_owners_of_a_broken_source_are_those_of_the_hovers() -> None:
    source = "impl A {\n    fn one() {\n        {\n    }\n}\n\nfn three() {\n    1\n}\n"
    three = define(source, "fn three", "src", "fn three()", "Function")
    assert find(source, three) == ["Function three 7-9 by brackets"]


def test_kinds_of_a_broken_source_are_those_of_the_hovers() -> None:
    source = "fn a() { (\n\nstruct one;\n"
    one = define(source, "struct one", "r", "const one: u8", "Const")
    assert find(source, one) == ["Const one 3-3 by brackets"]


def test_last_lines_of_a_broken_source_are_those_of_folding_ranges() -> None:
    three = define(BROKEN, "fn three", "r", "fn three()", "Function")
    fold = FoldingRange(9, 11, is_comment=False)
    assert [row.split(" by ")[0] for row in find(BROKEN, three, folds=(fold,))] == [
        "Function three 10-12"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "const ",
        "trait a ",
        "impl<",
        "macro a(",
        "for<",
        "safe fn ",
        "fn a<",
        "#[a] ",
        "'a ",
        "/*",
        'r#" ',
        '"\\"',
        "fn f() { #[a] || 3 } ",
    ],
)
def test_hostile_repetitions_take_time_in_proportion(text: str) -> None:
    began = time.process_time()
    list(SourceFile((text * (20_000 // len(text)) + "~").encode()).items())
    assert time.process_time() - began < 5


def test_segments_are_items_by_keywords_and_brackets_alone() -> None:
    source = (
        "#![cfg(a)]\nuse a::{b, c};\n#[x] pub(in a) const unsafe fn f<const N: usize = { 3 }>()\n"
        "-> A<{ N }> where B: C { }\nimpl A for B {}\nm! { a }\nn!(b);\nstruct T(u8);\n???;\n"
    )
    code = Code(source.encode())
    found = list(segments(code, 0, len(source)))
    assert [segment.keyword.decode() for segment in found] == [
        "use", "fn", "impl", "!", "!", "struct", "",
    ]  # fmt: skip
    assert [source[segment.start : segment.end] for segment in found][1] == (
        "pub(in a) const unsafe fn f<const N: usize = { 3 }>()\n-> A<{ N }> where B: C { }"
    )
    assert source[found[1].leading :].startswith("#[x]")


def test_items_among_statements_are_found_at_any_depth() -> None:
    source = "{ let x: fn(u8) = 1; if a { #[b] fn f() {} } loop { struct S; } x.fn_(const { 1 }) }"
    code = Code(source.encode())
    names = [segment.name for segment in nested_items(code, 1, len(source) - 1)]
    assert [source[slice(*name)] for name in names if name] == ["f", "S"]


def test_code_has_neither_comments_nor_literals_and_the_same_length() -> None:
    source = "a /* b /* c */ d */ 'x' 'y \"}\" r#\"\"{\"# b'{' 'z' // e\nf r#g \u00e9"
    code = Code(source.encode())
    assert code.text.decode().split() == ["a", "'y", "f", "r#g", "\u00e9"]
    assert len(code.text) == len(source.encode())
    assert code.text.count(b"\n") == 1
    assert Code(b"{ ( ] }").pairs is None


def test_the_grammar_still_lacks_what_is_rewritten() -> None:
    # With a newer tree-sitter-rust the rewriting may be needless.
    assert parser().parse(b"const trait A {}").root_node.has_error


def test_any_tokens_are_read_without_a_change_of_positions() -> None:
    for seed in range(150):
        chance = random.Random(seed)  # noqa: S311 - no secret
        data = " ".join(chance.choices(TOKENS, k=chance.randrange(1, 60))).encode()
        source = reading.Reading(data)
        assert (len(source.text), source.text.count(b"\n")) == (len(data), data.count(b"\n"))
        assert all(item.row_from <= item.row <= item.row_to for _, item in SourceFile(data).items())


@pytest.mark.parametrize("fence", ["---", "----"])
def test_the_manifest_of_a_script_is_no_code(fence: str) -> None:
    head = f"#!/usr/bin/env -S cargo 'x\n{fence}cargo\n[dependencies] {{ fn no() {{ 'a\n{fence}\n"
    assert rows(f"{head}/// Docs.\nfn main() {{}}\n") == ["Function main 5-6"]
