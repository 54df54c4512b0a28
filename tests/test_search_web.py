"""The HTTP API, asked over HTTP: the application runs in uvicorn, on a port of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families
from searchable import (
    DEFAULT_MODEL,
    Models,
    Site,
    document,
    fake_models,
    index_sample,
    mapped,
    model_digests,
    served,
    settings_of,
    structures_of,
    until,
    workspace_of,
)

from search.engine import Searcher
from search.filters import Filters
from search.opening import open_searcher
from search.published import connect
from search.service import SearchService
from search.sources import Sources
from search.web.models import (
    AnswerModel,
    ErrorModel,
    FileModel,
    MapModel,
    Model,
    StatusModel,
    StructureModel,
)

from conftest import PROJECT_ROOT, SAMPLE, copied

CACHE = (SAMPLE / "src/cache.rs").read_text().splitlines()
ROUTES = [
    "/api/search?q=x",
    "/api/similar?id=00000000-0000-0000-0000-000000000000",
    "/api/structure/00000000-0000-0000-0000-000000000000",
    "/api/file?path=src/cache.rs",
    "/api/map",
    "/api/status",
    "/healthz",
]
"""Those that need an index."""


@pytest.fixture(scope="module")
def fake() -> Iterator[Models]:
    with fake_models() as models:
        yield models


@pytest.fixture(scope="module")
def sample(fake: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an index of the sample; not to be changed."""
    data = tmp_path_factory.mktemp("searchable") / "data"
    index_sample(data)
    return data


@pytest.fixture(scope="module")
def site(sample: Path) -> Iterator[Site]:
    """A server of it; nothing is published meanwhile."""
    with served(SearchService(workspace_of(sample), "sample")) as running:
        yield running


@pytest.fixture(scope="module")
def searcher(sample: Path) -> Iterator[Searcher]:
    """What the library answers from the same index."""
    workspace = workspace_of(sample)
    with closing(connect(workspace)) as index:
        yield open_searcher(workspace, index, "sample")


@pytest.fixture(scope="module")
def elsewhere(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the data folder that nothing serves."""
    return copied(sample, tmp_path_factory.mktemp("elsewhere") / "data")


@pytest.fixture
def own(sample: Path, tmp_path: Path) -> Path:
    """A copy of the data folder that a test may change."""
    return copied(sample, tmp_path / "data")


@pytest.fixture
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was published is looked for ten times a second."""
    monkeypatch.setattr("search.service._LOOK_S", 0.1)


@pytest.fixture
def own_site(own: Path) -> Iterator[Site]:
    with served(SearchService(workspace_of(own), "sample")) as running:
        yield running


@pytest.fixture(scope="module")
def bare_site(fake: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server without an index."""
    with served(SearchService(workspace_of(tmp_path_factory.mktemp("bare") / "data"))) as running:
        yield running


def names(answer: dict[str, Any]) -> list[str]:
    return [hit["name"] for hit in answer["hits"]]


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer as JSON without its times, which must add up."""
    answer = orjson.loads(orjson.dumps(answer))
    spent = answer["latency_ms"]
    assert list(spent) == ["encode", "qdrant", "fuse", "total"]
    assert spent["total"] == pytest.approx(
        spent["encode"] + spent["qdrant"] + spent["fuse"], abs=0.05
    )
    return {key: value for key, value in answer.items() if key != "latency_ms"}


# ---- Answers


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "text", "limit": 3},
        {"mode": "code", "limit": 100},
        {"mode": "bm25", "lines": True},
        {"mode": "blocks"},
        {"mode": "merged", "limit": 40},
        {"tests": "exclude", "kind": ["Function", "Struct"]},
        {"tests": "only", "mode": "bm25"},
        {"crate": "sample", "path": ["src/geometry", "src/c*.rs"], "visibility": "pub"},
        {"module": "geometry", "owner": "Point", "trait": "Add", "limit": 1},
        {"group_by": "file", "group_size": 2, "limit": 4},
        {"group_by": "kind", "mode": "text", "group_size": 20, "limit": 100},
        {"crate": "absent"},
    ],
)
def test_a_search_answers_what_the_library_answers_in_the_documented_shape(
    options: dict[str, Any], site: Site, searcher: Searcher
) -> None:
    reply = site.get("/api/search", q="evict the oldest entry", **options)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    answer = reply.json()
    assert AnswerModel.model_validate_json(reply.content, strict=True).model_dump() == answer
    chosen = {
        name: options.pop(name)
        for name in list(options)
        if name not in ("mode", "limit", "lines", "group_by", "group_size")
    }
    tests = chosen.pop("tests", "include")
    filters = Filters(
        **{name: (one,) if isinstance(one, str) else tuple(one) for name, one in chosen.items()},
        tests=tests,
    )
    known = searcher.search(
        "evict the oldest entry", options.pop("mode", "hybrid"), filters=filters, **options
    )
    assert without_times(answer) == without_times(known.to_dict())


def test_a_search_finds_the_sources_place_and_text(site: Site) -> None:
    answer = site.json(
        "/api/search", q="evict oldest entries", mode="bm25", tests="exclude", limit=1, lines=True
    )
    assert (answer["query"], answer["mode"], answer["project"], answer["commit"]) == (
        "evict oldest entries",
        "bm25",
        "sample",
        "0123abc",
    )
    (hit,) = answer["hits"]
    assert (hit["symbol"], hit["file_path"], hit["code_type"]) == (
        "sample::cache::Cache<K, V>::insert",
        "src/cache.rs",
        "Function",
    )
    assert (hit["line"], hit["line_from"], hit["line_to"]) == (59, 57, 69)
    assert hit["snippet"].splitlines() == CACHE[56:69]
    assert hit["signature"] == "fn insert(&mut self, key: K, value: V) -> Option<V>"
    assert (
        hit["summary"]
        == "Stores a value, evicts the oldest entries that no longer fit, and returns the"
    )
    assert hit["lines"][0]["line"] == 57
    assert hit["lines"][0]["text"] == CACHE[56]


