"""What the paths in hovers say: which module a file is, and whose members a macro's items are.

A hover's path is the module's for the module itself and for free items. For members it ends with
the name of their type or trait, which may be defined elsewhere.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lsif.identifiers import is_same, plain_name
from lsif.items import FILE_MODULE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from lsif.items import FoundItem, SourceItem
    from lsif.reader.graph import Definition
    from lsif.reader.hover import Hover
    from lsif.rust.modules import ModuleFile

    Modules = tuple[str, ...]

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
        hover = definition.hover
        if hover is not None and is_file_module(definition):  # the module's own hover decides
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


def is_file_module(definition: Definition) -> bool:
    """Return whether the definition is that of a file as a module.

    Its range is the file; that of any other module is behind a word, or begins with a macro's name.
    """
    hover, place = definition.hover, definition.range
    is_module = hover is not None and hover.code_type == "Module"
    return is_module and (place.line, place.column) == (0, 0)


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


def member_of(
    item: SourceItem, hover: Hover, file: str, kinds: Mapping[str, str], inline: Set[Modules]
) -> SourceItem:
    """Return an item of a macro call with the modules and the owner that its hover's path names.

    The tokens of the call don't show what the macro puts around them. `file` is the path of the
    file's own module, `kinds` are those of its definitions by path, and `inline` the modules in it
    that the source spells.
    """
    path = _path_of(hover).split(_SEPARATOR)
    names = [plain_name(name) for name in path]
    here = plain_name(_SEPARATOR.join((file, *item.modules))).split(_SEPARATOR)
    at = len(here)
    if names[1:at] == here[1:]:  # a file may be in several crates
        while at < len(path) and _is_made(path[:at], path[at], kinds, inline, file):
            at += 1
        item = item._replace(modules=(*item.modules, *path[len(here) : at]))
        if at >= len(path):
            return item
    elif not _may_be_type(path, kinds):
        return item
    owner, outer = path[-1], item.qualifiers
    if item.owner is not None:
        if is_same(item.owner, owner):
            return item
        outer = item.qualifiers[:-1]
    is_trait = kinds.get(_SEPARATOR.join(names)) == "Trait"
    return item._replace(
        qualifiers=(*outer, owner), owner=owner, trait_name=owner if is_trait else None
    )


def _is_made(
    around: list[str], name: str, kinds: Mapping[str, str], inline: Set[Modules], file: str
) -> bool:
    """Return whether the name inside the module is that of a module that a macro made."""
    path = [*around, name]
    own = tuple(path[len(file.split(_SEPARATOR)) :])
    return kinds.get(plain_name(_SEPARATOR.join(path))) == "Module" and own not in inline


def _may_be_type(path: list[str], kinds: Mapping[str, str]) -> bool:
    """Return whether the path may be that of a type of another module.

    rust-analyzer 1.85 has the type's own path, 0.0.340 that of the module with the impl.
    """
    kind, name = kinds.get(plain_name(_SEPARATOR.join(path))), path[-1]
    return kind != "Module" if kind else not name.islower()


def _path_of(hover: Hover) -> str:
    return (hover.path or "").removesuffix("::<extern>")
