"""What is related to a structure: walks of several steps, and the shape of all interfaces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_search_references import (
    ABROAD,
    ALL,
    AREA,
    HELPER,
    IN_CIRCLE,
    IN_SQUARE,
    LOOP,
    SPAWN,
    TEST,
    TOTAL,
    linked,
    write_places,
)

from search.errors import SearchError
from search.lookup import Lookup
from search.references import Neighbour, Page, References
from search.relations import Related, RelationName, UsePlace, relate
from search.sources import Sources
from storage.embedded.index import EmbeddedIndex
from storage.metadata import Metadata, VectorInfo

from conftest import FINGERPRINTS
from made_up import Made, made, publish

# Three that call each other in a circle, what is guessed to call one of them, and its caller.
FIRST = made("first", file_path="src/ring.rs")
THIRD = linked(made("third", file_path="src/ring.rs", lines=(21, 23)), FIRST)
SECOND = linked(made("second", file_path="src/ring.rs", lines=(11, 13)), THIRD)
FIRST = linked(FIRST, SECOND)
OFF = made("off", file_path="src/off.rs", origin="source")
OFF = replace(OFF, structure=replace(OFF.structure, may_refer_to=(FIRST.id,)))
BEHIND = linked(made("behind", file_path="src/on.rs", lines=(3, 5)), OFF)
ADDED = [FIRST, SECOND, THIRD, OFF, BEHIND]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the one source that is at hand."""
    root = tmp_path_factory.mktemp("sources")
    (root / "src").mkdir()
    (root / "src/on.rs").write_text(f"use crate::first;\n\n{BEHIND.structure.context.snippet}")
    return root


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> References:
    rows = [
        (FIRST.id, "src/lib.rs", 7, 9, 5, None, None, False),
        (FIRST.id, "src/off.rs", 2, 5, 4, None, OFF.id, True),
        (FIRST.id, "src/on.rs", 1, 12, 5, None, None, False),
    ]
    folder = tmp_path_factory.mktemp("relations")
    vectors = {name: VectorInfo(8, made.digest, "a model") for name, made in FINGERPRINTS.items()}
    metadata = Metadata("made_up", "file:///made_up", None, False, "", vectors)
    index = EmbeddedIndex(folder / "qdrant")
    lookup = Lookup(publish(index, metadata, [*ALL, *ADDED], places="0123"))
    return References(lookup, write_places(folder / "places.parquet", rows))


@pytest.fixture
def sources(references: References, root: Path) -> Sources:
    return Sources(references.lookup.generation, root)


def reached(page: Page[Neighbour]) -> list[tuple[str, int, str | None, str | None]]:
    """Return id, steps, via and through of what a page has."""
    return [(found.key, found.steps, found.via, found.through) for found in page.items]


def test_callers_are_followed_breadth_first_and_through_traits(references: References) -> None:
    page = references.callers(references.target(IN_CIRCLE.id), depth=3)
    assert reached(page)[1:] == [
        (ABROAD.id, 1, None, None),
        (TOTAL.id, 1, None, AREA.id),
        (HELPER.id, 2, TOTAL.id, None),
        (TEST.id, 3, HELPER.id, None),
    ]


def test_callees_are_followed_breadth_first_and_through_traits(references: References) -> None:
    page = references.callees(references.target(TEST.id), depth=3)
    assert reached(page) == [
        (HELPER.id, 1, None, None),
        (TOTAL.id, 2, HELPER.id, None),
        ("tokio::task::JoinSet::spawn", 2, HELPER.id, None),
        (AREA.id, 3, TOTAL.id, None),
        (IN_CIRCLE.id, 3, TOTAL.id, AREA.id),
        (IN_SQUARE.id, 3, TOTAL.id, AREA.id),
        (SPAWN, 3, TOTAL.id, None),
    ]


def test_what_calls_another_is_called_by_it(references: References) -> None:
    targets = [references.target(item.id) for item in [*ALL, *ADDED]]
    for depth in (1, 2):
        calls = {
            (caller.key, target.key)
            for target in targets
            for caller in references.callers(target, depth=depth).items
        }
        called = {
            (target.key, callee.key)
            for target in targets
            for callee in references.callees(target, depth=depth).items
            if callee.structure is not None
        }
        assert calls == called


def test_a_circle_ends_at_its_beginning(references: References) -> None:
    first = references.target(FIRST.id)
    callers = [found[:3] for found in reached(references.callers(first, depth=10))]
    assert [found for found in callers if found[0] not in {OFF.id, BEHIND.id}] == [
        (THIRD.id, 1, None),
        (SECOND.id, 2, THIRD.id),
        (FIRST.id, 3, SECOND.id),
    ]
    callees = [found[:3] for found in reached(references.callees(first, depth=10))]
    assert callees == [(SECOND.id, 1, None), (THIRD.id, 2, SECOND.id), (FIRST.id, 3, THIRD.id)]