@pytest.mark.parametrize(
    "options",
    [{}, {"mode": "text", "limit": 2}, {"mode": "code", "tests": "exclude"}, {"group_by": "file"}],
)
def test_what_is_similar_is_what_the_library_says_in_the_documented_shape(
    options: dict[str, Any], site: Site, searcher: Searcher
) -> None:
    wanted = searcher.resolve("sample::retry::retry")
    reply = site.get("/api/similar", id=wanted, **options)
    answer = reply.json()
    assert AnswerModel.model_validate_json(reply.content, strict=True).model_dump() == answer
    filters = Filters(tests=options.pop("tests", "include"))
    known = searcher.similar(wanted, options.pop("mode", "hybrid"), filters=filters, **options)
    assert without_times(answer) == without_times(known.to_dict())
    assert wanted not in [hit["id"] for hit in answer["hits"]]
    assert (answer["query"], answer["confidence"]) == ("sample::retry::retry", None)


def test_an_id_may_be_written_in_any_usual_way(site: Site, searcher: Searcher) -> None:
    wanted = searcher.resolve("sample::retry::retry")
    for written in (wanted.upper(), wanted.replace("-", ""), f"{{{wanted}}}"):
        assert site.json(f"/api/structure/{written}")["id"] == wanted


def test_a_structure_has_its_blocks(site: Site, searcher: Searcher) -> None:
    reply = site.get(f"/api/structure/{searcher.resolve('sample::retry::retry')}")
    structure = reply.json()
    assert StructureModel.model_validate_json(reply.content, strict=True).model_dump() == structure
    assert (structure["symbol"], structure["file_path"]) == ("sample::retry::retry", "src/retry.rs")
    assert (structure["line"], structure["line_from"], structure["line_to"]) == (49, 42, 63)
    assert (structure["references"], structure["referencing_files"]) == (2, 1)
    assert [
        (block["kind"], block["line_from"], block["line_to"]) for block in structure["blocks"]
    ] == [
        ("loop", 54, 62),
        ("match", 55, 61),
        ("match", 57, 60),
    ]
    assert (
        structure["snippet"].splitlines()
        == (SAMPLE / "src/retry.rs").read_text().splitlines()[41:63]
    )


def test_a_file_is_shown_as_it_is_with_its_structures(site: Site, searcher: Searcher) -> None:
    reply = site.get("/api/file", path="src/cache.rs")
    view = reply.json()
    assert FileModel.model_validate_json(reply.content, strict=True).model_dump() == view
    assert (view["file_path"], view["origin"], view["complete"], view["commit"]) == (
        "src/cache.rs",
        "disk",
        True,
        "0123abc",
    )
    assert view["lines"] == CACHE
    assert view == Sources(searcher.generation, SAMPLE).view("src/cache.rs").to_dict()
    assert [outline["line_from"] for outline in view["structures"]] == sorted(
        outline["line_from"] for outline in view["structures"]
    )
    known = {
        outline["name"]: (outline["line_from"], outline["line"], outline["line_to"])
        for outline in view["structures"]
    }
    assert (known["DEFAULT_CAPACITY"], known["insert"], known["mix"]) == (
        (6, 7, 7),
        (57, 59, 69),
        (122, 123, 125),
    )


def test_every_indexed_file_is_shown_as_it_is(site: Site) -> None:
    paths = sorted(str(path.relative_to(SAMPLE)) for path in SAMPLE.rglob("*.rs"))
    assert len(paths) == 10
    for path in paths:
        view = site.json("/api/file", path=path)
        assert view["complete"]
        assert view["lines"] == (SAMPLE / path).read_text().removesuffix("\n").split("\n")


def test_the_status_says_what_is_searched(site: Site, searcher: Searcher) -> None:
    reply = site.get("/api/status")
    status = reply.json()
    assert StatusModel.model_validate_json(reply.content, strict=True).model_dump() == status
    assert (status["project"], status["projects"], status["commit"]) == (
        "sample",
        ["sample"],
        "0123abc",
    )
    assert (status["structures"], status["blocks"], status["generation"]) == (
        77,
        8,
        searcher.generation.name,
    )
    assert status["coverage"] is None  # this index was made of records alone
    assert status["values"]["crate"] == {"sample": 74, "area": 3}
    assert site.json("/healthz") == {"status": "ok", "generation": searcher.generation.name}


