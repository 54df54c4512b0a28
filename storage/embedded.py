"""Qdrant's own engine in the process (qdrant-edge-py): a generation is a folder, the live one is named by one small file.

    <root>/<collection>/live.json                     {"generation": name}, replaced atomically
    <root>/<collection>/lock                          held while a generation is built
    <root>/<collection>/<generation>/metadata.json
    <root>/<collection>/<generation>/shard/           the engine's files

No write-ahead log is kept: a generation is flushed before it is published and never changed afterwards, so any number of
processes may search it at once. Below tens of thousands of points the engine scans all vectors: exact, and fast enough.
"""

from __future__ import annotations

import logging
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import filelock
import orjson
import qdrant_edge as edge

from configs.atomic import atomic_writer
from storage.errors import IndexLocked, IndexMissing, StorageError
from storage.index import ScoredPoint
from storage.schema import BOOL_FIELDS, KEYWORD_FIELDS, read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from storage.index import Generation, Point, Where
    from storage.schema import Metadata

logger = logging.getLogger(__name__)

_SCROLL_PAGE = 1000
_NEVER_KB = 1_000_000_000
"""Indexing threshold: no HNSW graph is built; it would cost seconds and recall at the sizes that one process holds."""


class EmbeddedIndex:
    """Collections under the folder `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._opened: list[EmbeddedGeneration] = []

    @property
    def location(self) -> str:
        """The folder."""
        return str(self._root)

    def collections(self) -> list[str]:
        """Return the names of the published collections, sorted."""
        return sorted(path.parent.name for path in self._root.glob("*/live.json"))

    def live(self, collection: str) -> Generation | None:
        """Return the published generation, None where nothing is published under the name."""
        for _ in range(3):  # another process may publish, and drop what was named, between reading the name and opening it
            name = self._live_name(collection)
            if name is None:
                return None
            folder = self._root / collection / name
            try:
                return self._remember(EmbeddedGeneration.open(folder))
            except IndexMissing:
                if name == self._live_name(collection):
                    raise
        raise IndexMissing(f"the live generation of {collection} under {self._root} can't be opened; try again.")

    @contextmanager
    def writing(self, collection: str) -> Iterator[None]:
        """Hold the collection for writing; the lock ends with the process. Raises IndexLocked where another process holds it."""
        folder = self._root / collection
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(folder / "lock", timeout=0)
            lock.acquire()
        except filelock.Timeout as exc:
            raise IndexLocked(
                f"another process is writing {folder}; wait for it to end, or choose another folder: --set paths.data=DIR"
            ) from exc
        except OSError as exc:
            raise StorageError(f"can't write {folder}: {exc.strerror or exc}. Choose another folder: --set paths.data=DIR") from exc
        try:
            yield
        finally:
            lock.release()

    def create(self, collection: str, metadata: Metadata) -> Generation:
        """Return a new, empty generation, not yet published. What a killed run left behind is removed."""
        self._drop_all_but_live(collection)
        name = f"{collection}--{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        return self._remember(EmbeddedGeneration.create(self._root / collection / name, metadata))

    def publish(self, collection: str, generation: Generation) -> None:
        """Make the generation the live one, atomically, and drop the others. It is closed afterwards."""
        try:
            generation.close()
            with atomic_writer(self._root / collection / "live.json") as file:
                file.write(orjson.dumps({"generation": generation.name}, option=orjson.OPT_APPEND_NEWLINE))
        except Exception as exc:  # the engine raises plain Exception
            raise StorageError(f"can't publish {self._root / collection / generation.name}: {exc}") from exc
        self._drop_all_but_live(collection)

    def drop(self, collection: str, generation: Generation) -> None:
        """Remove a generation that is not live."""
        if generation.name != self._live_name(collection):
            generation.close()
            shutil.rmtree(self._root / collection / generation.name, ignore_errors=True)

    def close(self) -> None:
        """Close every generation that was opened."""
        for generation in self._opened:
            generation.close()
        self._opened.clear()

    def _remember(self, generation: EmbeddedGeneration) -> EmbeddedGeneration:
        self._opened.append(generation)
        return generation

    def _live_name(self, collection: str) -> str | None:
        path = self._root / collection / "live.json"
        try:
            return str(orjson.loads(path.read_bytes())["generation"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise StorageError(f"{path} can't be read: {exc}. Remove {path.parent} and ingest again.") from exc

    def _drop_all_but_live(self, collection: str) -> None:
        live = self._live_name(collection)
        for folder in (self._root / collection).glob(f"{collection}--*"):
            if folder.name != live:
                shutil.rmtree(folder, ignore_errors=True)


class EmbeddedGeneration:
    """One folder with one shard."""

    def __init__(self, folder: Path, shard: edge.EdgeShard, metadata: Metadata) -> None:
        self._folder = folder
        self._shard: edge.EdgeShard | None = shard
        self._metadata = metadata
        self._written = False

    @classmethod
    def create(cls, folder: Path, metadata: Metadata) -> EmbeddedGeneration:
        """Make the folder and an empty shard in it."""
        config = edge.EdgeConfig(
            vectors={
                name: edge.EdgeVectorParams(size=info.dimension, distance=edge.Distance.Cosine)
                for name, info in metadata.vectors.items()
            },
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=_NEVER_KB),
            wal_enabled=False,
        )
        try:
            (folder / "shard").mkdir(parents=True)
            with atomic_writer(folder / "metadata.json") as file:
                file.write(orjson.dumps(metadata.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
            shard = edge.EdgeShard.create(str(folder / "shard"), config)
            for schema_type, fields in (
                (edge.PayloadSchemaType.Keyword, KEYWORD_FIELDS),
                (edge.PayloadSchemaType.Bool, BOOL_FIELDS),
            ):
                for field in fields:
                    shard.update(edge.UpdateOperation.create_field_index(field, schema_type))
        except Exception as exc:  # the engine raises plain Exception
            raise StorageError(f"can't make a collection in {folder}: {exc}") from exc
        return cls(folder, shard, metadata)

    @classmethod
    def open(cls, folder: Path) -> EmbeddedGeneration:
        """Open a generation that was built before. Raises IndexMissing where it is not there or not readable."""
        try:
            metadata = read_metadata(orjson.loads((folder / "metadata.json").read_bytes()))
            shard = edge.EdgeShard.load(str(folder / "shard"))
        except Exception as exc:  # the engine raises plain Exception
            if isinstance(exc, PermissionError) or "permission denied" in str(exc).lower():
                raise StorageError(
                    f"{folder} can't be opened: the engine needs the permission to write there, too ({exc})."
                ) from exc
            raise IndexMissing(f"{folder} can't be opened: {exc}. Remove {folder.parent} and ingest again.") from exc
        return cls(folder, shard, metadata)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self._folder.name

    @property
    def metadata(self) -> Metadata:
        """What the collection says of itself."""
        return self._metadata

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert the points, or replace those of the same ids."""
        self._update(
            edge.UpdateOperation.upsert_points(
                [
                    edge.Point(
                        id=point.id,
                        vector={name: vector.tolist() for name, vector in point.vectors.items()},
                        payload=_with_shadows(point.payload),
                    )
                    for point in points
                ]
            )
        )

    def set_payload(self, point_id: str, payload: dict[str, Any]) -> None:
        """Set these fields of the point's payload; the others and the vectors stay."""
        self._update(edge.UpdateOperation.set_payload([point_id], _with_shadows(payload)))

    def delete(self, point_ids: Sequence[str]) -> None:
        """Delete the points; absent ones are no error."""
        self._update(edge.UpdateOperation.delete_points(list(point_ids)))

    def scroll(self) -> Iterator[tuple[str, str]]:
        """Yield (id, digest) of every point."""
        offset: Any = None
        while True:
            records, offset = self._open_shard.scroll(
                edge.ScrollRequest(offset=offset, limit=_SCROLL_PAGE, with_payload=["digest"])
            )
            for record in records:
                yield str(record.id), str((record.payload or {}).get("digest", ""))
            if offset is None:
                return

    def count(self) -> int:
        """Return the exact number of points."""
        return self._open_shard.count(edge.CountRequest(exact=True))

    def search(self, using: str, vector: NDArray[np.float32], *, limit: int, where: Where | None = None) -> list[ScoredPoint]:
        """Return the `limit` points nearest to the vector by the named vector, best first."""
        must: list[Any] = [_condition(key, value) for key, value in (where or {}).items()]
        try:
            hits = self._open_shard.query(
                edge.QueryRequest(
                    query=edge.Query.Nearest(vector.tolist(), using=using),
                    limit=limit,
                    with_payload=True,
                    filter=edge.Filter(must=must) if must else None,
                )
            )
        except Exception as exc:  # the engine raises plain Exception
            raise StorageError(f"search in {self._folder} failed: {exc}") from exc
        return [ScoredPoint(str(hit.id), hit.score, _without_shadows(hit.payload or {})) for hit in hits]

    def close(self) -> None:
        """Make everything durable and release the shard."""
        if self._shard is not None:
            if self._written:  # a generation that was only read may have been dropped by another process meanwhile
                self._shard.flush()
            self._shard.close()
            self._shard = None

    @property
    def _open_shard(self) -> edge.EdgeShard:
        if self._shard is None:
            raise StorageError(f"{self._folder} was closed.")
        return self._shard

    def _update(self, operation: edge.UpdateOperation) -> None:
        self._written = True
        try:
            self._open_shard.update(operation)
        except StorageError:
            raise
        except Exception as exc:  # the engine raises plain Exception
            raise StorageError(f"can't write {self._folder}: {exc}") from exc


# qdrant-edge-py 0.9.0 takes a boolean for an integer in MatchValue, so that it matches no boolean. Beside each boolean field that
# is filtered on stands a keyword field of the same meaning, which never leaves this module.


def _shadow(field: str) -> str:
    return f"_{field}"


def _with_shadows(payload: dict[str, Any]) -> dict[str, Any]:
    return {**payload, **{_shadow(field): str(payload[field]) for field in BOOL_FIELDS if field in payload}}


def _without_shadows(payload: dict[str, Any]) -> dict[str, Any]:
    shadows = {_shadow(field) for field in BOOL_FIELDS}
    return {key: value for key, value in payload.items() if key not in shadows}


def _condition(key: str, value: str | int | bool) -> edge.FieldCondition:  # noqa: FBT001 - a filter's value
    if isinstance(value, bool):
        if key not in BOOL_FIELDS:
            raise StorageError(f"can't filter on {key}: the boolean fields that can be filtered on are {', '.join(BOOL_FIELDS)}.")
        return edge.FieldCondition(key=_shadow(key), match=edge.MatchValue(str(value)))
    return edge.FieldCondition(key=key, match=edge.MatchValue(value))
