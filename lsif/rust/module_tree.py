"""Surveys a repository: which module of which crate each Rust file is, and its traits.

The module tree begins at the crates' root files and follows `mod name;`, whatever its cfg says.
"""

from __future__ import annotations

import logging
from collections import deque
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from lsif.manifests.manifest import Manifests
from lsif.manifests.targets import TargetFinder
from lsif.manifests.tree import tree_around
from lsif.paths import read_inside
from lsif.rust.modules import ModuleFile, declares_modules, module_path_by_file, module_places
from lsif.rust.syntax import SourceFile
from lsif.rust.traits import file_traits, may_have_documented_traits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set
    from pathlib import Path

    from lsif.rust.declared import DeclaredModule
    from lsif.rust.traits import FileTraits


logger = logging.getLogger(__name__)


class Survey(NamedTuple):
    """What the files of a repository say of each other; files that say nothing lack."""

    declared: dict[str, list[DeclaredModule]]
    """The modules in files of their own that each file declares."""
    traits: dict[str, FileTraits]


def survey(
    root: Path,
    paths: Iterable[str],
    for_tests: bool = False,  # noqa: FBT001, FBT002 - by a worker
) -> Survey:
    """Return what the files say of modules and traits.

    With `for_tests` only modules that only tests compile are wanted, and no traits.
    """
    found = Survey({}, {})
    for path in paths:
        try:
            _add_file(found, path, read_inside(root, path), for_tests=for_tests)
        except (OSError, RuntimeError, UnicodeDecodeError):
            continue  # counted when the file is read for its items
    return found


def _add_file(found: Survey, path: str, data: bytes, *, for_tests: bool) -> None:
    text = "" if for_tests else data.decode("utf-8")
    declares = declares_modules(data, for_tests=for_tests)
    defines = not for_tests and may_have_documented_traits(text)
    source = SourceFile(data) if declares or defines else None
    declared = source.declared_modules() if source is not None and declares else []
    if declared:
        found.declared[path] = declared
    items = [item for _, item in source.items()] if source is not None and defines else []
    traits = None if for_tests else file_traits(text, items)
    if traits is not None:
        found.traits[path] = traits


def module_files(
    root: Path, files: Set[str], declared: Mapping[str, list[DeclaredModule]]
) -> dict[str, ModuleFile]:
    """Return what each of the files is, in time linear in their number.

    A file of several crates belongs to the first of them in the alphabet. What no crate declares is
    named by its place in the package, else in the repository.
    """
    roots, crates = _crates(root, files)
    found = _declared_files(roots, files, declared)
    for path in files:
        if path not in found:
            found[path] = ModuleFile(_path_by_place(path, crates), None, is_declared=False)
    return found


def _crates(root: Path, files: Set[str]) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Return names and root files of all crates, sorted, and the main crate of each package.

    Packages are named by their folders. The main crate is the library, else it is named as the
    package. A manifest that can't be read is logged.
    """
    tree = tree_around(root, files)
    manifests = Manifests(tree)
    for path, reason in manifests.unreadable.items():
        logger.warning("%s: %s; its modules are named by their places", path, reason)
    finder = TargetFinder(tree, manifests)
    roots, crates = [], {}
    for folder, package in manifests.packages.items():
        crates[folder] = package.name.replace("-", "_")
        for target in finder.targets(package):
            crate = target.name.replace("-", "_")
            roots.append((crate, target.path))
            if target.kind == "lib":
                crates[folder] = crate
    return sorted(roots), crates


def _declared_files(
    roots: Iterable[tuple[str, str]], files: Set[str], declared: Mapping[str, list[DeclaredModule]]
) -> dict[str, ModuleFile]:
    found: dict[str, ModuleFile] = {}
    for crate, root_file in roots:
        waiting = deque([(root_file, ModuleFile(crate, None), True)])
        while waiting:
            path, module, owns_folder = waiting.popleft()
            if path in found or path not in files:
                continue
            found[path] = module
            for child in declared.get(path, ()):
                inner = "::".join((module.path, *child.modules, child.name))
                for place, owns in module_places(path, child, owns_folder=owns_folder):
                    waiting.append((place, ModuleFile(inner, child.visibility), owns))
    return found


def _path_by_place(path: str, crates: Mapping[str, str]) -> str:
    for folder in PurePosixPath(path).parents:
        crate = crates.get(folder.as_posix())
        if crate is not None:
            inside = PurePosixPath(path).relative_to(folder).as_posix().removeprefix("src/")
            return module_path_by_file(f"{crate}/src/{inside}")
    return module_path_by_file(path)
