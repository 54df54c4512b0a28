"""Says which features of each package are on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lsif.manifests.manifest import Dependency, Package

Features = str | list[str]
"""`all`, `default`, or names besides the default ones: `name` or `package/name`."""


def active_features(packages: Mapping[str, Package], wanted: Features) -> dict[str, set[str]]:
    """Return the features that are on, by folder of the package.

    An optional dependency is a feature of its own. Packages share the features that they ask of
    each other, as in a build of the whole workspace.
    """
    if wanted == "all":
        return {
            folder: {*package.features, *package.optional} for folder, package in packages.items()
        }
    resolution = _Resolution(packages)
    for folder, package in packages.items():
        resolution.turn_on(folder, "default")
        for name in wanted if isinstance(wanted, list) else []:
            of, slash, feature = name.rpartition("/")
            if not slash or of == package.name:
                resolution.turn_on(folder, feature)
    resolution.run()
    return resolution.active


def unknown_features(packages: Iterable[Package], wanted: Features) -> list[str]:
    """Return the wanted features that no package has."""
    if isinstance(wanted, str):
        return []
    known = set[str]()
    for package in packages:
        names = {*package.features, *package.optional}
        known |= names | {f"{package.name}/{name}" for name in names}
    return [name for name in wanted if name not in known]


class _Resolution:
    """What features turn on, followed to the end."""

    def __init__(self, packages: Mapping[str, Package]) -> None:
        self.active: dict[str, set[str]] = {folder: set() for folder in packages}
        self._packages = packages
        self._waiting: list[tuple[str, str]] = []
        for package in packages.values():
            for dependency in package.dependencies:
                if not dependency.optional:
                    self._depend(dependency)

    def turn_on(self, folder: str, feature: str) -> None:
        package = self._packages.get(folder)
        known = package is not None and (feature in package.features or feature in package.optional)
        if known and feature not in self.active[folder]:
            self.active[folder].add(feature)
            self._waiting.append((folder, feature))

    def run(self) -> None:
        while self._waiting:
            folder, feature = self._waiting.pop()
            package = self._packages[folder]
            for item in package.features.get(feature, [f"dep:{feature}"]):
                self._follow(folder, package, item)

    def _follow(self, folder: str, package: Package, item: str) -> None:
        name, slash, feature = item.removeprefix("dep:").partition("/")
        if not slash and not item.startswith("dep:"):
            self.turn_on(folder, name)
            return
        for dependency in package.dependencies:
            if dependency.key == name.rstrip("?"):
                if not name.endswith("?"):
                    self._depend(dependency)
                    self.turn_on(folder, name)
                if slash and dependency.folder is not None:
                    self.turn_on(dependency.folder, feature)

    def _depend(self, dependency: Dependency) -> None:
        if dependency.folder is None:
            return
        wanted = [*dependency.features, *(["default"] if dependency.default_features else [])]
        for feature in wanted:
            self.turn_on(dependency.folder, feature)
