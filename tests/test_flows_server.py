"""The commands on a Qdrant server: moving an index there, its limits, what killed runs left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from qdrant_client import QdrantClient
from qdrant_server import running_double
from searchable import fake_models, index_sample, workspace_of
from servers import SAMPLE_METADATA, server_index

from flows.doctor import index as doctor_index
from flows.locks import project_lock
from flows.stages import check
from flows.stages.index import export_index
from search.published import connect
from storage.errors import IndexMismatch
from storage.generations import this_builder
from storage.live import require_live

from conftest import run
from qdrant_double import QdrantDouble

pytestmark = pytest.mark.usefixtures("bare_environment")


@pytest.fixture(scope="module", autouse=True)
def _fake() -> Iterator[None]:
    with fake_models():
        yield


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an embedded index of the sample; not to be changed."""
    data = tmp_path_factory.mktemp("embedded") / "data"
    index_sample(data, references=True)
    return data


@pytest.fixture(scope="module")
def exported(embedded: Path) -> Path:
    """The folder of its export."""
    export_index(workspace_of(embedded), "sample", embedded.parent / "export")
    return embedded.parent / "export"


@pytest.fixture
def double(bare_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[QdrantDouble]:
    with running_double() as running:
        monkeypatch.setenv("QDRANT_URL", running.url)
        yield running


@pytest.fixture
def data(tmp_path: Path) -> tuple[str, str]:
    """Another machine's data folder, as an option."""
    return "--set", f"paths.data={tmp_path / 'data'}"


def test_an_embedded_index_moves_to_a_server_and_back_without_a_model(
    embedded: Path,
    exported: Path,
    tmp_path: Path,
    data: tuple[str, str],
    double: QdrantDouble,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def load(*_: object) -> None:
        raise AssertionError("a model is loaded")

    monkeypatch.setattr("embedding.models.load_encoder", load)
    code, out, _ = run("import", str(exported), "--json", *data, capsys=capsys)
    assert (code, orjson.loads(out)["way"]) == (0, "built")
    with closing(connect(workspace_of(tmp_path / "data"))) as on_server:
        assert on_server.location == double.url
        live = require_live(on_server, "sample")
        there = {each.id: each for each in live.structures.scroll(vectors=True)}
    back = str(tmp_path / "back")
    assert run("export", "-o", back, *data, capsys=capsys)[0] == 0
    monkeypatch.delenv("QDRANT_URL")
    code, out, _ = run(
        "import", back, "--json", "--set", f"paths.data={tmp_path / 'third'}", capsys=capsys
    )
    assert (code, orjson.loads(out)["way"]) == (0, "built")
    for folder in (embedded, tmp_path / "third"):
        with closing(connect(workspace_of(folder))) as index:
            live = require_live(index, "sample")
            here = {each.id: each for each in live.structures.scroll(vectors=True)}
        assert {key: each.record for key, each in here.items()} == {
            key: each.record for key, each in there.items()
        }
        for key, each in here.items():
            for name, vector in each.vectors.items():
                assert vector == pytest.approx(there[key].vectors[name], abs=1e-6)
        places = workspace_of(folder).project_folder("sample").places(live.metadata.places)
        assert places.is_file()


def test_what_strict_mode_keeps_searches_from_is_said_by_doctor_and_at_the_beginning_of_a_run(
    exported: Path,
    tmp_path: Path,
    data: tuple[str, str],
    double: QdrantDouble,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    double.strict_mode = {"enabled": True, "max_query_limit": 7}
    assert run("import", str(exported), *data, capsys=capsys)[0] == 0
    workspace = workspace_of(tmp_path / "data")
    finding = doctor_index.check_index(workspace)
    limited = (
        "strict mode gives a search 7 points of each retriever (max_query_limit), "
        "not search.candidates = "
    )
    assert (finding.status, limited in finding.found) == ("warning", True)
    assert finding.advice == "raise the limit on the server"
    project = workspace.for_project("sample")
    check.check_index(project, "file:///sample", rebuild=False)
    assert limited in caplog.text
    with closing(connect(workspace)) as index:
        live = require_live(index, "sample")
    double.configs[live.name]["strict_mode_config"]["max_points_count"] = 9
    refusal = r"strict mode allows 9 points \(max_points_count\)"
    with pytest.raises(IndexMismatch, match=refusal):
        check.check_index(project, "file:///sample", rebuild=True)
    assert "strict mode allows 9 points" in doctor_index.check_index(workspace).found


def test_what_a_run_builds_in_this_data_folder_is_not_removed_before_it_ends(
    tmp_path: Path,
    data: tuple[str, str],
    double: QdrantDouble,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    workspace = workspace_of(tmp_path / "data")
    project = workspace.for_project("sample")
    project.folder.path.mkdir(parents=True)
    client = QdrantClient(url=double.url, check_compatibility=False)
    runs = server_index(client, double.url)
    runs._builder = this_builder(workspace.data)
    with project_lock(project):
        begun = runs.create("sample", replace(SAMPLE_METADATA)).name
        _, out, _ = run("status", *data, capsys=capsys)
        assert f"unfinished {begun}: built by process " in out
        _, out, _ = run("remove", "--unfinished", *data, capsys=capsys)
        assert out == "0 unfinished generations removed\n"
        assert "another run of project 'sample' is in progress" in caplog.text
    runs.close()  # the run was killed: nothing of it is removed
    code, out, _ = run("remove", "--unfinished", "--json", *data, capsys=capsys)
    assert (code, orjson.loads(out)) == (0, {"removed": [begun]})
    _, out, _ = run("status", "--json", *data, capsys=capsys)
    assert orjson.loads(out)["unfinished"] == []
