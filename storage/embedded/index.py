"""Qdrant's own engine in the process (qdrant-edge-py): a generation is a folder, the live one is named by one small file.

    <root>/<collection>/live.json                     {"generation": name}, replaced atomically
    <root>/<collection>/lock                          held while a generation is built
    <root>/<collection>/<generation>/metadata.json    written last: says whether it is complete
    <root>/<collection>/<generation>/shard/           the engine's files, structures
    <root>/<collection>/<generation>/blocks/          the same, blocks

No write-ahead log is kept: a generation is flushed before it is published and never changed afterwards (a sync works on a copy),
so any number of processes may search it at once. Below tens of thousands of points the engine scans all vectors: exact, and
fast enough.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from array import array
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Generic

import orjson
import qdrant_edge as edge

from machine.disk import free_bytes, is_short_of, taken_bytes
from machine.files import atomic_writer
from machine.locks import LockHeld, file_lock
from storage.errors import IndexDamaged, IndexLocked, IndexMissing, StorageError
from storage.index import Health, Refusal, Row, ScoredPoint, StoredPoint, values_of
from storage.points import batched
from storage.schema import (
    BLOCKS,
    BOOL_FIELDS,
    PLACE,
    SPARSE,
    STRUCTURES,
    R,
    generation_name,
    payload_bytes,
    read_metadata,
    shadow_of,
    with_shadows,
)
from storage.sparse import SparseVector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from lsif.blocks import Block
    from lsif.structure import Structure
    from storage.index import Condition, Generation, Nearest, Point, Where
    from storage.schema import Kind, Metadata

logger = logging.getLogger(__name__)

_SCROLL_PAGE, _VECTOR_PAGE = 1000, 200
_MOST_VALUES = 1_000_000
"""Of a field that are told; one for each file of the largest repositories."""
_BATCH = 256
_NEVER_KB = 1_000_000_000
"""Indexing threshold: no HNSW graph is built; it would cost seconds and recall at the sizes that one process holds."""
_COPY_BYTES = 1 << 20
_SPARE = 32 << 20
"""Bytes that stay free on the disk while the engine writes. It maps files with holes, and where there is no room to fill one the
process is killed by SIGBUS, without a message; others write to the disk, too, between a look at it and the write."""
_EMPTY = 64 << 20
"""Bytes that a generation takes before it holds a point, at most: 0.6 MB on ext4, 45 MB on a tmpfs of huge pages."""
_POINT = 1024
"""Bytes that a point takes beside its vectors and payload, at most: ids, indexes, what is rounded up. Measured: 300 to 700."""
_FLUSHED = 512
"""Bytes that a flush writes for each point, at most. Measured: 150 to 200."""
_WAY_OUT = "Replace it: lsif-ingest ingest --rebuild with the arguments that made it."
_SHARDS = ("shard", "blocks")
_METADATA = "metadata.json"


class EmbeddedIndex:
    """Collections under the folder `root`."""

    changes_in_place = False

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
        for _ in range(
            3
        ):  # another process may publish, and drop what was named, between reading the name and opening it
            name = self._live_name(collection)
            if name is None:
                return None
            folder = self._root / collection / name
            try:
                return self._remember(EmbeddedGeneration.open(folder))
            except IndexMissing:
                if name == self._live_name(collection):
                    raise
        raise IndexMissing(
            f"the live generation of {collection} under {self._root} can't be opened; try again."
        )

    def state(self, collection: str) -> str | None:
        """Return the live generation's name, and when it last said something else of itself."""
        name = self._live_name(collection)
        if name is None:
            return None
        try:
            return f"{name} {(self._root / collection / name / _METADATA).stat().st_mtime_ns}"
        except OSError:  # it is being replaced, or damaged: opening it tells
            return name

    def former(self, collection: str) -> Generation | None:
        """Return the complete generation that was made last before the live one, None where none was kept."""
        live = self._live_name(collection)
        older = [
            folder
            for folder in self._complete(collection)
            if live is not None and folder.name < live
        ]
        return self._remember(EmbeddedGeneration.open(older[-1])) if older else None

    @contextmanager
    def writing(self, collection: str) -> Iterator[None]:
        """Hold the collection for writing; the lock ends with the process. Raises IndexLocked where another process holds it."""
        folder = self._root / collection
        with ExitStack() as stack:
            try:
                stack.enter_context(file_lock(folder / "lock"))
            except LockHeld as exc:
                raise IndexLocked(
                    f"another process is writing {folder}; wait for it to end, "
                    "or choose another folder: --set paths.data=DIR"
                ) from exc
            except OSError as exc:
                raise StorageError(
                    f"can't write {folder}: {exc.strerror or exc}. "
                    "Choose another folder: --set paths.data=DIR"
                ) from exc
            yield

    def create(self, collection: str, metadata: Metadata) -> Generation:
        """Return a new, empty generation, not yet published. What a killed run left behind is removed."""
        self._drop_incomplete(collection)
        folder = self._new_folder(collection, metadata)
        _require_room(self._root, folder, _EMPTY)
        return self._remember(EmbeddedGeneration.create(folder, metadata))

    def copy(self, collection: str, generation: Generation) -> Generation:
        """Return a new generation with the same points, not yet published. What a killed run left behind is removed."""
        self._drop_incomplete(collection)
        folder = self._new_folder(collection, generation.metadata)
        shards = {
            self._root / collection / generation.name / shard: folder / shard for shard in _SHARDS
        }
        _require_room(self._root, folder, _EMPTY + sum(map(taken_bytes, shards)))
        try:
            for source, target in shards.items():
                shutil.copytree(source, target, copy_function=_copy_file)
            _write_metadata(folder, replace(generation.metadata, complete=False))
        except (OSError, shutil.Error) as exc:
            shutil.rmtree(folder, ignore_errors=True)
            raise StorageError(
                f"can't copy {generation.name} to {folder}: {exc}. Make room and run again."
            ) from exc
        return self._remember(EmbeddedGeneration.open(folder))

    def publish(self, collection: str, generation: Generation, *, keep: int = 1) -> None:
        """Make the generation the live one, atomically, and drop all older ones but `keep`. It is closed afterwards."""
        try:
            generation.close()
            with atomic_writer(self._root / collection / "live.json") as file:
                file.write(
                    orjson.dumps({"generation": generation.name}, option=orjson.OPT_APPEND_NEWLINE)
                )
        except Exception as exc:  # the engine raises plain Exception
            raise StorageError(
                f"can't publish {self._root / collection / generation.name}: {exc}"
            ) from exc
        older = [folder for folder in self._complete(collection) if folder.name < generation.name]
        for folder in older[: len(older) - keep]:
            _remove(folder)

    def drop(self, collection: str, generation: Generation) -> None:
        """Remove a generation that is not live."""
        if generation.name != self._live_name(collection):
            _remove(self._root / collection / generation.name)
            with suppress(
                StorageError
            ):  # it is not flushed first: the disk may be full, and there is nothing to keep
                generation.close()

    def health(self) -> Health:
        """Return the engine's version; nothing else can be wrong with it as a whole."""
        return Health(f"edge {version('qdrant-edge-py')}")

    def half_built(self) -> list[str]:
        """Return the folders of generations, of any collection, that a killed run left behind."""
        found: list[str] = []
        for collection in sorted(path.parent.name for path in self._root.glob("*/lock")):
            complete = self._complete(collection)
            incomplete = [
                str(folder) for folder in self._generations(collection) if folder not in complete
            ]
            with suppress(IndexLocked):  # then it is being built
                if incomplete:
                    with self.writing(collection):
                        found += incomplete
        return found

    def close(self) -> None:
        """Close every generation that was opened."""
        for generation in self._opened:
            generation.close()
        self._opened.clear()

    def _remember(self, generation: EmbeddedGeneration) -> EmbeddedGeneration:
        self._opened.append(generation)
        return generation

    def _new_folder(self, collection: str, metadata: Metadata) -> Path:
        others = [folder.name for folder in self._generations(collection)]
        return self._root / collection / generation_name(collection, metadata, others)

    def _live_name(self, collection: str) -> str | None:
        path = self._root / collection / "live.json"
        try:
            return str(orjson.loads(path.read_bytes())["generation"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise IndexDamaged(f"{path} can't be read: {exc}. {_WAY_OUT}") from exc

    def _generations(self, collection: str) -> list[Path]:
        """Return the folders of all generations, the oldest first."""
        return sorted((self._root / collection).glob(f"{collection}--*"))

    def _complete(self, collection: str) -> list[Path]:
        live = None
        with suppress(IndexDamaged):  # then nothing is live
            live = self._live_name(collection)
        return [
            folder
            for folder in self._generations(collection)
            if folder.name == live or _is_complete(folder)
        ]

    def _drop_incomplete(self, collection: str) -> None:
        complete = self._complete(collection)
        for folder in self._generations(collection):
            if folder not in complete:
                shutil.rmtree(folder, ignore_errors=True)


class EmbeddedGeneration:
    """One folder with two shards."""

    def __init__(
        self,
        folder: Path,
        metadata: Metadata,
        structures: ShardPoints[Structure],
        blocks: ShardPoints[Block],
    ) -> None:
        self._folder = folder
        self.name = folder.name
        self.metadata = metadata
        self.structures, self.blocks = structures, blocks

    @classmethod
    def create(cls, folder: Path, metadata: Metadata) -> EmbeddedGeneration:
        """Make the folder and two empty shards in it."""
        dimensions = {name: info.dimension for name, info in metadata.vectors.items()}
        try:
            structures = _create_shard(folder / _SHARDS[0], dimensions, STRUCTURES)
            blocks = _create_shard(folder / _SHARDS[1], dimensions, BLOCKS)
            _write_metadata(folder, metadata)
        except Exception as exc:  # the engine raises plain Exception
            shutil.rmtree(folder, ignore_errors=True)
            raise StorageError(f"can't make a collection in {folder}: {exc}") from exc
        return cls(folder, metadata, structures, blocks)

    @classmethod
    def open(cls, folder: Path) -> EmbeddedGeneration:
        """Open a generation that was built before. Raises IndexMissing where it is not there or not readable."""
        try:
            metadata = read_metadata(orjson.loads((folder / _METADATA).read_bytes()))
            structures = _load_shard(folder / _SHARDS[0], STRUCTURES)
            blocks = _load_shard(folder / _SHARDS[1], BLOCKS)
        except Exception as exc:  # the engine raises plain Exception
            if isinstance(exc, PermissionError) or "permission denied" in str(exc).lower():
                raise StorageError(
                    f"{folder} can't be opened: the engine needs the permission to write there, too ({exc})."
                ) from exc
            raise IndexMissing(f"{folder} can't be opened: {exc}. {_WAY_OUT}") from exc
        return cls(folder, metadata, structures, blocks)

    def describe(self, metadata: Metadata) -> None:
        """Replace what it says of itself; durable when this returns."""
        try:
            _write_metadata(self._folder, metadata)
        except OSError as exc:
            raise StorageError(
                f"can't write {self._folder}: {exc.strerror or exc}. Make room and run again."
            ) from exc
        self.metadata = metadata

    def finish(self) -> None:
        """Make what was written durable."""
        self.structures.flush()
        self.blocks.flush()

    def close(self) -> None:
        """Make everything durable and release the shards."""
        try:
            self.structures.close()
        finally:
            self.blocks.close()


class ShardPoints(Generic[R]):
    """The points of one shard. All methods raise StorageError."""

    def __init__(self, folder: Path, shard: edge.EdgeShard | None, kind: Kind[R]) -> None:
        self._folder = folder
        self._kind = kind
        self._shard = shard
        self._written = 0
        """Points that were written and not flushed."""

    def upsert(self, points: Iterable[Point]) -> list[Refusal]:
        """Insert the points, or replace those of the same ids; return those that were refused."""
        refused: list[Refusal] = []
        for batch in batched(iter(points), _BATCH):
            self._about_to_write(len(batch), sum(map(_size_of, batch)))
            refused += self._upsert(
                [_edge_point(point) for point in batch], [point.id for point in batch]
            )
        return refused

    def set_payloads(self, changes: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Set these fields of the points of these ids; their other fields and their vectors stay."""
        for point_id, fields in changes:
            self._about_to_write(1, payload_bytes(fields))
            self._update(edge.UpdateOperation.set_payload([point_id], with_shadows(fields)))

    def delete(self, point_ids: Sequence[str]) -> None:
        """Delete the points; absent ones are no error."""
        if point_ids:
            self._about_to_write(len(point_ids), 0)
            self._update(edge.UpdateOperation.delete_points(list(point_ids)))

    def retrieve(self, point_ids: Sequence[str], *, vectors: bool = True) -> list[StoredPoint[R]]:
        """Return the points of these ids that exist."""
        records = self._read(
            self._open_shard.retrieve, list(point_ids), with_payload=True, with_vector=vectors
        )
        return [self._stored(record) for record in records]

    def scroll(self, *, where: Where = (), vectors: bool = False) -> Iterator[StoredPoint[R]]:
        """Yield every point that meets the conditions, with its whole record."""
        page = _VECTOR_PAGE if vectors else _SCROLL_PAGE
        return map(self._stored, self._scroll(where, page, payload=True, vectors=vectors))

    def select(self, fields: Sequence[str], *, where: Where = ()) -> Iterator[Row]:
        """Yield these scalar fields of every point that meets the conditions."""
        paths = [name.split(".") for name in fields]
        for record in self._scroll(where, _SCROLL_PAGE, payload=list(fields), vectors=False):
            yield Row(str(record.id), values_of(record.payload or {}, paths))

    def count(self) -> int:
        """Return the exact number of points."""
        return int(self._read(self._open_shard.count, edge.CountRequest(exact=True)))

    def values(self, field: str) -> dict[str, int]:
        """Return the values of an indexed keyword field, with the number of points that hold each, the commonest first."""
        found = self._read(
            self._open_shard.facet, edge.FacetRequest(key=field, limit=_MOST_VALUES, exact=True)
        )
        return {
            str(hit.value): hit.count for hit in found.hits if hit.count
        }  # the engine still tells those of deleted points

    def search(self, *queries: Nearest) -> list[list[ScoredPoint]]:
        """Return the points nearest to each query, best first, in one request."""
        requests = edge.QueryBatchRequest([_request(query) for query in queries])
        try:
            found = self._open_shard.query_batch(requests)
        except StorageError:
            raise
        except Exception as exc:  # the engine raises plain Exception
            raise StorageError(
                f"search in {self._folder} failed: {exc}. If it is damaged: {_WAY_OUT}"
            ) from exc
        return [
            [_scored(hit, paths) for hit in hits]
            for hits, paths in zip(found, map(_paths, queries), strict=True)
        ]

    def flush(self) -> None:
        """Make what was written durable."""
        if (
            self._shard is not None and self._written
        ):  # what was only read may have been dropped by another process meanwhile
            try:
                self._shard.flush()
            except Exception as exc:  # the engine raises plain Exception
                raise StorageError(f"can't write {self._folder}: {exc}") from exc
            self._written = 0

    def close(self) -> None:
        """Make everything durable and release the shard."""
        shard, self._shard, written, self._written = self._shard, None, self._written, 0
        if shard is None:
            return
        try:
            if written:
                shard.flush()
            shard.close()
        except Exception as exc:  # the engine raises plain Exception
            raise StorageError(f"can't write {self._folder}: {exc}") from exc

    def _stored(self, record: edge.Record) -> StoredPoint[R]:
        payload = record.payload or {}
        try:
            found = self._kind.record(payload)
        except (TypeError, KeyError) as exc:
            raise IndexDamaged(
                f"{self._folder}: point {record.id} holds no record: {exc}. {_WAY_OUT}"
            ) from exc
        vectors = record.vector if isinstance(record.vector, dict) else {}
        dense: dict[str, Any] = {
            name: vector for name, vector in vectors.items() if isinstance(vector, list)
        }
        return StoredPoint(str(record.id), found, dense, str(payload.get(PLACE)))

    def _scroll(
        self, where: Where, page: int, *, payload: bool | list[str], vectors: bool
    ) -> Iterator[edge.Record]:
        offset: Any = None
        wanted: Any = payload
        while True:
            request = edge.ScrollRequest(
                offset=offset,
                limit=page,
                with_payload=wanted,
                with_vector=vectors,
                filter=_filter(where),
            )
            records, offset = self._read(self._open_shard.scroll, request)
            yield from records
            if offset is None:
                return

    @property
    def _open_shard(self) -> edge.EdgeShard:
        if self._shard is None:
            raise IndexDamaged(
                f"{self._folder} is not there, was closed, or is of an earlier version. {_WAY_OUT}"
            )
        return self._shard

    def _read(self, operation: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return operation(*arguments, **options)
        except Exception as exc:  # the engine raises plain Exception
            raise IndexDamaged(f"{self._folder} can't be read: {exc}. {_WAY_OUT}") from exc

    def _upsert(self, points: list[edge.Point], ids: list[str]) -> list[Refusal]:
        """Write the points; where the engine refuses some, write the others."""
        try:
            self._update(edge.UpdateOperation.upsert_points(points))
        except StorageError as exc:
            if not _is_points_fault(exc):
                raise
            if len(points) == 1:
                return [Refusal(ids[0], str(exc.__cause__))]
            half = len(points) // 2
            return self._upsert(points[:half], ids[:half]) + self._upsert(points[half:], ids[half:])
        return []

    def _about_to_write(self, points: int, size: int) -> None:
        """Raise StorageError where no room is left for so many points of that size in bytes, and for flushing what is written."""
        self._written += points
        _require_room(self._folder, self._folder, size + _POINT * points + _FLUSHED * self._written)

    def _update(self, operation: edge.UpdateOperation) -> None:
        try:
            self._open_shard.update(operation)
        except StorageError:
            raise
        except Exception as exc:  # the engine raises plain Exception
            raise StorageError(f"can't write {self._folder}: {exc}") from exc


def _create_shard(folder: Path, dimensions: dict[str, int], kind: Kind[R]) -> ShardPoints[R]:
    folder.mkdir(parents=True)
    sparse = {SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)}
    config = edge.EdgeConfig(
        vectors={
            name: edge.EdgeVectorParams(size=dimensions[name], distance=edge.Distance.Cosine)
            for name in kind.vectors
        },
        sparse_vectors=sparse if kind.has_sparse else None,
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=_NEVER_KB),
        wal_enabled=False,
    )
    shard = edge.EdgeShard.create(str(folder), config)
    for schema_type, names in (
        (edge.PayloadSchemaType.Keyword, kind.keyword_fields),
        (edge.PayloadSchemaType.Bool, kind.bool_fields),
        (edge.PayloadSchemaType.Integer, kind.integer_fields),
    ):
        for name in names:
            shard.update(edge.UpdateOperation.create_field_index(name, schema_type))
    return ShardPoints(folder, shard, kind)


def _load_shard(folder: Path, kind: Kind[R]) -> ShardPoints[R]:
    """Open a shard; one of an earlier version may not exist, and is opened to be told apart."""
    return ShardPoints(folder, edge.EdgeShard.load(str(folder)) if folder.is_dir() else None, kind)


def _write_metadata(folder: Path, metadata: Metadata) -> None:
    with atomic_writer(folder / _METADATA) as file:
        file.write(
            orjson.dumps(metadata.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        )


def _remove(folder: Path) -> None:
    """Remove a generation; first what calls it complete: a removal that is killed must leave no former generation in pieces."""
    with suppress(OSError):
        (folder / _METADATA).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _copy_file(source: str, target: str) -> None:
    """Copy a file without its holes: the engine's files are hundreds of megabytes of room for what they do not hold yet."""
    with open(source, "rb") as reader, open(target, "wb") as writer:  # noqa: PTH123 - as copytree passes them
        end, at = os.fstat(reader.fileno()).st_size, 0
        while at < end:
            try:
                at = os.lseek(reader.fileno(), at, os.SEEK_DATA)
                stop = os.lseek(reader.fileno(), at, os.SEEK_HOLE)
            except OSError as exc:
                if exc.errno == errno.ENXIO:  # nothing but a hole is left
                    break
                stop = end  # of a system that knows no holes all is copied
            reader.seek(at)
            writer.seek(at)
            while at < stop and (block := reader.read(min(_COPY_BYTES, stop - at))):
                at += writer.write(block)
        writer.truncate(end)


def _require_room(place: Path, wanted_by: Path, size: int) -> None:
    """Raise StorageError unless `size` bytes, and some to spare, fit on the disk of `place`."""
    needed = size + _SPARE
    try:
        short, free = is_short_of(place, needed), free_bytes(place)
    except OSError as exc:
        raise StorageError(f"can't write {wanted_by}: {exc.strerror or exc}") from exc
    if short:
        raise StorageError(
            f"the disk is full: writing {wanted_by} needs {needed / 1e6:,.1f} MB of room, and "
            f"{free / 1e6:,.1f} MB are free. Finished embeddings are saved; make room, "
            "or choose another disk: --set paths.data=DIR"
        )


def _size_of(point: Point) -> int:
    """Return the bytes of the point's vectors and payload."""
    vectors = sum(vector.nbytes for vector in point.vectors.values())
    return (
        vectors
        + sum(8 * len(vector.indices) for vector in point.sparse.values())
        + 2 * payload_bytes(point.payload)
    )


def _is_complete(folder: Path) -> bool:
    try:
        return bool(orjson.loads((folder / _METADATA).read_bytes()).get("complete"))
    except (OSError, ValueError, AttributeError):
        return False


def _is_points_fault(exc: StorageError) -> bool:
    """Return whether it is a point that the engine objects to, not the disk."""
    text = str(exc.__cause__).lower()
    if "no space left" in text or "os error" in text:  # its paths have such words, too
        return False
    return any(word in text for word in ("dimension", "vector", "payload", "invalid", "expected"))


def _edge_point(point: Point) -> edge.Point:
    vectors: dict[str, Any] = {
        name: array("f", vector.tobytes()) for name, vector in point.vectors.items()
    }  # faster than a list
    vectors.update({name: edge.SparseVector(*vector) for name, vector in point.sparse.items()})
    return edge.Point(id=point.id, vector=vectors, payload=with_shadows(point.payload))


def _paths(query: Nearest) -> list[list[str]]:
    return [name.split(".") for name in query.fields]


def _scored(hit: edge.ScoredPoint, paths: list[list[str]]) -> ScoredPoint:
    return ScoredPoint(str(hit.id), hit.score, values_of(hit.payload or {}, paths))


def _condition(condition: Condition) -> edge.FieldCondition:
    key, values = condition.field, list[Any](condition.values)
    if any(isinstance(value, bool) for value in values):
        if key not in BOOL_FIELDS:
            raise StorageError(
                f"can't filter on {key}: the boolean fields that can be filtered on are {', '.join(BOOL_FIELDS)}."
            )
        key, values = shadow_of(key), [str(value) for value in values]
    return edge.FieldCondition(key=key, match=edge.MatchAny(values))


def _filter(where: Where) -> edge.Filter | None:
    must: list[Any] = [_condition(one) for one in where if not one.negated]
    must_not: list[Any] = [_condition(one) for one in where if one.negated]
    return edge.Filter(must=must or None, must_not=must_not or None) if where else None


def _request(query: Nearest) -> edge.QueryRequest:
    vector: Any = (
        edge.SparseVector(*query.vector)
        if isinstance(query.vector, SparseVector)
        else query.vector.tolist()
    )
    return edge.QueryRequest(
        query=edge.Query.Nearest(vector, using=query.using),
        limit=query.limit,
        with_payload=list(query.fields) or False,
        filter=_filter(query.where),
    )
