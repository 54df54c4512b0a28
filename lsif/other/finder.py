"""Finds the items of a source that a dump's definitions are, for all languages but Rust.

The indexer's tags, outlines and hovers say what is declared where. A grammar, if there is one for
the language, says it better. Without one a declaration ends where its tag or outline says, else
where its brackets or folding ranges end.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from lsif.blocks import MIN_LINES, SourceBlock
from lsif.comments import has_generated_head
from lsif.items import Findings, FoundItem, SourceItem
from lsif.lines import Lines
from lsif.other.grammars import GRAMMARS
from lsif.other.kinds import why_no_item
from lsif.other.leading_docs import ATTRIBUTES, documentation_above, documentation_before
from lsif.other.lexer import C_FAMILY
from lsif.other.outlined import BY_INDENTATION, OutlinedSource
from lsif.other.parsed import ParsedSource
from lsif.other.signatures import signature_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from lsif.items import Imports, WrittenName
    from lsif.other.declaration import Declaration, Span
    from lsif.reader.elements import Extent, FoldingRange
    from lsif.reader.graph import Definition, Outline

_MEMBERS = frozenset({"Class", "Interface", "Struct", "Trait", "Enum", "Union"})
_INDEX_FILES = frozenset({"index", "main", "mod", "__init__"})
_TEST_FOLDERS = frozenset({"test", "tests", "__tests__", "spec", "benches"})
_TEST_FILE = re.compile(r"(?:^test_|[._-](?:test|spec)$|Tests?$)")
_BLOCK_HEAD = re.compile(
    rb"\s*(?:\}\s*)?(?P<word>for|foreach|while|loop|match|switch|if|unsafe|async|do)\b"
)
_BLOCK_KINDS = {b"foreach": "for", b"switch": "match", b"do": "loop"}
_LOOKED_AT = 1000
"""Bytes before a declaration in its line: a line may be as long as the file."""
_CLOSURE_HEAD = re.compile(rb"(?:=>\s*\{?|\bfunction\s*\([^)]*\)\s*\{|\|[^|]*\|\s*\{)\s*\Z")


class OutlinedFile:
    """One source."""

    def __init__(self, project: str, path: str, data: bytes, outline: Outline) -> None:
        self._project = project
        self._path = PurePosixPath(path)
        self._lines = Lines(data)
        self._data = self._lines.data
        self._outline = outline
        self._folds = outline.folds()
        self._symbols = {(symbol.line, symbol.column): symbol.tag for symbol in outline.symbols}
        kind = ParsedSource if outline.language in GRAMMARS else OutlinedSource
        self._source: ParsedSource | OutlinedSource = kind(self._lines, outline)

    def find(self, definitions: list[Definition], encoding: str) -> Findings:
        """Return which items the definitions are, and why the others are none."""
        findings = Findings()
        candidates = (self._find(definition, encoding, findings) for definition in definitions)
        in_order = sorted(
            (declared for declared in candidates if declared is not None),
            key=lambda declared: (declared.declaration.head, -declared.declaration.end),
        )
        around: list[_Declared] = []
        has_braces = self._outline.language not in BY_INDENTATION
        for declared in in_order:
            while around and around[-1].declaration.end <= declared.name_start:
                around.pop()
            holds = not around or around[-1].is_around(declared, has_braces=has_braces)
            found = self._item(declared, around if holds else around[:-1])
            if isinstance(found, FoundItem):
                findings.found.append(found)
            else:
                findings.skipped[found] += 1
            if holds and (isinstance(found, FoundItem) or found == "undocumented_module"):
                around.append(declared)
        return findings

    def others(
        self,
        places: Container[tuple[int, int]],  # noqa: ARG002 - finders of other languages need it
    ) -> Iterator[FoundItem]:
        """Yield nothing: without a dump there is no outline."""
        return iter(())

    def names(self) -> Iterator[WrittenName]:
        """Yield nothing: what names mean is not guessed in this language."""
        return iter(())

    def imports(self) -> dict[tuple[str, ...], Imports]:
        """Return nothing, likewise."""
        return {}

    def module_path(
        self,
        findings: Findings,  # noqa: ARG002 - finders of other languages need it
        definitions: list[Definition],  # noqa: ARG002 - as above
    ) -> str:
        """Return the project and the file's path, without the names that stand for their folder."""
        parts = [*self._path.parts[:-1], self._path.stem.partition(".")[0]]
        if parts[-1] in _INDEX_FILES:
            parts.pop()
        return "::".join((self._project, *parts))

    def is_test(self) -> bool:
        """Return whether the file is in a folder of tests, or has a name as tests have."""
        return (
            not _TEST_FOLDERS.isdisjoint(self._path.parts[:-1])
            or _TEST_FILE.search(self._path.stem) is not None
        )

    def is_generated(self) -> bool:
        """Return whether the file's head says that a program wrote it."""
        return has_generated_head(self._data)

    def is_mended(self) -> bool:
        """Return False: only Rust's grammar is helped."""
        return False

    def blocks(self) -> Iterator[SourceBlock]:
        """Yield folding ranges, of at least MIN_LINES lines, of loops, conditions and closures."""
        for fold in self._outline.folding_ranges:
            head = self._lines.line(fold.line)
            if fold.is_comment or fold.end_line - fold.line + 1 < MIN_LINES or head is None:
                continue
            match = _BLOCK_HEAD.match(head)
            if match is not None and not head.lstrip().startswith(b"}"):
                yield SourceBlock(
                    _BLOCK_KINDS.get(match["word"], match["word"].decode()),
                    fold.line,
                    self._after_else(fold),
                )
            elif _CLOSURE_HEAD.search(head):
                yield SourceBlock("closure", fold.line, fold.end_line)

    @property
    def lines(self) -> Lines:
        """The file's lines."""
        return self._lines

    def _after_else(self, block: FoldingRange) -> int:
        """Return the last row of a block with the `else` that follows it."""
        last = block.end_line
        while b"else" in (self._lines.line(last) or b""):
            following = [end for end in self._folds.get(last, []) if end > last]
            if not following:
                break
            last = max(following)
        return last

    def _find(self, definition: Definition, encoding: str, findings: Findings) -> _Declared | None:
        """Return what the definition declares; if nothing, the reason is counted."""
        place = definition.range
        start = self._offset(place.line, place.column, encoding)
        end = self._offset(place.end_line, place.end_column, encoding)
        tag = self._symbols.get((place.line, place.column)) or place.tag
        if start is not None and start == end:
            findings.skipped["whole_file"] += 1
            return None
        name = (
            self._data[start:end].decode("utf-8", "replace")
            if start is not None and end is not None
            else None
        )
        if (
            start is None
            or end is None
            or name is None
            or "\n" in name
            or (tag is not None and tag.text not in ("", name))
        ):
            findings.skip_stale(definition, tag.text if tag is not None else None, name)
            return None
        extent = self._extent(tag.extent if tag is not None else None, encoding)
        declaration = self._source.declaration_at((start, end), definition.hover, tag, extent)
        if declaration is None:
            findings.skipped[why_no_item(definition.hover, tag)] += 1
            return None
        return _Declared(definition, name, start, declaration)

    def _item(self, declared: _Declared, around: list[_Declared]) -> FoundItem | str:
        """Return the declaration's item, or why it is none.

        `around` are the declarations around it, outermost first.
        """
        declaration, hover = declared.declaration, declared.definition.hover
        kinds = [outer.declaration.code_type for outer in around]
        if kinds and kinds[-1] == "Function" and self._is_local(declaration):
            return "local"
        row = self._lines.row_of(declared.name_start)
        row_from, docs = self._documentation(declaration)
        if docs is None and hover is not None:
            docs = hover.docs
        if declaration.code_type == "Module" and docs is None:
            return "undocumented_module"
        end = declaration.end
        row_to = max(row, self._lines.row_of(max(end - 1, 0)))
        if declaration.code_type == "Module" and declaration.body is not None:
            # Its items are structures of their own.
            row_to, end = self._lines.row_of(declaration.body), declaration.body + 1
        signature, visibility = signature_of(declaration, self._source.code)
        modules = tuple(outer.name for outer in around if outer.declaration.code_type == "Module")
        item = SourceItem(
            name=declared.name,
            code_type=declaration.code_type,
            row=row,
            row_from=row_from,
            row_to=row_to,
            signature=signature,
            docstring=docs,
            visibility=visibility,
            owner=declaration.owner
            or (around[-1].name if kinds and kinds[-1] in _MEMBERS else None),
            modules=modules,
            qualifiers=tuple(_qualifiers(declared, around)),
            extent=(declaration.start, end),
        )
        column = declared.name_start - self._lines.offset(row)
        return FoundItem(declared.definition, row, column, item)

    def _documentation(self, declaration: Declaration) -> tuple[int, str | None]:
        """Return the first row of what belongs to the declaration, and its documentation."""
        first = self._lines.row_of(declaration.start)
        begin = max(self._lines.offset(first), declaration.start - _LOOKED_AT)
        before = slice(begin, declaration.start)
        code = self._source.code[before].strip()
        inline = self._data[before].decode("utf-8", "replace")
        language = self._outline.language
        if code and not code.startswith(ATTRIBUTES):  # what is above belongs to that
            return first, declaration.docs or documentation_before(inline, language)
        row_from, docs = documentation_above(self._lines, first, language, inline)
        return row_from, declaration.docs or docs

    def _is_local(self, declaration: Declaration) -> bool:
        """Return whether what is declared in a function is a variable or a mere prototype."""
        return declaration.code_type in ("Const", "Static") or (
            declaration.code_type == "Function"
            and declaration.body is None
            and self._outline.language in C_FAMILY
        )

    def _extent(self, extent: Extent | None, encoding: str) -> Span | None:
        if extent is None:
            return None
        start = self._offset(extent.line, extent.column, encoding)
        end = self._offset(extent.end_line, extent.end_column, encoding)
        return (start, end) if start is not None and end is not None and start < end else None

    def _offset(self, row: int, column: int, encoding: str) -> int | None:
        """Return the offset of a place, None if the file has no such place."""
        at = self._lines.byte_column(row, column, encoding)
        return self._lines.offset(row, at) if at is not None else None


class _Declared(NamedTuple):
    """A definition and what it declares."""

    definition: Definition
    name: str
    name_start: int
    declaration: Declaration

    def is_around(self, other: _Declared, *, has_braces: bool) -> bool:
        """Return whether the other, whose name is before its end, is inside it.

        Not inside are another name of the same value, the same function in another branch of a
        condition, and the type in C's `typedef struct a {} b`. What is inside braces ends before
        them. Those of `namespace A.B` have one body.
        """
        mine, others = self.declaration, other.declaration
        has_its_body = mine.body is not None and mine.body == others.body
        is_same = has_its_body or (mine.end == others.end and has_braces)
        return self.name_start < other.name_start and (not is_same or mine.code_type == "Module")


def _qualifiers(declared: _Declared, around: list[_Declared]) -> Iterator[str]:
    """Yield the names between module and name, those of types that methods stand outside of too."""
    for outer in around:
        if outer.declaration.code_type != "Module":
            if outer.declaration.owner is not None:
                yield outer.declaration.owner
            yield outer.name
    if declared.declaration.owner is not None:
        yield declared.declaration.owner
