"""Dumps that are kept and used again. A dump's name holds a digest of everything known to decide what is in it, and its own.

A dump is kept only where all of that is known: the folder is in a git repository without changes, and so are the path dependencies.
What a build script or macro reads from elsewhere (a file, a clock, the network) is not known to anybody.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from configs.workspace import ProjectFolder, own_folders
from lsif.dump.cargo import Dependencies, State, ask, find_dependencies, toolchain
from lsif.dump.rust_analyzer import (
    ARGUMENTS,
    cargo_environment,
    check_project,
    find_program,
    write_dump,
)
from machine.git import git_output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from configs.settings import RustAnalyzerSettings

logger = logging.getLogger(__name__)

_FORMAT = 2
"""Another number here makes every dump anew."""
_DECIDES = re.compile(
    r"(?!CARGO_TERM_)(?!.*(TOKEN|_TARGET_DIR$|_LOG$|_BACKTRACE$|_JOBS$))(CARGO|RUST|RA_)"
)
"""Names of the environment that can change a dump."""
_MOST_FILES = 50_000
"""That git does not speak for and that are looked at; a dump of more is not kept."""
_MOST_BYTES = 64_000_000
"""Read of those files; what is more is told by size and times, as `git status` does."""


@dataclass(frozen=True, slots=True)
class DumpReport:
    """Which dump a run reads, and what it took."""

    file: str
    megabytes: float
    """10^6 bytes."""
    seconds: float
    reused: bool
    rust_analyzer: str
    """Its version, as it says it."""
    dependencies: State
    """Unresolved: Cargo can't get them, types of theirs are unknown in the dump."""
    peak_mb: float
    """The highest resident memory of rust-analyzer and all that it started, 10^6 bytes; 0 where the dump was reused."""
    not_kept: str = ""
    """Why the next run can't use this dump again; "" where it can."""


def provide_dump(
    repo: Path,
    folder: Path,
    other: Path,
    tool: RustAnalyzerSettings,
    target: Path,
    data: Path | None = None,
) -> DumpReport:
    """Return a dump of the project in `repo`: one kept in `folder`, else a new one, at `other` where it can't be kept.

    What lies in this program's own folders in `data` is no part of the project, though that may lie in its repository.

    Raises what `write_dump` raises, and RustAnalyzerError where Cargo.lock does not fit and must.
    """
    started = time.perf_counter()
    check_project(repo)
    program = find_program(tool)
    version = ask(program, ["--version"], tool, target).text[:200]
    rustc = toolchain(repo, tool, target)
    dependencies = find_dependencies(repo, tool, target, rustc)
    if dependencies.state == "unresolved":
        logger.warning(
            "Cargo can't resolve the dependencies, types of theirs will be unknown: %s",
            dependencies.why,
        )

    own = {
        one.resolve() for one in (folder, target, *(own_folders(data) if data is not None else ()))
    }

    def why_not_and_key() -> tuple[str, str]:
        if tool.keep_dumps == 0:
            return "rust_analyzer.keep_dumps is 0", ""
        if reason := _why_not(repo, dependencies):
            return reason, ""
        try:
            return "", _key(
                repo, own, dependencies, [version, rustc], cargo_environment(tool, target)
            )
        except _NotKnown as exc:
            return str(exc), ""

    not_kept, key = why_not_and_key()
    kept = _find(folder, key) if key else None
    reused, peak_mb, path = kept is not None, 0.0, kept or other
    if kept is not None:
        os.utime(kept)
    else:
        made = write_dump(repo, other, tool, target)
        peak_mb = made.peak_mb
        if key and (made.fell_back or why_not_and_key() != ("", key)):
            not_kept = (
                "rust-analyzer went without the dependencies"
                if made.fell_back
                else "the sources changed meanwhile"
            )
        elif key:
            path = other.replace(ProjectFolder(folder).cached_dump(key, _content(other)))
    _prune(folder, tool.keep_dumps, path)
    megabytes, seconds = path.stat().st_size / 1e6, time.perf_counter() - started
    if reused:
        logger.info("dump of %.1f MB used again, found in %.1f s", megabytes, seconds)
    else:
        logger.info(
            "dump of %.1f MB made in %.1f s, highest memory %.0f MB%s",
            megabytes,
            seconds,
            peak_mb,
            _aside(not_kept),
        )
    return DumpReport(
        str(path), megabytes, seconds, reused, version, dependencies.state, peak_mb, not_kept
    )


