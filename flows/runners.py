"""Where embed tasks run: on the workers of a Prefect task runner, as [cluster] says, or in the flow's own process."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flows.errors import ClusterError

if TYPE_CHECKING:
    from prefect.task_runners import TaskRunner

    from configs.settings import ClusterSettings

_HERE = ("127.0.0.1", "localhost", "::1")


def make_task_runner(cluster: ClusterSettings, api_url: str | None) -> TaskRunner[Any] | None:
    """Return the configured task runner, None where the flow keeps its own.

    `api_url` is that of the Prefect server that tasks report to. Raises ClusterError where workers could not reach it, or Dask is
    not installed.
    """
    if cluster.runner == "processes":
        from prefect.task_runners import ProcessPoolTaskRunner  # noqa: PLC0415 - takes time

        return ProcessPoolTaskRunner(max_workers=cluster.workers)
    if cluster.runner == "dask":
        return _dask_runner(cluster, api_url)
    return None


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
        return DaskTaskRunner(cluster_kwargs={**local, **({"resources": dict(cluster.resources)} if cluster.resources else {})})
    if urlsplit(cluster.scheduler).hostname not in _HERE and urlsplit(api_url or "").hostname in (None, *_HERE):
        raise ClusterError(
            f"the workers of {cluster.scheduler} report to a Prefect server that they must reach: start one with "
            "`prefect server start --host 0.0.0.0` and set PREFECT_API_URL to its address in the network."
        )
    return DaskTaskRunner(address=cluster.scheduler, client_kwargs={"timeout": cluster.timeout_s})
