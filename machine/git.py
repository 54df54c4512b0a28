"""What git says about a folder. Changes nothing."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
from typing import TYPE_CHECKING, NamedTuple

from machine.programs import run_program
from machine.proxies import given_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from machine.programs import ProgramOutput

logger = logging.getLogger(__name__)

_OF_ANOTHER_REPOSITORY = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
"""What git sets for its hooks; a run that a hook starts is about the folder that it was given."""
_OPTIONS = ("--no-optional-locks", "-c", "core.fsmonitor=false")
"""fsmonitor is a program that the repository's own configuration may name."""
_DISTRUST = b"dubious ownership"
_READ_ONLY = ("cat-file", "ls-files", "ls-remote", "remote", "rev-parse")
"""Commands that run no program, whatever a repository's configuration says."""
_FILTERS = r"^filter\..*\.(clean|smudge|process|required)$"
_warned: set[str] = set()
"""Folders whose owner was told already."""


def git_environment() -> dict[str, str]:
    """Return this process's environment, with English messages and no other repository in it."""
    return {**environment_for_programs(), "LC_ALL": "C"}


def environment_for_programs() -> dict[str, str]:
    """Return this process's environment: proxies as the user gave them, no other repository."""
    return {
        name: value
        for name, value in given_environment(os.environ).items()
        if name not in _OF_ANOTHER_REPOSITORY
    }


def git_bytes(
    folder: Path, *arguments: str, timeout_s: float | None = None, given: bytes = b""
) -> bytes | None:
    """Return what the git command prints; `given` is its standard input.

    None if it fails, as in a folder of no repository, takes too long, or git is not installed.
    Where git does not trust a repository because another user owns it, only commands that run
    no program of its configuration are answered.
    """
    found = _run(folder, arguments, timeout_s=timeout_s, given=given)
    if found is not None and _is_distrust(found) and arguments[0] in _READ_ONLY:
        _warn(folder)
        trusted = {"safe.directory": "*"}
        found = _run(folder, arguments, trusted, timeout_s=timeout_s, given=given)
    return found.out if found is not None and found.status == 0 else None


def is_distrusted(folder: Path) -> bool:
    """Return whether git refuses to read the folder's repository because another user owns it."""
    found = _run(folder, ("rev-parse", "--git-dir"))
    return found is not None and _is_distrust(found)


def git_output(folder: Path, *arguments: str) -> str | None:
    """Return what `git_bytes` returns as text; bytes that are no UTF-8 become surrogates."""
    printed = git_bytes(folder, *arguments)
    return None if printed is None else printed.decode("utf-8", "surrogateescape")


class GitState(NamedTuple):
    """The commit of a folder's repository, and whether files differ from it."""

    commit: str | None
    """None if the folder is in no git repository, or git is not installed."""
    dirty: bool


def git_state(folder: Path | None) -> GitState:
    """Return the commit of the folder, and whether files in it differ from that commit."""
    commit = None if folder is None else git_output(folder, "rev-parse", "HEAD")
    if folder is None or commit is None:
        return GitState(None, dirty=False)
    changes = git_bytes(folder, "status", "--porcelain", "--", ".")
    if changes is None and is_distrusted(folder):
        # A submodule's configuration would be asked as well.
        status = ("status", "--porcelain", "--ignore-submodules=all", "--", ".")
        found = _run(folder, status, {"safe.directory": "*", **_without_filters(folder)})
        changes = None if found is None else found.out
    return GitState(commit.strip(), dirty=bool((changes or b"").strip()))


def _run(
    folder: Path,
    arguments: Sequence[str],
    settings: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    given: bytes = b"",
) -> ProgramOutput | None:
    """Run git with further settings; None if it is not installed or can't be started."""
    git = shutil.which("git")
    if git is None:
        return None
    environment = git_environment()
    if settings:  # not by -c: a name may have a = in it
        environment["GIT_CONFIG_COUNT"] = str(len(settings))
        for number, (name, value) in enumerate(settings.items()):
            environment[f"GIT_CONFIG_KEY_{number}"] = name
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
    command = [git, *_OPTIONS, "-C", str(folder), *arguments]
    try:
        return run_program(command, environment=environment, timeout_s=timeout_s, given=given)
    except (OSError, ValueError):  # ValueError: a NUL character in the folder's name
        return None


def _is_distrust(found: ProgramOutput) -> bool:
    return found.status != 0 and _DISTRUST in found.error


def _warn(folder: Path) -> None:
    """Say once what git advises: this program does not change git's configuration."""
    top = str(folder.resolve())
    if top not in _warned:
        _warned.add(top)
        logger.warning(
            "git does not trust %s, because another user owns it. Its commit and files are read, "
            "but no program that its configuration names is run, and the dump is not kept. "
            "To trust it: git config --global --add safe.directory %s",
            top,
            shlex.quote(top),
        )


def _without_filters(folder: Path) -> dict[str, str]:
    """Return settings that turn off every filter, a program, of the repository's configuration."""
    # Without trust git would not fail, but leave the repository's configuration out.
    arguments = ("config", "--null", "--name-only", "--get-regexp", _FILTERS)
    found = _run(folder, arguments, {"safe.directory": "*"})
    names = "" if found is None else found.out.decode("utf-8", "surrogateescape")
    return {
        name: "false" if name.endswith(".required") else ""
        for name in filter(None, names.split("\0"))
    }
