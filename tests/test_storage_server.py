"""What only a server can do: be away, refuse, hold collections of others."""

from __future__ import annotations

import socket
import threading
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models

from configs.settings import Settings, load_settings
from storage.embedded.index import EmbeddedIndex
from storage.errors import (
    IndexMismatch,
    IndexUnreachable,
    KeyRejected,
    RequestRejected,
    StorageError,
)
from storage.metadata import Metadata, generation_name, is_generation
from storage.open import open_index
from storage.server.connection import Connection, connect
from storage.server.index import ServerIndex

from conftest import server_index

SECRET = "secret-key-0451"  # noqa: S105 - looked for in every message


class Refusing(BaseHTTPRequestHandler):
    """Answers every request with one status."""

    status = 403

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        echoed = str(self.headers).encode()  # some proxies do that
        self.wfile.write(b'{"status": {"error": "told so"}}' + echoed)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def http_server() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def open_server(port: int) -> ServerIndex:
    url = f"http://user:{SECRET}@127.0.0.1:{port}"
    settings = load_settings().storage.model_copy(update={"timeout_s": 2, "retry_s": 0.0})
    return ServerIndex(Connection(connect(url, SECRET, settings), url, settings, SECRET))


def test_a_server_that_is_away_is_told_without_secrets() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    index = open_server(port)
    with pytest.raises(
        IndexUnreachable, match=f"no Qdrant answers at http://127.0.0.1:{port}.*unset QDRANT_URL"
    ) as caught:
        index.live("x")
    assert caught.value.retryable
    assert SECRET not in str(caught.value)
    assert SECRET not in index.location
    index.close()


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (401, KeyRejected, "QDRANT_API_KEY"),
        (403, KeyRejected, "QDRANT_API_KEY"),
        (503, IndexUnreachable, "HTTP 503"),
        (404, StorageError, "HTTP 404.*told so"),
    ],
)
def test_what_a_server_refuses_is_told(
    http_server: HTTPServer,
    status: int,
    error: type[StorageError],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Refusing, "status", status)
    index = open_server(http_server.server_port)
    with pytest.raises(error, match=message) as caught:
        index.live("x")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    index.close()


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6333",
        "ftp://x",
        "http://",
        "nonsense",
        f"http://user:{SECRET}@127.0.0.1:99999",
        f"http://user:{SECRET}#x@127.0.0.1:6333",
        f"http://user:{SECRET}?x@127.0.0.1:6333",
        f"http://user:{SECRET}@[::1",
    ],
)
def test_a_url_that_is_none_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(StorageError, match="QDRANT_URL") as caught:
        connect(url, None, load_settings().storage)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_key_that_no_header_may_have_is_refused_and_not_quoted(
    settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match="QDRANT_API_KEY holds blanks") as caught:
        connect("http://127.0.0.1:1", f"{SECRET} x", load_settings().storage)
    assert SECRET not in str(caught.value)
    # A line end behind the key, as a file has it, is no part of it.
    index = open_index(
        settings.storage,
        tmp_path / "qdrant",
        {"QDRANT_URL": "http://127.0.0.1:9", "QDRANT_API_KEY": f"{SECRET}\n"},
    )
    with pytest.raises(IndexUnreachable) as unreachable:
        index.live("x")
    assert SECRET not in "".join(traceback.format_exception(unreachable.value))


def test_who_searches_the_former_generation_still_finds_it_after_a_publish(
    metadata: Metadata,
) -> None:
    index = server_index(QdrantClient(":memory:"), "http://memory")
    generations = []
    for _ in range(3):
        generation = index.create("mine", metadata)
        generation.describe(replace(metadata, complete=True))
        index.publish("mine", generation)
        generations.append(generation)
    assert generations[1].structures.count() == 0
    with pytest.raises(ValueError, match="not found"):
        generations[0].structures.count()


def test_collections_of_others_are_not_touched() -> None:
    client = QdrantClient(":memory:")
    client.create_collection(
        "theirs", vectors_config=models.VectorParams(size=4, distance=models.Distance.COSINE)
    )
    index = server_index(client, "http://memory")
    assert index.collections() == []
    with pytest.raises(
        IndexMismatch, match="has a collection 'theirs' that lsif-ingest did not make"
    ):
        index.live("theirs")
    client.update_collection_aliases(
        [
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name="theirs", alias_name="alias")
            )
        ]
    )
    assert index.collections() == []
    with pytest.raises(IndexMismatch, match="alias 'alias'.*names collection 'theirs'"):
        index.live("alias")


