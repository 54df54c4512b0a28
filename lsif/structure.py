"""The record that everything passes on: one definition, one line of structures.jsonl, one point.

The first block of keys is the format that Qdrant's code-search tutorial publishes
(https://qdrant.tech/documentation/tutorials/code-search/), the second block is this project's own.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import orjson

from lsif.errors import StructuresError
from lsif.record import OUTSIDE_DIGEST, JsonLine, R, digest_of, keys_of, uuid5
from machine.files import atomic_writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

CodeType: TypeAlias = Literal[
    "Function", "Struct", "Enum", "Union", "Trait", "TypeAlias", "Const", "Static", "Macro",
    "Module", "Class", "Interface",
]  # fmt: skip
"""Rust has no Class and no Interface; other languages' dumps may."""

_NAMESPACE = uuid.UUID("6f1c52c8-6b5c-5c0e-9d6e-0f1d3f6d5a10").bytes
"""Of all structure ids; chosen once. Another namespace would give every definition another id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(JsonLine):
    """The place of a structure in the repository."""

    module: str
    """Name of the file's folder."""
    file_path: str
    """POSIX path relative to the repository's root."""
    file_name: str = ""
    struct_name: str | None = None
    """The type of the surrounding impl, without generics; in a trait's body, the trait."""
    snippet: str
    """The file's lines line_from..line_to as they are, carriage returns included, each ended by a
    newline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure(JsonLine):
    """One definition. Lines are 1-based and inclusive.

    To add a field, add a line here, with a default: older files and indexes lack it. By default
    it is part of the digest, so that the next run updates every point.
    """

    name: str
    signature: str
    """The declaration as in the source, without visibility, attributes, comments and body, on one
    line."""
    code_type: str
    """A CodeType; other values of an imported structures.jsonl are kept."""
    docstring: str | None = None
    """Markdown without comment markers."""
    line: int = field(metadata=OUTSIDE_DIGEST)
    """Of the name."""
    line_from: int = field(metadata=OUTSIDE_DIGEST)
    """Of the first documentation comment or attribute that belongs to the definition."""
    line_to: int = field(metadata=OUTSIDE_DIGEST)
    context: Context
    id: str = field(metadata=OUTSIDE_DIGEST)
    """UUID; it stays the same while project, crate, symbol and file do, wherever the lines move."""
    symbol: str
    """Path as rustc writes it: `cache::Cache<K, V>::insert`, `geo::<Circle as Shape>::area`."""
    crate: str = ""
    module_path: str
    """`crate::outer::inner`, inline modules included."""
    trait_name: str | None = None
    """The trait, without path and generics, of the surrounding impl or trait body."""
    visibility: str = ""
    """As in the source: `pub`, `pub(crate)` ...; `private` if it has none; `inherited` in a trait's
    impl; members of a trait have the trait's own; empty if unknown."""
    is_test: bool = False
    docs_inherited: bool = False
    """Whether the docstring is that of the trait's member."""
    references: int = field(default=0, metadata=OUTSIDE_DIGEST)
    """Number of places that refer to it, as far as the dump knows them."""
    referencing_files: int = field(default=0, metadata=OUTSIDE_DIGEST)
    """Number of files with such places."""
    digest: str = field(default="", metadata=OUTSIDE_DIGEST)
    """32 hex digits, computed if not given. Structures of one digest embed and search alike."""

    def __post_init__(self) -> None:
        """Compute the digest if there is none."""
        if not self.digest:
            object.__setattr__(self, "digest", digest_of(self))

    def to_payload(self) -> dict[str, Any]:
        """Return the record as a point's payload."""
        return self.to_dict()


_MAX_LINE = 2**31 - 1


def make_id(project: str, crate: str, symbol: str, file_path: str, ordinal: int) -> str:
    """Return the id of the `ordinal`-th (0-based, by line) definition of `symbol` in the file."""
    return uuid5(_NAMESPACE, "\0".join((project, crate, symbol, file_path, str(ordinal))))


def with_digest(fields: Mapping[str, Any]) -> Structure:
    """Return the structure of plain JSON fields; its digest is computed, whatever `fields` says."""
    return Structure.from_dict({**fields, "digest": ""})


