"""The checkpoint on a disk and in a bucket of a local S3 server: the same tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from embedding.checkpoint import Checkpoint, as_keys
from embedding.compaction import compact, inspect
from embedding.encoder import Fingerprint
from embedding.errors import CheckpointError
from embedding.store import Store
from embedding.vectors import gather
from lsif.jsonl import write_records
from lsif.structure import Structure

from conftest import S3_SECRET, FakeEncoder, embed_all, run_cli, vectors_of


@pytest.fixture(params=["disk", "file-uri", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return str(request.getfixturevalue("bucket"))
    return str(tmp_path / "c") if request.param == "disk" else (tmp_path / "c").as_uri()


def test_vectors_are_made_once_wherever_they_are_kept(
    root: str,
    sample_structures: Path,
    structures: list[Structure],
    tmp_path: Path,
    fingerprint: Fingerprint,
) -> None:
    def embed() -> int:
        plan = embed_all(
            sample_structures, root, FakeEncoder, {"code": fingerprint}, rows_per_file=5
        )
        return plan.reports()[0].embedded

    assert (embed(), embed()) == (77, 0)
    assert sorted(Store(root).folders()) == [fingerprint.digest]
    assert len(Store(root).files(fingerprint.digest)) == 16
    table = vectors_of(sample_structures, root, fingerprint, tmp_path / "scratch")
    np.testing.assert_array_equal(
        table[0:77], np.stack([FakeEncoder().vector(one.context.snippet) for one in structures])
    )
    table.close()
    (stats,) = inspect(root, [sample_structures])
    assert (stats.files, stats.vectors, stats.live) == (16, 77, 77)
    assert stats.megabytes > 0


def test_damaged_files_are_set_aside_and_made_again(
    root: str, sample_structures: Path, fingerprint: Fingerprint
) -> None:
    embed_all(sample_structures, root, FakeEncoder, {"code": fingerprint}, rows_per_file=10)
    store = Store(root)
    first, second = list(store.files(fingerprint.digest))[:2]
    with store.open(second) as file:
        content = file.read()
    store.write(first, pa.py_buffer(b"no Parquet"))
    store.write(second, pa.py_buffer(content[:-30]))
    report = embed_all(
        sample_structures, root, FakeEncoder, {"code": fingerprint}, rows_per_file=10
    ).reports()[0]
    assert 10 < report.embedded <= 20
    assert len([name for name in store.files(fingerprint.digest) if name.endswith(".aside")]) == 2
    assert len(Checkpoint(root, fingerprint).keys()) == 77


def test_compaction_drops_what_nothing_refers_to(
    root: str,
    sample_structures: Path,
    structures: list[Structure],
    tmp_path: Path,
    fingerprint: Fingerprint,
) -> None:
    embed_all(sample_structures, root, FakeEncoder, {"code": fingerprint}, rows_per_file=10)
    write_records(tmp_path / "half.jsonl", structures[:40])
    dropped = compact(
        root, [tmp_path / "half.jsonl"], rows_per_file=16, scratch=tmp_path, age_s=0
    ).dropped
    live = len({structure.context.snippet for structure in structures[:40]})
    assert (dropped, len(Checkpoint(root, fingerprint).keys())) == (77 - live, live)
    assert len(Store(root).files(fingerprint.digest)) == -(-live // 16)
    assert compact(root, [], rows_per_file=16, scratch=tmp_path, age_s=0).dropped == live
    assert Store(root).folders() == []


def test_half_precision_is_read_beside_single(
    root: str, tmp_path: Path, fingerprint: Fingerprint
) -> None:
    vectors = np.stack([FakeEncoder().vector(text) for text in "ab"])
    Checkpoint(root, fingerprint).append([b"a" * 16], vectors[:1])
    Checkpoint(root, fingerprint, "float16").append([b"b" * 16], vectors[1:])
    table = gather(
        Checkpoint(root, fingerprint), as_keys([b"a" * 16, b"b" * 16]), tmp_path / "scratch"
    )
    assert table[0:2].dtype == np.float32
    np.testing.assert_array_equal(table[0:1], vectors[:1])
    np.testing.assert_array_equal(table[1:2], vectors[1:].astype(np.float16).astype(np.float32))
    table.close()


def test_two_machines_write_into_one_bucket(bucket: str, fingerprint: Fingerprint) -> None:
    one, other = Checkpoint(bucket, fingerprint), Checkpoint(bucket, fingerprint)
    vectors = np.stack([FakeEncoder().vector(text) for text in "abc"])
    one.append([b"a" * 16, b"b" * 16], vectors[:2])
    other.append([b"b" * 16, b"c" * 16], vectors[1:])
    assert Checkpoint(bucket, fingerprint).keys() == {letter * 16 for letter in (b"a", b"b", b"c")}


def test_a_store_that_cant_be_written_is_reported_before_a_model_is_loaded(
    bucket: str, sample_structures: Path, fingerprint: Fingerprint
) -> None:
    def fail() -> FakeEncoder:
        raise AssertionError("no model is needed")

    with pytest.raises(CheckpointError, match="s3://no-such-bucket/x") as caught:
        embed_all(sample_structures, "s3://no-such-bucket/x", fail, {"code": fingerprint})
    assert S3_SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (f"s3://key:{S3_SECRET}@bucket/prefix", "must not contain credentials"),
        (f"s3://bucket/prefix?secret_key={S3_SECRET}", "must not contain credentials"),
        ("ftp://host/folder", "ftp://host/folder can't be opened as a store"),
    ],
)
def test_addresses_that_are_rejected(address: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        Store(address)
    assert S3_SECRET not in str(caught.value)


@pytest.mark.deployed
def test_the_whole_program_keeps_its_vectors_in_a_bucket(
    bucket: str,
    s3_environment: dict[str, str],
    sample_structures: Path,
    tmp_path: Path,
    prefect_home: dict[str, str],
) -> None:
    arguments = ["--set", f"paths.data={tmp_path / 'data'}", "--set", f"checkpoint.store={bucket}"]
    environment = {**prefect_home, **s3_environment}
    done = run_cli(
        "ingest", "--structures", str(sample_structures), *arguments, environment=environment
    )
    assert done.returncode == 0, done.stderr
    stats = run_cli("checkpoint", "stats", *arguments, environment=environment)
    assert "100%" in stats.stdout or "77" in stats.stdout, stats
    assert S3_SECRET not in done.stdout + done.stderr + stats.stdout + stats.stderr
    assert not (tmp_path / "data" / "checkpoints").exists()
