"""Embed tasks on separate Dask workers, vectors in a bucket, as configs/cluster.toml says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from conftest import PROJECT_ROOT, S3_SECRET, SOURCE, cli_environment, points, run_cli

pytestmark = pytest.mark.deployed


@contextmanager
def dask(
    *arguments: str, environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program of Dask with all that it starts, until the end of the block."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("dask"), *arguments],
            env=cli_environment(environment),
            cwd=log.parent,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def scheduler(tmp_path: Path, s3_environment: dict[str, str]) -> Iterator[str]:
    """The address of a scheduler with two workers of one GPU, started as in docs/deployment.md."""
    where, environment = (
        tmp_path / "scheduler.json",
        {**s3_environment, "PYTHONPATH": str(PROJECT_ROOT)},
    )
    with dask(
        *(
            "scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
            "--scheduler-file",
            str(where),
        ),
        environment=environment,
        log=tmp_path / "scheduler.log",
    ):
        deadline = time.monotonic() + 60
        while not where.is_file() or not where.read_bytes():
            assert time.monotonic() < deadline, (tmp_path / "scheduler.log").read_text()
            time.sleep(0.1)
        address = str(orjson.loads(where.read_bytes())["address"])
        worker = ("worker", address, "--nthreads", "1", "--resources", "GPU=1", "--no-dashboard")
        with (
            dask(*worker, environment=environment, log=tmp_path / "worker_1.log"),
            dask(*worker, environment=environment, log=tmp_path / "worker_2.log"),
        ):
            yield address


def test_workers_of_a_scheduler_embed_into_a_bucket(
    scheduler: str,
    bucket: str,
    s3_environment: dict[str, str],
    prefect_home: dict[str, str],
    tmp_path: Path,
    indexed_sample: Path,
) -> None:
    data = tmp_path / "data"
    arguments = [
        *("ingest", *SOURCE, "--json", "--config", str(PROJECT_ROOT / "configs/cluster.toml")),
        *("--set", f"paths.data={data}", "--set", f"cluster.scheduler={scheduler}"),
        *("--set", f"checkpoint.store={bucket}", "--set", "checkpoint.rows_per_file=10"),
    ]
    environment = {**prefect_home, **s3_environment}

    def ingest() -> dict[str, Any]:
        done = run_cli(*arguments, environment=environment)
        assert done.returncode == 0, done.stderr
        assert S3_SECRET not in done.stdout + done.stderr
        report: dict[str, Any] = orjson.loads(done.stdout)
        return report

    first = ingest()
    assert [(one["embedded"], one["from_checkpoint"]) for one in first["embeddings"]] == [
        (93, 0),
        (93, 0),
        (8, 0),
    ]
    tasks = {one["stage"]: one["tasks"] for one in first["stages"]}
    assert (tasks["embed text"], tasks["embed code"], tasks["embed blocks"]) == (10, 10, 1)
    assert points(data) == points(indexed_sample)
    assert not (data / "checkpoints").exists()
    said = [(tmp_path / f"worker_{number}.log").read_text() for number in (1, 2)]
    assert sum(one.count("- Finished in state Completed()") for one in said) == 21
    assert all("Task run 'embed" in one for one in said), said
    assert S3_SECRET not in "".join(said)

    again = ingest()
    assert [one["embedded"] for one in again["embeddings"]] == [0, 0, 0]
    assert again["upload"]["way"] == "unchanged"
