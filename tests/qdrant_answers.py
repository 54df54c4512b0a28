"""Shapes and texts of a Qdrant server's answers, as version 1.17.1 gives them."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic_core import to_json
from qdrant_client import models
from qdrant_writes import Refusal

_PARAMS: dict[str, Any] = {
    "shard_number": 1,
    "replication_factor": 1,
    "write_consistency_factor": 1,
    "on_disk_payload": True,
}
_HNSW: dict[str, Any] = {
    "m": 16,
    "ef_construct": 100,
    "full_scan_threshold": 10000,
    "max_indexing_threads": 0,
    "on_disk": False,
}
_OPTIMIZER: dict[str, Any] = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 0,
    "max_segment_size": None,
    "memmap_threshold": None,
    "indexing_threshold": 10000,
    "flush_interval_sec": 5,
    "max_optimization_threads": None,
    "prevent_unoptimized": None,
}
_WAL = {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1}
_NO_ID = "is not a valid point ID, valid values are either an unsigned integer or a UUID"


def config_fields(made: Mapping[str, Any], metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a collection's configuration: what it was made with, and the server's own values."""
    given = copy.deepcopy(dict(made))
    params = {key: given[key] for key in models.CollectionParams.model_fields if key in given}
    config = {
        "params": {**_PARAMS, **params},
        "hnsw_config": {**_HNSW, **given.get("hnsw_config", {})},
        "optimizer_config": {**_OPTIMIZER, **given.get("optimizers_config", {})},
        "wal_config": _WAL,
        "quantization_config": given.get("quantization_config"),
    }
    if strict := given.get("strict_mode_config"):
        config["strict_mode_config"] = strict
    if metadata:
        config["metadata"] = dict(metadata)
    return config


def point_fields(point: BaseModel, payload: object = None) -> dict[str, Any]:
    """Return a record or a hit without what it has not; an empty payload shows if asked for."""
    fields = {name: value for name, value in point if value is not None}
    if payload is not None and payload is not False:
        fields.setdefault("payload", {})
    return fields


def snapshot_fields(name: str, content: bytes, checksum: str) -> dict[str, Any]:
    """Return what is said of a snapshot."""
    return {
        "name": name,
        "creation_time": "2026-01-01T00:00:00",
        "size": len(content),
        "checksum": checksum,
    }


def no_facet(key: str) -> str:
    """Return why a field has no facet."""
    return (
        f"Wrong input: No appropriate index for faceting: `{key}`. Please create one to facet on "
        "this field. Check https://qdrant.tech/documentation/concepts/indexing/#payload-index "
        "to see which payload schemas support Match conditions"
    )


def malformed(body: bytes, error: ValueError) -> str:
    """Return what is wrong with a body that is not JSON, or of another form."""
    text = str(error)
    if isinstance(error, orjson.JSONDecodeError) and "end of data" in text:
        text = f"EOF while parsing an object at line 1 column {len(body)}"
    return f"Format error in JSON body: {text}"


def check_upsert(body: Mapping[str, Any]) -> None:
    """Refuse an upsert that no collection takes, as it came."""
    if "points" not in body and "batch" not in body:
        raise Refusal(400, "Format error in JSON body: Invalid PointInsertOperations format")
    ids = list(_ids(body))
    check_ids(ids)
    if not ids:
        raise Refusal(400, "Bad request: Empty update request")


def check_ids(ids: list[Any], where: str = "") -> None:
    """Refuse ids that are neither unsigned integers nor UUIDs."""
    for point_id in ids:
        if not _is_id(point_id):
            value = to_json(point_id).decode().strip('"')
            raise Refusal(400, f"Format error in JSON body: value {value} {_NO_ID}{where}")


def _ids(body: Mapping[str, Any]) -> Iterator[Any]:
    if isinstance(body.get("points"), list):
        yield from (point.get("id") for point in body["points"])
    elif isinstance(body.get("batch"), dict):
        yield from body["batch"].get("ids", ())


def _is_id(point_id: Any) -> bool:
    if isinstance(point_id, bool):
        return False
    if isinstance(point_id, int):
        return 0 <= point_id < 2**64
    try:
        uuid.UUID(point_id)
    except (ValueError, AttributeError, TypeError):
        return False
    return True
