"""Which files under a root are output of a build: no sources, though an indexer reads them."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from machine.git import git_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CACHE_TAG = "CACHEDIR.TAG"
"""Marks folders such as Cargo's target: https://bford.info/cachedir/"""
_CARGO_OUTPUT = re.compile(
    r"(?:\A|/)(?:target/(?:[^/]+/){1,2}build/[^/]+(?:/[^/]+)?|build/[^/]+[-/][0-9a-f]{16})/out/"
)
"""What build scripts write (OUT_DIR): `target/debug/build/NAME-HASH/out/`, whatever the target
folder is called if there is a hash."""
_PATHS_OF_A_CALL = 500


def is_cargo_output(path: str) -> bool:
    """Return whether a build script wrote the file, by its path relative to the root.

    >>> is_cargo_output("target/debug/build/serde-0123456789abcdef/out/private.rs")
    True
    """
    return _CARGO_OUTPUT.search(path) is not None


def walk_sources(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each folder that may hold sources, with its files and the folders in it that do not.

    These are hidden folders, links, node_modules and folders with a CACHEDIR.TAG. Folders are
    relative to the root and end in `/`, but for the root itself, which is empty.
    """
    for place, folders, files in os.walk(root):
        here = Path(place).relative_to(root).as_posix()
        left_out = [name for name in folders if _is_no_source(Path(place, name))]
        folders[:] = sorted(set(folders).difference(left_out))
        yield ("" if here == "." else f"{here}/"), sorted(files), sorted(left_out)


def _is_no_source(folder: Path) -> bool:
    return (
        folder.name.startswith(".")
        or folder.name == "node_modules"
        or folder.is_symlink()
        or (folder / CACHE_TAG).is_file()
    )


def build_output(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Return those of the paths, relative to the root, that are output of a build.

    Such are a build script's files, files in folders with a CACHEDIR.TAG, and, where git knows the
    root, files that it ignores. `paths` should not have those that git tracks.
    """
    tagged: dict[str, bool] = {".": False}  # a root inside such a folder is wanted

    def is_tagged(folder: PurePosixPath) -> bool:
        name = folder.as_posix()
        if name not in tagged:
            tagged[name] = (root / folder / CACHE_TAG).is_file() or is_tagged(folder.parent)
        return tagged[name]

    found: set[str] = set()
    others: list[str] = []
    for path in paths:
        # From the outermost folder inwards, since a dump may name thousands within each other.
        if is_cargo_output(path) or [is_tagged(folder) for folder in _folders(path)][-1]:
            found.add(path)
        else:
            others.append(path)
    return frozenset(found | _ignored(root, others))


def _ignored(root: Path, paths: list[str]) -> set[str]:
    """Return the paths that git ignores; none if it ignores the root itself, or there is no git.

    git refuses a call with a path in a submodule or beyond a link, so a checkout inside the root is
    asked about its own paths, and the root about the checkout.
    """
    places: dict[str, str | None] = {".": "."}

    def checkout_of(folder: PurePosixPath) -> str | None:
        """Return the outermost checkout around the folder; None if a link is on the way."""
        name = folder.as_posix()
        if name not in places:
            around, here = checkout_of(folder.parent), root / folder
            if around is None or here.is_symlink():
                places[name] = None
            else:
                places[name] = name if around == "." and (here / ".git").exists() else around
        return places[name]

    inner: dict[str, list[str]] = {}
    asked: list[str] = []
    for path in paths:
        place = [checkout_of(folder) for folder in _folders(path)][-1]
        if place == ".":
            asked.append(path)
        elif place is not None:
            inner.setdefault(place, []).append(path)
    found = _ignored_by(root, [*asked, *inner])
    for place, own in inner.items():
        if place in found:
            found.update(own)
        else:
            names = [path.removeprefix(f"{place}/") for path in own]
            found.update(f"{place}/{name}" for name in _ignored(root / place, names))
    return found.intersection(paths)


def _folders(path: str) -> list[PurePosixPath]:
    """Return the folders around the path, the root first."""
    return list(PurePosixPath(path).parents)[::-1]


def _ignored_by(root: Path, paths: list[str]) -> set[str]:
    """Return the paths that the checkout ignores; none if it ignores its root."""
    found: set[str] = set()
    for at in range(0, len(paths), _PATHS_OF_A_CALL):
        some = paths[at : at + _PATHS_OF_A_CALL]
        arguments = "-c", "core.quotePath=false", "check-ignore", "--", ".", *some
        lines = (git_bytes(root, *arguments) or b"").decode("utf-8", "replace").split("\n")
        if "." in lines:
            return set()
        found.update(lines)
    return found.intersection(paths)
