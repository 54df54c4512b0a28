"""Where embed tasks run: in the flow's process, or on the workers that [cluster] configures."""

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
    """Return the configured task runner, None if the flow keeps its own.

    Tasks report to the Prefect server at `api_url`. Raises ClusterError if workers can't reach it,
    or Dask is not installed.
    """
    if cluster.runner == "processes":
        from prefect.task_runners import ProcessPoolTaskRunner  # noqa: PLC0415 - takes time

        # If a pool's processes were killed, Python would report the semaphores that it removed.
        os.environ["PYTHONWARNINGS"] = ",".join(
            filter(None, (os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker"))
        )
        return ProcessPoolTaskRunner(max_workers=cluster.workers, initializer=_end_with_the_run)
    if cluster.runner == "dask":
        return _dask_runner(cluster, api_url)
    return None


def _end_with_the_run() -> None:
    """End this worker process when the run's process does, which it would outlive otherwise."""
    # Ctrl-C reaches all processes of a terminal; the run ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run = multiprocessing.parent_process()

    def watch() -> None:
        if run is not None:
            run.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def end_workers(cluster: ClusterSettings) -> None:
    """Kill the worker processes of a run that failed or was stopped; wait for nothing.

    A finished unit is a whole file, so a process may end anywhere. Dask's workers go on: each
    finishes a unit that nobody waits for.
    """
    if cluster.runner == "processes":
        for process in multiprocessing.active_children():
            process.terminate()


def why_no_scheduler(address: str, timeout_s: float) -> str:
    """Return why there is no Dask scheduler at the address, "" if one listens."""
    parts = urlsplit(address)
    try:
        socket.create_connection(
            (parts.hostname or "", parts.port or DASK_PORT), timeout=timeout_s
        ).close()
    except OSError as exc:
        return f"no Dask scheduler listens at {address} ({exc.strerror or exc})"
    return ""


def taking_resources(cluster: ClusterSettings) -> AbstractContextManager[Any]:
    """Return a context in which submitted tasks take the configured resources of a Dask worker."""
    if cluster.runner != "dask" or not cluster.resources:
        return nullcontext()
    from dask import annotate  # noqa: PLC0415 - an extra

    annotated: AbstractContextManager[Any] = annotate(resources=dict(cluster.resources))
    return annotated


def _dask_runner(cluster: ClusterSettings, api_url: str | None) -> TaskRunner[Any]:
    # It reports each connection that it closes; what matters comes as an error of the task.
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")
    try:
        from prefect_dask import DaskTaskRunner  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise ClusterError(
            f'cluster.runner is "dask", which is not installed ({exc}): '
            '.venv/bin/pip install -c constraints.txt -e ".[dask]"'
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
            f"the workers of {cluster.scheduler} must reach the Prefect server: start one with "
            "`prefect server start --host 0.0.0.0` and set PREFECT_API_URL to its address in the "
            "network."
        )
    if why := why_no_scheduler(cluster.scheduler, cluster.timeout_s):
        raise ClusterError(
            f"{why}. Start it there: "
            f"dask scheduler --port {urlsplit(cluster.scheduler).port or DASK_PORT}"
        )
    return DaskTaskRunner(address=cluster.scheduler, client_kwargs={"timeout": cluster.timeout_s})
