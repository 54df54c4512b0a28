"""The flow: dump → structures.jsonl → checkpoints → collection, as the README draws it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from prefect import flow
from prefect.context import TagsContext
from prefect.runtime import flow_run

from configs.settings import Settings  # noqa: TC001 - Prefect reads the flow's annotations
from configs.workspace import ProjectWorkspace, Workspace
from flows.lanes import Lanes
from flows.locks import project_lock
from flows.report.artifacts import Progress
from flows.report.model import IngestReport, ParseReport
from flows.report.publish import publish_report, report_failure
from flows.runners import end_workers
from flows.source.source import Source  # noqa: TC001 - Prefect reads the flow's annotations
from flows.stage_clock import StageClock
from flows.stages.check import kept_back, settings_without_effect
from flows.stages.pipeline import Input, provide_input, write_records
from flows.stages.upload import upload
from flows.stages.vectors import plan_vectors
from flows.tasks import EmbedTasks, as_task, retried
from machine.collector import rare_collections
from machine.processors import be_nice, compute_with
from storage.metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedding.plan import VectorPlan
    from storage.upload import UploadReport

P = ParamSpec("P")
R = TypeVar("R")


def _run_name() -> str:
    """Return the flow run's name, which is made of the project's."""
    parameters = flow_run.parameters
    source, settings = parameters["source"], parameters["settings"]
    return f"ingest-{source.project(settings.project.name)}"


@flow(name="ingest", flow_run_name=_run_name, persist_result=False)
def ingest(source: Source, settings: Settings, *, rebuild: bool = False) -> IngestReport:
    """Index the source; return what was done. `rebuild` replaces an index of other models."""
    project = source.workspace(Workspace(settings))
    be_nice(settings.flow.niceness)
    compute_with(settings.embedding.threads)
    # The flow run keeps its tags, its tasks get none: see flows.tasks.
    with (
        TagsContext(current_tags=set()),
        rare_collections(),
        project_lock(project),
        report_failure(settings.flow, project.collection, project.folder),
    ):
        return _Run(source, project, rebuild=rebuild).report()


class _Run:
    """One run of one project. The caller holds the project's lock."""

    def __init__(self, source: Source, project: ProjectWorkspace, *, rebuild: bool) -> None:
        self._source, self._project, self._rebuild = source, project, rebuild
        self._began, self._clock = datetime.now(UTC).isoformat(timespec="seconds"), StageClock()

    def report(self) -> IngestReport:
        """Run all stages; return what was done."""
        configured, settings = self._project, self._project.settings
        given = provide_input(
            self._source, configured, configured.folder, self._stage, rebuild=self._rebuild
        )
        project = self._project = configured.with_models(given.models)
        lanes = self._make_lanes()
        plan = plan_vectors(project, lanes.give)
        try:
            parsed, uploaded = lanes.run(plan, lambda: self._bring_records(plan, lanes, given))
        except BaseException:
            end_workers(settings.cluster)
            raise
        finally:
            plan.close()
        kept = kept_back(configured, given.models)
        notes = [*parsed.notes, *kept, *settings_without_effect(settings.storage)]
        report = self._make_report(given, plan, replace(parsed, notes=notes), uploaded)
        report.check()
        publish_report(report, project.folder, settings.flow)
        return report

    def _make_lanes(self) -> Lanes:
        progress = Progress(self._project.collection, "embed")
        embed = EmbedTasks(self._project)
        return Lanes(embed.begin, lambda plan: progress.update(*plan.progress), embed.stopped)

    def _bring_records(
        self, plan: VectorPlan, lanes: Lanes, given: Input
    ) -> tuple[ParseReport, UploadReport]:
        """Write the records, whose texts the plan takes as they come; upload them with vectors."""
        project = self._project
        metadata = Metadata(
            project=project.project,
            source=given.identity,
            commit=given.state.commit,
            dirty=given.state.dirty,
            created="",
            vectors={},
            branch=project.branch,
            source_items=given.source_items,
            project_model=given.project_model,
        )
        parsed = write_records(given, project, project.folder, self._stage, plan.take)
        plan.finish()
        lanes.end()
        metadata = replace(metadata, coverage=parsed.coverage, places=parsed.places_digest)
        uploading = self._stage("upload", upload, lambda: plan.waited_s)
        return parsed, uploading(project, metadata, plan, rebuild=self._rebuild)

    def _stage(
        self,
        name: str,
        function: Callable[P, R],
        waited_s: Callable[[], float] | None = None,
    ) -> Callable[P, R]:
        """Return the function as a task that is timed and retried; it runs in this thread."""
        stage = retried(as_task(name, function), self._project.settings.flow)

        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._clock.stage(name, waited_s):
                return stage(*args, **kwargs)

        return run

    def _make_report(
        self, given: Input, plan: VectorPlan, parsed: ParseReport, uploaded: UploadReport
    ) -> IngestReport:
        project = self._project
        self._clock.note_embeddings(plan)
        return IngestReport(
            project=project.collection,
            commit=given.state.commit,
            dirty=given.state.dirty,
            structures_file=str(project.folder.structures),
            parse=parsed,
            embeddings=plan.reports(),
            upload=uploaded,
            seconds=self._clock.seconds(
                [*(f"embed {embedding.vector}" for embedding in plan.embeddings()), "upload"]
            ),
            stages=self._clock.stages(),
            started=self._began,
            branch=project.branch,
            run_id=str(flow_run.id or ""),
            dump=given.dumped,
        )
