"""Joins the definitions of one file with the items of its source, and accounts for each of them. Knows one file at a time."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from lsif.blocks import blocks_of
from lsif.errors import SourceError
from lsif.paths import is_test_path, module_path_by_file, read_source
from lsif.signature import fold
from lsif.spans import SourceFile, SourceItem
from lsif.structure import Structure, make_id, with_digest

if TYPE_CHECKING:
    from lsif.graph import Definition
    from lsif.hover import Hover

_FILE_MODULE = -1
"""Column of a module in a file of its own, whose name stands nowhere in it."""


class JoinContext(NamedTuple):
    """What is the same for all files of a dump."""

    root: Path
    project: str
    encoding: str
    """Unit of the dump's columns."""
    test_modules: frozenset[str]
    """Files and folders that only tests compile; see lsif.paths.cfg_test_modules."""
    with_blocks: bool


@dataclass
class JoinedFile:
    """What became of one file's definitions."""

    path: str
    problem: str | None = None
    """Why the file could not be read."""
    structures: bytes = b""
    """Lines of structures.jsonl."""
    blocks: bytes = b""
    """Lines of blocks.jsonl."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Structures by code_type."""
    block_count: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Definitions by the reason why they are no structures."""
    stale: list[str] = field(default_factory=list)
    """The first three definitions that do not stand where the dump says, as `file:line: ...`."""


class _Found(NamedTuple):
    """A definition whose place in its file is understood."""

    definition: Definition
    row: int
    column: int
    item: SourceItem


def join_file(context: JoinContext, path: str, definitions: list[Definition]) -> JoinedFile:
    """Return the structures and blocks of one file. Raises SourceError where the file changes meanwhile."""
    joined = JoinedFile(path)
    try:
        source = SourceFile(read_source(context.root / path))
    except (OSError, RuntimeError, UnicodeDecodeError) as exc:
        joined.problem = str(exc)
        joined.skipped["file_missing" if isinstance(exc, FileNotFoundError) else "file_unreadable"] += len(definitions)
        return joined
    structures = _Join(context, joined, source).structures(definitions)
    _check_snippets(context.root / path, structures)
    joined.structures = b"".join(structure.to_json() for structure in structures)
    joined.kinds.update(structure.code_type for structure in structures)
    if context.with_blocks:
        blocks = [block.to_json() for block in blocks_of(structures, source.blocks())]
        joined.blocks, joined.block_count = b"".join(blocks), len(blocks)
    return joined


class _Join:
    """The definitions of one file on their way to structures."""

    def __init__(self, context: JoinContext, joined: JoinedFile, source: SourceFile) -> None:
        self._context = context
        self._joined = joined
        self._path = joined.path
        self._source = source
        self._is_test = is_test_path(joined.path, context.test_modules)
        path = PurePosixPath(joined.path)
        self._folder, self._file_name = path.parent.name or context.project, path.name

    def structures(self, definitions: list[Definition]) -> list[Structure]:
        """Return the structures in the order of their lines; what is no structure is counted."""
        found: dict[tuple[int, int], _Found] = {}
        for definition in sorted(definitions, key=_preference):
            one, reason = self._find(definition)
            if one is None:
                self._joined.skipped[reason] += 1
            elif (one.row, one.column) in found:
                self._joined.skipped["same_place"] += 1
                first = found[one.row, one.column]
                found[one.row, one.column] = first._replace(definition=first.definition.with_references_of(definition))
            else:
                found[one.row, one.column] = one
        module = _module_path(self._path, list(found.values()), definitions)
        in_order = sorted(found.values(), key=lambda one: (one.item.row_from, one.row, one.column))
        ordinals: Counter[str] = Counter()
        return [self._structure(one, module, ordinals) for one in in_order]

    def _find(self, definition: Definition) -> tuple[_Found | None, str]:
        """Return the item that the definition is, or the reason why it is no structure."""
        source, hover, place = self._source, definition.hover, definition.range
        if hover.code_type == "Module" and (place.line, place.column) == (0, 0) and place.end_line > 0:
            return _find_file_module(source, definition, hover)
        column = source.byte_column(place.line, place.column, self._context.encoding)
        item = source.item_at(place.line, column) if column is not None else None
        if column is None or (item is not None and item.name != hover.name):
            return self._stale(definition, column)
        if item is None:
            return self._find_unspelled(definition, column)
        if item.code_type == "Module" and item.docstring is None:
            return None, "undocumented_module"
        return _Found(definition, place.line, column, item), ""

    def _find_unspelled(self, definition: Definition, column: int) -> tuple[_Found | None, str]:
        """Return what a definition is at whose place the source has no item: made by a macro, or no structure at all."""
        source, hover, row = self._source, definition.hover, definition.range.line
        if source.identifier_at(row, column) != hover.name:
            if source.stands_in(row, column, "attribute_item"):
                return None, "derived"
            if not _spans_a_name(definition, hover):
                return None, "macro_made"
            return self._stale(definition, column)
        call = source.macro_call_at(row, column)
        if call is not None and hover.code_type is not None and hover.name is not None:
            item = SourceItem(
                name=hover.name,
                code_type=hover.code_type,
                row=row,
                row_from=call.row_from,
                row_to=call.row_to,
                signature=_hover_signature(hover),
                docstring=hover.docs,
                visibility=_hover_visibility(hover),
                is_test=call.is_test,
                modules=call.modules,
                qualifiers=call.qualifiers,
            )
            return _Found(definition, row, column, item), ""
        return None, "self_type" if source.stands_in(row, column, "impl_item") else "no_extent"

    def _stale(self, definition: Definition, column: int | None) -> tuple[None, str]:
        if len(self._joined.stale) < 3:  # noqa: PLR2004 - enough to see the pattern
            there = self._source.identifier_at(definition.range.line, column) if column is not None else None
            place, found = f"{self._path}:{definition.range.line + 1}", f"`{there}`" if there else "nothing"
            self._joined.stale.append(f"{place}: expected `{definition.hover.name}`, found {found}")
        return None, "source_changed"

    def _structure(self, one: _Found, module: str, ordinals: Counter[str]) -> Structure:
        item, path, project = one.item, self._path, self._context.project
        # A module in a file of its own is an item of its parent, as an inline one is.
        module_path = module.rpartition("::")[0] if one.column == _FILE_MODULE else "::".join((module, *item.modules))
        symbol = "::".join((module_path, *item.qualifiers, item.name))
        ordinal = ordinals[symbol]
        ordinals[symbol] += 1
        crate = module.partition("::")[0]
        inherited_docs = _inherited_docs(item, one.definition.hover)
        return with_digest(
            {
                "name": item.name,
                "signature": item.signature,
                "code_type": item.code_type,
                "docstring": item.docstring or inherited_docs,
                "line": item.row + 1,
                "line_from": item.row_from + 1,
                "line_to": item.row_to + 1,
                "context": {
                    "module": self._folder,
                    "file_path": path,
                    "file_name": self._file_name,
                    "struct_name": item.owner,
                    "snippet": self._source.snippet(item.row_from, item.row_to),
                },
                "id": make_id(project, crate, symbol, path, ordinal),
                "symbol": symbol,
                "crate": crate,
                "module_path": module_path,
                "trait_name": item.trait_name,
                "visibility": item.visibility,
                "is_test": item.is_test or self._is_test,
                "docs_inherited": inherited_docs is not None,
                "references": one.definition.references,
                "referencing_files": one.definition.referencing_files,
            }
        )


def _check_snippets(path: Path, structures: list[Structure]) -> None:
    """Compare each snippet with the file's lines as they are on the disk now."""
    lines = read_source(path).decode("utf-8", "replace").split("\n")
    for structure in structures:
        expected = "".join(f"{line}\n" for line in lines[structure.line_from - 1 : structure.line_to])
        if structure.context.snippet != expected:
            raise SourceError(
                f"{path} changed while it was read: lines {structure.line_from} to {structure.line_to} "
                "are no longer the same. Run again."
            )


