"""Where declarations end, by brackets."""

from __future__ import annotations

import time

import pytest

from lsif.other.brackets import Bounds, Brackets


def declared(source: str, language: str, *, has_body: bool) -> str:
    """Return the source up to the end of the declaration of `name`."""
    data = source.encode()
    end = data.index(b"name") + len(b"name")
    return data[: Brackets(data, language).find_bounds(end, has_body=has_body).end].decode()


@pytest.mark.parametrize(
    "declaration",
    [
        "name() {}",
        "name() { { } [ ] ( ) }",
        'name() { g("}"); }',
        'name() { g("\\"}"); }',
        'name() { g("\\\\"); }',
        "name() { c = '}'; }",
        "name() { c = '\\''; d = '}'; }",
        "name() { `}\n}`; }",
        'name() { """ } " } """ }',
        "name() { /* } */ }",
        "name() { // }\n}",
        "name() { // it's \" open\n}",
        'name() { /* " */ }',
        'name() { " }',
        "name(a = {x: 1}) { }",
        "name()\r\n{\r\n}",
        "name() // why\n{ }",
        "name<T>(\n  a,\n  b\n) where\n  T: U\n{ }",
        "name()\n  throws E {\n}",
        "name(größe) { '€'; \"｝\" }",
        "name();",
        "name(a = ';');",
    ],
)
@pytest.mark.parametrize("after", ["", "\nother() { }", "\n}\n"])
def test_a_declaration_ends_with_its_body(declaration: str, after: str) -> None:
    assert declared(declaration + after, "java", has_body=True) == declaration


@pytest.mark.parametrize(
    "declaration",
    [
        "fn name<'a>(x: &'a str) { '}' }",
        "fn name() { '\\''; '}' }",
        "fn name() { '\\u{7D}' }",
        "fn name() { '｝' }",
        'fn name() { r"\\" }',
        'fn name() { r#"}"}"# }',
        'fn name() { r##"}"#}"## }',
        "fn name() { 'a: loop { break 'a } }",
    ],
)
def test_characters_lifetimes_and_raw_strings_of_rust_are_told_apart(declaration: str) -> None:
    assert declared(f"{declaration}\nfn g() {{}}", "rust", has_body=True) == declaration


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("name() {\n  a", "name() {"),
        ("name() { /* }\n}", "name() { /* }"),
        ("name(\n{ }", "name("),
        ("{ name() }\n", "{ name() "),
        ("name", "name"),
        ("name\n", "name"),
    ],
)
def test_without_a_closing_bracket_it_ends_with_its_line(source: str, expected: str) -> None:
    assert declared(source, "java", has_body=True) == expected


@pytest.mark.parametrize(
    "declaration",
    [
        "name = 1;",
        "name: T = 1;",
        "name = ';';",
        "name = { a: ';' };",
        "name = [\n1,\n2\n]",
        "name =\n  1",
        "name = a\n  + b",
        "name = a\n  .b()\n  .c()",
        "name = a ?\n  b :\n  c",
        "name = `\n;`",
        "name",
        "name int = 1",
    ],
)
def test_a_value_ends_with_a_semicolon_or_a_line_that_does_not_continue(declaration: str) -> None:
    assert declared(f"{declaration}\nother = 2", "go", has_body=False) == declaration


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (b"name = 1;", 5),
        (b"name = b = 1;", 5),
        (b"name=1;", 4),
        (b"name == 1;", None),
        (b"name => 1;", None),
        (b"name >= 1;", None),
        (b"name != 1;", None),
        (b"name: (a = 1) = 2;", 14),
        (b"name /* = */ = 2;", 13),
        (b'name "=" = 2;', 9),
        (b"name;", None),
    ],
)
def test_the_value_begins_at_the_first_equals_sign_outside_brackets(
    source: bytes, value: int | None
) -> None:
    found = Brackets(source, "java").find_bounds(4, has_body=False)
    assert found == Bounds(value, None, len(source))


