"""Modules of Rust files: a file's path as a module, and which files only tests compile."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from lsif.identifiers import plain_name
from lsif.paths import relative_to_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Set
    from pathlib import Path

    from lsif.rust.declared import DeclaredModule

_CFG_TEST = re.compile(rb"#\s*!?\s*\[\s*cfg\s*\([^\]]*\btest\b")
_DECLARES_MODULE = re.compile(rb"\bmod\s+[^\s;{]+\s*;")
_TEST_FOLDERS = frozenset({"tests", "benches"})
_FOLDER_MODULES = frozenset({"mod.rs", "lib.rs", "main.rs"})
"""Files with the files of their modules beside them. Modules of any other file are in a folder of
the file's name."""


class ModuleFile(NamedTuple):
    """What a file is in its crate."""

    path: str
    """`crate::outer::inner`; the crate's name alone for its root file."""
    visibility: str | None
    """Of the module, as `mod name;` has it; None for a root file, and where nothing declares it."""
    is_declared: bool = True
    """Whether a crate has it; otherwise the path is a guess by the file's place."""


def package_folder(root: Path, path: str) -> str | None:
    """Return the path under `root` of the innermost folder around the file with a Cargo.toml.

    None if there is no such folder.
    """
    for folder in PurePosixPath(path).parents:
        if (root / folder / "Cargo.toml").is_file():
            return folder.as_posix()
    return None


def module_path_by_file(path: str) -> str:
    """Return the module path that Cargo's conventions give a file.

    >>> module_path_by_file("crates/my-cache/src/lru/mod.rs")
    'my_cache::lru'
    """
    parts = list(PurePosixPath(path).with_suffix("").parts)
    if "src" in parts:
        at = len(parts) - 1 - parts[::-1].index("src")
        parts = [parts[at - 1] if at else "crate", *parts[at + 1 :]]
    if len(parts) > 1 and parts[-1] in ("mod", "lib", "main"):
        parts.pop()
    return "::".join(part.replace("-", "_") for part in parts)


def declares_modules(data: bytes, *, for_tests: bool) -> bool:
    """Return whether the source may declare modules in other files; parsing is what takes time.

    With `for_tests` only modules count that a cfg(test) may be about.
    """
    match = _CFG_TEST.search(data) if for_tests else None
    if for_tests and match is None:
        return False
    return _DECLARES_MODULE.search(data, match.end() if match else 0) is not None


def module_places(
    path: str, module: DeclaredModule, *, owns_folder: bool
) -> Iterator[tuple[str, bool]]:
    """Yield the files that a declared module may be in, and whether each owns its folder.

    A file that owns its folder has the files of its modules beside it, any other has them in a
    folder of its own name. `path` is the declaring file.
    https://doc.rust-lang.org/reference/items/modules.html#module-source-filenames
    """
    posix = PurePosixPath(path)
    folder = (posix.parent if owns_folder else posix.with_suffix("")).joinpath(*module.modules)
    # Outside inline modules the path is relative to the file's own folder.
    base = folder if module.modules else posix.parent
    for given in module.paths:
        place = relative_to_folder(base.as_posix(), given)
        if place is not None:
            yield place, True
    if not module.has_fixed_path:
        name = plain_name(module.name)
        yield (folder / f"{name}.rs").as_posix(), False
        yield (folder / name / "mod.rs").as_posix(), True


def cfg_test_places(declared: Mapping[str, list[DeclaredModule]]) -> frozenset[str]:
    """Return the files that a `mod name;` under `cfg(test)` declares, and their modules' folders.

    `declared` are the modules that each file declares.
    """
    found: set[str] = set()
    for path, modules in declared.items():
        owns_folder = PurePosixPath(path).name in _FOLDER_MODULES
        for module in modules:
            if module.is_test:
                for place, _ in module_places(path, module, owns_folder=owns_folder):
                    found |= {place, place.removesuffix(".rs").removesuffix("/mod")}
    return frozenset(found)


def is_test_path(path: str, modules: Set[str]) -> bool:
    """Return whether the file is in a folder of tests or benchmarks, or in one of `modules`.

    `modules` are those that `cfg_test_places` returned.
    """
    parents = [parent.as_posix() for parent in PurePosixPath(path).parents]
    return not _TEST_FOLDERS.isdisjoint(path.split("/")[:-1]) or not modules.isdisjoint(
        (path, *parents)
    )
