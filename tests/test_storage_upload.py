"""Building, syncing, publishing and going back, on both ends."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from configs.settings import StorageSettings, load_settings
from embedding.encoder import Fingerprint
from lsif.jsonl import read_blocks, read_structures, write_records
from lsif.structure import Structure, with_digest
from storage import sync as sync_module
from storage.embedded import generation as embedded_generation
from storage.errors import IndexMismatch, IndexMissing, StorageError
from storage.index import Generation, Index, Point, Points, Rejection
from storage.live import check_fingerprints, require_live
from storage.maintenance.rollback import rollback
from storage.maintenance.verify import verify
from storage.metadata import Metadata, VectorInfo
from storage.plan import make_plan
from storage.points import FileSource, RecordSource, StructureDraft, structure_draft
from storage.query import Condition, Nearest
from storage.schema import PATHS, SPARSE, STRUCTURES
from storage.server import generation as server_generation
from storage.sparse import query_vector
from storage.upload import UploadReport, publish_source

from conftest import FINGERPRINTS, FakeEncoder, drop_index, embedded_source, moved

COLLECTION = "test-upload"


def storage(**changes: object) -> StorageSettings:
    return load_settings().storage.model_copy(update=changes)


def publish(
    index: Index, metadata: Metadata, source: FileSource, **changes: object
) -> UploadReport:
    return publish_source(index, COLLECTION, metadata, source, storage(batch_points=10, **changes))


def digests(points: Points[Any]) -> dict[str, str]:
    return {row.id: row.values[0] for row in points.select(["digest"])}


@pytest.fixture
def sync(
    index: Index, metadata: Metadata, tmp_path: Path, sample_structures: Path
) -> Callable[..., UploadReport]:
    """Publish the given structures and their blocks; options go to the settings."""
    numbers = itertools.count()

    def run(structures: Iterable[Structure], **changes: object) -> UploadReport:
        folder = tmp_path / f"run{next(numbers)}"
        folder.mkdir()
        some = list(structures)
        write_records(folder / "structures.jsonl", some)
        ids = {one.id for one in some}
        blocks = [
            one
            for one in read_blocks(sample_structures.with_name("blocks.jsonl"))
            if one.structure_id in ids
        ]
        (folder / "blocks.jsonl").write_bytes(b"".join(one.to_json() for one in blocks))
        run.last = folder / "structures.jsonl"  # type: ignore[attr-defined]
        return publish(
            index,
            metadata,
            embedded_source(folder / "structures.jsonl", tmp_path / "checkpoint"),
            **changes,
        )

    return run


def check(index: Index, structures: Path) -> None:
    """Assert that the live generation holds exactly these structures and their blocks."""
    records = RecordSource(structures, structures.with_name("blocks.jsonl"))
    report = verify(require_live(index, COLLECTION), records.structures, records.blocks)
    assert report.ok, report
    assert report.vectors_checked == 2 * report.structures + report.blocks


def test_every_structure_and_block_becomes_the_point_of_its_id_with_its_own_vectors(
    index: Index,
    metadata: Metadata,
    source: FileSource,
    structures: list[Structure],
    sample_structures: Path,
) -> None:
    report = publish(index, metadata, source)
    live, encoder = require_live(index, COLLECTION), FakeEncoder()
    blocks = list(read_blocks(sample_structures.with_name("blocks.jsonl")))
    assert (report.points, report.blocks, report.way, report.refused) == (
        77,
        len(blocks),
        "built",
        [],
    )
    assert (report.generation, live.metadata.complete) == (live.name, True)
    assert digests(live.structures) == {one.id: one.digest for one in structures}
    assert digests(live.blocks) == {one.id: one.digest for one in blocks}
    for one in structures[::7]:
        ((by_code,),) = live.structures.search(
            Nearest("code", encoder.vector(one.context.snippet), 1)
        )
        assert by_code.score == pytest.approx(1.0, abs=1e-5)
        assert [point.record for point in live.structures.retrieve([by_code.id])] == [one]
    ((by_code,),) = live.blocks.search(
        Nearest("code", encoder.vector(blocks[3].snippet), 1, fields=("structure_id", "snippet"))
    )
    assert by_code.values == (blocks[3].structure_id, blocks[3].snippet)
    assert [point.record for point in live.blocks.retrieve([blocks[3].id])] == [blocks[3]]


def test_words_find_structures_by_the_parts_of_their_identifiers(
    index: Index, metadata: Metadata, source: FileSource
) -> None:
    publish(index, metadata, source)
    live = require_live(index, COLLECTION)
    wanted = [
        Nearest(SPARSE, query_vector(query), 3, fields=("context.file_path",))
        for query in ("evict expired entries of the cache", "Zxqv")
    ]
    hits, none = live.structures.search(*wanted)
    assert any("cache" in hit.values[0] for hit in hits)
    assert hits[0].score >= hits[-1].score > 0
    assert none == []


def test_a_path_prefix_of_any_depth_and_a_file_are_filters(
    index: Index, metadata: Metadata, source: FileSource
) -> None:
    publish(index, metadata, source)
    live = require_live(index, COLLECTION)
    vector = FakeEncoder().vector("x")
    for path, files in {
        "src/geometry": ["src/geometry/mod.rs", "src/geometry/shape.rs"],
        "src/geometry/shape.rs": ["src/geometry/shape.rs"],
        "tests": ["tests/area.rs"],
        "src/geo": [],
    }.items():
        (found,) = live.structures.search(
            Nearest("code", vector, 100, (Condition(PATHS, (path,)),), ("context.file_path",))
        )
        assert sorted({hit.values[0] for hit in found}) == files
    (blocks,) = live.blocks.search(
        Nearest("code", vector, 100, (Condition(PATHS, ("src/cache.rs",)),), ("file_path",))
    )
    assert {hit.values[0] for hit in blocks} == {"src/cache.rs"}


def test_a_second_run_changes_nothing_but_what_the_index_says_of_itself(
    index: Index, metadata: Metadata, source: FileSource, sample_structures: Path
) -> None:
    first = publish(index, metadata, source)
    second = publish(
        index, replace(metadata, commit="4567def", created="2026-02-02T00:00:00+00:00"), source
    )
    assert (second.way, second.generation, second.points) == ("unchanged", first.generation, 77)
    live = require_live(index, COLLECTION)
    assert (live.metadata.commit, live.metadata.structures, live.metadata.complete) == (
        "4567def",
        77,
        True,
    )
    check(index, sample_structures)


@pytest.mark.parametrize("way", ["auto", "swap"])
def test_a_run_adds_the_payload_indexes_that_an_earlier_version_had_not_made(
    index: Index,
    metadata: Metadata,
    source: FileSource,
    sample_structures: Path,
    way: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = publish(index, metadata, source)
    live = require_live(index, COLLECTION)
    drop_index(live.structures, "name")
    drop_index(live.blocks, "is_test")
    live.close()
    records = RecordSource(sample_structures, sample_structures.with_name("blocks.jsonl"))
    live = require_live(index, COLLECTION)
    report = verify(live, records.structures, records.blocks)
    assert (report.ok, report.missing_indexes) == (True, ["is_test", "name"])
    plan = make_plan(index, live, records, storage(publish=way), named=True)
    strategy = "changed_in_place" if index.changes_in_place else "synced"
    assert (plan.strategy, plan.missing_indexes) == (strategy, ["is_test", "name"])
    with caplog.at_level("INFO", logger="storage"):
        second = publish(index, metadata, source, publish=way)
    assert (second.way, second.added, second.added_indexes) == (strategy, 0, ["is_test", "name"])
    assert (second.generation == first.generation) == index.changes_in_place
    assert [text for text in caplog.messages if "payload indexes" in text] == [
        f"{second.generation}: adding payload indexes: name",
        f"{second.generation}: adding payload indexes: is_test",
    ]
    check(index, sample_structures)
    third = publish(index, metadata, source, publish=way)
    assert (third.way, third.added_indexes) == ("unchanged", [])


def test_a_new_indexed_field_reaches_an_index_that_exists(
    index: Index, metadata: Metadata, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(index, metadata, source)
    indexes = {**STRUCTURES.indexes, "symbol": "keyword"}
    later = replace(STRUCTURES, indexes=indexes)
    for module in (embedded_generation, server_generation):
        monkeypatch.setattr(module, "STRUCTURES", later)
    report = publish(index, metadata, source)
    assert report.added_indexes == ["symbol"]
    assert len(require_live(index, COLLECTION).structures.values("symbol")) == 77


def change(structure: Structure) -> Structure:
    fields = structure.to_dict()
    return with_digest({**fields, "context": {**fields["context"], "snippet": "fn changed() {}\n"}})


@pytest.mark.parametrize("way", ["auto", "swap", "in_place"])
def test_a_sync_sends_what_differs(
    index: Index,
    structures: list[Structure],
    sync: Callable[..., Any],
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = sync(structures[:70], publish=way)
    sent: list[str] = []
    kind = type(require_live(index, COLLECTION).structures)
    upsert = kind.upsert

    def note(self: object, points: Iterable[Point], **options: bool) -> list[Rejection]:
        def noted() -> Iterator[Point]:
            for point in points:
                sent.append(point.id)
                yield point

        return upsert(self, noted(), **options)  # type: ignore[arg-type, no-any-return]

    monkeypatch.setattr(kind, "upsert", note)
    now = [*structures[3:10], change(structures[10]), moved(structures[11], 4), *structures[12:]]
    second = sync(now, publish=way)
    check(index, sync.last)  # type: ignore[attr-defined]
    live = require_live(index, COLLECTION)
    (shifted,) = live.structures.retrieve([structures[11].id])
    assert shifted.record.line == structures[11].line + 4
    if index.changes_in_place and way == "swap":
        assert (second.way, second.added) == ("built", 74 + second.blocks)
        return
    assert second.way == ("changed_in_place" if index.changes_in_place else "synced")
    assert (second.generation == first.generation) == index.changes_in_place
    gone_blocks = second.deleted - 3
    assert (
        second.added - 7 - (second.blocks - first.blocks + gone_blocks),
        second.changed,
        second.moved,
    ) == (0, 1, 1)
    assert {one.id for one in structures[70:]} | {structures[10].id} <= set(sent)
    assert not {one.id for one in structures[12:70]} & set(sent)


def test_much_change_builds_a_new_generation_on_a_server(
    index: Index, structures: list[Structure], sync: Callable[..., Any]
) -> None:
    sync(structures[:30])
    report = sync(structures[25:])
    assert report.way == ("built" if index.changes_in_place else "synced")
    check(index, sync.last)  # type: ignore[attr-defined]


def test_structures_may_all_vanish(
    index: Index, structures: list[Structure], sync: Callable[..., Any]
) -> None:
    sync(structures)
    report = sync([], publish="in_place", min_share_of_last=0)
    assert (report.points, report.blocks) == (0, 0)
    check(index, sync.last)  # type: ignore[attr-defined]


def test_a_sync_that_is_stopped_starts_again_and_ends_right(
    index: Index,
    structures: list[Structure],
    sync: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = sync(structures[:60], publish="in_place")
    kind = type(require_live(index, COLLECTION).structures)
    for method in ("upsert", "set_payloads", "delete"):

        def fail(self: object, *_: object, **_options: object) -> None:
            raise StorageError("the plug was pulled")

        with monkeypatch.context() as patch:
            patch.setattr(kind, method, fail)
            with pytest.raises(StorageError, match="the plug was pulled"):
                sync([moved(structures[5], 1), *structures[10:]], publish="in_place")
        live = require_live(index, COLLECTION)
        assert (live.name, live.metadata.commit) == (first.generation, "0123abc")
    sync([moved(structures[5], 1), *structures[10:]], publish="in_place")
    check(index, sync.last)  # type: ignore[attr-defined]


def test_a_plan_names_what_a_run_would_do_and_does_nothing(
    index: Index, structures: list[Structure], sync: Callable[..., Any], tmp_path: Path
) -> None:
    sync(structures[:70])
    before = digests(require_live(index, COLLECTION).structures)
    write_records(
        tmp_path / "new.jsonl",
        [*structures[2:5], change(structures[5]), moved(structures[6], 1), *structures[7:]],
    )
    plan = make_plan(
        index,
        require_live(index, COLLECTION),
        RecordSource(tmp_path / "new.jsonl"),
        storage(),
        named=True,
    )
    assert set(plan.structures.added) == {one.id for one in structures[70:]}
    assert structures[70].symbol in plan.structures.added[structures[70].id]
    assert (list(plan.structures.changed), list(plan.structures.moved)) == (
        [structures[5].id],
        [structures[6].id],
    )
    assert set(plan.structures.deleted) == {one.id for one in structures[:2]}
    assert digests(require_live(index, COLLECTION).structures) == before
    everything = make_plan(index, None, RecordSource(tmp_path / "new.jsonl"), storage(), named=True)
    assert (everything.strategy, len(everything.structures.added)) == ("built", 75)


def label(structure: Structure, lines: int = 0) -> str:
    path = structure.context.file_path
    return f"{structure.code_type} {structure.symbol} ({path}:{structure.line + lines})"


def told(report: UploadReport) -> dict[str, tuple[int, list[str]]]:
    return {part: (one.count, one.names) for part, one in report.changes.items()}


@pytest.mark.parametrize("way", ["auto", "swap", "in_place", "rebuild", "other models"])
def test_a_run_tells_by_name_what_changed_whichever_way_it_went(
    index: Index,
    metadata: Metadata,
    structures: list[Structure],
    sync: Callable[..., UploadReport],
    way: str,
    tmp_path: Path,
) -> None:
    assert sync(structures[:70]).changes == {}  # all of it is new
    now = [*structures[3:10], change(structures[10]), moved(structures[11], 4), *structures[12:]]
    if way in ("rebuild", "other models"):
        write_records(tmp_path / "structures.jsonl", now)
        source = embedded_source(tmp_path / "structures.jsonl", tmp_path / "checkpoint")
        others = {
            name: replace(info, fingerprint="another") for name, info in metadata.vectors.items()
        }
        made = metadata if way == "rebuild" else replace(metadata, vectors=others)
        report = publish_source(
            index, COLLECTION, made, source, storage(), rebuild=way == "rebuild"
        )
        assert (report.way, report.changed) == ("built", 0)  # what was sent is another question
    else:
        report = sync(now, publish=way)
    assert told(report) == {
        "added": (7, [label(one) for one in structures[70:]]),
        "changed": (1, [label(structures[10])]),
        "moved": (1, [label(structures[11], 4)]),
        "deleted": (3, sorted(map(label, structures[:3]))),
    }
    used = [one for one in (structures[10], *structures[70:]) if one.references]
    used.sort(key=lambda one: -one.references)
    assert [(one.name, one.references) for one in report.most_used] == [
        (label(one), one.references) for one in used
    ]
    assert {one.change for one in report.most_used} == {"added", "changed"}
    report = sync(now, publish="auto")
    assert way == "other models" or report.most_used == []
    if way != "other models":
        assert told(report) == dict.fromkeys(("added", "changed", "moved", "deleted"), (0, []))


@pytest.mark.parametrize("rebuild", [False, True])
def test_few_are_named_and_all_are_counted(
    index: Index,
    metadata: Metadata,
    monkeypatch: pytest.MonkeyPatch,
    structures: list[Structure],
    tmp_path: Path,
    rebuild: bool,
) -> None:
    monkeypatch.setattr(sync_module, "NAMED", 2)
    monkeypatch.setattr(sync_module, "MOST_USED", 2)
    for run, some in enumerate((structures[:5], structures[10:])):
        folder = tmp_path / f"run{run}"
        folder.mkdir()
        write_records(folder / "structures.jsonl", some)
        source = embedded_source(folder / "structures.jsonl", tmp_path / "checkpoint")
        report = publish_source(index, COLLECTION, metadata, source, storage(), rebuild=rebuild)
    assert told(report)["added"] == (67, [label(structures[10]), label(structures[11])])
    assert told(report)["changed"] == (0, [])
    most = sorted((one.references for one in structures[10:]), reverse=True)[:2]
    assert [one.references for one in report.most_used] == most
    count, names = told(report)["deleted"]
    assert (count, len(names)) == (5, 2)
    assert set(names) < set(map(label, structures[:5]))


def test_rolling_back_makes_the_former_generation_live_again(
    index: Index, structures: list[Structure], sync: Callable[..., Any]
) -> None:
    with pytest.raises(IndexMissing, match="no index of"):
        rollback(index, COLLECTION, storage())
    first = sync(structures[:20], publish="swap")
    with pytest.raises(
        IndexMissing,
        match="no generation of 'test-upload' older than .* storage.keep_generations is 1",
    ):
        rollback(index, COLLECTION, storage())
    earlier = sync.last  # type: ignore[attr-defined]
    second = sync(structures, publish="swap")
    assert rollback(index, COLLECTION, storage()) == (second.generation, first.generation)
    assert require_live(index, COLLECTION).name == first.generation
    check(index, earlier)
    third = sync(structures, publish="swap")  # and on from there
    assert third.generation not in (first.generation, second.generation)
    check(index, sync.last)  # type: ignore[attr-defined]


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_as_many_former_generations_are_kept_as_are_asked_for(
    index: Index, structures: list[Structure], sync: Callable[..., Any], keep: int
) -> None:
    names = [
        sync(structures[:number], publish="swap", keep_generations=keep).generation
        for number in (10, 30, 50, 77)
    ]
    found = []
    while (former := index.former(COLLECTION)) is not None:
        found.append(former.name)
        rollback(index, COLLECTION, storage(keep_generations=keep))
    assert found == names[-2 : -2 - keep : -1]


def test_a_build_that_fails_leaves_the_live_generation_and_nothing_else(
    index: Index, metadata: Metadata, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = publish(index, metadata, source)
    kind = type(require_live(index, COLLECTION).structures)
    upsert = kind.upsert

    def fail_at_the_third(self: object, points: Iterable[Point], **options: bool) -> None:
        upsert(self, list(points)[:30], **options)  # type: ignore[arg-type]
        raise StorageError("the disk is full")

    monkeypatch.setattr(kind, "upsert", fail_at_the_third)
    dropped: list[str] = []
    drop = index.drop
    monkeypatch.setattr(
        index,
        "drop",
        lambda collection, generation: (
            dropped.append(generation.name),
            drop(collection, generation),
        ),
    )
    with pytest.raises(StorageError, match="the disk is full"):
        publish_source(index, COLLECTION, metadata, source, storage(), rebuild=True)
    live = require_live(index, COLLECTION)
    assert (live.name, live.structures.count()) == (before.generation, 77)
    assert len(dropped) == 1
    assert dropped[0] != before.generation


def test_points_that_get_lost_on_the_way_are_sent_again(
    index: Index,
    metadata: Metadata,
    source: FileSource,
    monkeypatch: pytest.MonkeyPatch,
    sample_structures: Path,
) -> None:
    unused = index.create(COLLECTION, metadata)
    index.drop(COLLECTION, unused)
    kind = type(unused.structures)
    upsert, calls = kind.upsert, itertools.count()
    monkeypatch.setattr(
        kind,
        "upsert",
        lambda self, points, **options: upsert(
            self, list(points)[8 if next(calls) == 0 else 0 :], **options
        ),
    )
    assert publish(index, metadata, source).points == 77
    check(index, sample_structures)


def test_points_that_get_lost_again_and_again_fail_the_run(
    index: Index, metadata: Metadata, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = publish(index, metadata, source)
    kind = type(require_live(index, COLLECTION).structures)
    upsert = kind.upsert
    monkeypatch.setattr(
        kind,
        "upsert",
        lambda self, points, **options: upsert(self, list(points)[1:], **options),
    )
    with pytest.raises(StorageError, match=r"points were sent, \d+ are there; 2 are missing"):
        publish_source(index, COLLECTION, metadata, source, storage(), rebuild=True)
    assert require_live(index, COLLECTION).name == before.generation


def test_a_point_that_is_changed_on_the_way_is_noticed(
    index: Index, metadata: Metadata, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    unused = index.create(COLLECTION, metadata)
    index.drop(COLLECTION, unused)
    kind = type(unused.structures)
    upsert = kind.upsert

    def spoil(self: object, points: Iterable[Point], **options: bool) -> list[Rejection]:
        return upsert(
            self,
            [replace(one, payload={**one.payload, "digest": "x"}) for one in points],
            **options,
        )  # type: ignore[arg-type, no-any-return]

    monkeypatch.setattr(kind, "upsert", spoil)
    with pytest.raises(StorageError, match="are not as they were sent"):
        publish(index, metadata, source)
    assert index.live(COLLECTION) is None


def test_a_point_that_is_refused_is_named_and_the_others_are_there(
    index: Index,
    metadata: Metadata,
    source: FileSource,
    structures: list[Structure],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = structures[40].id

    def short() -> NDArray[np.float32]:
        return np.ones(3, np.float32)

    def spoilt() -> Iterator[StructureDraft]:
        for draft in FileSource.structures(source):
            of_short = structure_draft(draft.record, {"text": short, "code": short})
            yield of_short if draft.id == bad else draft

    monkeypatch.setattr(source, "structures", spoilt)
    report = publish(index, metadata, source)
    (refused,) = report.refused
    assert (refused["id"], report.refused_structures, report.points) == (bad, 1, 76)
    assert structures[40].symbol in refused["label"]
    assert refused["reason"]
    live = require_live(index, COLLECTION)
    assert live.structures.retrieve([bad]) == []
    with pytest.raises(StorageError, match="1 points were rejected, storage.max_refused is 0"):
        publish_source(index, COLLECTION, metadata, source, storage(max_refused=0), rebuild=True)


def test_structures_that_changed_since_their_vectors_were_gathered_are_not_published(
    index: Index,
    metadata: Metadata,
    source: FileSource,
    structures: list[Structure],
    tmp_path: Path,
    sample_structures: Path,
) -> None:
    before = publish(index, metadata, source)
    copy = tmp_path / "copy.jsonl"
    for other in (
        structures[::-1],
        structures[:70],
        [*structures, replace(structures[0], id="0" * 32)],
    ):
        shutil.copy(sample_structures, copy)
        late = embedded_source(copy, tmp_path / "checkpoint")
        write_records(copy, other)
        with pytest.raises(StorageError, match="changed since its vectors were gathered"):
            publish_source(index, COLLECTION, metadata, late, storage(), rebuild=True)
    assert require_live(index, COLLECTION).name == before.generation


def test_a_publication_that_fails_leaves_nothing_behind(
    index: Index, metadata: Metadata, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = publish(index, metadata, source)
    dropped: list[str] = []
    drop = index.drop

    def fail(collection: str, generation: Generation, **_: object) -> None:
        raise StorageError("no room for the alias")

    def note(collection: str, generation: Generation) -> None:
        dropped.append(generation.name)
        drop(collection, generation)

    monkeypatch.setattr(index, "publish", fail)
    monkeypatch.setattr(index, "drop", note)
    with pytest.raises(StorageError, match="no room for the alias"):
        publish_source(index, COLLECTION, metadata, source, storage(), rebuild=True)
    assert len(dropped) == 1
    assert require_live(index, COLLECTION).name == before.generation


def test_other_models_build_a_new_generation(
    index: Index, metadata: Metadata, source: FileSource
) -> None:
    first = publish(index, metadata, source)
    other = {name: replace(info, fingerprint="f" * 32) for name, info in metadata.vectors.items()}
    assert publish(index, replace(metadata, vectors=other), source).way == "built"
    assert require_live(index, COLLECTION).name != first.generation


def test_a_verification_names_what_is_wrong(
    index: Index,
    metadata: Metadata,
    source: FileSource,
    structures: list[Structure],
    sample_structures: Path,
) -> None:
    publish(index, metadata, source)
    live = require_live(index, COLLECTION)
    live.structures.delete([structures[0].id])
    live.structures.set_payloads(
        [(structures[1].id, {"digest": "0"}), (structures[2].id, {"place": "0"})]
    )
    live.structures.upsert(
        [Point("00000000-0000-0000-0000-000000000001", FakeVectors, {"digest": "d"})]
    )
    live.finish()
    records = RecordSource(sample_structures, sample_structures.with_name("blocks.jsonl"))
    report = verify(live, records.structures, records.blocks)
    assert not report.ok
    assert (report.missing, report.different, report.unexpected, report.bad_vectors) == (1, 2, 1, 0)
    assert any(
        one.startswith("missing: ") and structures[0].symbol in one for one in report.problems
    )
    assert "unexpected: 00000000-0000-0000-0000-000000000001" in report.problems
    assert orjson.dumps(report.to_dict())


FakeVectors = {"text": FakeEncoder().vector("a"), "code": FakeEncoder().vector("b")}


def test_a_point_without_a_vector_is_found(
    index: Index, metadata: Metadata, source: FileSource, sample_structures: Path
) -> None:
    publish(index, metadata, source)
    live = require_live(index, COLLECTION)
    (first, *_) = read_structures(sample_structures)
    record = next(iter(RecordSource(sample_structures).structures()))
    assert record.id == first.id
    live.structures.upsert(
        [Point(record.id, {"text": FakeEncoder().vector("a")}, record.payload())]
    )
    live.finish()
    records = RecordSource(sample_structures, sample_structures.with_name("blocks.jsonl"))
    report = verify(live, records.structures, records.blocks)
    assert (report.bad_vectors, report.missing, report.different) == (1, 0, 0)
    assert f"bad vectors: {first.id} has no vector 'code'" in report.problems


def test_a_collection_made_with_another_model_is_refused_with_both_names(
    index: Index, metadata: Metadata
) -> None:
    made_with = {
        name: VectorInfo(8, fingerprint.digest, fingerprint.describe())
        for name, fingerprint in FINGERPRINTS.items()
    }
    generation = index.create(COLLECTION, replace(metadata, vectors=made_with))
    check_fingerprints(generation, FINGERPRINTS, COLLECTION, "way out")
    other = {**FINGERPRINTS, "code": Fingerprint("jina", "abc", "snippet-1", 8192)}
    expected = (
        r"made with code = fake \(1, recipe snippet-1\); "
        r"the configuration says jina \(abc, recipe snippet-1, 8192 tokens\)"
    )
    with pytest.raises(IndexMismatch, match=expected):
        check_fingerprints(generation, other, COLLECTION, "way out")
    index.drop(COLLECTION, generation)
    older = index.create(COLLECTION, replace(metadata, vectors=made_with, schema_version=0))
    with pytest.raises(IndexMismatch, match="record schema 0, this version writes 3"):
        check_fingerprints(older, FINGERPRINTS, COLLECTION, "way out")
