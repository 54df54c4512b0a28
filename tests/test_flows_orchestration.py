"""What a run does around its flow: which Prefect server it uses, and what it rejects before."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from configs.settings import Settings
from flows.errors import ClusterError, FlowError, UsageError
from flows.orchestration import run_ingest
from flows.runners import make_task_runner, why_no_scheduler
from flows.server.temporary import TemporaryServer, _copied
from flows.source.source import Source

from conftest import (
    PROJECT_ROOT,
    SAMPLE,
    SAMPLE_DUMP,
    SOURCE,
    cli_environment,
    give_empty_database,
    points,
    run_cli,
)

UNUSED = "127.0.0.1:9"


def changed(settings: Settings, **cluster: object) -> Settings:
    return settings.model_copy(update={"cluster": settings.cluster.model_copy(update=cluster)})


def test_a_server_is_reached_without_the_proxy_and_runs_nothing_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/__init__.py").write_text("")
    (tmp_path / "uvicorn.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://{UNUSED}")
    server = TemporaryServer()
    try:
        server.wait()
    finally:
        server.stop()
    assert not (tmp_path / "ran").exists()


def test_a_server_has_a_database_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is said of the user's: it is damaged, named by a variable, or of another version."""
    home, kept = tmp_path / "home", tmp_path / "kept"
    home.mkdir()
    (home / "prefect.db").write_text("damaged")
    monkeypatch.setenv("PREFECT_HOME", str(home))
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "postgresql+asyncpg://127.0.0.1:9/x")
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", f"sqlite+aiosqlite:///{home}/x/y")
    kept.mkdir()
    name = f"empty-{version('prefect')}.db"
    (kept / name).write_text("damaged, too")
    (kept / "empty-1.0.db").write_text("of an earlier version")
    for _ in range(2):  # the second begins with the copy that the first kept
        server = TemporaryServer(kept)
        try:
            server.wait()
        finally:
            server.stop()
        assert not server.home.exists()
        assert [path.name for path in kept.iterdir()] == [name]
    assert [path.read_text() for path in home.iterdir()] == ["damaged"]


def test_an_empty_database_that_is_none_is_not_used(tmp_path: Path) -> None:
    target, kept = tmp_path / "target.db", tmp_path / "kept.db"
    assert not _copied(None, target)
    assert not _copied(kept, target)
    kept.write_bytes(b"SQLite format 3\0" + bytes(5000))
    assert not _copied(kept, target)
    kept.unlink()
    for script, usable in (
        ("CREATE TABLE flow_run (id)", False),  # as a migration leaves it that was cut off
        ("CREATE TABLE alembic_version (version_num)", True),
        ("INSERT INTO flow_run VALUES (1)", False),
    ):
        with closing(sqlite3.connect(kept)) as database, database:
            database.execute(script)
        assert _copied(kept, target) == usable
    assert not target.exists()


def test_a_server_that_ends_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_SERVER_LOGGING_LEVEL", "NONSENSE")
    server = TemporaryServer()
    with pytest.raises(FlowError, match=r"ended with status 1: \w.*Try `prefect server start`"):
        server.wait()


def test_a_server_that_is_named_and_absent_is_told_by_the_metrics_too(
    tmp_path: Path, prefect_home: dict[str, str]
) -> None:
    metrics = tmp_path / "metrics"
    done = run_cli(
        *(
            "ingest",
            *SOURCE,
            "--set",
            f"paths.data={tmp_path / 'data'}",
            "--set",
            f"flow.metrics_folder={metrics}",
        ),
        environment={**prefect_home, "PREFECT_API_URL": f"http://{UNUSED}/api"},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no Prefect server answers at http://{UNUSED}/api" in done.stderr
    assert "Traceback" not in done.stderr
    assert (
        'lsif_ingest_last_run_success{project="sample"} 0'
        in (metrics / "lsif-ingest-sample.prom").read_text()
    )


def test_a_runner_that_nobody_gives_is_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="is for Python"):
        run_ingest(
            Source(dump=SAMPLE_DUMP, root=SAMPLE), changed(settings, runner="flow"), rebuild=False
        )


def test_a_scheduler_that_does_not_listen_is_told_before_anything_is_done(
    settings: Settings,
) -> None:
    assert why_no_scheduler(f"tcp://{UNUSED}", 1).startswith(
        f"no Dask scheduler listens at tcp://{UNUSED} ("
    )
    with pytest.raises(ClusterError, match="Start it there: dask scheduler --port 9"):
        make_task_runner(
            changed(settings, runner="dask", scheduler=f"tcp://{UNUSED}", timeout_s=1.0).cluster,
            "http://127.0.0.1:1",
        )


def test_a_closed_standard_output_is_no_failure(
    prefect_home: dict[str, str], indexed_sample: Path
) -> None:
    words = [sys.executable, "-m", "flows", "status", "--set", f"paths.data={indexed_sample}"]
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&- 2>&-', "sh", *words],
        check=False,
        cwd=PROJECT_ROOT,
        env=cli_environment(prefect_home),
    )
    assert done.returncode == 0


@pytest.mark.deployed
@pytest.mark.parametrize("killed", ["worker", "run"])
def test_worker_processes_that_are_killed_and_those_whose_run_is(
    killed: str, tmp_path: Path, indexed_sample: Path, prefect_home: dict[str, str]
) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    slow = ("--set", "checkpoint.rows_per_file=8", "--set", "embedding.text.batch_tokens=1")
    two = ("--set", "cluster.runner=processes", "--set", "cluster.workers=2")
    give_empty_database(data)
    with log.open("wb") as file:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "flows",
                "ingest",
                *SOURCE,
                "--set",
                f"paths.data={data}",
                *slow,
                *two,
            ],
            cwd=PROJECT_ROOT,
            env=cli_environment(prefect_home),
            stdout=file,
            stderr=file,
        )
    children = list[psutil.Process]()
    deadline = time.monotonic() + 120
    while not list(data.glob("checkpoints/*/*.parquet")):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        children = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.02)
    workers = [one for one in children if "spawn_main" in " ".join(one.cmdline())]
    assert len(workers) == 2
    os.kill(workers[0].pid if killed == "worker" else process.pid, signal.SIGKILL)
    ended = process.wait(timeout=240)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    if killed == "run":
        assert ended == -signal.SIGKILL
        return
    said = log.read_text()
    assert ended == 0, said
    assert said.count("a worker process was killed") == 1
    assert points(data) == points(indexed_sample)
