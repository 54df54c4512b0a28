"""Reads a rust-project.json that the repository itself holds, as Bazel and Buck trees do.

Nothing in it may name a program or library to load, nor a file outside of the repository.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import orjson

from lsif.dump.project.crates import Crate
from lsif.manifests.manifest import EDITIONS, inside

if TYPE_CHECKING:
    from lsif.manifests.tree import Tree

_MOST_BYTES = 256_000_000


class ForeignProjectError(Exception):
    """A rust-project.json can't be used; the message says why."""


def foreign_crates(tree: Tree, path: str, first: int) -> list[Crate]:
    """Return the crates of the file whose roots are in the tree; the first is number `first`.

    Of each only its root, edition, name, cfgs, dependencies and version are taken. Raises
    ForeignProjectError.
    """
    given = _read(tree, path)
    kept = dict[int, tuple[dict[str, object], str]]()
    for at, about in enumerate(given):
        root = _relative(tree, path, about.get("root_module")) if isinstance(about, dict) else None
        if root is not None and tree.has(root):
            kept[at] = (about, root)
    positions = {at: first + number for number, at in enumerate(kept)}
    return [_crate(about, root, positions) for about, root in kept.values()]


def _read(tree: Tree, path: str) -> list[dict[str, object]]:
    file = tree.root / path
    try:
        if not tree.has(path) or file.stat().st_size > _MOST_BYTES:
            raise ForeignProjectError("it is no file of this repository, or too large")
        project = orjson.loads(file.read_bytes())
    except OSError as exc:
        raise ForeignProjectError(exc.strerror or str(exc)) from exc
    except orjson.JSONDecodeError as exc:
        raise ForeignProjectError(f"it is not JSON: {exc}") from exc
    crates = project.get("crates") if isinstance(project, dict) else None
    if not isinstance(crates, list):
        raise ForeignProjectError("it has no list of crates")
    return crates


def _relative(tree: Tree, path: str, given: object) -> str | None:
    if not isinstance(given, str):
        return None
    if given.startswith("/"):
        given = os.path.relpath(given, tree.root)
        return inside(".", given)
    return inside(path.rpartition("/")[0] or ".", given)


def _crate(about: dict[str, object], root: str, positions: dict[int, int]) -> Crate:
    name, edition, version = about.get("display_name"), about.get("edition"), about.get("version")
    cfgs, dependencies = about.get("cfg"), about.get("deps")
    found = dict[str, int]()
    for item in dependencies if isinstance(dependencies, list) else []:
        at, called = (item.get("crate"), item.get("name")) if isinstance(item, dict) else (None, "")
        if isinstance(at, int) and at in positions and isinstance(called, str):
            found[called] = positions[at]
    return Crate(
        name=name if isinstance(name, str) else root.rpartition("/")[2].removesuffix(".rs"),
        root=root,
        edition=edition if isinstance(edition, str) and edition in EDITIONS else "2021",
        version=version if isinstance(version, str) else "",
        cfgs=tuple(cfg for cfg in cfgs if isinstance(cfg, str)) if isinstance(cfgs, list) else (),
        proc_macro=about.get("is_proc_macro") is True,
        dependencies=found,
    )
