"""Makes the crates of a repository, and the rust-project.json that rust-analyzer loads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from lsif.dump.project.crates import Crate, reaches
from lsif.dump.project.features import active_features, unknown_features
from lsif.dump.project.foreign import ForeignProjectError, foreign_crates
from lsif.dump.project.loose import root_files, unreadable_roots
from lsif.identifiers import is_identifier
from lsif.manifests.manifest import Manifests
from lsif.manifests.targets import Target, TargetFinder
from lsif.manifests.tree import Tree, list_tree

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lsif.dump.project.features import Features
    from lsif.manifests.manifest import Dependency, Package

_CFGS = ("debug_assertions", "test")
"""What `cargo test` sets; rust-analyzer asks rustc for those of the target."""
_MOST_LOOSE = 2000
"""Maximum number of crates made of files without a manifest: each takes memory."""


@dataclass(slots=True)
class ProjectModel:
    """What rust-analyzer is to analyse."""

    root: Path
    crates: list[Crate] = field(default_factory=list)
    manifests: list[str] = field(default_factory=list)
    """Cargo.toml and rust-project.json files that crates come from, relative to the root."""
    skipped: list[str] = field(default_factory=list)
    """`path: reason` of manifests, members, targets and files that have no crate."""
    cfgs: list[str] = field(default_factory=list)
    """Those of all crates; features are a package's own."""
    unknown_features: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def to_json(self, sysroot: str, sysroot_src: str, root: Path | None = None) -> bytes:
        """Return the rust-project.json; empty names leave the standard library out.

        With `root` it is that of the same repository elsewhere.
        """
        at = root or self.root
        folders = [str(at / path) for path in (".git", *self.left_out)]
        project = {
            **({"sysroot": sysroot} if sysroot else {}),
            **({"sysroot_src": sysroot_src} if sysroot_src else {}),
            "crates": [crate.to_json(at, folders) for crate in self.crates],
        }
        return orjson.dumps(project)


def make_model(
    root: Path, features: Features, cfgs: Iterable[str], left_out: Iterable[Path] = ()
) -> ProjectModel:
    """Return the model of the repository. Reads files, and executes nothing but git.

    `cfgs` are set besides the usual ones; `left_out` are folders that are no part of it.
    """
    tree = list_tree(root)
    tree.left_out += [
        path.relative_to(tree.root).as_posix()
        for path in left_out
        if path != tree.root and path.is_relative_to(tree.root)
    ]
    return _Making(tree, features, cfgs).model


