"""Dumps of other indexers than rust-analyzer, in other forms and of other languages."""

from __future__ import annotations

import base64
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lsif import join
from lsif.errors import DumpError, LsifError
from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.ledger import ParseLedger
from lsif.other.finder import OutlinedFile
from lsif.reader.elements import Extent, FoldingRange, Range, Symbol, Tag
from lsif.reader.graph import Definition, Outline
from lsif.reader.hover import Hover, parse_hover
from lsif.structure import Structure

from conftest import DATA, SAMPLE, SAMPLE_DUMP
from marked_source import rows as rows_of

DUMP = DATA / "typescript.json"
ROOT = DATA / "typescript"
ELEMENTS: list[dict[str, Any]] = json.loads(DUMP.read_text())

Elements = list[dict[str, Any]]


def parse(dump: Path, root: Path, folder: Path) -> tuple[ParseLedger, list[Structure]]:
    output = folder / "structures.jsonl"
    ledger = parse_dump(
        dump,
        root,
        output,
        project="jobs",
        max_bad_lines=0,
        max_stale_share=0,
        blocks=folder / "blocks.jsonl",
    )
    return ledger, list(read_structures(output))


def write(elements: Elements, folder: Path) -> Path:
    path = folder / "dump.lsif"
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in elements))
    return path


def rows(structures: list[Structure]) -> set[tuple[str, ...]]:
    return {
        (one.code_type, one.name, one.context.struct_name or "-", one.context.file_path,
         str(one.line), str(one.line_from),
         str(one.line_to))
        for one in structures
    }  # fmt: skip


def expected_rows() -> set[tuple[str, ...]]:
    return {
        tuple(line.split("\t"))
        for line in (DATA / "typescript-definitions.tsv").read_text().splitlines()
    }


def changed(change: Callable[[dict[str, Any]], None]) -> Elements:
    elements: Elements = json.loads(DUMP.read_text())
    for one in elements:
        change(one)
    return elements


def test_a_typescript_dump_gives_exactly_the_hand_made_table(tmp_path: Path) -> None:
    ledger, structures = parse(DUMP, ROOT, tmp_path)
    assert rows(structures) == expected_rows()
    assert len(structures) == 20
    assert ledger.balanced
    assert ledger.skipped == {
        "external": 15, "field_or_variant": 6, "local": 22, "undocumented_module": 1,
        "whole_file": 2,
    }  # fmt: skip
    by_name = {one.name: one for one in structures}
    assert (
        by_name["shout"].symbol == "jobs::src::Names::shout"
    )  # src/index.ts stands for its folder
    assert by_name["addTo"].symbol == "jobs::src::queue::Queue::of::addTo"
    assert (
        by_name["drain"].signature
        == "async function drain<T>( job: Job<T>, input: T, listener?: Listener, ): Promise<number>"
    )
    assert (by_name["Queue"].signature, by_name["Queue"].visibility) == ("class Queue<T>", "export")
    assert by_name["Priority"].signature == "enum Priority { Low, High, }"
    assert by_name["arrow"].signature == "const arrow = (job: Job<unknown>)"
    assert by_name["DEFAULT_LIMIT"].signature == "const DEFAULT_LIMIT"
    assert by_name["add"].docstring == (
        "Add a job; returns false where the queue is full.\n\n"
        '"}" in a string and `${"{"}` in a template are no brackets.'
    )
    assert (by_name["Queue"].references, by_name["Queue"].referencing_files) == (6, 2)


def test_blocks_come_from_folds(tmp_path: Path) -> None:
    parse(DUMP, ROOT, tmp_path)
    blocks = [json.loads(line) for line in (tmp_path / "blocks.jsonl").read_text().splitlines()]
    assert [(one["kind"], one["line_from"], one["line_to"]) for one in blocks] == [
        ("if", 44, 46), ("if", 48, 52), ("closure", 58, 63),
    ]  # fmt: skip
    assert blocks[1]["snippet"].endswith("    }\n")