def test_the_map_is_made_in_the_background_then_returned_and_saved(
    own: Path, own_site: Site, look_often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()

    def on_a_plane(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        assert asked.wait(30)  # else it may be made before the first answer
        return np.asarray(vectors[:, :2] / np.abs(vectors[:, :2]).max())

    monkeypatch.setattr("search.projection.on_a_plane", on_a_plane)
    first = own_site.get("/api/map")
    assert (first.status_code, first.json()) == (202, {"state": "computing"})
    asked.set()
    until(lambda: own_site.get("/api/map").status_code == 200)
    reply = own_site.get("/api/map")
    made = reply.json()
    assert MapModel.model_validate_json(reply.content, strict=True).model_dump() == made
    assert (made["state"], made["total"], made["sampled"], len(made["points"])) == (
        "ready",
        77,
        False,
        77,
    )
    assert max(max(abs(point["x"]), abs(point["y"])) for point in made["points"]) == 1.0
    assert len({(point["x"], point["y"]) for point in made["points"]}) > 70
    assert {point["symbol"] for point in made["points"]} == {
        structure.symbol for structure in structures_of(own)
    }
    assert orjson.loads((own / "projects/sample/map.json").read_bytes())["map"] == made
    asked.clear()
    document(own, "zyzzyva")
    until(lambda: own_site.get("/api/map").status_code == 202, 5.0)
    asked.set()
    until(lambda: own_site.get("/api/map").status_code == 200)
    kept: str = orjson.loads((own / "projects/sample/map.json").read_bytes())["generation"]
    assert kept.startswith(own_site.json("/healthz")["generation"])


def test_a_map_that_can_not_be_made_is_an_error_not_a_promise_for_ever(
    own_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_live: object) -> dict[str, Any]:
        raise MemoryError("too many")

    monkeypatch.setattr("search.service.make_map", fail)
    assert own_site.get("/api/map").status_code == 202
    until(lambda: own_site.get("/api/map").status_code >= 500, 3.0)


def test_an_answer_is_called_good_by_the_threshold_and_the_others_are_counted(
    sample: Path, tmp_path: Path
) -> None:
    calibration = tmp_path / "calibration.json"
    modes = {"bm25": {"": -3.0, "bm25": 0.0}, "code": {"": 3.0, "code": 0.0}}
    calibration.write_bytes(
        orjson.dumps({"version": 2, "models": model_digests(settings_of(sample)), "modes": modes})
    )
    with served(
        SearchService(workspace_of(sample, f"search.calibration={calibration}"), "sample")
    ) as site:
        found = {
            mode: site.json("/api/search", q="oldest", mode=mode)
            for mode in ("bm25", "code", "text")
        }
        told = {mode: (one["confidence"], one["good"]) for mode, one in found.items()}
        assert told == {"bm25": (0.0474, False), "code": (0.9526, True), "text": (None, True)}
        assert len(found["bm25"]["hits"]) > 0
        assert metrics(site)["lsif_ingest_searches_without_good_match_total", ()] == 1.0


# ---- Documentation


def test_openapi_names_every_route(bare_site: Site) -> None:
    paths = bare_site.json("/openapi.json")["paths"]
    assert sorted(paths) == [
        "/api/file",
        "/api/map",
        "/api/references",
        "/api/search",
        "/api/similar",
        "/api/status",
        "/api/structure/{structure_id}",
        "/api/structure/{structure_id}/callees",
        "/api/structure/{structure_id}/callers",
        "/api/structure/{structure_id}/implementations",
        "/api/structure/{structure_id}/references",
        "/api/structure/{structure_id}/tests",
        "/healthz",
        "/metrics",
    ]
    assert {method for operations in paths.values() for method in operations} == {"get"}


def test_openapi_has_the_bounds_of_every_parameter(bare_site: Site) -> None:
    paths = bare_site.json("/openapi.json")["paths"]
    schemas = {
        route: {
            parameter["name"]: parameter["schema"]
            for parameter in operations["get"].get("parameters", [])
        }
        for route, operations in paths.items()
    }
    search = schemas["/api/search"]
    assert (search["q"]["minLength"], search["q"]["maxLength"]) == (1, 2000)
    assert (search["limit"]["minimum"], search["limit"]["maximum"], search["limit"]["default"]) == (
        1,
        100,
        10,
    )
    assert (search["group_size"]["minimum"], search["group_size"]["maximum"]) == (1, 20)
    assert search["mode"]["enum"] == ["hybrid", "merged", "text", "code", "bm25", "blocks"]
    assert search["tests"]["enum"] == ["include", "exclude", "only"]
    for field in ("crate", "path", "module", "kind", "visibility", "owner", "trait"):
        assert (search[field]["maxItems"], search[field]["items"]["maxLength"]) == (50, 500)
    assert search["project"]["maxLength"] == 200
    assert schemas["/api/similar"]["id"]["format"] == "uuid"
    assert set(schemas["/api/similar"]) == {*search, "id"} - {"q", "lines"}
    assert schemas["/api/structure/{structure_id}"]["structure_id"]["format"] == "uuid"
    assert (
        schemas["/api/file"]["path"]["minLength"],
        schemas["/api/file"]["path"]["maxLength"],
    ) == (1, 4096)


def test_openapi_has_the_shape_of_every_answer(bare_site: Site) -> None:
    document = bare_site.json("/openapi.json")
    shapes = {
        "search": AnswerModel,
        "similar": AnswerModel,
        "file": FileModel,
        "map": MapModel,
        "status": StatusModel,
    }
    named: dict[str, type[Model]] = {f"/api/{name}": model for name, model in shapes.items()}
    for route, model in {**named, "/api/structure/{structure_id}": StructureModel}.items():
        replies = document["paths"][route]["get"]["responses"]
        assert set(replies) - {"202"} == {"200", "400", "404", "422", "503"}
        for status, expected in (("200", model), ("404", ErrorModel), ("503", ErrorModel)):
            shape = replies[status]["content"]["application/json"]["schema"]
            assert shape == {"$ref": f"#/components/schemas/{expected.__name__}"}
    known = set(document["components"]["schemas"])
    assert (
        set(re.findall(r'"#/components/schemas/(\w+)"', orjson.dumps(document).decode())) <= known
    )
    assert document["components"]["schemas"]["AnswerModel"]["additionalProperties"] is False


def test_pages_about_the_api_that_bring_foreign_scripts_are_off(bare_site: Site) -> None:
    assert [bare_site.get(path).status_code for path in ("/docs", "/redoc")] == [404, 404]


# ---- What is rejected


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ("/api/search?q=%20", 400, "the query is empty; expected some words or a piece of code."),
        (
            "/api/search?q=%E3%80%80%09%0A",
            400,
            "the query is empty; expected some words or a piece of code.",
        ),
        ("/api/search?q=x&project=absent", 404, "no project 'absent' is indexed."),
        ("/api/file?path=src/absent.rs", 404, "the index has no file 'src/absent.rs'."),
        (
            "/api/structure/00000000-0000-0000-0000-000000000000",
            404,
            "the index has no structure '00000000-0000-0000-0000-000000000000'.",
        ),
        (
            "/api/similar?id=00000000-0000-0000-0000-000000000000",
            404,
            "the index has no structure '00000000-0000-0000-0000-000000000000'.",
        ),
        ("/nothing", 404, "Not Found"),
        ("/api/", 404, "Not Found"),
    ],
)
def test_what_can_not_be_answered_is_rejected_with_a_reason(
    request_: str, status: int, message: str, site: Site
) -> None:
    assert site.refusal(request_) == (status, message)
    ErrorModel.model_validate_json(site.get(request_).content, strict=True)