def test_what_a_run_killed_long_ago_left_behind_is_removed_and_a_young_one_is_not(
    metadata: Metadata,
) -> None:
    client = QdrantClient(":memory:")
    index = server_index(client, "http://memory")
    old = f"mine--{datetime.now(UTC) - timedelta(days=2):%Y%m%dT%H%M%S%f}"
    young = f"mine--{datetime.now(UTC) - timedelta(hours=1):%Y%m%dT%H%M%S%f}"
    other = "mine--not-a-time"
    for name in (old, young, other):
        client.create_collection(name, vectors_config={})
    assert index.remove_unfinished("mine") == [old]
    created = index.create("mine", metadata)
    assert {one.name for one in client.get_collections().collections} == {
        young,
        other,
        created.name,
        f"{created.name}--blocks",
    }


def test_the_environment_decides_which_end_is_used(settings: Settings, tmp_path: Path) -> None:
    embedded = open_index(settings.storage, tmp_path / "qdrant", {})
    assert isinstance(embedded, EmbeddedIndex)
    assert embedded.location == str(tmp_path / "qdrant")
    server = open_index(
        settings.storage,
        tmp_path / "qdrant",
        {"QDRANT_URL": "http://localhost:6333", "QDRANT_API_KEY": SECRET},
    )
    assert isinstance(server, ServerIndex)
    assert server.location == "http://localhost:6333"
    server.close()


RESERVED = (
    "foo--blocks",
    "foo@dev--blocks",
    "foo--blocks--blocks",
    "foo--20260101T000000000000-0123abcd",
    "foo--20260101T000000000000-0123abcd--blocks",
)
FREE = ("foo", "foo@dev", "blocks", "foo-blocks", "foo--block", "foo--20260101T000000", "foo--a")


@pytest.mark.parametrize("name", RESERVED)
def test_a_name_that_is_made_from_another_ones_is_refused_by_either_index(
    name: str, tmp_path: Path
) -> None:
    client = QdrantClient(":memory:")
    for index in (server_index(client, "http://memory"), EmbeddedIndex(tmp_path)):
        with (
            pytest.raises(IndexMismatch, match=f"can't be named '{name}'.*Choose another name"),
            index.writing(name),
        ):
            pass
    assert (client.get_collections().collections, list(tmp_path.iterdir())) == ([], [])


@pytest.mark.parametrize("name", FREE)
def test_a_name_that_nothing_is_made_of_is_free(name: str, tmp_path: Path) -> None:
    for index in (server_index(QdrantClient(":memory:"), "http://x"), EmbeddedIndex(tmp_path)):
        with index.writing(name):
            pass


@pytest.mark.parametrize("other", ["theirs", "foo--blocks--20260101T000000000000-0123abcd"])
@pytest.mark.parametrize("alias", ["foo", "foo--blocks"])
def test_an_alias_of_another_index_is_never_taken(other: str, alias: str) -> None:
    client = QdrantClient(":memory:")
    client.create_collection(other, vectors_config={})
    create = models.CreateAlias(collection_name=other, alias_name=alias)
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=create)])
    index = server_index(client, "http://memory")
    with (
        pytest.raises(
            IndexMismatch,
            match=f"alias '{alias}' of collection '{other}', which is not of the index 'foo'",
        ),
        index.writing("foo"),
    ):
        pass
    assert [found.collection_name for found in client.get_aliases().aliases] == [other]


@pytest.mark.parametrize("theirs", ["foo", "foo--blocks"])
def test_a_collection_of_others_is_found_before_the_work(theirs: str) -> None:
    client = QdrantClient(":memory:")
    client.create_collection(theirs, vectors_config={})
    with (
        pytest.raises(IndexMismatch, match=f"has a collection '{theirs}', which is not of"),
        server_index(client, "http://memory").writing("foo"),
    ):
        pass


def test_generations_belong_to_the_collection_before_their_last_time(metadata: Metadata) -> None:
    inner = generation_name("foo--20260101T000000000000-0123abcd", metadata, [])
    assert not is_generation(inner, "foo")
    assert is_generation(inner, "foo--20260101T000000000000-0123abcd")
    assert is_generation(generation_name("foo", metadata, []), "foo")


class GrpcError(Exception):
    """What the client raises by gRPC: the error's name is that of its code."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def code(self) -> GrpcError:
        return self

    def details(self) -> str:
        return f"Wrong input: {SECRET}"


GrpcError.__module__ = "grpc._channel"


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ("INVALID_ARGUMENT", RequestRejected, "INVALID_ARGUMENT Wrong input"),
        ("NOT_FOUND", StorageError, "failed to write: NOT_FOUND Wrong input"),
        ("PERMISSION_DENIED", KeyRejected, r"\(PERMISSION_DENIED\); set QDRANT_API_KEY"),
        ("UNAVAILABLE", IndexUnreachable, "no Qdrant answers by gRPC"),
    ],
)
def test_what_a_server_rejects_by_grpc_is_not_taken_for_its_absence(
    code: str, error: type[StorageError], message: str
) -> None:
    index = open_server(9)

    def ask() -> None:
        raise GrpcError(code)

    with pytest.raises(error, match=message) as caught:
        index._connection.call("write", ask)
    assert SECRET not in str(caught.value)
    index.close()
