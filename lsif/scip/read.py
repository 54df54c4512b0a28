"""Reads an index into tables, a document at a time."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

from lsif.errors import DumpError
from lsif.paths import relative_path
from lsif.reader.elements import Document, MetaData
from lsif.reader.languages import language_of
from lsif.reader.streams import REMAKE
from lsif.scip import schema, wire
from lsif.scip.documents import DocumentReading
from lsif.scip.filling import Filling
from lsif.scip.occurrences import Occurrences
from lsif.scip.schema import text_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from lsif.reader.read import ReadLedger
    from lsif.reader.tables import Tables

ROOT = "file:///index"
"""Stands for the folder that the paths of documents are relative to, wherever it was."""

_ENCODINGS = {1: "utf-8", 2: "utf-16", 3: "utf-32"}
_HABITS = {
    "rust-analyzer": "utf-8", "scip-clang": "utf-8", "scip-go": "utf-8", "scip-ruby": "utf-8",
    "scip-dotnet": "utf-16", "scip-java": "utf-16", "scip-kotlin": "utf-16",
    "scip-python": "utf-16", "scip-typescript": "utf-16",
}  # fmt: skip
"""What indexers count columns in that don't say it. scip-python is written in TypeScript."""
_PATH = "/-._~!$&'()*+,;=:@"
"""Characters of a path that a URI has, too."""


def read_index(
    path: Path,
    file: BinaryIO,
    ledger: ReadLedger,
    *,
    max_bad: int,
    places: Path | None = None,
    root: Path | None = None,
) -> Tables:
    """Return the tables of the index; `ledger` counts documents, occurrences and symbols.

    `path` is only for messages. The places that refer to something are kept in files of the folder
    `places`, if one is given. Texts of documents are kept if `root` is given and lacks the files.

    Raises DumpError if the file is no index, is cut off, or has more than `max_bad` unreadable
    documents, occurrences and symbols.
    """
    ledger.format = "scip"
    reading = _Reading(path, ledger, max_bad, places, root)
    try:
        for field in wire.fields(file):
            reading.add(field)
    except wire.DamagedIndex as exc:
        what = "cut off" if exc.is_cut_off else "no SCIP index, or damaged"
        raise DumpError(f"{path} is {what} {exc}{reading.after}. {REMAKE}") from exc
    return reading.finish()


class _Reading:
    """One pass over an index."""

    def __init__(
        self,
        path: Path,
        ledger: ReadLedger,
        max_bad: int,
        places: Path | None,
        root: Path | None,
    ) -> None:
        self._path, self._ledger, self._max_bad, self._root = path, ledger, max_bad, root
        self._filling = Filling(places)
        self._documents: dict[str, int] = {}
        self._last = ""

    @property
    def after(self) -> str:
        """What was read last, for messages."""
        return f", after document {self._last}" if self._last else ""

    def add(self, field: wire.Field) -> None:
        """Add one field of the index."""
        self._ledger.lines += 1
        if field.number == wire.METADATA:
            self._add_metadata(field)
        elif not self._filling.tables.meta_seen:
            raise DumpError(
                f"{self._path} is no SCIP index: expected metadata as its first field, "
                f"found field {field.number} at byte {field.offset}. {REMAKE}"
            )
        elif field.number == wire.DOCUMENT:
            self._add_document(field)
        else:
            self._add_external_symbol(field)

    def finish(self) -> Tables:
        """Return the tables when all fields are added."""
        tables = self._filling.tables
        if not tables.meta_seen:
            raise DumpError(f"{self._path} is empty. {REMAKE}")
        return self._filling.finish(is_rust=tables.meta.is_rust_analyzers)

    def _add_metadata(self, field: wire.Field) -> None:
        try:
            metadata = schema.decode(schema.Metadata, field.data)
        except ValueError as exc:
            raise DumpError(
                f"{self._path} is no SCIP index, or damaged: metadata at byte {field.offset}: "
                f"{exc}. {REMAKE}"
            ) from exc
        name, version = text_of(metadata.tool_info.name), text_of(metadata.tool_info.version)
        self._filling.tables.meta = MetaData(
            ROOT, _HABITS.get(name, "utf-8"), f"{name} {version}".strip()
        )
        self._filling.tables.meta_seen = True

    def _add_document(self, field: wire.Field) -> None:
        place = f"document {len(self._documents) + 1} at byte {field.offset}"
        try:
            document, path = _decoded(field.data)
        except ValueError as exc:
            self._note_bad(place, exc)
            return
        self._last = path
        number = self._documents.setdefault(path, len(self._documents) + 1)
        tables = self._filling.tables
        if number not in tables.documents:
            tables.documents[number] = _document(number, path, document, self._root)
        self._ledger.lines += len(document.occurrences) + len(document.symbols)
        is_rust = tables.meta.is_rust_analyzers
        reading = DocumentReading(self._filling, number, document.symbols, is_rust=is_rust)
        occurrences = Occurrences(
            document,
            lambda at, exc: self._note_bad(f"{path} ({place}), occurrence {at + 1}", exc),
            reading.traits,
        )
        reading.add(occurrences)
        self._ledger.duplicate_symbols += reading.again

    def _add_external_symbol(self, field: wire.Field) -> None:
        try:
            information = schema.decode(schema.SymbolInformation, field.data)
        except ValueError as exc:
            self._note_bad(f"external symbol at byte {field.offset}", exc)
            return
        is_rust = self._filling.tables.meta.is_rust_analyzers
        reading = DocumentReading(self._filling, 0, [information], is_rust=is_rust)
        reading.add(None)
        self._ledger.duplicate_symbols += reading.again

    def _note_bad(self, place: str, exc: Exception) -> None:
        things = "documents, occurrences or symbols"
        self._ledger.note_bad(self._path, f"{place}: {exc}", self._max_bad, things)


def _decoded(data: bytes) -> tuple[schema.Document, str]:
    """Return a document and its path. Raises ValueError if it has none, or is damaged."""
    document = schema.decode(schema.Document, data)
    path = document.relative_path.decode("utf-8")
    if not path:
        raise ValueError("it has no path")
    return document, path


def _document(number: int, path: str, document: schema.Document, root: Path | None) -> Document:
    uri = f"{ROOT}/{quote(path, safe=_PATH)}"
    inside = relative_path(uri, ROOT, root) if root is not None and document.text else None
    is_wanted = root is not None and inside is not None and not (root / inside).exists()
    return Document(
        number,
        uri,
        language_of(text_of(document.language), path),
        base64.b64encode(document.text).decode() if is_wanted else None,
        _ENCODINGS.get(document.position_encoding),
    )
