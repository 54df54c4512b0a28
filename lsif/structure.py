"""The record that flows through the project: one definition of the source, one line of structures.jsonl, one point.

The first block of keys is the format that Qdrant's code-search tutorial publishes
(https://qdrant.tech/documentation/tutorials/code-search/), the second block is this project's own.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

import orjson

from lsif.errors import StructuresError
from machine.files import atomic_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

CodeType: TypeAlias = Literal[
    "Function", "Struct", "Enum", "Union", "Trait", "TypeAlias", "Const", "Static", "Macro", "Module", "Class", "Interface"
]  # fmt: skip
"""Rust has no Class and no Interface; other languages' dumps may."""


class Record(Protocol):
    """What has an identity and a content: a structure or a block."""

    @property
    def id(self) -> str:
        """UUID."""

    @property
    def digest(self) -> str:
        """Of what is embedded and shown."""


R = TypeVar("R", bound=Record)

_NAMESPACE = uuid.UUID("6f1c52c8-6b5c-5c0e-9d6e-0f1d3f6d5a10")
"""Of all structure ids; chosen once. Another namespace would give every definition another id."""


@dataclass(frozen=True, slots=True)
class Context:
    """Where a structure stands."""

    module: str
    """Name of the file's folder."""
    file_path: str
    """POSIX path relative to the repository's root."""
    file_name: str
    struct_name: str | None
    """The type, without generics, whose impl (or the trait whose body) the definition stands in."""
    snippet: str
    """The file's lines line_from..line_to as they are (carriage returns included), each ended by a newline."""


@dataclass(frozen=True, slots=True)
class Structure:
    """One definition. Lines are 1-based and inclusive."""

    name: str
    signature: str
    """The declaration as in the source, without visibility, attributes, comments and body; whitespace folded."""
    code_type: str
    """A CodeType; what a structures.jsonl of other origin says is kept."""
    docstring: str | None
    """Markdown without comment markers."""
    line: int
    """Of the name."""
    line_from: int
    """Of the first documentation comment or attribute that belongs to the definition."""
    line_to: int
    context: Context
    id: str
    """UUID, the same as long as project, crate, symbol and file are the same, wherever the lines move."""
    symbol: str
    """Path as rustc writes it: `cache::Cache<K, V>::insert`, `geometry::<Circle as Shape>::area`."""
    crate: str
    module_path: str
    """`crate::outer::inner`, inline modules included."""
    trait_name: str | None
    """The trait, without path and generics, that the impl is of or whose body the definition stands in."""
    visibility: str
    """As in the source: `pub`, `pub(crate)`, ...; `private` where it has none; `inherited` in a trait's impl; a trait's
    members have the trait's own; `` where unknown."""
    is_test: bool
    docs_inherited: bool
    """Whether the docstring is that of the trait's member."""
    references: int
    """Places that refer to it, as far as the dump knows them."""
    referencing_files: int
    """Files that these stand in."""
    digest: str
    """Of everything but id, lines and references: two structures of one digest embed and search alike."""

    def to_json(self) -> bytes:
        """Return the record as one line of JSON, newline included, keys in the order of the fields."""
        return orjson.dumps(self, option=orjson.OPT_APPEND_NEWLINE)

    def to_payload(self) -> dict[str, Any]:
        """Return the record as a point's payload."""
        payload: dict[str, Any] = orjson.loads(orjson.dumps(self))
        return payload


_MAX_LINE = 2**31 - 1


def make_id(project: str, crate: str, symbol: str, file_path: str, ordinal: int) -> str:
    """Return the id of the `ordinal`-th (0-based, by line) definition of `symbol` in the file."""
    return str(uuid.uuid5(_NAMESPACE, "\0".join((project, crate, symbol, file_path, str(ordinal)))))


def make_digest(fields: dict[str, Any]) -> str:
    """Return the digest (32 hex digits) of a record's fields."""
    return hashlib.blake2b(orjson.dumps(fields), digest_size=16).hexdigest()


_NOT_IN_DIGEST = ("id", "line", "line_from", "line_to", "references", "referencing_files", "digest")


def with_digest(fields: dict[str, Any]) -> Structure:
    """Return the structure of all `fields` but digest, which is computed; `context` is a dict too."""
    digest = make_digest({key: value for key, value in fields.items() if key not in _NOT_IN_DIGEST})
    return Structure(**{**fields, "context": Context(**fields["context"]), "digest": digest})


class SequenceDigest:
    """A digest of records in their order: two stages that read one file find out whether they read the same."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)

    def add(self, record: R) -> R:
        """Take the record into account, and return it."""
        self._digest.update(f"{record.id}{record.digest}".encode())
        return record

    def hexdigest(self) -> str:
        """Return 32 hex digits."""
        return self._digest.hexdigest()


def write_structures(
    path: Path, structures: Iterable[Structure], *, sink: Callable[[bytes], None] | None = None
) -> None:
    """Write structures.jsonl at `path` as a whole or not at all (temporary file, fsync, rename); `sink` is given each line, too."""

    def lines() -> Iterator[bytes]:
        for structure in structures:
            line = structure.to_json()
            if sink is not None:
                sink(line)
            yield line

    _write(path, lines())


def write_records(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object a line at `path` as a whole or not at all."""
    _write(path, (orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records))


def _write(path: Path, lines: Iterable[bytes]) -> None:
    try:
        with atomic_writer(path) as file:
            for line in lines:
                file.write(line)
    except OSError as exc:
        raise StructuresError(f"can't write {path}: {exc.strerror or exc}") from exc


