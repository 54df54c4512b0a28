"""One contract, both ends: the engine in the process and the server's client."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from storage.embedded import EmbeddedIndex
from storage.errors import IndexLocked, IndexMissing, StorageError
from storage.index import Index, Point
from storage.schema import Metadata
from storage.upload import require_live

COLLECTION = "test-collection"


def unit(*values: float) -> NDArray[np.float32]:
    vector = np.zeros(8, dtype=np.float32)
    vector[: len(values)] = values
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def uid(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012d}"


def point(number: int, text: NDArray[np.float32], code: NDArray[np.float32], **payload: object) -> Point:
    fields = {"digest": f"d{number}", "crate": "a", "is_test": False, "context": {"module": "m", "file_path": "x.rs"}, **payload}
    return Point(uid(number), {"text": text, "code": code}, fields)


POINTS = [
    point(1, unit(1), unit(0, 1), crate="a"),
    point(2, unit(1, 1), unit(1), crate="b", is_test=True),
    point(3, unit(0, 1), unit(1, 1), crate="b", context={"module": "n", "file_path": "y.rs"}),
]


def test_nothing_is_there_before_something_is_published(index: Index, metadata: Metadata) -> None:
    assert index.live(COLLECTION) is None
    with pytest.raises(IndexMissing, match="no index of 'test-collection'.*lsif-ingest ingest"):
        require_live(index, COLLECTION)
    generation = index.create(COLLECTION, metadata)
    generation.upsert(POINTS)
    assert index.live(COLLECTION) is None
    assert COLLECTION not in index.collections()
    index.publish(COLLECTION, generation)
    assert COLLECTION in index.collections()
    live = index.live(COLLECTION)
    assert live is not None
    assert (live.name, live.metadata, live.count()) == (generation.name, metadata, 3)


def test_each_named_vector_is_searched_by_its_own(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    generation.upsert(POINTS)
    text = generation.search("text", unit(1), limit=2)
    assert [hit.id for hit in text] == [uid(1), uid(2)]
    assert text[0].score == pytest.approx(1.0, abs=1e-5)
    assert text[1].score == pytest.approx(0.7071, abs=1e-3)
    assert text[0].payload == POINTS[0].payload
    assert [hit.id for hit in generation.search("code", unit(1), limit=5)] == [uid(2), uid(3), uid(1)]


def test_a_filter_holds_inside_the_search(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    generation.upsert(POINTS)
    assert [hit.id for hit in generation.search("text", unit(1), limit=1, where={"crate": "b"})] == [uid(2)]
    assert [hit.id for hit in generation.search("text", unit(1), limit=9, where={"context.module": "n"})] == [uid(3)]
    assert [hit.id for hit in generation.search("text", unit(1), limit=9, where={"crate": "b", "is_test": False})] == [uid(3)]
    assert generation.search("text", unit(1), limit=9, where={"crate": "absent"}) == []


def test_points_are_replaced_changed_and_deleted_by_id(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    generation.upsert(POINTS)
    generation.upsert([point(1, unit(0, 0, 1), unit(1), crate="new", digest="e1")])
    assert generation.count() == 3
    assert generation.search("text", unit(0, 0, 1), limit=1)[0].payload["crate"] == "new"
    generation.set_payload(uid(2), {"line": 7})
    (changed,) = (hit for hit in generation.search("text", unit(1, 1), limit=3) if hit.id == uid(2))
    assert (changed.payload["line"], changed.payload["crate"]) == (7, "b")
    assert changed.score == pytest.approx(1.0, abs=1e-5)
    generation.delete([uid(3), uid(99)])
    assert dict(generation.scroll()) == {uid(1): "e1", uid(2): "d2"}


def test_scroll_gives_every_point_once(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    for start in range(0, 2500, 500):
        generation.upsert([point(number, unit(1), unit(1)) for number in range(start, start + 500)])
    pairs = list(generation.scroll())
    assert len(pairs) == 2500
    assert dict(pairs) == {uid(number): f"d{number}" for number in range(2500)}


def test_publishing_replaces_the_live_generation_and_drops_it(index: Index, metadata: Metadata) -> None:
    first = index.create(COLLECTION, metadata)
    first.upsert(POINTS[:1])
    index.publish(COLLECTION, first)
    second = index.create(COLLECTION, replace(metadata, commit="4567def"))
    second.upsert(POINTS)
    before = index.live(COLLECTION)
    assert before is not None
    assert (before.name, before.count()) == (first.name, 1)
    before.close()
    index.publish(COLLECTION, second)
    after = index.live(COLLECTION)
    assert after is not None
    assert (after.name, after.count(), after.metadata.commit) == (second.name, 3, "4567def")


def test_dropping_an_unpublished_generation_leaves_the_live_one(index: Index, metadata: Metadata) -> None:
    first = index.create(COLLECTION, metadata)
    first.upsert(POINTS)
    index.publish(COLLECTION, first)
    second = index.create(COLLECTION, metadata)
    index.drop(COLLECTION, second)
    index.drop(COLLECTION, first)  # it is live: nothing happens
    live = index.live(COLLECTION)
    assert live is not None
    assert (live.name, live.count()) == (first.name, 3)


def test_a_vector_of_another_size_is_refused(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    bad = Point(uid(1), {"text": np.ones(3, dtype=np.float32), "code": unit(1)}, {"digest": "d"})
    with pytest.raises((StorageError, ValueError), match="3"):
        generation.upsert([bad])


def test_several_processes_may_search_an_embedded_generation_at_once(tmp_path: Path, metadata: Metadata) -> None:
    import subprocess
    import sys

    from conftest import PROJECT_ROOT

    index = EmbeddedIndex(tmp_path)
    generation = index.create(COLLECTION, metadata)
    generation.upsert(POINTS)
    index.publish(COLLECTION, generation)
    live = index.live(COLLECTION)
    assert live is not None
    script = f"""