def _aside(not_kept: str) -> str:
    return f"; it will not be used again: {not_kept}" if not_kept else ""


def _find(folder: Path, key: str) -> Path | None:
    """Return the kept dump of that key. One that is not what was written is removed: each run to come would fail on it."""
    for path in ProjectFolder(folder).cached_dumps(key):
        if path.stem.endswith(f"-{_content(path)}"):
            return path
        logger.warning("the kept dump %s is damaged, a new one is made", path)
        path.unlink()
    return None


def _content(dump: Path) -> str:
    """Return a digest of the dump, half a second for 350 MB; its size would not tell of a changed byte, which may well parse."""
    try:
        with dump.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:20]
    except OSError:
        return "unreadable"


def _prune(folder: Path, keep: int, used: Path) -> None:
    """Remove all but the dumps that were used last; never the one that is used now, whatever the clock says."""
    now = time.time_ns()

    def last_used(path: Path) -> int:
        time_ns = path.stat().st_mtime_ns
        return time_ns if time_ns <= now else 0  # the clock was wrong then

    kept = ProjectFolder(folder).cached_dumps()
    others = sorted((path for path in kept if path != used), key=last_used, reverse=True)
    for path in others[max(keep - 1, 0) if used in kept else keep :]:
        path.unlink()
    if used in kept:
        ProjectFolder(folder).dump.unlink(missing_ok=True)  # of a run whose sources had changes


def _why_not(repo: Path, dependencies: Dependencies) -> str:
    """Return why a dump of the sources as they are now is not for later; "" where it is."""
    top = git_output(repo, "rev-parse", "--show-toplevel")
    if top is None or git_output(repo, "rev-parse", "HEAD") is None:
        return "the sources are in no git repository"
    # Cargo writes the Cargo.lock where it is absent or old; its content is part of the key.
    status = git_output(
        Path(top.strip()),
        "status",
        "--porcelain",
        "-z",
        "--untracked-files=normal",
        "--ignore-submodules=none",
    )
    if status is None or any(
        change and not re.match(r".. (.*/)?Cargo\.lock$", change) for change in status.split("\0")
    ):
        return "the sources have changes that are not committed"
    if (repo / "rust-project.json").is_file():
        return "rust-project.json may name sources anywhere"
    root = Path(top.strip()).resolve()
    for one in dependencies.folders:
        if not one.resolve().is_relative_to(root):
            return f"the dependency in {one} is outside of the repository"
    return ""


class _NotKnown(Exception):
    """Something decides the dump and can't be known; the message says what."""


def _key(
    repo: Path,
    own: set[Path],
    dependencies: Dependencies,
    versions: list[str],
    environment: dict[str, str],
) -> str:
    """Return the digest of what decides a dump. Raises _NotKnown. `own`: folders that this program and Cargo write to."""
    top = Path(
        (git_output(repo, "rev-parse", "--show-toplevel") or "").removesuffix("\n")
    ).resolve()
    places = [repo.resolve(), *repo.resolve().parents]
    cargo_home = Path(environment.get("CARGO_HOME") or Path.home() / ".cargo")
    configurations = [one / ".cargo" for one in places] + [cargo_home]
    workspace = [] if dependencies.workspace is None else [dependencies.workspace]
    submodules = git_output(top, "submodule", "status", "--recursive") or ""
    parts = {
        "format": _FORMAT,
        "commit": git_output(repo, "rev-parse", "HEAD"),
        "prefix": git_output(repo, "rev-parse", "--show-prefix"),
        "submodules": [line.split(" (")[0] for line in submodules.splitlines()],
        "unseen": _Unseen(top, own).found,
        "versions": [*versions, *ARGUMENTS],
        "dependencies": dependencies.state,
        "locks": _digests(one / "Cargo.lock" for one in [*workspace, *places]),
        "configurations": _digests(
            one / name for one in configurations for name in ("config", "config.toml")
        ),
        "environment": {name: value for name, value in environment.items() if _DECIDES.match(name)},
    }
    # Not by orjson: names and values need not be UTF-8.
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


