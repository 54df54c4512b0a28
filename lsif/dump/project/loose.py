"""Follows `mod` declarations: which files are roots of crates, and which crates read a file.

A file that another one declares by `mod` is no root. Only words are looked for: what a comment
declares costs a crate, and its file stays with the items that are found from the source.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from lsif.identifiers import plain_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lsif.manifests.tree import Tree

_DECLARED = re.compile(
    rb'(?:#\s*\[\s*path\s*=\s*"([^"\n]+)"\s*\]\s*)?'
    rb"(?:pub\s*(?:\([^)]*\)\s*)?)?\bmod\s+([^\s;{]+)\s*;"
)
_ROOTS = ("lib.rs", "main.rs", "mod.rs")
_MOST_BYTES = 4_000_000
"""Larger files are generated, and declare no modules."""


def root_files(tree: Tree, paths: Iterable[str]) -> list[str]:
    """Return the root files among `paths`; with what they declare they cover all of them."""
    declared = {path: _declared(tree, path) for path in sorted(paths)}
    of_others = {file for path, files in declared.items() for file in files if file != path}
    roots = [path for path in declared if path not in of_others]
    covered = set[str]()
    for path in roots:
        _cover(path, declared, covered)
    for path in declared:  # files that declare each other in a circle
        if path not in covered:
            roots.append(path)
            _cover(path, declared, covered)
    return sorted(roots)


def unreadable_roots(tree: Tree, roots: Iterable[str]) -> dict[str, str]:
    """Return the crates' root files that are not UTF-8 or declare such a file, and that file.

    rust-analyzer ends with a panic at the first one that a crate declares.
    """
    unreadable = {path for path in tree.sources if not _is_utf8(tree, path)}
    if not unreadable:
        return {}
    declared = {path: _declared(tree, path) for path in tree.sources}
    found = dict[str, str]()
    for root in roots:
        covered = set[str]()
        _cover(root, declared, covered)
        if bad := min(covered & unreadable, default=""):
            found[root] = bad
    return found


def _is_utf8(tree: Tree, path: str) -> bool:
    try:
        if tree.has(path):
            (tree.root / path).read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    except OSError:
        return True  # rust-analyzer leaves it out
    return True


def _cover(start: str, declared: dict[str, list[str]], covered: set[str]) -> None:
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in covered:
            covered.add(path)
            waiting += declared.get(path, [])


def _declared(tree: Tree, path: str) -> list[str]:
    """Return the files of the tree that `path` may declare as modules."""
    file = tree.root / path
    try:
        if not tree.has(path) or file.stat().st_size > _MOST_BYTES:
            return []
        found = _DECLARED.findall(file.read_bytes())
    except OSError:
        return []
    folder, _, name = path.rpartition("/")
    beside = folder if name in _ROOTS else _join(folder, name.removesuffix(".rs"))
    files = list[str]()
    for given, module in found:
        if given:
            files.append(_join(folder, os.fsdecode(given)))
            continue
        word = plain_name(os.fsdecode(module))
        for place in dict.fromkeys((beside, folder)):  # a crate's root declares files beside it
            files += [_join(place, f"{word}.rs"), _join(place, f"{word}/mod.rs")]
    return [file for file in files if file in tree.sources]


def _join(folder: str, path: str) -> str:
    return os.path.normpath(f"{folder}/{path}" if folder else path)
