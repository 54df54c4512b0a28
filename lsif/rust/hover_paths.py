"""What the paths in hovers say: which module a file is, and whose members a macro's items are.

A hover's path is the module's for the module itself and for free items. For members it is that of
the module with their impl, and behind it the name of their type or trait.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lsif.identifiers import is_same, plain_name
from lsif.items import FILE_MODULE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lsif.items import FoundItem, SourceItem
    from lsif.reader.graph import Definition
    from lsif.reader.hover import Hover
    from lsif.rust.modules import ModuleFile

_SEPARATOR = "::"


def module_path(
    module: ModuleFile,
    definitions: Iterable[Definition],
    plain: list[FoundItem],
    from_macros: list[FoundItem],
) -> str:
    """Return the path of a file's own module, as most of its definitions have it.

    `module` is what the file is by its place and declaration. Items of macro calls, `from_macros`,
    count only where nothing else says it: nobody knows yet which of them are members. A file in
    several crates has several paths; among equally frequent ones the first in the alphabet counts.
    """
    votes = _votes(plain)
    for definition in definitions:
        hover, place = definition.hover, definition.range
        if hover is not None and hover.code_type == "Module" and place.end_line > place.line:
            # The module's own hover decides.
            votes[f"{hover.path}::{hover.name}"] += len(plain) + 1
    if not votes and not module.is_declared:
        votes = _votes(from_macros)
    guess = module.path
    if votes:
        best = min(votes, key=lambda candidate: (-votes[candidate], candidate))
        # A module of several crates keeps its name whichever of them the features leave out.
        rest = best.partition(_SEPARATOR)[2]
        if not module.is_declared or not is_same(rest, guess.partition(_SEPARATOR)[2]):
            return best
        crate = guess.partition(_SEPARATOR)[0]
        return f"{crate}::{rest}" if rest else crate
    if module.is_declared:
        return guess
    # No item of the file is in a module by itself: members' types say which crate, the file's
    # path says the rest.
    crates = Counter(
        hover.path.partition(_SEPARATOR)[0]
        for found in plain
        if (hover := found.hover) is not None and hover.path is not None
    )
    crate = min(
        crates,
        key=lambda candidate: (-crates[candidate], candidate),
        default=guess.partition(_SEPARATOR)[0],
    )
    return _SEPARATOR.join((crate, *guess.split(_SEPARATOR)[1:]))


def _votes(items: Iterable[FoundItem]) -> Counter[str]:
    """Return the paths that the items' hovers give the file, and how many give each."""
    votes: Counter[str] = Counter()
    for found in items:
        hover, item = found.hover, found.item
        if hover is None or hover.path is None or item.qualifiers or found.column == FILE_MODULE:
            continue
        path = _path_of(hover).split(_SEPARATOR)
        outer = path[: len(path) - len(item.modules)]
        if outer and list(map(plain_name, path[len(outer) :])) == list(
            map(plain_name, item.modules)
        ):
            votes[_SEPARATOR.join(outer)] += 1
    return votes


def kinds_by_path(definitions: Iterable[Definition]) -> dict[str, str]:
    """Return the code_types of a file's definitions by path, names as rustc compares them."""
    return {
        plain_name(f"{hover.path}::{hover.name}"): hover.code_type
        for definition in definitions
        if (hover := definition.hover) is not None and hover.path and hover.code_type
    }


def member_of(item: SourceItem, hover: Hover, file: str, kinds: dict[str, str]) -> SourceItem:
    """Return an item of a macro call with the modules and the owner that its hover's path names.

    `file` is the path of the file's own module. The tokens of the call don't show what the macro
    puts around them.
    """
    here = (file, *item.modules)
    path = _path_of(hover).split(_SEPARATOR)
    around = plain_name(_SEPARATOR.join(here)).split(_SEPARATOR)
    inside = path[len(around) :]
    if not inside or list(map(plain_name, path[: len(around)])) != around:
        return item
    kind = kinds.get(plain_name(_SEPARATOR.join(path)))
    if kind == "Module":
        return item._replace(modules=(*item.modules, *inside))
    *modules, owner = inside
    outer = item.qualifiers
    if item.owner is not None:
        if is_same(item.owner, owner):
            return item
        outer = item.qualifiers[:-1]
    return item._replace(
        modules=(*item.modules, *modules),
        qualifiers=(*outer, owner),
        owner=owner,
        trait_name=owner if kind == "Trait" else None,
    )


def _path_of(hover: Hover) -> str:
    return (hover.path or "").removesuffix("::<extern>")