class _Unseen:
    """What is in the files that neither the commit nor `git status` speaks for.

    Those are the ignored ones, those that git was told not to look at (a sparse checkout's, too), and what links lead to. Any of
    them may be read: include! takes any name. Left out are folders of build results (with a CACHEDIR.TAG, as Cargo's have) and of
    this program.
    """

    def __init__(self, top: Path, own: set[Path]) -> None:
        self.found: list[tuple[str, str]] = []
        self._top, self._own, self._bytes_left = top, own, _MOST_BYTES
        self._look_at_repository(top)

    def _look_at_repository(self, top: Path) -> None:
        tracked = git_output(top, "ls-files", "-v", "--stage", "-z")
        ignored = git_output(
            top, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"
        )
        if tracked is None or ignored is None:
            raise _NotKnown(f"git can't list the files of {top}")
        for entry in filter(None, tracked.split("\0")):
            about, _, name = entry.partition("\t")
            tag, mode = about.split(" ")[:2]
            path = top / name
            if mode == "160000":
                if (
                    path / ".git"
                ).exists():  # else it is not checked out, and git would speak of the repository around it
                    if tag != "H":
                        raise _NotKnown(f"git was told not to look at the submodule {path}")
                    self._look_at_repository(path)
            elif tag != "H" or mode == "120000":
                self._add(path)
        for name in filter(None, ignored.split("\0")):
            path = top / name
            if any(path.is_relative_to(one) for one in self._own):
                continue
            if name.endswith("/"):
                self._look_at_folder(path)
            else:
                self._add(path)

    def _look_at_folder(self, folder: Path) -> None:
        if self._is_left_out(folder):
            return
        for place, folders, files in os.walk(folder):
            here = Path(place)
            links = [name for name in folders if (here / name).is_symlink()]  # not followed
            folders[:] = sorted(name for name in folders if not self._is_left_out(here / name))
            for name in sorted([*files, *links]):
                self._add(here / name)

    def _is_left_out(self, folder: Path) -> bool:
        return folder.name == ".git" or folder in self._own or (folder / "CACHEDIR.TAG").is_file()

    def _add(self, path: Path) -> None:
        if len(self.found) >= _MOST_FILES:
            raise _NotKnown(f"git does not look at more than {_MOST_FILES:,} files in {self._top}")
        self.found.append((str(path.relative_to(self._top)), self._what_is_in(path)))

    def _what_is_in(self, path: Path) -> str:
        """Return what tells the content from another; "" where there is none to read."""
        if path.is_symlink() and path.is_dir():
            return self._where_it_leads(path)
        try:
            found = path.stat()
        except OSError:
            return ""
        if not stat.S_ISREG(found.st_mode):
            return ""
        if found.st_size > self._bytes_left:
            return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"
        self._bytes_left -= found.st_size
        return _digest(path)

    def _where_it_leads(self, link: Path) -> str:
        """Return the folder of the repository that the link leads to; its files are known for themselves."""
        folder = Path(os.path.realpath(link))
        if not folder.is_relative_to(self._top):
            raise _NotKnown(f"the link {link} leads to a folder outside of the repository")
        inside = folder.relative_to(self._top)
        if any(self._is_left_out(self._top / one) for one in (inside, *inside.parents)[:-1]):
            raise _NotKnown(f"the link {link} leads to files that are not looked at")
        return f"link {inside}"


def _digests(paths: Iterable[Path]) -> list[str]:
    """Return the digests of those of the files that are there."""
    return [digest for path in paths if (digest := _digest(path))]


def _digest(path: Path) -> str:
    """Return the digest of the file's content; "" where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