@pytest.mark.parametrize(
    ("query", "place", "message"),
    [
        ("", "q", "Field required"),
        ("q=", "q", "at least 1 character"),
        ("q=" + "x" * 2001, "q", "at most 2000 characters"),
        ("q=x&limit=0", "limit", "greater than or equal to 1"),
        ("q=x&limit=101", "limit", "less than or equal to 100"),
        ("q=x&limit=-1", "limit", "greater than or equal to 1"),
        ("q=x&limit=99999999999999999999999", "limit", "less than or equal to 100"),
        ("q=x&limit=1e1", "limit", "valid integer"),
        ("q=x&limit=5&limit=500", "limit", "less than or equal to 100"),
        ("q=x&group_by=file&group_size=21", "group_size", "less than or equal to 20"),
        ("q=x&group_by=name", "group_by", "'module', 'file', 'crate' or 'kind'"),
        ("q=x&mode=magic", "mode", "'hybrid', 'merged', 'text', 'code', 'bm25' or 'blocks'"),
        ("q=x&tests=maybe", "tests", "'include', 'exclude' or 'only'"),
        ("q=x&lines=perhaps", "lines", "valid boolean"),
        ("q=x&project=" + "x" * 201, "project", "at most 200 characters"),
        ("q=x" + "&crate=a" * 51, "crate", "at most 50 items"),
        ("q=x" + "&path=a" * 51, "path", "at most 50 items"),
        ("q=x&path=a&path=" + "x" * 501, "path", "at most 500 characters"),
        ("q=x&trait=" + "x" * 501, "trait", "at most 500 characters"),
    ],
)
def test_what_is_out_of_bounds_is_rejected_and_named(
    query: str, place: str, message: str, site: Site
) -> None:
    reply = site.get(f"/api/search?{query}")
    assert reply.status_code == 422
    (problem,) = reply.json()["detail"]
    assert problem["loc"][:2] == ["query", place]
    assert message in problem["msg"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("/api/similar", 422),
        ("/api/similar?id=x", 422),
        ("/api/similar?id=sample::retry::retry", 422),
        ("/api/structure/x", 422),
        ("/api/structure/1", 422),
        ("/api/structure/", 404),
        ("/api/structure/..%2f..%2fetc", 404),
    ],
)
def test_what_is_no_id_is_rejected(request_: str, status: int, site: Site) -> None:
    assert site.get(request_).status_code == status


def test_the_longest_query_and_the_most_filters_are_taken(site: Site) -> None:
    most = "&".join(
        f"{field}={number}" for field in ("crate", "path", "module") for number in range(50)
    )
    answer = site.json(f"/api/search?q={'x' * 2000}&limit=100&{most}")
    assert (len(answer["query"]), answer["hits"]) == (2000, [])


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("%00", "\0"),
        ("a%00b", "a\0b"),
        ("%ff%fe", "\ufffd\ufffd"),
        ("%ed%a0%80", "\ufffd\ufffd\ufffd"),
        ("%f0%9f%a6%80", "🦀"),
        ("%", "%"),
        ("%zz", "%zz"),
        ("%2500", "%00"),
        ("a+b", "a b"),
        ("a%26limit=0", "a&limit=0"),
        ("a;limit=0", "a;limit=0"),
        ("%3Cscript%3E", "<script>"),
        ("..%2f..%2fetc%2fpasswd", "../../etc/passwd"),
        ("%E2%80%AE", "\u202e"),
    ],
)
def test_a_query_of_any_bytes_is_a_query(written: str, read: str, site: Site) -> None:
    for mode in ("hybrid", "bm25"):
        answer = site.json(f"/api/search?q={written}&mode={mode}&lines=true&limit=2")
        assert answer["query"] == read
        assert len(answer["hits"]) <= 2


