"""What brackets, folding ranges and hovers say of an item where the grammar had to guess.

It guesses where a source's brackets are not in pairs. Elsewhere lsif.rust.reading finds a way
around syntax that the grammar does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsif.items import FILE_MODULE, FoundItem
from lsif.other.finder import OutlinedFile
from lsif.reader.elements import Range
from lsif.reader.graph import Definition

if TYPE_CHECKING:
    from lsif.items import SourceItem
    from lsif.reader.graph import Outline
    from lsif.reader.hover import Hover

_ALONE = frozenset({"Impl", "Module"})
"""Kinds whose records end with their heads."""


class Witness:
    """A second opinion on the items of one file."""

    def __init__(self, path: str, data: bytes, outline: Outline) -> None:
        self._path, self._data = path, data
        self._outline = outline._replace(language="rust", symbols=(), contents=None)
        self._outlined: OutlinedFile | None = None

    def item_of(self, definition: Definition, encoding: str) -> FoundItem | None:
        """Return the definition's item by its hover, brackets and folding ranges."""
        if self._outlined is None:
            self._outlined = OutlinedFile("", self._path, self._data, self._outline)
        return next(iter(self._outlined.find([definition], encoding).found), None)

    def checked(self, found: FoundItem, encoding: str, module: str) -> FoundItem:
        """Return the item with what is confirmed; the rest is as brackets and folds say.

        `module` is the path of the file's module.
        """
        item = found.item
        if item.code_type in _ALONE or found.column == FILE_MODULE:
            return found
        definition = found.definition
        if definition is None:
            definition, encoding = _made_up(found), "utf-8"
        other = self.item_of(definition, encoding)
        if other is None:
            return found._replace(item=item._replace(by_brackets=True))
        item = _agreed(item, other.item)
        if found.hover is not None:
            item = _with_owner(item, found.hover, module)
        return found._replace(item=item)


def _made_up(found: FoundItem) -> Definition:
    """Return a definition as a dump would have it."""
    row, column = found.row, found.column
    end = column + len(found.item.name.encode())
    return Definition("", Range(0, row, column, row, end), None, 0, 0)


def _agreed(item: SourceItem, other: SourceItem) -> SourceItem:
    """Return the item if the other is the same, else the other in its place."""
    if item.code_type != other.code_type:
        return other._replace(
            visibility=other.visibility or "private",
            modules=item.modules,
            is_test=item.is_test,
            by_brackets=True,
        )
    if item.row_to != other.row_to:
        item = item._replace(row_to=other.row_to, signature=other.signature, by_brackets=True)
    if other.row_from < item.row_from:
        item = item._replace(row_from=other.row_from, docstring=other.docstring, by_brackets=True)
    return item


def _with_owner(item: SourceItem, hover: Hover, module: str) -> SourceItem:
    """Return the item with its owner by the hover's path, where the tree has another.

    A path ends with the owner if there is one, but does not say which module an impl is in. Crates
    are not compared: a file may be in several.
    """
    path = (hover.path or "").removesuffix("::<extern>").split("::")[1:]
    around = [*module.split("::")[1:], *item.modules]
    last = path[-1].partition("<")[0] if path else None
    if item.owner is None and path[:-1] == around and last is not None and not item.qualifiers:
        return item._replace(owner=last, qualifiers=(last,), by_brackets=True)
    if item.owner is not None and item.owner != last and around[: len(path)] == path:
        return item._replace(owner=None, trait_name=None, qualifiers=(), by_brackets=True)
    return item