def test_lines_array_and_string_ids_say_the_same(tmp_path: Path) -> None:
    expected = parse(DUMP, ROOT, tmp_path)[1]

    def as_text(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: as_text(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [as_text(one, key) for one in value]
        return f"id-{value}" if key in ("id", "inV", "outV", "inVs", "shard", "data") else value

    def undescribed(one: dict[str, Any]) -> dict[str, Any]:
        return as_text(one) if one["label"] != "documentSymbolResult" else one

    assert parse(write(ELEMENTS, tmp_path), ROOT, tmp_path)[1] == expected
    assert (
        parse(write([undescribed(one) for one in ELEMENTS], tmp_path), ROOT, tmp_path)[1]
        == expected
    )
    pretty = tmp_path / "pretty.json"
    for text in (
        json.dumps(ELEMENTS, indent=2),
        json.dumps(ELEMENTS),
        "\n " + json.dumps(ELEMENTS),
    ):
        pretty.write_text(text)
        assert parse(pretty, ROOT, tmp_path)[1] == expected


def test_an_array_that_is_cut_off_or_damaged_is_refused(tmp_path: Path) -> None:
    text = DUMP.read_text()
    dump = tmp_path / "dump.json"
    for damaged in (
        text[:-5],
        text[: len(text) // 2],
        text.replace('"vertex"', '"vert', 1),
        text + "]",
    ):
        dump.write_text(damaged)
        with pytest.raises(DumpError, match=r"after element \d+"):
            parse(dump, ROOT, tmp_path)


def test_a_dump_that_ends_before_its_events_do_is_refused(tmp_path: Path) -> None:
    ends = [
        number
        for number, one in enumerate(ELEMENTS)
        if one["label"] == "$event" and one["kind"] == "end"
    ]
    with pytest.raises(
        DumpError, match="1 of its projects and documents have a beginning but no end"
    ):
        parse(write(ELEMENTS[: ends[-1]], tmp_path), ROOT, tmp_path)


def test_a_language_without_a_grammar_has_the_extents_of_its_tags(tmp_path: Path) -> None:
    elements = changed(
        lambda one: one.update(languageId="other") if one["label"] == "document" else None
    )
    structures = parse(write(elements, tmp_path), ROOT, tmp_path)[1]
    # A getter's hover says property; an arrow function is a constant whose value nobody looks into.
    assert expected_rows() - rows(structures) == {
        ("Function", "size", "Queue", "src/queue.ts", "34", "33", "36"),
        ("Function", "arrow", "-", "src/index.ts", "30", "30", "30"),
    }
    assert rows(structures) - expected_rows() == {
        ("Const", "arrow", "-", "src/index.ts", "30", "30", "30")
    }
    by_name = {one.name: one for one in structures}
    assert (by_name["Queue"].signature, by_name["Queue"].visibility) == ("class Queue<T>", "export")
    assert by_name["Priority"].docstring == "How urgent a job is."


def without_tags(one: dict[str, Any]) -> None:
    one.pop("tag", None)
    if one["label"] == "document":
        one["languageId"] = "other"


@pytest.mark.parametrize("with_folds", [True, False])
def test_without_tags_brackets_and_folds_give_the_extents(tmp_path: Path, with_folds: bool) -> None:
    elements = [
        one for one in changed(without_tags) if with_folds or "foldingRange" not in one["label"]
    ]
    structures = parse(write(elements, tmp_path), ROOT, tmp_path)[1]
    missing = {row[1] for row in expected_rows() - rows(structures)}
    assert missing == {"size", "arrow"}


def test_a_file_that_is_only_in_the_dump_is_read_from_it(tmp_path: Path) -> None:
    root = shutil.copytree(ROOT, tmp_path / "root")
    expected = parse(DUMP, ROOT, tmp_path)[1]
    (root / "src/queue.ts").unlink()
    ledger, structures = parse(DUMP, root, tmp_path)
    assert structures == expected
    assert (ledger.files_from_dump, ledger.files_read, ledger.files_missing) == (1, 2, 0)
    damaged = changed(
        lambda one: one.update(contents="no base64!") if "queue" in one.get("uri", "") else None
    )
    ledger, structures = parse(write(damaged, tmp_path), root, tmp_path)
    assert ledger.files_missing == 1
    assert ledger.skipped["file_unreadable"] > 20
    assert {one.context.file_path for one in structures} == {"src/index.ts"}


def test_the_root_is_that_of_the_group_where_the_metadata_has_none(tmp_path: Path) -> None:
    def elsewhere(one: dict[str, Any]) -> None:
        if one["label"] == "group":
            one["rootUri"] = "file:///other"

    with pytest.raises(DumpError, match="none of them a structure"):
        parse(write(changed(elsewhere), tmp_path), ROOT, tmp_path)
    source = {
        "id": 9999,
        "type": "vertex",
        "label": "source",
        "workspaceRoot": "file:///src/typescript/",
    }
    elements = [one for one in ELEMENTS if one["label"] != "group"]
    assert (
        len(parse(write([elements[0], source, *elements[1:]], tmp_path), ROOT, tmp_path)[1]) == 20
    )


def test_what_implements_something_is_no_definition_of_it(tmp_path: Path) -> None:
    """A result of another request has items that are spelled like a definition's."""
    definition = next(one for one in ELEMENTS if one["label"] == "item" and "property" not in one)
    result = {"id": 90001, "type": "vertex", "label": "implementationResult"}
    edge = {
        "id": 90002,
        "type": "edge",
        "label": "textDocument/implementation",
        "outV": 1,
        "inV": 90001,
    }
    item = {**definition, "id": 90003, "outV": 90001}
    ledger, structures = parse(write([*ELEMENTS, result, edge, item], tmp_path), ROOT, tmp_path)
    assert len(structures) == 20
    assert "dangling" not in ledger.skipped


def test_a_name_that_is_not_what_its_tag_says_is_stale(tmp_path: Path) -> None:
    root = shutil.copytree(ROOT, tmp_path / "root")
    path = root / "src/queue.ts"
    path.write_text(path.read_text().replace("sealed", "closed"))
    with pytest.raises(LsifError, match=r"src/queue.ts:20: expected `sealed`, found `closed`"):
        parse(DUMP, root, tmp_path)


def test_rust_without_its_grammar_has_the_same_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Brackets and folds alone against the table that was made by hand from the sources."""
    outlines: dict[str, Outline] = {}
    join_file = join.join_file

    def noted(context: join.JoinContext, path: str, dumped: join.DumpedFile) -> join.JoinedFile:
        outlines[path] = dumped.outline
        return join_file(context, path, dumped)

    monkeypatch.setattr(join, "join_file", noted)
    monkeypatch.setattr(
        join, "RustFile", lambda path, data, *_: OutlinedFile("sample", path, data, outlines[path])
    )
    dump = tmp_path / "dump.lsif"
    dump.write_bytes(
        SAMPLE_DUMP.read_bytes().replace(b'"name":"rust-analyzer"', b'"name":"other"', 1)
    )
    output = tmp_path / "out.jsonl"
    parse_dump(dump, SAMPLE, output, project="sample", max_bad_lines=0, max_stale_share=1)
    found = {
        (one.context.file_path, one.name, one.line): (one.line_from, one.line_to)
        for one in read_structures(output)
    }
    table = [
        line.split("\t") for line in (DATA / "sample-definitions.tsv").read_text().splitlines()
    ]
    checked, wrong = 0, []
    for code_type, name, _, _, path, line, line_from, line_to in table:
        if code_type != "Module" and (path, name, int(line)) in found:
            checked += 1
            if found[path, name, int(line)] != (int(line_from), int(line_to)):
                wrong.append(name)
    assert checked == 67
    assert wrong == [
        "Metres"
    ]  # its name stands in a macro call, which only the grammar knows as its extent


def outlined(
    source: str, name: str, hover: Hover | None = None, tag: Tag | None = None, **outline: Any
) -> tuple[Any, ...]:
    """Return kind, lines, signature and docs of the only declaration, or why it is none."""
    at = next(
        match.start()
        for match in re.finditer(rf"\b{name}\b", source)
        if not source[: match.start()].endswith("// ")
    )
    line = source.count("\n", 0, at)
    column = at - (source.rfind("\n", 0, at) + 1)
    where = Range(1, line, column, line, column + len(name), tag)
    file = OutlinedFile("p", "a/b.x", source.encode(), Outline(**{"language": "other", **outline}))
    findings = file.find([Definition("file:///p/a/b.x", where, hover, 0, 0)], "utf-8")
    if not findings.found:
        return tuple(findings.skipped)
    item = findings.found[0].item
    return item.code_type, item.row_from, item.row_to, item.signature, item.docstring


def test_go_is_understood_from_its_hovers() -> None:
    source = (
        "package p\n\n// Push adds a job.\nfunc (q *Queue) Push(job Job) bool {\n\treturn true\n}\n"
    )
    hover = parse_hover("```go\nfunc (q *Queue) Push(job Job) bool\n```\n\n---\n\nPush adds a job.")
    assert outlined(source, "Push", hover, language="go") == (
        "Function", 2, 5, "func (q *Queue) Push(job Job) bool", "Push adds a job.",
    )  # fmt: skip
    struct = parse_hover("```go\ntype Job struct {\n\tn int\n}\n```")
    assert outlined("type Job struct {\n\tn int\n}\n", "Job", struct, language="go")[0] == "Struct"


def test_an_outline_of_the_document_gives_kind_and_extent() -> None:
    source = "begin thing\n  a\n  b\nend\nrest\n"
    symbol = Symbol(0, 6, Tag("thing", 12, Extent(0, 0, 3, 3)))
    assert outlined(source, "thing", symbols=(symbol,)) == (
        "Function",
        0,
        3,
        "begin thing a b end",
        None,
    )
    assert outlined(source, "thing", tag=Tag("thing", 22, None)) == ("field_or_variant",)
    assert outlined(source, "thing") == ("local",)


def test_a_fold_gives_the_extent_where_no_bracket_does() -> None:
    source = "def f(a):\n    b = a\n    return b\n\nx = 1\n"
    assert outlined(source, "f", folding_ranges=(FoldingRange(0, 2, is_comment=False),))[:3] == (
        "Function",
        0,
        2,
    )


@pytest.mark.parametrize(
    ("source", "name", "last_row"),
    [
        ("function f() {\n  g(\"}\");\n  g('}');\n  g(`}`); // }\n  /* } */\n}\nx\n", "f", 5),
        ("interface I {\n  a(): void\n  b(): void\n}\n", "b", 2),
        ("const a = [\n  1,\n]\nconst b = 2\n", "a", 2),
        ("type A =\n  | B\n  | C\ntype D = E\n", "A", 2),
        ("class A\n  extends B\n{\n}\nclass C {}\n", "A", 3),
        ("function f()", "f", 0),
        ("function f() {", "f", 0),
        ("class A { b() {} }\n", "b", 0),
    ],
)
def test_brackets_end_declarations(source: str, name: str, last_row: int) -> None:
    tag = Tag(name, 14 if name == "a" else 12, None)
    assert outlined(source, name, tag=tag if "type" not in source else None)[2] == last_row


@pytest.mark.parametrize(
    ("hover", "reason"),
    [
        ("```typescript\n(property) a: string\n```", "field_or_variant"),
        ("```typescript\n(enum member) E.a = 0\n```", "field_or_variant"),
        ("```typescript\n(parameter) a: string\n```", "local"),
        ("```typescript\n(type parameter) a in Job<a>\n```", "local"),
        ("```typescript\n(alias) class a\nimport a\n```", "import"),
        ("just text", "local"),
    ],
)
def test_a_hover_tells_why_a_name_is_no_item(hover: str, reason: str) -> None:
    assert outlined("x a y\n", "a", parse_hover(hover)) == (reason,)


def test_copies_of_files_are_decoded_strictly(tmp_path: Path) -> None:
    context = join.JoinContext(tmp_path, "p", "utf-8", frozenset(), blocks_longer_than=None)
    for contents, problem in (("A", "damaged"), (base64.b64encode(b"\xff").decode(), "utf-8")):
        joined = join.join_file(
            context, "a.ts", join.DumpedFile(Outline("typescript", contents=contents), [])
        )
        assert problem in (joined.problem or "")


@pytest.mark.parametrize(
    "source",
    [
        "describe(() => { const a = 1; });",
        "for (let a = 0; ;) {}",
        "setTimeout(function () { const a = 1; });",
        "class C { static { const a = 1; } }",
        "const o = { p: () => { const a = 1; } };",
    ],
)
def test_variables_inside_functions_and_loops_are_local(source: str) -> None:
    hover = parse_hover("```typescript\nconst a: 1\n```")
    assert outlined(source, "a", hover, language="typescript") == ("local",)


@pytest.mark.parametrize(
    "source", ["const a = 1;", "namespace N { export const a = 1; }", "export const a = 1;"]
)
def test_variables_of_modules_and_namespaces_are_not(source: str) -> None:
    assert outlined(source, "a", language="typescript")[0] == "Const"


def test_a_field_that_is_a_function_is_one() -> None:
    assert outlined("class C {\n  a = (x) => {\n  };\n}\n", "a", language="typescript")[:4] == (
        "Function",
        1,
        2,
        "a = (x)",
    )
    assert outlined("class C { a = 1; }", "a", language="typescript") == ("local",)


def test_python_is_told_by_its_indentation() -> None:
    source = (
        'class K:\n    def one(self):\n        # a 5" disk\n        return 1\n\n'
        "    def two(self, a,\n            b):\n        return 2\n\nx = 1\n"
    )
    assert outlined(source, "one", language="python") == ("Function", 1, 3, "def one(self)", None)
    assert outlined(source, "two", language="python") == (
        "Function",
        5,
        7,
        "def two(self, a, b)",
        None,
    )
    assert outlined(source, "K", language="python") == ("Class", 0, 7, "class K", None)


@pytest.mark.parametrize(
    ("line", "language"),
    [
        ("func f%06d() { } /*\n", "go"),
        ("func f%06d() {\n", "go"),
        ("export const f%06d = 1;\n", "typescript"),
    ],
)
def test_brackets_that_are_never_closed_take_no_longer(line: str, language: str) -> None:
    source = "".join(line % number for number in range(4000))
    file = OutlinedFile("p", "a.x", source.encode(), Outline(language))
    column = line.index("f%")
    names = [
        Definition(
            "file:///p/a.x",
            Range(number, number, column, number, column + 7, Tag(f"f{number:06d}", 12, None)),
            None,
            0,
            0,
        )
        for number in range(4000)
    ]
    began = time.perf_counter()
    findings = file.find(names, "utf-8")
    assert len(findings.found) + findings.skipped.total() == 4000
    assert (
        time.perf_counter() - began < 20
    )  # a minute and more where each name lexes the rest of the file


def test_a_hover_of_open_fences_is_read_in_one_go() -> None:
    began = time.perf_counter()
    assert parse_hover("```a\n" * 400_000) is not None
    assert time.perf_counter() - began < 5


def test_a_member_in_its_types_line_is_inside_it() -> None:
    hovers = {"A": "class A", "f": "public void f(int x)"}
    source = "public class «A» { public void «f»(int x) { } }\n"
    assert rows_of("csharp", source, hovers) == [
        "Class A - 1-1 public | class A | -",
        "Function A::f A 1-1 public | void f(int x) | -",
    ]
