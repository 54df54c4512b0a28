"""Points, filters and queries as the types of Qdrant's embedded engine."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import qdrant_edge as edge

from storage.errors import StorageError
from storage.schema import BOOL_FIELDS, shadow_of, with_shadows
from storage.sparse import SparseVector

if TYPE_CHECKING:
    from storage.index import Point
    from storage.query import Condition, Nearest, Where


def edge_point(point: Point) -> edge.Point:
    """Return the point, with shadows of its boolean fields."""
    # Arrays are faster than lists.
    vectors: dict[str, Any] = {
        name: array("f", vector.tobytes()) for name, vector in point.vectors.items()
    }
    vectors.update({name: edge.SparseVector(*vector) for name, vector in point.sparse.items()})
    return edge.Point(id=point.id, vector=vectors, payload=with_shadows(point.payload))


def _condition(condition: Condition) -> Any:
    fields = (condition.field, *condition.others)
    alternatives = [_of_field(field, list[Any](condition.values)) for field in fields]
    return alternatives[0] if len(alternatives) == 1 else edge.Filter(should=alternatives)


def _of_field(key: str, values: list[Any]) -> Any:
    if key == "id":
        return edge.HasIdCondition(set(values))
    if any(isinstance(value, bool) for value in values):
        if key not in BOOL_FIELDS:
            raise StorageError(
                f"can't filter by {key}: these boolean fields can be filtered by: "
                f"{', '.join(BOOL_FIELDS)}."
            )
        key, values = shadow_of(key), [str(value) for value in values]
    return edge.FieldCondition(key=key, match=edge.MatchAny(values))


def edge_filter(where: Where) -> edge.Filter | None:
    """Return the conditions as a filter, None if there are none."""
    must: list[Any] = [_condition(item) for item in where if not item.negated]
    must_not: list[Any] = [_condition(item) for item in where if item.negated]
    return edge.Filter(must=must or None, must_not=must_not or None) if where else None


def edge_request(query: Nearest) -> edge.QueryRequest:
    """Return the query."""
    vector: Any = (
        edge.SparseVector(*query.vector)
        if isinstance(query.vector, SparseVector)
        else query.vector.tolist()
    )
    return edge.QueryRequest(
        query=edge.Query.Nearest(vector, using=query.using),
        limit=query.limit,
        with_payload=list(query.fields) or False,
        filter=edge_filter(query.where),
    )
