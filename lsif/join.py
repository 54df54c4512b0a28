"""Joins the definitions of one file with the items of its source; accounts for each of them."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from lsif.blocks import blocks_of
from lsif.errors import SourceError
from lsif.file_records import FileRecords
from lsif.items import FILE_MODULE, Finder, FoundItem
from lsif.other.finder import OutlinedFile
from lsif.paths import read_source
from lsif.reader.graph import Definition
from lsif.rust.finder import RustFile
from lsif.structure import Context, Structure, make_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsif.blocks import Block
    from lsif.reader.graph import Outline
    from lsif.reader.hover import Hover
    from lsif.workers import Workers


_BATCH = 500
"""Number of definitions in one call of a worker."""


class JoinContext(NamedTuple):
    """What is the same for all files of a dump."""

    root: Path
    project: str
    encoding: str
    """Unit of the dump's columns."""
    test_modules: frozenset[str]
    """Files and folders that only tests compile; see lsif.rust.modules.cfg_test_modules."""
    blocks_longer_than: int | None
    """Structures of more lines have their blocks recorded; None if no blocks are wanted."""
    hovers_distinguish: bool = True
    """Whether the hovers are rust-analyzer's, which distinguish items from fields."""


class DumpedFile(NamedTuple):
    """What a dump says of one file."""

    outline: Outline
    definitions: list[Definition]


@dataclass
class JoinedFile:
    """What became of one file's definitions."""

    path: str
    problem: str | None = None
    """Why the file could not be read."""
    from_dump: bool = False
    """Whether the dump's own copy was read because the root has no such file."""
    records: FileRecords = field(default_factory=lambda: FileRecords.made((), ()))
    kinds: Counter[str] = field(default_factory=Counter)
    """Structures by code_type."""
    crates: Counter[str] = field(default_factory=Counter)
    """Structures by crate."""
    block_count: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Definitions by the reason why they are no structures."""
    stale: list[str] = field(default_factory=list)
    """The first definitions that are not where the dump says, as `file:line: ...`."""


def join_file(context: JoinContext, path: str, dumped: DumpedFile) -> JoinedFile:
    """Return one file's records. Raises SourceError if the file changes meanwhile."""
    joined = JoinedFile(path)
    definitions = _candidates(context, dumped.definitions, joined)
    try:
        data = _read(context.root / path, dumped.outline, joined)
        source = finder(context, path, data, dumped.outline)
    except (OSError, RuntimeError, UnicodeDecodeError) as exc:
        joined.problem = getattr(exc, "strerror", None) or str(exc)
        reason = "file_missing" if isinstance(exc, FileNotFoundError) else "file_unreadable"
        joined.skipped[reason] += len(definitions)
        return joined
    structures = _structures(context, source, joined, definitions)
    _check_snippets(
        context.root / path,
        data if joined.from_dump else read_source(context.root / path),
        structures,
    )
    joined.kinds.update([structure.code_type for structure in structures])
    joined.crates.update([structure.crate for structure in structures])
    blocks = _blocks(context.blocks_longer_than, source, structures)
    joined.block_count = len(blocks)
    joined.records = FileRecords.made(structures, blocks)
    return joined


def _blocks(longer_than: int | None, source: Finder, structures: list[Structure]) -> list[Block]:
    """Return the blocks of structures of more lines than that; none if it is None."""
    if longer_than is None:
        return []
    long = {
        structure.id
        for structure in structures
        if structure.line_to - structure.line_from + 1 > longer_than
    }
    return [block for block in blocks_of(structures, source.blocks()) if block.structure_id in long]


def join_files(
    context: JoinContext, files: dict[str, DumpedFile], workers: Workers
) -> Iterator[JoinedFile]:
    """Yield each file's result in the order of their paths; empties `files` on the way."""
    size = _BATCH if workers.count > 1 else 1  # one file at a time if none goes through a pipe
    batches = ((context, batch) for batch in _batches(files, size))
    for batch in workers.map_in_order(join_batch, batches):
        yield from batch


def join_batch(context: JoinContext, batch: list[tuple[str, DumpedFile]]) -> list[JoinedFile]:
    """Return the results of several files."""
    return [join_file(context, path, dumped) for path, dumped in batch]


def _batches(files: dict[str, DumpedFile], least: int) -> Iterator[list[tuple[str, DumpedFile]]]:
    batch: list[tuple[str, DumpedFile]] = []
    size = 0
    for path in sorted(files):
        batch.append((path, files.pop(path)))
        size += len(batch[-1][1].definitions)
        if size >= least:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def finder(context: JoinContext, path: str, data: bytes, outline: Outline) -> Finder:
    """Return the finder of items for the outline's language.

    Raises UnicodeDecodeError if the data is not UTF-8.
    """
    if outline.language == "rust" or (not outline.language and path.endswith(".rs")):
        return RustFile(path, data, context.test_modules)
    return OutlinedFile(context.project, path, data, outline)


