"""What an index is asked for, and what it answers: filters, vectors, rows and scored points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from storage.sparse import SparseVector

Value: TypeAlias = str | int | bool


class Condition(NamedTuple):
    """What a payload field must hold: one of the values, or none of them if negated."""

    field: str
    """Nested ones with dots: `context.file_path`. `id` is the point's."""
    values: tuple[Value, ...]
    negated: bool = False
    others: tuple[str, ...] = ()
    """Other fields, one of which may hold one of the values instead."""


Where: TypeAlias = "Sequence[Condition]"
"""A filter: conditions that a point must meet, all of them."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """A query: the points nearest to a vector by a named vector."""

    using: str
    vector: NDArray[np.float32] | SparseVector
    limit: int
    where: Where = ()
    fields: tuple[str, ...] = ()
    """Scalar fields of the record that are returned, as in Points.select."""


class Row(NamedTuple):
    """A few fields of one stored record."""

    id: str
    values: tuple[Any, ...]
    """A Value for each field, in their order; None if it is absent or null."""


class ScoredPoint(NamedTuple):
    """One record that a search found."""

    id: str
    score: float
    """Cosine similarity, -1 to 1; of a sparse vector the dot product."""
    values: tuple[Any, ...] = ()
    """Those of Nearest.fields, as in Row."""


def values_of(payload: Mapping[str, Any], paths: Iterable[Sequence[str]]) -> tuple[Any, ...]:
    """Return the values at these paths of a payload's keys, None for those that are absent."""
    found = []
    for path in paths:
        value: Any = payload
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        found.append(value)
    return tuple(found)
