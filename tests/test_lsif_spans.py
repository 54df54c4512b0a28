from __future__ import annotations

import textwrap

import pytest

from lsif.items import SourceItem
from lsif.rust.declared import DeclaredModule
from lsif.rust.syntax import SourceFile


def items(source: str) -> dict[str, SourceItem]:
    found = SourceFile(textwrap.dedent(source).encode()).items()
    return {item.name: item for _, item in found if item.code_type != "Impl"}


def rows(item: SourceItem) -> tuple[int, int, int]:
    """First row, the name's row, last row; 0-based."""
    return item.row_from, item.row, item.row_to


def test_docs_and_attributes_belong_to_the_item_and_plain_comments_between_them() -> None:
    found = items("""\
        // about the module

        // just before, but no doc
        /// Docs.
        // between
        #[must_use]
        #[cfg(all(
            unix,
        ))]
        pub fn f(
        ) -> u8 {
            1
        }
        // after
        fn g() {}
        """)
    assert rows(found["f"]) == (3, 9, 12)
    assert rows(found["g"]) == (14, 14, 14)
    assert found["f"].docstring == "Docs."
    assert found["f"].visibility == "pub"
    assert found["g"].visibility == "private"


@pytest.mark.parametrize(
    ("source", "docs"),
    [
        ("/// One.\n///\n///     code\n/// Two.\nfn f() {}", "One.\n\n    code\nTwo."),
        ("///   Indented.\nfn f() {}", "Indented."),
        ("/** Block.\n * More.\n */\nfn f() {}", "Block.\nMore."),
        ("/** Block. */ fn f() {}", "Block."),
        ('#[doc = "By \\"attribute\\"."]\nfn f() {}', 'By "attribute".'),
        ('#[doc = r#"Raw "text"."#]\nfn f() {}', 'Raw "text".'),
        ('#[doc = "\\x41\\u{42} \\\\u{41}"]\nfn f() {}', "AB \\u{41}"),
        ('#[doc = "\\u{D800}!"]\nfn f() {}', "\ufffd!"),
        ('#[doc = "Commented." /* why */]\nfn f() {}', "Commented."),
        ('#[doc = include_str!("x.md")]\nfn f() {}', None),
        ("/**\n   a\n   b\n **/\nfn f() {}", "a\nb"),
        ('/// One.\n#[doc = " Two."]\nfn f() {}', "One.\nTwo."),
        ("/// Outer.\nfn f() {\n    //! Inner.\n}", "Outer.\nInner."),
        ("/// One.\r\n/// Two.\r\nfn f() {}\r\n", "One.\nTwo."),
        ("//// Four slashes are no docs.\nfn f() {}", None),
        ("#[doc(hidden)]\nfn f() {}", None),
        ("///\nfn f() {}", None),
    ],
)
def test_documentation_is_unindented_markdown(source: str, docs: str | None) -> None:
    assert SourceFile(source.encode()).item_at(*name_place(source)).docstring == docs  # type: ignore[union-attr]


def name_place(source: str) -> tuple[int, int]:
    """Row and byte column of the first `fn f`'s name."""
    before = source[: source.index("fn f") + 3]
    return before.count("\n"), len(before.rpartition("\n")[2].encode())


@pytest.mark.parametrize(
    ("source", "signature"),
    [
        (
            (
                "pub(crate) async unsafe fn f<'a, T>(x: &'a T,\n    y: u8) -> u8\n"
                "where\n    T: Copy,\n{ 1 }"
            ),
            "async unsafe fn f<'a, T>(x: &'a T, y: u8) -> u8 where T: Copy",
        ),
        ("fn f(/* why */ x: u8, // because\n y: u8) {}", "fn f( x: u8, y: u8)"),
        (
            (
                "pub struct f {\n    /// Doc.\n    #[serde(skip)]\n"
                "    pub a: u8, // note\n    b: u8,\n}"
            ),
            "struct f { pub a: u8, b: u8, }",
        ),
        ("pub struct f(pub u8, u16);", "struct f(pub u8, u16)"),
        ("struct f;", "struct f"),
        ("enum f {\n    /// One.\n    A = 1,\n    B(u8),\n}", "enum f { A = 1, B(u8), }"),
        ("pub const f: [u8; 2] = [1, 2];", "const f: [u8; 2]"),
        ("static mut f: u8 = 1;", "static mut f: u8"),
        ("pub type f<T> = Vec<T>;", "type f<T> = Vec<T>"),
        ("pub trait f: Sized where Self: Copy { fn g(); }", "trait f: Sized where Self: Copy"),
        ("macro_rules! f { () => {} }", "macro_rules! f"),
        ("union f { a: u8 }", "union f { a: u8 }"),
    ],
)
def test_the_signature_is_the_declaration_as_written(source: str, signature: str) -> None:
    assert items(source)["f"].signature == signature


