"""The flow: dump → structures.jsonl → checkpoints → collection, as the README draws it."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from prefect import flow
from prefect.context import TagsContext
from prefect.runtime import flow_run

from configs.atomic import atomic_writer
from configs.settings import Settings  # noqa: TC001 - Prefect reads the flow's annotations
from embedding.embed import BLOCKS_VECTOR
from flows import tasks
from flows.report import IngestReport, StageTime
from flows.source import Source, collection_name, git_state
from flows.stages import project_lock
from storage.index import VECTORS
from storage.schema import Metadata

if TYPE_CHECKING:
    from prefect.tasks import Task

logger = logging.getLogger(__name__)


def _run_name() -> str:
    """Return the flow run's name: the project's."""
    parameters = flow_run.parameters
    source, settings = parameters["source"], parameters["settings"]
    return f"ingest-{source.project(settings.project.name)}"


@flow(name="ingest", flow_run_name=_run_name, persist_result=False)
def ingest(source: Source, settings: Settings, *, rebuild: bool = False) -> IngestReport:
    """Index what the source names; return what was done. With `rebuild`, an index made with other models is replaced."""
    project = source.project(settings.project.name)
    collection = collection_name(project, settings.project.branch)
    # The flow run keeps its tags, its tasks don't get them: see flows.tasks.
    with TagsContext(current_tags=set()), project_lock(settings, collection) as folder:
        return _run_stages(source, settings, collection, folder, rebuild=rebuild)


def _run_stages(source: Source, settings: Settings, collection: str, folder: Path, *, rebuild: bool) -> IngestReport:
    started, seconds, stages = time.perf_counter(), dict[str, float](), list[StageTime]()
    began = datetime.now(UTC).isoformat(timespec="seconds")
    project = source.project(settings.project.name)
    structures = folder / "structures.jsonl"

    def run(task: Task[..., Any], *arguments: Any, stage: str, **options: Any) -> Any:
        logger.info("%s ...", stage)
        begun = time.perf_counter()
        result = task.with_options(retries=settings.flow.retries, retry_delay_seconds=settings.flow.retry_delay_s)(
            *arguments, **options
        )
        seconds[stage] = time.perf_counter() - begun
        stages.append(StageTime(stage, begun - started, seconds[stage], seconds[stage]))
        logger.info("%s: done in %.1f s", stage, seconds[stage])
        return result

    identity = source.identity()
    run(tasks.check_index, settings, collection, identity, rebuild=rebuild, stage="check")
    root = run(tasks.checkout, settings, source, folder, stage="checkout") if source.is_checkout else source.folder
    state = git_state(root)
    dump, dumped = source.dump, None
    if source.repo is not None:
        dumped = run(tasks.dump_repository, settings, root, folder, stage="dump")
        dump = Path(dumped.file)
    if dump is not None:
        parsed = run(tasks.parse_repository, settings, dump, root, structures, project, stage="parse")
    else:
        parsed = run(tasks.import_records, source.structures, structures, project, stage="import")
    embeddings = [run(tasks.embed, settings, vector, structures, stage=f"embed {vector}") for vector in (*VECTORS, BLOCKS_VECTOR)]
    metadata = Metadata(project, identity, state.commit, state.dirty, "", {}, settings.project.branch)
    uploaded = run(tasks.upload, settings, collection, metadata, structures, rebuild=rebuild, stage="upload")

    seconds["total"] = time.perf_counter() - started
    report = IngestReport(
        collection, state.commit, state.dirty, str(structures), parsed, embeddings, uploaded, seconds, stages, began, dumped
    )
    report.check()
    with atomic_writer(folder / "report.json") as file:
        file.write(orjson.dumps(report.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return report
