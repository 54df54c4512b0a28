"""The parse stage: a dump and its sources to structures.jsonl, with a ledger of everything."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

from lsif.assembly import Assembler
from lsif.errors import DumpError, SourceError, StructuresError
from lsif.inventory import Inventory
from lsif.items import EXAMPLES
from lsif.join import JoinContext, JoinedFile, join_files
from lsif.ledger import ParseLedger
from lsif.reader.streams import STANDARD_INPUT, is_packed
from lsif.references.links import Linking
from lsif.workers import count_for, start_workers
from machine.files import atomic_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO, TypeAlias

    from lsif.blocks import Block
    from lsif.file_records import FileRecords
    from lsif.formats import Format
    from lsif.structure import Structure
    from lsif.workers import Workers

    Sink: TypeAlias = Callable[[Sequence[Structure], Sequence[Block]], None]

logger = logging.getLogger(__name__)

_LARGE, _LARGE_PACKED = 24_000_000, 2_000_000
"""Size in bytes from which several processes pay, measured on two cores."""
_MANY_FILES = 500
"""The same as Rust files to read."""


def parse_dump(  # noqa: PLR0913 - the settings of [parse], by name
    dump: Path,
    root: Path,
    output: Path,
    *,
    project: str,
    max_bad_lines: int,
    max_stale_share: float,
    blocks: Path | None = None,
    blocks_longer_than: int = 0,
    processes: int = 0,
    source_items: bool = False,
    exclude: Sequence[str] = (),
    include: Sequence[str] = (),
    sink: Sink | None = None,
    places: Callable[[str], Path] | None = None,
    format: Format = "auto",  # noqa: A002 - the setting's name
) -> ParseLedger:
    """Write the structures of the dump to `output`; return the ledger. `root` holds the sources.

    The blocks of structures of more than `blocks_longer_than` lines go to `blocks`. Records are in
    the order of file path and line: the same input gives the same bytes, however many processes
    read the sources (0: as many as pay). `sink` is called with the records of each file as they
    are made; if this raises, they are void.

    With `places`, the records say what they refer to (those that `sink` gets don't yet), and all
    places are written to what `places` returns for the digest of their file; the ledger has it.

    With `source_items`, items of the sources that the dump does not have, and impl blocks, become
    structures, too. Files that match a glob of `exclude` and none of `include` are left out.

    Nothing is written if the dump is not of the format or cut off (DumpError), or if the sources
    are missing or have changed (SourceError).
    """
    if not root.is_dir():
        raise SourceError(
            f"there is no folder {root}; --root names the folder that the dump was made of."
        )
    extraction = Extraction(
        dump,
        root.resolve(),
        max_bad_lines=max_bad_lines,
        max_stale_share=max_stale_share,
        dump_format=format,
    )
    inventory = Inventory(
        root.resolve(),
        extraction.ledger,
        exclude=exclude,
        include=include,
        source_items=source_items,
    )
    try:
        is_large = _is_large(dump) or (source_items and len(inventory.listed) >= _MANY_FILES)
        count = count_for(processes) if processes or is_large else 1
        with start_workers(count) as workers, ExitStack() as stack:
            linking = stack.enter_context(Linking(output.parent)) if places is not None else None
            written = stack.enter_context(atomic_writer(output))
            written_blocks = stack.enter_context(atomic_writer(blocks)) if blocks else None
            records = extraction.records(
                inventory,
                project=project,
                blocks_longer_than=blocks_longer_than if blocks else None,
                workers=workers,
                linking=linking,
            )
            _write(records, linking.records if linking else written, written_blocks, sink)
            if linking is not None and places is not None:
                linked = linking.finish(written, places)
                extraction.ledger.places, extraction.ledger.places_digest = linked
    except OSError as exc:
        raise StructuresError(f"can't write {output}: {exc.strerror or exc}") from exc
    return extraction.ledger


def _write(
    records: Iterable[FileRecords],
    structures: BinaryIO,
    blocks: BinaryIO | None,
    sink: Sink | None,
) -> None:
    """Write the records of each file, and give them to the sink."""
    for of_file in records:
        structure_lines, block_lines = of_file.lines
        structures.write(structure_lines)
        if blocks is not None:
            blocks.write(block_lines)
        if sink is not None:
            sink(*of_file.objects)


def _is_large(dump: Path) -> bool:
    """Return whether several processes save more time than it takes to start them.

    The size of standard input is unknown.
    """
    if dump == STANDARD_INPUT or not dump.is_file():
        return False
    return dump.stat().st_size >= (_LARGE_PACKED if is_packed(dump) else _LARGE)


def _examples(path: str, lines: list[int], known: list[str]) -> list[str]:
    """Return the first places of a file that are to be named besides those known already."""
    return [f"{path}:{line}" for line in lines[: EXAMPLES - len(known)]]


class Extraction:
    """One pass from a dump to structures."""

    def __init__(
        self,
        dump: Path,
        root: Path,
        *,
        max_bad_lines: int,
        max_stale_share: float,
        dump_format: Format,
    ) -> None:
        self.ledger = ParseLedger()
        self._dump = dump
        self._root = root
        self._max_bad_lines = max_bad_lines
        self._format = dump_format
        self._max_stale_share = max_stale_share
        self._skipped: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._crates: Counter[str] = Counter()

    def records(
        self,
        inventory: Inventory,
        *,
        project: str,
        blocks_longer_than: int | None,
        workers: Workers,
        linking: Linking | None = None,
    ) -> Iterator[FileRecords]:
        """Yield the records of each file; afterwards the ledger is complete.

        There are no blocks if `blocks_longer_than` is None. `linking` is given what it needs.
        """
        assembler = Assembler(self._dump, self._root, self.ledger, self._skipped)
        meta, files, test_modules, collected = assembler.assemble(
            inventory,
            workers,
            max_bad_lines=self._max_bad_lines,
            dump_format=self._format,
            places=linking.folder if linking is not None else None,
        )
        if linking is not None and collected is not None:
            linking.collected = collected
        context = JoinContext(
            root=self._root,
            project=project,
            encoding=meta.position_encoding,
            test_modules=test_modules,
            blocks_longer_than=blocks_longer_than,
            hovers_distinguish=meta.is_rust_analyzers,
            source_items=inventory.source_items,
            anchors=linking is not None,
        )
        file_count = sum(bool(file.definitions) for file in files.values())
        for joined in join_files(context, files, workers):
            self._account(joined)
            if joined.path.endswith(".rs"):
                inventory.account(joined)
            if linking is not None and joined.anchors is not None:
                linking.structures.add(joined.path, joined.records.objects[0], joined.anchors)
            yield joined.records
        self.ledger.skipped = dict(sorted(self._skipped.items()))
        self.ledger.kinds = dict(sorted(self._kinds.items()))
        self.ledger.crates = dict(sorted(self._crates.items()))
        self._check(file_count)

    def _account(self, joined: JoinedFile) -> None:
        ledger = self.ledger
        self._skipped += joined.skipped
        self._kinds += joined.kinds
        self._crates += joined.crates
        ledger.structures += joined.kinds.total()
        ledger.from_source += joined.from_source
        ledger.impls += joined.kinds["Impl"]
        ledger.snippets_checked += joined.kinds.total()
        ledger.blocks += joined.block_count
        ledger.files_mended += joined.is_mended
        ledger.by_brackets += len(joined.by_brackets)
        ledger.first_by_brackets += _examples(
            joined.path, joined.by_brackets, ledger.first_by_brackets
        )
        ledger.extents += joined.extents
        ledger.extents_differ += len(joined.extents_differ)
        ledger.first_extents_differ += _examples(
            joined.path, joined.extents_differ, ledger.first_extents_differ
        )
        ledger.snippets_cut += joined.snippets_cut
        ledger.first_stale += joined.stale[: EXAMPLES - len(ledger.first_stale)]
        if not joined.in_dump:
            return
        if joined.problem is None:
            ledger.files_read += 1
            ledger.files_from_dump += joined.from_dump
            return
        ledger.files_missing += 1
        if len(ledger.first_missing) < EXAMPLES:
            ledger.first_missing.append(joined.path)
            logger.warning(
                "%s: %s; %d definitions skipped",
                joined.path,
                joined.problem,
                joined.skipped.total(),
            )

    def _check(self, files: int) -> None:
        """Raise if what was read can't be the sources of the dump."""
        ledger = self.ledger
        if files and not ledger.files_read:
            raise SourceError(
                f"none of the dump's {files} files can be read under {self._root}, for example "
                f"{ledger.first_missing[0]}. "
                "--root must name the folder that the dump was made of."
            )
        stale = self._skipped["source_changed"]
        indexed = ledger.structures - ledger.from_source
        read = indexed + stale
        if stale > self._max_stale_share * read:
            raise SourceError(
                f"{stale} of {read} definitions are not where the dump says "
                f"({ledger.first_stale[0]}): the sources have changed. "
                "Make the dump again with `lsif-ingest dump`."
            )
        if not ledger.structures and self._skipped["excluded"]:
            raise DumpError(
                f"{self._dump} holds {ledger.definitions} definitions, and all that could be "
                "structures are in files that parse.exclude, or linguist-vendored in "
                ".gitattributes, leaves out. parse.include brings files back."
            )
        if not ledger.structures:
            raise DumpError(
                f"{self._dump} holds {ledger.definitions} definitions, "
                f"none of them a structure under {self._root}: "
                f"{', '.join(f'{count} {reason}' for reason, count in ledger.skipped.items())}."
            )
        if not ledger.balanced:
            raise DumpError(
                f"{self._dump}: {ledger.definitions} definitions came in, "
                f"but {indexed} structures and "
                f"{sum(ledger.skipped.values())} skipped ones came out. "
                "This is a defect of lsif-ingest."
            )
