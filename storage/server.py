"""A Qdrant server or cluster, by qdrant-client: a generation is a collection, the live one is named by an alias."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from storage.errors import IndexMismatch, IndexRefused, IndexUnreachable, StorageError
from storage.index import ScoredPoint
from storage.schema import BOOL_FIELDS, KEYWORD_FIELDS, read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from storage.index import Generation, Point, Where
    from storage.schema import Metadata

logger = logging.getLogger(__name__)

_SCROLL_PAGE = 1000
_TIME = "%Y%m%dT%H%M%S%f"
_ABANDONED = timedelta(days=1)
"""Age at which a generation that was never published is taken for that of a killed run; a younger one may still be building."""
_METADATA_KEY = "lsif_ingest"
_REFUSED = (401, 403)
_LATER = (408, 429, 500, 502, 503, 504)


def connect(url: str, api_key: str | None, *, timeout_s: int, prefer_grpc: bool) -> QdrantClient:
    """Return a client of the server; nothing is sent yet. Raises StorageError where the URL is none."""
    location = safe_location(url)
    if api_key is not None and not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
        raise StorageError("QDRANT_API_KEY holds blanks or characters that no HTTP header may have; check it for a line end.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about a key over plain HTTP: said by the documentation, not in each run
            return QdrantClient(url=url, api_key=api_key, timeout=timeout_s, prefer_grpc=prefer_grpc, check_compatibility=False)
    except Exception as exc:  # noqa: BLE001 - whatever the client says of a URL, it may quote the credentials in it
        raise StorageError(f"QDRANT_URL ({location}) can't be used: {type(exc).__name__}.") from None


def safe_location(url: str) -> str:
    """Return the URL without user, password, path and query: they may hold a secret. Raises StorageError where it is no URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        # Not quoted: a password with an unescaped character looks like this.
        raise StorageError(
            "QDRANT_URL must be a URL such as http://localhost:6333; characters like # ? / in a password are escaped."
        )
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"