def test_what_is_asked_first_does_not_matter() -> None:
    brackets = Brackets(b"a() { }\nb() { { } }\nc = 1;", "java")
    assert brackets.find_bounds(21, has_body=False) == Bounds(22, None, 26)
    assert brackets.find_bounds(9, has_body=True) == Bounds(None, 12, 19)
    assert brackets.find_bounds(1, has_body=True) == Bounds(None, 4, 7)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"", b""),
        (b"a /* b */ c // d", b"a         c     "),
        (b"a // b\r\nc", b"a     \r\nc"),
        (b"a/*\n*/b", b"a  \n  b"),
        (b"a /* b", b"a     "),
        (b"a / b * c", b"a / b * c"),
        (b"/* // */ a", b"         a"),
        (b"// /* a\nb", b"       \nb"),
        (b'f(u = "http://h/*")', b'f(u = "http://h/*")'),
        (b'f("\\"// a") // b', b'f("\\"// a")     '),
        (b"f('\"') /* \" */ a", b"f('\"')         a"),
        (b'/* " */ a /* " */', b"        a        "),
        (b'f(" // a\nb // c', b'f("     \nb     '),
        (b"f(`http://h\n//`) // c", b"f(`http://h\n//`)     "),
        (b'"\\' * 100_000, b'"\\' * 100_000),
        (b"`\\" * 100_000, b"`\\" * 100_000),
        (b"'\\" * 100_000, b"'\\" * 100_000),
        (b"x/*" * 100_000, b"x" + b" " * 299_999),
    ],
)
def test_comments_become_blanks_and_strings_stay(source: bytes, expected: bytes) -> None:
    assert Brackets(source, "java").code == expected


@pytest.mark.parametrize(
    ("source", "language", "expected"),
    [
        (b"a /* b /* c */ d */ e", "kotlin", b"a                   e"),
        (b"a /* b /* c */ d */ e", "java", b"a              d */ e"),
        (b"a /* b /* c", "swift", b"a          "),
        (b"a # b", "ruby", b"a    "),
        (b"#[a] # b // c", "php", b"#[a]         "),
        (b"#if a // b", "c", b"#if a     "),
        (b"a = 1'000; // it's", "cpp", b"a = 1'000;        "),
        (b"a // b", "ruby", b"a // b"),
    ],
)
def test_what_a_comment_is_hangs_on_the_language(
    source: bytes, language: str, expected: bytes
) -> None:
    assert Brackets(source, language).code == expected


@pytest.mark.parametrize(
    "declaration",
    [
        "name = 1 // a comment ends with +",
        "name = 1 /* or with = */",
        "name = 1\n",
        "name = a +\n// a comment between\n  b",
        "name = a // why\n  + b",
    ],
)
def test_comments_do_not_decide_where_a_value_ends(declaration: str) -> None:
    source = f"{declaration}\n// about the other\nother = 2"
    assert declared(source, "go", has_body=False) == declaration.rstrip("\n")


def test_an_equals_sign_among_generics_begins_no_value() -> None:
    found = Brackets(b"name<U = V> = 3", "go").find_bounds(4, has_body=False)
    assert found == Bounds(12, None, 15)
    found = Brackets(b"name < b = 3", "go").find_bounds(4, has_body=False)
    assert found == Bounds(9, None, 12)


@pytest.mark.parametrize(
    ("line", "language"),
    [
        ('"\\', "java"), ("'\\", "java"), ("`\\", "go"), ("'\\", "ruby"), ("/*", "kotlin"),
        ('r#"', "rust"), ("<\n", "java"), ("name =\n\n", "java"),
    ],
)  # fmt: skip
def test_what_is_never_closed_takes_no_longer(line: str, language: str) -> None:
    source = line.encode() * 20_000
    began = time.process_time()
    Brackets(source, language).find_bounds(4, has_body=False)
    assert time.process_time() - began < 2
