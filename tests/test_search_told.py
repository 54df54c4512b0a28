"""Queries for callers, implementations and tests are answered from the references."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from search.answer import Answer
from search.asked import relation_asked
from search.engine import Searcher
from search.filters import Filters
from storage.embedded.index import EmbeddedIndex
from storage.metadata import Metadata, VectorInfo

from conftest import FINGERPRINTS
from made_up import Compass, Made, made, publish, searcher_of

SPAWN = "tokio::task::spawn::spawn"


def linked(item: Made, *refers_to: Made, **fields: tuple[str, ...]) -> Made:
    ids = tuple(sorted(target.id for target in refers_to))
    return replace(item, structure=replace(item.structure, refers_to=ids, **fields))


INSERT = made("insert", symbol="made_up::Cache::insert", struct_name="Cache")
OTHER_INSERT = made("insert", symbol="made_up::Tree::insert", file_path="src/tree.rs")
AREA = made("area", symbol="made_up::Round::area", file_path="src/round.rs")
OF_SHAPE = made("area", symbol="made_up::<Circle as Shape>::area", file_path="src/circle.rs")
OWN_AREA = made("area", symbol="made_up::Circle::area", file_path="src/own.rs")
GROWN = made("insert_all", symbol="made_up::Cache<K, V>::insert_all", file_path="src/all.rs")
CALLS = linked(made("calls", file_path="src/calls.rs"), AREA, OF_SHAPE, GROWN)
SHAPE = made("Shape", code_type="Trait", file_path="src/shape.rs")
CIRCLE = linked(
    made(
        "impl Shape for Circle",
        code_type="Impl",
        trait_name="Shape",
        struct_name="Circle",
        file_path="src/circle.rs",
    ),
    implements=(SHAPE.id,),
)
DERIVED = made(
    "Square",
    code_type="Struct",
    file_path="src/sq.rs",
    snippet="#[derive(Shape)]\nstruct Square;\n",
)
RARE = linked(made("rare", file_path="src/r.rs", references=1), INSERT, uses=(SPAWN,))
COMMON = linked(made("common", file_path="src/c.rs", references=9), INSERT)
WORKS = linked(made("works", file_path="tests/w.rs", is_test=True), INSERT, SHAPE)
FAR = linked(made("far", file_path="tests/f.rs", is_test=True), RARE)
SAYS_SO = made("says_so", 0, 0, snippet="fn says_so() {\n    insert()\n}\n", file_path="src/s.rs")
MEMORY = made("memory", code_type="Module", file_path="src/memory.rs")
USES_MEMORY = linked(made("uses_memory", file_path="src/u.rs"), MEMORY)
ALL = [
    INSERT, OTHER_INSERT, SHAPE, CIRCLE, DERIVED, RARE, COMMON, WORKS, FAR, SAYS_SO, MEMORY,
    USES_MEMORY, AREA, OF_SHAPE, OWN_AREA, GROWN, CALLS,
]  # fmt: skip
COMPASS = Compass()


def indexed(folder: Path, places: str) -> Searcher:
    vectors = {
        name: VectorInfo(8, one.digest, one.describe()) for name, one in FINGERPRINTS.items()
    }
    metadata = Metadata("made_up", "file:///made_up", None, False, "", vectors)
    generation = publish(EmbeddedIndex(folder / "qdrant"), metadata, ALL, places=places)
    return searcher_of(generation, encoder=COMPASS)


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return indexed(tmp_path_factory.mktemp("told"), "0123")


@pytest.fixture(scope="module")
def without_references(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return indexed(tmp_path_factory.mktemp("untold"), "")


def names(answer: Answer) -> list[str]:
    return [hit.name for hit in answer.hits]


def said(answer: Answer) -> str | None:
    return None if answer.from_references is None else answer.from_references.describe()


@pytest.mark.parametrize(
    ("query", "kind", "path"),
    [
        ("who calls Cache::insert", "callers", ("Cache", "insert")),
        ('who  calls\n"Cache::insert"?', "callers", ("Cache", "insert")),
        ("tests of 'cache::Cache<K, V>::insert'", "tests", ("cache", "Cache", "insert")),
        ("where is retry used?", "callers", ("retry",)),
        ("callers of `fold`", "callers", ("fold",)),
        ("what implements Shape", "implementations", ("Shape",)),
        ("tests of Cache::insert", "tests", ("Cache", "insert")),
        ("which tests cover the function insert?", "tests", ("insert",)),
        ("what tests `Cache::insert`", "tests", ("Cache", "insert")),
        ("tests that call Cache::insert()", "tests", ("Cache", "insert")),
        ("unit tests for Cache", "tests", ("Cache",)),
        ("how is Cache::insert tested", "tests", ("Cache", "insert")),
    ],
)
def test_a_relation_is_read_off_the_words(query: str, kind: str, path: tuple[str, ...]) -> None:
    found = relation_asked(query)
    assert found is not None
    assert (found[0].kind, found[0].path) == (kind, path)


@pytest.mark.parametrize(
    "query", ["tests for the case of an empty list", "who calls", "insert", "how do we test a b"]
)
def test_other_words_ask_for_no_relation(query: str) -> None:
    assert relation_asked(query) is None


def test_callers_are_those_that_refer_to_it_and_no_model_is_asked(searcher: Searcher) -> None:
    COMPASS.asked.clear()
    answer = searcher.search("who calls Cache::insert", limit=2)
    assert names(answer) == ["common", "rare"]
    assert said(answer) == "callers of made_up::Cache::insert, from the references"
    assert answer.to_dict()["from_references"] == {
        "relation": "callers", "id": INSERT.id, "symbol": "made_up::Cache::insert", "total": 3,
    }  # fmt: skip
    assert (answer.query_kind, answer.confidence, answer.has_answer) == ("callers", 1.0, True)
    assert names(searcher.search("who calls Cache::insert")) == ["common", "rare", "works"]
    assert COMPASS.asked == []


@pytest.mark.parametrize(
    ("query", "symbol"),
    [
        ("who calls `<Circle as Shape>::area`", "made_up::<Circle as Shape>::area"),
        ("who calls `Round.area`", "made_up::Round::area"),
        ("who calls Round.area()?", "made_up::Round::area"),
        ("who calls `Cache<K, Vec<V>>::insert_all`", "made_up::Cache<K, V>::insert_all"),
    ],
)
def test_a_name_is_told_as_it_is_written(query: str, symbol: str, searcher: Searcher) -> None:
    assert said(searcher.search(query)) == f"callers of {symbol}, from the references"


def test_who_uses_what_is_outside_is_known(searcher: Searcher) -> None:
    answer = searcher.search("who uses tokio::spawn?")
    assert names(answer) == ["rare"]
    assert said(answer) == f"callers of {SPAWN}, from the references"


def test_tests_are_found_over_other_functions_the_nearest_first(searcher: Searcher) -> None:
    answer = searcher.search("which tests cover Cache::insert")
    assert names(answer) == ["works", "far"]
    assert answer.query_kind == "tests"


def test_implementations_are_followed_by_what_derives_the_trait(searcher: Searcher) -> None:
    answer = searcher.search("implementations of Shape")
    assert names(answer)[:2] == ["impl Shape for Circle", "Square"]
    assert answer.from_references is not None
    assert answer.from_references.total == 1


def test_filters_and_groups_hold(searcher: Searcher) -> None:
    query = "who calls Cache::insert"
    assert names(searcher.search(query, filters=Filters(tests="exclude"))) == ["common", "rare"]
    assert names(searcher.search(query, without=[COMMON.id])) == ["rare", "works"]
    answer = searcher.search(query, group_by="file", limit=2)
    assert [group.ids for group in answer.groups or ()] == [(COMMON.id,), (RARE.id,)]


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("who calls insert", "callers"),  # there are two
        ("who calls absent_name", "callers"),
        ("who calls says_so", "callers"),  # nobody does
        ("what uses memory", "words"),
        ("tests of memory", "words"),
    ],
)
def test_what_the_references_can_not_tell_is_searched_as_ever(
    query: str, kind: str, searcher: Searcher, without_references: Searcher
) -> None:
    answer, before = searcher.search(query), without_references.search(query)
    assert (said(answer), answer.query_kind) == (None, kind)
    assert names(answer) == names(before)


def test_other_modes_and_older_indexes_search_by_words(
    searcher: Searcher, without_references: Searcher
) -> None:
    query = "who calls Cache::insert"
    for answer in (searcher.search(query, "bm25"), without_references.search(query)):
        assert said(answer) is None
    assert names(without_references.search(query))[0] == "says_so"