class ServerIndex:
    """Collections on the server that `client` speaks to."""

    def __init__(self, client: QdrantClient, url: str, api_key: str | None = None) -> None:
        self._client = client
        self._location = safe_location(url)
        self._secrets = [secret for secret in (api_key, urlsplit(url).password) if secret]

    @property
    def location(self) -> str:
        """The server's URL without credentials."""
        return self._location

    def collections(self) -> list[str]:
        """Return the names of the published collections that this project made, sorted."""
        return sorted(alias for alias, collection in self._aliases().items() if self._metadata(collection) is not None)

    def live(self, collection: str) -> Generation | None:
        """Return the published generation, None where nothing is published under the name."""
        name = self._aliases().get(collection)
        if name is None:
            with self._errors("look up collections"):
                foreign = self._client.collection_exists(collection)
            if foreign:
                raise IndexMismatch(
                    f"{self._location} has a collection {collection!r} that lsif-ingest did not make. "
                    "Choose another name: --set project.name=NAME"
                )
            return None
        metadata = self._metadata(name)
        if metadata is None:
            raise IndexMismatch(
                f"alias {collection!r} on {self._location} names collection {name!r}, which lsif-ingest did not make. "
                "Choose another name: --set project.name=NAME"
            )
        return ServerGeneration(self, name, metadata)

    @contextmanager
    def writing(self, collection: str) -> Iterator[None]:  # noqa: ARG002 - the interface's name
        """Hold nothing: a server takes several writers, each builds a generation of its own, the last to publish wins."""
        yield

    def create(self, collection: str, metadata: Metadata) -> Generation:
        """Return a new, empty generation, not yet published. What runs killed long ago left behind is removed."""
        self._drop_abandoned(collection)
        name = f"{collection}--{datetime.now(UTC):{_TIME}}"
        with self._errors(f"create {name}"):
            self._client.create_collection(
                name,
                vectors_config={
                    vector: models.VectorParams(size=info.dimension, distance=models.Distance.COSINE)
                    for vector, info in metadata.vectors.items()
                },
                metadata={_METADATA_KEY: metadata.to_dict()},
            )
            for schema_type, fields in (
                (models.PayloadSchemaType.KEYWORD, KEYWORD_FIELDS),
                (models.PayloadSchemaType.BOOL, BOOL_FIELDS),
            ):
                for field in fields:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", UserWarning)  # the client's local mode has no payload indexes and says so
                        self._client.create_payload_index(name, field, schema_type)
        return ServerGeneration(self, name, metadata)

    def publish(self, collection: str, generation: Generation) -> None:
        """Make the generation the live one in one atomic call; the one that was live stays for its readers until the next."""
        former = self._aliases().get(collection)
        if former == generation.name:
            return
        changes: list[Any] = [
            models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=generation.name, alias_name=collection))
        ]
        if former is not None:
            changes.insert(0, models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=collection)))
        with self._errors(f"publish {generation.name}"):
            self._client.update_collection_aliases(changes)
        if former is not None:
            try:
                self._drop_older(collection, than=former)
            except StorageError as exc:  # the new generation is live: what is left over is the next run's to remove
                logger.warning("could not remove what was live before: %s", exc)

    def drop(self, collection: str, generation: Generation) -> None:
        """Remove a generation that is not live."""
        if self._aliases().get(collection) != generation.name:
            self._delete(generation.name)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _aliases(self) -> dict[str, str]:
        with self._errors("look up aliases"):
            return {alias.alias_name: alias.collection_name for alias in self._client.get_aliases().aliases}

    def _metadata(self, name: str) -> Metadata | None:
        with self._errors(f"look up {name}"):
            found = (self._client.get_collection(name).config.metadata or {}).get(_METADATA_KEY)
        try:
            return read_metadata(found) if isinstance(found, dict) else None
        except (KeyError, TypeError):
            return None

    def _drop_abandoned(self, collection: str) -> None:
        """Remove generations that nobody published for long. The one live before the live one is as old, and stays."""
        live = self._aliases().get(collection)
        others = [one for one in self._generations(collection) if one[1] != live]
        for made, name in others:
            newer = live is None or (_made(live, collection) or made) < made
            if newer and datetime.now(UTC) - made > _ABANDONED:
                logger.warning("removing %s, which a run that was killed left behind", name)
                self._delete(name)

    def _drop_older(self, collection: str, *, than: str) -> None:
        limit = _made(than, collection)
        for made, name in self._generations(collection):
            if limit is not None and made < limit:
                self._delete(name)

    def _generations(self, collection: str) -> list[tuple[datetime, str]]:
        """Return (time of making, name) of the collection's generations, oldest first."""
        with self._errors("look up collections"):
            names = [found.name for found in self._client.get_collections().collections]
        return sorted((made, name) for name in names if (made := _made(name, collection)) is not None)

    def _delete(self, name: str) -> None:
        with self._errors(f"delete {name}"):
            self._client.delete_collection(name)

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Turn the client's errors into this package's.

        They are not chained: what a server or proxy answers may hold the request's headers, and with them the key.
        """
        try:
            yield
        except UnexpectedResponse as exc:
            raise self._refusal(exc, doing) from None
        except (ResponseHandlingException, ApiException, ConnectionError, TimeoutError) as exc:
            raise IndexUnreachable(
                f"no Qdrant answers at {self._location} ({self._redact(str(exc))}); "
                "start it, or unset QDRANT_URL to use the embedded one."
            ) from None
        except Exception as exc:
            if type(exc).__module__.startswith("grpc"):
                raise IndexUnreachable(
                    f"no Qdrant answers by gRPC at {self._location} (failed to {doing}); "
                    "check port 6334, or --set storage.prefer_grpc=false"
                ) from None
            raise

    def _refusal(self, exc: UnexpectedResponse, doing: str) -> StorageError:
        status = exc.status_code
        if status in _REFUSED:
            return IndexRefused(f"{self._location} refuses to {doing} (HTTP {status}); set QDRANT_API_KEY to a key that may.")
        reason = self._redact(exc.content.decode("utf-8", "replace"))[:200]
        kind = IndexUnreachable if status in _LATER else StorageError
        return kind(f"{self._location} failed to {doing}: HTTP {status} {reason}")

    def _redact(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


class ServerGeneration:
    """One collection on the server."""

    def __init__(self, index: ServerIndex, name: str, metadata: Metadata) -> None:
        self._index = index
        self._client = index._client  # noqa: SLF001 - the two classes are one module's
        self._errors = index._errors  # noqa: SLF001
        self._name = name
        self._metadata = metadata

    @property
    def name(self) -> str:
        """The collection's own name."""
        return self._name

    @property
    def metadata(self) -> Metadata:
        """What the collection says of itself."""
        return self._metadata

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert the points, or replace those of the same ids; they are there when this returns."""
        batch = models.Batch(
            ids=[point.id for point in points],
            vectors={name: [point.vectors[name].tolist() for point in points] for name in self._metadata.vectors},
            payloads=[point.payload for point in points],
        )
        with self._errors(f"write {len(points)} points"):
            self._client.upsert(self._name, batch, wait=True)

    def set_payload(self, point_id: str, payload: dict[str, Any]) -> None:
        """Set these fields of the point's payload; the others and the vectors stay."""
        with self._errors("set a payload"):
            self._client.set_payload(self._name, payload, points=[point_id], wait=True)

    def delete(self, point_ids: Sequence[str]) -> None:
        """Delete the points; absent ones are no error."""
        with self._errors(f"delete {len(point_ids)} points"):
            self._client.delete(self._name, models.PointIdsList(points=list(point_ids)), wait=True)

    def scroll(self) -> Iterator[tuple[str, str]]:
        """Yield (id, digest) of every point."""
        offset: Any = None
        while True:
            with self._errors("scroll"):
                records, offset = self._client.scroll(self._name, limit=_SCROLL_PAGE, offset=offset, with_payload=["digest"])
            for record in records:
                yield str(record.id), str((record.payload or {}).get("digest", ""))
            if offset is None:
                return

    def count(self) -> int:
        """Return the exact number of points."""
        with self._errors("count"):
            return self._client.count(self._name, exact=True).count

    def search(self, using: str, vector: NDArray[np.float32], *, limit: int, where: Where | None = None) -> list[ScoredPoint]:
        """Return the `limit` points nearest to the vector by the named vector, best first."""
        must: list[models.Condition] = [
            models.FieldCondition(key=key, match=models.MatchValue(value=value)) for key, value in (where or {}).items()
        ]
        with self._errors("search"):
            hits = self._client.query_points(
                self._name,
                query=vector.tolist(),
                using=using,
                limit=limit,
                with_payload=True,
                query_filter=models.Filter(must=must) if must else None,
            ).points
        return [ScoredPoint(str(hit.id), hit.score, hit.payload or {}) for hit in hits]

    def close(self) -> None:
        """Do nothing: writes are durable when they return, the connection is the index's."""


def _made(name: str, collection: str) -> datetime | None:
    """Return when the generation was made, None where the name is not that of a generation of the collection."""
    prefix = f"{collection}--"
    try:
        return datetime.strptime(name.removeprefix(prefix), _TIME).replace(tzinfo=UTC) if name.startswith(prefix) else None
    except ValueError:
        return None
