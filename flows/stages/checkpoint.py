"""What commands do with the checkpoint: inspect it, and drop vectors that no record refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedding.compaction import Compaction, FolderStats, compact, inspect
from flows.errors import UsageError
from flows.locks import compaction_lock

if TYPE_CHECKING:
    from pathlib import Path

    from configs.workspace import Workspace


def inspect_checkpoint(workspace: Workspace) -> list[FolderStats]:
    """Return what the checkpoint holds, and how much of it this data folder's records refer to."""
    return list(inspect(workspace.store, _all_structures(workspace)))


def compact_checkpoint(workspace: Workspace, *, shared_too: bool = False) -> Compaction:
    """Drop the vectors that no record of this data folder refers to.

    Raises FlowError if a run is in progress, and UsageError if checkpoint.store is set: others may
    use that store, and their records and runs are not known here. `shared_too` says that vectors
    which only others refer to may be dropped, too.
    """
    settings = workspace.settings.checkpoint
    if settings.store and not shared_too:
        raise UsageError(
            f"checkpoint.store is set: others may use {workspace.store}, and only the records in "
            f"{workspace.data} are known here. Give --shared-too if no other run is in progress; "
            "it drops vectors that only others refer to."
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
