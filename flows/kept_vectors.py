"""The checkpoint as its commands see it: what it holds, and the vectors that no records refer to any more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from embedding.compaction import Compaction, FolderStats, compact, inspect
from flows.errors import UsageError
from flows.locks import compaction_lock
from search.opening import checkpoint_address

if TYPE_CHECKING:
    from configs.settings import Settings


def inspect_checkpoint(settings: Settings) -> list[FolderStats]:
    """Return what the checkpoint's folders hold, and how much of that this data folder's structures.jsonl refer to."""
    return list(inspect(checkpoint_address(settings), _all_structures(settings)))


def compact_checkpoint(settings: Settings, *, shared_too: bool = False) -> Compaction:
    """Drop the vectors that no structures.jsonl of this data folder refers to. Raises FlowError where a run is at work in it.

    Where checkpoint.store names the store, others may use it, whose records and runs are not known here: UsageError, unless
    `shared_too` says that what only they refer to may be dropped as well.
    """
    if settings.checkpoint.store and not shared_too:
        raise UsageError(
            f"checkpoint.store is set: other data folders or machines may use {checkpoint_address(settings)}, and only the records "
            f"in {settings.paths.data} are known here. To drop what only others refer to as well, while no run of theirs is at "
            "work, give --shared-too."
        )
    with compaction_lock(settings):
        return compact(
            checkpoint_address(settings),
            _all_structures(settings),
            rows_per_file=settings.checkpoint.rows_per_file,
            dtype=settings.checkpoint.numbers,
            scratch=Path(settings.paths.data),
        )


def _all_structures(settings: Settings) -> list[Path]:
    return sorted((Path(settings.paths.data) / "projects").glob("*/structures.jsonl"))