@pytest.mark.parametrize(
    "value", ["%00", "[", "(?:", "../..", "\\", "*" * 500, "%ff", "{}", "'", '"', "src/**/../*"]
)
def test_a_filter_of_any_text_is_no_error_and_finds_nothing_it_should_not(
    value: str, site: Site
) -> None:
    for field in ("crate", "path", "module", "owner"):
        answer = site.json(f"/api/search?q=x&mode=bm25&{field}={value}")
        assert answer["hits"] == [] or (field, value) == ("path", "*" * 500)


def test_an_unknown_parameter_is_rejected_by_name(site: Site) -> None:
    """A misspelt filter must not widen the search."""
    status, detail = site.refusal("/api/search", q="oldest", crates="sample")
    assert status == 400
    assert detail.startswith("there is no parameter 'crates' here; expected called_by, calls, ")
    assert site.refusal("/api/status", q="x")[0] == 400
    assert site.get("/", crates="sample").status_code == 200  # the page's own address


def test_a_glob_can_not_keep_the_server_busy() -> None:
    """In its own process: a regular expression that backtracks blocks all threads for good."""
    ask = (
        "from search.filters import Filters\n"
        "files = ['lib/collection/src/collection/mmr/lazy_matrix.rs'] * 100\n"
        "for glob in ('**?' * 160 + 'Z', '*a*' * 160 + 'Z', '**/' * 160 + 'Z', '*?' * 240 + 'Z'):\n"
        "    found = Filters(path=(glob,)).conditions({'path': 'paths'}, lambda: files)\n"
        "    assert found is None, glob\n"
    )
    subprocess.run([sys.executable, "-c", ask], check=True, timeout=10, cwd=PROJECT_ROOT)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_everything_is_read_only(method: str, bare_site: Site) -> None:
    for path in ("/api/search?q=x", "/api/file?path=x", "/healthz", "/"):
        assert bare_site.client.request(method, path).status_code == 405


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /api/search?q=" + b"a" * 10_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/search?" + b"crate=a&" * 1_250_000 + b"q=a HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/search?q=\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 10_000_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\r\n\r\n",
        b"\0" * 100 + b"\r\n\r\n",
    ],
    ids=["long-query", "many-filters", "raw-bytes", "long-header", "two-hosts", "tls", "zeros"],
)
def test_what_is_no_sensible_request_is_rejected_and_the_next_is_answered(
    request_: bytes, site: Site
) -> None:
    status, _, _ = site.send(request_)
    assert status in (0, 400, 414, 431)
    assert site.json("/healthz")["status"] == "ok"


# ---- Files


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../../../../etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "Cargo.toml",
        "src",
        ".",
        "src/../Cargo.toml",
        "src/../src/cache.rs",
        "./src/cache.rs",
        "src//cache.rs",
        "/src/cache.rs",
        "src/cache.rs/",
        "src/cache.rs\0",
        "src/cache.rs\0.txt",
        "src\\cache.rs",
        "SRC/CACHE.RS",
        "%2e%2e/%2e%2e/etc/passwd",
        "src/cache.r?",
        "src/*",
        "SAMPLE/src/cache.rs",
    ],
)
def test_a_file_that_is_not_indexed_under_that_very_path_is_not_shown(
    path: str, site: Site
) -> None:
    path = path.replace("SAMPLE", str(SAMPLE))
    assert site.refusal("/api/file", path=path) == (404, f"the index has no file {path!r}.")


