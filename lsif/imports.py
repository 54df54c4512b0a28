"""Reads structures.jsonl files of other origin, in the format of Qdrant's code-search tutorial.

https://qdrant.tech/documentation/tutorials/code-search/
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from lsif.errors import StructuresError
from lsif.jsonl import read_lines
from lsif.record import keys_of
from lsif.structure import Context, Structure, make_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_LINE = 2**31 - 1


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
    for number, line in read_lines(path):
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
            f"{path} holds no structure{first}; expected one JSON object per line with the keys "
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
    context = _validated(Context, record["context"])
    fields = _validated(Structure, record)
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
        raise ValueError(f"id {point_id} is also in an earlier line")
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
    """Return the rules of a record's keys.

    The nested object and the digest have none, nor have lists: they name what is in another index.
    """
    return tuple(
        _Rule(
            key.name,
            key.kind,
            optional=not key.required or (record is Structure and key.name in _COMPUTED),
            default=None if key.required else key.default,
        )
        for key in keys_of(record)
        if key.name not in ("context", "digest") and key.kind is not tuple
    )


def _validated(record: type, table: dict[str, Any]) -> dict[str, Any]:
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
