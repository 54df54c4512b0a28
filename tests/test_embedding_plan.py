from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import ALL_FINGERPRINTS, FakeEncoder
from numpy.typing import NDArray

from embedding.checkpoint import Checkpoint, as_keys
from embedding.encoder import Fingerprint
from embedding.errors import CheckpointError, EmbeddingStopped, VectorError
from embedding.plan import VectorPlan, gathered_vectors
from embedding.vectors import VectorTable
from embedding.work_units import STOP, WorkUnit, embed_unit, write_unit
from lsif.jsonl import read_blocks, read_structures


class Run:
    """A plan, and the work units that it gave out."""

    def __init__(self, store: Path, rows_per_file: int = 20) -> None:
        self.units: list[WorkUnit] = []
        self.store = store
        self.plan = VectorPlan(
            ALL_FINGERPRINTS,
            str(store),
            self.units.append,
            rows_per_file=rows_per_file,
            dtype="float32",
        )

    def take(self, structures: Path) -> None:
        blocks = list(read_blocks(structures.with_name("blocks.jsonl")))
        self.plan.take(list(read_structures(structures)), blocks)
        self.plan.finish()

    def embed(self, unit: WorkUnit, encoder: FakeEncoder) -> None:
        fingerprint = ALL_FINGERPRINTS[unit.vector]
        self.plan.begin(unit)
        self.plan.done(unit, embed_unit(Checkpoint(self.store, fingerprint), unit, lambda: encoder))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    fresh = Run(tmp_path / "checkpoints")
    yield fresh
    fresh.plan.close()


def test_each_record_gets_the_vectors_of_its_own_texts(
    run: Run, sample_structures: Path, encoder: FakeEncoder
) -> None:
    run.take(sample_structures)
    assert [(unit.vector, unit.number, unit.texts) for unit in run.units] == [
        *((vector, number, 20) for number in (1, 2, 3) for vector in ("text", "code")),
        ("blocks", 1, 20),
        ("text", 4, 17),
        ("code", 4, 17),
    ]
    for unit in run.units:
        run.embed(unit, encoder)
    run.plan.no_more()
    tables = run.plan.tables(sample_structures)
    snippets = [structure.context.snippet for structure in read_structures(sample_structures)]
    np.testing.assert_array_equal(
        tables["code"][0:77], np.stack([encoder.vector(text) for text in snippets])
    )
    blocks = [block.snippet for block in read_blocks(sample_structures.with_name("blocks.jsonl"))]
    np.testing.assert_array_equal(
        tables["blocks"][0:20], np.stack([encoder.vector(text) for text in blocks])
    )
    assert [
        (report.vector, report.texts, report.embedded, report.duplicates)
        for report in run.plan.reports()
    ] == [
        ("text", 77, 77, 0),
        ("code", 77, 77, 0),
        ("blocks", 20, 20, 0),
    ]
    assert not list(run.store.rglob("*.shard"))  # embedded, removed


def test_a_second_run_gives_out_nothing(
    run: Run, sample_structures: Path, encoder: FakeEncoder
) -> None:
    run.take(sample_structures)
    for unit in run.units:
        run.embed(unit, encoder)
    second = Run(run.store)
    second.take(sample_structures)
    second.plan.no_more()
    assert second.units == []
    assert [report.from_checkpoint for report in second.plan.reports()] == [77, 77, 20]
    assert len(second.plan.tables(sample_structures)["text"][0:77]) == 77
    second.plan.close()


def test_vectors_are_gathered_for_the_records_that_a_plan_made_them_for(
    run: Run, sample_structures: Path, encoder: FakeEncoder
) -> None:
    def scratch_files() -> list[Path]:
        return list(sample_structures.parent.glob(".vectors-*"))

    run.take(sample_structures)
    with (
        pytest.raises(CheckpointError, match="lacks 77 of 77 vectors"),
        gathered_vectors(ALL_FINGERPRINTS, str(run.store), sample_structures),
    ):
        pass
    for unit in run.units:
        run.embed(unit, encoder)
    planned = run.plan.tables(sample_structures)
    with gathered_vectors(ALL_FINGERPRINTS, str(run.store), sample_structures) as gathered:
        assert list(gathered) == ["text", "code", "blocks"]
        for name, table in gathered.items():
            assert table.source == planned[name].source
            np.testing.assert_array_equal(table[0 : len(table)], planned[name][0 : len(table)])
        assert len(scratch_files()) == 6
    run.plan.close()
    assert scratch_files() == []


def test_who_asks_for_a_vector_waits_until_it_is_made(
    run: Run, sample_structures: Path, encoder: FakeEncoder
) -> None:
    run.take(sample_structures)
    table = run.plan.tables(sample_structures)["text"]
    found: list[np.ndarray] = []
    reader = threading.Thread(target=lambda: found.append(table[70:77]))
    reader.start()
    first, *others = [unit for unit in run.units if unit.vector == "text"]
    run.embed(first, encoder)
    assert reader.is_alive()
    assert found == []
    for unit in others:
        run.embed(unit, encoder)
    reader.join(10)
    assert found[0].shape == (7, 8)
    assert table.waited_s > 0


