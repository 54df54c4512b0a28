from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from embedding.checkpoint import Checkpoint
from embedding.compaction import Compaction, compact, inspect
from embedding.encoder import Fingerprint
from embedding.errors import CheckpointError
from embedding.store import Store
from embedding.vectors import VectorTable, gather
from lsif.jsonl import write_records
from lsif.structure import Structure

from conftest import FakeEncoder, embed_all, vectors_of


@pytest.fixture
def root(sample_structures: Path, tmp_path: Path, fingerprint: Fingerprint) -> Path:
    """A checkpoint of the sample's 77 different snippets in files of ten."""
    embed_all(
        sample_structures, tmp_path / "c", FakeEncoder, {"code": fingerprint}, rows_per_file=10
    )
    return tmp_path / "c"


@pytest.fixture
def half(structures: list[Structure], tmp_path: Path) -> Path:
    write_records(tmp_path / "half.jsonl", structures[:40])
    return tmp_path / "half.jsonl"


def keys(root: Path, fingerprint: Fingerprint) -> set[bytes]:
    return Checkpoint(root, fingerprint).keys()


def dropped(root: Path, *structures: Path, rows_per_file: int) -> int:
    """Compact the folder, however young its files are."""
    return compact(
        root, structures, rows_per_file=rows_per_file, scratch=root.parent, age_s=0
    ).dropped


def age(path: Path, *, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def test_the_live_share_is_what_structures_refer_to(
    root: Path, half: Path, sample_structures: Path, structures: list[Structure]
) -> None:
    (whole,) = inspect(root, [sample_structures])
    assert (whole.files, whole.vectors, whole.live, whole.set_aside) == (8, 77, 77, 0)
    assert whole.model.startswith("fake (1, recipe snippet-1")
    (part,) = inspect(root, [half])
    assert part.live == len({structure.context.snippet for structure in structures[:40]})
    (both,) = inspect(root, [half, sample_structures])
    assert both.live == 77


def test_compaction_keeps_exactly_what_is_referred_to(
    root: Path, half: Path, fingerprint: Fingerprint, tmp_path: Path, structures: list[Structure]
) -> None:
    live = len({structure.context.snippet for structure in structures[:40]})
    assert dropped(root, half, rows_per_file=16) == 77 - live
    assert len(keys(root, fingerprint)) == live
    assert sum(pq.read_metadata(path).num_rows for path in root.glob("*/*.parquet")) == live
    assert len(list(root.glob("*/*"))) == -(-live // 16)
    table = vectors_of(half, root, fingerprint, tmp_path / "scratch")
    expected = np.stack([FakeEncoder().vector(one.context.snippet) for one in structures[:40]])
    np.testing.assert_array_equal(table[0:40], expected)
    table.close()
    assert dropped(root, half, rows_per_file=16) == 0


def test_a_folder_that_nothing_refers_to_is_removed(root: Path) -> None:
    assert dropped(root, rows_per_file=10) == 77
    assert list(root.iterdir()) == []
    assert dropped(root / "absent", rows_per_file=10) == 0
    assert list(inspect(root / "absent", [])) == []


def test_a_compaction_that_is_stopped_loses_nothing(
    root: Path, half: Path, fingerprint: Fingerprint, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(root, fingerprint)
    append: Callable[..., Path] = Checkpoint.append
    calls = 0

    def full(self: Checkpoint, *arguments: object) -> Path:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise CheckpointError("no space left")
        return append(self, *arguments)

    monkeypatch.setattr(Checkpoint, "append", full)
    with pytest.raises(CheckpointError, match="no space"):
        dropped(root, half, rows_per_file=16)
    assert keys(root, fingerprint) == before
    monkeypatch.undo()
    dropped(root, half, rows_per_file=16)
    assert keys(root, fingerprint) < before


def test_unreadable_files_are_removed_and_foreign_folders_left_alone(
    root: Path, sample_structures: Path, fingerprint: Fingerprint
) -> None:
    (root / "notes").mkdir()
    (root / "notes" / "a.parquet").write_bytes(b"no Parquet")
    damaged = sorted(root.glob(f"{fingerprint.digest}/*.parquet"))[0]
    damaged.write_bytes(b"no Parquet")
    stats = {folder.folder: folder for folder in inspect(root, [sample_structures])}
    assert stats["notes"].model == ""
    assert (stats[fingerprint.digest].set_aside, stats[fingerprint.digest].vectors) == (1, 67)
    assert dropped(root, sample_structures, rows_per_file=10) == 0
    assert not list(root.glob("*/*.aside"))
    assert (root / "notes" / "a.parquet").exists()
    assert len(keys(root, fingerprint)) == 67


def test_vectors_of_a_recipe_that_is_not_known_here_are_left_alone(
    root: Path, fingerprint: Fingerprint
) -> None:
    newer = Fingerprint("fake", "1", "words-9", 0)
    Checkpoint(root, newer).append([b"k" * 16], np.ones((1, 8), dtype=np.float32))
    assert dropped(root, rows_per_file=10) == 77
    assert len(keys(root, newer)) == 1


def test_what_another_run_writes_meanwhile_is_kept(
    root: Path, half: Path, fingerprint: Fingerprint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*arguments: Any) -> VectorTable:
        Checkpoint(root, fingerprint).append(
            [b"new" + b"k" * 13], np.ones((1, 8), dtype=np.float32)
        )
        return gather(*arguments)

    monkeypatch.setattr("embedding.compaction.gather", busy)
    dropped(root, half, rows_per_file=16)
    assert b"new" + b"k" * 13 in keys(root, fingerprint)


def test_files_of_the_last_day_are_left_alone(
    root: Path, half: Path, fingerprint: Fingerprint, structures: list[Structure]
) -> None:
    live = len({structure.context.snippet for structure in structures[:40]})
    files = sorted(root.glob("*/*.parquet"))
    assert compact(root, [half], rows_per_file=16, scratch=root.parent) == Compaction(0, 77 - live)
    assert sorted(root.glob("*/*.parquet")) == files
    for path in files[:4]:
        age(path, hours=25)
    done = compact(root, [half], rows_per_file=16, scratch=root.parent)
    assert done.dropped > 0 < done.too_young
    assert done.dropped + done.too_young == 77 - live
    assert all(path.exists() for path in files[4:])
    assert not any(path.exists() for path in files[:4])
    assert len(keys(root, fingerprint)) == live + done.too_young


def test_a_young_file_that_cant_be_read_is_left_alone_too(
    root: Path, half: Path, fingerprint: Fingerprint
) -> None:
    damaged = sorted(root.glob(f"{fingerprint.digest}/*.parquet"))[0]
    damaged.write_bytes(b"no Parquet")
    compact(root, [half], rows_per_file=16, scratch=root.parent)
    assert damaged.with_suffix(".aside").exists()


def test_an_old_file_that_another_run_writes_again_meanwhile_is_kept(
    root: Path, half: Path, fingerprint: Fingerprint, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted(root.glob("*/*.parquet"))
    for path in files:
        age(path, hours=25)

    def busy(*arguments: Any) -> VectorTable:
        os.utime(files[0])
        return gather(*arguments)

    monkeypatch.setattr("embedding.compaction.gather", busy)
    compact(root, [half], rows_per_file=16, scratch=root.parent)
    assert files[0].exists()
    assert not files[1].exists()


def test_a_folder_that_another_run_begins_to_fill_is_not_removed(
    root: Path, fingerprint: Fingerprint
) -> None:
    Store(root).remove_folder(fingerprint.digest)
    assert len(keys(root, fingerprint)) == 77