@pytest.mark.parametrize(
    ("header", "owner", "trait", "qualifier"),
    [
        ("impl Gen<'a, u8>", "Gen", None, "Gen<'a, u8>"),
        ("impl<T> From<B<T>> for c::S<T>", "S", "From", "<c::S<T> as From<B<T>>>"),
        ("impl fmt::Display for &'a mut S", "S", "Display", "<&'a mut S as fmt::Display>"),
        ("impl T for dyn Shape + Send", "Shape", "T", "<dyn Shape + Send as T>"),
        ("impl T for [u8; 4]", "[u8; 4]", "T", "<[u8; 4] as T>"),
        ("impl T for str", "str", "T", "<str as T>"),
        ("trait Q", "Q", "Q", "Q"),
    ],
)
def test_owner_and_trait_come_from_the_header(
    header: str, owner: str, trait: str | None, qualifier: str
) -> None:
    item = items(header + " { fn f() {} }")["f"]
    assert (item.owner, item.trait_name, item.qualifiers) == (owner, trait, (qualifier,))


def test_members_of_traits_and_their_impls_have_no_visibility_of_their_own() -> None:
    assert items("pub(crate) trait Q { fn f(); }")["f"].visibility == "pub(crate)"
    assert items("impl Q for S { fn f() {} }")["f"].visibility == "inherited"
    assert items("impl S { pub(in a::b) fn f() {} }")["f"].visibility == "pub(in a::b)"
    assert items("#[macro_export]\nmacro_rules! m { () => {} }")["m"].visibility == "pub"


def test_nested_items_know_what_they_stand_in() -> None:
    found = items("""\
        mod outer {
            pub mod inner {
                impl S {
                    fn method() {
                        fn nested() {}
                        struct Local;
                        impl Local { fn deep() {} }
                    }
                }
                extern "C" { fn foreign(); }
            }
        }
        """)
    assert found["method"].modules == ("outer", "inner")
    assert (found["nested"].qualifiers, found["nested"].owner) == (("S", "method"), None)
    assert (found["deep"].qualifiers, found["deep"].owner) == (("S", "method", "Local"), "Local")
    assert (found["foreign"].modules, found["foreign"].qualifiers) == (("outer", "inner"), ())


@pytest.mark.parametrize(
    ("source", "is_test"),
    [
        ("#[test]\nfn f() {}", True),
        ('#[tokio::test(flavor = "multi_thread")]\nasync fn f() {}', True),
        ("#[bench]\nfn f() {}", True),
        ("#[cfg(test)]\nmod t { fn f() {} }", True),
        ("#[cfg(all(test, unix))]\nfn f() {}", True),
        ("#[cfg(not(test))]\nfn f() {}", False),
        ('#[cfg(feature = "test")]\nfn f() {}', False),
        ("#[cfg_attr(test, inline)]\nfn f() {}", False),
        ("#[test]\nfn other() {}\nfn f() {}", False),
        ("# [test]\nfn f() {}", True),
        ("#[cfg(not(any(test, fuzzing)))]\nfn f() {}", False),
        ("#[cfg(not(all(test, not(x))))]\nfn f() {}", False),
        ('#[cfg(any(test, feature = "x"))]\nfn f() {}', False),
        ("#[cfg(any(all(test, unix), all(windows, test)))]\nfn f() {}", True),
        ('#[cfg(feature = "test-util")]\nfn f() {}', False),
        ("#![cfg(test)]\nfn f() {}", True),
        ("mod m {\n    #![cfg(test)]\n    fn f() {}\n}", True),
        ("#[cfg(test)]\nconst _: () = { fn f() {} };", True),
    ],
)
def test_tests_are_told_by_their_attributes(source: str, is_test: bool) -> None:
    assert items(source)["f"].is_test is is_test