@pytest.mark.parametrize(
    "target",
    [
        b"/../../../../etc/passwd",
        b"//etc/passwd",
        b"/..%2f..%2f..%2fetc%2fpasswd",
        b"/main.js/../../web/app.py",
        b"/main.js%00",
        b"/page.js",
        b"/%2e%2e/web.py",
        b"/index.html/..%5c..%5cweb.py",
        b"/.git/config",
    ],
)
def test_no_other_file_is_served(target: bytes, site: Site) -> None:
    status, _, body = site.send(
        b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    assert (status, orjson.loads(body)) == (404, {"detail": "Not Found"})


@pytest.fixture(scope="module")
def changed_root(fake: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of the sample whose sources, no git repository, changed after they were indexed."""
    folder = tmp_path_factory.mktemp("changed")
    root, outside = Path(shutil.copytree(SAMPLE, folder / "root")), folder / "outside"
    outside.mkdir()
    index_sample(folder / "data", root, commit=None)

    source = root / "src"
    (source / "retry.rs").write_text(
        (source / "retry.rs").read_text().replace("thread::sleep(pause)", "stolen()")
    )
    (source / "macros.rs").rename(outside / "macros.rs")
    (outside / "macros.rs").write_text("// secret " + (outside / "macros.rs").read_text())
    (source / "macros.rs").symlink_to(outside / "macros.rs")
    (source / "geometry").rename(outside / "geometry")
    (source / "geometry").symlink_to(outside / "geometry")
    (source / "tests.rs").unlink()
    os.mkfifo(source / "tests.rs")
    with (source / "lib.rs").open("ab") as file:
        file.write(b"// \xff\n")
    with (source / "unicode.rs").open("ab") as file:
        file.truncate(5_000_000)
    (root / "tests/area.rs").unlink()
    (root / "tests/area.rs").mkdir()
    with served(SearchService(workspace_of(folder / "data"), "sample")) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "changed_how"),
    [
        ("src/retry.rs", "other text"),
        ("src/macros.rs", "a link out of the root"),
        ("src/geometry/shape.rs", "in a folder that is a link out of the root"),
        ("src/tests.rs", "a pipe"),
        ("src/lib.rs", "no UTF-8"),
        ("src/unicode.rs", "too large"),
        ("tests/area.rs", "a folder"),
    ],
)
def test_of_a_file_that_is_no_longer_what_was_indexed_what_the_index_holds_is_shown(
    path: str, changed_how: str, changed_root: Site
) -> None:
    view = changed_root.json("/api/file", path=path)
    assert (view["origin"], view["complete"], view["commit"]) == ("index", False, None)
    indexed = (SAMPLE / path).read_text().split("\n")
    held = {
        number
        for outline in view["structures"]
        for number in range(outline["line_from"], outline["line_to"] + 1)
    }
    for number, line in enumerate(view["lines"], start=1):
        if number in held:
            assert line == indexed[number - 1]
        else:
            assert line in (None, indexed[number - 1])  # the module's own, which has its first line
    assert None in view["lines"]
    assert "secret" not in str(view)


def test_lines_come_without_their_ends_whatever_these_are(changed_root: Site) -> None:
    view = changed_root.json("/api/file", path="src/error.rs")
    assert (view["origin"], view["complete"]) == ("disk", True)
    assert view["lines"] == (SAMPLE / "src/error.rs").read_text().splitlines()


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def committed(
    fake: Models, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, str, Path]]:
    """A server of the sample in a repository with later commits; the indexed commit; its root."""
    folder = tmp_path_factory.mktemp("committed")
    git(folder, "init", "-q", "repository")
    root = Path(shutil.copytree(SAMPLE, folder / "repository/crates/sample"))
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    commit = git(root, "rev-parse", "HEAD")
    index_sample(folder / "data", root, commit=commit)
    (root / "src/cache.rs").write_text("// another text\n" + (root / "src/cache.rs").read_text())
    (root / "src/retry.rs").unlink()
    git(root, "commit", "-q", "-a", "-m", "second")
    error = root / "src/error.rs"
    error.write_bytes(
        error.read_bytes().replace(
            b"use std::fmt;", b"use std::fmt; // changed between the structures"
        )
    )
    with served(SearchService(workspace_of(folder / "data"), "sample")) as running:
        yield running, commit, root


def test_the_text_of_the_indexed_commit_is_shown_though_the_repository_went_on(
    committed: tuple[Site, str, Path],
) -> None:
    site, commit, _ = committed
    view = site.json("/api/file", path="src/cache.rs")
    assert (view["origin"], view["complete"], view["commit"]) == ("commit", True, commit)
    assert view["lines"] == CACHE
    assert site.json("/api/file", path="src/retry.rs")["origin"] == "commit"
    assert "use std::fmt;" in site.json("/api/file", path="src/error.rs")["lines"]


def test_without_git_what_is_on_the_disk_is_shown_and_without_that_what_the_index_holds(
    committed: tuple[Site, str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, commit, _ = committed
    monkeypatch.setattr("machine.git.shutil.which", lambda _name: None)
    view = site.json("/api/file", path="src/lib.rs")
    assert (view["origin"], view["complete"], view["commit"]) == ("disk", True, commit)
    with site.service.opened() as held:
        monkeypatch.setattr(held.sources, "root", None)
        view = site.json("/api/file", path="src/geometry/shape.rs")
    assert (view["origin"], view["complete"], view["commit"]) == ("index", False, commit)
    shape = (SAMPLE / "src/geometry/shape.rs").read_text().splitlines()
    for outline in view["structures"]:
        assert (
            view["lines"][outline["line_from"] - 1 : outline["line_to"]]
            == shape[outline["line_from"] - 1 : outline["line_to"]]
        )
    assert None in view["lines"]


# ---- Headers, hosts, the page


def assert_safe(headers: httpx.Headers | dict[str, str]) -> None:
    """Assert what every answer's headers say, and do not."""
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert not [
        name
        for name in headers
        if name.startswith("access-control-") or name in ("server", "set-cookie")
    ]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/main.js", 200),
        ("GET", "/page.css", 200),
        ("GET", "/api/search?q=x", 200),
        ("GET", "/metrics", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/api/search?q=%20", 400),
        ("GET", "/nothing", 404),
        ("GET", "/api/file?path=x", 404),
        ("POST", "/api/search", 405),
        ("OPTIONS", "/api/search", 405),
        ("GET", "/api/search", 422),
    ],
)
def test_every_answer_has_the_headers_that_protect_and_none_for_other_sites(
    method: str, path: str, status: int, site: Site
) -> None:
    origin = {"Origin": "http://evil.example", "Access-Control-Request-Method": "GET"}
    reply = site.client.request(method, path, headers=origin)
    assert reply.status_code == status
    assert_safe(reply.headers)


def test_a_defect_is_answered_in_the_same_shape_and_counted_and_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(SearchService, "status", fail)
    with served(SearchService(workspace_of(tmp_path))) as site:
        reply = httpx.get(f"http://127.0.0.1:{site.port}/api/status", trust_env=False)
        assert reply.status_code == 500
        assert "secret" not in reply.text
        ErrorModel.model_validate_json(reply.content, strict=True)
        assert_safe(reply.headers)
        assert (
            metrics(site)[
                "lsif_ingest_requests_total", (("route", "/api/status"), ("status", "500"))
            ]
            == 1.0
        )


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:1", "LOCALHOST", "[::1]", "[::1]:8000"],
)
def test_this_machines_names_are_served(host: str, bare_site: Site) -> None:
    assert bare_site.client.get("/openapi.json", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "evillocalhost",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "10.0.0.1",
        "",
        "192.168.0.1",
        "[::2]",
    ],
)
def test_a_foreign_host_name_is_rejected_on_every_path(host: str, bare_site: Site) -> None:
    for path in ("/", "/api/status", "/metrics", "/healthz", "/nothing"):
        reply = bare_site.client.get(path, headers={"Host": host})
        assert (reply.status_code, reply.text) == (400, "Invalid host header")
        assert_safe(reply.headers)


