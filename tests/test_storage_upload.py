from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from embedding.checkpoint import VectorTable
from embedding.embed import embed_structures, gather_vectors
from embedding.encoder import Fingerprint
from lsif.structure import Structure, write_structures
from storage.errors import IndexMismatch, StorageError
from storage.index import Generation, Index, Point
from storage.schema import Metadata, VectorInfo
from storage.upload import build_generation, check_fingerprints, require_live

from conftest import FakeEncoder

COLLECTION = "test-upload"
FINGERPRINTS = {
    "text": Fingerprint("fake", "1", "tutorial-1", 0),
    "code": Fingerprint("fake", "1", "snippet-1", 0),
}


@pytest.fixture
def vectors(sample_structures: Path, tmp_path: Path, encoder: FakeEncoder) -> Mapping[str, VectorTable]:
    tables = {}
    for name, fingerprint in FINGERPRINTS.items():
        embed_structures(sample_structures, tmp_path, fingerprint, lambda: encoder, vector=name, rows_per_file=50)
        tables[name] = gather_vectors(sample_structures, tmp_path, fingerprint, tmp_path / f"scratch-{name}")
    return tables


def test_every_structure_becomes_the_point_of_its_id_with_its_own_vectors(
    index: Index,
    metadata: Metadata,
    sample_structures: Path,
    structures: list[Structure],
    vectors: Mapping[str, VectorTable],
    encoder: FakeEncoder,
) -> None:
    report = build_generation(index, COLLECTION, metadata, sample_structures, vectors, batch_points=10)
    live = require_live(index, COLLECTION)
    assert report.points == live.count() == 77
    assert report.generation == live.name
    assert dict(live.scroll()) == {one.id: one.digest for one in structures}
    for one in structures[::7]:
        (by_code,) = live.search("code", encoder.vector(one.context.snippet), limit=1)
        assert by_code.score == pytest.approx(1.0, abs=1e-5)
        assert by_code.payload["context"]["snippet"] == one.context.snippet
        assert set(by_code.payload) == set(one.to_payload())


def test_a_second_build_has_the_same_points(
    index: Index, metadata: Metadata, sample_structures: Path, vectors: Mapping[str, VectorTable]
) -> None:
    build_generation(index, COLLECTION, metadata, sample_structures, vectors, batch_points=10)
    first = dict(require_live(index, COLLECTION).scroll())
    build_generation(index, COLLECTION, metadata, sample_structures, vectors, batch_points=64)
    assert dict(require_live(index, COLLECTION).scroll()) == first


