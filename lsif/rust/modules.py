"""Modules of Rust files: a file's path as a module, and which files only tests compile."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lsif.paths import read_source
from lsif.rust.syntax import SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Set
    from pathlib import Path

_CFG_TEST = re.compile(rb"#\s*!?\s*\[\s*cfg\s*\([^\]]*\btest\b")
_DECLARES_MODULE = re.compile(rb"\bmod\s+[^\s;{]+\s*;")
_TEST_FOLDERS = frozenset({"tests", "benches"})
_FOLDER_MODULES = frozenset({"mod.rs", "lib.rs", "main.rs"})
"""Files with the files of their modules beside them. Modules of any other file are in a folder of
the file's name."""


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


def cfg_test_modules(root: Path, paths: Iterable[str]) -> set[str]:
    """Return the files that a `mod name;` under `cfg(test)` declares, and their modules' folders.

    https://doc.rust-lang.org/reference/items/modules.html#module-source-filenames
    """
    found: set[str] = set()
    for path in paths:
        try:
            data = read_source(root / path)
            match = _CFG_TEST.search(data)
            if match is None or not _DECLARES_MODULE.search(data, match.end()):
                continue  # parsing is what takes time
            declared = SourceFile(data).test_modules
        except (OSError, RuntimeError, UnicodeDecodeError):
            continue  # counted when the file is read for its definitions
        posix = PurePosixPath(path)
        beside = posix.parent if posix.name in _FOLDER_MODULES else posix.with_suffix("")
        for module in declared:
            folder = beside.joinpath(*module.modules)
            if module.path is not None:
                # Outside inline modules the path is relative to the file's own folder.
                file = (folder if module.modules else posix.parent) / module.path
                found |= {file.as_posix(), file.with_suffix("").as_posix()}
            else:
                found |= {
                    (folder / module.name).as_posix(),
                    f"{(folder / module.name).as_posix()}.rs",
                }
    return found


def is_test_path(path: str, modules: Set[str]) -> bool:
    """Return whether the file is in a folder of tests or benchmarks, or in one of `modules`.

    `modules` are those that `cfg_test_modules` returned.
    """
    parents = [parent.as_posix() for parent in PurePosixPath(path).parents]
    return not _TEST_FOLDERS.isdisjoint(path.split("/")[:-1]) or not modules.isdisjoint(
        (path, *parents)
    )
