"""Who may be at work in a data folder: one run a project, several projects at once, a compaction of vectors alone."""

from __future__ import annotations

import fcntl
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import filelock

from configs.workspace import hide_from_git
from flows.errors import FlowError
from machine.files import remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from configs.workspace import ProjectFolder, ProjectWorkspace, Workspace


@contextmanager
def project_lock(project: ProjectWorkspace) -> Iterator[None]:
    """Hold the project's folder for one run. Raises FlowError if another run or a compaction holds it.

    The lock ends with the process. What killed runs left in the folder is removed.
    """
    folder = project.folder
    hide_from_git(project.data)
    with (
        _vectors_lock(project, fcntl.LOCK_SH, "vectors are being compacted"),
        _folder_lock(folder, project.collection),
    ):
        remove_leftovers(folder.path, age_s=0)
        for plan in folder.plans():
            shutil.rmtree(plan, ignore_errors=True)
        yield


@contextmanager
def _folder_lock(folder: ProjectFolder, project: str) -> Iterator[None]:
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder.lock, timeout=0)
        lock.acquire()
    except filelock.Timeout as exc:
        raise FlowError(
            f"another run is at work on project {project!r} in {folder.path}; wait for it to end."
        ) from exc
    except OSError as exc:
        raise FlowError(
            f"can't write {folder.path}: {exc.strerror or exc}. Choose another folder: --set paths.data=DIR"
        ) from exc
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _vectors_lock(workspace: Workspace, mode: int, held: str) -> Iterator[None]:
    """Hold the data folder's vectors, as all runs do together, or a compaction does alone. Raises FlowError with `held`.

    One lock for all projects: a run on a new one that begins during a compaction is kept out as those are that were there before.
    """
    path = workspace.vectors_lock
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as exc:
        raise FlowError(
            f"can't write {path}: {exc.strerror or exc}. Choose another folder: --set paths.data=DIR"
        ) from exc
    with file:
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise FlowError(f"{held} in {workspace.data}; wait for it to end.") from exc
        except OSError as exc:
            raise FlowError(
                f"can't lock {path}: {exc.strerror or exc}. Choose another folder: --set paths.data=DIR"
            ) from exc
        try:
            yield
        finally:
            fcntl.flock(
                file, fcntl.LOCK_UN
            )  # closing is not enough where a child process has inherited the file


@contextmanager
def compaction_lock(workspace: Workspace) -> Iterator[None]:
    """Hold the data folder's vectors alone. Raises FlowError where a run is at work."""
    with _vectors_lock(workspace, fcntl.LOCK_EX, "a run is at work"):
        yield
