"""A dump and its sources to structures: joins each definition with the item at its place, and accounts for every one of them."""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from configs.atomic import atomic_writer
from lsif.blocks import blocks_of
from lsif.errors import DumpError, SourceError, StructuresError
from lsif.graph import Definition, Graph
from lsif.ledger import ParseLedger
from lsif.paths import cfg_test_modules, is_test_path, module_path_by_file, read_source, relative_path
from lsif.reader import ReadLedger, read_tables
from lsif.signature import fold
from lsif.spans import SourceFile, SourceItem
from lsif.structure import Structure, make_id, with_digest, write_structures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from lsif.hover import Hover

logger = logging.getLogger(__name__)

_FILE_MODULE = -1
"""Column of a module in a file of its own, whose name stands nowhere in it."""


class _Found(NamedTuple):
    """A definition whose place in its file is understood."""

    definition: Definition
    row: int
    column: int
    item: SourceItem


def parse_dump(
    dump: Path,
    root: Path,
    output: Path,
    *,
    project: str,
    max_bad_lines: int,
    max_stale_share: float,
    blocks: Path | None = None,
) -> ParseLedger:
    """Write the structures of the dump, whose sources are under `root`, to `output`, their blocks to `blocks`; return the ledger.

    Records come in the order of file path and line, so the same input gives the same bytes. Nothing is written where the dump
    is no LSIF or cut off (DumpError), or the sources are absent or changed (SourceError).
    """
    if not root.is_dir():
        raise SourceError(f"no folder {root}; --root names the folder that the dump was taken of.")
    extraction = Extraction(dump, root, project=project, max_bad_lines=max_bad_lines, max_stale_share=max_stale_share)
    if blocks is None:
        write_structures(output, extraction.structures())
        return extraction.ledger
    try:
        with atomic_writer(blocks) as file:
            extraction.blocks_to(file)
            write_structures(output, extraction.structures())
    except OSError as exc:
        raise StructuresError(f"can't write {blocks}: {exc.strerror or exc}") from exc
    return extraction.ledger


