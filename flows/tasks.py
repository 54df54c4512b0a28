"""One Prefect task a stage. Each calls one function of flows.stages; paths and settings go in, a small report comes out.

Tags are the flow run's: a tagged task asks the server for a concurrency slot, up to 2 s each on a temporary server.
No task's result is cached by Prefect: resuming comes from the files, which say what they hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.states import get_state_exception

from configs.errors import LsifIngestError
from flows import stages

if TYPE_CHECKING:
    from collections.abc import Callable

    from prefect.client.schemas.objects import State, TaskRun
    from prefect.tasks import Task

P = ParamSpec("P")
R = TypeVar("R")


def may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether trying again can help: the failure is one of those that pass by themselves."""
    failure = get_state_exception(state) if state.is_failed() else None
    return isinstance(failure, LsifIngestError) and failure.retryable


def _stage(name: str, **options: Any) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Return a decorator that makes a stage's function a task."""
    return task(name=name, cache_policy=NO_CACHE, retry_condition_fn=may_pass, **options)


check_index = _stage("check index")(stages.check_index)
checkout = _stage("checkout")(stages.checkout)
dump_repository = _stage("dump")(stages.dump_repository)
parse_repository = _stage("parse")(stages.parse_repository)
import_records = _stage("import")(stages.import_records)
embed = _stage("embed", task_run_name="embed {unit.vector} {unit.number}")(stages.embed)
upload = _stage("upload")(stages.upload)
