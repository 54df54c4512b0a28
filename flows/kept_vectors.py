"""The checkpoint as its commands see it: what it holds, and the vectors that no records refer to any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedding.compaction import Compaction, FolderStats, compact, inspect
from flows.errors import UsageError
from flows.locks import compaction_lock

if TYPE_CHECKING:
    from pathlib import Path

    from configs.workspace import Workspace


def inspect_checkpoint(workspace: Workspace) -> list[FolderStats]:
    """Return what the checkpoint's folders hold, and how much of that this data folder's structures.jsonl refer to."""
    return list(inspect(workspace.store, _all_structures(workspace)))


def compact_checkpoint(workspace: Workspace, *, shared_too: bool = False) -> Compaction:
    """Drop the vectors that no structures.jsonl of this data folder refers to. Raises FlowError where a run is at work in it.

    Where checkpoint.store names the store, others may use it, whose records and runs are not known here: UsageError, unless
    `shared_too` says that what only they refer to may be dropped as well.
    """
    settings = workspace.settings.checkpoint
    if settings.store and not shared_too:
        raise UsageError(
            f"checkpoint.store is set: other data folders or machines may use {workspace.store}, and only the records "
            f"in {workspace.data} are known here. To drop what only others refer to as well, while no run of theirs is at "
            "work, give --shared-too."
        )
    with compaction_lock(workspace):
        return compact(
            workspace.store,
            _all_structures(workspace),
            rows_per_file=settings.rows_per_file,
            dtype=settings.numbers,
            scratch=workspace.data,
        )


def _all_structures(workspace: Workspace) -> list[Path]:
    files = (folder.structures for folder in workspace.project_folders())
    return [path for path in files if path.exists()]
