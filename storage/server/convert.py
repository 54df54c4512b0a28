"""Filters and queries as the types of Qdrant's client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qdrant_client import models

from storage.sparse import SparseVector

if TYPE_CHECKING:
    from storage.query import Condition, Nearest, Value, Where


def server_filter(where: Where) -> models.Filter | None:
    """Return the conditions as a filter, None if there are none."""
    must: list[models.Condition] = [_condition(item) for item in where if not item.negated]
    must_not: list[models.Condition] = [_condition(item) for item in where if item.negated]
    return models.Filter(must=must or None, must_not=must_not or None) if where else None


def server_request(query: Nearest, limit: int) -> models.QueryRequest:
    """Return the query; `limit` is the number of points to ask for."""
    vector = query.vector
    return models.QueryRequest(
        query=models.SparseVector(**vector._asdict())
        if isinstance(vector, SparseVector)
        else vector.tolist(),
        using=query.using,
        limit=limit,
        with_payload=list(query.fields) or False,
        filter=server_filter(query.where),
    )


def _condition(condition: Condition) -> models.Condition:
    fields = (condition.field, *condition.others)
    alternatives = [_of_field(field, condition.values) for field in fields]
    return alternatives[0] if len(alternatives) == 1 else models.Filter(should=alternatives)


def _of_field(key: str, values: tuple[Value, ...]) -> models.Condition:
    if key == "id":
        return models.HasIdCondition(has_id=list[Any](values))
    if any(isinstance(value, bool) for value in values):  # MatchAny takes no booleans
        return models.Filter(
            should=[
                models.FieldCondition(key=key, match=models.MatchValue(value=value))
                for value in values
            ]
        )
    return models.FieldCondition(key=key, match=models.MatchAny(any=list[Any](values)))
