"""A key that may only read searches; a run with it ends before any work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from qdrant_server import running_double
from servers import SAMPLE_METADATA

from configs.settings import load_settings
from storage.errors import KeyRejected
from storage.maintenance.rollback import rollback
from storage.query import Condition
from storage.server.connection import Connection, connect
from storage.server.index import ServerIndex

from qdrant_double import QdrantDouble

NAME = "test-rights"
FULL, READS = "full-0451", "reads-0451"


@pytest.fixture
def double() -> Iterator[QdrantDouble]:
    with running_double(api_key=FULL) as running:
        running.read_only_key = READS
        yield running


def open_with(double: QdrantDouble, key: str) -> ServerIndex:
    settings = load_settings().storage.model_copy(update={"retry_s": 0.0})
    return ServerIndex(Connection(connect(double.url, key, settings), double.url, settings, key))


def test_a_key_that_may_only_read_is_noticed_before_the_work(double: QdrantDouble) -> None:
    manager, reader = open_with(double, FULL), open_with(double, READS)
    with manager.writing(NAME):
        generation = manager.create(NAME, replace(SAMPLE_METADATA, complete=True))
    manager.publish(NAME, generation)
    before = manager.collections()
    live = reader.live(NAME)
    assert live is not None
    assert list(live.structures.select((), where=(Condition("crate", ("a",)),))) == []
    message = r"refuses to create or delete collections \(HTTP 403\); set QDRANT_API_KEY"
    with pytest.raises(KeyRejected, match=message), reader.writing(NAME):
        pass
    with pytest.raises(KeyRejected, match=message):
        rollback(reader, NAME, load_settings().storage)
    assert manager.collections() == before
    manager.close()
    reader.close()
