"""Finds the items of a Rust source that a dump's definitions are."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from lsif.comments import has_generated_head
from lsif.items import FILE_MODULE, Findings, FoundItem, SourceItem
from lsif.lines import squeeze
from lsif.other.finder import OutlinedFile
from lsif.reader.graph import Outline
from lsif.rust.modules import ModuleFile, is_test_path, module_path_by_file
from lsif.rust.syntax import SourceFile

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Set

    from lsif.blocks import SourceBlock
    from lsif.reader.graph import Definition
    from lsif.reader.hover import Hover


_WRITTEN_BY_PROST = re.compile(
    rb"\A.{0,4000}?(?:#\[derive\([^)]*::prost::(?:Message|Oneof|Enumeration)\)\]"
    rb"|/// Generated (?:client|server) implementations\.)",
    re.DOTALL,
)
"""prost before 0.12, and tonic, say nothing at the head; nobody else writes such paths."""


class RustFile:
    """One Rust source."""

    def __init__(
        self, path: str, data: bytes, test_modules: Set[str], module: ModuleFile | None = None
    ) -> None:
        """Parse the file; `module` is what it is by the module tree, if that is known."""
        self._path = path
        self._module = module or ModuleFile(module_path_by_file(path), None, is_declared=False)
        self._data = data
        self._source = SourceFile(data)
        self._test_modules = test_modules

    def find(self, definitions: list[Definition], encoding: str) -> Findings:
        """Return which items the definitions are, and why the others are none."""
        findings = Findings()
        for definition in definitions:
            found = self._find(definition, encoding, findings)
            if isinstance(found, FoundItem):
                findings.found.append(found)
            elif found is not None:
                findings.skipped[found] += 1
        return findings

    def others(self, places: Container[tuple[int, int]]) -> Iterator[FoundItem]:
        """Yield the items that are at none of the places, and the impl blocks."""
        for (row, column), item in self._source.items():
            is_left_out = item.name == "_" or (item.code_type == "Module" and not item.docstring)
            if (row, column) not in places and not is_left_out:
                yield FoundItem(None, row, column, item)
        visibility = self._module.visibility
        if visibility is not None and (0, FILE_MODULE) not in places:
            name = self._module.path.rpartition("::")[2]
            module = _file_module(self._source, name, visibility)
            if module is not None:
                yield FoundItem(None, 0, FILE_MODULE, module)

    def module_path(self, findings: Findings, definitions: list[Definition]) -> str:
        """Return the path of the file's own module, as most of its definitions have it.

        A hover's path is the module's for the module itself and for free items. For members it is
        the type's, which may be defined elsewhere. A file in several crates has several paths;
        among equally frequent ones the first in the alphabet counts.
        """
        votes: Counter[str] = Counter()
        for definition in definitions:
            hover, place = definition.hover, definition.range
            if hover is not None and hover.code_type == "Module" and place.end_line > place.line:
                # The module's own hover decides.
                votes[f"{hover.path}::{hover.name}"] += len(findings.found) + 1
        for found in findings.found:
            hover = found.hover
            if (
                hover is not None
                and hover.path is not None
                and not found.item.qualifiers
                and found.column != FILE_MODULE
            ):
                inner = "".join(f"::{name}" for name in found.item.modules)
                path_there = hover.path.removesuffix("::<extern>")
                if path_there.endswith(inner):
                    votes[path_there.removesuffix(inner)] += 1
        guess = self._module.path
        if votes:
            best = min(votes, key=lambda candidate: (-votes[candidate], candidate))
            # A module of several crates keeps its name whichever of them the features leave out.
            in_several = best.partition("::")[2] == guess.partition("::")[2]
            return guess if self._module.is_declared and in_several else best
        if self._module.is_declared:
            return guess
        # No item of the file is in a module by itself: members' types say which crate, the file's
        # path says the rest.
        crates = Counter(
            hover.path.partition("::")[0]
            for found in findings.found
            if (hover := found.hover) is not None and hover.path is not None
        )
        crate = min(
            crates,
            key=lambda candidate: (-crates[candidate], candidate),
            default=guess.partition("::")[0],
        )
        return "::".join((crate, *guess.split("::")[1:]))

    def is_test(self) -> bool:
        """Return whether path or declaration of the file says that it is for tests only."""
        return is_test_path(self._path, self._test_modules)

    def is_generated(self) -> bool:
        """Return whether the file's head says that a program wrote it, or shows it."""
        return has_generated_head(self._data) or _WRITTEN_BY_PROST.search(self._data) is not None

    def blocks(self) -> Iterator[SourceBlock]:
        """Yield the blocks of at least MIN_LINES lines, in no particular order."""
        return self._source.blocks()

    def snippet(self, row_from: int, row_to: int) -> str:
        """Return the rows, both inclusive, as they are in the file, each ended by a newline."""
        return self._source.snippet(row_from, row_to)

    def _find(
        self, definition: Definition, encoding: str, findings: Findings
    ) -> FoundItem | str | None:
        """Return the definition's item or why it has none; None if it is counted already."""
        source, hover, place = self._source, definition.hover, definition.range
        if (
            hover is not None
            and hover.code_type == "Module"
            and (place.line, place.column) == (0, 0)
            and place.end_line > 0
        ):
            return self._find_file_module(definition, hover)
        column = source.byte_column(place.line, place.column, encoding)
        item = source.item_at(place.line, column) if column is not None else None
        expected = _expected_name(definition)
        if column is None or (item is not None and expected is not None and item.name != expected):
            there = source.identifier_at(place.line, column) if column is not None else None
            findings.skip_stale(definition, expected, there)
            return None
        if item is None:
            return self._find_unspelled(definition, column, encoding, findings)
        if item.code_type == "Module" and item.docstring is None:
            return "undocumented_module"
        return FoundItem(definition, place.line, column, item)

    def _find_file_module(self, definition: Definition, hover: Hover) -> FoundItem | str:
        """Return a module in a file of its own as an item that consists of its documentation."""
        visibility = self._module.visibility or _hover_visibility(hover)
        item = _file_module(self._source, hover.name or "", visibility)
        return FoundItem(definition, 0, FILE_MODULE, item) if item else "undocumented_module"

    def _find_unspelled(
        self, definition: Definition, column: int, encoding: str, findings: Findings
    ) -> FoundItem | str | None:
        """Return the item of a definition whose position has none in the source.

        It was made by a macro, or is no structure at all.
        """
        source, hover, row = self._source, definition.hover, definition.range.line
        if hover is None or hover.code_type is None or hover.name is None:
            return "no_extent"
        there = source.identifier_at(row, column)
        if there != hover.name:
            if source.stands_in(row, column, "attribute_item"):
                return "derived"
            if not _spans_a_name(definition, hover.name):
                return "macro_made"
            findings.skip_stale(definition, hover.name, there)
            return None
        call = source.macro_call_at(row, column)
        if call is not None:
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
            return FoundItem(definition, row, column, item)
        if source.stands_in(row, column, "impl_item"):
            return "self_type"
        return self._find_by_brackets(definition, column, encoding)

    def _find_by_brackets(
        self, definition: Definition, column: int, encoding: str
    ) -> FoundItem | str:
        """Return an item that the grammar has no rule for (`macro` 2.0, an alias of traits).

        Its brackets say where it ends.
        """
        outlined = (
            OutlinedFile("", self._path, self._data, Outline("rust"))
            .find([definition], encoding)
            .found
        )
        if not outlined:
            return "no_extent"
        modules, qualifiers = self._source.scope_at(definition.range.line, column)
        visibility = outlined[0].item.visibility or "private"
        return outlined[0]._replace(
            item=outlined[0].item._replace(
                modules=modules, qualifiers=qualifiers, visibility=visibility
            )
        )


