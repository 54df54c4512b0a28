"""Embed tasks on Prefect's task runners; a Dask cluster of two workers, one of them killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.settings import PREFECT_HOME
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from configs.errors import ConfigError
from configs.settings import Settings, load_settings
from configs.workspace import Workspace
from embedding.errors import CheckpointError, ModelError
from embedding.work_units import UnitReport, WorkUnit
from flows.errors import ClusterError
from flows.orchestration import run_ingest
from flows.report.model import IngestReport
from flows.runners import make_task_runner
from flows.source.source import Source
from flows.stages import vectors
from lsif.structure import Structure
from storage.embedded.index import EmbeddedIndex

from conftest import SAMPLE, SAMPLE_DUMP, points

pytestmark = pytest.mark.usefixtures("harness")

SOURCE = Source(dump=SAMPLE_DUMP, root=SAMPLE)


def of(data: Path, *changes: str) -> Settings:
    return load_settings(
        None,
        [f"paths.data={data}", "flow.retry_delay_s=0.0", "checkpoint.rows_per_file=20", *changes],
    )


def ingest(settings: Settings, runner: TaskRunner[Any] | None = None) -> IngestReport:
    return run_ingest(SOURCE, settings, rebuild=False, task_runner=runner)


def test_a_task_runner_that_a_caller_gives_embeds_all_work_units(
    tmp_path: Path, indexed_sample: Path
) -> None:
    report = ingest(of(tmp_path, 'cluster.runner="flow"'), ThreadPoolTaskRunner(max_workers=1))
    assert [(one.stage, one.tasks) for one in report.stages if one.stage.startswith("embed")] == [
        ("embed text", 5),
        ("embed code", 5),
        ("embed blocks", 1),
    ]
    assert points(tmp_path) == points(indexed_sample)


def test_a_work_unit_that_fails_for_a_passing_reason_is_tried_again_alone(
    tmp_path: Path, indexed_sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import tasks

    class Passing(CheckpointError):
        retryable = True

    embedded: list[str] = []
    original = vectors.embed

    def flaky(workspace: Workspace, unit: WorkUnit) -> UnitReport:
        embedded.append(f"{unit.vector} {unit.number}")
        if embedded.count("code 2") == 1 and embedded[-1] == "code 2":
            raise Passing("the bucket is busy")
        return original(workspace, unit)

    monkeypatch.setattr(tasks, "embed", tasks.embed.with_options(name="embed"))
    monkeypatch.setattr(tasks.embed, "fn", flaky)
    ingest(of(tmp_path))
    assert sorted(embedded) == sorted(
        [
            *(f"text {n}" for n in range(1, 6)),
            *(f"code {n}" for n in (1, 2, 2, 3, 4, 5)),
            "blocks 1",
        ]
    )
    assert points(tmp_path) == points(indexed_sample)


def kill_a_busy_worker(store: Path, killed: list[int]) -> None:
    """Kill one of this process's Dask workers once a work unit is embedded and others are not."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        workers = [one for one in psutil.Process().children(recursive=True) if _is_worker(one)]
        if len(workers) >= 2 and list(store.rglob("*.parquet")) and list(store.rglob("*.shard")):
            victim = max(workers, key=lambda one: one.cpu_percent(0.05))
            os.kill(victim.pid, signal.SIGKILL)
            killed.append(victim.pid)
            return
        time.sleep(0.01)


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:
        return False


@pytest.mark.deployed
def test_a_worker_of_two_that_is_killed_costs_a_work_units_work_and_nothing_else(
    tmp_path: Path, indexed_sample: Path
) -> None:
    killed: list[int] = []
    changes = (
        'cluster.runner="dask"',
        "cluster.resources={GPU=1}",
        "checkpoint.rows_per_file=4",
        "embedding.text.batch_tokens=1",
    )
    watching = threading.Thread(target=kill_a_busy_worker, args=(tmp_path / "checkpoints", killed))
    watching.start()
    report = ingest(of(tmp_path, *changes))
    watching.join(130)
    assert len(killed) == 1
    assert [one.embedded for one in report.embeddings] == [93, 93, 8]
    assert sum(one.tasks for one in report.stages if one.stage.startswith("embed")) == 24 + 24 + 2
    assert points(tmp_path) == points(indexed_sample)
    assert not list((tmp_path / "checkpoints").rglob("*.shard"))
    assert len(list((tmp_path / "checkpoints").rglob("*.parquet"))) == 50