def test_columns_count_in_the_dumps_units() -> None:
    source = SourceFile("fn a() {} /* ü😀 */ fn größe() {}\n".encode())
    byte = len("fn a() {} /* ü😀 */ fn ".encode())
    assert source.byte_column(0, 23, "utf-16") == byte
    assert source.byte_column(0, 22, "utf-32") == byte
    assert source.byte_column(0, byte, "utf-8") == byte
    assert source.byte_column(0, 15, "utf-16") is None  # in the middle of the surrogate pair
    assert source.byte_column(0, 99, "utf-16") is None
    assert source.byte_column(9, 0, "utf-16") is None
    item = source.item_at(0, byte)
    assert item is not None
    assert item.name == "größe"


def test_line_ends_and_byte_order_mark_do_not_shift_anything() -> None:
    source = SourceFile(b"\xef\xbb\xbffn a() {}\r\n/// One\r line.\r\nfn b() {}")
    assert source.item_at(0, 3) is not None
    item = source.item_at(2, 3)
    assert item is not None
    assert rows(item) == (1, 2, 2)
    assert source.snippet(0, 0) == "\ufefffn a() {}\r\n"
    assert source.snippet(1, 2) == "/// One\r line.\r\nfn b() {}\n"


def test_items_inside_a_macro_call_have_their_own_extent() -> None:
    source = SourceFile(
        textwrap.dedent("""\
        cfg_rt! {
            impl S {
                /// Docs.
                pub fn spawn() {
                    1
                }
            }
            nested! { fn deep() {} }
        }
        """).encode()
    )
    spawn, deep = source.item_at(3, 15), source.item_at(7, 17)
    assert spawn is not None
    assert (rows(spawn), spawn.owner, spawn.docstring) == ((2, 3, 5), "S", "Docs.")
    assert deep is not None
    assert rows(deep) == (7, 7, 7)


def test_a_name_in_a_macro_call_that_is_no_item_has_the_call() -> None:
    source = SourceFile(b"/// Docs.\nunits! {\n    Metres, 1\n}\n")
    assert source.item_at(2, 4) is None
    call = source.macro_call_at(2, 4)
    assert call is not None
    assert (call.row_from, call.row_to) == (0, 3)


def test_a_documented_module_ends_with_its_inner_docs() -> None:
    found = items(
        "/// Outer.\npub mod m {\n    //! Inner.\n    //! More.\n    fn f() {}\n}\n"
        "mod n {\n    fn g() {}\n}\nmod declared;\n"
    )
    assert rows(found["m"]) == (0, 1, 3)
    assert found["m"].docstring == "Outer.\nInner.\nMore."
    assert rows(found["n"]) == (6, 6, 6)
    assert "declared" not in found


def test_broken_source_still_gives_the_items_around_the_error() -> None:
    found = items("fn good() {}\nfn broken( { \nstruct S;\n")
    assert rows(found["good"]) == (0, 0, 0)


def test_inner_docs_of_a_trait_are_its_own() -> None:
    assert items("trait f {\n    //! Inner.\n    fn g();\n}")["f"].docstring == "Inner."


def test_deep_nesting_neither_fails_nor_takes_long() -> None:
    assert items("impl X for " + "&" * 3000 + "B { fn foo() {} }")["foo"].owner == "B"
    assert items("mod a {" * 5000 + "fn deep() {}" + "}" * 5000)["deep"].name == "deep"
    assert (
        items("fn f() -> " + "Vec<" * 2000 + "/* c */ u8" + ">" * 2000 + " {}")[
            "f"
        ].signature.count("Vec<")
        == 2000
    )


def test_modules_in_other_files_that_only_tests_compile_are_told() -> None:
    source = SourceFile(
        textwrap.dedent("""\
        #[cfg(test)]
        // a comment between
        #[path = "elsewhere/checks.rs"]
        mod checks;
        #[cfg(test)]
        mod outer {
            mod r#inner;
        }
        #[cfg(not(test))]
        mod real;
        // #[cfg(test)] mod comment;
        """).encode()
    )
    assert [module for module in source.declared_modules() if module.is_test] == [
        DeclaredModule((), "checks", ("elsewhere/checks.rs",), True, "private", True),
        DeclaredModule(("outer",), "r#inner", (), False, "private", True),
    ]
