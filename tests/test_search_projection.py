from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from search import limits
from search.projection import keep_map, make_map, on_a_plane, read_map
from storage.index import Index
from storage.metadata import Metadata

from made_up import made, publish


def clusters(each: int, dimension: int = 32) -> NDArray[np.float32]:
    """Return three clusters of vectors of norm 1, one behind the other."""
    random = np.random.default_rng(0)
    centres = np.eye(dimension, dtype=np.float32)[:3]
    vectors = np.repeat(centres, each, axis=0) + random.normal(
        scale=0.05, size=(3 * each, dimension)
    ).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


@pytest.mark.parametrize("each", [3, 10, 40])
def test_neighbours_are_near_each_other(each: int) -> None:
    placed = on_a_plane(clusters(each))
    distances = np.linalg.norm(placed[:, None] - placed[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(axis=1) // each == np.arange(3 * each) // each).all()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9, 10, 11, 60, 300])
def test_any_number_of_vectors_lies_between_minus_one_and_one(count: int) -> None:
    vectors = np.random.default_rng(1).normal(size=(count, 16)).astype(np.float32)
    placed = on_a_plane(vectors)
    assert (placed.shape, placed.dtype) == ((count, 2), np.float32)
    if count > 1:
        assert np.abs(placed).max() == pytest.approx(1.0)
        np.testing.assert_allclose(
            placed.max(axis=0) + placed.min(axis=0), 0, atol=1e-5
        )  # in the middle


@pytest.mark.parametrize("count", [5, 40])
def test_the_same_vectors_give_the_same_map(count: int) -> None:
    vectors = np.random.default_rng(2).normal(size=(count, 16)).astype(np.float32)
    np.testing.assert_array_equal(on_a_plane(vectors), on_a_plane(vectors.copy()))


@pytest.mark.parametrize("count", [2, 9, 10, 30])
def test_vectors_that_are_all_the_same_lie_in_the_middle(count: int) -> None:
    """Such as those of a repository of one generated file."""
    placed = on_a_plane(np.tile(np.eye(8, dtype=np.float32)[0], (count, 1)))
    assert np.isfinite(placed).all()
    assert np.abs(placed).max() <= 1.0


def test_vectors_of_one_number_lie_on_a_line() -> None:
    placed = on_a_plane(np.array([[0.0], [1.0], [3.0]], dtype=np.float32))
    np.testing.assert_allclose(np.abs(np.diff(placed[:, 0])), [2 / 3, 4 / 3], atol=1e-5)
    assert not placed[:, 1].any()


def test_many_equal_vectors_among_others_are_placed_too() -> None:
    vectors = np.concatenate([clusters(10), np.tile(clusters(1)[:1], (50, 1))])
    placed = on_a_plane(vectors)
    assert np.isfinite(placed).all()
    assert placed.shape == (80, 2)


def test_a_map_tells_what_stands_where(index: Index, metadata: Metadata) -> None:
    structures = [
        made("near", 0, 90, lines=(5, 9), crate="one", code_type="Struct"),
        made("nearer", 5, 0, file_path="tests/it.rs"),
        made("far", 170, 5),
    ]
    found = make_map(publish(index, metadata, structures))
    assert (found["state"], found["sampled"], found["total"]) == ("ready", False, 3)
    points = {point["symbol"]: point for point in found["points"]}
    assert set(points) == {"one::near", "made_up::nearer", "made_up::far"}
    near = points["one::near"]
    assert {key: value for key, value in near.items() if key not in "xy"} == {
        "id": structures[0].id,
        "crate": "one",
        "code_type": "Struct",
        "symbol": "one::near",
        "file_path": "src/lib.rs",
        "line": 5,
    }
    place = {
        name: np.array([one["x"], one["y"]]) for name, one in points.items()
    }  # by `text`, not by `code`
    to_nearer, to_far = (
        np.linalg.norm(place["one::near"] - place[f"made_up::{name}"]) for name in ("nearer", "far")
    )
    assert to_nearer < to_far / 5
    assert orjson.loads(orjson.dumps(found)) == found


def test_an_empty_index_has_an_empty_map(index: Index, metadata: Metadata) -> None:
    assert make_map(publish(index, metadata, [])) == {
        "state": "ready",
        "sampled": False,
        "total": 0,
        "points": [],
    }


def test_of_many_structures_every_nth_is_shown(
    index: Index, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAP", 5)
    generation = publish(index, metadata, [made(f"f{number}", number) for number in range(12)])
    found = make_map(generation)
    assert (found["sampled"], found["total"], len(found["points"])) == (True, 12, 4)  # every third
    assert len({point["id"] for point in found["points"]}) == 4


def test_a_map_is_kept_for_its_generation(tmp_path: Path) -> None:
    path, made_map = (
        tmp_path / "new" / "map.json",
        {"state": "ready", "points": [{"x": 0.5, "y": -1.0}]},
    )
    assert read_map(path, "g1") is None
    keep_map(path, "g1", made_map)
    assert read_map(path, "g1") == made_map
    assert read_map(path, "g2") is None
    keep_map(path, "g2", {})
    assert (read_map(path, "g1"), read_map(path, "g2")) == (None, {})
    assert [file.name for file in path.parent.iterdir()] == ["map.json"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"{}", b'{"generation": "g"}', b'{"generation": "g", "map": [1]}'],
)
def test_a_kept_map_that_is_damaged_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "map.json").write_bytes(content)
    assert read_map(tmp_path / "map.json", "g") is None
