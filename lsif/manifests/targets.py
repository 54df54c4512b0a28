"""Finds the targets of a package: library, binaries, examples, tests, benches, build script.

https://doc.rust-lang.org/cargo/reference/cargo-targets.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lsif.manifests.manifest import EDITIONS, inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsif.manifests.manifest import Manifests, Package
    from lsif.manifests.tree import Tree

TargetKind = Literal["lib", "bin", "example", "test", "bench", "build"]
_FOLDERS: dict[TargetKind, str] = {
    "bin": "src/bin",
    "example": "examples",
    "test": "tests",
    "bench": "benches",
}


@dataclass(frozen=True, slots=True)
class Target:
    """One crate that Cargo would build."""

    kind: TargetKind
    name: str
    path: str
    """Of its root file, relative to the root."""
    edition: str
    proc_macro: bool = False


class TargetFinder:
    """The targets of the packages of one tree."""

    def __init__(self, tree: Tree, manifests: Manifests) -> None:
        self._tree, self._manifests = tree, manifests
        self._found: dict[tuple[str, str], str] = {}
        """Root files in the folders where Cargo looks, by folder and name."""
        for source in tree.sources:
            folder, _, name = source.rpartition("/")
            above, _, last = folder.rpartition("/")
            self._note(folder, name.removesuffix(".rs"), source)
            if name == "main.rs" and last:
                self._note(above, last, source)
        self._by_folder: dict[str, list[tuple[str, str]]] = {}
        for (folder, name), path in sorted(self._found.items()):
            self._by_folder.setdefault(folder, []).append((name, path))

    def _note(self, folder: str, name: str, path: str) -> None:
        if folder.rpartition("/")[2] in ("bin", "examples", "tests", "benches"):
            self._found.setdefault((folder, name), path)

    def targets(self, package: Package) -> list[Target]:
        """Return the package's targets whose files are there; the others are noted as skipped."""
        found: dict[str, Target] = {}
        for target in (
            *self._library(package),
            *(target for kind in _FOLDERS for target in self._of_kind(package, kind)),
            *self._build_script(package),
        ):
            if not self._tree.has(target.path):
                where = f"missing: {target.path}" if target.path else "outside of the repository"
                self._manifests.skip(
                    package.manifest, f"the file of {target.kind} {target.name} is {where}"
                )
            else:
                found.setdefault(target.path, target)
        return list(found.values())

    def _library(self, package: Package) -> Iterator[Target]:
        table = package.table.get("lib")
        path = self._default(package, "src/lib.rs")
        if isinstance(table, dict) or path in self._tree.sources:
            about = table if isinstance(table, dict) else {}
            yield self._target(package, "lib", about, package.name.replace("-", "_"), path)

    def _of_kind(self, package: Package, kind: TargetKind) -> Iterator[Target]:
        folder, main = self._default(package, _FOLDERS[kind]), self._default(package, "src/main.rs")
        listed = package.table.get(kind)
        tables = listed if isinstance(listed, list) else []
        for table in tables:
            name = table.get("name") if isinstance(table, dict) else None
            if not isinstance(name, str):
                self._manifests.skip(
                    package.manifest, f"{'an' if kind == 'example' else 'a'} {kind} has no name"
                )
                continue
            default = self._found.get((folder, name), f"{folder}/{name}.rs")
            if kind == "bin" and default not in self._tree.sources:
                default = main
            yield self._target(package, kind, table, name, default)
        automatic = "autobenches" if kind == "bench" else f"auto{kind}s"
        # In the first edition files are no targets by themselves if the manifest names any.
        is_automatic = not (package.edition == EDITIONS[0] and tables)
        if package.section.get(automatic, is_automatic) is False:
            return
        if kind == "bin" and main in self._tree.sources:
            yield self._target(package, kind, {}, package.name, main)
        for name, path in self._by_folder.get(folder, []):
            yield self._target(package, kind, {}, name, path)

    def _build_script(self, package: Package) -> Iterator[Target]:
        given = package.section.get("build")
        default = self._default(package, "build.rs")
        if isinstance(given, str):
            yield self._target(package, "build", {"path": given}, "build_script_build", default)
        elif given is not False and default in self._tree.sources:
            yield self._target(package, "build", {}, "build_script_build", default)

    def _target(
        self, package: Package, kind: TargetKind, table: dict[str, Any], name: str, default: str
    ) -> Target:
        given, path, edition = table.get("name"), table.get("path"), table.get("edition")
        return Target(
            kind=kind,
            name=given if isinstance(given, str) else name,
            path=(inside(package.folder, path) or "") if isinstance(path, str) else default,
            edition=edition if isinstance(edition, str) else package.edition,
            proc_macro=True in (table.get("proc-macro"), table.get("proc_macro")),
        )

    def _default(self, package: Package, path: str) -> str:
        return path if package.folder == "." else f"{package.folder}/{path}"
