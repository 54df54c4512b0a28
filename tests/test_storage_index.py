"""One contract, both ends: the engine in the process and the server's client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from lsif.structure import Structure
from storage import metadata as metadata_module
from storage.embedded.disk import copy_file
from storage.embedded.index import EmbeddedIndex
from storage.errors import IndexLocked, IndexMissing, StorageError
from storage.index import Generation, Index, Point, Points
from storage.live import require_live
from storage.metadata import Metadata
from storage.query import Condition, Nearest, Where
from storage.schema import SPARSE
from storage.sparse import SparseVector

from conftest import drop_index

COLLECTION = "test-collection"


def unit(*values: float) -> NDArray[np.float32]:
    vector = np.zeros(8, dtype=np.float32)
    vector[: len(values)] = values
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def uid(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012d}"


def point(
    number: int, text: NDArray[np.float32], code: NDArray[np.float32], **payload: object
) -> Point:
    return Point(uid(number), {"text": text, "code": code}, structure_fields(number, **payload))


def structure_fields(number: int, **fields: object) -> dict[str, object]:
    """Return the payload of a structure, without the fields that have a default."""
    place = {"module": "m", "file_path": "x.rs", "snippet": "fn f() {}\n"}
    usual = {
        "name": "f",
        "signature": "fn f()",
        "code_type": "Function",
        "line": 1,
        "line_from": 1,
        "line_to": 1,
        "context": {**place, **fields.pop("context", {})},  # type: ignore[dict-item]
        "id": uid(number),
        "symbol": "a::f",
        "crate": "a",
        "module_path": "a",
        "is_test": False,
        "digest": f"d{number}",
    }
    return {**usual, **fields}


def block_fields(number: int, **fields: object) -> dict[str, object]:
    """Return the payload of a block."""
    usual = {
        "id": uid(number),
        "structure_id": uid(number),
        "kind": "for",
        "code_type": "Function",
        "crate": "a",
        "module": "m",
        "struct_name": None,
        "trait_name": None,
        "visibility": "pub",
        "is_test": False,
        "file_path": "x.rs",
        "line_from": 1,
        "line_to": 3,
        "snippet": "for _ in x {\n}\n",
        "digest": f"d{number}",
    }
    return {**usual, **fields}


def fill(generation: Generation, points: Sequence[Point]) -> None:
    assert generation.structures.upsert(points) == []
    generation.finish()


def digests(generation: Generation) -> dict[str, str]:
    found = [(row.id, row.values[0]) for row in generation.structures.select(["digest"])]
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
    text, code = generation.structures.search(
        Nearest("text", unit(1), 2), Nearest("code", unit(1), 5)
    )
    assert [hit.id for hit in text] == [uid(1), uid(2)]
    assert text[0].score == pytest.approx(1.0, abs=1e-5)
    assert text[1].score == pytest.approx(0.7071, abs=1e-3)
    assert text[0].values == ()
    assert [hit.id for hit in code] == [uid(2), uid(3), uid(1)]


def words(*weighted: tuple[int, float]) -> SparseVector:
    """Return a sparse vector of these words, by number, and their weights."""
    return SparseVector([word for word, _ in weighted], [weight for _, weight in weighted])


def test_several_queries_of_all_kinds_are_answered_in_their_order(
    index: Index, metadata: Metadata
) -> None:
    generation = index.create(COLLECTION, metadata)
    sparse = [words((1, 1.0), (2, 0.5)), words((1, 1.0)), words((3, 1.0))]
    fill(
        generation,
        [replace(one, sparse={SPARSE: vector}) for one, vector in zip(POINTS, sparse, strict=True)],
    )
    found = generation.structures.search(
        Nearest("code", unit(1), 1),
        Nearest(SPARSE, words((2, 1.0)), 9),
        Nearest("text", unit(1), 100_000),  # more than there are
        Nearest("code", unit(1), 1, (Condition("crate", ("a",)),)),
        Nearest(SPARSE, words(), 9),
        Nearest(SPARSE, words((77, 1.0)), 9),
    )
    assert [[int(hit.id[-12:]) for hit in hits] for hits in found] == [
        [2],
        [1],
        [1, 2, 3],
        [1],
        [],
        [],
    ]
    assert generation.structures.search() == []


def test_a_word_counts_the_more_the_fewer_points_have_it(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    sparse = [words((1, 1.0)), words((1, 1.0)), words((2, 1.0))]
    fill(
        generation,
        [replace(one, sparse={SPARSE: vector}) for one, vector in zip(POINTS, sparse, strict=True)],
    )
    (hits,) = generation.structures.search(Nearest(SPARSE, words((1, 1.0), (2, 1.0)), 9))
    assert hits[0].id == uid(3)
    assert hits[0].score > 1.5 * hits[1].score > 0


def test_a_hit_has_the_fields_that_were_asked_for(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    fill(generation, POINTS[1:2])
    asked: list[tuple[str, ...]] = [
        (),
        ("crate",),
        ("is_test", "context.module"),
        ("absent",),
    ]
    found = generation.structures.search(
        *(Nearest("text", unit(1), 1, (), fields) for fields in asked)
    )
    assert [hit.values for (hit,) in found] == [(), ("b",), (True, "m"), (None,)]
    assert [row.values for fields in asked for row in generation.structures.select(fields)] == [
        (),
        ("b",),
        (True, "m"),
        (None,),
    ]


def numbers(points: Points, *where: Condition, limit: int = 9) -> list[int]:
    """Return the numbers of the points that meet the conditions, as search and select find them."""
    (found,) = points.search(Nearest("code", unit(1), limit, where))
    if limit == 9:
        assert {hit.id for hit in found} == {row.id for row in points.select([], where=where)}
    return sorted(int(hit.id[-12:]) for hit in found)


def test_a_filter_holds_inside_the_search(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    nearer = [point(number, unit(1), unit(1), crate="near") for number in range(10, 60)]
    fill(generation, [*nearer, point(1, unit(0, 1), unit(0, 1), crate="far", is_test=True)])
    assert numbers(generation.structures, Condition("crate", ("far",)), limit=1) == [1]
    assert numbers(generation.structures, Condition("crate", ("near",), negated=True), limit=1) == [
        1
    ]
    assert numbers(generation.structures, Condition("is_test", (True,)), limit=1) == [1]


CONDITIONS: dict[str, tuple[Where, list[int]]] = {
    "none": ((), [1, 2, 3]),
    "one value": ((Condition("crate", ("b",)),), [2, 3]),
    "several values are alternatives": ((Condition("crate", ("a", "b", "absent")),), [1, 2, 3]),
    "a value that nothing holds": ((Condition("crate", ("absent",)),), []),
    "no value is none that anything holds": ((Condition("crate", ()),), []),
    "negated": ((Condition("crate", ("b",), negated=True),), [1]),
    "several values negated": ((Condition("crate", ("a", "b"), negated=True),), []),
    "no value negated": ((Condition("crate", (), negated=True),), [1, 2, 3]),
    "a field that is absent, negated": (
        (Condition("trait_name", ("T",), negated=True),),
        [1, 2, 3],
    ),
    "nested": ((Condition("context.module", ("n",)),), [3]),
    "true": ((Condition("is_test", (True,)),), [2]),
    "false": ((Condition("is_test", (False,)),), [1, 3]),
    "true negated": ((Condition("is_test", (True,), negated=True),), [1, 3]),
    "both booleans": ((Condition("is_test", (True, False)),), [1, 2, 3]),
    "a number": ((Condition("references", (7,)),), [1]),
    "several numbers": ((Condition("references", (7, 8, 9)),), [1, 2]),
    "one value of a list": ((Condition("paths", ("src",)),), [1, 2]),
    "a value of one of several fields": (
        (Condition("crate", ("a", "n"), others=("context.module",)),),
        [1, 3],
    ),
    "a value of none of several fields": (
        (Condition("crate", ("a", "n"), negated=True, others=("context.module",)),),
        [2],
    ),
    "an id": ((Condition("id", (uid(1), uid(3), uid(9))),), [1, 3]),
    "no id": ((Condition("id", ()),), []),
    "an id negated": ((Condition("id", (uid(1),), negated=True),), [2, 3]),
    "all conditions must hold": ((Condition("crate", ("b",)), Condition("is_test", (False,))), [3]),
    "one must hold and another not": (
        (Condition("paths", ("src",)), Condition("crate", ("b",), negated=True)),
        [1],
    ),
    "conditions that exclude each other": (
        (Condition("crate", ("b",)), Condition("crate", ("b",), negated=True)),
        [],
    ),
}


def test_conditions_confine_a_search_and_a_scroll(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    more: list[dict[str, object]] = [
        {"references": 7, "paths": ["src", "src/x.rs"]},
        {"references": 8, "paths": ["src", "src/y.rs"]},
        {"references": 10, "paths": ["tests", "tests/src"]},
    ]
    fill(
        generation,
        [
            replace(one, payload={**one.payload, **fields})
            for one, fields in zip(POINTS, more, strict=True)
        ],
    )
    found = {
        name: numbers(generation.structures, *where)
        for name, (where, _) in CONDITIONS.items()
        if name != "both booleans"
    }
    assert found == {
        name: expected for name, (_, expected) in CONDITIONS.items() if name != "both booleans"
    }


def test_both_booleans_are_alternatives_as_other_values_are(
    index: Index, metadata: Metadata
) -> None:
    generation = index.create(COLLECTION, metadata)
    fill(generation, POINTS)
    assert numbers(generation.structures, Condition("is_test", (True, False))) == [1, 2, 3]


def test_blocks_are_confined_by_fields_of_their_own(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    blocks = [
        Point(
            uid(number),
            {"code": unit(1, number)},
            block_fields(
                number, **{"structure_id": uid(number // 2), "is_test": number == 3, **fields}
            ),
        )
        for number, fields in enumerate(
            list[dict[str, object]](
                [{"module": "m"}, {"module": "n"}, {"struct_name": "S"}, {"trait_name": "T"}]
            )
        )
    ]
    assert generation.blocks.upsert(blocks) == []
    generation.finish()
    assert numbers(generation.blocks, Condition("structure_id", (uid(1),))) == [2, 3]
    assert numbers(generation.blocks, Condition("module", ("n",)), limit=1) == [1]
    assert numbers(generation.blocks, Condition("struct_name", ("S",)), limit=1) == [2]
    assert numbers(
        generation.blocks, Condition("trait_name", ("T",)), Condition("is_test", (True,)), limit=1
    ) == [3]
    assert numbers(generation.blocks, Condition("is_test", (True,), negated=True)) == [0, 1, 2]
    assert generation.structures.count() == 0


def test_a_payload_index_that_is_missing_is_named_and_added_to_the_points_that_are_there(
    index: Index, metadata: Metadata
) -> None:
    generation = index.create(COLLECTION, metadata)
    fill(generation, POINTS)
    structures, blocks = generation.structures, generation.blocks
    assert (structures.missing_indexes(), blocks.missing_indexes()) == ([], [])
    for field in ("name", "is_test", "references"):
        drop_index(structures, field)
    assert structures.missing_indexes() == ["name", "is_test", "references"]
    structures.add_indexes(["name", "is_test"])
    structures.add_indexes(["name"])  # a second time it changes nothing
    assert structures.missing_indexes() == ["references"]
    assert structures.values("name") == {"f": 3}
    assert numbers(structures, Condition("is_test", (True,))) == [2]


def test_the_payload_indexes_of_an_empty_kind_last(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    drop_index(generation.blocks, "paths")
    index.publish(COLLECTION, generation)
    live = require_live(index, COLLECTION)
    assert live.blocks.missing_indexes() == ["paths"]
    live.blocks.add_indexes(["paths"])
    live.close()
    assert require_live(index, COLLECTION).blocks.missing_indexes() == []


def test_the_embedded_index_indexes_what_stands_for_a_boolean_field(
    tmp_path: Path, metadata: Metadata
) -> None:
    generation = EmbeddedIndex(tmp_path).create(COLLECTION, metadata)
    made = generation.structures._open_shard.info().payload_schema  # type: ignore[attr-defined]
    assert {"_is_test", "_generated", "name", "references"} <= set(made)
    assert "is_test" not in made  # nothing filters by it


def test_values_of_a_field_are_counted_the_commonest_first(
    index: Index, metadata: Metadata
) -> None:
    generation = index.create(COLLECTION, metadata)
    assert generation.structures.values("crate") == {}
    paths = [["src", "src/a.rs"], ["src", "src/a.rs"], ["src", "src/b.rs"], ["tests", "tests/c.rs"]]
    fill(
        generation,
        [
            point(number, unit(1), unit(1), crate="ab"[number % 3 == 0], paths=one)
            for number, one in enumerate(paths)
        ],
    )
    assert list(generation.structures.values("crate").items()) in (
        [("a", 2), ("b", 2)],
        [("b", 2), ("a", 2)],
    )
    found = generation.structures.values("paths")
    assert list(found.items())[:2] == [("src", 3), ("src/a.rs", 2)]
    assert found == {"src": 3, "src/a.rs": 2, "src/b.rs": 1, "tests": 1, "tests/c.rs": 1}
    assert generation.structures.values("context.module") == {"m": 4}
    assert generation.structures.values("trait_name") == {}
    assert generation.blocks.values("crate") == {}
    generation.structures.delete([uid(0), uid(1)])
    assert generation.structures.values("paths") == {
        "src": 1,
        "src/b.rs": 1,
        "tests": 1,
        "tests/c.rs": 1,
    }


def test_more_values_than_a_page_are_all_told(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    fill(
        generation,
        [point(number, unit(1), unit(1), crate=f"crate{number}") for number in range(1200)],
    )
    assert generation.structures.values("crate") == {f"crate{number}": 1 for number in range(1200)}


def test_a_scroll_over_several_pages_gives_what_meets_the_conditions(
    index: Index, metadata: Metadata
) -> None:
    generation = index.create(COLLECTION, metadata)
    fill(
        generation,
        [point(number, unit(1), unit(1), crate="ab"[number % 2]) for number in range(2500)],
    )
    where = [Condition("crate", ("b",))]
    found = list(generation.structures.scroll(where=where))
    assert [len(found), len({one.id for one in found})] == [1250, 1250]
    assert {int(one.record.digest[1:]) % 2 for one in found} == {1}
    assert found[0].vectors == {}
    with_vectors = list(generation.structures.scroll(vectors=True, where=where))
    assert len(with_vectors) == 1250
    assert with_vectors[-1].record in [one.record for one in found]
    assert set(with_vectors[-1].vectors) == {"text", "code"}
    assert {row.id for row in generation.structures.select((), where=where)} == {
        one.id for one in found
    }


def test_points_are_retrieved_with_their_vectors_or_without(
    index: Index, metadata: Metadata
) -> None:
    generation = index.create(COLLECTION, metadata)
    fill(generation, POINTS)
    found = generation.structures.retrieve([uid(2), uid(99)], vectors=False)
    assert [(one.id, one.record, one.vectors) for one in found] == [
        (uid(2), Structure.from_dict(POINTS[1].payload), {})
    ]
    (whole,) = generation.structures.retrieve([uid(2)])
    np.testing.assert_allclose(whole.vectors["text"], unit(1, 1), atol=1e-6)
    np.testing.assert_allclose(whole.vectors["code"], unit(1), atol=1e-6)
    assert generation.structures.retrieve([]) == []


def test_the_state_changes_whenever_what_is_published_does(
    index: Index, metadata: Metadata
) -> None:
    assert index.state(COLLECTION) is None
    first = index.create(COLLECTION, metadata)
    assert index.state(COLLECTION) is None
    index.publish(COLLECTION, first)
    states = [index.state(COLLECTION)]
    assert index.state(COLLECTION) == states[0]
    second = index.create(COLLECTION, metadata)
    assert index.state(COLLECTION) == states[0]
    index.publish(COLLECTION, second)
    states.append(index.state(COLLECTION))
    assert None not in states
    assert len(set(states)) == 2
    assert index.state("another") is None


def test_the_state_changes_when_what_is_published_says_otherwise_of_itself(
    index: Index, metadata: Metadata
) -> None:
    """A run at another commit that finds nothing to send changes the commit of every answer."""
    index.publish(COLLECTION, index.create(COLLECTION, metadata))
    before = index.state(COLLECTION)
    require_live(index, COLLECTION).describe(
        replace(metadata, commit="4567def", created="2026-02-02T00:00:00+00:00")
    )
    assert require_live(index, COLLECTION).metadata.commit == "4567def"
    assert index.state(COLLECTION) != before


def test_points_are_replaced_changed_and_deleted_by_id(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    fill(generation, POINTS)
    fill(generation, [point(1, unit(0, 0, 1), unit(1), crate="new", digest="e1")])
    assert generation.structures.count() == 3
    ((replaced,),) = generation.structures.search(Nearest("text", unit(0, 0, 1), 1))
    assert replaced.id == uid(1)
    assert generation.structures.retrieve([uid(1)])[0].record.crate == "new"
    generation.structures.set_payloads([(uid(2), {"line": 7})])
    nearest = Nearest("text", unit(1, 1), 3, fields=("line", "crate"))
    (hits,) = generation.structures.search(nearest)
    (changed,) = (hit for hit in hits if hit.id == uid(2))
    assert changed.values == (7, "b")
    assert changed.score == pytest.approx(1.0, abs=1e-5)
    generation.structures.delete([uid(3), uid(99)])
    assert digests(generation) == {uid(1): "e1", uid(2): "d2"}


def test_scroll_gives_every_point_once(index: Index, metadata: Metadata) -> None:
    generation = index.create(COLLECTION, metadata)
    for start in range(0, 2500, 500):
        fill(generation, [point(number, unit(1), unit(1)) for number in range(start, start + 500)])
    assert generation.structures.count() == 2500
    assert digests(generation) == {uid(number): f"d{number}" for number in range(2500)}


def test_publishing_replaces_the_live_generation_and_drops_it(
    index: Index, metadata: Metadata
) -> None:
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
    assert (after.name, after.structures.count(), after.metadata.commit) == (
        second.name,
        3,
        "4567def",
    )


def test_a_clock_that_is_put_back_changes_no_order(
    index: Index, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        today = datetime(2030, 1, 1, tzinfo=UTC)

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return cls.today.astimezone(tz)

    monkeypatch.setattr(metadata_module, "datetime", Clock)
    names = []
    for year in (2030, 2026, 2027):
        Clock.today = datetime(year, 1, 1, tzinfo=UTC)
        generation = index.create(COLLECTION, metadata)
        generation.describe(replace(metadata, complete=True))
        index.publish(COLLECTION, generation, keep=1)
        names.append(generation.name)
        former = index.former(COLLECTION)
        assert (former.name if former is not None else None) == (
            names[-2] if len(names) > 1 else None
        )
    assert former is not None
    index.publish(COLLECTION, former)
    assert index.former(COLLECTION) is None  # the first was pruned


def test_dropping_an_unpublished_generation_leaves_the_live_one(
    index: Index, metadata: Metadata
) -> None:
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
    (refusal,) = generation.structures.upsert([bad, *POINTS[1:]], wait=True)
    assert refusal.id == uid(1)
    assert "3" in refusal.reason
    assert generation.structures.count() == 2


def test_holes_of_files_are_not_copied(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for content in (
        b"",
        b"abc",
        bytes(5000) + b"x" * 3_000_000 + bytes(3_000_000) + b"end",
        bytes(10_000),
    ):
        with source.open("wb") as file:
            for at in range(0, len(content), 4096):
                if block := content[at : at + 4096].strip(b"\0"):
                    file.seek(at + content[at : at + 4096].index(block))
                    file.write(block)
            file.truncate(len(content))
        copy_file(str(source), str(target))
        assert target.read_bytes() == content
        assert target.stat().st_blocks * 512 <= max(
            4096, len(content) - 2_900_000
        )  # the hole has 3,000,000


def test_several_processes_may_search_an_embedded_generation_at_once(
    tmp_path: Path, metadata: Metadata
) -> None:
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
from storage.embedded.index import EmbeddedIndex
print(EmbeddedIndex(Path({str(tmp_path)!r})).live({COLLECTION!r}).structures.count())
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(PROJECT_ROOT)},
    )
    assert done.stdout == "3\n"
    assert live.structures.count() == 3


def test_a_folder_that_another_process_writes_is_locked_until_that_process_ends(
    tmp_path: Path,
) -> None:
    import subprocess
    import sys

    from conftest import PROJECT_ROOT

    script = f"""