class SequenceDigest:
    """A digest of records in their order, by which two stages know that they read the same."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)

    def add(self, record: R) -> R:
        """Take the record into account, and return it."""
        self._digest.update(f"{record.id}{record.digest}".encode())
        return record

    def hexdigest(self) -> str:
        """Return 32 hex digits."""
        return self._digest.hexdigest()


def write_structures(path: Path, structures: Iterable[Structure]) -> None:
    """Write structures.jsonl at `path` as a whole or not at all (temporary file, fsync, rename)."""
    _write(path, (structure.to_json() for structure in structures))


def write_records(path: Path, records: Iterable[JsonLine]) -> None:
    """Write one record a line at `path` as a whole or not at all."""
    _write(path, (record.to_json() for record in records))


def _write(path: Path, lines: Iterable[bytes]) -> None:
    try:
        with atomic_writer(path) as file:
            for line in lines:
                file.write(line)
    except OSError as exc:
        raise StructuresError(f"can't write {path}: {exc.strerror or exc}") from exc


def read_structures(path: Path) -> Iterator[Structure]:
    """Yield the structures of a file that this project wrote.

    Raises StructuresError with the line's number if one is malformed.
    """
    for number, _, line in read_lines(path):
        try:
            yield parse_structure(line)
        except (ValueError, TypeError, KeyError) as exc:
            raise StructuresError(
                f"{path}, line {number}: {exc}. Write it again with `lsif-ingest parse`."
            ) from exc


def parse_structure(line: bytes) -> Structure:
    """Return the structure of one line that `to_json` wrote."""
    return Structure.from_dict(orjson.loads(line))


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
    """Yield the structures of a file in the tutorial's format, completed by our own keys.

    Malformed lines are skipped and counted in `ledger`. Raises StructuresError if no line is left.
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
    """Return the structure of a line's object; what is computed here may be absent there."""
    if not isinstance(record, dict) or not isinstance(record["context"], dict):
        raise TypeError("expected a JSON object with an object `context`")
    context = _checked(Context, record["context"])
    fields = _checked(Structure, record)
    module, file_path = context["module"], context["file_path"]
    if not context["file_name"]:
        context["file_name"] = PurePosixPath(file_path).name
    crate = fields["crate"]
    symbol = fields["symbol"] = fields["symbol"] or "::".join(
        part for part in (module, context["struct_name"], fields["name"]) if part
    )
    ordinal = seen[crate, symbol, file_path] = seen.get((crate, symbol, file_path), -1) + 1
    given = fields["id"]
    point_id = fields["id"] = (
        make_id(project, crate, symbol, file_path, ordinal)
        if given is None
        else str(uuid.UUID(given))
    )
    line_from, line_to = fields["line_from"], fields["line_to"]
    if not 1 <= line_from <= line_to <= _MAX_LINE:
        raise ValueError(
            f"expected lines with 1 <= line_from <= line_to, found {line_from} and {line_to}"
        )
    if point_id in ids:
        raise ValueError(f"id {point_id} stands in an earlier line")
    ids.add(point_id)
    fields["module_path"] = fields["module_path"] or module
    fields["context"] = Context(**context)
    return Structure(**fields)


_COMPUTED = ("id", "symbol", "module_path")
"""Required keys of a structure that the import fills in if they are absent."""


class _Rule(NamedTuple):
    """What an imported value of a key must be."""

    name: str
    kind: type
    optional: bool
    default: object


@cache
def _rules(record: type) -> tuple[_Rule, ...]:
    """Return the rules of a record's keys; the nested object and the digest have none."""
    return tuple(
        _Rule(
            key.name,
            key.kind,
            optional=not key.required or (record is Structure and key.name in _COMPUTED),
            default=None if key.required else key.default,
        )
        for key in keys_of(record)
        if key.name not in ("context", "digest")
    )


def _checked(record: type, table: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the record's keys; optional ones that are absent have their default.

    Raises KeyError if another key is missing, TypeError if a value is of another type.
    """
    values: dict[str, Any] = {}
    for name, kind, optional, default in _rules(record):
        value = table.get(name) if optional else table[name]
        if type(value) is kind:  # exactly: True is no line number
            values[name] = value
        elif value is None and optional:
            values[name] = default
        else:
            raise TypeError(f"key {name}: expected {kind.__name__}, found {value!r:.60}")
    return values
