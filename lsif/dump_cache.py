"""Dumps that are kept and used again. A dump's name holds a digest of everything known to decide what is in it.

A dump is kept only where all of that is known: the folder is in a git repository without changes, and so are the path dependencies.
What a build script reads from elsewhere (a file, a clock, the network) is not known to anybody.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from configs.data_folder import is_own
from lsif.cargo import Dependencies, State, ask, find_dependencies, toolchain
from lsif.git import git_output
from lsif.rust_analyzer import ARGUMENTS, cargo_environment, check_project, find_program, write_dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from configs.settings import RustAnalyzerSettings

logger = logging.getLogger(__name__)

UNKEPT = "dump.lsif"
"""Name of a dump that can't be used again."""
_FORMAT = 1
"""Another number here makes every dump anew."""
_DECIDES = re.compile(r"(?!CARGO_TERM_)(?!.*(TOKEN|_TARGET_DIR$|_LOG$|_BACKTRACE$|_JOBS$))(CARGO|RUST|RA_)")
"""Names of the environment that can change a dump."""
_IGNORED_THAT_COUNT = (".rs", ".toml")
"""Files that git ignores and Cargo reads; Cargo.lock is looked for by its name."""


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
    repo: Path, folder: Path, other: Path, tool: RustAnalyzerSettings, target: Path, data: Path | None = None
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
        logger.warning("Cargo can't resolve the dependencies, types of theirs will be unknown: %s", dependencies.why)

    def why_not_and_key() -> tuple[str, str]:
        if tool.keep_dumps == 0:
            return "rust_analyzer.keep_dumps is 0", ""
        if reason := _why_not(repo, dependencies):
            return reason, ""
        return "", _key(repo, folder, data, dependencies, [version, rustc], cargo_environment(tool, target))

    not_kept, key = why_not_and_key()
    kept = folder / f"dump-{key}.lsif"
    reused, peak_mb, path = bool(key) and kept.is_file(), 0.0, kept if key else other
    if reused:
        os.utime(kept)
    else:
        made = write_dump(repo, path, tool, target)
        peak_mb = made.peak_mb
        if key and (made.fell_back or why_not_and_key() != ("", key)):
            not_kept = "rust-analyzer went without the dependencies" if made.fell_back else "the sources changed meanwhile"
            path = kept.replace(other)
    _prune(folder, tool.keep_dumps, path)
    megabytes, seconds = path.stat().st_size / 1e6, time.perf_counter() - started
    if reused:
        logger.info("dump of %.1f MB used again, found in %.1f s", megabytes, seconds)
    else:
        logger.info("dump of %.1f MB made in %.1f s, highest memory %.0f MB%s", megabytes, seconds, peak_mb, _aside(not_kept))
    return DumpReport(str(path), megabytes, seconds, reused, version, dependencies.state, peak_mb, not_kept)


def _aside(not_kept: str) -> str:
    return f"; it will not be used again: {not_kept}" if not_kept else ""


def _prune(folder: Path, keep: int, used: Path) -> None:
    """Remove all but the dumps that were used last."""
    kept = sorted(folder.glob("dump-*.lsif"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in kept[keep:]:
        path.unlink()
    if used in kept:
        (folder / UNKEPT).unlink(missing_ok=True)  # of a run whose sources had changes


def _why_not(repo: Path, dependencies: Dependencies) -> str:
    """Return why a dump of the sources as they are now is not for later; "" where it is."""
    top = git_output(repo, "rev-parse", "--show-toplevel")
    if top is None or git_output(repo, "rev-parse", "HEAD") is None:
        return "the sources are in no git repository"
    # Cargo writes the Cargo.lock where it is absent or old; its content is part of the key.
    status = git_output(Path(top.strip()), "status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=none")
    if status is None or any(change and not re.match(r".. (.*/)?Cargo\.lock$", change) for change in status.split("\0")):
        return "the sources have changes that are not committed"
    if (repo / "rust-project.json").is_file():
        return "rust-project.json may name sources anywhere"
    root = Path(top.strip()).resolve()
    for one in dependencies.folders:
        if not one.resolve().is_relative_to(root):
            return f"the dependency in {one} is outside of the repository"
    return ""


def _key(
    repo: Path,
    folder: Path,
    data: Path | None,
    dependencies: Dependencies,
    versions: list[str],
    environment: dict[str, str],
) -> str:
    """Return the digest of what decides a dump."""
    top = Path((git_output(repo, "rev-parse", "--show-toplevel") or "").strip())
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
        "ignored": [(path.relative_to(top).as_posix(), _digest(path)) for path in _ignored(top, folder, data)],
        "versions": [*versions, *ARGUMENTS],
        "dependencies": dependencies.state,
        "locks": _digests(one / "Cargo.lock" for one in [*workspace, *places]),
        "configurations": _digests(one / name for one in configurations for name in ("config", "config.toml")),
        "environment": {name: value for name, value in environment.items() if _DECIDES.match(name)},
    }
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:20]


def _ignored(top: Path, folder: Path, data: Path | None) -> Iterator[Path]:
    """Yield the files of the repository that git ignores and Cargo may read, in order.

    Not those in folders of build results (with a CACHEDIR.TAG, as Cargo's have) and not in those that hold this program's own.
    """

    def own(path: Path) -> bool:
        return folder.resolve().is_relative_to(path.resolve()) or (data is not None and is_own(path, data))

    listed = git_output(top, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory") or ""
    for name in sorted(filter(None, listed.split("\0"))):
        path = top / name
        if not name.endswith("/"):
            found = [path]
        elif own(path) or (path / "CACHEDIR.TAG").is_file():
            continue
        else:
            found = sorted(path.rglob("*"))
        yield from (one for one in found if one.suffix in _IGNORED_THAT_COUNT and one.is_file())


def _digests(paths: Iterable[Path]) -> list[str]:
    """Return the digests of those of the files that are there."""
    return [digest for path in paths if (digest := _digest(path))]


def _digest(path: Path) -> str:
    """Return the digest of the file's content; "" where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