def _candidates(
    context: JoinContext, definitions: list[Definition], joined: JoinedFile
) -> list[Definition]:
    """Return the definitions that may be items, hovers decoded; the others are counted."""
    candidates = []
    for definition in map(Definition.decoded, definitions):
        reason = _reason(definition.hover) if context.hovers_distinguish else None
        if reason is None:
            candidates.append(definition)
        else:
            joined.skipped[reason] += 1
    return candidates


def _read(path: Path, outline: Outline, joined: JoinedFile) -> bytes:
    """Return the file's content or, if there is no such file, the dump's copy of it."""
    try:
        return read_source(path)
    except FileNotFoundError:
        if outline.contents is None:
            raise
        try:
            data = base64.b64decode(outline.contents, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise OSError(f"the dump's copy of the file is damaged: {exc}") from exc
        joined.from_dump = True
        return data


def _structures(
    context: JoinContext, source: Finder, joined: JoinedFile, definitions: list[Definition]
) -> list[Structure]:
    """Return the structures in the order of their lines; other definitions are counted."""
    findings = source.find(sorted(definitions, key=_preference), context.encoding)
    joined.skipped += findings.skipped
    joined.stale = [f"{joined.path}:{stale}" for stale in findings.stale]
    module = source.module_path(findings, definitions)
    places: dict[tuple[int, int], FoundItem] = {}
    for found in findings.found:
        first = places.setdefault((found.row, found.column), found)
        if first is not found:
            joined.skipped["same_place"] += 1
            definition = first.definition.with_references_of(found.definition)
            places[found.row, found.column] = first._replace(definition=definition)
    builder = _Builder(context, source, joined.path, module)
    in_order = sorted(
        places.values(), key=lambda found: (found.item.row_from, found.row, found.column)
    )
    return [builder.structure(found) for found in in_order]


class _Builder:
    """Makes the records of one file."""

    def __init__(self, context: JoinContext, source: Finder, path: str, module: str) -> None:
        self._project = context.project
        self._source = source
        self._path = path
        self._module = module
        self._is_test = source.is_test()
        posix = PurePosixPath(path)
        self._folder, self._file_name = posix.parent.name or context.project, posix.name
        self._ordinals: Counter[str] = Counter()

    def structure(self, found: FoundItem) -> Structure:
        """Return the record of an item; must be called in the order of lines."""
        item, path, project = found.item, self._path, self._project
        # A module in a file of its own is an item of its parent, as an inline one is.
        module_path = (
            self._module.rpartition("::")[0]
            if found.column == FILE_MODULE
            else "::".join((self._module, *item.modules))
        )
        symbol = "::".join((module_path, *item.qualifiers, item.name))
        ordinal = self._ordinals[symbol]
        self._ordinals[symbol] += 1
        crate = self._module.partition("::")[0]
        inherited_docs = _inherited_docs(found)
        return Structure(
            name=item.name,
            signature=item.signature,
            code_type=item.code_type,
            docstring=item.docstring or inherited_docs,
            line=item.row + 1,
            line_from=item.row_from + 1,
            line_to=item.row_to + 1,
            context=Context(
                module=self._folder,
                file_path=path,
                file_name=self._file_name,
                struct_name=item.owner,
                snippet=self._source.snippet(item.row_from, item.row_to),
            ),
            id=make_id(project, crate, symbol, path, ordinal),
            symbol=symbol,
            crate=crate,
            module_path=module_path,
            trait_name=item.trait_name,
            visibility=item.visibility,
            is_test=item.is_test or self._is_test,
            docs_inherited=inherited_docs is not None,
            references=found.definition.references,
            referencing_files=found.definition.referencing_files,
        )


def _check_snippets(path: Path, data: bytes, structures: list[Structure]) -> None:
    """Compare each snippet with the file's lines as they are now. Raises SourceError."""
    lines = data.decode("utf-8", "replace").split("\n")
    for structure in structures:
        expected = "\n".join(lines[structure.line_from - 1 : structure.line_to]) + "\n"
        if structure.context.snippet != expected:
            raise SourceError(
                f"{path} changed while it was read: lines {structure.line_from} to "
                f"{structure.line_to} are no longer the same. Run again."
            )


def _reason(hover: Hover | None) -> str | None:
    """Return why a definition is no item by rust-analyzer's hover, None if it may be."""
    if hover is None or hover.path is None:
        return "no_hover"
    return "field_or_variant" if hover.code_type is None else None


def _preference(definition: Definition) -> tuple[int, int, str, str]:
    """Order of definitions at one position: the first that is an item wins."""
    hover, place = definition.hover, definition.range
    return (
        place.line,
        place.column,
        (hover.path or "") if hover else "",
        hover.declaration if hover else "",
    )


def _inherited_docs(found: FoundItem) -> str | None:
    """Return the docs of the trait's member for an undocumented member of a trait's impl.

    For an alias rust-analyzer shows the docs of the type behind it, and says so; these are not
    the alias's own.
    """
    hover = found.definition.hover
    if (
        found.item.docstring is not None
        or found.item.visibility != "inherited"
        or hover is None
        or hover.docs is None
    ):
        return None
    return None if hover.docs.startswith("*This is the documentation for*") else hover.docs