from pathlib import Path
from storage.embedded.index import EmbeddedIndex
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


def test_what_a_killed_build_left_behind_is_removed_by_the_next(
    tmp_path: Path, metadata: Metadata
) -> None:
    index = EmbeddedIndex(tmp_path)
    index.create(COLLECTION, metadata).close()
    (leftover,) = (tmp_path / COLLECTION).glob("*--*")
    assert index.remove_unfinished(COLLECTION) == [leftover.name]
    generation = index.create(COLLECTION, metadata)
    index.publish(COLLECTION, generation)
    assert not leftover.exists()


def test_a_damaged_embedded_index_is_named_with_the_way_out(
    tmp_path: Path, metadata: Metadata
) -> None:
    index = EmbeddedIndex(tmp_path)
    generation = index.create(COLLECTION, metadata)
    index.publish(COLLECTION, generation)
    (tmp_path / COLLECTION / generation.name / "metadata.json").write_text("{")
    with pytest.raises(
        IndexMissing, match=r"can't be opened.*Replace it: lsif-ingest ingest --rebuild"
    ):
        index.live(COLLECTION)
    (tmp_path / COLLECTION / "live.json").write_text("nonsense")
    with pytest.raises(StorageError, match=r"live\.json can't be read"):
        index.live(COLLECTION)


