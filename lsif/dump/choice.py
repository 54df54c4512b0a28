"""Chooses how rust-analyzer loads a repository: with Cargo, or by a model of our own."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from lsif.dump.cargo import Dependencies, ask, find_dependencies, toolchain
from lsif.dump.project.model import make_model
from lsif.dump.project.static import NEUTRAL, library_sources
from lsif.dump.rust_analyzer import check_has_rust, check_project, find_program
from lsif.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from configs.settings import RustAnalyzerSettings
    from lsif.dump.project.model import ProjectModel

logger = logging.getLogger(__name__)

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Loading:
    """How rust-analyzer loads the repository."""

    project: Literal["cargo", "static"]
    rustc: str
    """What `rustc -vV` prints."""
    dependencies: Dependencies
    model: ProjectModel | None = None
    """Given if `project` is `static`."""
    features: str | list[str] = "all"
    """Those that are asked for: as in the settings, unless Cargo can't have them."""
    format: Literal["lsif", "scip"] = "lsif"
    """What rust-analyzer writes."""
    sysroot: str = ""
    """The toolchain's folder, if there is a model."""
    sysroot_src: str = ""
    """The folder of the standard library's sources; empty if there is none."""

    def manifests(self, repo: Path) -> list[str]:
        """Return the manifests that were read, relative to the repository."""
        if self.model is not None:
            return self.model.manifests
        root = repo.resolve()
        paths = [folder.resolve() / "Cargo.toml" for folder in self.dependencies.folders]
        return [path.relative_to(root).as_posix() for path in paths if path.is_relative_to(root)]


def choose_loading(
    repo: Path, tool: RustAnalyzerSettings, target: Path, left_out: Iterable[Path] = ()
) -> Loading:
    """Return how to load the repository. `left_out` are folders that are no part of it.

    If `rust_analyzer.project` is "static", nothing runs in the repository but git. Raises
    SourceError if there is nothing to load, and what `find_dependencies` raises.
    """
    if tool.project == "static":
        check_has_rust(repo)
        return _static(repo, tool, target, left_out, Dependencies("unknown"))
    if tool.project == "auto" and not (repo / "Cargo.toml").is_file():
        check_has_rust(repo)
        return _static(repo, tool, target, left_out, Dependencies("unknown"))
    check_project(repo)
    rustc = toolchain(repo, tool, target)
    dependencies = find_dependencies(repo, tool, target, rustc)
    if dependencies.state == "resolved":
        loading = Loading("cargo", rustc, dependencies, features=tool.features)
        return replace(loading, format=_format(tool, target))
    if tool.project == "cargo":
        loading = _cargo_anyway(repo, tool, target, rustc, dependencies)
        return replace(loading, format=_format(tool, target))
    if dependencies.state == "unresolved":
        logger.warning(
            "Cargo can't resolve the dependencies; their types will be unknown: %s",
            dependencies.why,
        )
    return _static(repo, tool, target, left_out, dependencies)


def _cargo_anyway(
    repo: Path, tool: RustAnalyzerSettings, target: Path, rustc: str, dependencies: Dependencies
) -> Loading:
    """Return a loading with Cargo, which can't resolve all that the features need."""
    if dependencies.state == "unknown":
        return Loading("cargo", rustc, dependencies, features=tool.features)
    default = tool.model_copy(update={"features": "default"})
    fewer = find_dependencies(repo, default, target, rustc)
    if fewer.state == "resolved":
        logger.warning(
            "Cargo can resolve the dependencies of default features only, so only these are on: %s",
            dependencies.why,
        )
        return Loading("cargo", rustc, fewer, features="default")
    logger.warning(
        "Cargo can't resolve the dependencies; their types will be unknown, and features "
        'are off (rust_analyzer.project = "static" would switch them on): %s',
        dependencies.why,
    )
    return Loading("cargo", rustc, dependencies, features=tool.features)


def _static(
    repo: Path,
    tool: RustAnalyzerSettings,
    target: Path,
    left_out: Iterable[Path],
    dependencies: Dependencies,
) -> Loading:
    model = make_model(repo, tool.features, tool.cfg, [path.resolve() for path in left_out])
    if not model.crates:
        why = f" ({'; '.join(model.skipped[:_MOST_NAMED])})" if model.skipped else ""
        raise SourceError(f"no crate can be made of what {repo} holds{why}.")
    for skipped in model.skipped[:_MOST_NAMED]:
        logger.warning("skipped %s", skipped)
    if len(model.skipped) > _MOST_NAMED:
        logger.warning("skipped %d more; the report names them", len(model.skipped) - _MOST_NAMED)
    for feature in model.unknown_features:
        logger.warning("no package has the feature %s (rust_analyzer.features)", feature)
    sysroot = ask("rustc", ["--print", "sysroot"], tool, target, NEUTRAL).text
    sources = library_sources(sysroot, find_program(tool))
    rustc = toolchain(NEUTRAL, tool, target)
    if tool.format == "scip":
        logger.warning(
            'rust_analyzer.format is "scip", but rust-analyzer writes LSIF: its SCIP has only '
            "files in the folder that it loads, which is another one without Cargo"
        )
    return Loading(
        "static",
        rustc,
        dependencies,
        model,
        tool.features,
        sysroot=sysroot,
        sysroot_src=sources,
    )


def _format(tool: RustAnalyzerSettings, target: Path) -> Literal["lsif", "scip"]:
    """Return what rust-analyzer writes: LSIF, if nothing else is asked for, as long as it can."""
    if tool.format != "auto":
        return tool.format
    commands = set(ask(find_program(tool), ["--help"], tool, target, NEUTRAL).text.split())
    return "scip" if "scip" in commands and "lsif" not in commands else "lsif"
