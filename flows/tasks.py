"""Stages as Prefect tasks. Paths and settings go in, a small report comes out.

Tags are the flow run's: a tagged task asks the server for a concurrency slot, which takes up to 2 s
on a temporary server. Prefect caches no result: a run resumes from files, which say what they hold.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.states import get_state_exception

from configs.errors import LsifIngestError
from flows.errors import FlowError
from flows.runners import taking_resources
from flows.stages import vectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from prefect.client.schemas.objects import State, TaskRun
    from prefect.futures import PrefectFuture
    from prefect.tasks import Task

    from configs.settings import FlowSettings
    from configs.workspace import Workspace
    from embedding.work_units import UnitReport, WorkUnit

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

_LOOK_S = 0.5
"""Seconds between two checks whether the run was stopped."""


def may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether the failure is one that may pass by itself, so that a retry can help."""
    failure = get_state_exception(state) if state.is_failed() else None
    return isinstance(failure, LsifIngestError) and failure.retryable


def as_task(name: str, function: Callable[P, R], **options: Any) -> Task[P, R]:
    """Return the function as a task."""
    return task(name=name, cache_policy=NO_CACHE, retry_condition_fn=may_pass, **options)(function)


def retried(stage: Task[P, R], settings: FlowSettings) -> Task[P, R]:
    """Return the task with the configured retries."""
    return stage.with_options(retries=settings.retries, retry_delay_seconds=settings.retry_delay_s)


embed = as_task("embed", vectors.embed, task_run_name="embed {unit.vector} {unit.number}")


class EmbedTasks:
    """Embeds work units, one task each: in this process, or on the flow's task runner."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.stopped = threading.Event()
        """Once it is set, nobody waits for units any more."""
        self._task = retried(embed, workspace.settings.flow)
        self._workers_gone = False

    def begin(self, unit: WorkUnit) -> Callable[[], UnitReport]:
        """Begin with the unit; return what waits for its report."""
        cluster = self._workspace.settings.cluster
        if cluster.runner == "here":
            report = self._task(self._workspace, unit)
            return lambda: report
        with taking_resources(cluster):
            future = self._task.submit(self._workspace, unit)
        return lambda: self._wait_for(future, unit)

    def _wait_for(self, future: PrefectFuture[UnitReport], unit: WorkUnit) -> UnitReport:
        """Return the future's result. Raises what the task raised, FlowError if the run stops."""
        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        while not self.stopped.is_set() and not ended.wait(_LOOK_S):
            pass
        if not ended.is_set():
            raise FlowError("the run was stopped.")
        try:
            return future.result()
        except BrokenProcessPool:  # all of its workers end, and it takes no more work
            if self.stopped.is_set():
                raise
            if not self._workers_gone:
                logger.warning(
                    "a worker process was killed, perhaps by a lack of memory; "
                    "the run goes on without workers"
                )
            self._workers_gone = True
            return self._task(self._workspace, unit)
