"""Creates collections on a Qdrant server, as the settings [storage] say."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse

from storage.schema import SPARSE
from storage.server.generation import METADATA_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from storage.metadata import Metadata
    from storage.schema import Kind
    from storage.server.connection import Connection

_CONFLICT = 409


def create_collection(
    connection: Connection,
    name: str,
    dimensions: Mapping[str, int],
    kind: Kind[Any],
    metadata: Metadata | None = None,
) -> None:
    """Create an empty collection for records of the kind, with its payload indexes."""
    settings = connection.settings
    vectors = {
        vector: models.VectorParams(
            size=dimensions[vector],
            distance=models.Distance.COSINE,
            on_disk=settings.on_disk,
            datatype=models.Datatype(settings.datatype),
        )
        for vector in kind.vectors
    }
    sparse = (
        {SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)}
        if kind.has_sparse
        else None
    )

    def create() -> None:
        try:
            connection.client.create_collection(
                name,
                vectors_config=vectors,
                sparse_vectors_config=sparse,
                shard_number=settings.shard_number or None,
                replication_factor=settings.replication_factor or None,
                write_consistency_factor=settings.write_consistency_factor or None,
                hnsw_config=models.HnswConfigDiff(
                    m=settings.hnsw_m, ef_construct=settings.hnsw_ef_construct
                ),
                quantization_config=_quantization(settings.quantization),
                # The graph is built after the load; see ServerGeneration.finish.
                optimizers_config=models.OptimizersConfigDiff(indexing_threshold=0),
                metadata={METADATA_KEY: metadata.to_dict()} if metadata is not None else None,
            )
        except UnexpectedResponse as exc:
            # A conflict means that the answer to an earlier try was lost: the name is new.
            if exc.status_code != _CONFLICT:
                raise

    connection.call(f"create {name}", create)
    _index_fields(connection, name, models.PayloadSchemaType.KEYWORD, kind.keyword_fields)
    _index_fields(connection, name, models.PayloadSchemaType.BOOL, kind.bool_fields)
    _index_fields(connection, name, models.PayloadSchemaType.INTEGER, kind.integer_fields)


def _index_fields(
    connection: Connection, name: str, schema: models.PayloadSchemaType, fields: Iterable[str]
) -> None:
    for field in fields:
        with warnings.catch_warnings():
            # The client's local mode has no payload indexes, and warns.
            warnings.simplefilter("ignore", UserWarning)
            connection.call(
                f"index {field}",
                connection.client.create_payload_index,
                name,
                field,
                schema,
            )


def _quantization(kind: str) -> Any:
    if kind == "scalar":
        return models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        )
    if kind == "binary":
        return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
    return None
