"""Joins the definitions of one file with the items of its source; accounts for each of them."""

from __future__ import annotations

import base64
import binascii
import errno
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from lsif.anchors import anchors_of
from lsif.blocks import blocks_of
from lsif.builder import RecordBuilder
from lsif.errors import SourceError
from lsif.file_records import FileRecords
from lsif.guesses import guesses_of
from lsif.other.finder import OutlinedFile
from lsif.paths import read_inside, read_source
from lsif.reader.graph import Definition
from lsif.rust.finder import RustFile
from lsif.snippets import block_snippets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from lsif.anchors import Anchors
    from lsif.blocks import Block
    from lsif.items import Finder, FoundItem
    from lsif.reader.graph import Outline
    from lsif.reader.hover import Hover
    from lsif.rust.modules import ModuleFile
    from lsif.rust.traits import Members
    from lsif.structure import Structure
    from lsif.workers import Workers


_BATCH, _FILE_SIZE = 500, 25
"""Number of definitions in one call of a worker, where a file itself counts as some."""


class JoinContext(NamedTuple):
    """What is the same for all files of a dump."""

    root: Path
    project: str
    encoding: str
    """Unit of the dump's columns, where a file has none of its own."""
    test_modules: frozenset[str]
    """Files and folders that only tests compile; see lsif.rust.modules.cfg_test_places."""
    blocks_longer_than: int | None
    """Structures of more lines have their blocks recorded; None if no blocks are wanted."""
    hovers_distinguish: bool = True
    """Whether the hovers are rust-analyzer's, which distinguish items from fields."""
    source_items: bool = False
    """Whether items that the dump does not have become structures, too."""
    anchors: bool = False
    """Whether the files' anchors are wanted."""


class DumpedFile(NamedTuple):
    """What a dump and the repository say of one file."""

    outline: Outline
    definitions: list[Definition]
    in_dump: bool = True
    module: ModuleFile | None = None
    """What it is in its crate, if it is Rust and that is known."""
    is_generated: bool = False
    """Whether .gitattributes says that a program wrote it."""
    trait_docs: dict[str, Members] | None = None
    """Docs of the members of the traits that it implements; None if the dump's hovers have them."""


@dataclass
class JoinedFile:
    """What became of one file's definitions."""

    path: str
    in_dump: bool = True
    problem: str | None = None
    """Why the file could not be read."""
    unread: str = ""
    """The same as one of UNREAD_REASONS."""
    from_dump: bool = False
    """Whether the dump's own copy was read because the root has no such file."""
    records: FileRecords = field(default_factory=lambda: FileRecords.made((), ()))
    kinds: Counter[str] = field(default_factory=Counter)
    """Structures by code_type."""
    crates: Counter[str] = field(default_factory=Counter)
    """Structures by crate."""
    from_source: int = 0
    """Structures that the dump does not hold."""
    is_mended: bool = False
    """Whether it has syntax that the grammar does not know."""
    by_brackets: list[int] = field(default_factory=list)
    """Lines of the structures that brackets delimit, since the grammar can't read all of them."""
    extents: int = 0
    """Structures whose extent the dump says."""
    extents_differ: list[int] = field(default_factory=list)
    """Lines of those whose source says another one."""
    block_count: int = 0
    snippets_cut: int = 0
    """Structures and blocks whose snippet is a part of their lines."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Definitions by the reason why they are no structures."""
    stale: list[str] = field(default_factory=list)
    """The first definitions that are not where the dump says, as `file:line: ...`."""
    anchors: Anchors | None = None
    """None if they are not wanted, or the file could not be read."""


