"""Keeps dumps and uses them again.

The name of a cached dump has two digests: of everything known to decide what is in it, and of its
content. See lsif.dump.inputs.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from configs.workspace import ProjectFolder, own_folders
from lsif.dump.cargo import State, ask
from lsif.dump.choice import Loading, choose_loading
from lsif.dump.inputs import UnknownInput, key_of, why_not
from lsif.dump.project.static import NEUTRAL
from lsif.dump.run import make_dump
from lsif.dump.rust_analyzer import cargo_environment, find_program

if TYPE_CHECKING:
    from pathlib import Path

    from configs.settings import RustAnalyzerSettings
    from lsif.dump.rust_analyzer import DumpMade

logger = logging.getLogger(__name__)


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
    """Unresolved: Cargo can't get them, and their types are unknown in the dump."""
    peak_mb: float
    """Highest resident memory, in 10^6 bytes, of rust-analyzer and all that it started.

    0 if the dump was reused."""
    not_kept: str = ""
    """Why the dump is not cached; empty if it is, and the next run can use it again."""
    format: str = "lsif"
    """Or `scip`."""
    project: str = "cargo"
    """How rust-analyzer learned the crates: `cargo`, or `static` from a model of our own."""
    features: str = ""
    """`all`, `default`, or names with commas, as rust_analyzer.features; on only if `project` is
    `static` or the dependencies are resolved."""
    cfgs: list[str] = field(default_factory=list)
    """Those that settings add; a model has `test` and `debug_assertions`, too."""
    manifests: list[str] = field(default_factory=list)
    """Files that crates come from, relative to the repository; with Cargo those of its own
    packages."""
    skipped_manifests: list[str] = field(default_factory=list)
    """`path: reason` of manifests, members, targets and files that no crate could be made of."""


def provide_dump(
    repo: Path,
    folder: Path,
    other: Path,
    tool: RustAnalyzerSettings,
    target: Path,
    data: Path | None = None,
) -> DumpReport:
    """Return a dump of the project in `repo`: a cached one in `folder`, else a new one.

    A new one that can't be cached is at `other`. This program's own folders in `data` are no part
    of the project, even if they are in its repository.

    Raises what `write_dump` raises, and RustAnalyzerError if Cargo.lock must fit and does not.
    """
    started = time.perf_counter()
    own = [folder, target, *(own_folders(data) if data is not None else ())]
    own_paths = {path.resolve() for path in own}
    loading = choose_loading(repo, tool, target, own_paths)
    program = find_program(tool)
    version = ask(program, ["--version"], tool, target, NEUTRAL).text[:200]
    cache_key = partial(_cache_key, repo, own_paths, loading, version, tool, target)
    other = other.with_suffix(f".{loading.format}")
    not_kept, key = cache_key()
    cached = _find_cached(folder, key) if key else None
    reused, peak_mb, path = cached is not None, 0.0, cached or other
    if cached is not None:
        os.utime(cached)
    else:
        made = make_dump(repo, other, loading, tool, target)
        peak_mb = made.peak_mb
        not_kept = not_kept or _why_incomplete(made)
        if key and not not_kept and cache_key() != ("", key):
            not_kept = "the sources changed meanwhile"
        elif key and not not_kept:
            kept = ProjectFolder(folder).cached_dump(key, _content(other), other.suffix)
            path = other.replace(kept)
    _prune(folder, tool.keep_dumps, path)
    megabytes, seconds = path.stat().st_size / 1e6, time.perf_counter() - started
    model, features = loading.model, loading.features
    report = DumpReport(
        file=str(path),
        megabytes=megabytes,
        seconds=seconds,
        reused=reused,
        rust_analyzer=version,
        dependencies=loading.dependencies.state,
        peak_mb=peak_mb,
        not_kept=not_kept,
        format=loading.format,
        project=loading.project,
        features=features if isinstance(features, str) else ", ".join(features),
        cfgs=list(tool.cfg if model is None else model.cfgs),
        manifests=loading.manifests(repo),
        skipped_manifests=[] if model is None else model.skipped,
    )
    _log(report)
    return report


def _why_incomplete(made: DumpMade) -> str:
    """Return what the dump lacks that the next one may have; "" if nothing is known."""
    if made.fell_back:
        return "rust-analyzer went without the dependencies"
    return f"build scripts failed: {', '.join(made.failed_scripts)}" if made.failed_scripts else ""


def _cache_key(
    repo: Path,
    own: set[Path],
    loading: Loading,
    version: str,
    tool: RustAnalyzerSettings,
    target: Path,
) -> tuple[str, str]:
    """Return why a dump made now can't be cached, or "" and the key to cache it under."""
    if tool.keep_dumps == 0:
        return "rust_analyzer.keep_dumps is 0", ""
    if reason := why_not(repo, loading):
        return reason, ""
    versions = [version, loading.rustc, str(loading.features), *tool.cfg]
    try:
        return "", key_of(repo, own, loading, versions, cargo_environment(tool, target))
    except UnknownInput as exc:
        return str(exc), ""


def _log(report: DumpReport) -> None:
    if report.reused:
        logger.info("dump of %.1f MB used again, found in %.1f s", report.megabytes, report.seconds)
        return
    aside = f"; it will not be used again: {report.not_kept}" if report.not_kept else ""
    logger.info(
        "dump of %.1f MB made in %.1f s, highest memory %.0f MB%s",
        report.megabytes,
        report.seconds,
        report.peak_mb,
        aside,
    )


def _find_cached(folder: Path, key: str) -> Path | None:
    """Return the cached dump of the key.

    A damaged one is removed: every later run would fail on it.
    """
    for path in ProjectFolder(folder).cached_dumps(key):
        if path.stem.endswith(f"-{_content(path)}"):
            return path
        logger.warning("the cached dump %s is damaged; a new one is made", path)
        path.unlink()
    return None


def _content(dump: Path) -> str:
    """Return a digest of the dump; 350 MB take half a second.

    Its size would not reveal a changed byte, which may well parse.
    """
    try:
        with dump.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:20]
    except OSError:
        return "unreadable"


def _prune(folder: Path, keep: int, used: Path) -> None:
    """Remove all but the dumps used last; never `used`, whatever the clock says."""
    now = time.time_ns()

    def last_used(path: Path) -> int:
        time_ns = path.stat().st_mtime_ns
        return time_ns if time_ns <= now else 0  # the clock was wrong then

    kept = ProjectFolder(folder).cached_dumps()
    others = sorted((path for path in kept if path != used), key=last_used, reverse=True)
    for path in others[max(keep - 1, 0) if used in kept else keep :]:
        path.unlink()
    if used in kept:
        for suffix in (".lsif", ".scip"):  # of a run whose sources had changes
            ProjectFolder(folder).dump.with_suffix(suffix).unlink(missing_ok=True)
