"""A map of the structures: their `text` vectors on a plane, with neighbours near each other.

Principal components first, then t-SNE (van der Maaten and Hinton, 2008). A picture, not a measure.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from machine.files import atomic_writer
from search import limits
from search.record import flatten
from storage.points import READ_AT_ONCE, batched

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from storage.index import Generation

_COMPONENTS = 50
_FEWEST = 10
"""With fewer points, principal components alone are used."""
MAP_KEYS = ("crate", "code_type", "symbol", "file_path", "line")
"""Keys of search.record that the map has of each structure."""


def make_map(generation: Generation) -> dict[str, Any]:
    """Return the map as plain data.

    It has the `total` of structures, whether they are `sampled`, and `points` with x and y from -1
    to 1.
    """
    total = generation.structures.count()
    step = max(1, -(-total // limits.MAP))
    ids = (row.id for row in islice(generation.structures.select(()), None, None, step))
    batches = map(generation.structures.retrieve, batched(ids, READ_AT_ONCE))
    chosen = sorted(chain.from_iterable(batches), key=lambda point: point.id)
    vectors = np.array([point.vectors["text"] for point in chosen], dtype=np.float32)
    points = [
        {
            "id": point.id,
            "x": round(float(x), 4),
            "y": round(float(y), 4),
            **flatten(point.record, MAP_KEYS),
        }
        for point, (x, y) in zip(chosen, on_a_plane(vectors), strict=True)
    ]
    return {"state": "ready", "sampled": step > 1, "total": total, "points": points}


def on_a_plane(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, 2) float32, each coordinate from -1 to 1; the same for the same vectors."""
    count = len(vectors)
    if count < 2 or not np.ptp(vectors, axis=0).any():  # noqa: PLR2004 - nothing to lay out
        return np.zeros((count, 2), dtype=np.float32)
    from sklearn.decomposition import PCA  # noqa: PLC0415 - with the next: takes a second
    from sklearn.manifold import TSNE  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    parts = min(_COMPONENTS, count, vectors.shape[1])
    reduced = PCA(
        n_components=parts, svd_solver="covariance_eigh" if count > parts else "full"
    ).fit_transform(vectors)
    if count < _FEWEST:
        placed = np.zeros((count, 2), dtype=np.float32)
        placed[:, : min(2, parts)] = reduced[:, :2]
    else:
        perplexity = min(30.0, (count - 1) / 3)
        # Searches continue meanwhile, and on busy cores its threads would wait for each other.
        with threadpool_limits(1):
            placed = TSNE(
                init="pca", perplexity=perplexity, random_state=0, n_jobs=1
            ).fit_transform(reduced)
    placed = placed - (placed.max(axis=0) + placed.min(axis=0)) / 2
    return np.asarray(placed / max(float(np.abs(placed).max()), 1e-9), dtype=np.float32)


def read_map(path: Path, generation: str) -> dict[str, Any] | None:
    """Return the map that was saved for the generation, None if there is none."""
    try:
        kept = orjson.loads(path.read_bytes())
        return dict(kept["map"]) if kept["generation"] == generation else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_map(path: Path, generation: str, made: dict[str, Any]) -> None:
    """Save the map of a generation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_writer(path) as file:
        file.write(orjson.dumps({"generation": generation, "map": made}))