def _expected_name(definition: Definition) -> str | None:
    """Return the name that the dump gives, None where it gives none."""
    if definition.range.tag is not None:
        return definition.range.tag.text
    return definition.hover.name if definition.hover is not None else None


def _file_module(source: SourceFile, name: str, visibility: str) -> SourceItem | None:
    """Return a file's module as an item; None if it has no name or no inner documentation."""
    docs = source.module_docs()
    if docs is None or not name:
        return None
    row_from, row_to, text = docs
    return SourceItem(
        name=name,
        code_type="Module",
        row=row_from,
        row_from=row_from,
        row_to=row_to,
        signature=f"mod {name}",
        docstring=text,
        visibility=visibility,
    )


def _spans_a_name(definition: Definition, name: str) -> bool:
    """Return whether the definition's range is as long as its name.

    Items that a macro made without their name have the whole call as their range.
    """
    place = definition.range
    return (
        place.end_line == place.line
        and place.end_column - place.column == len(name.encode("utf-16-le")) // 2
    )


def _hover_signature(hover: Hover) -> str:
    return squeeze(hover.declaration).removeprefix(_hover_visibility(hover, default="")).lstrip()


def _hover_visibility(hover: Hover, *, default: str = "private") -> str:
    match = re.match(r"pub(?:\([^)]*\))?(?=\s)", hover.declaration)
    return match[0] if match else default