def test_what_is_reached_by_a_guess_is_guessed(references: References) -> None:
    callers = references.callers(references.target(FIRST.id), depth=2)
    assert {found.key for found in callers.items if found.is_guessed} == {OFF.id, BEHIND.id}
    callees = references.callees(references.target(BEHIND.id), depth=3)
    assert [(found.key, found.is_guessed) for found in callees.items] == [
        (OFF.id, False),
        (FIRST.id, True),
        (SECOND.id, True),
    ]


@pytest.mark.parametrize("relation", ["callers", "callees"])
def test_a_walk_ends_where_it_is_too_long(
    references: References,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    relation: RelationName,
) -> None:
    monkeypatch.setattr("search.limits.WALKED", 2)
    fresh = References(references.lookup, tmp_path)  # the other one may remember a longer walk
    answer = relate(fresh, fresh.target(FIRST.id), relation, depth=10)
    assert (answer.total, answer.is_all) == (2, False)


def test_what_is_related_is_plain_data(references: References) -> None:
    answer = relate(references, references.target(IN_CIRCLE.id), "callers", depth=2, offset=2)
    document = answer.to_dict()
    through, further = document.pop("items")
    target = document.pop("target")
    assert document == {
        "relation": "callers",
        "depth": 2,
        "offset": 2,
        "limit": 100,
        "total": 4,
        "is_all": True,
    }
    assert target["symbol"] == "made_up::<Circle as Shape>::area"
    total = {
        "id": TOTAL.id,
        "symbol": "made_up::total",
        "name": "total",
        "code_type": "Function",
        "crate": "made_up",
        "file_path": "src/total.rs",
        "line": 1,
        "line_from": 1,
        "line_to": 3,
        "signature": "fn total()",
        "is_test": False,
        "references": 3,
    }
    assert through == {
        **total,
        "steps": 1,
        "via_id": None,
        "via": None,
        "through": "made_up::Shape::area",
        "guessed": False,
    }
    assert (further["via_id"], further["via"]) == (TOTAL.id, "made_up::total")
    assert relate(references, references.target(TOTAL.id), "callers").to_dict()["target"] == total


def test_symbols_outside_have_no_id(references: References) -> None:
    answer = relate(references, references.target(TOTAL.id), "callees", offset=3)
    (spawn,) = answer.items
    assert isinstance(spawn, Related)
    assert (spawn.id, spawn.symbol, spawn.name) == (None, SPAWN, "spawn")
    assert (spawn.file_path, spawn.line, spawn.references) == ("", 0, None)
    target = relate(references, references.target("tokio::task::spawn"), "callers").target
    assert (target.id, target.symbol) == (None, SPAWN)


def test_places_have_their_text_as_far_as_it_is_at_hand(
    references: References, sources: Sources
) -> None:
    target = references.target(FIRST.id)
    answer = relate(references, target, "references", sources=sources)
    places = [place for place in answer.items if isinstance(place, UsePlace)]
    assert [(place.file_path, place.line, place.text) for place in places] == [
        ("src/lib.rs", 7, None),  # the index has no structure of this file
        ("src/off.rs", 2, "    step();"),
        ("src/on.rs", 1, "use crate::first;"),
    ]
    assert [place.structure for place in places] == [None, "made_up::off", None]
    assert [place.guessed for place in places] == [False, True, False]
    of_index = relate(references, target, "references", offset=1)
    assert [getattr(place, "text", "") for place in of_index.items] == ["    step();", None]


def test_tests_are_three_steps_away_at_most(references: References) -> None:
    answer = relate(references, references.target(IN_CIRCLE.id), "tests")
    assert answer.depth == 3
    assert [item.structure if isinstance(item, UsePlace) else item.id for item in answer.items] == [
        TEST.id
    ]


def test_a_test_that_calls_itself_does_not_test_itself(tmp_path: Path, metadata: Metadata) -> None:
    test: Made = made("again", is_test=True)
    test = linked(test, test)
    generation = publish(EmbeddedIndex(tmp_path / "qdrant"), metadata, [test], places="0123")
    references = References(Lookup(generation), tmp_path)
    assert relate(references, references.target(test.id), "tests").total == 0
    assert relate(references, references.target(test.id), "callers").total == 1


@pytest.mark.parametrize(
    ("relation", "options", "expected"),
    [
        ("friends", {}, "there is no relation 'friends'; expected references, callers"),
        ("references", {"depth": 2}, "references have no depth; callers, callees, tests do"),
        ("callers", {"depth": 11}, "the depth is 11; expected 1 to 10"),
        ("callers", {"depth": 0}, "the depth is 0"),
        ("callers", {"limit": 1001}, "the limit is 1001; expected 1 to 1000"),
        ("callers", {"offset": -1}, "the offset is -1; expected 0 or more"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    references: References, relation: RelationName, options: dict[str, int], expected: str
) -> None:
    target = references.target(LOOP.id)
    with pytest.raises(SearchError, match=expected):
        relate(references, target, relation, **options)  # type: ignore[arg-type]
