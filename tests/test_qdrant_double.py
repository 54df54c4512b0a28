"""The double answers as local mode does, and fails on command: what the client sees."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from qdrant_double import CutAnswer, Delay, Fault, LostAnswer, QdrantDouble, Request, Reset, Status

SIZES = {"code": 8, "text": 4}
N_POINTS = 25
UUID = "0c1f5a4e-9a63-4d0c-8d8a-6c4c0e9c1a11"
POINTS = r"/points$"


def dense(seed: int, size: int) -> list[float]:
    return [((seed * 7 + place * 3) % 11 - 5) / 5 for place in range(size)]


def sparse(seed: int) -> models.SparseVector:
    return models.SparseVector(indices=[seed % 5, 5 + seed % 3], values=[1.0, 0.5])


def point(seed: int, point_id: int | str | None = None) -> models.PointStruct:
    vectors: dict[str, Any] = {name: dense(seed, size) for name, size in SIZES.items()} | {
        "words": sparse(seed)
    }
    payload = {
        "kind": ["fn", "struct", "enum"][seed % 3],
        "line": seed,
        "path": f"src/{seed}.rs",
        "doc": None,
    }
    return models.PointStruct(
        id=seed if point_id is None else point_id, vector=vectors, payload=payload
    )


def create(client: QdrantClient, name: str = "c", **settings: Any) -> None:
    vectors = {
        key: models.VectorParams(size=size, distance=models.Distance.COSINE)
        for key, size in SIZES.items()
    }
    words = {"words": models.SparseVectorParams(modifier=models.Modifier.IDF)}
    client.create_collection(name, vectors, sparse_vectors_config=words, **settings)


def fill(client: QdrantClient) -> None:
    """A collection with both forms of upsert."""
    create(client)
    points = [point(seed) for seed in range(1, N_POINTS)]
    half = len(points) // 2
    client.upsert("c", [*points[:half], point(N_POINTS, UUID)])
    columns: Any = {name: [row.vector[name] for row in points[half:]] for name in (*SIZES, "words")}  # type: ignore[index,call-overload]
    payloads: Any = [row.payload for row in points[half:]]
    client.upsert(
        "c", models.Batch(ids=[row.id for row in points[half:]], vectors=columns, payloads=payloads)
    )


@pytest.fixture
def double() -> Iterator[QdrantDouble]:
    with QdrantDouble() as double:
        yield double
    assert not double.errors


def connect(double: QdrantDouble, **settings: Any) -> QdrantClient:
    return QdrantClient(url=double.url, check_compatibility=False, **settings)


@pytest.fixture
def client(double: QdrantDouble) -> Iterator[QdrantClient]:
    client = connect(double)
    yield client
    client.close()


@pytest.fixture
def both(client: QdrantClient) -> Iterator[Callable[[Callable[[QdrantClient], Any]], Any]]:
    """Asks the double and a local client that hold the same, and wants the same answer of them."""
    local = QdrantClient(":memory:")
    fill(client)
    fill(local)

    def ask(question: Callable[[QdrantClient], Any]) -> Any:
        answer = question(client)
        assert answer == question(local)
        return answer

    yield ask
    local.close()


KIND = models.Filter(must=[models.FieldCondition(key="kind", match=models.MatchValue(value="fn"))])
LINES = models.Filter(must=[models.FieldCondition(key="line", range=models.Range(gte=10))])

READS: dict[str, Callable[[QdrantClient], Any]] = {
    "scroll": lambda client: client.scroll("c", limit=100),
    "scroll with parts": lambda client: client.scroll(
        "c", LINES, limit=5, with_payload=["line"], with_vectors=["text", "words"]
    ),
    "scroll without": lambda client: client.scroll("c", with_payload=False),
    "scroll in order": lambda client: client.scroll(
        "c", order_by=models.OrderBy(key="line", direction=models.Direction.DESC)
    ),
    "retrieve": lambda client: client.retrieve("c", [3, 999, UUID], with_vectors=True),
    "count": lambda client: client.count("c"),
    "count filtered": lambda client: client.count("c", KIND, exact=False),
    "code": lambda client: client.query_points("c", dense(3, 8), using="code", limit=7),
    "code filtered": lambda client: client.query_points(
        "c", dense(3, 8), using="code", query_filter=KIND, with_payload=["path"]
    ),
    "text": lambda client: client.query_points(
        "c", dense(4, 4), using="text", query_filter=LINES, with_vectors=True, offset=2
    ),
    "text by id": lambda client: client.query_points("c", 4, using="text", score_threshold=0.1),
    "words": lambda client: client.query_points("c", sparse(6), using="words", with_payload=False),
    "words filtered": lambda client: client.query_points(
        "c", sparse(6), using="words", query_filter=KIND
    ),
    "fused": lambda client: client.query_points(
        "c",
        models.FusionQuery(fusion=models.Fusion.RRF),
        prefetch=[
            models.Prefetch(query=dense(3, 8), using="code", limit=5),
            models.Prefetch(query=sparse(6), using="words", filter=KIND, limit=5),
        ],
    ),
    "batch": lambda client: client.query_batch_points(
        "c",
        [
            models.QueryRequest(query=dense(3, 8), using="code", limit=2),
            models.QueryRequest(query=sparse(6), using="words", filter=KIND, with_payload=True),
        ],
    ),
    "groups": lambda client: client.query_points_groups(
        "c", "kind", dense(3, 8), using="code", group_size=2
    ),
    "collections": lambda client: client.get_collections(),
    "exists": lambda client: (client.collection_exists("c"), client.collection_exists("d")),
}


def test_reads_are_those_of_local_mode(
    both: Callable[[Callable[[QdrantClient], Any]], Any],
) -> None:
    for name, read in READS.items():
        assert both(read), name


def test_pages_of_a_scroll(both: Callable[[Callable[[QdrantClient], Any]], Any]) -> None:
    def pages(client: QdrantClient) -> list[list[Any]]:
        found: list[list[Any]] = []
        offset = None
        while not found or offset is not None:
            records, offset = client.scroll("c", limit=10, offset=offset, with_payload=["line"])
            found.append([record.id for record in records])
        return found

    assert [len(page) for page in both(pages)] == [10, 10, 5]


UPDATES: dict[str, Callable[[QdrantClient], Any]] = {
    "upsert over": lambda client: client.upsert("c", [point(99, 3)]),
    "set payload": lambda client: client.set_payload(
        "c", {"line": -1, "new": {"a": [1, None]}}, points=[3, UUID]
    ),
    "set payload by filter": lambda client: client.set_payload("c", {"found": True}, points=KIND),
    "overwrite payload": lambda client: client.overwrite_payload("c", {"line": 0}, points=[3]),
    "delete payload": lambda client: client.delete_payload("c", ["line"], points=[3]),
    "clear payload": lambda client: client.clear_payload("c", points_selector=[3]),
    "update vectors": lambda client: client.update_vectors(
        "c", [models.PointVectors(id=3, vector={"text": dense(50, 4)})]
    ),
    "delete vectors": lambda client: client.delete_vectors("c", ["words"], points=[3]),
    "delete": lambda client: client.delete("c", models.PointIdsList(points=[3, UUID, 999])),
    "delete by filter": lambda client: client.delete("c", models.FilterSelector(filter=KIND)),
    "batch": lambda client: client.batch_update_points(
        "c",
        [
            models.UpsertOperation(upsert=models.PointsList(points=[point(98), point(97)])),
            models.SetPayloadOperation(
                set_payload=models.SetPayload(payload={"a": 1}, points=[98])
            ),
            models.DeleteOperation(delete=models.PointIdsList(points=[97, 1])),
        ],
    ),
}


def test_updates_are_those_of_local_mode(
    both: Callable[[Callable[[QdrantClient], Any]], Any],
) -> None:
    for name, update in UPDATES.items():
        results: list[Any] = []
        both(lambda client, update=update, results=results: results.append(update(client)))  # type: ignore[misc]
        remote, local = (
            [r.status for r in (result if isinstance(result, list) else [result])]
            for result in results
        )
        assert remote == local, name
        both(lambda client: client.scroll("c", limit=100, with_vectors=True))
        both(READS["words"])


def test_nobody_waits(double: QdrantDouble, client: QdrantClient) -> None:
    create(client)
    double.writes.lag_s = 0.1
    assert client.upsert("c", [point(1)], wait=False).status == models.UpdateStatus.ACKNOWLEDGED
    assert client.count("c").count == 0
    wait_until(lambda: client.count("c").count == 1)
    client.upload_points("c", [point(seed) for seed in range(2, 9)], batch_size=3)
    assert [request.n_points for request in double.requests if request.method == "PUT"] == [
        None,
        1,
        3,
        3,
        1,
    ]


def test_aliases_switch_in_one_call(double: QdrantDouble, client: QdrantClient) -> None:
    fill(client)
    create(client, "new")
    create_alias = models.CreateAliasOperation(
        create_alias=models.CreateAlias(collection_name="c", alias_name="live")
    )
    client.update_collection_aliases([create_alias])
    assert client.count("live").count == N_POINTS
    assert client.get_collection("live").points_count == N_POINTS

    switch: list[Any] = [
        models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name="live")),
        models.CreateAliasOperation(
            create_alias=models.CreateAlias(collection_name="new", alias_name="live")
        ),
    ]
    missing = models.CreateAliasOperation(
        create_alias=models.CreateAlias(collection_name="gone", alias_name="x")
    )
    with pytest.raises(UnexpectedResponse, match="Collection `gone` doesn") as caught:
        client.update_collection_aliases([*switch, missing])
    assert caught.value.status_code == 404
    assert client.count("live").count == N_POINTS  # nothing of it applied

    client.update_collection_aliases(switch)
    client.upsert("live", [point(1)])
    assert double.client.count("new").count == 1
    assert client.get_aliases().aliases == client.get_collection_aliases("new").aliases
    assert client.get_collection_aliases("c").aliases == []

    assert client.delete_collection("new")
    assert client.get_aliases().aliases == []
    assert not client.delete_collection("new")


def test_settings_come_back(client: QdrantClient) -> None:
    metadata = {"owner": {"recipe": ["a", 1, None]}}
    vectors = {
        "code": models.VectorParams(
            size=8,
            distance=models.Distance.DOT,
            on_disk=True,
            datatype=models.Datatype.FLOAT16,
            hnsw_config=models.HnswConfigDiff(m=5),
        )
    }
    scalar = models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
    )
    assert client.create_collection(
        "c",
        vectors,
        shard_number=2,
        replication_factor=3,
        write_consistency_factor=2,
        on_disk_payload=True,
        hnsw_config=models.HnswConfigDiff(m=0),
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=0),
        quantization_config=scalar,
        sparse_vectors_config={
            "words": models.SparseVectorParams(index=models.SparseIndexParams(on_disk=True))
        },
        metadata=metadata,
    )
    config = client.get_collection("c").config
    assert config.metadata == metadata
    assert config.params.vectors == vectors
    assert config.params.sparse_vectors == {
        "words": models.SparseVectorParams(index=models.SparseIndexParams(on_disk=True))
    }
    factors = (
        config.params.shard_number,
        config.params.replication_factor,
        config.params.write_consistency_factor,
    )
    assert factors == (2, 3, 2)
    assert (config.hnsw_config.m, config.hnsw_config.ef_construct) == (0, 100)
    assert (
        config.optimizer_config.indexing_threshold,
        config.optimizer_config.flush_interval_sec,
    ) == (0, 5)
    assert config.quantization_config == scalar

    client.update_collection(
        "c",
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=20000),
        collection_params=models.CollectionParamsDiff(replication_factor=1),
        vectors_config={"code": models.VectorParamsDiff(on_disk=False)},
        hnsw_config=models.HnswConfigDiff(m=16),
        quantization_config=models.Disabled.DISABLED,
        sparse_vectors_config={"words": models.SparseVectorParams(modifier=models.Modifier.IDF)},
        metadata={"state": "complete"},
    )
    config = client.get_collection("c").config
    assert config.metadata == metadata | {"state": "complete"}
    assert (
        config.hnsw_config.m,
        config.optimizer_config.indexing_threshold,
        config.params.replication_factor,
    ) == (16, 20000, 1)
    assert config.params.vectors["code"].on_disk is False  # type: ignore[index]
    assert config.params.sparse_vectors["words"].modifier == models.Modifier.IDF  # type: ignore[index]
    assert config.quantization_config is None


def test_the_unnamed_vector(client: QdrantClient) -> None:
    client.create_collection("c", models.VectorParams(size=4, distance=models.Distance.COSINE))
    client.upsert("c", models.Batch(ids=[1, 2], vectors=[dense(1, 4), dense(2, 4)]))
    client.update_collection("c", vectors_config={"": models.VectorParamsDiff(on_disk=True)})
    assert client.get_collection("c").config.params.vectors.on_disk  # type: ignore[union-attr]
    assert client.query_points("c", dense(2, 4)).points[0].id == 2


def test_indexes_are_remembered(double: QdrantDouble, client: QdrantClient) -> None:
    fill(client)
    client.create_payload_index("c", "kind", models.PayloadSchemaType.KEYWORD, wait=True)
    client.create_payload_index(
        "c", "path", models.TextIndexParams(type=models.TextIndexType.TEXT, lowercase=True)
    )
    assert double.payload_indexes["c"] == {
        "kind": "keyword",
        "path": {"type": "text", "lowercase": True},
    }
    schema = client.get_collection("c").payload_schema
    assert (schema["kind"].data_type, schema["kind"].points) == (
        models.PayloadSchemaType.KEYWORD,
        N_POINTS,
    )
    assert schema["path"].params.lowercase  # type: ignore[union-attr]
    client.delete_payload_index("c", "kind")
    assert list(double.payload_indexes["c"]) == ["path"]
    client.delete_collection("c")
    assert "c" not in double.payload_indexes


def test_values_are_counted_where_there_is_an_index(
    both: Callable[[Callable[[QdrantClient], Any]], Any], client: QdrantClient
) -> None:
    with pytest.raises(
        UnexpectedResponse, match="No appropriate index for faceting: `kind`"
    ) as caught:
        client.facet("c", "kind")
    assert caught.value.status_code == 400
    client.create_payload_index("c", "kind", models.PayloadSchemaType.KEYWORD)
    counts = both(lambda client: client.facet("c", "kind", limit=2, exact=True)).hits
    assert [(one.value, one.count) for one in counts] == [("struct", 9), ("enum", 8)]
    assert [
        one.count for one in both(lambda client: client.facet("c", "kind", facet_filter=LINES)).hits
    ] == [6, 5, 5]


def test_snapshots(double: QdrantDouble, client: QdrantClient) -> None:
    fill(client)
    made = client.create_snapshot("c")
    assert made is not None
    assert [found.name for found in client.list_snapshots("c")] == [made.name]
    content = httpx.get(f"{double.url}/collections/c/snapshots/{made.name}").content
    assert (len(content), content) == (made.size, b"snapshot of c: 25 points")
    assert httpx.get(f"{double.url}/collections/c/snapshots/other").status_code == 404


REFUSED: list[tuple[int, str, Callable[[QdrantClient], Any]]] = [
    (404, "Not found: Collection `d` doesn't exist!", lambda client: client.get_collection("d")),
    (
        404,
        "Not found: Collection `d` doesn't exist!",
        lambda client: client.upsert("d", [point(1)]),
    ),
    (404, "Not found: Collection `d` doesn't exist!", lambda client: client.scroll("d")),
    (
        404,
        "Not found: No point with id 999 found",
        lambda client: client.set_payload("c", {"a": 1}, points=[999]),
    ),
    (409, "Wrong input: Collection `c` already exists!", create),
    (
        400,
        "expected dim: 8, got 3",
        lambda client: client.upsert("c", [models.PointStruct(id=1, vector={"code": [1.0, 2, 3]})]),
    ),
    (
        400,
        "vector name error: y",
        lambda client: client.upsert("c", [models.PointStruct(id=1, vector={"y": [1.0, 2, 3]})]),
    ),
    (
        400,
        "expected dim: 8, got 3",
        lambda client: client.query_points("c", [1.0, 2, 3], using="code"),
    ),
    (400, "vector name error: y", lambda client: client.query_points("c", [1.0, 2, 3], using="y")),
    (400, "value -1 is not a valid point ID", lambda client: client.upsert("c", [point(1, -1)])),
    (
        400,
        "value src/1.rs is not a valid point ID",
        lambda client: client.retrieve("c", [1, "src/1.rs"]),
    ),
    (
        400,
        "value src/1.rs is not a valid point ID",
        lambda client: client.upsert("c", [point(1, "src/1.rs")]),
    ),
    (400, "Empty update request", lambda client: client.upsert("c", [])),
    (422, "limit: value 0 invalid", lambda client: client.scroll("c", limit=0)),
]


@pytest.mark.parametrize(("code", "message", "call"), REFUSED)
def test_what_is_refused_is_spelled_as_a_server_does(
    code: int, message: str, call: Callable[[QdrantClient], Any], client: QdrantClient
) -> None:
    fill(client)
    with pytest.raises(UnexpectedResponse) as caught:
        call(client)
    assert caught.value.status_code == code
    assert message in caught.value.structured()["status"]["error"]
    assert client.count("c").count == N_POINTS


def test_bodies_that_are_not_understood(double: QdrantDouble, client: QdrantClient) -> None:
    create(client)
    for body in (b"{", b"{}", b'{"points": [{"id": true, "vector": {}}]}'):
        answer = httpx.put(f"{double.url}/collections/c/points", content=body)
        assert answer.status_code == 400
        assert answer.json()["status"]["error"].startswith("Format error in JSON body: ")


def test_the_version(double: QdrantDouble, client: QdrantClient) -> None:
    assert client.info().version == "1.17.1"
    double.version = "1.12.3"
    assert client.info().version == "1.12.3"


# ---- Faults

# httpx ignores errors of sending and reads on: a reset while it sends looks like a lost answer.
BROKEN = (httpx.ReadError, httpx.RemoteProtocolError)


def stored(double: QdrantDouble) -> int:
    with double.lock:
        return double.client.count("c").count


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)


def seen(client: QdrantClient) -> BaseException:
    """What an upsert of points 1 and 2 ends in, or the httpx error within."""
    with pytest.raises(
        (UnexpectedResponse, ResponseHandlingException, ResourceExhaustedResponse)
    ) as caught:
        client.upsert("c", [point(1), point(2)])
    return getattr(caught.value, "source", caught.value)


@pytest.mark.parametrize("code", [400, 413, 429, 500, 503])
def test_a_status(code: int, double: QdrantDouble, client: QdrantClient) -> None:
    create(client)
    double.fail(Status(code), method="PUT", path=POINTS)
    error = seen(client)
    assert isinstance(error, UnexpectedResponse)
    assert error.status_code == code
    assert error.structured()["status"]["error"].startswith(f"the double's {code}")
    assert stored(double) == 0
    client.upsert("c", [point(1)])  # the second one passes
    assert [request.n_points for request in double.requests[1:]] == [2, 1]


def test_a_status_with_a_header_and_a_body(double: QdrantDouble, client: QdrantClient) -> None:
    create(client)
    double.fail(Status(429, {"Retry-After": "7"}))
    double.fail(Status(502, body="<html>Bad Gateway</html>"))
    error = seen(client)
    assert isinstance(error, ResourceExhaustedResponse)
    assert error.retry_after_s == 7
    assert b"<html>" in getattr(seen(client), "content", b"")


@pytest.mark.parametrize(
    ("fault", "expected", "message", "applied"),
    [
        (Reset(), BROKEN, "reset by peer|without sending a response", 0),
        (CutAnswer(), httpx.RemoteProtocolError, "without sending complete message body", 2),
        (LostAnswer(), httpx.RemoteProtocolError, "without sending a response", 2),
    ],
)
def test_a_broken_connection(
    fault: Fault,
    expected: Any,
    message: str,
    applied: int,
    double: QdrantDouble,
    client: QdrantClient,
) -> None:
    create(client)
    double.fail(fault, path=POINTS)
    error = seen(client)
    assert isinstance(error, expected)
    assert re.search(message, str(error))
    assert stored(double) == applied
    client.upsert("c", [point(1), point(2)])
    assert client.count("c").count == 2
    assert double.requests[1] == Request(
        "PUT", "/collections/c/points", double.requests[2].n_bytes, 2 if applied else None
    )


def test_a_reset_within_a_long_body(double: QdrantDouble, client: QdrantClient) -> None:
    create(client)
    double.fail(Reset(), path=POINTS)
    long = models.PointStruct(id=1, vector={}, payload={"text": "x" * 8_000_000})
    with pytest.raises(ResponseHandlingException) as caught:
        client.upsert("c", [long])
    assert isinstance(caught.value.source, BROKEN)
    assert stored(double) == 0


def test_a_delay(double: QdrantDouble, client: QdrantClient) -> None:
    create(client)
    double.fail(Delay(0.1), path=POINTS)
    began = time.monotonic()
    client.upsert("c", [point(1), point(2)])
    assert time.monotonic() - began >= 0.1


def test_a_delay_beyond_the_timeout_is_applied_late(double: QdrantDouble) -> None:
    client = connect(double, timeout=1)  # whole seconds only
    create(client)
    double.fail(Delay(1.5), path=POINTS)
    assert isinstance(seen(client), httpx.ReadTimeout)
    assert stored(double) == 0
    wait_until(lambda: stored(double) > 0)
    assert stored(double) == 2
    client.close()


def test_which_requests_meet_a_fault(double: QdrantDouble, client: QdrantClient) -> None:
    create(client)
    double.fail(Status(503), method="PUT", path=POINTS, after=1, times=2)
    double.fail(Status(500), method="PUT", path=POINTS, after=1)
    client.count("c")  # another method
    client.create_payload_index("c", "a", models.PayloadSchemaType.KEYWORD)  # another path
    client.upsert("c", [point(1)])
    assert [getattr(seen(client), "status_code", None) for _ in range(3)] == [503, 503, 500]
    client.upsert("c", [point(2)])

    double.fail(Status(500), times=None)
    assert {getattr(seen(client), "status_code", None) for _ in range(5)} == {500}
    double.heal()
    assert client.count("c").count == 2


def test_points_that_are_refused(double: QdrantDouble, client: QdrantClient) -> None:
    create(client)
    double.refuse_points([2, UUID])
    error = seen(client)
    assert isinstance(error, UnexpectedResponse)
    assert (error.status_code, error.structured()["status"]["error"]) == (
        400,
        "Wrong input: point 2 is refused",
    )
    batch = models.Batch(ids=[3, UUID], vectors={"text": [dense(1, 4)] * 2})
    with pytest.raises(UnexpectedResponse, match=f"point {UUID} is refused"):
        client.upsert("c", batch)
    assert client.count("c").count == 0
    client.upsert("c", [point(1)])
    double.refuse_points([])
    client.upsert("c", batch)
    assert client.count("c").count == 3


def test_a_body_that_is_too_long(double: QdrantDouble, client: QdrantClient) -> None:
    create(client)
    double.max_body_bytes = 400
    for code in (413, 400):
        double.too_long_status = code
        error = seen(client)
        assert isinstance(error, UnexpectedResponse)
        assert error.status_code == code
        assert "larger than allowed (limit: 400 bytes)" in error.structured()["status"]["error"]
    client.delete("c", models.PointIdsList(points=[1]))
    assert client.count("c").count == 0


def test_the_key() -> None:
    with QdrantDouble(api_key="right") as double:
        for headers, code in [
            ({}, 401),
            ({"api-key": "wrong"}, 403),
            ({"Authorization": "Bearer wrong"}, 403),
        ]:
            client = connect(double, headers=headers)
            with pytest.raises(UnexpectedResponse) as caught:
                client.get_collections()
            assert caught.value.status_code == code
            assert client.info().version == "1.17.1"
            client.close()
        for headers in ({"api-key": "right"}, {"Authorization": "Bearer right"}):
            client = connect(double, headers=headers)
            assert client.get_collections().collections == []
            client.close()


def test_yellow_until_green(double: QdrantDouble, client: QdrantClient) -> None:
    create(client)
    states = []
    for change in (None, double.stay_yellow, double.go_green):
        if change is not None:
            change()
        states.append(client.get_collection("c").status)
    assert states == [
        models.CollectionStatus.GREEN,
        models.CollectionStatus.YELLOW,
        models.CollectionStatus.GREEN,
    ]


def test_a_server_that_goes_and_comes_back(double: QdrantDouble, client: QdrantClient) -> None:
    fill(client)
    kept = connect(
        double, limits=httpx.Limits(max_keepalive_connections=5)
    )  # off by default for 127.0.0.1
    assert kept.count("c").count == N_POINTS
    url = double.url
    double.stop()
    assert isinstance(seen(client), httpx.ConnectError)
    double.start()
    assert double.url == url
    assert client.count("c").count == N_POINTS
    assert kept.count("c").count == N_POINTS
    kept.close()


def test_a_server_that_goes_while_it_is_at_work(double: QdrantDouble, client: QdrantClient) -> None:
    create(client)
    double.fail(Delay(60), path=POINTS)

    def stop() -> None:
        wait_until(lambda: double.requests[-1].path.endswith("/points"))
        double.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    assert isinstance(seen(client), BROKEN)
    stopping.join()
    double.start()
    assert client.count("c").count == 0


def test_many_clients_at_once(double: QdrantDouble, client: QdrantClient) -> None:
    create(client)

    def upload(first: int) -> None:
        mine = connect(double)
        mine.upsert("c", [point(seed) for seed in range(first, first + 10)])
        mine.close()

    threads = [threading.Thread(target=upload, args=(first,)) for first in range(0, 80, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.count("c").count == 80
    assert sum(request.n_points or 0 for request in double.requests) == 80
