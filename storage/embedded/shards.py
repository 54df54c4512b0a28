"""Creates and opens the shards of a generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qdrant_edge as edge

from storage.embedded.points import ShardPoints
from storage.schema import SPARSE, R

if TYPE_CHECKING:
    from pathlib import Path

    from storage.schema import Kind

_NEVER_KB = 1_000_000_000
"""Indexing threshold: no HNSW graph is built. At the sizes that fit one process it would cost
seconds and recall."""


def create_shard(
    folder: Path, dimensions: dict[str, int], kind: Kind[R], *, weighs_words: bool = False
) -> ShardPoints[R]:
    """Return an empty shard for records of the kind, with its payload indexes.

    With `weighs_words` the engine multiplies a query's words by their IDF.
    """
    folder.mkdir(parents=True)
    modifier = edge.Modifier.Idf if weighs_words else None
    sparse = {SPARSE: edge.EdgeSparseVectorParams(modifier=modifier)}
    config = edge.EdgeConfig(
        vectors={
            name: edge.EdgeVectorParams(size=dimensions[name], distance=edge.Distance.Cosine)
            for name in kind.vectors
        },
        sparse_vectors=sparse if kind.has_sparse else None,
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=_NEVER_KB),
        wal_enabled=False,
    )
    points = ShardPoints(folder, edge.EdgeShard.create(str(folder), config), kind)
    points.add_indexes(kind.indexes)
    return points


def load_shard(folder: Path, kind: Kind[R]) -> ShardPoints[R]:
    """Open a shard. One may be missing in a generation of an earlier version, which still opens."""
    return ShardPoints(folder, edge.EdgeShard.load(str(folder)) if folder.is_dir() else None, kind)
