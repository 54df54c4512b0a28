"""From a source to records on the disk: what a run and a plan (`ingest --plan`) do alike.

A run calls each stage as a Prefect task, a plan calls the plain function: `CallStage` is the
difference.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from flows.locks import project_lock
from flows.stages.check import check_index
from flows.stages.records import import_records, parse_repository
from flows.stages.sources import HELD_BACK, checkout, dump_repository, held_back
from machine.git import git_state
from machine.processors import be_nice
from search.published import connect
from storage.plan import Plan, make_plan
from storage.points import RecordSource
from storage.shrinkage import why_too_few

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from configs.settings import ModelSettings
    from configs.workspace import ProjectFolder, ProjectWorkspace, Workspace
    from flows.report.model import ParseReport
    from flows.source.source import Source
    from flows.stages.records import Sink
    from lsif.dump.cache import DumpReport
    from machine.git import GitState

P = ParamSpec("P")
R = TypeVar("R")


WITHOUT_REFERENCES = (
    "this index was made without what its structures refer to (callers, implementations), and "
    "stays so; --rebuild adds it"
)


class CallStage(Protocol):
    """Decides how a stage is called."""

    def __call__(self, name: str, function: Callable[P, R], /) -> Callable[P, R]:
        """Return what to call instead of the function."""


@dataclass(frozen=True, slots=True)
class Input:
    """What records are made of: a dump and its sources, or a file of structures."""

    identity: str
    """Of the source; see Source.identity."""
    state: GitState
    root: Path | None
    """Folder of the sources."""
    dump: Path | None
    structures: Path | None
    dumped: DumpReport | None
    """How the dump was made, if this run made it."""
    source_items: bool = False
    """Whether what no dump holds becomes records, too."""
    project_model: bool = True
    """Whether rust_analyzer.project and features apply; else the dump is made as for the index."""
    models: Mapping[str, ModelSettings] = field(default_factory=dict)
    """What embeds, by named vector."""
    references: bool = False
    """Whether the records say what they refer to."""


def provide_input(
    source: Source,
    project: ProjectWorkspace,
    folder: ProjectFolder,
    stage: CallStage,
    *,
    rebuild: bool,
) -> Input:
    """Return what records are made of, after checking the index.

    The caller holds the project's lock. `folder` takes a dump that can't be cached.
    """
    identity = source.identity()
    may_hold = stage("check", check_index)(project, identity, rebuild=rebuild)
    root = stage("checkout", checkout)(project, source) if source.is_checkout else source.folder
    state = git_state(root)
    dump, dumped = source.dump, None
    if source.repo is not None and root is not None:
        dumped = stage("dump", dump_repository)(
            project, root, folder, as_before=not may_hold.project_model
        )
        dump = Path(dumped.file)
    return Input(
        identity=identity,
        state=state,
        root=root,
        dump=dump,
        structures=source.structures,
        dumped=dumped,
        source_items=project.settings.parse.source_items and may_hold.source_items,
        project_model=may_hold.project_model,
        models=may_hold.models,
        references=may_hold.references,
    )


def write_records(
    given: Input,
    project: ProjectWorkspace,
    folder: ProjectFolder,
    stage: CallStage,
    sink: Sink | None = None,
) -> ParseReport:
    """Write the records into the folder; give them to `sink` as they come."""
    if given.structures is not None:
        return stage("import", import_records)(project, given.structures, folder, sink)
    if given.dump is None or given.root is None:
        raise ValueError("a dump needs the folder of its sources")
    parsed = stage("parse", parse_repository)(
        project,
        given.dump,
        given.root,
        folder,
        sink,
        source_items=given.source_items,
        references=given.references,
        dumped=given.dumped,
    )
    notes = [*parsed.notes]
    if given.dumped and not given.project_model and held_back(project.settings.rust_analyzer):
        notes.append(HELD_BACK)
    if not given.references:
        notes.append(WITHOUT_REFERENCES)
    return replace(parsed, notes=notes)


def plan_run(workspace: Workspace, source: Source) -> Plan:
    """Return what a run would change in the index; write only checkout, dump and records.

    The records go into a folder of their own, which is removed.
    """
    project = source.workspace(workspace)
    be_nice(project.settings.flow.niceness)
    with project_lock(project), project.folder.plan() as folder:
        given = provide_input(source, project, folder, _plainly, rebuild=False)
        parsed = write_records(given, project, folder, _plainly)
        with closing(connect(project)) as index:
            live, settings = index.live(project.collection), project.settings.storage
            records = RecordSource(folder.structures, folder.blocks)
            plan = make_plan(index, live, records, settings, named=True)
            if live is None:
                return plan
            new = replace(
                live.metadata,
                source=given.identity,
                structures=records.structure_count(),
                coverage=parsed.coverage,
            )
            refused = why_too_few(live.metadata, new, settings.min_share_of_last)
            return replace(plan, refused=refused)


def _plainly(_name: str, function: Callable[P, R], /) -> Callable[P, R]:
    return function
