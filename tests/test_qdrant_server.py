"""The harness of `make test-server`, with a program that stands in for Qdrant's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from _pytest.outcomes import Skipped
from qdrant_client import models
from qdrant_server import BINARY, QdrantProxy, QdrantServer, running_double
from servers import server_index

from configs.settings import load_settings
from storage.errors import IndexMismatch, IndexUnreachable
from storage.server.connection import connect

from qdrant_double import Status

TESTS = Path(__file__).parent


@pytest.fixture
def program(tmp_path: Path) -> Path:
    script = tmp_path / "qdrant"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} -I -S {TESTS}/stand_in_qdrant.py\n")
    script.chmod(0o755)
    return script


def test_a_server_is_put_behind_the_double_with_its_faults(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BINARY, str(program))
    monkeypatch.setenv("QDRANT__SERVICE__API_KEY", "of another server")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with running_double() as double:
        assert isinstance(double, QdrantProxy)
        client = connect(double.url, None, load_settings().storage)
        create = models.CreateAlias(collection_name="generation", alias_name="mine")
        client.update_collection_aliases([models.CreateAliasOperation(create_alias=create)])
        assert [each.alias_name for each in double.client.get_aliases().aliases] == ["mine"]
        index = server_index(client, double.url, retry_s=0.0)
        assert index.health().version == "1.17.1"
        double.fail(Status(503))
        with pytest.raises(IndexUnreachable, match="HTTP 503"):
            index.collections()
        double.stop()  # what stands in for the program has no data afterwards
        double.start()
        assert index.collections() == []
        double.version = "1.9.0"
        with pytest.raises(IndexMismatch, match=r"is Qdrant 1\.9"):
            index.health()
        with pytest.raises(Skipped):
            double.refuse_points([1])
        with pytest.raises(Skipped):
            _ = double.configs
        index.close()


def test_a_program_that_does_not_start_is_named_with_its_log(tmp_path: Path) -> None:
    script = tmp_path / "broken"
    script.write_text("#!/bin/sh\necho no room; exit 3\n")
    script.chmod(0o755)
    server = QdrantServer(script, tmp_path)
    with pytest.raises(RuntimeError, match="broken does not start: no room"):
        server.start()
    assert server._process is None
