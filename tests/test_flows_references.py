"""References from a run to the answers: the file of places belongs to the generation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import orjson
import pyarrow.parquet as pq
import pytest
from searchable import document, fake_models, index_sample, workspace_of

from configs.workspace import ProjectFolder
from flows.errors import FlowError
from flows.stages.check import check_index
from flows.stages.index import export_index, import_index, verify_index
from flows.stages.upload import remove_old_places
from lsif.structure import Structure
from search.errors import ReferencesMissing
from search.impact import follow
from search.lookup import Lookup
from search.published import connect
from search.references import Neighbour, Page, References, Target, open_references
from storage.generations import GenerationInfo
from storage.index import Index
from storage.live import require_live
from storage.metadata import Metadata

from conftest import DATA, SAMPLE, SAMPLE_DUMP, run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("references") / "data"
    with fake_models():
        index_sample(folder, references=True)
        yield folder


@contextmanager
def opened(data: Path) -> Iterator[References]:
    workspace = workspace_of(data)
    with closing(connect(workspace)) as index:
        lookup = Lookup(require_live(index, "sample"))
        yield open_references(workspace, "sample", lookup)


def stored(data: Path) -> dict[str, tuple[Structure, dict[str, list[float]]]]:
    """Return the records of the sample as they are stored, and their vectors, by id."""
    with closing(connect(workspace_of(data))) as index:
        return {
            point.id: (point.record, {name: [*map(float, v)] for name, v in point.vectors.items()})
            for point in require_live(index, "sample").structures.scroll(vectors=True)
        }


def symbols(page: Page[Neighbour]) -> list[str]:
    return [item.structure.symbol for item in page.items if item.structure is not None]


def check_answers(data: Path) -> None:
    with opened(data) as references:
        area = references.target("sample::geometry::shape::Shape::area")
        shape = "sample::geometry::shape"
        assert symbols(references.callers(area)) == [
            f"{shape}::Shape::describe",
            "area::total_area",
        ]
        assert symbols(references.implementations(area)) == [
            f"{shape}::<Circle as Shape>::area",
            f"{shape}::<Rectangle as Shape>::area",
        ]
        page = references.references(area)
        assert [(place.file_path, place.line) for place in page.items] == [
            ("src/geometry/shape.rs", 64),
            ("tests/area.rs", 13),
        ]
        assert "sample::cache::tests::oldest_entry_is_evicted" in symbols(
            references.tests(references.target("sample::cache::Cache<K, V>::touch"))
        )


def test_an_index_with_references_answers(data: Path) -> None:
    check_answers(data)
    workspace = workspace_of(data)
    may_hold = check_index(workspace.for_project("sample"), "file:///sample", rebuild=False)
    assert may_hold.references


def test_impact_and_refs_agree_on_the_tests(data: Path) -> None:
    with opened(data) as references:
        points = references.lookup.generation.structures
        structures = {point.id: point.record for point in points.scroll()}
        followed = follow(points, structures.values(), 3)
        counts = followed.walked.counts(followed.tests)
        assert sum(counts.values()) > 20
        for key, count in counts.items():
            target = Target(key, structures[key])
            assert references.tests(target, depth=3).total == count, structures[key].symbol


def test_an_import_answers_as_the_export_did(data: Path, tmp_path: Path) -> None:
    export_index(workspace_of(data), "sample", tmp_path / "export")
    import_index(workspace_of(tmp_path / "data"), tmp_path / "export", rebuild=False)
    check_answers(tmp_path / "data")
    project = workspace_of(tmp_path / "data").project_folder("sample")
    (places,) = project.all_places()
    assert verify_index(workspace_of(tmp_path / "data"), "sample").ok
    places.write_bytes(places.read_bytes()[:-1])
    report = verify_index(workspace_of(tmp_path / "data"), "sample")
    assert (report.ok, report.problems) == (False, [f"damaged: {places}"])
    with pytest.raises(FlowError, match="is damaged. Ingest again."):
        export_index(workspace_of(tmp_path / "data"), "sample", tmp_path / "export")
    places.unlink()
    export_index(workspace_of(tmp_path / "data"), "sample", tmp_path / "export")
    names = sorted(path.name for path in (tmp_path / "export").iterdir())
    assert names == ["blocks.parquet", "structures.parquet"]  # not the former export's places


def test_an_import_refuses_places_of_another_index(data: Path, tmp_path: Path) -> None:
    export_index(workspace_of(data), "sample", tmp_path / "export")
    places = tmp_path / "export" / "places.parquet"
    places.write_bytes(places.read_bytes()[:-1])
    with pytest.raises(FlowError, match="is damaged, or of another export. Export again."):
        import_index(workspace_of(tmp_path / "data"), tmp_path / "export", rebuild=False)
    assert not (tmp_path / "data").exists()


def test_a_change_from_lsif_to_scip_sets_payloads_and_makes_no_vector(data: Path) -> None:
    before = stored(data)
    with fake_models() as models:
        report = index_sample(data, dump=DATA / "sample.scip.zst", references=True)
    assert models.encoder.batches == []
    assert (report.way, report.points, report.blocks) == ("synced", 93, 8)
    assert (report.added, report.changed, report.deleted) == (0, 0, 0)
    # What the index of rust-analyzer 1.85 does not say, such as the modules that are files.
    assert report.moved == 20
    after = stored(data)
    assert {key: vectors for key, (_, vectors) in after.items()} == {
        key: vectors for key, (_, vectors) in before.items()
    }
    assert {record.symbol: record.origin for record, _ in after.values()}["sample::cache"] == (
        "source"
    )
    check_answers(data)


def test_an_index_without_references_stays_so_until_it_is_built_again(tmp_path: Path) -> None:
    with fake_models():
        index_sample(tmp_path)
        with pytest.raises(ReferencesMissing, match="--rebuild"), opened(tmp_path):
            pass
        project = workspace_of(tmp_path).for_project("sample")
        assert not check_index(project, "file:///sample", rebuild=False).references
        assert check_index(project, "file:///sample", rebuild=True).references
        document(tmp_path, "Other words.")  # a sync goes on as before


def test_parse_writes_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, places = str(tmp_path / "s.jsonl"), tmp_path / "places.parquet"
    words = ("parse", str(SAMPLE_DUMP), "--root", str(SAMPLE), "-o", output, "--json")
    code, out, _ = run(*words, "--places", str(places), capsys=capsys)
    assert (code, orjson.loads(out)["places"]) == (0, 416)
    assert pq.read_metadata(places).num_rows == 416
    code, _, message = run(*words, "--places", output, capsys=capsys)
    assert (code, "must be different files" in message) == (2, True)


def test_places_of_generations_that_are_gone_are_removed(tmp_path: Path) -> None:
    class Kept:
        """An index with a former generation, after which several runs failed."""

        def generations(self, collection: str) -> list[GenerationInfo]:
            assert collection == "sample"
            known = Metadata("sample", "file:///sample", None, False, "", {}, complete=True)
            return [
                GenerationInfo("sample", digest, replace(known, places=digest))
                for digest in ("former", "live")
            ] + [GenerationInfo("sample", "unreadable", None)]

    folder = ProjectFolder(tmp_path)
    for age, digest in enumerate(["failed1", "failed2", "failed3", "former", "live"]):
        folder.places(digest).touch()
        os.utime(folder.places(digest), (1000 - age, 1000 - age))
    remove_old_places(folder, cast("Index", Kept()), "sample")
    left = ("failed1", "failed2", "former", "live")
    assert folder.all_places() == [folder.places(digest) for digest in left]
