"""Lists what a repository holds: manifests, Rust files, and folders that are no part of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lsif.build_output import walk_sources
from machine.git import git_output

if TYPE_CHECKING:
    from collections.abc import Set

MANIFEST, FOREIGN = "Cargo.toml", "rust-project.json"


@dataclass(slots=True)
class Tree:
    """The files of a folder that the model knows; all paths are POSIX, relative to `root`."""

    root: Path
    """Resolved."""
    manifests: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Files named rust-project.json."""
    sources: set[str] = field(default_factory=set)
    """Files that end in .rs."""
    misnamed: list[str] = field(default_factory=list)
    """Files that would be among these, but whose paths are not UTF-8; what is not is replaced."""
    left_out: list[str] = field(default_factory=list)
    """Folders that rust-analyzer must not look at: ignored ones and build output."""

    def add(self, path: str) -> None:
        """Add a file, if it is one that counts."""
        name = path.rpartition("/")[2]
        if not _is_utf8(path):
            if name in (MANIFEST, FOREIGN) or name.endswith(".rs"):
                self.misnamed.append(os.fsencode(path).decode("utf-8", "replace"))
        elif name == MANIFEST:
            self.manifests.append(path)
        elif name == FOREIGN:
            self.foreign.append(path)
        elif name.endswith(".rs"):
            self.sources.add(path)

    def has(self, path: str) -> bool:
        """Return whether there is a file that does not leave the root by a link."""
        file = self.root / path
        try:
            return file.is_file() and file.resolve().is_relative_to(self.root)
        except (OSError, RuntimeError):
            return False


def list_tree(root: Path) -> Tree:
    """Return the files of the folder: those that git tracks or would track, if it is in git.

    Elsewhere it is all files but those in hidden folders and build output. Links to folders are
    not followed.
    """
    tree = Tree(root.resolve())
    if not _list_by_git(tree):
        _list_by_walking(tree)
    tree.manifests.sort(key=_by_depth)
    tree.foreign.sort(key=_by_depth)
    tree.left_out = sorted(filter(_is_utf8, tree.left_out))  # a model has no other names
    return tree


def tree_around(root: Path, sources: Set[str]) -> Tree:
    """Return the tree of these Rust files, with the manifests in their folders and above them."""
    tree = Tree(root.resolve(), sources=set(sources))
    parents = {PurePosixPath(path).parent for path in sources}
    folders = {folder.as_posix() for parent in parents for folder in (parent, *parent.parents)}
    manifests = (MANIFEST if folder == "." else f"{folder}/{MANIFEST}" for folder in folders)
    tree.manifests = sorted(filter(tree.has, manifests), key=_by_depth)
    return tree


def _list_by_git(tree: Tree) -> bool:
    """Return whether git knows files in the folder; if so, they are in the tree."""
    options = ("-z", "--exclude-standard")
    tracked = git_output(tree.root, "ls-files", "-z", "--cached", "--recurse-submodules")
    if tracked is None:
        return False
    others = git_output(tree.root, "ls-files", *options, "--others") or ""
    paths = dict.fromkeys(filter(None, (tracked + others).split("\0")))
    if not paths:
        return False
    for path in paths:
        tree.add(path)
    ignored = git_output(tree.root, "ls-files", *options, "--others", "--ignored", "--directory")
    tree.left_out += [
        path.rstrip("/") for path in (ignored or "").split("\0") if path.endswith("/")
    ]
    tree.left_out = [path for path in tree.left_out if path not in ("", ".")]
    return True


def _list_by_walking(tree: Tree) -> None:
    for folder, files, left_out in walk_sources(tree.root):
        tree.left_out += [f"{folder}{name}" for name in left_out if not name.startswith(".")]
        for name in files:
            tree.add(f"{folder}{name}")


def _is_utf8(path: str) -> bool:
    """Return whether the path, as the file system's encoding gives it, is UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _by_depth(path: str) -> tuple[int, str]:
    return len(PurePosixPath(path).parts), path
