"""One contract, both ends: the engine in the process and the server's client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from storage.embedded import EmbeddedIndex, _copy_file
from storage.errors import IndexLocked, IndexMissing, StorageError
from storage.index import Generation, Index, Point
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


def fill(generation: Generation, points: Sequence[Point]) -> None:
    assert generation.structures.upsert(points) == []
    generation.finish()


def digests(generation: Generation) -> dict[str, str]:
    found = [(one.id, one.payload["digest"]) for one in generation.structures.scroll(["digest"])]
    assert len(found) == len(dict(found))
    return dict(found)


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
    fill(generation, POINTS)
    assert index.live(COLLECTION) is None
    assert COLLECTION not in index.collections()
    index.publish(COLLECTION, generation)
    assert COLLECTION in index.collections()
    live = index.live(COLLECTION)
    assert live is not None
    assert (live.name, live.metadata, live.structures.count()) == (generation.name, metadata, 3)


def test_each_named_vector_is_searched_by_its_own(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    fill(generation, POINTS)
    text = generation.structures.search("text", unit(1), limit=2)
    assert [hit.id for hit in text] == [uid(1), uid(2)]
    assert text[0].score == pytest.approx(1.0, abs=1e-5)
    assert text[1].score == pytest.approx(0.7071, abs=1e-3)
    assert text[0].payload == POINTS[0].payload
    assert [hit.id for hit in generation.structures.search("code", unit(1), limit=5)] == [uid(2), uid(3), uid(1)]


def test_a_filter_holds_inside_the_search(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    fill(generation, POINTS)
    assert [hit.id for hit in generation.structures.search("text", unit(1), limit=1, where={"crate": "b"})] == [uid(2)]
    assert [hit.id for hit in generation.structures.search("text", unit(1), limit=9, where={"context.module": "n"})] == [uid(3)]
    both = {"crate": "b", "is_test": False}
    assert [hit.id for hit in generation.structures.search("text", unit(1), limit=9, where=both)] == [uid(3)]
    assert generation.structures.search("text", unit(1), limit=9, where={"crate": "absent"}) == []


def test_points_are_replaced_changed_and_deleted_by_id(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    fill(generation, POINTS)
    fill(generation, [point(1, unit(0, 0, 1), unit(1), crate="new", digest="e1")])
    assert generation.structures.count() == 3
    assert generation.structures.search("text", unit(0, 0, 1), limit=1)[0].payload["crate"] == "new"
    generation.structures.set_payloads([(uid(2), {"line": 7})])
    (changed,) = (hit for hit in generation.structures.search("text", unit(1, 1), limit=3) if hit.id == uid(2))
    assert (changed.payload["line"], changed.payload["crate"]) == (7, "b")
    assert changed.score == pytest.approx(1.0, abs=1e-5)
    generation.structures.delete([uid(3), uid(99)])
    assert digests(generation) == {uid(1): "e1", uid(2): "d2"}


def test_scroll_gives_every_point_once(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    for start in range(0, 2500, 500):
        fill(generation, [point(number, unit(1), unit(1)) for number in range(start, start + 500)])
    assert generation.structures.count() == 2500
    assert digests(generation) == {uid(number): f"d{number}" for number in range(2500)}


def test_publishing_replaces_the_live_generation_and_drops_it(index: Index, metadata: Metadata) -> None:
    first = index.create(COLLECTION, metadata)
    fill(first, POINTS[:1])
    index.publish(COLLECTION, first)
    second = index.create(COLLECTION, replace(metadata, commit="4567def"))
    fill(second, POINTS)
    before = index.live(COLLECTION)
    assert before is not None
    assert (before.name, before.structures.count()) == (first.name, 1)
    before.close()
    index.publish(COLLECTION, second)
    after = index.live(COLLECTION)
    assert after is not None
    assert (after.name, after.structures.count(), after.metadata.commit) == (second.name, 3, "4567def")


def test_dropping_an_unpublished_generation_leaves_the_live_one(index: Index, metadata: Metadata) -> None:
    first = index.create(COLLECTION, metadata)
    fill(first, POINTS)
    index.publish(COLLECTION, first)
    second = index.create(COLLECTION, metadata)
    index.drop(COLLECTION, second)
    index.drop(COLLECTION, first)  # it is live: nothing happens
    live = index.live(COLLECTION)
    assert live is not None
    assert (live.name, live.structures.count()) == (first.name, 3)


def test_a_vector_of_another_size_is_refused(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    bad = Point(uid(1), {"text": np.ones(3, dtype=np.float32), "code": unit(1)}, {"digest": "d"})
    try:
        (refusal,) = generation.structures.upsert([bad, *POINTS[1:]])
    except ValueError as exc:
        assert "shape" in str(exc)  # noqa: PT017 - the client's local mode, which is no product
    else:
        assert refusal.id == uid(1)
        assert "3" in refusal.reason
        assert generation.structures.count() == 2


def test_holes_of_files_are_not_copied(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for content in (b"", b"abc", bytes(5000) + b"x" * 3_000_000 + bytes(3_000_000) + b"end", bytes(10_000)):
        with source.open("wb") as file:
            for at in range(0, len(content), 4096):
                if block := content[at : at + 4096].strip(b"\0"):
                    file.seek(at + content[at : at + 4096].index(block))
                    file.write(block)
            file.truncate(len(content))
        _copy_file(str(source), str(target))
        assert target.read_bytes() == content
        assert target.stat().st_blocks * 512 <= max(4096, len(content) - 2_900_000)  # the hole has 3,000,000


def test_several_processes_may_search_an_embedded_generation_at_once(tmp_path: Path, metadata: Metadata) -> None:
    import subprocess
    import sys

    from conftest import PROJECT_ROOT

    index = EmbeddedIndex(tmp_path)
    generation = index.create(COLLECTION, metadata)
    fill(generation, POINTS)
    index.publish(COLLECTION, generation)
    live = index.live(COLLECTION)
    assert live is not None
    script = f"""
from pathlib import Path
from storage.embedded import EmbeddedIndex
print(EmbeddedIndex(Path({str(tmp_path)!r})).live({COLLECTION!r}).structures.count())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(PROJECT_ROOT)}
    )
    assert done.stdout == "3\n"
    assert live.structures.count() == 3


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
    with pytest.raises(IndexMissing, match=r"can't be opened.*Replace it: lsif-ingest ingest --rebuild"):
        index.live(COLLECTION)
    (tmp_path / COLLECTION / "live.json").write_text("nonsense")
    with pytest.raises(StorageError, match=r"live\.json can't be read"):
        index.live(COLLECTION)
