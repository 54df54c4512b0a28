"""The stages as plain functions of paths and settings: what the Prefect tasks call, and all that they call."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from configs.settings import load_settings
from configs.workspace import BLOCKS_VECTOR, hide_from_git
from embedding.checkpoint import Checkpoint
from embedding.errors import CheckpointError, ModelError
from embedding.models import fingerprints_of, resolve_model, shared_encoder
from embedding.plan import VectorPlan, gathered_vectors
from embedding.work_units import UnitReport, WorkUnit, embed_unit
from flows.errors import FlowError
from flows.locks import project_lock
from flows.report.history import read_report
from flows.report.model import ParseReport, largest
from lsif.dump.cache import DumpReport, provide_dump
from lsif.dump.rust_analyzer import write_dump
from lsif.extract import parse_dump
from lsif.structure import (
    ImportLedger,
    Structure,
    import_structures,
    write_records,
    write_structures,
)
from machine.files import atomic_writer
from search.opening import connect
from search.web.sources import remember_root
from storage.errors import IndexMismatch
from storage.maintenance.exchange import ExportedSource, export_generation
from storage.maintenance.verify import VerifyReport, verify
from storage.points import FileSource, RecordSource
from storage.schema import VECTORS, VectorInfo
from storage.upload import (
    Plan,
    UploadReport,
    check_fingerprints,
    make_plan,
    publish_source,
    require_live,
    rollback,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    from configs.settings import StorageSettings
    from configs.workspace import ProjectFolder, ProjectWorkspace, Workspace
    from embedding.vectors import VectorTable
    from flows.source.source import Source
    from lsif.blocks import Block
    from lsif.ledger import ParseLedger
    from storage.index import Generation
    from storage.points import PointSource
    from storage.schema import Metadata

    Sink: TypeAlias = Callable[[Sequence[Structure], Sequence[Block]], None]
    """Takes the next structures and blocks."""

logger = logging.getLogger(__name__)
_EMBEDDING = threading.Lock()
"""A process has one encoder of a model, which is no place for two threads: tokenizers are borrowed, memory is planned for one."""

_OF_A_SERVER = (
    "on_disk",
    "datatype",
    "hnsw_m",
    "hnsw_ef_construct",
    "indexing_threshold_kb",
    "quantization",
    "shard_number",
    "replication_factor",
    "write_consistency_factor",
)
"""Settings of its collections."""


def check_index(project: ProjectWorkspace, identity: str, *, rebuild: bool) -> None:
    """Raise before any work is done where models are not to be had, or the index is out of reach or made with other models."""
    collection, fingerprints = project.collection, fingerprints_of(project.structure_models)
    with closing(connect(project)) as index:
        with index.writing(collection):
            live = None if rebuild else index.live(collection)
        if live is not None:
            _check_source(live, collection, identity)
            check_fingerprints(
                live,
                fingerprints,
                collection,
                "Replace it: --rebuild; or keep both: --set project.name=NAME; or use the configuration it was made with.",
            )


def _check_source(live: Generation, collection: str, identity: str) -> None:
    """Raise IndexMismatch where the live generation was made of another source."""
    if live.metadata.source != identity:
        raise IndexMismatch(
            f"project {collection!r} was indexed from {live.metadata.source}; this is {identity}. "
            "Choose another name: --set project.name=NAME; or replace it: --rebuild."
        )


def checkout(project: ProjectWorkspace, source: Source) -> Path | None:
    """Bring the sources of a git URL or ref into the project's folder; return where the source's files are, None without any."""
    return source.sources(project.folder.checkout, project.settings.checkout)


def dump_repository(project: ProjectWorkspace, repo: Path, folder: ProjectFolder) -> DumpReport:
    """Return a dump of the repository: a cached one, else a new one, in the folder if it can't be cached."""
    return provide_dump(
        repo,
        project.folder.path,
        folder.dump,
        project.settings.rust_analyzer,
        project.target,
        project.data,
    )


def dump_source(workspace: Workspace, source: Source, output: Path) -> float:
    """Write a new dump of the source to `output`; return the seconds it took."""
    hide_from_git(workspace.data)

    def dump(repo: Path) -> float:
        started = time.perf_counter()
        write_dump(repo, output, workspace.settings.rust_analyzer, workspace.target)
        return time.perf_counter() - started

    if source.folder is not None:
        return dump(source.folder)
    project = source.workspace(workspace)
    with project_lock(project):
        return dump(checkout(project, source) or project.folder.checkout)


