"""Searchers that stay open while indexes come, change and go; the map; the sources."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from searchable import (
    DEFAULT_TOLD,
    Models,
    document,
    fake_models,
    index_sample,
    index_tutorial,
    mapped,
    until,
    workspace_of,
)

from lsif.structure import Structure
from search import projection
from search.errors import FileUnknown, ProjectUnknown
from search.service import Opened, SearchService
from search.sources import Sources
from storage.embedded.index import EmbeddedIndex
from storage.errors import IndexDamaged, IndexMissing, StorageError
from storage.index import StoredPoint

from conftest import DATA, copied
from made_up import made


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
def both(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a second project, made later; not to be changed."""
    data = copied(sample, tmp_path_factory.mktemp("both") / "data")
    index_tutorial(data, DATA / "tutorial.jsonl", "tutorial")
    return data


@pytest.fixture(scope="module")
def standing(sample: Path) -> Iterator[SearchService]:
    """A service of the sample; nothing is published meanwhile."""
    with closing(SearchService(workspace_of(sample), "sample")) as opened:
        yield opened


@pytest.fixture
def own(sample: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return copied(sample, tmp_path / "data")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was published is looked for with every request."""
    monkeypatch.setattr("search.service._LOOK_S", 0.0)


@pytest.fixture
def service(own: Path) -> Iterator[SearchService]:
    with closing(SearchService(workspace_of(own), "sample")) as opened:
        yield opened


def generation(service: SearchService, collection: str = "") -> str:
    with service.opened(collection) as held:
        return held.searcher.generation.name


def in_use(data: Path, name: str) -> int:
    """Return how many files of a generation of the sample are open."""
    return mapped(f"{data}/qdrant/sample/{name}/")


def found(held: Opened, query: str) -> list[str]:
    """Return the names of what the words find."""
    return [hit.name for hit in held.searcher.search(query, "bm25").hits]


# ---- What is opened


def test_many_threads_at_once_open_the_index_once_and_load_the_model_once(
    both: Path, fake: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    import search.service as module

    opened, original, barrier = [], module.open_searcher, threading.Barrier(8)

    def counted(*arguments: object, **options: object) -> object:
        opened.append(arguments)
        return original(*arguments, **options)  # type: ignore[arg-type]

    def ask(_number: int) -> list[str]:
        barrier.wait()
        with service.opened() as held:
            assert len(held.searcher.search("oldest entries").hits) == 10
            return found(held, "oldest entries")

    fake.forget()
    service = SearchService(workspace_of(both), "sample")

    monkeypatch.setattr(module, "open_searcher", counted)
    with closing(service), ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert (len(opened), len(fake.loaded)) == (1, 1)
    assert answers == [answers[0]] * 8
    assert answers[0][:2] == ["oldest_entry_is_evicted", "insert"]


def test_what_is_published_is_looked_for_once_a_second_at_most(
    standing: SearchService, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, original = [], EmbeddedIndex.state

    def counted(index: EmbeddedIndex, collection: str) -> str | None:
        looks.append(collection)
        return original(index, collection)

    generation(standing)
    monkeypatch.setattr(EmbeddedIndex, "state", counted)
    monkeypatch.setattr("search.service._LOOK_S", 1000.0)
    assert len({generation(standing) for _ in range(20)}) == 1
    assert looks == []
    monkeypatch.setattr("search.service._LOOK_S", 0.0)
    generation(standing)
    assert looks == ["sample"]


def test_a_request_under_way_ends_on_the_generation_that_it_began_with_though_that_is_dropped(
    own: Path, service: SearchService, at_once: None
) -> None:
    with service.opened() as former:
        name = former.searcher.generation.name
        document(own, "first")
        document(own, "second")
        assert not (own / "qdrant/sample" / name).exists()
        with service.opened() as live:
            assert found(live, "second") == ["insert"]
        assert live is not former
        assert found(former, "second") == []
        assert found(former, "oldest entries")[:2] == ["oldest_entry_is_evicted", "insert"]
        assert former.searcher.search("anything").hits[0].snippet
        assert in_use(own, name) > 0
    assert in_use(own, name) == 0
    with pytest.raises(StorageError):
        former.searcher.search("oldest entries", "bm25")
    assert in_use(own, live.searcher.generation.name) > 0


def test_what_is_not_used_is_closed_when_the_service_is(both: Path) -> None:
    service = SearchService(workspace_of(both), "sample")
    name = generation(service)
    assert in_use(both, name) > 0
    service.close()
    service.close()
    assert in_use(both, name) == 0


def test_closing_waits_for_what_is_used(both: Path) -> None:
    service = SearchService(workspace_of(both), "sample")
    with service.opened() as held:
        service.close()
        assert found(held, "oldest entries")[:1] == ["oldest_entry_is_evicted"]
    assert in_use(both, held.searcher.generation.name) == 0


def test_a_closed_service_opens_again_when_it_is_asked(both: Path) -> None:
    with closing(SearchService(workspace_of(both), "sample")) as service:
        name = generation(service)
        service.close()
        assert generation(service) == name


# ---- Query vectors


def test_a_querys_vector_is_made_once(standing: SearchService, fake: Models) -> None:
    with standing.opened() as held:
        for mode in ("hybrid", "text", "code", "blocks", "merged", "bm25", "hybrid"):
            held.searcher.search("made once only", mode)
        assert fake.encoded("made once only") == 1
        held.searcher.search("made once only ", "text")
    assert fake.encoded("made once only ") == 1


def test_words_alone_need_no_model(standing: SearchService, fake: Models) -> None:
    with standing.opened() as held:
        held.searcher.search("words alone", "bm25")
    assert fake.encoded("words alone") == 0


# ---- No index, several, damaged ones


def test_without_an_index_the_error_names_the_command_that_creates_one(tmp_path: Path) -> None:
    with (
        closing(SearchService(workspace_of(tmp_path / "data"))) as service,
        pytest.raises(IndexMissing, match="there is no index at .*lsif-ingest ingest --repo DIR"),
    ):
        service.warm_up()


def test_a_project_that_was_named_may_be_made_later(sample: Path, tmp_path: Path) -> None:
    with closing(SearchService(workspace_of(tmp_path / "data"), "sample")) as service:
        with pytest.raises(IndexMissing, match="there is no index 'sample'"):
            generation(service)
        copied(sample, tmp_path / "data")
        assert generation(service).startswith("sample--")


def test_of_several_projects_the_one_made_last_is_searched_unless_another_is_named(
    both: Path,
) -> None:
    with closing(SearchService(workspace_of(both))) as service:
        assert service.collections() == ["sample", "tutorial"]
        assert generation(service).startswith("tutorial--")
        assert generation(service, "sample").startswith("sample--")
        with service.opened() as held:
            assert [hit.name for hit in held.searcher.search("wait until ready").hits] == [
                "await_ready_for_timeout"
            ]
        assert service.status()["projects"] == ["sample", "tutorial"]
        assert service.status("sample")["project"] == "sample"
    with closing(SearchService(workspace_of(both), "sample")) as service:
        assert generation(service).startswith("sample--")


def test_an_unknown_project_is_another_error_than_a_missing_index(standing: SearchService) -> None:
    with pytest.raises(ProjectUnknown, match="no project 'absent' is indexed"):
        generation(standing, "absent")


@pytest.mark.parametrize(
    "name",
    [
        "./sample",
        "sample/",
        "sample/.",
        "sample/../sample",
        "../qdrant/sample",
        "OUTSIDE",
        "..",
        ".",
        "a\0b",
        "é" * 150,
    ],
)
def test_a_project_is_named_by_its_name_never_by_a_path(
    name: str, standing: SearchService, both: Path
) -> None:
    """Otherwise each spelling would open the index again, and any folder could be read."""
    assert standing.collections() == ["sample"]
    with pytest.raises(ProjectUnknown):
        generation(standing, name.replace("OUTSIDE", str(both / "qdrant/sample")))


def test_an_index_that_can_not_be_looked_at_is_searched_on_as_it_was(
    own: Path, service: SearchService, at_once: None, caplog: pytest.LogCaptureFixture
) -> None:
    before = generation(service)
    (own / "qdrant/sample/live.json").write_bytes(b"{")
    with caplog.at_level(logging.WARNING, logger="search.service"):
        assert generation(service) == before
    assert "can't check for a new generation of sample" in caplog.text


def test_a_damaged_index_is_reported_and_leaves_nothing_open(
    own: Path, service: SearchService
) -> None:
    (live,) = (own / "qdrant/sample").glob("sample--*")
    for path in (live / "shard").glob("*.json"):
        path.write_bytes(b"garbage")
    for _ in range(3):
        with pytest.raises(StorageError, match="can't be opened.*--rebuild"):
            generation(service)
    assert mapped(str(own)) == 0


def test_what_names_the_live_generation_may_be_damaged_from_the_start(
    own: Path, service: SearchService
) -> None:
    (own / "qdrant/sample/live.json").write_bytes(b"{")
    with pytest.raises(IndexDamaged, match="live.json can't be read.*--rebuild"):
        generation(service)


def test_one_damaged_project_hides_no_other(both: Path, tmp_path: Path) -> None:
    own = copied(both, tmp_path / "data")
    (own / "qdrant/tutorial/live.json").write_bytes(b"{")
    with closing(SearchService(workspace_of(own))) as service:
        assert generation(service).startswith("sample--")
        with pytest.raises(IndexDamaged):
            generation(service, "tutorial")


# ---- What is known of an index


def test_what_is_served_is_described_for_people(standing: SearchService) -> None:
    assert standing.describe() == "sample at 0123abc, 77 structures,"


def test_the_status_has_the_values_that_can_be_filtered_on_the_commonest_first(
    standing: SearchService,
) -> None:
    status = standing.status()
    assert (status["project"], status["commit"], status["dirty"]) == ("sample", "0123abc", False)
    assert (status["structures"], status["blocks"]) == (77, 8)
    assert status["modes"] == ["hybrid", "merged", "text", "code", "bm25", "blocks"]
    assert status["models"]["code"].startswith(DEFAULT_TOLD)
    values = status["values"]
    assert list(values) == ["crate", "module", "kind", "visibility", "owner", "trait", "origin"]
    assert list(values["crate"].items()) == [("sample", 74), ("area", 3)]
    assert list(values["module"].items()) == [("src", 50), ("geometry", 24), ("tests", 3)]
    assert list(values["kind"].items())[:2] == [("Function", 42), ("Module", 10)]


# ---- The map


def test_the_map_is_made_once_and_kept_for_its_generation(
    own: Path, service: SearchService, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    asked = threading.Event()

    def on_a_plane(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        assert asked.wait(20)
        return np.zeros((len(vectors), 2), dtype=np.float32)

    monkeypatch.setattr("search.projection.on_a_plane", on_a_plane)
    monkeypatch.setattr(
        "search.service.make_map", lambda live: made.append(live.name) or projection.make_map(live)
    )
    assert service.map() is None
    asked.set()
    until(lambda: service.map() is not None)
    first = service.map()
    assert first is not None
    assert (first["total"], first["sampled"], len(first["points"])) == (77, False, 77)
    with closing(SearchService(workspace_of(own), "sample")) as another:
        assert another.map() == first
    assert made == [generation(service)]


def test_the_generation_whose_map_is_being_made_stays_open_until_it_is_made(
    own: Path, service: SearchService, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def make(live: object) -> dict[str, object]:
        begun.set()
        assert go_on.wait(20)
        return projection.make_map(live)  # type: ignore[arg-type]

    monkeypatch.setattr(
        "search.projection.on_a_plane",
        lambda vectors: np.zeros((len(vectors), 2), dtype=np.float32),
    )
    monkeypatch.setattr("search.service.make_map", make)
    former = generation(service)
    assert service.map() is None
    assert begun.wait(20)
    document(own, "zyzzyva")
    assert generation(service) > former
    assert in_use(own, former) > 0
    go_on.set()
    until(lambda: in_use(own, former) == 0)


# ---- Where the sources are


class FewPoints:
    """A generation of one structure on one line of a file, as far as Sources needs it."""

    def __init__(self, file_path: str) -> None:
        shown = made("shown", lines=(1, 1), file_path=file_path).structure
        self._point = StoredPoint(
            shown.id, replace(shown, context=replace(shown.context, snippet="fn shown() {}\n")), {}
        )
        self.metadata = SimpleNamespace(commit=None)

    @property
    def structures(self) -> FewPoints:
        return self

    def scroll(self, where: object) -> list[StoredPoint[Structure]]:  # noqa: ARG002 - there is one
        return [self._point]


@pytest.mark.parametrize(
    "place", ["../outside.rs", "OUTSIDE", "inside/../../outside.rs", "link.rs", "folder/outside.rs"]
)
def test_a_path_that_leads_out_of_the_root_is_not_read_whatever_the_index_says(
    place: str, tmp_path: Path
) -> None:
    outside, root = tmp_path / "outside.rs", tmp_path / "root"
    outside.write_text("fn shown() {}\n// secret\n")
    (root / "inside").mkdir(parents=True)
    (root / "link.rs").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path)
    path = place.replace("OUTSIDE", str(outside))
    generation: Any = FewPoints(path)
    view = Sources(generation, root).view(path)
    assert (view.origin, view.complete, view.lines) == ("index", False, ["fn shown() {}"])
    with pytest.raises(FileUnknown, match="the index has no file 'outside.rs'"):
        Sources(generation, root).view("outside.rs")


def test_a_path_that_stays_in_the_root_is_read_by_whatever_link(tmp_path: Path) -> None:
    (tmp_path / "real.rs").write_text("fn shown() {}\n// more\n")
    (tmp_path / "link.rs").symlink_to(tmp_path / "real.rs")
    generation: Any = FewPoints("link.rs")
    view = Sources(generation, tmp_path).view("link.rs")
    assert (view.origin, view.complete, view.lines) == ("disk", True, ["fn shown() {}", "// more"])