def _preference(definition: Definition) -> tuple[int, int, str, str]:
    """Order in which definitions of one place are considered: the first that is an item wins."""
    return definition.range.line, definition.range.column, definition.hover.path or "", definition.hover.declaration


def _find_file_module(source: SourceFile, definition: Definition, hover: Hover) -> tuple[_Found | None, str]:
    """Return a module in a file of its own as an item that consists of its inner documentation."""
    docs = source.module_docs()
    if docs is None or hover.name is None:
        return None, "undocumented_module"
    row_from, row_to, text = docs
    item = SourceItem(
        name=hover.name,
        code_type="Module",
        row=row_from,
        row_from=row_from,
        row_to=row_to,
        signature=f"mod {hover.name}",
        docstring=text,
        visibility=_hover_visibility(hover),
    )
    return _Found(definition, 0, _FILE_MODULE, item), ""


def _module_path(path: str, found: list[_Found], definitions: list[Definition]) -> str:
    """Return the path of the file's own module, as most of its definitions tell it.

    A hover's path is the module's for the module itself and for free items, and the type's, which may be defined elsewhere,
    for members. A file in several crates has several paths; of equally frequent ones the first by alphabet is taken.
    """
    votes: Counter[str] = Counter()
    for definition in definitions:
        hover, place = definition.hover, definition.range
        if hover.code_type == "Module" and place.end_line > place.line:
            votes[f"{hover.path}::{hover.name}"] += len(found) + 1  # what the module says of itself decides
    for one in found:
        hover = one.definition.hover
        if hover.path is not None and not one.item.qualifiers and one.column != _FILE_MODULE:
            inner, path_there = "".join(f"::{name}" for name in one.item.modules), hover.path.removesuffix("::<extern>")
            if path_there.endswith(inner):
                votes[path_there.removesuffix(inner)] += 1
    if votes:
        return min(votes, key=lambda candidate: (-votes[candidate], candidate))
    return module_path_by_file(path)


def _spans_a_name(definition: Definition, hover: Hover) -> bool:
    """Return whether the definition's range is as long as its name; macro-made items without a name have the whole call."""
    place = definition.range
    return place.end_line == place.line and place.end_column - place.column == len((hover.name or "").encode("utf-16-le")) // 2


def _inherited_docs(item: SourceItem, hover: Hover) -> str | None:
    """Return the docs of the trait's member for an undocumented member of a trait's impl.

    For an alias rust-analyzer shows the docs of the type behind it, and says so; those are nobody's here.
    """
    if item.docstring is not None or item.visibility != "inherited" or hover.docs is None:
        return None
    return None if hover.docs.startswith("*This is the documentation for*") else hover.docs


def _hover_signature(hover: Hover) -> str:
    return fold(hover.declaration).removeprefix(_hover_visibility(hover, default="")).lstrip()


def _hover_visibility(hover: Hover, *, default: str = "private") -> str:
    match = re.match(r"pub(?:\([^)]*\))?(?=\s)", hover.declaration)
    return match[0] if match else default
