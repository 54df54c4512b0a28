"""The module tree of a repository: which module of which crate each Rust file is.

It begins at the crates' root files and follows `mod name;`, whatever its cfg says.
https://doc.rust-lang.org/reference/items/modules.html#module-source-filenames
"""

from __future__ import annotations

from collections import deque
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lsif.identifiers import plain_name
from lsif.paths import read_inside, relative_to_folder
from lsif.rust.manifests import read_packages
from lsif.rust.modules import ModuleFile, declares_modules, module_path_by_file
from lsif.rust.syntax import SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Set
    from pathlib import Path

    from lsif.rust.declared import DeclaredModule
    from lsif.rust.manifests import CrateRoot, Package


def declared_modules(
    root: Path,
    paths: Iterable[str],
    for_tests: bool = False,  # noqa: FBT001, FBT002 - by a worker
) -> dict[str, list[DeclaredModule]]:
    """Return the modules in files of their own that each file declares; files with none lack.

    With `for_tests` those suffice that only tests compile.
    """
    found = {}
    for path in paths:
        try:
            data = read_inside(root, path)
            declared = (
                SourceFile(data).declared_modules()
                if declares_modules(data, for_tests=for_tests)
                else []
            )
        except (OSError, RuntimeError, UnicodeDecodeError):
            continue  # counted when the file is read for its items
        if declared:
            found[path] = declared
    return found


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
