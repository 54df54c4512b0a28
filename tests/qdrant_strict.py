"""The limits of a collection that a hosted server may set for all ("strict mode")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qdrant_writes import Refusal

_TYPES = {bool: "bool", int: "integer", float: "float", str: "keyword"}


def check_limits(
    strict: Mapping[str, Any], query: Mapping[str, list[str]], body: Any, indexed: Mapping[str, Any]
) -> None:
    """Refuse a request that asks for more than the collection allows."""
    if not strict.get("enabled"):
        return
    for wait in query.get("timeout", ()):
        _at_most(int(wait), strict.get("max_timeout"), "timeout")
    if not isinstance(body, dict):
        return
    if isinstance(body.get("points"), list) and all(
        isinstance(point, dict) for point in body["points"]
    ):
        _at_most(len(body["points"]), strict.get("upsert_max_batchsize"), "upsert limit")
    searches = body.get("searches") or []
    _at_most(len(searches), strict.get("search_max_batchsize"), "search batch size")
    for request in searches or [body]:
        if isinstance(limit := request.get("limit"), int):
            _at_most(limit, strict.get("max_query_limit"), "limit")
        if request.get("exact") and strict.get("search_allow_exact") is False:
            raise Refusal(400, "Bad request: Exact search disabled!. Help: Set exact=false.")
        if strict.get("unindexed_filtering_retrieve") is False:
            _check_filter(request.get("filter") or {}, indexed)


def _at_most(wanted: int, allowed: int | None, what: str) -> None:
    if allowed is not None and wanted > allowed:
        raise Refusal(
            400,
            f'Bad request: Limit exceeded {wanted} > {allowed} for "{what}". '
            f'Help: Reduce the "{what}" parameter to or below {allowed}.',
        )


def _check_filter(given: Mapping[str, Any], indexed: Mapping[str, Any]) -> None:
    for condition in _conditions(given):
        if condition["key"] not in indexed:
            match = condition.get("match", {})
            value = match.get("value", next(iter(match.get("any", [""]))))
            raise Refusal(
                400,
                f'Bad request: Index required but not found for "{condition["key"]}" of one of '
                f"the following types: [{_TYPES[type(value)]}]. "
                "Help: Create an index for this key or use a different filter.",
            )


def _conditions(given: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for clause in ("must", "must_not", "should"):
        for condition in given.get(clause) or []:
            if "key" in condition:
                yield condition
            else:
                yield from _conditions(condition)