def read_structures(path: Path) -> Iterator[Structure]:
    """Yield the structures of a file that this project wrote. Raises StructuresError with the line where one is malformed."""
    for number, _, line in read_lines(path):
        try:
            yield parse_structure(line)
        except (ValueError, TypeError, KeyError) as exc:
            raise StructuresError(
                f"{path}, line {number}: {exc}. Write it again with `lsif-ingest parse`."
            ) from exc


def parse_structure(line: bytes) -> Structure:
    """Return the structure of one line that `to_json` wrote."""
    fields = orjson.loads(line)
    return Structure(**{**fields, "context": Context(**fields["context"])})


def read_lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (1-based line number, byte offset, line) of each line that is not blank."""
    offset = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.isspace():
                    yield number, offset, line
                offset += len(line)
    except OSError as exc:
        raise StructuresError(f"can't read {path}: {exc.strerror or exc}") from exc


@dataclass
class ImportLedger:
    """What became of the lines of a structures.jsonl of other origin."""

    lines: int = 0
    structures: int = 0
    skipped: int = 0
    first_skipped: list[str] = field(default_factory=list)
    """The first three skipped lines, as `line N: why`; N is 1-based."""


def import_structures(path: Path, project: str, ledger: ImportLedger) -> Iterator[Structure]:
    """Yield the structures of a file in the tutorial's format, with this project's own keys filled in where they are absent.

    Malformed lines are skipped and counted in `ledger`; StructuresError is raised where no line is a structure.
    """
    seen: dict[tuple[str, str, str], int] = {}
    ids: set[str] = set()
    for number, _, line in read_lines(path):
        ledger.lines += 1
        try:
            structure = _import_record(orjson.loads(line), project, seen, ids)
        except (ValueError, TypeError, KeyError) as exc:
            ledger.skipped += 1
            if len(ledger.first_skipped) < 3:  # noqa: PLR2004 - enough to see the pattern
                ledger.first_skipped.append(f"line {number}: {_describe(exc)}")
            continue
        ledger.structures += 1
        yield structure
    if not ledger.structures:
        first = f" ({ledger.first_skipped[0]})" if ledger.first_skipped else ""
        raise StructuresError(
            f"{path} holds no structure{first}; expected one JSON object a line with the keys "
            "name, signature, code_type, docstring, line, line_from, line_to, context."
        )


def _describe(exc: Exception) -> str:
    return f"key {exc} is missing" if isinstance(exc, KeyError) else str(exc)


def _import_record(
    record: dict[str, Any], project: str, seen: dict[tuple[str, str, str], int], ids: set[str]
) -> Structure:
    if not isinstance(record, dict) or not isinstance(record["context"], dict):
        raise TypeError("expected a JSON object with an object `context`")
    context = record["context"]
    name, module, file_path = (
        _typed(record, "name", str),
        _typed(context, "module", str),
        _typed(context, "file_path", str),
    )
    struct_name = _typed(context, "struct_name", str, optional=True)
    symbol = _typed(record, "symbol", str, optional=True) or "::".join(
        part for part in (module, struct_name, name) if part
    )
    crate = _typed(record, "crate", str, optional=True) or ""
    ordinal = seen[crate, symbol, file_path] = seen.get((crate, symbol, file_path), -1) + 1
    given = _typed(record, "id", str, optional=True)
    point_id = (
        str(uuid.UUID(given))
        if given is not None
        else make_id(project, crate, symbol, file_path, ordinal)
    )
    line_from, line_to = _typed(record, "line_from", int), _typed(record, "line_to", int)
    if not 1 <= line_from <= line_to <= _MAX_LINE:
        raise ValueError(
            f"expected lines with 1 <= line_from <= line_to, found {line_from} and {line_to}"
        )
    if point_id in ids:
        raise ValueError(f"id {point_id} stands in an earlier line")
    ids.add(point_id)
    return with_digest(
        {
            "name": name,
            "signature": _typed(record, "signature", str),
            "code_type": _typed(record, "code_type", str),
            "docstring": _typed(record, "docstring", str, optional=True),
            "line": _typed(record, "line", int),
            "line_from": line_from,
            "line_to": line_to,
            "context": {
                "module": module,
                "file_path": file_path,
                "file_name": _typed(context, "file_name", str, optional=True)
                or PurePosixPath(file_path).name,
                "struct_name": struct_name,
                "snippet": _typed(context, "snippet", str),
            },
            "id": point_id,
            "symbol": symbol,
            "crate": crate,
            "module_path": _typed(record, "module_path", str, optional=True) or module,
            "trait_name": _typed(record, "trait_name", str, optional=True),
            "visibility": _typed(record, "visibility", str, optional=True) or "",
            "is_test": _typed(record, "is_test", bool, optional=True) or False,
            "docs_inherited": _typed(record, "docs_inherited", bool, optional=True) or False,
            "references": _typed(record, "references", int, optional=True) or 0,
            "referencing_files": _typed(record, "referencing_files", int, optional=True) or 0,
        }
    )


def _typed(table: dict[str, Any], key: str, kind: type, *, optional: bool = False) -> Any:
    """Return table[key], checked to be of `kind` (or absent or null where `optional`)."""
    value = table.get(key) if optional else table[key]
    if (value is None and optional) or (
        isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    ):
        return value
    raise TypeError(f"key {key}: expected {kind.__name__}, found {value!r:.60}")