def join_file(context: JoinContext, path: str, dumped: DumpedFile) -> JoinedFile:
    """Return one file's records. Raises SourceError if the file changes meanwhile."""
    context = context._replace(encoding=dumped.outline.position_encoding or context.encoding)
    joined = JoinedFile(path, dumped.in_dump)
    definitions = _candidates(context, dumped.definitions, joined)
    try:
        data = (
            _read(context.root / path, dumped.outline, joined)
            if dumped.in_dump
            else read_inside(context.root, path)
        )
        source = finder(context, path, data, dumped)
    except (OSError, RuntimeError, UnicodeDecodeError) as exc:
        joined.problem = getattr(exc, "strerror", None) or str(exc)
        joined.unread = _unread_reason(exc)
        reason = "file_missing" if isinstance(exc, FileNotFoundError) else "file_unreadable"
        joined.skipped[reason] += len(definitions)
        return joined
    builder = RecordBuilder(
        context.project,
        source,
        path,
        trait_docs=dumped.trait_docs,
        is_generated=dumped.is_generated or source.is_generated(),
    )
    structures = _structures(context, builder, joined, definitions)
    if not joined.from_dump:
        _check_snippets(context.root / path, data, structures)
    joined.is_mended = source.is_mended()
    joined.from_source = sum(structure.origin == "source" for structure in structures)
    joined.kinds.update([structure.code_type for structure in structures])
    joined.crates.update([structure.crate for structure in structures])
    blocks = _blocks(context.blocks_longer_than, source, structures)
    joined.block_count = len(blocks)
    joined.snippets_cut = sum(structure.snippet_from > 0 for structure in structures)
    joined.snippets_cut += sum(block.snippet_from > 0 for block in blocks)
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
    if not long:
        return []
    found = list(source.blocks())
    blocks = blocks_of(structures, found, block_snippets(source.lines, found))
    return [block for block in blocks if block.structure_id in long]


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
        size += len(batch[-1][1].definitions) + _FILE_SIZE
        if size >= least:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def finder(context: JoinContext, path: str, data: bytes, dumped: DumpedFile) -> Finder:
    """Return the finder of items for the outline's language.

    Raises UnicodeDecodeError if the data is not UTF-8.
    """
    outline = dumped.outline
    if outline.language == "rust" or (not outline.language and path.endswith(".rs")):
        return RustFile(path, data, context.test_modules, dumped.module, outline)
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


def _unread_reason(exc: Exception) -> str:
    if isinstance(exc, FileNotFoundError):
        return "missing"
    if isinstance(exc, UnicodeDecodeError):
        return "not_utf8"
    return "not_regular" if getattr(exc, "errno", None) == errno.EINVAL else "unreadable"


def _structures(
    context: JoinContext,
    builder: RecordBuilder,
    joined: JoinedFile,
    definitions: list[Definition],
) -> list[Structure]:
    """Return the structures in the order of their lines; other definitions are counted."""
    source = builder.source
    findings = source.find(sorted(definitions, key=_preference), context.encoding)
    joined.skipped += findings.skipped
    joined.stale = [f"{joined.path}:{stale}" for stale in findings.stale]
    module = source.module_path(findings, definitions)
    places: dict[tuple[int, int], FoundItem] = {}
    for found in findings.found:
        first = places.setdefault((found.row, found.column), found)
        if first is not found:
            joined.skipped["same_place"] += 1
            if first.definition is not None and found.definition is not None:
                definition = first.definition.with_references_of(found.definition)
                places[found.row, found.column] = first._replace(definition=definition)
    _compare_extents(joined, places.values())
    others = list(source.others(places)) if context.source_items else []
    joined.by_brackets = [
        found.item.row + 1 for found in (*places.values(), *others) if found.item.by_brackets
    ]
    in_order = sorted(
        [*places.values(), *others],
        key=lambda found: (found.item.row_from, found.row, found.column),
    )
    if context.anchors:
        joined.anchors = anchors_of(
            source.lines, context.encoding, in_order, findings.found, definitions
        )
    structures = builder.structures(in_order, module)
    if joined.anchors is not None:
        guesses = guesses_of(
            source, context.encoding, structures, joined.anchors.spans, module,
            in_dump=joined.in_dump,
        )  # fmt: skip
        joined.anchors = joined.anchors._replace(guesses=guesses)
    return structures


def _compare_extents(joined: JoinedFile, items: Iterable[FoundItem]) -> None:
    """Count the items whose extent the dump says, and note those for which it is wrong.

    Comments above an item may belong to it or not. A module's record ends with its head.
    """
    for found in items:
        tag = found.definition.range.tag if found.definition is not None else None
        if tag is None or tag.extent is None or found.item.code_type == "Module":
            continue
        joined.extents += 1
        if tag.extent.end_line != found.item.row_to or tag.extent.line > found.item.row:
            joined.extents_differ.append(found.item.row + 1)


def _check_snippets(path: Path, data: bytes, structures: list[Structure]) -> None:
    """Compare each snippet with the file's lines as they are now. Raises SourceError.

    `data` is what the file held before.
    """
    now = read_source(path)
    lines = now.decode("utf-8", "replace").split("\n")
    for structure in structures:
        if structure.snippet_from and now == data:
            continue
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


def _preference(definition: Definition) -> tuple[int, int, str, bool, str]:
    """Order of definitions at one position: the first that is an item wins.

    A macro may make a type and a function of the same name, which makes the type.
    """
    hover, place = definition.hover, definition.range
    return (
        place.line,
        place.column,
        (hover.path or "") if hover else "",
        hover is not None and hover.code_type == "Function",
        hover.declaration if hover else "",
    )