def test_a_build_that_fails_leaves_the_live_generation_and_nothing_else(
    index: Index, metadata: Metadata, sample_structures: Path, vectors: Mapping[str, VectorTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build_generation(index, COLLECTION, metadata, sample_structures, vectors, batch_points=10)
    kind = type(require_live(index, COLLECTION))
    upsert = kind.upsert

    def fail_at_the_third(self: object, points: Sequence[Point], calls: list[int] = []) -> None:  # noqa: B006 - counts calls
        calls.append(1)
        if len(calls) == 3:
            raise StorageError("the disk is full")
        upsert(self, points)  # type: ignore[arg-type]

    monkeypatch.setattr(kind, "upsert", fail_at_the_third)
    dropped: list[str] = []
    drop = index.drop
    monkeypatch.setattr(
        index, "drop", lambda collection, generation: (dropped.append(generation.name), drop(collection, generation))
    )
    with pytest.raises(StorageError, match="the disk is full"):
        build_generation(index, COLLECTION, metadata, sample_structures, vectors, batch_points=10)
    live = require_live(index, COLLECTION)
    assert (live.name, live.count()) == (before.generation, 77)
    assert len(dropped) == 1
    assert dropped[0] != before.generation


def test_a_point_that_gets_lost_on_the_way_is_noticed(
    index: Index, metadata: Metadata, sample_structures: Path, vectors: Mapping[str, VectorTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build_generation(index, COLLECTION, metadata, sample_structures, vectors, batch_points=10)
    kind = type(require_live(index, COLLECTION))
    upsert = kind.upsert
    monkeypatch.setattr(kind, "upsert", lambda self, points: upsert(self, points[1:]))
    with pytest.raises(StorageError, match="77 points were sent, 69 are there"):
        build_generation(index, COLLECTION, metadata, sample_structures, vectors, batch_points=10)
    assert require_live(index, COLLECTION).name == before.generation


def test_a_point_that_is_changed_on_the_way_is_noticed(
    index: Index, metadata: Metadata, sample_structures: Path, vectors: Mapping[str, VectorTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build_generation(index, COLLECTION, metadata, sample_structures, vectors, batch_points=10)
    kind = type(require_live(index, COLLECTION))
    upsert = kind.upsert
    monkeypatch.setattr(
        kind, "upsert", lambda self, points: upsert(self, [replace(one, payload={**one.payload, "digest": "x"}) for one in points])
    )
    with pytest.raises(StorageError, match="its 77 points are not those of"):
        build_generation(index, COLLECTION, metadata, sample_structures, vectors, batch_points=10)
    assert require_live(index, COLLECTION).name == before.generation


def test_structures_that_changed_since_their_vectors_were_gathered_are_not_published(
    index: Index,
    metadata: Metadata,
    sample_structures: Path,
    structures: list[Structure],
    vectors: Mapping[str, VectorTable],
    tmp_path: Path,
) -> None:
    before = build_generation(index, COLLECTION, metadata, sample_structures, vectors, batch_points=10)
    changed = tmp_path / "changed.jsonl"
    for other in (structures[::-1], structures[:70], [*structures, replace(structures[0], id=str(uuid.uuid4()))]):
        write_structures(changed, other)
        with pytest.raises(StorageError, match="changed since its vectors were gathered"):
            build_generation(index, COLLECTION, metadata, changed, vectors, batch_points=10)
    assert require_live(index, COLLECTION).name == before.generation


def test_a_publication_that_fails_leaves_nothing_behind(
    index: Index,
    metadata: Metadata,
    sample_structures: Path,
    vectors: Mapping[str, VectorTable],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = build_generation(index, COLLECTION, metadata, sample_structures, vectors, batch_points=10)
    dropped: list[str] = []
    drop = index.drop

    def fail(collection: str, generation: Generation) -> None:
        raise StorageError("no room for the alias")

    def note(collection: str, generation: Generation) -> None:
        dropped.append(generation.name)
        drop(collection, generation)

    monkeypatch.setattr(index, "publish", fail)
    monkeypatch.setattr(index, "drop", note)
    with pytest.raises(StorageError, match="no room for the alias"):
        build_generation(index, COLLECTION, metadata, sample_structures, vectors, batch_points=10)
    assert len(dropped) == 1
    assert require_live(index, COLLECTION).name == before.generation


def test_a_collection_made_with_another_model_is_refused_with_both_names(index: Index, metadata: Metadata) -> None:
    made_with = {name: VectorInfo(8, fingerprint.digest, fingerprint.describe()) for name, fingerprint in FINGERPRINTS.items()}
    generation = index.create(COLLECTION, replace(metadata, vectors=made_with))
    check_fingerprints(generation, FINGERPRINTS, COLLECTION, "way out")
    other = {**FINGERPRINTS, "code": Fingerprint("jina", "abc", "snippet-1", 8192)}
    expected = r"made with code = fake \(1, recipe snippet-1\); the configuration says jina \(abc, recipe snippet-1, 8192 tokens\)"
    with pytest.raises(IndexMismatch, match=expected):
        check_fingerprints(generation, other, COLLECTION, "way out")
    older = index.create(COLLECTION, replace(metadata, vectors=made_with, schema_version=0))
    with pytest.raises(IndexMismatch, match="record schema 0, this version writes 1"):
        check_fingerprints(older, FINGERPRINTS, COLLECTION, "way out")
