"""`lsif-ingest refs` on an index of the sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from searchable import fake_models, index_sample

from flows.cli.main import main
from flows.cli.relations import name_span, print_relation
from search.relations import RelationAnswer, Subject, UsePlace

from conftest import run

Ask = Callable[..., tuple[int, str, str]]
SHAPE, CACHE = "sample::geometry::shape", "sample::cache::Cache<K, V>"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("refs") / "data"
    with fake_models() as models:
        index_sample(folder, references=True)
        models.forget()
        yield folder
        assert models.loaded == []  # no relation needs a model


@pytest.fixture
def ask(data: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    return lambda *words: run("refs", *words, "--set", f"paths.data={data}", capsys=capsys)


def answer(ask: Ask, *words: str) -> dict[str, Any]:
    code, out, _ = ask(*words, "--json")
    assert code == 0
    document: dict[str, Any] = orjson.loads(out)
    return document


def test_places_are_shown_by_file_and_structure(ask: Ask) -> None:
    code, out, _ = ask("Circle")
    assert code == 0
    assert out.splitlines() == [
        "src/geometry/shape.rs:74  Struct sample::geometry::shape::Circle",
        "  struct Circle { pub center: Point, pub radius: f64, }",
        "5 places",
        "",
        "src/geometry/shape.rs",
        "  sample::geometry::shape::<Circle as Shape>",
        "    81  impl Shape for Circle {",
        "",
        "src/tests.rs",
        "   3  use crate::geometry::shape::{Circle, Shape};",
        "  sample::tests::long_descriptions_are_wrapped",
        "    10  let circle = Circle {",
        "",
        "tests/area.rs",
        "   6  use sample::geometry::shape::{Circle, Rectangle, Shape, PALETTE};",
        "  area::areas_add_up",
        "    26  let dot = Circle {",
    ]


def test_what_goes_through_a_trait_is_told_apart(ask: Ask) -> None:
    _, out, _ = ask("Circle::area", "--callers")
    assert out.splitlines()[2:] == [
        "2 callers",
        f"  src/geometry/shape.rs:63  Function {SHAPE}::Shape::describe  through Shape::area",
        "  tests/area.rs:12  Function area::total_area  test  through Shape::area",
    ]
    _, out, _ = ask("Circle::area")
    assert out.splitlines()[2:] == [
        "0 places",
        "",
        f"It implements {SHAPE}::Shape::area: what refers to that, in 2 places, may run it.",
    ]
    assert ask("Shape::area")[1].endswith("\n\n2 implementations: add --implementations\n")


def test_several_steps_are_a_tree(ask: Ask) -> None:
    _, out, _ = ask("Cache::touch", "--callers", "--depth", "2")
    said, get, test, insert, *_ = out.splitlines()[2:]
    tested = "sample::cache::tests::oldest_entry_is_evicted"
    assert said == "5 callers in at most 2 steps"
    assert get == f"  src/cache.rs:50  Function {CACHE}::get"
    assert insert == f"  src/cache.rs:59  Function {CACHE}::insert"
    assert test == f"    src/cache.rs:135  Function {tested}  test"
    _, out, _ = ask("Cache::touch", "--tests")
    assert out.splitlines()[2:4] == [
        "2 tests in at most 3 steps",
        f"  src/cache.rs:135  Function {tested}  test  2 steps, via {CACHE}::get",
    ]


def test_callees_end_with_what_is_outside_the_index(ask: Ask) -> None:
    _, out, _ = ask("total_area", "--callees")
    assert out.splitlines()[-1] == "  outside the index  core::slice::iter"


@pytest.mark.parametrize("relation", ["references", "callers", "callees", "tests"])
def test_json_is_the_shape_of_all_interfaces(ask: Ask, relation: str) -> None:
    options = () if relation == "references" else (f"--{relation}",)
    document = answer(ask, "src/retry.rs:54", *options, "--limit", "1")
    assert set(document) == {
        *("target", "relation", "depth", "offset", "limit", "total", "is_all", "items"),
    }
    assert (document["relation"], document["target"]["symbol"]) == (
        relation,
        "sample::retry::retry",
    )
    assert len(document["items"]) == 1


def test_pages_follow_each_other(ask: Ask) -> None:
    whole = answer(ask, "Circle")["items"]
    parts = [answer(ask, "Circle", "--limit", "3", "--offset", str(at)) for at in (0, 3)]
    assert [place for part in parts for place in part["items"]] == whole
    _, out, _ = ask("Circle", "--limit", "3")
    assert "\n5 places, 1 to 3 shown\n" in out
    assert out.endswith("\nMore: --offset 3\n")
    _, out, _ = ask("Circle", "--offset", "9")
    assert out.splitlines()[2:] == ["5 places, none after the first 9"]


def test_a_symbol_outside_the_index_has_places_and_callers(ask: Ask) -> None:
    code, out, _ = ask("std::collections::HashMap")
    assert code == 0
    assert out.splitlines()[:2] == [
        "outside the index  std::collections::hash::map::HashMap",
        "3 places",
    ]
    assert answer(ask, "HashMap", "--callers")["target"]["id"] is None


def test_an_ambiguous_name_lists_its_candidates(
    ask: Ask, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["refs", "area", "--set", f"paths.data={data}"]) == 2
    out, err = capsys.readouterr()
    first, _, _, message = err.splitlines()
    assert out == ""
    assert first == f"src/geometry/shape.rs:60  Function {SHAPE}::Shape::area"
    assert "3 structures are called area: choose one by FILE:LINE" in message
    code, out, message = ask("new", "--json")
    first, *_ = orjson.loads(out)["candidates"]
    assert (code, first) == (
        2,
        {
            "place": "alloc::collections::vec_deque::VecDeque::new",
            "id": None,
            "file_path": "",
            "code_type": "",
            "symbol": "alloc::collections::vec_deque::VecDeque::new",
            "line": 0,
        },
    )
    assert "4 symbols are called new" in message
    assert main(["refs", "new", "--set", f"paths.data={data}"]) == 2
    first, *_, message = capsys.readouterr().err.splitlines()
    assert first == "alloc::collections::vec_deque::VecDeque::new  outside the index"
    assert "4 symbols are called new: choose one by its symbol" in message


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("Circle", "--depth", "2"), 2, "--depth needs one of --callers, --callees, --tests."),
        (("absent",), 1, "nothing in it refers to such a symbol. Case matters; "),
        (("src/tests.rs:2",), 1, "the index has no structure in line 2 of 'src/tests.rs'."),
        (("Circle", "--branch", "dev"), 2, "add --project NAME"),
    ],
)
def test_what_can_not_be_answered_is_refused(
    ask: Ask, words: tuple[str, ...], code: int, expected: str
) -> None:
    found, out, message = ask(*words)
    assert (found, out) == (code, "")
    assert expected in message


def test_arguments_that_exclude_each_other_are_refused(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("x", "--callers", "--tests"), ("x", "--callers", "--depth", "11")):
        with pytest.raises(SystemExit, match="2"):
            ask(*words)
    assert "expected a number from 1 to 10, found '11'" in capsys.readouterr().err


def test_an_index_without_references_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with fake_models():
        index_sample(tmp_path)
    code, out, message = run("refs", "Circle", "--set", f"paths.data={tmp_path}", capsys=capsys)
    assert (code, out) == (1, "")
    assert "was made without what structures refer to" in message
    assert "lsif-ingest ingest --rebuild adds it." in message


def place(**changes: Any) -> UsePlace:
    """Return a place of `area`, changed as given."""
    known = UsePlace(
        file_path="src/lib.rs",
        line=7,
        column=5,
        length=4,
        kind=None,
        structure_id=None,
        structure=None,
        text="    area(1);",
        guessed=False,
    )
    return replace(known, **changes)


def printed(capsys: pytest.CaptureFixture[str], *places: UsePlace) -> list[str]:
    """Return what is printed of these places of a symbol outside."""
    print_relation(
        RelationAnswer(
            target=Subject(id=None, symbol="geo::area", name="area"),
            relation="references",
            depth=1,
            offset=0,
            limit=100,
            total=len(places),
            is_all=True,
            items=places,
        )
    )
    return capsys.readouterr().out.splitlines()[4:]


def test_places_of_one_line_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    twice = "    area(area(1));"
    assert printed(capsys, place(text=twice), place(text=twice, column=10)) == [
        "  7  area(area(1));"
    ]
    assert printed(capsys, place(text=None), place(text=None, column=10)) == ["  7  columns 5, 10"]


def test_guesses_and_kinds_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, place(guessed=True), place(line=8, kind="implementation"))
    assert lines == ["  7  area(1);  guessed", "  8  area(1);  implementation"]


def test_a_file_of_any_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_relation(
        RelationAnswer(
            target=Subject(id="1", symbol="a::b", name="b", file_path="a\nb\x1b.rs", line=3),
            relation="references",
            depth=1,
            offset=0,
            limit=100,
            total=1,
            is_all=True,
            items=[place(file_path="c\n\td.rs", structure="c\nd::e")],
        )
    )
    title, _, _, file_path, structure, _ = capsys.readouterr().out.splitlines()
    assert title == "a\ufffdb\ufffd.rs:3   a::b"
    assert (file_path, structure) == ("c\ufffd\ufffdd.rs", "  c\ufffdd::e")


def test_lines_are_cut_and_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = printed(capsys, place(text="\x1b[2J" + "x" * 500, structure=None))
    assert line == f"  7  \ufffd[2J{'x' * 153}..."
    name, _ = printed(capsys, place(structure="a\x1b::b"))
    assert name == "  a\ufffd::b"


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [("    area();", 5, "area"), ("/* 𝒜 é */ area()", 12, "area"), ("area", 90, "")],
)
def test_the_name_is_marked_where_it_is(text: str, column: int, expected: str) -> None:
    begin, end = name_span(text, place(column=column))
    assert text[begin:end] == expected
