"""A structure as flat JSON: what `--json` prints, HTTP sends and MCP is made of.

The keys are read from the fields of lsif.structure.Structure, those of its context among them, so
a field that is added there appears in every answer, in OpenAPI and in the MCP tools by itself.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from textwrap import dedent
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from lsif.structure import Structure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_LEFT_OUT = (
    *("file_name", "docs_inherited", "referencing_files", "digest"),
    *("refers_to", "uses", "uses_called", "may_refer_to", "implements"),
)
"""Fields that a hit does not show."""
_FIRST = (
    *("id", "name", "symbol", "code_type", "crate", "module", "module_path", "struct_name"),
    *("trait_name", "visibility", "is_test", "signature", "docstring", "summary", "references"),
    *("tested_by", "file_path", "line", "line_from", "line_to", "snippet"),
)
"""The order of the keys as it was released. Keys that are not named here follow."""


class FlatKey(NamedTuple):
    """One key of the flat JSON."""

    name: str
    type: Any
    """The type hint of the field."""
    read: Callable[[Structure], Any]
    """Returns the value of a structure."""


def summary_of(structure: Structure) -> str | None:
    """Return the first line of the documentation."""
    lines = (structure.docstring or "").splitlines()
    return next((line.strip() for line in lines if line.strip()), None)


@cache
def record_keys() -> dict[str, FlatKey]:
    """Return the keys of a structure's flat JSON by name, in order."""
    keys = [key for key in _keys_of(Structure) if key.name not in _LEFT_OUT]
    keys.append(FlatKey("summary", str | None, summary_of))
    order = {name: position for position, name in enumerate(_FIRST)}
    keys.sort(key=lambda key: order.get(key.name, len(order)))
    return {key.name: key for key in keys}


def flatten(structure: Structure, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the structure as flat JSON data; with only the keys `names`, if these are given."""
    keys = record_keys()
    return {name: keys[name].read(structure) for name in (keys if names is None else names)}


@cache
def record_docs() -> dict[str, str]:
    """Return the docstrings of the fields by their names; none if the source is not at hand."""
    return {"summary": "The first line of the documentation.", **dict(_docs_of(Structure))}


def _keys_of(record: type, prefix: str = "") -> Iterator[FlatKey]:
    hints = get_type_hints(record)
    for field in fields(record):
        hint = hints[field.name]
        if is_dataclass(hint) and isinstance(hint, type):
            yield from _keys_of(hint, f"{prefix}{field.name}.")
        else:
            yield FlatKey(field.name, hint, attrgetter(prefix + field.name))


def _docs_of(record: type) -> Iterator[tuple[str, str]]:
    """Yield (field, docstring below it) of a dataclass, nested ones included."""
    for hint in get_type_hints(record).values():
        if is_dataclass(hint) and isinstance(hint, type):
            yield from _docs_of(hint)
    try:
        (definition,) = ast.parse(dedent(inspect.getsource(record))).body
    except OSError:
        return
    if not isinstance(definition, ast.ClassDef):
        return
    for statement, following in zip(definition.body, definition.body[1:], strict=False):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, " ".join(text.split())
