"""Where embed tasks run: on the workers of a Prefect task runner, as [cluster] says, or in the flow's own process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flows.errors import ClusterError

if TYPE_CHECKING:
    from prefect.task_runners import TaskRunner

    from configs.settings import ClusterSettings

_HERE = ("127.0.0.1", "localhost", "::1")
DASK_PORT = 8786


def make_task_runner(cluster: ClusterSettings, api_url: str | None) -> TaskRunner[Any] | None:
    """Return the configured task runner, None where the flow keeps its own.

    `api_url` is that of the Prefect server that tasks report to. Raises ClusterError where workers could not reach it, or Dask is
    not installed.
    """
    if cluster.runner == "processes":
        from prefect.task_runners import ProcessPoolTaskRunner  # noqa: PLC0415 - takes time

        # Of a pool whose processes were killed Python would tell at the end how many semaphores it cleared away.
        os.environ["PYTHONWARNINGS"] = ",".join(
            filter(None, (os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker"))
        )
        return ProcessPoolTaskRunner(max_workers=cluster.workers, initializer=_end_with_the_run)
    if cluster.runner == "dask":
        return _dask_runner(cluster, api_url)
    return None


def _end_with_the_run() -> None:
    """Have this worker process end when the run's does, however that ended: it would wait for work for ever."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches all processes of a terminal; the run ends its workers itself
    run = multiprocessing.parent_process()

    def watch() -> None:
        if run is not None:
            run.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def end_workers(cluster: ClusterSettings) -> None:
    """End the worker processes of a run that failed or was stopped: what they are at is lost, and nothing is waited for.

    Work units are whole files or none, so a process may end anywhere. Dask's workers go on: they end a work unit that nobody waits for.
    """
    if cluster.runner == "processes":
        for process in multiprocessing.active_children():
            process.terminate()


def why_no_scheduler(address: str, timeout_s: float) -> str:
    """Return why no Dask scheduler is to be had at the address, empty where one listens."""
    parts = urlsplit(address)
    try:
        socket.create_connection(
            (parts.hostname or "", parts.port or DASK_PORT), timeout=timeout_s
        ).close()
    except OSError as exc:
        return f"no Dask scheduler listens at {address} ({exc.strerror or exc})"
    return ""


def taking_resources(cluster: ClusterSettings) -> AbstractContextManager[Any]:
    """Return the context in which tasks that are submitted take the configured resources of a Dask worker."""
    if cluster.runner != "dask" or not cluster.resources:
        return nullcontext()
    from dask import annotate  # noqa: PLC0415 - an extra

    annotated: AbstractContextManager[Any] = annotate(resources=dict(cluster.resources))
    return annotated


def _dask_runner(cluster: ClusterSettings, api_url: str | None) -> TaskRunner[Any]:
    # It tells each connection that it closes; what matters comes as an error of the task.
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")
    try:
        from prefect_dask import DaskTaskRunner  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise ClusterError(
            f'cluster.runner is "dask", which is not installed ({exc}): .venv/bin/pip install -c constraints.txt -e ".[dask]"'
        ) from exc
    if not cluster.scheduler:
        local = {"n_workers": cluster.workers, "threads_per_worker": 1, "dashboard_address": None}
        return DaskTaskRunner(
            cluster_kwargs={
                **local,
                **({"resources": dict(cluster.resources)} if cluster.resources else {}),
            }
        )
    if urlsplit(cluster.scheduler).hostname not in _HERE and urlsplit(api_url or "").hostname in (
        None,
        *_HERE,
    ):
        raise ClusterError(
            f"the workers of {cluster.scheduler} report to a Prefect server that they must reach: start one with "
            "`prefect server start --host 0.0.0.0` and set PREFECT_API_URL to its address in the network."
        )
    if why := why_no_scheduler(cluster.scheduler, cluster.timeout_s):
        raise ClusterError(
            f"{why}. Start it there: dask scheduler --port {urlsplit(cluster.scheduler).port or DASK_PORT}"
        )
    return DaskTaskRunner(address=cluster.scheduler, client_kwargs={"timeout": cluster.timeout_s})
