"""A server that restarts, fills its disk, loses a node or makes a snapshot in the middle of a run.

Each test holds for a real server, too: `make test-server`.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import orjson
import pytest
from qdrant_server import running_double
from servers import SAMPLE_METADATA, server_index
from versions import MadeUp, is_whole

from configs.settings import load_settings
from storage.errors import StorageError
from storage.live import require_live
from storage.points import StructureDraft
from storage.server.connection import connect
from storage.server.index import ServerIndex
from storage.upload import UploadReport, publish_source

from qdrant_double import Delay, QdrantDouble, Status

NAME = "test-interrupted"
METADATA = replace(SAMPLE_METADATA, project=NAME)
OLD, NEW = MadeUp(20, 0), MadeUp(20, 1)
WRITE = r"/points$"
STAGES = {
    "check": ("DELETE", r"/lsif-ingest-\w+$"),
    "what is live": ("GET", rf"/{NAME}--[^/]+$"),
    "version": ("GET", r"^/$"),
    "create": ("PUT", rf"/{NAME}--[^/]+$"),
    "payload index": ("PUT", r"/index$"),
    "load": ("PUT", WRITE),
    "finish": ("PATCH", r"-[0-9a-f]{8}$"),
    "settle": ("POST", r"/points/delete$"),
    "read back": ("POST", WRITE),
    "keep words": ("PATCH", r"--blocks$"),
    "count": ("POST", r"/points/count$"),
    "publish": ("POST", r"/collections/aliases$"),
    "remove the former": ("DELETE", rf"/{NAME}--[^/]+$"),
}
OF_SYNC = ("load", "settle")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.server.connection._FIRST_PAUSE_S", 0.01)


@pytest.fixture
def index(double: QdrantDouble) -> Iterator[ServerIndex]:
    """An index with a live generation of OLD."""
    with opened_on(double) as opened:
        yield opened


@pytest.fixture(scope="module")
def restarted() -> Iterator[tuple[QdrantDouble, ServerIndex]]:
    """A server that each restart finds as the one before left it, and its index."""
    with running_double() as running, opened_on(running) as opened:
        yield running, opened


@contextmanager
def opened_on(double: QdrantDouble) -> Iterator[ServerIndex]:
    client = connect(double.url, None, load_settings().storage)
    opened = server_index(client, double.url, batch_points=10, retry_s=20.0)
    publish(opened, OLD)
    double.requests.clear()
    yield opened
    opened.close()


def publish(index: ServerIndex, source: MadeUp, *, rebuild: bool = False) -> UploadReport:
    settings = load_settings().storage.model_copy(
        update={"publish": "in_place", "keep_generations": 0}
    )
    return publish_source(index, NAME, METADATA, source, settings, rebuild=rebuild)


def check(index: ServerIndex, source: MadeUp) -> None:
    """Assert that what is live is exactly what the source says, and that nothing else is left."""
    live = require_live(index, NAME)
    assert is_whole(live, source)
    assert [(each.name, each.complete) for each in index.generations(NAME)] == [(live.name, True)]


def restart(double: QdrantDouble, method: str, path: str) -> threading.Thread:
    """Restart the server as soon as it gets such a request, before it answers."""
    double.fail(Delay(30), method=method, path=path)

    def wait() -> None:
        deadline = time.monotonic() + 20
        while not any(
            request.method == method and re.search(path, request.path)
            for request in list(double.requests)
        ):
            if time.monotonic() > deadline:
                return
            time.sleep(0.001)
        double.stop()
        double.start()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("stage", "rebuild", "version"),
    [
        *((stage, True, version) for version, stage in enumerate(STAGES, 1)),
        *((stage, False, version) for version, stage in enumerate(OF_SYNC, len(STAGES) + 1)),
    ],
)
def test_a_restart_in_any_stage_ends_well(
    stage: str, rebuild: bool, version: int, restarted: tuple[QdrantDouble, ServerIndex]
) -> None:
    (double, index), (method, path) = restarted, STAGES[stage]
    double.requests.clear()
    restarting = restart(double, method, path)
    publish(index, MadeUp(20, version), rebuild=rebuild)
    restarting.join()
    asked = [request for request in double.requests if re.search(path, request.path)]
    assert len([request for request in asked if request.method == method]) > 1
    check(index, MadeUp(20, version))


def answer(code: int, text: str) -> Status:
    """Return an error as a server spells it."""
    return Status(code, body=orjson.dumps({"status": {"error": text}, "time": 0.0}).decode())


FULL = "No space left on device: WAL buffer size exceeds available disk space"


@pytest.mark.parametrize(("code", "rebuild"), [(500, True), (507, False)])
def test_a_full_disk_ends_the_run_with_what_the_server_says_and_the_next_run_mends_it(
    code: int, rebuild: bool, double: QdrantDouble, index: ServerIndex
) -> None:
    index._connection.settings = index._connection.settings.model_copy(update={"retry_s": 0.1})
    double.fail(
        answer(code, f"Service internal error: {FULL}"), path=WRITE, method="PUT", times=None
    )
    with pytest.raises(StorageError, match=f"failed to write .*: HTTP {code} .*{FULL}"):
        publish(index, NEW, rebuild=rebuild)
    if rebuild:
        check(index, OLD)  # nothing of the new generation is left on the full disk
    double.heal()
    publish(index, NEW, rebuild=rebuild)
    check(index, NEW)


@pytest.mark.parametrize("rebuild", [True, False])
def test_a_node_that_comes_back_is_waited_for(
    rebuild: bool, double: QdrantDouble, index: ServerIndex
) -> None:
    inactive = (
        "Service internal error: Failed to apply operation to at least one `Active` replica. "
        "Consistency of this update is not guaranteed. Please retry."
    )
    unread = (
        "Service internal error: The replica set for shard 0 on peer 1 does not have enough "
        "active replicas"
    )
    double.fail(answer(500, inactive), path=WRITE, method="PUT", times=3)
    double.fail(answer(500, unread), path=r"/points/(scroll|count)$", times=3)
    publish(index, NEW, rebuild=rebuild)
    check(index, NEW)


class Watched(MadeUp):
    """A source that calls something in the middle of the load."""

    def __init__(self, in_between: Callable[[], None]) -> None:
        super().__init__(20, 1)
        self._in_between = in_between

    def structures(self) -> Iterator[StructureDraft]:
        for number, draft in enumerate(super().structures()):
            if number == 15:
                self._in_between()
            yield draft


@pytest.mark.parametrize("rebuild", [True, False])
def test_a_snapshot_while_points_are_loaded_disturbs_neither(
    rebuild: bool, double: QdrantDouble, index: ServerIndex
) -> None:
    index._connection.settings = index._connection.settings.model_copy(update={"batch_points": 1})
    former, made = require_live(index, NAME).name, list[str]()
    publish(
        index,
        Watched(lambda: made.extend(index.snapshot(require_live(index, NAME)))),
        rebuild=rebuild,
    )
    check(index, NEW)
    assert [name.partition("/")[0] for name in made[:2]] == [former, f"{former}--blocks"]
    if not rebuild:  # else they were removed with the former generation
        found = httpx.get(f"{double.url}/collections/{former}/snapshots").json()["result"]
        assert {name.partition("/")[2] for name in made[::2]} == {each["name"] for each in found}
