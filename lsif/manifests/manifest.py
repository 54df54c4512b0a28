"""Reads Cargo.toml files, as Cargo would; `targets` finds what they build. Asks no Cargo.

Cargo itself rejects a whole workspace if one member is broken, and reads configuration that may
name programs to run. https://doc.rust-lang.org/cargo/reference/manifest.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from lsif.paths import read_toml, relative_to_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsif.manifests.tree import Tree

Table = dict[str, Any]
"""What TOML holds; only this module and `targets` read it."""
EDITIONS = ("2015", "2018", "2021", "2024")
DependencyKind = Literal["normal", "dev", "build"]
_TABLES: dict[str, DependencyKind] = {
    "dependencies": "normal",
    "dev-dependencies": "dev",
    "dev_dependencies": "dev",
    "build-dependencies": "build",
    "build_dependencies": "build",
}


class ManifestError(Exception):
    """A manifest can't be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """One dependency of a package."""

    name: str
    """As the package's code calls it, with `_`."""
    key: str
    """As the manifest calls it."""
    package: str
    folder: str | None
    """The folder of a path dependency, relative to the root; None if there is none under it."""
    kind: DependencyKind
    optional: bool
    features: tuple[str, ...]
    default_features: bool


@dataclass(slots=True)
class Package:
    """One package of the repository."""

    folder: str
    """Relative to the root; `.` is the root itself."""
    name: str
    version: str
    edition: str
    table: Table
    """Its manifest."""
    section: Table
    """The table `package` of its manifest."""
    dependencies: list[Dependency] = field(default_factory=list)
    features: dict[str, list[str]] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    """What CARGO_PKG_* variables say of it."""

    @property
    def manifest(self) -> str:
        """Its Cargo.toml, relative to the root."""
        return _manifest(self.folder)

    @property
    def optional(self) -> list[str]:
        """Optional dependencies, which are features, too."""
        return [dependency.key for dependency in self.dependencies if dependency.optional]