def test_a_work_unit_that_fails_for_good_leaves_no_generation_and_keeps_what_was_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import tasks

    original = vectors.embed

    def failing(workspace: Workspace, unit: WorkUnit) -> UnitReport:
        if (unit.vector, unit.number) == ("code", 3):
            raise ModelError("the model is gone")
        return original(workspace, unit)

    monkeypatch.setattr(tasks, "embed", tasks.embed.with_options(name="embed"))
    monkeypatch.setattr(tasks.embed, "fn", failing)
    with pytest.raises(ModelError, match="the model is gone"):
        ingest(of(tmp_path))
    assert EmbeddedIndex(tmp_path / "qdrant").live("sample") is None
    assert not list((tmp_path / "qdrant").glob("*/sample--*"))
    assert not list((tmp_path / "projects/sample").glob(".*.tmp"))
    monkeypatch.undo()
    report = ingest(of(tmp_path))
    assert [one.from_checkpoint for one in report.embeddings] == [60, 40, 0]


def test_the_server_is_told_names_and_counts_no_texts_and_no_vectors(
    tmp_path: Path, server_home: Path, structures: list[Structure]
) -> None:
    def stored() -> dict[Path, bytes]:
        homes = (server_home, Path(str(PREFECT_HOME.value())))
        return {
            path: path.read_bytes() for home in homes for path in home.rglob("*") if path.is_file()
        }

    def differs(before: dict[Path, bytes]) -> bytes:
        return b"".join(
            content for path, content in stored().items() if before.get(path) != content
        )

    before = stored()
    report = ingest(of(tmp_path, "project.name=told"))
    flow_run = UUID(report.run_id)
    deadline = time.monotonic() + 30
    with get_client(sync_client=True) as client:
        # Runs of tasks reach the database by events, after the flow's end.
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run]))
        while (
            len(tasks := client.read_task_runs(flow_run_filter=chosen)) < 14
            and time.monotonic() < deadline
        ):
            time.sleep(0.2)
        parameters = client.read_flow_run(flow_run).parameters
    assert len(tasks) == 14  # check, parse, upload; eleven work units
    assert set(parameters) == {"source", "settings", "rebuild"}
    told = differs(before)
    assert flow_run.hex.encode() in told or str(flow_run).encode() in told
    assert b"told" in told
    lines = {
        line.strip()
        for one in structures
        for line in one.context.snippet.splitlines()[1:]
        if len(line.strip()) > 24
    }
    documentation = {
        line.strip()
        for one in structures
        for line in (one.docstring or "").splitlines()
        if len(line.strip()) > 24
    }
    assert len(lines) > 100
    assert len(documentation) > 20
    assert [one for one in lines | documentation if one.encode() in told] == []


@pytest.mark.parametrize(
    ("changes", "api_url", "message"),
    [
        (('cluster.scheduler="tcp://10.0.0.7:8786"',), None, r"set PREFECT_API_URL"),
        (
            ('cluster.scheduler="tcp://10.0.0.7:8786"',),
            "http://127.0.0.1:4200/api",
            r"prefect server start --host 0.0.0.0",
        ),
    ],
)
def test_workers_elsewhere_need_a_prefect_server_that_they_reach(
    tmp_path: Path, changes: tuple[str, ...], api_url: str | None, message: str
) -> None:
    with pytest.raises(ClusterError, match=message):
        make_task_runner(of(tmp_path, 'cluster.runner="dask"', *changes).cluster, api_url)


@pytest.mark.parametrize(
    "change",
    [
        "cluster.scheduler=10.0.0.7",
        'cluster.scheduler="tcp://u:p@h:1"',
        "cluster.workers=0",
        "cluster.resources={GPU=0}",
    ],
)
def test_settings_of_a_cluster_are_checked(tmp_path: Path, change: str) -> None:
    with pytest.raises(ConfigError, match="cluster"):
        of(tmp_path, change)


def test_no_runner_is_made_where_none_is_needed(tmp_path: Path) -> None:
    assert make_task_runner(of(tmp_path).cluster, None) is None
    assert make_task_runner(of(tmp_path, 'cluster.runner="flow"').cluster, None) is None


def test_a_worker_with_another_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="this worker has another model for text"):
        vectors.embed(Workspace(of(tmp_path)), WorkUnit("text", "0123/4567.shard", 1))