def test_a_request_without_a_host_is_rejected(bare_site: Site) -> None:
    status, headers, _ = bare_site.send(b"GET /openapi.json HTTP/1.0\r\n\r\n")
    assert status == 400
    assert_safe(headers)


def test_names_that_were_allowed_are_served(tmp_path: Path) -> None:
    for hosts, refused in ((("search.example", "*.lab.example"), 400), (("*",), 200)):
        with served(SearchService(workspace_of(tmp_path)), hosts) as site:
            found = [
                site.client.get("/openapi.json", headers={"Host": host}).status_code
                for host in ("search.example", "one.lab.example:8000", "evil.example")
            ]
            assert found == [200, 200, refused]


def test_the_page_brings_everything_itself(bare_site: Site) -> None:
    page = bare_site.get("/")
    assert media_type(page) == "text/html"
    assert "<script>" not in page.text
    assert not re.search(r"""\bon\w+=["']""", page.text)
    named = set(re.findall(r'<(?:script|link)[^>]*(?:src|href)="([^"]*)"', page.text))
    assert named == {"main.js", "page.css", "icon.svg"}
    assert media_type(bare_site.get("/page.css")) == "text/css"
    assert media_type(bare_site.get("/icon.svg")) == "image/svg+xml"
    scripts, left = dict[str, str](), ["main.js"]
    while left:  # the modules that the page loads, and nothing else
        reply = bare_site.get(f"/{left.pop()}")
        assert media_type(reply) == "text/javascript"
        name = str(reply.url).rpartition("/")[2]
        scripts[name] = reply.text
        imported = re.findall(r"""from "\./(\w+\.js)";""", reply.text)
        left += sorted({*imported} - {*scripts, *left})
    assert set(scripts) == {path.name for path in (PROJECT_ROOT / "search/page").glob("*.js")}
    assert not any("innerHTML" in script or "import(" in script for script in scripts.values())
    assert any("No good match" in script for script in scripts.values())


def media_type(reply: httpx.Response) -> str:
    return reply.headers["content-type"].partition(";")[0]


# ---- Metrics


