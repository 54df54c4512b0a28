"""The graph by HTTP: places, callers, callees, implementations and tests of a structure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from searchable import Models, Site, fake_models, index_sample, mapped, served, workspace_of

from search.relations import RELATIONS, RelationName, relate
from search.service import SearchService
from search.web.models import ErrorModel, PlacesModel, RelatedModel

from conftest import SAMPLE, copied

AREA = "sample::geometry::shape::Shape::area"
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def fake() -> Iterator[Models]:
    with fake_models() as models:
        yield models


@pytest.fixture(scope="module")
def linked(fake: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an index of the sample and its references; not to be changed."""
    data = tmp_path_factory.mktemp("linked") / "data"
    index_sample(data, references=True)
    return data


@pytest.fixture(scope="module")
def service(linked: Path) -> SearchService:
    return SearchService(workspace_of(linked), "sample")


@pytest.fixture(scope="module")
def site(service: SearchService) -> Iterator[Site]:
    with served(service) as running:
        yield running


def symbols(answer: dict[str, Any]) -> list[str]:
    return [item["symbol"] for item in answer["items"]]


def id_of(site: Site, symbol: str) -> str:
    target: str = site.json("/api/references", target=symbol, limit=1)["target"]["id"]
    return target


@pytest.mark.parametrize("relation", RELATIONS)
def test_a_relation_of_a_structure_is_what_the_library_answers_in_the_documented_shape(
    relation: RelationName, site: Site, service: SearchService
) -> None:
    wanted = id_of(site, AREA)
    reply = site.get(f"/api/structure/{wanted}/{relation}", limit=2, offset=1)
    model = PlacesModel if relation == "references" else RelatedModel
    answer = reply.json()
    assert model.model_validate_json(reply.content, strict=True).model_dump() == answer
    with service.opened() as held:
        target = held.references.target(wanted)
        known = relate(
            held.references, target, relation, offset=1, limit=2, sources=held.sources
        ).to_dict()
    assert answer == known
    assert (answer["target"]["symbol"], answer["relation"]) == (AREA, relation)
    assert site.json("/api/references", target=AREA, relation=relation, limit=2, offset=1) == known


def test_places_have_their_lines_inside_and_outside_of_structures(site: Site) -> None:
    answer = site.json("/api/references", target="sample::retry::retry")
    lines = (SAMPLE / "tests/area.rs").read_text().splitlines()
    assert [
        (place["file_path"], place["line"], place["column"], place["structure"], place["text"])
        for place in answer["items"]
    ] == [
        ("tests/area.rs", 9, 21, None, lines[8]),
        ("tests/area.rs", 44, 37, "area::gives_up_after_the_last_attempt", lines[43]),
    ]


def test_steps_are_taken_as_far_as_is_asked_for(site: Site) -> None:
    route = f"/api/structure/{id_of(site, AREA)}"
    near, far = (site.json(f"{route}/callers", depth=depth) for depth in (1, 2))
    assert {item["steps"] for item in near["items"]} == {1}
    assert {item["steps"] for item in far["items"]} == {1, 2}
    assert symbols(far)[: near["total"]] == symbols(near)
    beyond = next(item for item in far["items"] if item["steps"] == 2)
    assert beyond["via"] in symbols(near)
    assert site.json(f"{route}/tests")["depth"] == 3
    assert all(item["is_test"] for item in site.json(f"{route}/tests", depth=2)["items"])


def test_impl_blocks_of_one_trait_do_not_use_each_other(site: Site) -> None:
    circle = "sample::geometry::shape::<Circle as Shape>"
    callers = site.json("/api/references", target=circle, relation="callers")["items"]
    assert {item["through"] for item in callers} == {"sample::geometry::shape::Shape"}
    assert {item["code_type"] for item in callers} == {"Function"}


def test_a_page_of_an_answer_is_a_part_of_the_whole(site: Site) -> None:
    whole = site.json("/api/references", target="sample::geometry::shape::Shape")
    assert whole["total"] == len(whole["items"]) > 4
    pages = [
        site.json("/api/references", target=whole["target"]["id"], offset=offset, limit=3)
        for offset in range(0, whole["total"], 3)
    ]
    assert [place for page in pages for place in page["items"]] == whole["items"]
    assert {page["total"] for page in pages} == {whole["total"]}
    beyond = site.json("/api/references", target=whole["target"]["id"], offset=10_000_000)
    assert (beyond["items"], beyond["total"]) == ([], whole["total"])


