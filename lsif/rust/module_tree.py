"""Surveys a repository: which module of which crate each Rust file is, and its traits.

The module tree begins at the crates' root files and follows `mod name;`, whatever its cfg says.
https://doc.rust-lang.org/reference/items/modules.html#module-source-filenames
"""

from __future__ import annotations

from collections import deque
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from lsif.identifiers import plain_name
from lsif.paths import read_inside, relative_to_folder
from lsif.rust.manifests import read_packages
from lsif.rust.modules import ModuleFile, declares_modules, module_path_by_file
from lsif.rust.syntax import SourceFile
from lsif.rust.traits import file_traits, may_have_documented_traits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Set
    from pathlib import Path

    from lsif.rust.declared import DeclaredModule
    from lsif.rust.manifests import CrateRoot, Package
    from lsif.rust.traits import FileTraits


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
    packages = {package.folder: package for package in read_packages(root, files)}
    roots = sorted(crate for package in packages.values() for crate in package.roots)
    found = _declared_files(roots, files, declared)
    for path in files:
        if path not in found:
            found[path] = ModuleFile(_path_by_place(path, packages), None, is_declared=False)
    return found


def _declared_files(
    roots: Iterable[CrateRoot], files: Set[str], declared: Mapping[str, list[DeclaredModule]]
) -> dict[str, ModuleFile]:
    found: dict[str, ModuleFile] = {}
    for crate in roots:
        waiting = deque([(crate.path, ModuleFile(crate.crate, None), True)])
        while waiting:
            path, module, owns_folder = waiting.popleft()
            if path in found or path not in files:
                continue
            found[path] = module
            for child in declared.get(path, ()):
                inner = "::".join((module.path, *child.modules, child.name))
                for place, owns in _places(path, child, owns_folder=owns_folder):
                    waiting.append((place, ModuleFile(inner, child.visibility), owns))
    return found


def _places(path: str, child: DeclaredModule, *, owns_folder: bool) -> Iterator[tuple[str, bool]]:
    """Yield the files that a declared module may be in, and whether each owns its folder."""
    posix = PurePosixPath(path)
    folder = (posix.parent if owns_folder else posix.with_suffix("")).joinpath(*child.modules)
    # Outside inline modules the path is relative to the file's own folder.
    base = folder if child.modules else posix.parent
    for given in child.paths:
        place = relative_to_folder(base.as_posix(), given)
        if place is not None:
            yield place, True
    if not child.has_fixed_path:
        name = plain_name(child.name)
        yield (folder / f"{name}.rs").as_posix(), False
        yield (folder / name / "mod.rs").as_posix(), True


def _path_by_place(path: str, packages: Mapping[str, Package]) -> str:
    for folder in PurePosixPath(path).parents:
        package = packages.get(folder.as_posix())
        if package is not None:
            inside = PurePosixPath(path).relative_to(folder).as_posix().removeprefix("src/")
            return module_path_by_file(f"{package.crate}/src/{inside}")
    return module_path_by_file(path)