def metrics(site: Site) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return what Prometheus reads, by name and labels."""
    families = text_string_to_metric_families(site.get("/metrics").text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_requests_and_phases_are_counted(own_site: Site) -> None:
    for _ in range(3):
        own_site.json("/api/search", q="oldest", mode="bm25")
    own_site.json("/api/search", q="oldest")
    own_site.get("/api/search")
    own_site.get("/nothing/1")
    own_site.get("/nothing/2")
    own_site.client.get("/healthz", headers={"Host": "evil.example"})
    own_site.json("/api/file", path="src/cache.rs")
    own_site.get("/api/structure/00000000-0000-0000-0000-000000000000")
    read = metrics(own_site)
    requests = {
        labels: value
        for (name, labels), value in read.items()
        if name == "lsif_ingest_requests_total"
    }
    assert {
        (dict(labels)["route"], dict(labels)["status"]): value for labels, value in requests.items()
    } == {
        ("/api/search", "200"): 4.0,
        ("/api/search", "422"): 1.0,
        ("other", "404"): 2.0,
        ("other", "400"): 1.0,
        ("/api/file", "200"): 1.0,
        ("/api/structure/{structure_id}", "404"): 1.0,
    }
    assert read["lsif_ingest_request_seconds_count", (("route", "/api/search"),)] == 5.0
    assert 0 < read["lsif_ingest_request_seconds_sum", (("route", "/api/search"),)] < 60
    for phase in ("encode", "qdrant", "fuse"):
        assert (
            read["lsif_ingest_search_phase_seconds_count", (("mode", "bm25"), ("phase", phase))]
            == 3.0
        )
        assert (
            read["lsif_ingest_search_phase_seconds_count", (("mode", "hybrid"), ("phase", phase))]
            == 1.0
        )
    assert read["lsif_ingest_structures", (("project", "sample"),)] == 77.0
    assert read["process_resident_memory_bytes", ()] > 1e7


def test_metrics_are_available_without_an_index_too(bare_site: Site) -> None:
    assert bare_site.get("/metrics").status_code == 200
    assert not [name for name, _ in metrics(bare_site) if name == "lsif_ingest_structures"]


# ---- No index, new generations, damage


@pytest.mark.parametrize("route", ROUTES)
def test_without_an_index_the_error_names_the_command_that_creates_one(
    route: str, bare_site: Site
) -> None:
    status, message = bare_site.refusal(route)
    assert status == 503
    assert "there is no index at" in message
    assert "lsif-ingest ingest --repo DIR" in message
    assert_safe(bare_site.get(route).headers)


def test_an_index_that_is_made_while_the_server_runs_is_served_and_one_that_is_removed_is_missed(
    sample: Path, tmp_path: Path, look_often: None
) -> None:
    data = tmp_path / "data"
    with served(SearchService(workspace_of(data))) as site:
        assert site.get("/healthz").status_code == 503
        copied(sample, data)
        assert names(site.json("/api/search", q="evict oldest entries", mode="bm25"))[:2] == [
            "oldest_entry_is_evicted",
            "insert",
        ]
        shutil.rmtree(data / "qdrant")
        until(lambda: site.get("/healthz").status_code == 503, 5.0)
        for route in ROUTES:
            assert site.refusal(route)[0] == 503
        index_sample(data)
        until(lambda: site.get("/healthz").status_code == 200, 5.0)
        assert len(site.json("/api/search", q="oldest")["hits"]) == 10
        live = site.json("/healthz")["generation"]
        assert mapped(f"{data}/") == mapped(f"{data}/qdrant/sample/{live}/") > 0


def test_a_generation_that_is_published_while_requests_run_is_served_without_an_error(
    own: Path, own_site: Site, fake: Models
) -> None:
    own_site.json("/api/search", q="oldest entries")
    loaded, first = len(fake.loaded), own_site.json("/healthz")["generation"]
    ended, failures, answered = threading.Event(), Counter[str](), Counter[str]()

    def ask(mode: str) -> None:
        while not ended.is_set():
            reply = own_site.get("/api/search", q="oldest entries", mode=mode, limit=3)
            if reply.status_code != 200 or (
                mode == "bm25" and names(reply.json())[0] != "oldest_entry_is_evicted"
            ):
                failures[reply.text] += 1
            answered[reply.json()["generation"]] += 1
            time.sleep(0.005)

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, mode) for mode in ("hybrid", "bm25", "text", "merged")]
        try:
            for word in ("firstword", "secondword"):
                document(own, word)
                until(
                    lambda word=word: (
                        names(own_site.json("/api/search", q=word, mode="bm25")) == ["insert"]
                    ),
                    5.0,
                )
        finally:
            ended.set()
        for future in asking:
            future.result()
    assert failures == {}
    assert len(answered) >= 3
    assert min(answered.values()) > 0
    live = own_site.json("/healthz")["generation"]
    assert live > first
    assert mapped(f"{own}/") == mapped(f"{own}/qdrant/sample/{live}/") > 0
    assert len(fake.loaded) == loaded


def test_a_querys_vector_is_made_once_for_all_who_ask(site: Site, fake: Models) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: without_times(site.json("/api/search", q="made once for all")), range(16)
            )
        )
    assert fake.encoded("made once for all") == 1
    assert answers == [answers[0]] * 16


def test_eight_threads_get_the_answers_that_each_alone_gets(site: Site, searcher: Searcher) -> None:
    def search(query: str, **options: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
        known = searcher.search(query, options.get("mode", "hybrid"), limit=3)
        return "/api/search", {"q": query, "limit": 3, **options}, without_times(known.to_dict())

    retry = searcher.resolve("sample::retry::retry")
    asked = [
        *(search(query) for query in ("wait longer", "area of a shape", "oldest entry")),
        *(
            search("oldest entry", mode=mode)
            for mode in ("text", "code", "bm25", "merged", "blocks")
        ),
        (
            "/api/similar",
            {"id": retry, "limit": 3},
            without_times(searcher.similar(retry, limit=3).to_dict()),
        ),
        (
            "/api/file",
            {"path": "src/cache.rs"},
            Sources(searcher.generation, SAMPLE).view("src/cache.rs").to_dict(),
        ),
    ]

    def ask(thread: int) -> list[int]:
        wrong = []
        for number in range(50):
            path, parameters, known = asked[(thread + number) % len(asked)]
            answer = site.json(path, **parameters)
            if (answer if "lines" in answer else without_times(answer)) != known:
                wrong.append(number)
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [[]] * 8


@pytest.mark.parametrize("harm", ["live", "configuration", "metadata", "structures", "blocks"])
def test_a_damaged_index_is_an_error_of_every_route_that_needs_it_and_of_the_health_check(
    harm: str, own: Path
) -> None:
    (live,) = (own / "qdrant/sample").glob("sample--*")
    if harm == "live":
        (own / "qdrant/sample/live.json").write_bytes(b"\0\0\0\0")
    elif harm == "configuration":
        for path in (live / "shard").glob("*.json"):
            path.write_bytes(b"")
    elif harm == "metadata":
        (live / "metadata.json").write_bytes(b"{}")
    else:
        shutil.rmtree(live / ("shard" if harm == "structures" else "blocks"))
    with served(SearchService(workspace_of(own), "sample")) as site:
        for path in ("/healthz", "/api/search?q=x"):
            reply = site.get(path)
            assert reply.status_code == 503, path
            assert "Replace it: lsif-ingest ingest --rebuild" in reply.json()["detail"]


def test_an_index_of_other_models_is_rejected_with_the_way_out(sample: Path) -> None:
    with served(SearchService(workspace_of(sample, "embedding.code.max_tokens=64"))) as site:
        status, message = site.refusal("/api/search?q=x")
    assert status == 503
    assert f"was made with code = {DEFAULT_MODEL}" in message
    assert "--config FILE" in message


@pytest.mark.parametrize(
    "project", ["./sample", "sample/.", "../qdrant/sample", "OUTSIDE", "a%00b"]
)
def test_a_project_is_no_path(project: str, site: Site, sample: Path, elsewhere: Path) -> None:
    before = mapped(f"{elsewhere}/") + mapped(f"{sample}/")
    reply = site.get(
        f"/api/search?q=x&project={project.replace('OUTSIDE', str(elsewhere / 'qdrant/sample'))}"
    )
    assert reply.status_code == 404
    assert mapped(f"{elsewhere}/") + mapped(f"{sample}/") == before