class _Making:
    """One model, step by step."""

    def __init__(self, tree: Tree, features: Features, cfgs: Iterable[str]) -> None:
        self._tree = tree
        self._manifests = Manifests(tree)
        self._packages = self._manifests.packages
        self.model = ProjectModel(tree.root, cfgs=[*_CFGS, *cfgs], left_out=tree.left_out)
        self._crates = self.model.crates
        self._libraries: dict[str, int] = {}
        """Positions of the libraries' crates, by folder of the package."""
        self._others: list[tuple[Package, Target, int]] = []
        """Targets that are no libraries, and the positions of their crates."""
        self._foreign: list[Crate] = []
        self._add_packages(active_features(self._packages, features))
        self._connect()
        self._add_foreign()
        self._add_loose()
        self._drop_unreadable()
        self.model.unknown_features = unknown_features(self._packages.values(), features)
        self.model.skipped = self._manifests.skipped

    def _add_packages(self, active: dict[str, set[str]]) -> None:
        finder = TargetFinder(self._tree, self._manifests)
        for folder, package in self._packages.items():
            targets = finder.targets(package)
            for target in targets:
                at = len(self._crates)
                self._crates.append(self._crate(package, target, active[folder]))
                if target.kind == "lib":
                    self._libraries[folder] = at
                else:
                    self._others.append((package, target, at))
            if targets:
                self.model.manifests.append(package.manifest)

    def _crate(self, package: Package, target: Target, features: set[str]) -> Crate:
        name = target.name.replace("-", "_")
        on = () if target.kind == "build" else tuple(f'feature="{it}"' for it in sorted(features))
        return Crate(
            name=name,
            root=target.path,
            edition=target.edition,
            version=package.version,
            cfgs=(*self.model.cfgs, *on),
            package=package.folder,
            env=_environment(package, name),
            proc_macro=target.proc_macro,
        )

    def _connect(self) -> None:
        """Give each crate its dependencies; a library has none that depends on it."""
        for kind in ("normal", "dev"):
            for folder, at in self._libraries.items():
                for dependency in self._packages[folder].dependencies:
                    goal = self._library_of(dependency)
                    if (
                        dependency.kind != kind
                        or goal is None
                        or not is_identifier(dependency.name)
                    ):
                        continue
                    if not reaches(self._crates, goal, at):
                        self._crates[at].dependencies.setdefault(self._name(dependency, goal), goal)
        for package, target, at in self._others:
            found = self._crates[at].dependencies
            own = self._libraries.get(package.folder)
            if own is not None and target.kind != "build":
                found[self._crates[own].name] = own
            for dependency in package.dependencies:
                goal = self._library_of(dependency)
                if goal is not None and (dependency.kind == "build") == (target.kind == "build"):
                    found.setdefault(self._name(dependency, goal), goal)

    def _library_of(self, dependency: Dependency) -> int | None:
        return None if dependency.folder is None else self._libraries.get(dependency.folder)

    def _name(self, dependency: Dependency, goal: int) -> str:
        """Return what the code calls the crate: its own name, unless the manifest renames it."""
        renamed = dependency.key != dependency.package
        return dependency.name if renamed else self._crates[goal].name

    def _add_foreign(self) -> None:
        known = {crate.root for crate in self._crates}
        for path in self._tree.foreign:
            try:
                crates = foreign_crates(self._tree, path, len(self._crates))
            except ForeignProjectError as exc:
                self._manifests.skip(path, str(exc))
                continue
            if all(crate.root in known for crate in crates):
                continue
            known |= {crate.root for crate in crates}
            for crate in crates:
                crate.cfgs = tuple(dict.fromkeys((*crate.cfgs, *self.model.cfgs)))
            self._crates += crates
            self._foreign += crates
            self.model.manifests.append(path)

    def _add_loose(self) -> None:
        """Make crates of Rust files that are in the folder of no package and no foreign crate."""
        foreign = {crate.root.rpartition("/")[0] or "." for crate in self._foreign}
        covered = _Covered({*self._packages, *foreign})
        loose = [path for path in self._tree.sources if not covered.holds(path)]
        roots = root_files(self._tree, loose)
        if len(roots) > _MOST_LOOSE:
            self._manifests.skip(
                roots[_MOST_LOOSE],
                f"it and {len(roots) - _MOST_LOOSE - 1:,} more files have no manifest, and "
                f"{_MOST_LOOSE:,} are analysed as crates of their own",
            )
        for path in roots[:_MOST_LOOSE]:
            name = re.sub(r"\W", "_", path.rpartition("/")[2].removesuffix(".rs"))
            self._crates.append(Crate(name, path, "2021", cfgs=tuple(self.model.cfgs)))

    def _drop_unreadable(self) -> None:
        """Leave crates out that rust-analyzer can't read, and dependencies on them."""
        bad = unreadable_roots(self._tree, [crate.root for crate in self._crates])
        for root, path in bad.items():
            self._manifests.skip(path, f"it is not UTF-8, so the crate of {root} is not analysed")
        kept = [at for at, crate in enumerate(self._crates) if crate.root not in bad]
        position = {at: number for number, at in enumerate(kept)}
        self.model.crates = [self._crates[at] for at in kept]
        for crate in self.model.crates:
            dependencies = crate.dependencies.items()
            crate.dependencies = {name: position[at] for name, at in dependencies if at in position}


class _Covered:
    """Which files are in one of some folders; each folder is looked at once."""

    def __init__(self, folders: set[str]) -> None:
        self._known = dict.fromkeys(folders, True)

    def holds(self, path: str) -> bool:
        folder = path.rpartition("/")[0] or "."
        if folder not in self._known:
            self._known[folder] = folder != "." and self.holds(folder)
        return self._known[folder]


def _environment(package: Package, crate: str) -> dict[str, str]:
    """Return what `env!` finds of a package."""
    major, minor, patch = [*re.findall(r"\d+", package.version), "0", "0", "0"][:3]
    return {
        "CARGO": "cargo",
        "CARGO_CRATE_NAME": crate,
        "CARGO_PKG_NAME": package.name,
        "CARGO_PKG_VERSION": package.version,
        "CARGO_PKG_VERSION_MAJOR": major,
        "CARGO_PKG_VERSION_MINOR": minor,
        "CARGO_PKG_VERSION_PATCH": patch,
        "CARGO_PKG_VERSION_PRE": package.version.partition("-")[2],
        **{f"CARGO_PKG_{key.upper()}": value for key, value in package.about.items()},
    }