def test_a_failure_ends_who_waits_for_vectors_and_who_brings_records(
    run: Run, sample_structures: Path
) -> None:
    run.take(sample_structures)
    table = run.plan.tables(sample_structures)["code"]
    failures: list[BaseException] = []

    def read() -> None:
        try:
            table[0:1]
        except CheckpointError as exc:
            failures.append(exc)

    reader = threading.Thread(target=read)
    reader.start()
    run.plan.no_more(VectorError("model x gave NaN"))
    reader.join(10)
    assert [str(failure) for failure in failures] == ["vectors are missing: model x gave NaN"]
    with pytest.raises(CheckpointError, match="not read any further: model x gave NaN"):
        table[0:1]
    with pytest.raises(CheckpointError, match="vectors are missing"):
        table.settle()
    with pytest.raises(VectorError):
        run.plan.take(list(read_structures(sample_structures)))


def test_a_vector_that_nobody_makes_is_reported(run: Run, sample_structures: Path) -> None:
    run.take(sample_structures)
    run.plan.no_more()
    table = run.plan.tables(sample_structures)["text"]
    with pytest.raises(
        CheckpointError, match=r"lacks 77 of 77 vectors; run `lsif-ingest ingest` again"
    ):
        table[0:1]
    with pytest.raises(CheckpointError, match="holds no vector"):
        _ = table.dimension


def test_a_run_in_which_nothing_changed_reads_no_vectors(
    tmp_path: Path, fingerprint: Fingerprint
) -> None:
    checkpoint = Checkpoint(tmp_path, fingerprint)
    checkpoint.append([b"a" * 16], np.ones((1, 8), dtype=np.float32))
    table = VectorTable(Checkpoint(tmp_path, fingerprint), as_keys(b"a" * 16), tmp_path / "scratch")
    table.no_more()
    table.settle()
    assert table.dimension == 8
    assert not (tmp_path / "scratch").exists()
    assert table[0:1].shape == (1, 8)
    assert (tmp_path / "scratch").exists()
    table.close()


def test_a_work_unit_that_two_workers_embed_is_stored_once(
    tmp_path: Path, fingerprint: Fingerprint, encoder: FakeEncoder
) -> None:
    checkpoint = Checkpoint(tmp_path, fingerprint)
    unit = write_unit(checkpoint, [b"a" * 16, b"b" * 16], ["long text", "text"], vector="code")
    first = embed_unit(Checkpoint(tmp_path, fingerprint), unit, lambda: encoder)

    def fail() -> FakeEncoder:
        raise AssertionError("it is embedded already")

    second = embed_unit(Checkpoint(tmp_path, fingerprint), unit, fail)
    assert first.file == second.file == unit.name.replace(".shard", ".parquet")
    assert (first.tokens, second.tokens, second.dimension, second.device) == (13, 0, 8, "")
    assert len(list((tmp_path / fingerprint.digest).glob("*"))) == 1


def test_a_work_unit_is_left_between_two_batches_and_keeps_what_was_embedded(
    tmp_path: Path, fingerprint: Fingerprint
) -> None:
    stop = threading.Event()

    class Stopping(FakeEncoder):
        def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
            if len(self.batches) == 1:
                stop.set()
            return super().encode_documents(texts)

    checkpoint = Checkpoint(tmp_path, fingerprint)
    keys = [bytes([65 + number]) * 16 for number in range(12)]
    unit = write_unit(checkpoint, keys, [f"text {number}" for number in range(12)], vector="code")
    token = STOP.set(stop)
    try:
        with pytest.raises(EmbeddingStopped, match="stopped after 8 of 12 texts; these are saved"):
            embed_unit(checkpoint, unit, Stopping)
    finally:
        STOP.reset(token)
    assert len(Checkpoint(tmp_path, fingerprint).keys()) == 8


def test_a_work_unit_that_cant_be_reached_names_the_store(
    tmp_path: Path, fingerprint: Fingerprint
) -> None:
    unit = WorkUnit("code", f"{fingerprint.digest}/0123.shard", 5)
    with pytest.raises(
        CheckpointError, match=r"0123.shard can't be read.*an address that all of them can reach"
    ):
        embed_unit(Checkpoint(tmp_path, fingerprint), unit, FakeEncoder)


def test_work_units_that_killed_runs_left_are_removed_after_a_week(
    tmp_path: Path, sample_structures: Path
) -> None:
    Run(tmp_path).take(sample_structures)
    left = sorted(tmp_path.rglob("*.shard"))
    assert len(left) == 9
    for path in left[:4]:
        os.utime(path, (time.time() - 8 * 86_400,) * 2)
    os.utime(left[4], (time.time() - 6 * 86_400,) * 2)
    Run(tmp_path)
    assert sorted(tmp_path.rglob("*.shard")) == left[4:]


def test_texts_of_blocks_that_structures_have_too_are_embedded_once(
    tmp_path: Path, sample_structures: Path
) -> None:
    run = Run(tmp_path)
    block = next(read_blocks(sample_structures.with_name("blocks.jsonl")))
    structure = next(read_structures(sample_structures))
    same = replace(block, snippet=structure.context.snippet)
    run.plan.take([structure], [same])
    run.plan.finish()
    assert [(unit.vector, unit.texts) for unit in run.units] == [("text", 1), ("code", 1)]
    run.embed(run.units[1], FakeEncoder())
    assert run.plan.tables(tmp_path / "structures.jsonl")["blocks"][0:1].shape == (1, 8)
    run.plan.close()