def test_a_full_disk_is_told_before_the_engine_writes_to_it(
    tmp_path: Path, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, free = EmbeddedIndex(tmp_path), 1 << 40
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(total=1 << 41, free=free))
    live = index.create(COLLECTION, metadata)
    fill(live, POINTS)
    live.describe(replace(metadata, complete=True))
    index.publish(COLLECTION, live)
    begun = index.create(COLLECTION, metadata)
    free = 40 << 20  # enough to write on, too little to begin
    fill(begun, POINTS)
    for begin in (lambda: index.create(COLLECTION, metadata), lambda: index.copy(COLLECTION, live)):
        with pytest.raises(
            StorageError,
            match=r"the disk is full: .* needs 1\d\d\.\d MB .* 41.9 MB are free.*paths.data=DIR",
        ):
            begin()
    assert index.remove_unfinished(COLLECTION) == [begun.name]
    free = 1 << 40
    begun = index.copy(COLLECTION, live)
    free = 30 << 20
    for write in (
        lambda: begun.structures.upsert(POINTS),
        lambda: begun.structures.set_payloads([(uid(1), {"line": 1})]),
        lambda: begun.structures.delete([uid(1)]),
    ):
        with pytest.raises(StorageError, match="the disk is full"):
            write()
    index.drop(COLLECTION, begun)
    index.close()
    assert [path.name for path in (tmp_path / COLLECTION).glob(f"{COLLECTION}--*")] == [live.name]
