"""The doctor's checks of what an index of a repository would cover. They read manifests.

Nothing is fetched and nothing is written: Cargo is asked offline, and with Cargo.lock as it is.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from flows.doctor.finding import Finding
from lsif.dump.project.features import active_features
from lsif.manifests.manifest import Manifests
from lsif.manifests.tree import list_tree
from machine.programs import ask
from machine.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from configs.settings import RustAnalyzerSettings
    from lsif.manifests.manifest import Package

_CARGO_S = 15.0
"""Seconds that Cargo has to resolve the dependencies."""
_NAMED = 5
"""Packages, or features, that a finding names."""
_STATIC = '--set rust_analyzer.project="static"'


def check_manifests(repo: Path) -> Finding:
    """Return which packages the repository has, and which manifests can't be used."""
    check = "manifests"
    if not repo.is_dir():
        return Finding(check, "skipped", f"there is no folder {repo}")
    tree = list_tree(repo)
    manifests = Manifests(tree)
    packages = manifests.packages
    if not packages and not manifests.skipped:
        found = f"no Cargo.toml names a package; {counted(len(tree.sources), '.rs file')}"
        return Finding(check, "warning", found, "--repo DIR, the folder of a Cargo project")
    names = _first(package.name for package in packages.values())
    found = f"{counted(len(packages), 'package')}{f' ({names})' if names else ''}"
    if outside := _outside(tree.sources, packages):
        found += f"; of {counted(len(tree.sources), '.rs file')} {outside:,} in none of them"
    if manifests.skipped:
        more = f" and {len(manifests.skipped) - 1:,} more" if manifests.skipped[1:] else ""
        found += f"; can't use {manifests.skipped[0]}{more}"
        return Finding(check, "warning", found, "mend what is named: the rest is indexed")
    return Finding(check, "ok", found)


def check_features(settings: RustAnalyzerSettings, repo: Path) -> Finding:
    """Return which features are on by default, which are not, and which a run switches on."""
    check, packages = "features", _packages(repo)
    if not packages:
        return Finding(check, "skipped", f"there is no package in {repo}")
    every = _features(packages, active_features(packages, "all"))
    if not every:
        return Finding(check, "ok", "no package has any")
    default = _features(packages, active_features(packages, "default"))
    on = _features(packages, active_features(packages, settings.features))
    found = f"{counted(len(every), 'feature')}, {len(default):,} on by default"
    if others := [name for name in every if name not in default]:
        found += f", {len(others):,} not ({_first(others)})"
    off = [name for name in every if name not in on]
    if not off:
        condition = ", if Cargo can resolve what they need" if settings.project == "cargo" else ""
        return Finding(check, "ok", f"{found}; a run switches all on{condition}")
    found += f"; a run leaves off {_first(off)}"
    return Finding(check, "warning", found, '--set rust_analyzer.features="all"')


def check_crates(settings: RustAnalyzerSettings, repo: Path) -> Finding:
    """Return how a run would load the project, and whether its dependencies are there."""
    check, project = "crates", settings.project
    if not repo.is_dir():
        return Finding(check, "skipped", f"there is no folder {repo}")
    tree = list_tree(repo)
    if not tree.sources and not tree.manifests:
        return Finding(check, "skipped", f"there is no Rust in {repo}")
    if project == "static":
        found = "static: from the manifests; types of dependencies are unknown"
        return Finding(check, "ok", found)
    if not (repo / "Cargo.toml").is_file():
        if project == "auto":
            return Finding(check, "ok", f"static: there is no Cargo.toml in {repo}")
        found = f'rust_analyzer.project is "{project}", and there is no Cargo.toml in {repo}'
        return Finding(check, "failed", found, '--set rust_analyzer.project="auto"')
    why = _why_unresolved(repo)
    if not why:
        return Finding(check, "ok", "cargo: all dependencies are on this machine")
    else_ = (
        "cargo without dependencies, and features that need them off"
        if project == "cargo"
        else "static"
    )
    model = else_ if settings.network == "offline" else f"cargo if the network helps, else {else_}"
    found = f"{model}: not all dependencies are on this machine: {why}"
    fetch = f"cargo fetch --manifest-path {shlex.quote(str(repo / 'Cargo.toml'))}"
    return Finding(check, "warning", found, f"{fetch}; or {_STATIC}")


def _why_unresolved(repo: Path) -> str:
    """Return why Cargo can't resolve the dependencies from this machine; empty if it can."""
    packages = _packages(repo)
    if packages and all(
        dependency.folder is not None
        for package in packages.values()
        for dependency in package.dependencies
    ):
        return ""  # Cargo would want to write the Cargo.lock that may be missing
    said = ask(
        ["cargo", "metadata", "--format-version", "1", "--offline", "--locked"],
        timeout_s=_CARGO_S,
        folder=repo,
    )
    if said is None:
        return "there is no cargo to ask"
    return "" if said.status == 0 else said.error or f"cargo exits with status {said.status}"


def _packages(repo: Path) -> dict[str, Package]:
    return Manifests(list_tree(repo)).packages if repo.is_dir() else {}


def _features(packages: dict[str, Package], active: dict[str, set[str]]) -> dict[str, None]:
    """Return the features as `package/name`, in order; `default` is none of its own."""
    names = sorted(
        f"{packages[folder].name}/{name}"
        for folder, features in active.items()
        for name in features - {"default"}
    )
    return dict.fromkeys(names)


def _outside(sources: Iterable[str], packages: Iterable[str]) -> int:
    """Return how many of the files are in no package's folder."""
    folders = set(packages)
    if "." in folders:
        return 0
    return sum(not any(folder in folders for folder in _parents(source)) for source in sources)


def _parents(path: str) -> Iterable[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _first(names: Iterable[str]) -> str:
    """Return the first names, and that there are more."""
    every = list(names)
    more = f" and {len(every) - _NAMED:,} more" if every[_NAMED:] else ""
    return f"{', '.join(every[:_NAMED])}{more}"