def test_what_uses_a_symbol_outside_the_index_is_known(site: Site) -> None:
    answer = site.json("/api/references", target="std::HashMap::remove", relation="callers")
    assert (answer["target"]["id"], answer["target"]["name"]) == (None, "remove")
    assert answer["target"]["symbol"].startswith("std::collections::")
    assert "sample::cache::Cache<K, V>::insert" in symbols(answer)
    assert answer["target"]["references"] is None


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (f"/api/structure/{NOBODY}/callers", 404),
        (f"/api/structure/{NOBODY}/references", 404),
        ("/api/references?target=nothing_is_called_so", 404),
        ("/api/references?target=area", 400),  # several are
        ("/api/references?target=a&depth=2", 404),
        (f"/api/structure/{NOBODY}/callers?project=nope", 404),
        (f"/api/structure/{NOBODY}/callers?kind=Struct", 400),
        (f"/api/structure/{NOBODY}/references?depth=2", 400),
        (f"/api/structure/{NOBODY}/implementations?depth=2", 400),
        (f"/api/structure/{NOBODY}/friends", 404),
        (f"/api/structure/{NOBODY}/callers?depth=0", 422),
        (f"/api/structure/{NOBODY}/callers?depth=11", 422),
        (f"/api/structure/{NOBODY}/callers?limit=0", 422),
        (f"/api/structure/{NOBODY}/callers?limit=101", 422),
        (f"/api/structure/{NOBODY}/callers?offset=-1", 422),
        (f"/api/structure/{NOBODY}/callers?offset=99999999999999999999", 422),
        ("/api/structure/x/callers", 422),
        ("/api/references", 422),
        ("/api/references?target=", 422),
        ("/api/references?target=x&relation=friends", 422),
        (f"/api/references?target={'x' * 2001}", 422),
    ],
)
def test_what_can_not_be_answered_is_refused(request_: str, status: int, site: Site) -> None:
    reply = site.get(request_)
    assert reply.status_code == status
    if status == 400:
        ErrorModel.model_validate_json(reply.content, strict=True)


def test_a_depth_is_refused_where_there_are_no_steps(site: Site) -> None:
    status, message = site.refusal("/api/references", target=AREA, depth=2)
    assert (status, "have no depth" in message) == (400, True)


def test_an_ambiguous_name_is_refused_with_what_it_may_mean(site: Site) -> None:
    reply = site.get("/api/references", target="area")
    refused = ErrorModel.model_validate(reply.json())
    assert (reply.status_code, len(refused.candidates or [])) == (400, 3)
    assert refused.candidates is not None
    assert refused.candidates[0].symbol == AREA
    assert "candidates" not in site.get("/api/references", target="none_is_called_so").json()


def test_openapi_has_the_shape_of_each_answer(site: Site) -> None:
    document = site.json("/openapi.json")
    for relation in RELATIONS:
        operation = document["paths"][f"/api/structure/{{structure_id}}/{relation}"]["get"]
        assert set(operation["responses"]) == {"200", "400", "404", "409", "422", "503"}
        model = "PlacesModel" if relation == "references" else "RelatedModel"
        shape = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert shape == {"$ref": f"#/components/schemas/{model}"}
        steps = relation in {"callers", "callees", "tests"}
        assert ("depth" in {parameter["name"] for parameter in operation["parameters"]}) == steps
    assert "UsePlace" in document["components"]["schemas"]


def test_an_index_without_references_says_so_and_what_adds_them(
    fake: Models, tmp_path: Path
) -> None:
    index_sample(tmp_path / "data")
    with served(SearchService(workspace_of(tmp_path / "data"), "sample")) as site:
        known = site.json("/api/search", q="area", mode="bm25", limit=1)["hits"][0]["id"]
        for relation in RELATIONS:
            status, message = site.refusal(f"/api/structure/{known}/{relation}")
            assert status == 409
            assert "--rebuild" in message


def test_without_the_file_of_places_callers_are_known_and_their_lines_are_not(
    linked: Path, tmp_path: Path, fake: Models
) -> None:
    data = copied(linked, tmp_path / "data")
    (places,) = data.rglob("places-*.parquet")
    places.unlink()
    with served(SearchService(workspace_of(data), "sample")) as site:
        status, message = site.refusal("/api/references", target=AREA)
        assert (status, "not on this machine" in message) == (409, True)
        assert site.json("/api/references", target=AREA, relation="callers")["total"] > 0


def test_the_file_of_places_is_opened_once_and_closed_with_its_generation(linked: Path) -> None:
    before = mapped("places-")
    with closing(SearchService(workspace_of(linked), "sample")) as service:
        with service.opened() as held:
            target = held.references.target(AREA)
            for _ in range(3):
                assert held.references.references(target).total
        assert mapped("places-") == before + 1
    assert mapped("places-") == before
