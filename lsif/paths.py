"""Source files of a dump's documents: from a URI to a path under the root, and to the content."""

from __future__ import annotations

import errno
import posixpath
import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_TOML = 4_000_000
"""Bytes of a TOML file, which take seconds to read; no manifest is near it."""
_DRIVE = re.compile(r"/[A-Za-z]:(?:/|\Z)")


def relative_path(uri: str, project_root: str, root: Path) -> str | None:
    """Return the POSIX path under `root` (resolved) of a document's URI, None if it is outside.

    `project_root` is the URI of the folder that the dump was made of, which may differ from `root`.
    A path that leaves the root by `..` or a symbolic link is outside.

    >>> relative_path("file:///a/b/src/my%20lib.rs", "file:///a/b", Path("/elsewhere"))
    'src/my lib.rs'
    """
    path, base = _uri_path(uri), (_uri_path(project_root) or root.as_posix()).rstrip("/") + "/"
    if path is None or "\0" in path or not path.startswith(base):
        return None
    relative = PurePosixPath(path[len(base) :])
    if ".." in relative.parts or relative.is_absolute() or not relative.parts:
        return None
    try:
        inside = (root / relative).resolve().is_relative_to(root)
    except (
        OSError,
        RuntimeError,
    ):  # a loop of links or too long a name: opening it fails, which is counted
        inside = True
    return relative.as_posix() if inside else None


def relative_to_folder(folder: str, path: str) -> str | None:
    """Return the POSIX path under the root of a path in one of its folders; None if it leaves it.

    >>> relative_to_folder("crates/a", "../b/lib.rs")
    'crates/b/lib.rs'
    """
    joined = posixpath.normpath(posixpath.join(folder, path))
    return None if joined.startswith(("/", "../")) or joined == ".." else joined


def base_of(uris: Iterable[str], project_root: str, root: Path) -> str:
    """Return the URI of the folder that documents of these URIs are relative to.

    That is `project_root`, unless no document is under it and some are under `root`: the folder of
    a project model is not the folder of its sources.
    """
    there = (_uri_path(project_root) or root.as_posix()).rstrip("/") + "/"
    here, found = root.as_posix().rstrip("/") + "/", False
    for uri in uris:
        path = _uri_path(uri) or ""
        if path.startswith(there):
            return project_root
        found = found or path.startswith(here)
    return root.as_uri() if found else project_root


def read_source(path: Path) -> bytes:
    """Return the file's content.

    Raises OSError if it is no regular file: opening a pipe or a device may never end.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path.read_bytes()


def read_inside(root: Path, path: str) -> bytes:
    """Return the content of a file under `root` (resolved).

    Raises OSError if it is no regular file, or if a link on its path leaves the root, and
    RuntimeError if links on it lead in a circle.
    """
    place = root / path
    if not place.resolve().is_relative_to(root):
        raise OSError(errno.EINVAL, "a link to a file outside the root", str(place))
    return read_source(place)


def read_toml(path: Path) -> dict[str, Any]:
    """Return what the file holds.

    Raises OSError if it can't be read, and ValueError if it is not TOML or larger than 4 MB.
    """
    data = read_source(path)
    if len(data) > _MOST_TOML:
        raise ValueError(f"it is larger than {_MOST_TOML // 1_000_000} MB")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:  # also integers of thousands of digits
        raise ValueError(f"it is not TOML: {exc}") from exc


def _uri_path(uri: str) -> str | None:
    """Return the path of a file URI, None for other URIs.

    Percent signs are decoded once, and a Windows drive is in lower case.
    """
    if not uri.startswith("file://"):
        return None
    path = unquote(uri.removeprefix("file://"))
    return f"/{path[1].lower()}{path[2:]}" if _DRIVE.match(path) else path
