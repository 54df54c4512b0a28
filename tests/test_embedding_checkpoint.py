from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from embedding.checkpoint import Checkpoint, as_keys
from embedding.encoder import Fingerprint
from embedding.errors import CheckpointError
from embedding.vectors import gather


def key(number: int) -> bytes:
    """16 bytes that end in zeros for some numbers, as digests do."""
    return number.to_bytes(16, "little") if number % 2 else number.to_bytes(16, "big")


def rows(*numbers: int) -> NDArray[np.float32]:
    return np.array([[number, number + 0.5] for number in numbers], dtype=np.float32)


def folder(checkpoint: Checkpoint) -> Path:
    return Path(checkpoint.location)


@pytest.fixture
def checkpoint(tmp_path: Path, fingerprint: Fingerprint) -> Checkpoint:
    filled = Checkpoint(tmp_path, fingerprint)
    filled.append([key(1), key(2), key(3)], rows(1, 2, 3))
    filled.append([key(4)], rows(4))
    return filled


def test_vectors_come_back_in_the_order_they_are_asked_for(
    checkpoint: Checkpoint, tmp_path: Path, fingerprint: Fingerprint
) -> None:
    again = Checkpoint(tmp_path, fingerprint)
    assert again.keys() == {key(1), key(2), key(3), key(4)}
    table = gather(again, as_keys([key(4), key(1), key(4), key(3)]), tmp_path / "scratch")
    assert (len(table), table.dimension) == (4, 2)
    np.testing.assert_array_equal(table[0:4], rows(4, 1, 4, 3))
    table.close()
    assert not (tmp_path / "scratch").exists()


def test_the_file_says_what_made_it(checkpoint: Checkpoint, fingerprint: Fingerprint) -> None:
    path = sorted(folder(checkpoint).iterdir())[0]
    schema = pq.read_schema(path)
    assert schema.field("vector").type == pa.list_(pa.float32(), 2)
    assert schema.field("key").type == pa.binary(16)
    assert b'"model":"fake"' in schema.metadata[b"lsif_ingest.fingerprint"]
    assert path.parent.name == fingerprint.digest


def test_a_missing_vector_is_an_error_with_its_count(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="lacks 2 of 3 vectors"):
        gather(checkpoint, as_keys([key(1), key(7), key(8)]), tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()


def test_another_fingerprint_has_another_folder(
    checkpoint: Checkpoint, tmp_path: Path, fingerprint: Fingerprint
) -> None:
    for change in (
        {"model": "other"},
        {"revision": "2"},
        {"recipe": "tutorial-1"},
        {"max_tokens": 5},
        {"precision": "bf16"},
    ):
        other = Checkpoint(tmp_path, replace(fingerprint, **change))  # type: ignore[arg-type]
        assert other.location != checkpoint.location
        assert other.keys() == set()


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "foreign", "name"])
def test_an_unusable_file_is_set_aside(
    checkpoint: Checkpoint,
    tmp_path: Path,
    fingerprint: Fingerprint,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    victim = next(path for path in folder(checkpoint).iterdir() if len(pq.read_table(path)) == 1)
    if damage == "foreign":
        other = Checkpoint(tmp_path / "other", replace(fingerprint, model="other"))
        other.append([key(4)], rows(4))
        victim.write_bytes(next(folder(other).iterdir()).read_bytes())
    elif damage == "name":  # of a column, in the footer, no UTF-8 any more
        victim.write_bytes(victim.read_bytes().replace(b"vector", b"v\xffctor"))
    else:
        victim.write_bytes(
            {"cut": victim.read_bytes()[:-20], "empty": b"", "text": b"hello"}[damage]
        )
    again = Checkpoint(tmp_path, fingerprint)
    assert again.keys() == {key(1), key(2), key(3)}
    assert victim.with_suffix(".aside").exists()
    assert "its texts are embedded again" in caplog.text


def test_a_flipped_bit_in_a_vector_is_noticed(
    checkpoint: Checkpoint, tmp_path: Path, fingerprint: Fingerprint
) -> None:
    victim = next(path for path in folder(checkpoint).iterdir() if len(pq.read_table(path)) == 3)
    place = pq.ParquetFile(victim).metadata.row_group(0).column(1)
    data = bytearray(victim.read_bytes())
    data[place.data_page_offset + place.total_compressed_size - 2] ^= 1
    victim.write_bytes(data)
    damaged = Checkpoint(tmp_path, fingerprint)
    with pytest.raises(CheckpointError, match="is damaged and was set aside"):
        gather(damaged, as_keys([key(1)]), tmp_path / "scratch")
    assert Checkpoint(tmp_path, fingerprint).keys() == {key(4)}


def test_a_changed_dimension_is_rejected(checkpoint: Checkpoint) -> None:
    with pytest.raises(
        CheckpointError, match="holds vectors of dimension 2, but the model now returns 3"
    ):
        checkpoint.append([key(9)], np.ones((1, 3), dtype=np.float32))


def test_a_folder_that_cant_be_written_is_named(tmp_path: Path, fingerprint: Fingerprint) -> None:
    (tmp_path / fingerprint.digest).write_text("a file where the folder should be")
    with pytest.raises(CheckpointError, match="Not a directory"):
        Checkpoint(tmp_path, fingerprint).files()


def test_a_damaged_key_is_noticed_and_its_texts_are_embedded_again(
    tmp_path: Path, fingerprint: Fingerprint
) -> None:
    checkpoint = Checkpoint(tmp_path, fingerprint)
    checkpoint.append([key(number) for number in range(100)], rows(*range(100)))
    (victim,) = folder(checkpoint).glob("*.parquet")
    place = pq.ParquetFile(victim).metadata.row_group(0).column(0)
    data = bytearray(victim.read_bytes())
    data[place.data_page_offset + place.total_compressed_size - 5] ^= 0xFF
    victim.write_bytes(data)
    assert Checkpoint(tmp_path, fingerprint).keys() == set()
    assert victim.with_suffix(".aside").exists()


def test_another_run_may_set_a_damaged_file_aside_first(
    checkpoint: Checkpoint, tmp_path: Path, fingerprint: Fingerprint
) -> None:
    victim = next(path for path in folder(checkpoint).iterdir() if len(pq.read_table(path)) == 1)
    late = Checkpoint(tmp_path, fingerprint)
    victim.unlink()
    assert late.keys() == {key(1), key(2), key(3)}


def test_a_full_disk_is_reported_before_anything_is_lost(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        gather(checkpoint, as_keys([key(1)]), tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize(
    ("fingerprint", "digest", "key_of_text"),
    [
        (
            Fingerprint("m", "r", "words-2", 256),
            "e6486fdc710d31af1656c4138491890f",
            "8735f8b338f480298bacbab47cfb7022",
        ),
        (
            Fingerprint("m", "r", "snippet-1", 0, "name:q", 128, False, "int8-0123"),
            "1b576d42339355493c8143ff24baa02b",
            "be0dac24acccf7d26e3515b622e36dc8",
        ),
    ],
)
def test_digests_and_keys_never_change(
    fingerprint: Fingerprint, digest: str, key_of_text: str
) -> None:
    """Otherwise every checkpoint would be embedded again."""
    assert fingerprint.digest == digest
    assert fingerprint.key("fn é() {}\n").hex() == key_of_text
    assert fingerprint.hasher()("fn é() {}\n").hex() == key_of_text