class Extraction:
    """One pass from a dump to structures."""

    def __init__(self, dump: Path, root: Path, *, project: str, max_bad_lines: int, max_stale_share: float) -> None:
        self.ledger = ParseLedger()
        self._dump = dump
        self._root = root.resolve()
        self._project = project
        self._max_bad_lines = max_bad_lines
        self._max_stale_share = max_stale_share
        self._skipped: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._test_modules: set[str] = set()
        self._blocks_file: BinaryIO | None = None

    def blocks_to(self, file: BinaryIO) -> None:
        """Have the blocks of each file written there when its structures are taken."""
        self._blocks_file = file

    def structures(self) -> Iterator[Structure]:
        """Yield the structures file by file; the ledger is complete once all are taken."""
        lines = ReadLedger()
        graph = Graph(read_tables(self._dump, lines, max_bad_lines=self._max_bad_lines))
        graph.check_complete()
        ledger = self.ledger
        ledger.lines, ledger.bad_lines, ledger.first_bad = lines.lines, lines.bad_lines, lines.first_bad
        ledger.tool, ledger.documents = graph.meta.tool, graph.document_count
        files = self._files(graph)
        if not ledger.definitions:
            raise DumpError(f"{self._dump} holds no definition. Is the repository a Cargo project with Rust files in its crates?")
        self._test_modules = cfg_test_modules(self._root, files)
        for path in sorted(files):
            source = self._open(path, len(files[path]))
            if source is not None:
                yield from self._check_snippets(
                    path, self._file_structures(path, source, files[path], graph.meta.position_encoding)
                )
        ledger.skipped, ledger.kinds = dict(sorted(self._skipped.items())), dict(sorted(self._kinds.items()))
        self._check(len(files))

    def _files(self, graph: Graph) -> dict[str, list[Definition]]:
        """Return the definitions inside the root by the file's path; those outside are counted and dropped."""
        files: dict[str, list[Definition]] = defaultdict(list)
        paths: dict[str, str | None] = {}

        def is_inside(uri: str) -> bool:
            if uri not in paths:
                paths[uri] = relative_path(uri, graph.meta.project_root, self._root)
            return paths[uri] is not None

        for definition in graph.definitions(is_inside):
            self.ledger.definitions += 1
            files[paths[definition.document_uri] or ""].append(definition)
        self.ledger.definitions += graph.skipped.total()
        self._skipped += graph.skipped
        return files

    def _open(self, path: str, definitions: int) -> SourceFile | None:
        try:
            source = SourceFile(read_source(self._root / path))
        except (OSError, RuntimeError, UnicodeDecodeError) as exc:
            self._skipped["file_missing" if isinstance(exc, FileNotFoundError) else "file_unreadable"] += definitions
            self.ledger.files_missing += 1
            if len(self.ledger.first_missing) < 3:  # noqa: PLR2004 - enough to see the pattern
                self.ledger.first_missing.append(path)
                logger.warning("%s: %s; %d definitions skipped", path, exc, definitions)
            return None
        self.ledger.files_read += 1
        return source

    def _file_structures(self, path: str, source: SourceFile, definitions: list[Definition], encoding: str) -> list[Structure]:
        found: dict[tuple[int, int], _Found] = {}
        for definition in sorted(definitions, key=_preference):
            one, reason = self._find(source, definition, encoding, path)
            if one is None:
                self._skipped[reason] += 1
            elif (one.row, one.column) in found:
                self._skipped["same_place"] += 1
                first = found[one.row, one.column]
                found[one.row, one.column] = first._replace(definition=first.definition.with_references_of(definition))
            else:
                found[one.row, one.column] = one
        module = _module_path(path, list(found.values()), definitions)
        in_order = sorted(found.values(), key=lambda one: (one.item.row_from, one.row, one.column))
        ordinals: Counter[str] = Counter()
        structures = []
        for one in in_order:
            structure = self._structure(path, source, one, module, ordinals)
            self._kinds[structure.code_type] += 1
            structures.append(structure)
        self.ledger.structures += len(structures)
        if self._blocks_file is not None:
            for block in blocks_of(structures, source.blocks()):
                self._blocks_file.write(block.to_json())
                self.ledger.blocks += 1
        return structures

    def _find(self, source: SourceFile, definition: Definition, encoding: str, path: str) -> tuple[_Found | None, str]:
        """Return the item that the definition is, or the reason why it is no structure."""
        hover, place = definition.hover, definition.range
        if hover.code_type == "Module" and (place.line, place.column) == (0, 0) and place.end_line > 0:
            return _find_file_module(source, definition, hover)
        column = source.byte_column(place.line, place.column, encoding)
        item = source.item_at(place.line, column) if column is not None else None
        if column is None or (item is not None and item.name != hover.name):
            return self._stale(path, definition, source, column)
        if item is None:
            return self._find_unspelled(source, definition, hover, column, path)
        if item.code_type == "Module" and item.docstring is None:
            return None, "undocumented_module"
        return _Found(definition, place.line, column, item), ""

    def _find_unspelled(
        self, source: SourceFile, definition: Definition, hover: Hover, column: int, path: str
    ) -> tuple[_Found | None, str]:
        """Return what a definition is at whose place the source has no item: made by a macro, or no structure at all."""
        row = definition.range.line
        if source.identifier_at(row, column) != hover.name:
            if source.stands_in(row, column, "attribute_item"):
                return None, "derived"
            if not _spans_a_name(definition, hover):
                return None, "macro_made"
            return self._stale(path, definition, source, column)
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

    def _stale(self, path: str, definition: Definition, source: SourceFile, column: int | None) -> tuple[None, str]:
        if len(self.ledger.first_stale) < 3:  # noqa: PLR2004 - enough to see the pattern
            there = source.identifier_at(definition.range.line, column) if column is not None else None
            place, found = f"{path}:{definition.range.line + 1}", f"`{there}`" if there else "nothing"
            self.ledger.first_stale.append(f"{place}: expected `{definition.hover.name}`, found {found}")
        return None, "source_changed"

    def _structure(self, path: str, source: SourceFile, one: _Found, module: str, ordinals: Counter[str]) -> Structure:
        item, hover = one.item, one.definition.hover
        # A module in a file of its own is an item of its parent, as an inline one is.
        module_path = module.rpartition("::")[0] if one.column == _FILE_MODULE else "::".join((module, *item.modules))
        symbol = "::".join((module_path, *item.qualifiers, item.name))
        ordinal = ordinals[symbol]
        ordinals[symbol] += 1
        crate = module.partition("::")[0]
        inherited_docs = _inherited_docs(item, hover)
        posix = PurePosixPath(path)
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
                    "module": posix.parent.name or self._project,
                    "file_path": path,
                    "file_name": posix.name,
                    "struct_name": item.owner,
                    "snippet": source.snippet(item.row_from, item.row_to),
                },
                "id": make_id(self._project, crate, symbol, path, ordinal),
                "symbol": symbol,
                "crate": crate,
                "module_path": module_path,
                "trait_name": item.trait_name,
                "visibility": item.visibility,
                "is_test": item.is_test or is_test_path(path, self._test_modules),
                "docs_inherited": inherited_docs is not None,
                "references": one.definition.references,
                "referencing_files": one.definition.referencing_files,
            }
        )

    def _check_snippets(self, path: str, structures: list[Structure]) -> list[Structure]:
        """Return the structures, each compared with the file's lines as they are on the disk now."""
        lines = read_source(self._root / path).decode("utf-8", "replace").split("\n")
        for structure in structures:
            expected = "".join(f"{line}\n" for line in lines[structure.line_from - 1 : structure.line_to])
            if structure.context.snippet != expected:
                raise SourceError(
                    f"{path} changed while it was read: lines {structure.line_from} to {structure.line_to} "
                    "are no longer the same. Run again."
                )
            self.ledger.snippets_checked += 1
        return structures

    def _check(self, files: int) -> None:
        """Raise where what was read can't be the sources of the dump."""
        ledger = self.ledger
        if files and not ledger.files_read:
            raise SourceError(
                f"none of the dump's {files} files can be read under {self._root}, for example "
                f"{ledger.first_missing[0]}. --root must name the folder that the dump was taken of."
            )
        stale, read = self._skipped["source_changed"], ledger.structures + self._skipped["source_changed"]
        if stale > self._max_stale_share * read:
            raise SourceError(
                f"{stale} of {read} definitions do not stand where the dump says ({ledger.first_stale[0]}): the sources "
                "changed since. Make the dump again with `lsif-ingest dump`."
            )
        if not ledger.structures:
            raise DumpError(
                f"{self._dump} holds {ledger.definitions} definitions, none of them a structure under {self._root}: "
                f"{', '.join(f'{count} {reason}' for reason, count in ledger.skipped.items())}."
            )
        if not ledger.balanced:
            raise DumpError(
                f"{self._dump}: {ledger.definitions} definitions came in, but {ledger.structures} structures and "
                f"{sum(ledger.skipped.values())} skipped ones came out. This is a defect of lsif-ingest."
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