from pathlib import Path
from storage.embedded import EmbeddedIndex
print(EmbeddedIndex(Path({str(tmp_path)!r})).live({COLLECTION!r}).count())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(PROJECT_ROOT)}
    )
    assert done.stdout == "3\n"
    assert live.count() == 3


def test_a_folder_that_another_process_writes_is_locked_until_that_process_ends(tmp_path: Path) -> None:
    import subprocess
    import sys

    from conftest import PROJECT_ROOT

    script = f"""
from pathlib import Path
from storage.embedded import EmbeddedIndex
with EmbeddedIndex(Path({str(tmp_path)!r})).writing({COLLECTION!r}):
    print("locked", flush=True)
    input()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": str(PROJECT_ROOT)},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"
    index = EmbeddedIndex(tmp_path)
    with pytest.raises(IndexLocked, match="another process is writing"), index.writing(COLLECTION):
        pass
    holder.kill()
    holder.communicate()
    with index.writing(COLLECTION):
        pass


def test_what_a_killed_build_left_behind_is_removed_by_the_next(tmp_path: Path, metadata: Metadata) -> None:
    index = EmbeddedIndex(tmp_path)
    index.create(COLLECTION, metadata).close()
    (leftover,) = (tmp_path / COLLECTION).glob("*--*")
    generation = index.create(COLLECTION, metadata)
    index.publish(COLLECTION, generation)
    assert not leftover.exists()


def test_a_damaged_embedded_index_is_named_with_the_way_out(tmp_path: Path, metadata: Metadata) -> None:
    index = EmbeddedIndex(tmp_path)
    generation = index.create(COLLECTION, metadata)
    index.publish(COLLECTION, generation)
    (tmp_path / COLLECTION / generation.name / "metadata.json").write_text("{")
    with pytest.raises(IndexMissing, match=r"can't be opened.*Remove .* and ingest again"):
        index.live(COLLECTION)
    (tmp_path / COLLECTION / "live.json").write_text("nonsense")
    with pytest.raises(StorageError, match=r"live\.json can't be read"):
        index.live(COLLECTION)