def parse_repository(
    project: ProjectWorkspace,
    dump: Path,
    root: Path,
    folder: ProjectFolder,
    sink: Sink | None = None,
) -> ParseReport:
    """Write the structures and blocks of a dump to the folder's files; `sink` gets the records, too."""
    started = time.perf_counter()
    ledger = parse_dump(
        dump,
        root,
        folder.structures,
        project=project.project,
        blocks=folder.blocks,
        sink=sink,
        **project.settings.parse.model_dump(),
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
    return ParseReport(
        structures=ledger.structures,
        kinds=ledger.kinds,
        skipped=ledger.skipped,
        definitions=ledger.definitions,
        notes=_notes(ledger),
        seconds=seconds,
        blocks=ledger.blocks,
        crates=largest(ledger.crates),
    )


def import_records(
    project: ProjectWorkspace, structures: Path, folder: ProjectFolder, sink: Sink | None = None
) -> ParseReport:
    """Write the structures of a file in the tutorial's format, completed, to the folder; `sink` gets the records, too."""
    started, ledger, kinds, crates = (
        time.perf_counter(),
        ImportLedger(),
        Counter[str](),
        Counter[str](),
    )

    def counted() -> Iterator[Structure]:
        for structure in import_structures(structures, project.project, ledger):
            kinds[structure.code_type] += 1
            crates[structure.crate] += 1
            if sink is not None:
                sink((structure,), ())
            yield structure

    write_structures(folder.structures, counted())
    with atomic_writer(folder.blocks):
        pass  # the tutorial's format has none
    remember_root(folder, None)
    notes = (
        [f"{ledger.skipped} lines skipped: {'; '.join(ledger.first_skipped)}"]
        if ledger.skipped
        else []
    )
    return ParseReport(
        structures=ledger.structures,
        kinds=dict(sorted(kinds.items())),
        skipped={"bad_line": ledger.skipped} if ledger.skipped else {},
        definitions=ledger.lines,
        notes=notes,
        seconds=time.perf_counter() - started,
        crates=largest(crates),
    )


def plan_vectors(workspace: Workspace, on_unit: Callable[[WorkUnit], None]) -> VectorPlan:
    """Return the plan of the configured vectors, which calls `on_unit` with texts to embed as it is given records."""
    return VectorPlan(
        fingerprints_of(workspace.models),
        workspace.store,
        on_unit,
        rows_per_file=workspace.settings.checkpoint.rows_per_file,
        dtype=workspace.settings.checkpoint.numbers,
    )


def embed(workspace: Workspace, unit: WorkUnit) -> UnitReport:
    """Embed the texts of a work unit into the checkpoint; on whichever machine reaches both and has the model."""
    found = resolve_model(workspace.models[unit.vector])
    dtype = workspace.settings.checkpoint.numbers
    checkpoint = Checkpoint(workspace.store, found.fingerprint, dtype)
    if not unit.name.startswith(f"{checkpoint.folder}/"):
        raise ModelError(
            f"the model of {unit.vector} is another on this worker: {found.fingerprint.describe()}. Install the same "
            "versions and models on all machines."
        )
    with _EMBEDDING:
        return embed_unit(checkpoint, unit, lambda: shared_encoder(found, workspace.models_folder))


def upload(
    project: ProjectWorkspace, metadata: Metadata, plan: VectorPlan, *, rebuild: bool = False
) -> UploadReport:
    """Bring the collection to the structures and blocks, verify and publish it; vectors are waited for as they are needed.

    `metadata` lacks what only this knows: vectors, time and counts.
    """
    tables = plan.tables(project.folder.structures)
    with closing(connect(project)) as index:
        vectors = {
            name: VectorInfo(tables[name].dimension, fingerprint.digest, fingerprint.describe())
            for name, fingerprint in fingerprints_of(project.structure_models).items()
        }
        metadata = replace(metadata, created=_now(), vectors=vectors)
        source = _with_vectors(project.folder, tables)
        return publish_source(
            index, project.collection, metadata, source, project.settings.storage, rebuild=rebuild
        )


def settings_without_effect(settings: StorageSettings) -> list[str]:
    """Return a note on what is set for a server's collections, where the index is embedded."""
    if os.environ.get("QDRANT_URL", "").strip():
        return []
    usual = load_settings().storage
    names = [
        f"storage.{name}"
        for name in _OF_A_SERVER
        if getattr(settings, name) != getattr(usual, name)
    ]
    return [f"of no effect without QDRANT_URL: {', '.join(names)}"] if names else []


def plan(workspace: Workspace, source: Source) -> Plan:
    """Return what a run would do to the index. Only checkout, dump and records are made, the records in a folder of their own."""
    project = source.workspace(workspace)
    with project_lock(project), project.folder.plan() as folder:
        check_index(project, source.identity(), rebuild=False)
        dump, root = source.dump, checkout(project, source)
        if source.repo is not None and root is not None:
            dump = Path(dump_repository(project, root, folder).file)
        if dump is not None and root is not None:
            parse_repository(project, dump, root, folder)
        elif source.structures is not None:
            import_records(project, source.structures, folder)
        with closing(connect(project)) as index:
            live = index.live(project.collection)
            records = RecordSource(folder.structures, folder.blocks)
            return make_plan(index, live, records, project.settings.storage, named=True)


def verify_index(workspace: Workspace, collection: str) -> VerifyReport:
    """Compare the live generation with the records that the last run wrote, and with the checkpoint's vectors where it has all.

    Raises FlowError where there are no records.
    """
    folder = workspace.project_folder(collection)
    if not folder.structures.is_file():
        raise FlowError(
            f"{folder.structures} is not there: it is what an index is compared with. Ingest again."
        )
    with closing(connect(workspace)) as index:
        live = require_live(index, collection)
        with _vectors_of(workspace, folder) as source:
            return verify(live, source.structures, source.blocks)


def was_rolled_back(workspace: Workspace, collection: str) -> bool:
    """Return whether what is live was made before the last run, whose records an index is compared with."""
    report = read_report(workspace.project_folder(collection).report)
    with closing(connect(workspace)) as index:
        live = index.live(collection)
        return report is not None and live is not None and live.metadata.created < report.started


@contextmanager
def _vectors_of(workspace: Workspace, folder: ProjectFolder) -> Iterator[PointSource]:
    """Yield the records with the checkpoint's vectors; without them where it lacks some."""
    with ExitStack() as stack:
        try:
            fingerprints = fingerprints_of(workspace.models)
            tables = stack.enter_context(
                gathered_vectors(fingerprints, workspace.store, folder.structures)
            )
        except (CheckpointError, ModelError) as exc:
            logger.warning("vectors are not compared with those that were made: %s", exc)
            yield RecordSource(folder.structures, folder.blocks)
        else:
            yield _with_vectors(folder, tables)


def _with_vectors(folder: ProjectFolder, tables: dict[str, VectorTable]) -> FileSource:
    named = {name: tables[name] for name in VECTORS}
    return FileSource(folder.structures, named, folder.blocks, tables[BLOCKS_VECTOR])


def roll_back(workspace: Workspace, collection: str) -> tuple[str, str]:
    """Make the former generation live again; return the names of the one that was live and of the one that is now."""
    with closing(connect(workspace)) as index:
        return rollback(index, collection, workspace.settings.storage)


def export_index(workspace: Workspace, collection: str, folder: Path) -> tuple[int, int]:
    """Write the live generation into the folder; return the numbers of structures and blocks."""
    with closing(connect(workspace)) as index:
        return export_generation(require_live(index, collection), folder)


def snapshot_index(workspace: Workspace, collection: str) -> list[str]:
    """Make the server write snapshots of the live generation; return their names. Raises FlowError where there is no server."""
    with closing(connect(workspace)) as index:
        snapshot = getattr(index, "snapshot", None)
        if snapshot is None:
            raise FlowError(
                f"snapshots are a server's; the embedded index is the folder {index.location}: copy it."
            )
        return list(snapshot(require_live(index, collection)))


def import_index(workspace: Workspace, folder: Path, *, rebuild: bool) -> UploadReport:
    """Bring an index to what `export_index` wrote, and its records beside it; no model is needed."""
    source = ExportedSource(folder)
    configured = workspace.settings.project
    project = workspace.for_project(
        configured.name or source.metadata.project, configured.branch or source.metadata.branch
    )
    metadata = replace(
        source.metadata, project=project.project, branch=project.branch, created=_now()
    )
    with project_lock(project), closing(connect(project)) as index:
        live = None if rebuild else index.live(project.collection)
        if live is not None:
            _check_source(live, project.collection, metadata.source)
        write_records(project.folder.structures, (draft.record for draft in source.structures()))
        write_records(project.folder.blocks, (draft.record for draft in source.blocks()))
        return publish_source(
            index, project.collection, metadata, source, project.settings.storage, rebuild=rebuild
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _notes(ledger: ParseLedger) -> list[str]:
    notes = []
    if ledger.bad_lines:
        notes.append(
            f"{ledger.bad_lines} unreadable lines in the dump: {'; '.join(ledger.first_bad)}"
        )
    if ledger.files_missing:
        notes.append(
            f"{ledger.files_missing} of {ledger.files_missing + ledger.files_read} files can't be read: "
            f"{', '.join(ledger.first_missing)}"
        )
    if ledger.packages > 1 and not ledger.references_between_packages:
        notes.append(
            f"no reference leads from one of the {ledger.packages} packages to another: rust-analyzer resolved no dependencies "
            "(no network, nothing vendored); `references` counts within packages only"
        )
    if ledger.first_stale:
        notes.append(
            f"{ledger.skipped['source_changed']} definitions do not stand where the dump says: {'; '.join(ledger.first_stale)}"
        )
    return notes
