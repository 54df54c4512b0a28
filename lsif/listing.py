"""Lists the Rust files of a repository, whatever a dump says of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from lsif.build_output import is_cargo_output, walk_sources
from lsif.selection import ATTRIBUTES_FILE
from machine.git import git_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Listing(NamedTuple):
    """Paths of files under a root, relative to it; POSIX style, sorted."""

    rust: list[str]
    attributes: list[str]
    """The .gitattributes files."""
    misnamed: int
    """Rust files whose paths are not UTF-8, which are not among the others."""


def list_files(root: Path) -> Listing:
    """Return the Rust files under the root: those that git tracks, also in submodules.

    Where git tracks none, all but those in hidden folders, in node_modules, and in folders of
    build output, which have a CACHEDIR.TAG. What Cargo's build scripts write is never among them.
    """
    arguments = "ls-files", "-z", "--recurse-submodules", "--", "*.rs", f"*{ATTRIBUTES_FILE}"
    tracked = git_bytes(root, *arguments)
    found = _sorted((tracked or b"").split(b"\0"))
    return found if found.rust else _sorted(map(os.fsencode, _walk(root)))


def _sorted(paths: Iterable[bytes]) -> Listing:
    rust, attributes, misnamed = [], [], 0
    for path in sorted(set(paths)):
        try:
            name = path.decode("utf-8")
        except UnicodeDecodeError:
            misnamed += path.endswith(b".rs")
            continue
        if name.endswith(".rs"):
            if not is_cargo_output(name):  # even if it was committed
                rust.append(name)
        elif name.rpartition("/")[2] == ATTRIBUTES_FILE:
            attributes.append(name)
    return Listing(rust, attributes, misnamed)


def _walk(root: Path) -> Iterator[str]:
    for folder, files, _ in walk_sources(root):
        for name in files:
            if name.endswith(".rs") or name == ATTRIBUTES_FILE:
                yield f"{folder}{name}"
