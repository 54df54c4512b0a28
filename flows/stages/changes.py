"""Which lines of an index changed: what git says of the indexed folder, in lines of the index."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from flows.errors import ChangesUnknown, UsageError
from machine.git import git_output, is_distrusted
from machine.git_diff import changes_since, commit_of, common_commit
from machine.text import named, one_line
from search.changes import changed_files
from search.errors import FileUnknown
from search.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from machine.git_diff import FileChange
    from search.changes import ChangedFile
    from storage.index import Generation
    from storage.metadata import Metadata

logger = logging.getLogger(__name__)

_NAMED = 5
"""Files that a warning names."""
_PROBED = 100
"""Structures whose files are looked for, to see whether a folder is the indexed one."""


class ChangesSince(NamedTuple):
    """What changed in the indexed folder."""

    commit: str
    """What it is compared with."""
    files: list[ChangedFile]


def find_changes(generation: Generation, root: Path, since: str | None) -> ChangesSince:
    """Return how the folder differs from the commit that the index is of.

    With `since` it is compared with that commit or, if the history of HEAD left it, with the commit
    from which both come. Raises UsageError if there is no such commit or it is another folder,
    ChangesUnknown if the folder's repository lacks the commit of the index.
    """
    indexed = _commit_of_index(generation.metadata, root)
    _require_files(generation, root, indexed)
    commit = indexed
    if since is not None:
        commit = commit_of(root, since) or ""
        if not commit:
            raise UsageError(
                f"the repository of {root} has no commit {since!r}; expected a branch, a tag or a "
                "hash. A shallow clone has few commits: git fetch --unshallow gets the others."
            )
        commit = common_commit(root, commit) or commit
    from_index = _compared(root, indexed)
    from_commit = from_index if commit == indexed else _compared(root, commit)
    as_today = _as_today(generation, root, from_commit) if generation.metadata.dirty else ()
    return ChangesSince(commit, changed_files(from_commit, from_index, as_today))


def _commit_of_index(metadata: Metadata, root: Path) -> str:
    """Return the commit that the index is of, which the folder's repository has."""
    if metadata.commit is None:
        raise ChangesUnknown(
            f"the sources of {metadata.project} were in no git repository when they were indexed, "
            "so nothing says what changed since. Commit them to one, and ingest again."
        )
    if git_output(root, "rev-parse", "--git-dir") is None:
        raise ChangesUnknown(f"{root} is in no git repository, or git is not installed.")
    commit = commit_of(root, metadata.commit)
    if commit is None:
        raise ChangesUnknown(
            f"the repository of {root} does not have {metadata.commit[:12]}, the commit that the "
            f"index of {metadata.project} is of. Fetch it, or ingest again."
        )
    return commit


def _require_files(generation: Generation, root: Path, commit: str) -> None:
    """Raise UsageError if the folder is another one than the index was made of."""
    rows = islice(generation.structures.select(("context.file_path",)), _PROBED)
    paths = sorted({str(path) for _, (path,) in rows})
    committed = git_output(root, "ls-tree", "--name-only", commit, "--", *paths)
    if paths and not committed and not any((root / path).is_file() for path in paths):
        raise UsageError(
            f"{root} has no file {paths[0]}: expected the folder that was indexed as "
            f"{generation.metadata.project}."
        )


def _compared(root: Path, commit: str) -> list[FileChange]:
    found = changes_since(root, commit)
    if found is not None:
        return found
    why = "git does not trust it, because another user owns it" if is_distrusted(root) else "failed"
    raise ChangesUnknown(f"git can't compare {root} with {commit[:12]}: {why}.")


def _as_today(generation: Generation, root: Path, changes: Sequence[FileChange]) -> Collection[str]:
    """Return the files that the index has as they are today, with changes that nobody committed."""
    sources, as_today, as_never = Sources(generation, root), set[str](), list[str]()
    for change in changes:
        try:
            origin = sources.view(change.new or "").origin
        except FileUnknown:
            continue
        if origin == "index":
            as_never.append(change.new or "")
        if origin == "disk" or change.old is None:  # of a new file every line is another one
            as_today.add(change.new or "")
    if as_never:
        logger.warning(
            "the index was made with changes that are not committed, and which are gone by now: "
            "which lines of these files changed is not sure: %s",
            one_line(named(as_never, _NAMED)),
        )
    return as_today
