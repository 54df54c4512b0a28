"""Crates of Cargo packages: the root file of each target, as the manifest and the files have it.

https://doc.rust-lang.org/cargo/reference/cargo-targets.html. Cargo itself is not asked: it needs
dependencies that may not be there, and stops at the first manifest that it can't read.
"""

from __future__ import annotations

import logging
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from lsif.paths import read_toml, relative_to_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Set

    Table = Mapping[str, object]

logger = logging.getLogger(__name__)

_FOLDERS = {"bin": "src/bin", "test": "tests", "example": "examples", "bench": "benches"}
"""Folders whose files, and folders with a main.rs, are targets, by kind."""
_SWITCHES = {
    "bin": "autobins",
    "test": "autotests",
    "example": "autoexamples",
    "bench": "autobenches",
}
_FIRST_EDITION = "2015"
"""There, files are no targets by themselves if the manifest names any of their kind."""
BUILD_SCRIPT = "build_script_build"


class CrateRoot(NamedTuple):
    """The file that a crate begins in."""

    crate: str
    path: str
    """Relative to the root, POSIX style."""


class Package(NamedTuple):
    """A Cargo package."""

    folder: str
    """Relative to the root; `.` for the root itself."""
    crate: str
    """The name of its library or, if it has none, of the package."""
    roots: list[CrateRoot]


def read_packages(root: Path, files: Set[str]) -> Iterator[Package]:
    """Yield the packages whose manifests are in the folders around the files, sorted by folder.

    `files` are all Rust files under the root. A manifest that can't be read is logged.
    """
    folders = {
        folder.as_posix()
        for parent in {PurePosixPath(path).parent for path in files}
        for folder in (parent, *parent.parents)
    }
    inside = _by_folder(files)
    for folder in sorted(folders):
        manifest = root / folder / "Cargo.toml"
        if not manifest.is_file() or not manifest.resolve().is_relative_to(root):
            continue
        try:
            table: Table = read_toml(manifest)
        except (OSError, ValueError) as exc:
            logger.warning("%s: %s; its modules are named by their places", manifest, exc)
            continue
        package = table.get("package")
        if _is_table(package) and isinstance(package.get("name"), str):
            yield _package(folder, table, package, files, inside)


def _by_folder(files: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(files):
        folder, _, name = path.rpartition("/")
        found.setdefault(folder, []).append(name)
        if name == "main.rs" and folder:
            above, _, own = folder.rpartition("/")
            found.setdefault(above, []).append(f"{own}/main.rs")
    return found


def _package(
    folder: str, table: Table, package: Table, files: Set[str], inside: Mapping[str, list[str]]
) -> Package:
    name = str(package["name"])
    library = table.get("lib")
    library = library if _is_table(library) else {}
    crate = _text(library.get("name")) or name
    roots = [(crate, _text(library.get("path")) or "src/lib.rs")]
    if package.get("build") is not False:
        roots.append((BUILD_SCRIPT, _text(package.get("build")) or "build.rs"))
    for kind in _FOLDERS:
        roots += _targets(kind, folder, table, package, inside)
    found = {
        CrateRoot(target.replace("-", "_"), path)
        for target, place in roots
        if (path := relative_to_folder(folder, place) or "") in files
    }
    return Package(folder, crate.replace("-", "_"), sorted(found))


def _targets(
    kind: str, folder: str, table: Table, package: Table, inside: Mapping[str, list[str]]
) -> Iterator[tuple[str, str]]:
    """Yield names and paths, relative to the package, of the targets of a kind."""
    beside = _FOLDERS[kind]
    listed = table.get(kind)
    declared = [entry for entry in listed if _is_table(entry)] if isinstance(listed, list) else []
    for entry in declared:
        name, path = _text(entry.get("name")), _text(entry.get("path"))
        if name and path:
            yield name, path
        elif name:
            yield name, f"{beside}/{name}.rs"
            yield name, f"{beside}/{name}/main.rs"
    old = package.get("edition", _FIRST_EDITION) == _FIRST_EDITION
    if package.get(_SWITCHES[kind], not (old and declared)) is True:
        paths = {_text(entry.get("path")) for entry in declared}
        if kind == "bin" and "src/main.rs" not in paths:
            yield _text(package["name"]), "src/main.rs"
        for place in inside.get(relative_to_folder(folder, beside) or "", ()):
            if f"{beside}/{place}" not in paths:
                yield place.removesuffix("/main.rs").removesuffix(".rs"), f"{beside}/{place}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is_table(value: object) -> TypeGuard[Table]:
    return isinstance(value, dict)
