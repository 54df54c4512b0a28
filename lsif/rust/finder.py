"""Finds the items of a Rust source that a dump's definitions are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsif.comments import has_generated_head
from lsif.identifiers import is_same, spellings
from lsif.items import FILE_MODULE, Findings, FoundItem, SourceItem
from lsif.lines import squeeze
from lsif.reader.graph import Outline
from lsif.reader.hover import own_declaration
from lsif.rust.hover_paths import is_file_module, kinds_by_path, member_of, module_path
from lsif.rust.modules import ModuleFile, is_test_path, module_path_by_file
from lsif.rust.names import names_in, uses_in
from lsif.rust.syntax import SourceFile
from lsif.rust.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Set

    from lsif.blocks import SourceBlock
    from lsif.items import Imports, WrittenName
    from lsif.lines import Lines
    from lsif.reader.graph import Definition
    from lsif.reader.hover import Hover


_WRITTEN_BY_PROST = re.compile(
    rb"\A.{0,4000}?(?:#\[derive\([^)]*::prost::(?:Message|Oneof|Enumeration)\)\]"
    rb"|/// Generated (?:client|server) implementations\.)",
    re.DOTALL,
)
"""prost before 0.12, and tonic, say nothing at the head; nobody else writes such paths."""


_NO_OUTLINE = Outline("rust")


_VISIBILITY = re.compile(r"pub(?:\([^)]*\))?(?=\s)")


class RustFile:
    """One Rust source."""

    def __init__(
        self,
        path: str,
        data: bytes,
        test_modules: Set[str],
        module: ModuleFile | None = None,
        outline: Outline = _NO_OUTLINE,
    ) -> None:
        """Parse the file; `module` is what it is by the module tree, if that is known."""
        self._path = path
        self._module = module or ModuleFile(module_path_by_file(path), None, is_declared=False)
        self._data = data
        self._source = SourceFile(data)
        self._witness = Witness(path, data, outline)
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
        in_call = self._source.is_in_call
        if any(in_call(found.row, found.column) for found in findings.found):
            module, kinds = self.module_path(findings, definitions), kinds_by_path(definitions)
            inline = self._source.inline_modules()
            findings.found = [
                found._replace(item=member_of(found.item, found.hover, module, kinds, inline))
                if found.hover is not None and in_call(found.row, found.column)
                else found
                for found in findings.found
            ]
        return findings

    def others(self, places: Container[tuple[int, int]]) -> Iterator[FoundItem]:
        """Yield the items that are at none of the places, and the impl blocks."""
        for (row, column), item in self._source.items():
            is_left_out = item.name == "_" or (item.code_type == "Module" and not item.docstring)
            if (row, column) not in places and not is_left_out:
                yield self._checked(FoundItem(None, row, column, item), "utf-8")
        visibility = self._module.visibility
        if visibility is not None and (0, FILE_MODULE) not in places:
            name = self._module.path.rpartition("::")[2]
            module = _file_module(self._source, name, visibility)
            if module is not None:
                yield FoundItem(None, 0, FILE_MODULE, module)

    def module_path(self, findings: Findings, definitions: list[Definition]) -> str:
        """Return the path of the file's own module, as most of its definitions have it."""
        in_call = self._source.is_in_call
        plain = [found for found in findings.found if not in_call(found.row, found.column)]
        others = [found for found in findings.found if in_call(found.row, found.column)]
        return module_path(self._module, definitions, plain, others)

    def is_test(self) -> bool:
        """Return whether path or declaration of the file says that it is for tests only."""
        return is_test_path(self._path, self._test_modules)

    def is_generated(self) -> bool:
        """Return whether the file's head says that a program wrote it, or shows it."""
        return has_generated_head(self._data) or _WRITTEN_BY_PROST.search(self._data) is not None

    def is_mended(self) -> bool:
        """Return whether the source has syntax that the grammar does not know."""
        return self._source.is_mended

    def blocks(self) -> Iterator[SourceBlock]:
        """Yield the blocks of at least MIN_LINES lines, in no particular order."""
        return self._source.blocks()

    def names(self) -> Iterator[WrittenName]:
        """Yield names and paths, but for those of fields and methods, in no particular order."""
        return names_in(self._source.root)

    def imports(self) -> dict[tuple[str, ...], Imports]:
        """Return what modules import, by the modules around in the file, outermost first."""
        found: dict[tuple[str, ...], Imports] = {}
        for node, imports in uses_in(self._source.root):
            modules, _ = self._source.scope_at(node.start_point.row, node.start_point.column)
            found.setdefault(modules, {}).update(imports)
        return found

    @property
    def lines(self) -> Lines:
        """The file's lines."""
        return self._source

    def _find(
        self, definition: Definition, encoding: str, findings: Findings
    ) -> FoundItem | str | None:
        """Return the definition's item or why it has none; None if it is counted already."""
        source, hover, place = self._source, definition.hover, definition.range
        if hover is not None and is_file_module(definition) and not source.names_macro(0, 0):
            return self._find_file_module(definition, hover)
        column = source.byte_column(place.line, place.column, encoding)
        item = source.item_at(place.line, column) if column is not None else None
        expected = _expected_name(definition)
        is_other = item is not None and expected is not None and not is_same(item.name, expected)
        if is_other and item is not None and hover is not None and hover.is_proc_macro:
            # `#[proc_macro_derive(Name)]`: the dump calls the function by the macro's name.
            written = squeeze(source.snippet(item.row_from, item.row)).replace("( ", "(")
            is_other = f"({expected}" not in written
        if column is None or is_other:
            there = source.identifier_at(place.line, column) if column is not None else None
            findings.skip_stale(definition, expected, there)
            return None
        if item is None:
            return self._find_unspelled(definition, column, encoding, findings)
        if item.code_type == "Module" and item.docstring is None:
            return "undocumented_module"
        return self._checked(FoundItem(definition, place.line, column, item), encoding)

    def _checked(self, found: FoundItem, encoding: str) -> FoundItem:
        """Return the item; where the grammar guessed, as far as something else confirms it."""
        if self._source.needs_witness(found.row, found.column):
            return self._witness.checked(found, encoding, self._module.path)
        return found

    def _find_file_module(self, definition: Definition, hover: Hover) -> FoundItem | str:
        """Return a module in a file of its own as an item that consists of its documentation."""
        visibility = self._module.visibility or _hover_visibility(hover).removeprefix("private")
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
        reason = self._why_no_item(definition, hover, hover.name, column)
        if reason == "source_changed":
            findings.skip_stale(definition, hover.name, there)
            return None
        if reason is not None:
            return reason
        call = source.macro_call_at(row, column)
        if call is not None and there is not None:
            item = SourceItem(
                name=there,
                code_type=hover.code_type,
                row=row,
                row_from=call.row_from,
                row_to=call.row_to,
                signature=_hover_signature(hover),
                docstring=hover.docs,
                visibility=call.scope.member_visibility or _hover_visibility(hover),
                is_test=call.is_test,
                modules=call.scope.modules,
                qualifiers=call.scope.qualifiers,
                owner=call.scope.owner,
                trait_name=call.scope.trait_name,
                extent=call.extent,
            )
            return FoundItem(definition, row, column, item)
        if source.stands_in(row, column, "impl_item"):
            return "self_type"
        if definition.range.tag is not None and definition.range.tag.is_ambiguous:
            return "field_or_variant"
        return self._find_by_brackets(definition, column, encoding)

    def _why_no_item(
        self, definition: Definition, hover: Hover, name: str, column: int
    ) -> str | None:
        """Return why what the dump calls `name` is no item; None if the source spells one there."""
        source, row = self._source, definition.range.line
        if source.names_macro(row, column):  # 0.0.340 has the macro's name, 1.85 the whole call
            return "macro_made"
        there = source.identifier_at(row, column)
        if there is None or not is_same(there, name):
            if source.stands_in(row, column, "attribute_item"):
                return "derived"
            return "source_changed" if _spans_a_name(definition, name) else "macro_made"
        if source.stands_in(row, column, "type_parameters"):  # a constant of 0.0.340
            return "local"
        is_bare = hover.code_type == "Module" and hover.docs is None
        return "undocumented_module" if is_bare else None

    def _find_by_brackets(
        self, definition: Definition, column: int, encoding: str
    ) -> FoundItem | str:
        """Return an item that the grammar has no rule for; its brackets say where it ends."""
        outlined = self._witness.item_of(definition, encoding)
        if outlined is None:
            return "no_extent"
        modules, qualifiers = self._source.scope_at(definition.range.line, column)
        item = outlined.item._replace(
            modules=modules,
            qualifiers=qualifiers,
            visibility=outlined.item.visibility or "private",
            by_brackets=outlined.item.code_type != "Module",  # `mod name;` is read
        )
        return outlined._replace(item=item)


def _expected_name(definition: Definition) -> str | None:
    """Return the name that the dump gives, None where it gives none."""
    tag = definition.range.tag
    if tag is not None and tag.text:
        return tag.text
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
    lengths = {len(spelling.encode("utf-16-le")) // 2 for spelling in spellings(name)}
    return place.end_line == place.line and place.end_column - place.column in lengths


def _hover_signature(hover: Hover) -> str:
    declaration = squeeze(own_declaration(hover))
    match = _VISIBILITY.match(declaration)
    return declaration[match.end() :].lstrip() if match else declaration


def _hover_visibility(hover: Hover) -> str:
    if hover.is_proc_macro:  # rustc accepts no other
        return "pub"
    match = _VISIBILITY.match(own_declaration(hover))
    # `pub(in ...)` is what 0.0.340 says of what is private to a function.
    return match[0] if match and "..." not in match[0] else "private"
