"""Who may work in a data folder: one run per project, and no run beside a compaction of vectors."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from configs.workspace import hide_from_git
from flows.errors import FlowError
from machine.files import remove_leftovers
from machine.locks import LockHeld, file_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from configs.workspace import ProjectWorkspace, Workspace


@contextmanager
def project_lock(project: ProjectWorkspace) -> Iterator[None]:
    """Hold the project's folder for one run; remove what killed runs left in it.

    Raises FlowError if another run of the project or a compaction is in progress.
    """
    folder = project.folder
    hide_from_git(project.data)
    compaction = f"vectors are being compacted in {project.data}"
    another = f"another run of project {project.collection!r} is in progress in {folder.path}"
    with (
        _lock(project.vectors_lock, compaction, shared=True),
        _lock(folder.lock, another),
    ):
        remove_leftovers(folder.path, age_s=0)
        for plan in folder.plans():
            shutil.rmtree(plan, ignore_errors=True)
        yield


@contextmanager
def compaction_lock(workspace: Workspace) -> Iterator[None]:
    """Hold the data folder's vectors alone. Raises FlowError if a run is in progress.

    One lock for all projects also keeps out the first run of a new project.
    """
    with _lock(workspace.vectors_lock, f"a run is in progress in {workspace.data}"):
        yield


@contextmanager
def _lock(path: Path, held: str, *, shared: bool = False) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(path, shared=shared))
        except LockHeld as exc:
            raise FlowError(f"{held}; wait for it to end.") from exc
        except OSError as exc:
            raise FlowError(
                f"can't write {path}: {exc.strerror or exc}. "
                "Choose another folder: --set paths.data=DIR"
            ) from exc
        yield
