from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import ALL_FINGERPRINTS, FakeEncoder

from embedding.checkpoint import Checkpoint
from embedding.errors import CheckpointError, VectorError
from embedding.plan import VectorPlan
from embedding.work_units import UnitReport, WorkUnit, embed_unit
from flows.lanes import Lanes
from flows.report.model import StageTime
from flows.stage_clock import StageClock
from lsif.errors import DumpError
from lsif.jsonl import read_blocks, read_structures


class Stage:
    """Lanes over the sample, with a fake encoder."""

    def __init__(self, store: Path, before: Callable[[WorkUnit], None] = lambda _: None) -> None:
        self.store, self.before = store, before
        self.embedded: list[str] = []
        self.lanes = Lanes(self._embed)
        self.plan = VectorPlan(
            ALL_FINGERPRINTS, str(store), self.lanes.give, rows_per_file=20, dtype="float32"
        )

    def _embed(self, unit: WorkUnit) -> Callable[[], UnitReport]:
        assert threading.current_thread() is not threading.main_thread()  # in which signals raise
        self.before(unit)
        self.embedded.append(f"{unit.vector} {unit.number}")
        fingerprint = ALL_FINGERPRINTS[unit.vector]
        report = embed_unit(Checkpoint(self.store, fingerprint), unit, FakeEncoder)
        return lambda: report


def test_the_upload_begins_while_work_units_are_embedded_and_parsing_while_they_are_parsed(
    tmp_path: Path, sample_structures: Path
) -> None:
    first_embedded, upload_began = threading.Event(), threading.Event()

    def before(unit: WorkUnit) -> None:
        if unit.number == 1 and unit.vector == "text":
            first_embedded.set()
        if unit.vector == "blocks":
            assert upload_began.wait(10)

    stage = Stage(tmp_path, before)

    def records() -> int:
        structures = list(read_structures(sample_structures))
        stage.plan.take(structures[:40])
        assert first_embedded.wait(10)  # the rest is not parsed yet
        blocks = read_blocks(sample_structures.with_name("blocks.jsonl"))
        stage.plan.take(structures[40:], list(blocks))
        stage.plan.finish()
        stage.lanes.end()
        upload_began.set()
        return len(stage.plan.tables(tmp_path / "structures.jsonl")["blocks"][0:8])

    assert stage.lanes.run(stage.plan, records) == 8
    numbered = [f"{vector} {number}" for vector in ("code", "text") for number in (1, 2, 3, 4)]
    assert sorted(stage.embedded) == ["blocks 1", *numbered]
    stage.plan.close()


def test_records_that_fail_end_the_embedding(tmp_path: Path, sample_structures: Path) -> None:
    failed = threading.Event()

    def before(unit: WorkUnit) -> None:
        assert failed.wait(10)

    stage = Stage(tmp_path, before)

    def records() -> None:
        stage.plan.take(list(read_structures(sample_structures)))
        failed.set()
        raise DumpError("cut off")

    with pytest.raises(DumpError, match="cut off"):
        stage.lanes.run(stage.plan, records)
    assert len(stage.embedded) < 6
    assert stage.lanes.stopped.is_set()


def test_records_that_fail_do_not_wait_for_workers(tmp_path: Path, sample_structures: Path) -> None:
    began = threading.Event()
    lanes: Lanes

    def at_a_worker(_: WorkUnit) -> Callable[[], UnitReport]:
        def wait_for() -> UnitReport:
            assert lanes.stopped.wait(
                10
            )  # as flows.ingest does: nobody is waited for once a lane failed
            raise VectorError("the run was stopped")

        began.set()
        return wait_for

    lanes = Lanes(at_a_worker)
    plan = VectorPlan(
        ALL_FINGERPRINTS, str(tmp_path), lanes.give, rows_per_file=20, dtype="float32"
    )

    def records() -> None:
        plan.take(list(read_structures(sample_structures)))
        plan.finish()
        lanes.end()
        assert began.wait(10)
        raise DumpError("the index is locked")

    with pytest.raises(DumpError, match="the index is locked"):
        lanes.run(plan, records)


def test_a_work_unit_that_fails_is_told_while_no_other_comes(
    tmp_path: Path, sample_structures: Path
) -> None:
    def at_a_worker(_: WorkUnit) -> Callable[[], UnitReport]:
        def wait_for() -> UnitReport:
            raise VectorError("model x gave NaN")

        return wait_for

    lanes = Lanes(at_a_worker)
    plan = VectorPlan(
        ALL_FINGERPRINTS, str(tmp_path), lanes.give, rows_per_file=20, dtype="float32"
    )
    parsed = threading.Event()

    def records() -> None:
        plan.take(list(read_structures(sample_structures))[:21])
        while not parsed.wait(0.01):  # a long dump, of which no work unit comes
            plan.take(())

    ending = threading.Timer(20, parsed.set)
    ending.start()
    with pytest.raises(VectorError, match="model x gave NaN"):
        lanes.run(plan, records)
    assert not parsed.is_set()
    ending.cancel()


def test_embedding_that_fails_ends_the_records_and_is_what_is_told(
    tmp_path: Path, sample_structures: Path
) -> None:
    def before(unit: WorkUnit) -> None:
        if unit.number == 2:
            raise VectorError("model x gave NaN")

    stage, ended = Stage(tmp_path, before), list[str]()

    def records() -> None:
        stage.plan.take(list(read_structures(sample_structures)))
        stage.plan.finish()
        stage.lanes.end()
        try:
            stage.plan.tables(tmp_path / "structures.jsonl")["text"][0:77]
        except BaseException as exc:
            ended.append(str(exc))
            raise

    with pytest.raises(VectorError, match="model x gave NaN"):
        stage.lanes.run(stage.plan, records)
    assert [one.rpartition(": ")[2] for one in ended] == ["model x gave NaN"]
    assert stage.embedded == ["text 1", "code 1"]
    stage.plan.close()


def test_a_signal_ends_both_lanes_where_they_are(tmp_path: Path, sample_structures: Path) -> None:
    begun, ended = threading.Event(), list[str]()

    def before(unit: WorkUnit) -> None:
        if (unit.vector, unit.number) == ("code", 1):
            begun.set()
            assert stage.lanes.stopped.wait(10)

    stage = Stage(tmp_path, before)

    def records() -> None:
        stage.plan.take(list(read_structures(sample_structures)))
        stage.plan.finish()
        stage.lanes.end()
        assert begun.wait(10)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        try:
            stage.plan.tables(tmp_path / "structures.jsonl")["code"][0:77]
        except CheckpointError as exc:
            ended.append(str(exc))
            raise

    with pytest.raises(KeyboardInterrupt):
        stage.lanes.run(stage.plan, records)
    assert len(ended) == 1
    assert stage.embedded == ["text 1", "code 1"]
    stage.plan.close()


def test_the_clock_tells_waiting_from_work() -> None:
    clock = StageClock()
    with clock.stage("upload", lambda: 5.0):
        pass
    (stage,) = clock.stages()
    assert (stage.stage, stage.tasks) == ("upload", 1)
    assert stage.busy_s == stage.wall_s - 5.0
    clock.note(StageTime("embed blocks", 0.0, 0.0, 0.0, 0))  # which had nothing to do
    assert [one.stage for one in clock.stages()] == ["upload", "embed blocks"]
