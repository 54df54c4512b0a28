"""What an agent is told of callers, uses, implementations and tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from test_search_references import ALL, AREA, SPAWN, TOTAL, places

from search import limits
from search.mcp.tools import call_tool
from search.references import References
from search.service import SearchService
from search.sources import Sources
from storage.embedded.index import EmbeddedIndex
from storage.metadata import Metadata, VectorInfo

from conftest import FINGERPRINTS
from made_up import publish, searcher_of

__all__ = ["places"]  # a fixture


class Served:
    """Has one index open."""

    def __init__(self, folder: Path, places: Path) -> None:
        vectors = {
            name: VectorInfo(8, one.digest, one.describe()) for name, one in FINGERPRINTS.items()
        }
        metadata = Metadata("made_up", "file:///made_up", None, False, "", vectors)
        generation = publish(EmbeddedIndex(folder / "qdrant"), metadata, ALL, places="0123")
        searcher = searcher_of(generation)
        self._held = SimpleNamespace(
            searcher=searcher,
            references=References(searcher, places),
            sources=Sources(generation, None),
        )

    @contextmanager
    def opened(self, _project: str) -> Iterator[SimpleNamespace]:
        yield self._held


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, places: Path) -> Served:
    return Served(tmp_path_factory.mktemp("mcp"), places)


def ask(served: Served, tool: str, **arguments: object) -> dict[str, Any]:
    result = call_tool(cast("SearchService", served), tool, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


def refusal(served: Served, tool: str, **arguments: object) -> str:
    result = call_tool(cast("SearchService", served), tool, arguments)
    assert result.is_error
    return cast("Any", result.content[0]).text


def names(answer: dict[str, Any]) -> list[str]:
    return [item["symbol"].removeprefix("made_up::") for item in answer["items"]]


def test_callers_are_ranked_and_short(served: Served) -> None:
    answer = ask(served, "find_callers", target="Circle::area")
    assert answer["target"]["symbol"] == "made_up::<Circle as Shape>::area"
    assert answer["items"][0] == {
        "place": "src/direct.rs:1-3",
        "kind": "Function",
        "symbol": "made_up::direct",
        "signature": "fn direct()",
        "used": 9,
        "id": answer["items"][0]["id"],
    }
    assert names(answer) == ["direct", "other::abroad", "total"]
    assert answer["items"][2]["through"] == AREA.structure.symbol
    assert (answer["total"], answer["is_all"], answer["next_offset"]) == (3, True, None)


def test_more_is_asked_for_by_an_offset(served: Served) -> None:
    first = ask(served, "find_callers", target="Circle::area", limit=2)
    assert (names(first), first["next_offset"]) == (["direct", "other::abroad"], 2)
    rest = ask(served, "find_callers", target="Circle::area", offset=2)
    assert (names(rest), rest["next_offset"]) == (["total"], None)


def test_an_answer_has_as_many_items_as_fit(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RELATED_CHARACTERS", 3 * len('{"place":"src/1.rs:1:1"}'))
    answer = ask(served, "find_references", target="tokio::spawn")
    assert (len(answer["items"]), answer["next_offset"], answer["total"]) == (3, 3, 5)
    monkeypatch.setattr(limits, "RELATED_CHARACTERS", 1)
    assert len(ask(served, "find_references", target="tokio::spawn")["items"]) == 1


def test_places_say_line_and_definition_around(served: Served) -> None:
    answer = ask(served, "find_references", target="forever")
    assert answer["items"] == [
        {"place": "src/loop.rs:2:5", "symbol": "made_up::forever", "text": "step();"}
    ]
    outside = ask(served, "find_references", target="tokio::spawn", limit=1)
    assert outside["target"] == {"symbol": SPAWN}
    assert outside["items"] == [{"place": "src/1.rs:1:1"}]


def test_callees_implementations_and_tests(served: Served) -> None:
    callees = ask(served, "find_callees", target="total")
    assert callees["items"][-1] == {"symbol": SPAWN}
    implementations = ask(served, "find_implementations", target="Shape::area")
    assert names(implementations) == ["<Circle as Shape>::area", "<Square as Shape>::area"]
    tests = ask(served, "find_tests", target=TOTAL.id)
    assert names(tests) == ["works"]
    assert (tests["items"][0]["steps"], tests["items"][0]["via"]) == (2, "made_up::helper")
    assert names(ask(served, "find_tests", target=TOTAL.id, depth=1)) == []


def test_a_refusal_is_no_longer_than_an_answer(served: Served) -> None:
    message = refusal(served, "find_tests", target="x" * 20_000)
    assert message.startswith("the index has no structure 'xxx")
    assert message.endswith("xxx… (20,136 characters)")
    assert len(message) < limits.RELATED_CHARACTERS + 30


def test_a_name_of_several_lists_them(served: Served) -> None:
    message = refusal(served, "find_callers", target="area")
    assert message == (
        "3 definitions have this name. Pass the place or symbol of the one you mean: "
        "src/circle.rs:1 (Function made_up::<Circle as Shape>::area); "
        "src/shape.rs:1 (Function made_up::Shape::area); "
        "src/square.rs:1 (Function made_up::<Square as Shape>::area)."
    )
    assert "tokio::task::JoinSet::spawn; tokio::task::spawn::spawn." in refusal(
        served, "find_references", target="spawn"
    )
    assert "no structure 'absent'" in refusal(served, "find_tests", target="absent")
    assert refusal(served, "find_tests").startswith("target is missing")
    assert "there is no argument 'depth'" in refusal(
        served, "find_implementations", target="Shape::area", depth=2
    )
