"""Creates collections on a Qdrant server, as the settings [storage] say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse

from storage.schema import SPARSE
from storage.server.points import ServerPoints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from configs.settings import StorageSettings
    from storage.schema import Kind
    from storage.server.connection import Connection

_CONFLICT = 409


def create_collection(
    connection: Connection,
    name: str,
    dimensions: Mapping[str, int],
    kind: Kind[Any],
    metadata: Mapping[str, Any],
    *,
    weighs_words: bool = False,
) -> None:
    """Create an empty collection for records of the kind, with its payload indexes.

    `metadata` is what the server keeps with it. With `weighs_words` the server multiplies a query's
    words by their IDF, as each shard sees it.
    """
    settings = connection.settings
    modifier = models.Modifier.IDF if weighs_words else None
    sparse = {SPARSE: models.SparseVectorParams(modifier=modifier)} if kind.has_sparse else None

    def create() -> None:
        try:
            connection.client.create_collection(
                name,
                vectors_config=_vectors(settings, dimensions, kind),
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
                metadata=dict(metadata) or None,
            )
        except UnexpectedResponse as exc:
            # A conflict means that the answer to an earlier try was lost: the name is new.
            if exc.status_code != _CONFLICT:
                raise

    connection.call(f"create {name}", create)
    ServerPoints(connection, name, kind).add_indexes(kind.indexes)


def _vectors(
    settings: StorageSettings, dimensions: Mapping[str, int], kind: Kind[Any]
) -> dict[str, models.VectorParams]:
    return {
        vector: models.VectorParams(
            size=dimensions[vector],
            distance=models.Distance.COSINE,
            on_disk=settings.on_disk,
            datatype=models.Datatype(settings.datatype),
        )
        for vector in kind.vectors
    }


def _quantization(kind: str) -> Any:
    if kind == "scalar":
        return models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        )
    if kind == "binary":
        return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
    return None
