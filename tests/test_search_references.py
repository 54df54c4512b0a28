"""Who refers to what, asked of an index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pyarrow as pa
import pytest

from lsif.references.places import SCHEMA, Place, places_writer, write_table
from lsif.structure import Structure
from search.errors import AmbiguousName, ReferencesMissing, SearchError, StructureMissing
from search.lookup import Lookup
from search.references import Neighbour, Page, References
from search.symbols import matches_symbol
from storage.embedded.index import EmbeddedIndex
from storage.index import Generation
from storage.metadata import Metadata, VectorInfo
from storage.query import Condition, Row

from conftest import FINGERPRINTS
from made_up import Made, made, publish

SPAWN, OTHER_SPAWN = "tokio::task::spawn::spawn", "tokio::task::JoinSet::spawn"
TASK = "tokio::task::JoinSet"
FMT = "core::fmt::Display::fmt"


def linked(
    item: Made, *refers_to: Made, implements: Sequence[str] = (), uses: Sequence[str] = ()
) -> Made:
    """Return the structure with references."""
    ids = tuple(sorted(target.id for target in refers_to))
    called = tuple(symbol for symbol in uses if symbol != TASK)
    edges = {"refers_to": ids, "implements": tuple(implements), "uses": tuple(uses)}
    structure = replace(item.structure, uses_called=called, **edges)
    return replace(item, structure=structure)


# A trait with two members that implement it; `total` calls through the trait, `direct` does not.
AREA = made("area", symbol="made_up::Shape::area", file_path="src/shape.rs")
IN_CIRCLE = linked(
    made("area", symbol="made_up::<Circle as Shape>::area", file_path="src/circle.rs"),
    implements=[AREA.id],
)
IN_SQUARE = linked(
    made("area", symbol="made_up::<Square as Shape>::area", file_path="src/square.rs"),
    implements=[AREA.id],
)
TOTAL = linked(made("total", file_path="src/total.rs", references=3), AREA, uses=[TASK, SPAWN])
DIRECT = linked(made("direct", file_path="src/direct.rs", references=9), IN_CIRCLE)
ABROAD = linked(made("abroad", file_path="x/a.rs", crate="other", references=99), IN_CIRCLE)
HELPER = made("helper", file_path="tests/h.rs", is_test=True, references=1)
HELPER = linked(HELPER, TOTAL, uses=[OTHER_SPAWN])
TEST = linked(made("works", file_path="tests/w.rs", is_test=True), HELPER)
LOOP = made("forever", file_path="src/loop.rs")
LOOP = linked(LOOP, LOOP, made("gone"))
ALL = [AREA, IN_CIRCLE, IN_SQUARE, TOTAL, DIRECT, ABROAD, HELPER, TEST, LOOP]


def write_places(path: Path, rows: Sequence[tuple[object, ...]]) -> Path:
    """Write a file of places, whose rows are sorted; return its path."""
    columns = [
        pa.array(values, field.type)
        for values, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)
    ]
    with places_writer(path) as writer:
        write_table(writer, pa.table(columns, schema=SCHEMA))
    return path


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        (LOOP.id, "src/loop.rs", 2, 5, 7, None, LOOP.id, False),
        *sorted((SPAWN, f"src/{n}.rs", n, 1, 5, None, None, False) for n in range(1, 6)),
    ]
    return write_places(tmp_path_factory.mktemp("places") / "places.parquet", rows)


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> Lookup:
    index = EmbeddedIndex(tmp_path_factory.mktemp("references") / "qdrant")
    vectors = {
        name: VectorInfo(8, one.digest, one.describe()) for name, one in FINGERPRINTS.items()
    }
    metadata = Metadata("made_up", "file:///made_up", None, False, "", vectors)
    return Lookup(publish(index, metadata, ALL, places="0123"))


@pytest.fixture
def references(lookup: Lookup, places: Path) -> References:
    return References(lookup, places)


def names(page: Page[Neighbour]) -> list[str]:
    return [
        item.structure.symbol.removeprefix("made_up::") if item.structure else item.key
        for item in page.items
    ]


def through(page: Page[Neighbour]) -> dict[str, str | None]:
    return {name: item.through for name, item in zip(names(page), page.items, strict=True)}


def test_callers_of_the_own_crate_come_first_and_those_through_the_trait_last(
    references: References,
) -> None:
    target = references.target("made_up::<Circle as Shape>::area")
    page = references.callers(target)
    assert through(page) == {"direct": None, "other::abroad": None, "total": AREA.id}
    assert list(through(page)) == ["direct", "other::abroad", "total"]
    assert (page.total, page.is_all) == (3, True)


def test_pages_of_callers_are_parts_of_one_walk(
    references: References, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = references.target("made_up::<Circle as Shape>::area")
    whole = references.callers(target)
    monkeypatch.setattr("search.references.walk", None)
    pages = [references.callers(target, offset, 1).items for offset in range(whole.total)]
    assert [item for page in pages for item in page] == whole.items
    assert references.ranked("callers", target) == [item.key for item in whole.items]


def test_callees_that_are_a_traits_are_followed_by_what_implements_them(
    references: References,
) -> None:
    page = references.callees(references.target("total"))
    circle, square = "<Circle as Shape>::area", "<Square as Shape>::area"
    assert names(page) == ["Shape::area", circle, square, SPAWN]
    assert through(page) == {"Shape::area": None, circle: AREA.id, square: AREA.id, SPAWN: None}
    assert {item.steps for item in page.items} == {1}


def test_callees_of_other_kinds_are_left_out_unless_they_are_named(references: References) -> None:
    target = references.target("direct")
    assert names(references.callees(target, code_types={"Struct"})) == []
    assert names(references.callees(target)) == ["<Circle as Shape>::area"]


def test_types_outside_are_used_and_not_called(references: References) -> None:
    assert names(references.callers(references.target(TASK))) == ["total"]
    assert TASK not in names(references.callees(references.target("total")))


def test_implementations_of_a_member(references: References) -> None:
    page = references.implementations(references.target("made_up::Shape::area"))
    assert names(page) == ["<Circle as Shape>::area", "<Square as Shape>::area"]


def test_tests_are_found_through_other_structures_and_traits(references: References) -> None:
    target = references.target("made_up::<Circle as Shape>::area")
    assert names(references.tests(target, depth=2)) == []
    three = references.tests(target, depth=3)
    assert names(three) == ["works"]
    assert (three.items[0].steps, three.items[0].via) == (3, HELPER.id)
    assert names(references.callers(target, depth=2))[-1:] == ["helper"]


def test_cycles_end_and_edges_that_dangle_lead_nowhere(references: References) -> None:
    target = references.target("forever")
    assert names(references.callers(target)) == ["forever"]
    assert names(references.callees(target)) == ["forever"]
    assert names(references.tests(target, depth=1000)) == []


def test_guessed_callers_and_callees_are_told_apart(tmp_path: Path, metadata: Metadata) -> None:
    unknown = made("unknown", file_path="src/off.rs", origin="source")
    record = replace(unknown.structure, may_refer_to=(DIRECT.id,))
    both = [*ALL, replace(unknown, structure=record)]
    generation = publish(EmbeddedIndex(tmp_path / "qdrant"), metadata, both, places="0123")
    references = References(Lookup(generation), tmp_path)
    callers = references.callers(references.target("direct"))
    assert [(item.key, item.is_guessed) for item in callers.items] == [(unknown.id, True)]
    callees = references.callees(references.target("unknown"))
    assert [(item.key, item.is_guessed) for item in callees.items] == [(DIRECT.id, True)]


def test_what_is_no_function_is_no_test_but_leads_to_tests(
    tmp_path: Path, metadata: Metadata
) -> None:
    kind = {"file_path": "tests/d.rs", "code_type": "Const", "is_test": True}
    table = linked(made("TABLE", **kind), DIRECT)
    test = linked(made("reads_it", file_path="tests/d.rs", is_test=True), table)
    both = [*ALL, table, test]
    generation = publish(EmbeddedIndex(tmp_path / "qdrant"), metadata, both, places="0123")
    references = References(Lookup(generation), tmp_path)
    assert names(references.tests(references.target("direct"))) == ["reads_it"]


def test_lists_are_paged(references: References) -> None:
    target = references.target("made_up::<Circle as Shape>::area")
    pages = [references.callers(target, offset, 2) for offset in (0, 2, 4)]
    assert [names(page) for page in pages] == [["direct", "other::abroad"], ["total"], []]
    assert {page.total for page in pages} == {3}


def test_more_structures_than_are_followed_are_told(
    lookup: Lookup, monkeypatch: pytest.MonkeyPatch
) -> None:
    references = References(lookup)
    monkeypatch.setattr("search.limits.WALKED", 1)
    area = references.target("made_up::Shape::area")
    assert not references.implementations(area).is_all
    assert not references.tests(area).is_all
    monkeypatch.setattr("search.limits.WALKED", 20)
    references = References(lookup)  # the former one remembers what it found
    assert references.implementations(area).is_all
    assert references.tests(area).is_all


def test_places_are_paged(references: References) -> None:
    target = references.target("tokio::spawn")
    page = references.references(target, 1, 2)
    assert page == Page(
        [Place("src/2.rs", 2, 1, 5, None, None), Place("src/3.rs", 3, 1, 5, None, None)], 5
    )
    own = references.references(references.target("forever"))
    assert own.items == [Place("src/loop.rs", 2, 5, 7, None, LOOP.id)]


def test_who_uses_a_symbol_outside(references: References) -> None:
    target = references.target("tokio::spawn")
    assert (target.key, target.structure) == (SPAWN, None)
    assert names(references.callers(target)) == ["total"]
    assert names(references.tests(target)) == ["works"]
    assert names(references.callees(target)) == []


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("Circle::area", IN_CIRCLE), ("Shape::area", AREA), ("made_up::Square::area", IN_SQUARE)],
)
def test_a_path_may_be_the_end_of_a_symbol(path: str, wanted: Made, references: References) -> None:
    assert references.target(path).key == wanted.id


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("src/loop.rs:2", LOOP),
        ("src/loop.rs:2:5", LOOP),  # as answers print a use
        ("./src/loop.rs:1-3", LOOP),  # as they print a structure
        ("src/loop.rs:2-3", LOOP),
        (" `src/loop.rs:2:5` ", LOOP),
        (TOTAL.id.upper(), TOTAL),
        (f" {TOTAL.id}\n", TOTAL),
        ("`total`", TOTAL),
        ('"total"', TOTAL),
        ("total()", TOTAL),
        (" made_up::total ", TOTAL),
        ("Circle.area", IN_CIRCLE),
        ("`Circle::area()`", IN_CIRCLE),
        ("`<Circle as Shape>::area()`", IN_CIRCLE),
        ("Circle::<u8>::area", IN_CIRCLE),
    ],
)
def test_a_target_is_understood_as_answers_and_people_write_it(
    text: str, wanted: Made, references: References
) -> None:
    assert references.target(text).key == wanted.id
    assert references.lookup.resolve(text) == wanted.id


@pytest.mark.parametrize(
    "text", ["`tokio::spawn`", "tokio.spawn()", f" {SPAWN}\n", "tokio::spawn!"]
)
def test_a_symbol_outside_is_understood_as_people_write_it(
    text: str, references: References
) -> None:
    assert references.target(text).key == SPAWN


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("src/loop.rs:7:5", "no structure in line 7 of 'src/loop.rs'"),
        ("src/loop.rs:2-9", "no structure in lines 2 to 9 of 'src/loop.rs'"),
        ("`<&Circle as Shape>::area`", "no structure '`<&Circle as Shape>::area`'"),
        ("00000000-0000-5000-8000-00000000000A", "'00000000-0000-5000-8000-00000000000a'"),
    ],
)
def test_what_is_nowhere_is_named_as_it_was_understood(
    text: str, message: str, references: References
) -> None:
    with pytest.raises(StructureMissing, match=message):
        references.target(text)


class _Rows:
    """Points that have these symbols, whatever is asked."""

    def __init__(self, *symbols: str) -> None:
        self._symbols = symbols

    def select(self, fields: Sequence[str], *, where: Sequence[Condition] = ()) -> Iterator[Row]:
        assert fields[-1] == "symbol"
        for line, symbol in enumerate(self._symbols, start=1):
            if where[0].field == "name" or symbol in where[0].values:
                yield Row(symbol, (line, "src/lib.rs", "Function", symbol))


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("<Circle as Shape>::area", ["a::<Circle as Shape>::area"]),
        ("a::<Circle as Shape>::area", ["a::<Circle as Shape>::area"]),
        ("Ring<T>::area", ["a::Ring<T>::area"]),
        ("Circle::area", ["a::Circle::area", "a::<Circle as Shape>::area"]),
        ("Ring::area", ["a::Ring<T>::area", "a::Ring<u8>::area"]),
        ("<Ring<u16>>::area", ["a::Ring<T>::area", "a::Ring<u8>::area"]),
    ],
)
def test_what_is_written_as_the_symbol_is_none_of_its_likes(written: str, found: list[str]) -> None:
    symbols = (
        "a::Circle::area",
        "a::<Circle as Shape>::area",
        "a::Ring<T>::area",
        "a::Ring<u8>::area",
    )
    generation = cast("Generation", SimpleNamespace(structures=_Rows(*symbols)))
    assert [candidate.symbol for candidate in Lookup(generation).candidates(written)] == found


def test_a_name_of_several_has_candidates(references: References) -> None:
    with pytest.raises(AmbiguousName, match="3 structures are called area") as caught:
        references.target("area")
    assert [candidate.place for candidate in caught.value.candidates] == [
        "src/circle.rs:1", "src/shape.rs:1", "src/square.rs:1"
    ]  # fmt: skip
    with pytest.raises(AmbiguousName, match="2 symbols are called spawn") as caught:
        references.target("spawn")
    assert [candidate.id for candidate in caught.value.candidates] == [OTHER_SPAWN, SPAWN]
    with pytest.raises(StructureMissing, match="nothing in it refers to such a symbol"):
        references.target("tokio::sleep")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the target is empty; expected FILE:LINE, an id"),
        (" \t", "the target is empty"),
        ("src/total.rs:1000000000", "the line of 'src/total.rs' has 10 digits; expected at most 9"),
        ("src/total.rs:" + "9" * 5000, "has 5000 digits"),  # Python reads no number of so many
        ("src/total.rs:1-1000000000", "the line of 'src/total.rs' has 10 digits"),
        ("src/total.rs:3-2", "lines 3 to 2 of 'src/total.rs' end before they begin"),
    ],
)
def test_what_can_name_nothing_is_wrong_usage(
    text: str, message: str, references: References
) -> None:
    with pytest.raises(SearchError, match=message):
        references.target(text)


def test_an_index_without_references_is_told(
    tmp_path: Path, metadata: Metadata, places: Path
) -> None:
    generation = publish(EmbeddedIndex(tmp_path / "qdrant"), metadata, ALL)
    with pytest.raises(ReferencesMissing, match="--rebuild adds it"):
        References(Lookup(generation), places)


def test_without_the_file_of_places_callers_are_known(lookup: Lookup, tmp_path: Path) -> None:
    references = References(lookup, tmp_path / "absent.parquet")
    target = references.target("forever")
    assert names(references.callers(target)) == ["forever"]
    with pytest.raises(ReferencesMissing, match="not on this machine"):
        references.references(target)


@pytest.mark.parametrize(
    ("symbol", "written", "expected"),
    [
        (SPAWN, "tokio::spawn", True),
        (OTHER_SPAWN, "tokio::spawn", False),
        (OTHER_SPAWN, "JoinSet::spawn", True),
        (SPAWN, "spawn", True),
        (SPAWN, "other::spawn", False),
        (FMT, "std::fmt::Display::fmt", True),
        (FMT, "fmt", True),
        (FMT, "std::fmt::fmt", False),
        ("std::collections::hash::map::HashMap", "std::collections::HashMap", True),
        ("a::r#type", "a::type", True),
        ("a", "a::b", False),
    ],
)
def test_a_symbol_is_matched_by_an_end_or_a_reexport(
    symbol: str, written: str, expected: bool
) -> None:
    assert matches_symbol(symbol, written) is expected


def test_a_structure_that_qdrant_rejected_is_skipped(references: References) -> None:
    structure: Structure = replace(TOTAL.structure, refers_to=(made("absent").id,), uses_called=())
    target = replace(references.target("total"), structure=structure)
    assert names(references.callees(target)) == []