class Manifests:
    """All manifests of a tree."""

    def __init__(self, tree: Tree) -> None:
        self.packages: dict[str, Package] = {}
        """By folder."""
        self.skipped: list[str] = []
        """`path: reason` of manifests, members and targets that can't be used."""
        self.unreadable: dict[str, str] = {}
        """Reasons why manifests can't be used, by path."""
        self._tree = tree
        self._tables: dict[str, Table] = {}
        self._read_all()

    def skip(self, path: str, reason: str) -> None:
        """Note what can't be used, and why."""
        self.skipped.append(f"{path}: {reason}")

    def _read_all(self) -> None:
        for path in self._tree.misnamed:
            self.skip(path, "its name is not UTF-8")
        for path in self._tree.manifests:
            try:
                self._tables[_folder(path)] = self._parse(path)
            except ManifestError as exc:
                self._skip_manifest(path, exc)
        for folder, table in self._tables.items():
            self._check_members(folder, table)
            section = table.get("package", table.get("project"))
            if not isinstance(section, dict):
                continue
            try:
                self.packages[folder] = self._package(folder, table, section)
            except ManifestError as exc:
                self._skip_manifest(_manifest(folder), exc)

    def _skip_manifest(self, path: str, exc: ManifestError) -> None:
        self.unreadable[path] = str(exc)
        self.skip(path, str(exc))

    def _parse(self, path: str) -> Table:
        if not self._tree.has(path):
            raise ManifestError("it is no file of this repository")
        try:
            return read_toml(self._tree.root / path)
        except OSError as exc:
            raise ManifestError(exc.strerror or str(exc)) from exc
        except ValueError as exc:
            raise ManifestError(str(exc)) from exc

    def _check_members(self, folder: str, table: Table) -> None:
        for member in _strings(_table(table, "workspace").get("members")):
            place = inside(folder, member)
            if place is None or any(sign in member for sign in "*?["):
                continue
            if not self._tree.has(_manifest(place)):
                reason = f"{_manifest(folder)} names this member, but it is not there"
                self.skip(_manifest(place), reason)

    def _package(self, folder: str, table: Table, section: Table) -> Package:
        workspace_folder, workspace = self._workspace(folder, section)
        shared = _table(workspace, "package")

        def text(key: str) -> str:
            value = section.get(key)
            if isinstance(value, dict) and value.get("workspace"):
                value = shared.get(key)
            if isinstance(value, list):
                return ":".join(_strings(value))
            return value if isinstance(value, str) else ""

        name, edition = text("name"), text("edition") or "2015"
        if not name:
            raise ManifestError("its package has no name")
        package = Package(
            folder=folder,
            name=name,
            version=text("version") or "0.0.0",
            edition=edition if edition in EDITIONS else EDITIONS[-1],
            table=table,
            section=section,
            features={key: _strings(value) for key, value in _table(table, "features").items()},
            about={
                key: text(key)
                for key in ("authors", "description", "homepage", "license", "repository")
            }
            | {"rust_version": text("rust-version")},
        )
        package.dependencies = list(self._dependencies(package, workspace_folder, workspace))
        return package

    def _workspace(self, folder: str, section: Table) -> tuple[str, Table]:
        """Return the folder and the table of the workspace that the package inherits from."""
        named = section.get("workspace")
        places = [inside(folder, named)] if isinstance(named, str) else _upwards(folder)
        for place in places:
            found = self._tables.get(place or "")
            if found is not None and isinstance(found.get("workspace"), dict):
                return place or ".", {**found["workspace"], "patch": found.get("patch")}
        own = self._tables[folder]
        return folder, {"patch": own.get("patch")}

    def _dependencies(
        self, package: Package, workspace_folder: str, workspace: Table
    ) -> Iterator[Dependency]:
        shared, patched = _table(workspace, "dependencies"), _patches(workspace)
        targets = [package.table, *_tables_in(package.table.get("target"))]
        for table in targets:
            for section, kind in _TABLES.items():
                for key, value in _table(table, section).items():
                    own = value if isinstance(value, dict) else {}
                    given, base = own, package.folder
                    if own.get("workspace") is True:
                        inherited = shared.get(key)
                        given = inherited if isinstance(inherited, dict) else {}
                        base = workspace_folder
                    name = given.get("package")
                    of = name if isinstance(name, str) else key
                    path = given.get("path")
                    if not isinstance(path, str):
                        path, base = patched.get(of), workspace_folder
                    yield Dependency(
                        name=key.replace("-", "_"),
                        key=key,
                        package=of,
                        folder=inside(base, path) if isinstance(path, str) else None,
                        kind=kind,
                        optional=own.get("optional") is True,
                        features=(*_strings(given.get("features")), *_strings(own.get("features"))),
                        default_features=_wants_default(given, own),
                    )


def inside(folder: str | None, path: str) -> str | None:
    """Return the path from `folder`, relative to the root; None if it is outside of the root.

    >>> inside("crates/a", "../b"), inside("a", "../../x")
    ('crates/b', None)
    """
    if folder is None or "\0" in path:
        return None
    return relative_to_folder(folder, path.replace("\\", "/"))


def _wants_default(given: Table, own: Table) -> bool:
    for table in (own, given):
        for key in ("default-features", "default_features"):
            if isinstance(table.get(key), bool):
                return bool(table[key])
    return True


def _patches(workspace: Table) -> dict[str, str]:
    """Return the paths that replace packages of registries, by package."""
    found: dict[str, str] = {}
    for registry in _tables_in(workspace.get("patch")):
        for key, value in registry.items():
            if isinstance(value, dict) and isinstance(value.get("path"), str):
                name = value.get("package")
                found[name if isinstance(name, str) else key] = value["path"]
    return found


def _upwards(folder: str) -> list[str]:
    """Return the folder and those around it, the nearest first."""
    if folder == ".":
        return ["."]
    path = PurePosixPath(folder)
    return [place.as_posix() for place in (path, *path.parents)]


def _manifest(folder: str) -> str:
    return "Cargo.toml" if folder == "." else f"{folder}/Cargo.toml"


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "."


def _table(table: Table, key: str) -> Table:
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def _tables_in(value: object) -> list[Table]:
    return (
        [item for item in value.values() if isinstance(item, dict)]
        if isinstance(value, dict)
        else []
    )


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
