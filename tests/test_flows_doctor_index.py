"""The doctor's checks of the index, embedded or on a Qdrant server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from doctored import changed
from searchable import DEFAULT_TOLD
from servers import SAMPLE_METADATA

from configs.settings import Settings
from configs.workspace import Workspace
from flows.doctor import index as doctor_index
from flows.doctor.finding import Finding
from storage.embedded.index import EmbeddedIndex

from conftest import drop_index
from qdrant_double import Delay, QdrantDouble, Status

pytestmark = pytest.mark.usefixtures("bare_environment")


def test_the_embedded_index_is_read(settings: Settings, indexed: Path) -> None:
    finding = doctor_index.check_index(Workspace(settings))
    assert finding == Finding(
        "index", "ok", f"Qdrant edge 0.9.0 at {indexed}/qdrant: 93 structures in sample"
    )
    assert doctor_index.check_leftovers(Workspace(settings)) == Finding("leftovers", "ok", "none")


def test_an_index_of_other_models_is_reported(settings: Settings, indexed: Path) -> None:
    finding = doctor_index.check_index(Workspace(changed(settings, "embedding.code.max_tokens=64")))
    assert finding.status == "warning"
    assert finding.found.startswith(f"collection 'sample' was made with code = {DEFAULT_TOLD}, ")
    assert finding.advice.startswith("lsif-ingest ingest --rebuild --set project.name=sample")


def test_an_index_of_an_earlier_schema_is_reported(settings: Settings, indexed: Path) -> None:
    (file,) = (indexed / "qdrant/sample").glob("sample--*/metadata.json")
    file.write_bytes(orjson.dumps({**orjson.loads(file.read_bytes()), "schema_version": 2}))
    finding = doctor_index.check_index(Workspace(settings))
    assert (finding.status, finding.found) == (
        "warning",
        "collection 'sample' has record schema 2, this version writes 3",
    )


def test_a_payload_index_that_is_missing_is_reported(settings: Settings, indexed: Path) -> None:
    with closing(EmbeddedIndex(indexed / "qdrant")) as index:
        live = index.live("sample")
        assert live is not None
        drop_index(live.structures, "name")
    finding = doctor_index.check_index(Workspace(settings))
    assert finding == Finding(
        "index",
        "warning",
        "collection 'sample' lacks the payload indexes of name, so searches by these fields read "
        "all points",
        "lsif-ingest ingest --set project.name=sample, with the same sources",
    )


def test_a_damaged_collection_is_reported_though_others_can_be_read(
    settings: Settings, indexed: Path
) -> None:
    broken = indexed / "qdrant/broken"
    broken.mkdir()
    (broken / "live.json").write_text('{"generation": "broken--1"}')
    finding = doctor_index.check_index(Workspace(settings))
    assert finding.status == "failed"
    assert f"{broken}/broken--1 can't be opened" in finding.found
    assert (
        finding.advice
        == "Replace it: lsif-ingest ingest --rebuild with the arguments that made it."
    )


def test_an_index_that_can_not_be_written(settings: Settings, a_file: Path) -> None:
    finding = doctor_index.check_index(Workspace(changed(settings, f"paths.data={a_file}")))
    assert (finding.status, finding.advice) == ("failed", "--set paths.data=DIR")


def test_what_killed_runs_left_is_reported_with_the_command_that_removes_it(
    settings: Settings, indexed: Path
) -> None:
    half = indexed / "qdrant/sample/sample--20260101T000000000000-0badcafe"
    half.mkdir()
    (half / "metadata.json").write_text('{"complete": false}')
    old, young = (
        indexed / "projects/sample/.structures.jsonl.1.tmp",
        indexed / "projects/sample/.structures.jsonl.2.tmp",
    )
    for path in (old, young):
        path.write_bytes(b"x" * 100_000)
    os.utime(old, (1, 1))
    finding = doctor_index.check_leftovers(Workspace(settings))
    assert finding.status == "warning"
    assert finding.found.startswith(
        "1 unfinished generation and 1 temporary file of killed runs, 0.1 MB"
    )
    assert finding.advice == f"lsif-ingest remove --unfinished; rm -r {old}"
    with EmbeddedIndex(indexed / "qdrant").writing("sample"):  # then it is being built
        assert doctor_index.check_leftovers(Workspace(settings)).advice == f"rm -r {old}"


# ---- A Qdrant server


@contextmanager
def qdrant(
    monkeypatch: pytest.MonkeyPatch, key_sent: str = "", **options: Any
) -> Iterator[QdrantDouble]:
    """Run a double that the environment names."""
    with QdrantDouble(**options) as double:
        monkeypatch.setenv("QDRANT_URL", double.url)
        if key_sent:
            monkeypatch.setenv("QDRANT_API_KEY", key_sent)
        yield double


def test_a_server_that_is_well(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with qdrant(monkeypatch, "the-key", api_key="the-key", version="1.17.2") as double:
        assert doctor_index.check_index(Workspace(settings)) == Finding(
            "index", "ok", f"Qdrant 1.17.2 at {double.url}: 0 structures in no collection"
        )
        assert doctor_index.check_leftovers(Workspace(settings)).status == "ok"


def test_a_server_that_is_too_old(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with qdrant(monkeypatch, version="1.15.5") as double:
        finding = doctor_index.check_index(Workspace(settings))
    assert (finding.status, finding.found) == (
        "failed",
        f"{double.url} is Qdrant 1.15; 1.16 or later is needed.",
    )
    assert finding.advice == "docker pull qdrant/qdrant, and restart the server with it"


def test_a_key_that_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with qdrant(monkeypatch, "another-key", api_key="the-key") as double:
        finding = doctor_index.check_index(Workspace(settings))
    assert finding.status == "failed"
    assert finding.found.startswith(f"{double.url} refuses to look up aliases (HTTP 403)")
    assert finding.advice == "set QDRANT_API_KEY to a key that allows it."


def test_a_key_is_not_sent_in_the_clear(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT_URL", "http://qdrant.example:6333")
    monkeypatch.setenv("QDRANT_API_KEY", "the-key")
    finding = doctor_index.check_index(Workspace(settings))
    assert (finding.status, finding.found) == (
        "failed",
        "the API key or password would travel unencrypted to http://qdrant.example:6333",
    )
    assert finding.advice == "use https, or --set storage.allow_key_over_http=true"


def test_a_server_that_is_not_there_or_does_not_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with qdrant(monkeypatch) as double:
        double.fail(Delay(30), times=None)
        monkeypatch.setattr(doctor_index, "_ANSWER_S", 1)
        slow = doctor_index.check_index(Workspace(settings))
        double.stop()
        gone = doctor_index.check_index(Workspace(settings))
    for finding in (slow, gone):
        assert finding.status == "failed"
        assert finding.found.startswith(f"no Qdrant answers at {double.url} (")
        assert finding.advice == "start it, or unset QDRANT_URL to use the embedded one."


def cluster(**changes: Any) -> Status:
    """Return the answer of a cluster of two peers."""
    state = {
        "status": "enabled",
        "peer_id": 1,
        "peers": {"1": {"uri": "http://a:6335/"}, "2": {"uri": "http://b:6335/"}},
        "raft_info": {
            "term": 1,
            "commit": 9,
            "pending_operations": 0,
            "leader": 1,
            "role": "Leader",
            "is_voter": True,
        },
        "consensus_thread_status": {
            "consensus_thread_status": "working",
            "last_update": "2026-01-01T00:00:00Z",
        },
        "message_send_failures": {},
        **changes,
    }
    return Status(200, {}, orjson.dumps({"result": state, "status": "ok", "time": 0.0}).decode())


def test_a_cluster_is_whole_or_not(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with qdrant(monkeypatch) as double:
        double.fail(cluster(), path="^/cluster$")
        assert (
            f"Qdrant 1.17.1 at {double.url}, 2 peers: "
            in doctor_index.check_index(Workspace(settings)).found
        )
        double.fail(
            cluster(message_send_failures={"http://b:6335/": {"count": 7}}), path="^/cluster$"
        )
        finding = doctor_index.check_index(Workspace(settings))
    assert (finding.status, finding.found) == (
        "warning",
        (
            f"Qdrant 1.17.1 at {double.url}, 2 peers: "
            "peer http://b:6335/ does not get messages (7 failed)"
        ),
    )


def test_unfinished_generations_on_a_server(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qdrant_client import QdrantClient, models

    with qdrant(monkeypatch) as double:
        client = QdrantClient(url=double.url, check_compatibility=False)
        for name in ("sample--20260101T000000000000-0badcafe", "somebody--elses"):
            client.create_collection(
                name,
                {"code": models.VectorParams(size=4, distance=models.Distance.COSINE)},
                metadata={"lsif_ingest": SAMPLE_METADATA.to_dict()},
            )
        client.close()
        finding = doctor_index.check_leftovers(Workspace(settings))
    assert finding.found == "1 unfinished generation and 0 temporary files of killed runs, 0.0 MB"
    assert finding.advice == "lsif-ingest remove --unfinished"
