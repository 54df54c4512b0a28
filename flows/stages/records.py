"""The stages that write structures.jsonl and blocks.jsonl, from a dump or a structures.jsonl."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from flows.report.coverage import shortfall
from flows.report.model import ParseReport, largest
from lsif.coverage import Analysis, coverage_of
from lsif.extract import parse_dump
from lsif.imports import ImportLedger, import_structures
from lsif.jsonl import write_records
from machine.files import atomic_writer
from machine.text import counted
from search.sources import remember_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from configs.workspace import ProjectFolder, ProjectWorkspace
    from lsif.blocks import Block
    from lsif.coverage import Coverage
    from lsif.dump.cache import DumpReport
    from lsif.ledger import ParseLedger
    from lsif.structure import Structure

    Sink: TypeAlias = Callable[[Sequence[Structure], Sequence[Block]], None]
    """Takes the next structures and blocks."""

logger = logging.getLogger(__name__)


def parse_repository(
    project: ProjectWorkspace,
    dump: Path,
    root: Path,
    folder: ProjectFolder,
    sink: Sink | None = None,
    *,
    source_items: bool = False,
    references: bool = False,
    dumped: DumpReport | None = None,
) -> ParseReport:
    """Write the structures and blocks of a dump to the folder's files; give them to `sink`, too.

    With `source_items` those that only the sources have are among them, whatever the settings say.
    With `references` they say what they refer to, and the places are written beside them.
    `dumped` says how the dump was made, if that is known.
    """
    started = time.perf_counter()
    settings = project.settings.parse
    ledger = parse_dump(
        dump,
        root,
        folder.structures,
        project=project.project,
        blocks=folder.blocks,
        sink=sink,
        source_items=source_items,
        places=folder.places if references else None,
        **settings.model_dump(exclude={"warn_index_share", "source_items"}),
    )
    remember_root(folder, root)
    seconds = time.perf_counter() - started
    logger.info(
        "parse: %d structures and %d blocks of %d definitions in %d files, %.1f s",
        ledger.structures,
        ledger.blocks,
        ledger.definitions,
        ledger.files_read,
        seconds,
    )
    coverage = coverage_of(ledger, _analysis(dumped))
    notes = _notes(ledger, held_back=settings.source_items and not source_items)
    return _report(ledger, coverage, notes, seconds, settings.warn_index_share)


def _report(
    ledger: ParseLedger,
    coverage: Coverage | None,
    notes: list[str],
    seconds: float,
    warn_index_share: float,
) -> ParseReport:
    if coverage is not None and (why := shortfall(coverage, warn_index_share)):
        logger.warning("%s", why)
        notes = [why, *notes]
    return ParseReport(
        structures=ledger.structures,
        kinds=ledger.kinds,
        skipped=ledger.skipped,
        definitions=ledger.definitions,
        notes=notes,
        seconds=seconds,
        blocks=ledger.blocks,
        crates=largest(ledger.crates),
        from_source=ledger.from_source,
        coverage=coverage,
        places=ledger.places,
        places_digest=ledger.places_digest,
    )


def import_records(
    project: ProjectWorkspace, structures: Path, folder: ProjectFolder, sink: Sink | None = None
) -> ParseReport:
    """Complete the structures of a file in the tutorial's format and write them to the folder.

    `sink` is given them, too.
    """
    started, ledger = time.perf_counter(), ImportLedger()
    kinds, crates = Counter[str](), Counter[str]()

    def imported() -> Iterator[Structure]:
        for structure in import_structures(structures, project.project, ledger):
            kinds[structure.code_type] += 1
            crates[structure.crate] += 1
            if sink is not None:
                sink((structure,), ())
            yield structure

    write_records(folder.structures, imported())
    with atomic_writer(folder.blocks):
        pass  # the tutorial's format has none
    remember_root(folder, None)
    skipped = ledger.skipped
    notes = (
        [f"{counted(skipped, 'line')} skipped: {'; '.join(ledger.first_skipped)}"]
        if skipped
        else []
    )
    return ParseReport(
        structures=ledger.structures,
        kinds=dict(sorted(kinds.items())),
        skipped={"bad_line": skipped} if skipped else {},
        definitions=ledger.lines,
        notes=notes,
        seconds=time.perf_counter() - started,
        crates=largest(crates),
    )


def _analysis(dumped: DumpReport | None) -> Analysis | None:
    if dumped is None:
        return None
    return Analysis(
        project=dumped.project,
        dependencies=dumped.dependencies,
        features=dumped.features,
        cfgs=dumped.cfgs,
        skipped_manifests=len(dumped.skipped_manifests),
    )


def _notes(ledger: ParseLedger, *, held_back: bool) -> list[str]:
    notes = []
    if held_back:
        notes.append(
            "this index was made without what only the sources have (code that cfg leaves out, "
            "files of no module, impl blocks); --rebuild adds it"
        )
    if sum(ledger.files_unread.values()) > ledger.files_missing:
        reasons = ", ".join(f"{count} {reason}" for reason, count in ledger.files_unread.items())
        notes.append(f"unread Rust files ({reasons}): {'; '.join(ledger.first_unread)}")
    if ledger.bad_lines:
        things = "lines" if ledger.format == "lsif" else "documents, occurrences or symbols"
        notes.append(
            f"{ledger.bad_lines} unreadable {things} in the dump: {'; '.join(ledger.first_bad)}"
        )
    if ledger.duplicate_symbols:
        notes.append(
            f"{counted(ledger.duplicate_symbols, 'symbol')} described more than once in the dump; "
            "the first description counts"
        )
    if ledger.files_missing:
        notes.append(
            f"{ledger.files_missing} of {ledger.files_missing + ledger.files_read} files "
            f"can't be read: {', '.join(ledger.first_missing)}"
        )
    if ledger.packages > 1 and not ledger.references_between_packages:
        notes.append(
            f"no references between the {ledger.packages} packages: rust-analyzer resolved no "
            "dependencies (no network, nothing vendored), so `references` counts only those "
            "inside a package"
        )
    if ledger.snippets_cut:
        notes.append(
            f"{ledger.snippets_cut} snippets are only a part of their lines, because many "
            "definitions share these or they are very long"
        )
    if ledger.by_brackets:
        notes.append(
            f"{ledger.by_brackets} structures end where their brackets do, because the grammar "
            f"can't read all of them: {', '.join(ledger.first_by_brackets)}"
        )
    if ledger.first_stale:
        notes.append(
            f"{ledger.skipped['source_changed']} definitions are not where the dump says: "
            f"{'; '.join(ledger.first_stale)}"
        )
    return notes
