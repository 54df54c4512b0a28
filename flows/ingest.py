"""The flow: dump → structures.jsonl → checkpoints → collection, as the README draws it."""

from __future__ import annotations

import logging
import threading
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.context import TagsContext
from prefect.runtime import flow_run

from configs.settings import Settings  # noqa: TC001 - Prefect reads the flow's annotations
from configs.workspace import ProjectWorkspace, Workspace
from flows import tasks
from flows.errors import FlowError
from flows.lanes import Clock, Lanes
from flows.locks import project_lock
from flows.report.artifacts import Progress
from flows.report.model import IngestReport, ParseReport, StageTime
from flows.report.publish import publish_report, report_failure
from flows.runners import end_workers, taking_resources
from flows.source.source import Source, git_state
from flows.stages import plan_vectors, settings_without_effect
from storage.schema import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from prefect.futures import PrefectFuture
    from prefect.tasks import Task

    from embedding.plan import VectorPlan
    from embedding.work_units import UnitReport, WorkUnit
    from storage.upload import UploadReport


logger = logging.getLogger(__name__)


def _run_name() -> str:
    """Return the flow run's name: the project's."""
    parameters = flow_run.parameters
    source, settings = parameters["source"], parameters["settings"]
    return f"ingest-{source.project(settings.project.name)}"


@flow(name="ingest", flow_run_name=_run_name, persist_result=False)
def ingest(source: Source, settings: Settings, *, rebuild: bool = False) -> IngestReport:
    """Index what the source names; return what was done. With `rebuild`, an index made with other models is replaced."""
    project = source.workspace(Workspace(settings))
    # The flow run keeps its tags, its tasks don't get them: see flows.tasks.
    with (
        TagsContext(current_tags=set()),
        project_lock(project),
        report_failure(settings.flow, project.collection, project.folder),
    ):
        return _Run(source, project, rebuild=rebuild).report()


class _Run:
    """One run on one project, whose folder it holds."""

    def __init__(self, source: Source, project: ProjectWorkspace, *, rebuild: bool) -> None:
        self._source, self._project, self._settings = source, project, project.settings
        self._rebuild = rebuild
        self._began, self._clock = datetime.now(UTC).isoformat(timespec="seconds"), Clock()
        self._alone = False
        """Whether the worker processes are gone."""
        progress = Progress(project.collection, "embed")
        self._lanes = Lanes(
            self._embed_here if self._settings.cluster.runner == "here" else self._submit,
            lambda plan: progress.update(*plan.progress),
        )

    def report(self) -> IngestReport:
        """Run all stages; return what was done."""
        identity = self._source.identity()
        self._do(
            "check",
            tasks.check_index,
            self._project,
            identity,
            rebuild=self._rebuild,
        )
        source, settings = self._source, self._settings
        root = (
            self._do("checkout", tasks.checkout, self._project, source)
            if source.is_checkout
            else source.folder
        )
        state = git_state(root)
        dump, dumped = source.dump, None
        if source.repo is not None:
            dumped = self._do(
                "dump", tasks.dump_repository, self._project, root, self._project.folder
            )
            dump = Path(dumped.file)
        metadata = Metadata(
            self._project.project,
            identity,
            state.commit,
            state.dirty,
            "",
            {},
            self._project.branch,
        )
        plan = plan_vectors(self._project, self._lanes.give)
        try:
            parsed, uploaded = self._lanes.run(
                plan, lambda: self._bring_records(plan, dump, root, metadata)
            )
        except BaseException:
            end_workers(settings.cluster)
            raise
        finally:
            plan.close()
        parsed = replace(parsed, notes=[*parsed.notes, *settings_without_effect(settings.storage)])
        self._note_embeddings(plan)
        stages = self._clock.stages()
        walls = {one.stage: one.wall_s for one in stages}
        last = [*(f"embed {one.vector}" for one in plan.embeddings()), "upload"]
        seconds = {
            **{name: wall for name, wall in walls.items() if name not in last},
            **{name: walls[name] for name in last},
        }
        seconds["total"] = self._clock.elapsed_s
        report = IngestReport(
            project=self._project.collection,
            commit=state.commit,
            dirty=state.dirty,
            structures_file=str(self._project.folder.structures),
            parse=parsed,
            embeddings=plan.reports(),
            upload=uploaded,
            seconds=seconds,
            stages=stages,
            started=self._began,
            branch=self._project.branch,
            run_id=str(flow_run.id or ""),
            dump=dumped,
        )
        report.check()
        publish_report(report, self._project.folder, settings.flow)
        return report

    def _bring_records(
        self, plan: VectorPlan, dump: Path | None, root: Path | None, metadata: Metadata
    ) -> tuple[ParseReport, UploadReport]:
        """Write the records, whose texts go to be embedded as they come; upload them with their vectors."""
        project = self._project
        if dump is not None:
            arguments = (project, dump, root, project.folder, plan.take)
            parsed = self._do("parse", tasks.parse_repository, *arguments)
        else:
            parsed = self._do(
                "import",
                tasks.import_records,
                project,
                self._source.structures,
                project.folder,
                plan.take,
            )
        plan.finish()
        self._lanes.end()
        wanted = (project, metadata, plan)
        uploaded = self._do(
            "upload", tasks.upload, *wanted, rebuild=self._rebuild, waited_s=lambda: plan.waited_s
        )
        return parsed, uploaded

    def _do(
        self,
        stage: str,
        task: Task[..., Any],
        *arguments: Any,
        waited_s: Callable[[], float] | None = None,
        **more: Any,
    ) -> Any:
        """Run the task as a stage of its own, in the thread that asks."""
        with self._clock.stage(stage, waited_s):
            return self._retried(task)(*arguments, **more)

    def _retried(self, task: Task[..., Any]) -> Task[..., Any]:
        settings = self._settings.flow
        return task.with_options(
            retries=settings.retries, retry_delay_seconds=settings.retry_delay_s
        )

    def _embed_here(self, unit: WorkUnit) -> Callable[[], UnitReport]:
        report: UnitReport = self._retried(tasks.embed)(self._project, unit)  # type: ignore[assignment]
        return lambda: report

    def _submit(self, unit: WorkUnit) -> Callable[[], UnitReport]:
        with taking_resources(self._settings.cluster):
            future: PrefectFuture[UnitReport] = self._retried(tasks.embed).submit(
                self._project, unit
            )
        return lambda: self._wait_for(future, unit)

    def _wait_for(self, future: PrefectFuture[UnitReport], unit: WorkUnit) -> UnitReport:
        """Return the future's result. Raises what the task raised, and FlowError where the run stops before."""
        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        while not self._lanes.stopped.is_set() and not ended.wait(0.5):
            pass
        if not ended.is_set():
            raise FlowError("the run was stopped.")
        try:
            report: UnitReport = future.result()
        except BrokenProcessPool:  # which ends all of its workers, and takes no more work
            if self._lanes.stopped.is_set():
                raise
            if not self._alone:
                logger.warning(
                    "a worker process was killed, by a lack of memory?; the run goes on without workers"
                )
            self._alone = True
            return self._embed_here(unit)()
        return report

    def _note_embeddings(self, plan: VectorPlan) -> None:
        for embedding in plan.embeddings():
            began, ended, busy, units = embedding.times
            self._clock.note(
                StageTime(
                    f"embed {embedding.vector}",
                    began - self._clock.started if units else 0.0,
                    ended - began,
                    busy,
                    units,
                )
            )
