"""The stages that bring the sources and their dump to this machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from configs.workspace import hide_from_git, own_folders
from flows.locks import project_lock
from lsif.dump.cache import DumpReport, provide_dump
from lsif.dump.choice import choose_loading
from lsif.dump.run import make_dump
from machine.processors import be_nice

if TYPE_CHECKING:
    from pathlib import Path

    from configs.settings import RustAnalyzerSettings
    from configs.workspace import ProjectFolder, ProjectWorkspace, Workspace
    from flows.source.source import Source

HELD_BACK = (
    'this index was made when rust_analyzer.project was "cargo" and features "default", and stays '
    "so; --rebuild adds what their defaults find now"
)


def checkout(project: ProjectWorkspace, source: Source) -> Path:
    """Check the source's git URL or ref out into the project's folder; return where its files are.

    Raises CheckoutError, RepositoryUnreachable, SourceError.
    """
    return source.check_out(project.folder.checkout, project.settings.checkout)


def dump_repository(
    project: ProjectWorkspace, repo: Path, folder: ProjectFolder, *, as_before: bool = False
) -> DumpReport:
    """Return a dump of the repository: a cached one, or a new one.

    A dump that can't be cached is in `folder`: the project's own, or a plan's. With `as_before`
    the defaults of rust_analyzer.project and features stand for what they were for older indexes.
    """
    tool = project.settings.rust_analyzer
    return provide_dump(
        repo,
        project.folder.path,
        other=folder.dump,
        tool=tool.model_copy(update=held_back(tool)) if as_before else tool,
        target=project.target,
        data=project.data,
    )


def held_back(tool: RustAnalyzerSettings) -> dict[str, str]:
    """Return the settings that differ for an index that is older than they are."""
    before = {"project": ("auto", "cargo"), "features": ("all", "default")}
    return {key: old for key, (now, old) in before.items() if getattr(tool, key) == now}


def dump_source(workspace: Workspace, source: Source, output: Path) -> float:
    """Write a new dump of the source to `output`; return the seconds it took."""
    hide_from_git(workspace.data)
    if source.folder is not None:
        return _dump(workspace, source.folder, output)
    project = source.workspace(workspace)
    be_nice(project.settings.flow.niceness)
    with project_lock(project):
        return _dump(workspace, checkout(project, source), output)


def _dump(workspace: Workspace, repo: Path, output: Path) -> float:
    started = time.perf_counter()
    tool, target = workspace.settings.rust_analyzer, workspace.target
    loading = choose_loading(repo, tool, target, own_folders(workspace.data))
    make_dump(repo, output, loading, tool, target)
    return time.perf_counter() - started
