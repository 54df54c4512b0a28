"""Documentation and attributes above a declaration, in languages without a grammar."""

from __future__ import annotations

import pytest

from lsif.comments import strip_stars, unindent
from lsif.lines import Lines
from lsif.other.leading_docs import documentation_above

ABOVE = [
    ("", 0, None),
    ("/// A.\n/// B.\n", 0, "A.\nB."),
    ("/// A.\n///\n///   B.\n", 0, "A.\n\n  B."),
    ("int a;\n/// A.\n", 1, "A."),
    ("/// A.\n\n", 2, None),
    ("//// A.\n", 1, None),
    ("// A.\n", 1, None),
    ("/// A.\n// plain\n", 0, "A."),
    ("/// größer €\n", 0, "größer €"),
    ("///\n", 0, None),
    ("/** A. */\n", 0, "A."),
    ("    /** A. */\n", 0, "A."),
    ("/**\n * A.\n *\n * B.\n */\n", 0, "A.\n\nB."),
    ("/** A.\n    B. */\n", 0, "A.\nB."),
    ("/**\n * A.\n **/\n", 0, "A."),
    ("/** A.\n */\n/// B.\n", 0, "A.\nB."),
    ("/* A. */\n", 1, None),
    ("/**/\n", 1, None),
    ("/***/\n", 1, None),
    ("/*** A. ***/\n", 1, None),
    ("/// A.\n/**/\n", 2, None),
    ("/*\n * A.\n */\n", 3, None),
    ("int a; /** A. */\n", 1, None),
    ("/** A. */ int a; /** B. */\n", 1, None),
    ("/** A. */\nint a; /* B. */\n", 2, None),
    ("/** A. */\n*p = 1; /* B. */\n", 2, None),
    ("*/\n", 1, None),
    ("/**\n * Reads `src/*.ts`.\n */\n", 0, "Reads `src/*.ts`."),
    ("/**\n * Reads `src/*.ts`. */\n", 0, "Reads `src/*.ts`."),
    ("@A\n@B\n", 0, None),
    ("@A\n/** D. */\n@B\n", 0, "D."),
    ("/// D.\n#[a]\n", 0, "D."),
    ("#[a(\n    b,\n)]\n/// D.\n", 0, "D."),
    ("@A(\n    x\n)\n", 0, None),
    ("g(\n    x\n)\n", 3, None),
    ('@A("(")\n', 0, None),
    ('@A(")")\n', 0, None),
    ("@a x;\n", 1, None),
    ("@A void g() {\n", 1, None),
    ("]]]]\n", 1, None),
    ("}\n", 1, None),
    ("@A(\n" + "x\n" * 98 + ")\n", 0, None),
    ("@A(\n" + "x\n" * 99 + ")\n", 101, None),
]


@pytest.mark.parametrize(("above", "first", "docs"), ABOVE)
def test_docs_and_attributes_above_belong_to_a_declaration(
    above: str, first: int, docs: str | None
) -> None:
    lines = Lines(f"{above}void f();\n".encode())
    assert documentation_above(lines, above.count("\n"), "c") == (first, docs)


@pytest.mark.parametrize(("above", "first", "docs"), ABOVE)
def test_carriage_returns_and_a_byte_order_mark_change_nothing(
    above: str, first: int, docs: str | None
) -> None:
    source = "\ufeff" + f"{above}void f();\n".replace("\n", "\r\n")
    lines = Lines(source.encode())
    assert documentation_above(lines, above.count("\n"), "c") == (first, docs)


def test_in_go_all_line_comments_are_docs() -> None:
    lines = Lines(b"package a\n\n// F does\n// it.\nfunc F() {}\n")
    assert documentation_above(lines, 4, "go") == (2, "F does\nit.")
    assert documentation_above(lines, 4, "c") == (4, None)


@pytest.mark.parametrize(
    ("comment", "language", "docs"),
    [
        ("//! A.", "c", "A."),
        ("/*! A. */", "c", "A."),
        ("/*! A. */", "java", None),
        ("///< of what is before", "c", None),
        ("/**< of what is before */", "c", None),
        ("/// A.", "java", "A."),
        ('/// <reference path="a.d.ts" />', "typescript", None),
        ("/* A. */", "go", "A."),
        ("//go:noinline", "go", None),
        ("//nolint:all", "go", None),
        ("// line of text", "go", "line of text"),
        ("# A.", "python", None),
    ],
)
def test_what_documentation_is_hangs_on_the_language(
    comment: str, language: str, docs: str | None
) -> None:
    lines = Lines(f"{comment}\nf\n".encode())
    assert documentation_above(lines, 1, language)[1] == docs


def test_a_directive_of_go_belongs_to_the_function_below_it() -> None:
    lines = Lines(b"// F does it.\n//go:noinline\nfunc F() {}\n")
    assert documentation_above(lines, 2, "go") == (0, "F does it.")


@pytest.mark.parametrize(
    ("above", "inline", "expected"),
    [
        ("", "/** A. */ ", (0, "A.")),
        ("/** A. */\n", "/* b */ ", (0, "A.")),
        ("/** A. */\n", "/** B. */ ", (0, "A.\nB.")),
        ("", "/* a */ /** B. */ ", (0, "B.")),
        ("", "/**/ ", (0, None)),
        ("/** A.\n * B.\n", " */ ", (0, "A.\nB.")),
        ("/* a\n", "*/ ", (1, None)),
    ],
)
def test_docs_may_stand_before_a_declaration_in_its_line(
    above: str, inline: str, expected: tuple[int, str | None]
) -> None:
    lines = Lines(f"{above}{inline}void f();\n".encode())
    assert documentation_above(lines, above.count("\n"), "c", inline) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" A. ", " A. "),
        (" A.\r\n * B.\r\n ", " A.\n B."),
        ("\n * A.\n * * B.\n ", "\n A.\n * B."),
        ("\n * A.\n B.\n ", "\n * A.\n B."),
        ("\n * A.\n\n * B.\n ***", "\n A.\n\n B."),
        ("***", "***"),
    ],
)
def test_stars_are_dropped_where_all_lines_have_them(text: str, expected: str) -> None:
    assert strip_stars(text) == expected


@pytest.mark.parametrize(
    ("fragments", "expected"),
    [
        ([], ""),
        ([""], ""),
        ([" A.", "   B.", " C."], "A.\n  B.\nC."),
        ([" A.", "", " B.", ""], "A.\n\nB."),
        (["A.", " B."], "A.\n B."),
        ([" A.\r\n     B.\r\n       C."], "A.\nB.\n  C."),
        (["\n    A.\n  B.\n"], "  A.\nB."),
        ([" \u3000A."], "\u3000A."),
    ],
)
def test_only_the_indentation_that_all_lines_have_is_dropped(
    fragments: list[str], expected: str
) -> None:
    assert unindent(fragments) == expected
