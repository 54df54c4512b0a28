"""Runs that meet a fault: a server that is away, slow or cut off, a rejected point, a kill.

Requests go to a double over HTTP (qdrant_double); runs that are killed are processes of their own.
"""

from __future__ import annotations

import itertools
import logging
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from kills import KILLS
from qdrant_client import QdrantClient
from versions import MadeUp, is_that, is_whole

from configs.settings import load_settings
from lsif.structure import Structure, with_digest
from storage.embedded.index import EmbeddedIndex
from storage.errors import (
    IndexLocked,
    IndexMismatch,
    IndexUnreachable,
    IndexUnready,
    KeyRejected,
    RequestRejected,
    StorageError,
)
from storage.index import Generation, Index
from storage.live import require_live
from storage.maintenance.rollback import rollback
from storage.maintenance.verify import verify
from storage.metadata import Metadata, VectorInfo
from storage.points import RecordDraft
from storage.server.connection import Connection, connect
from storage.server.index import ServerIndex
from storage.upload import UploadReport, publish_source

from conftest import FINGERPRINTS, PROJECT_ROOT, server_index
from qdrant_double import CutAnswer, Delay, Fault, LostAnswer, QdrantDouble, Reset, Status

NAME = "test-faults"
SECRET = "secret-key-0451"  # noqa: S105 - looked for in everything that is said
VECTORS = {name: VectorInfo(8, one.digest, one.describe()) for name, one in FINGERPRINTS.items()}
METADATA = Metadata(
    "faults",
    "file:///faults",
    "0123abc",
    dirty=False,
    created="2026-01-01T00:00:00+00:00",
    vectors=VECTORS,
)
UPSERT = r"/points$"
WRITES = {
    "create collection": ("PUT", r"/collections/[^/]+$"),
    "create index": ("PUT", r"/index$"),
    "upsert": ("PUT", UPSERT),
    "set payload": ("POST", r"/points/batch$"),
    "delete": ("POST", r"/points/delete$"),
    "aliases": ("POST", r"/collections/aliases$"),
    "metadata": ("PATCH", r"/collections/[^/]+$"),
    "drop": ("DELETE", rf"/collections/{NAME}[^/]*$"),
}
OF_BUILD = ("create collection", "create index", "upsert", "delete", "aliases", "metadata", "drop")
OF_SYNC = ("upsert", "set payload", "delete", "metadata")


def check(index: Index, source: MadeUp) -> None:
    """Assert that what is live is exactly what the source says."""
    live = require_live(index, NAME)
    report = verify(live, source.structures, source.blocks)
    assert report.ok, report
    assert is_whole(live, source)


# ---- Runs against the double


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.server.connection._FIRST_PAUSE_S", 0.01)


@pytest.fixture
def open_index(double: QdrantDouble) -> Iterator[Callable[..., ServerIndex]]:
    """Open the double as a run does; options go to the settings."""
    clients: dict[object, QdrantClient] = {}  # each loads the certificates of the system anew

    def run(api_key: str | None = None, **changes: object) -> ServerIndex:
        settings = load_settings().storage.model_copy(
            update={"retry_s": 20.0, "ready_s": 20.0, "batch_points": 10, **changes}
        )
        which = api_key, settings.timeout_s
        if which not in clients:
            clients[which] = connect(double.url, api_key, settings)
        return ServerIndex(Connection(clients[which], double.url, settings, api_key))

    yield run
    for one in clients.values():
        one.close()


def publish(
    index: Index, source: MadeUp, *, rebuild: bool = False, **changes: object
) -> UploadReport:
    settings = load_settings().storage.model_copy(update={"publish": "in_place", **changes})
    return publish_source(index, NAME, METADATA, source, settings, rebuild=rebuild)


def within(double: QdrantDouble) -> ServerIndex:
    """The double's data, past the network and its faults. Local mode knows no threads."""
    return server_index(double.client, "http://memory")


def collections(double: QdrantDouble) -> set[str]:
    with double.lock:
        return {one.name for one in double.client.get_collections().collections}


def both(*names: str) -> set[str]:
    """The two collections of each generation."""
    return {name + suffix for name in names for suffix in ("", "--blocks")}


def aliases(double: QdrantDouble) -> dict[str, str]:
    with double.lock:
        return {one.alias_name: one.collection_name for one in double.client.get_aliases().aliases}


def aliases_of(name: str) -> dict[str, str]:
    return {NAME: name, f"{NAME}--blocks": f"{name}--blocks"}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.0005)


OLD, NEW = MadeUp(40, 0), MadeUp(40, 1)
WAYS = {"built": True, "changed_in_place": False}


@pytest.fixture
def old(double: QdrantDouble, open_index: Callable[..., ServerIndex]) -> str:
    """A live generation; its name."""
    name = publish(open_index(), OLD).generation
    double.requests.clear()
    return name


def check_all(double: QdrantDouble, way: str, former: str, source: MadeUp = NEW) -> None:
    """Assert that the live generation is what the source says, and only the former is kept."""
    live = aliases(double)[NAME]
    assert (live == former) == (way == "changed_in_place")
    assert aliases(double) == aliases_of(live)
    assert collections(double) == both(live, former)
    check(within(double), source)


def check_untouched(double: QdrantDouble, old: str) -> None:
    """Assert that the old generation is live and whole, and that there is nothing else."""
    assert aliases(double) == aliases_of(old)
    assert collections(double) == both(old)
    check(within(double), OLD)


# ---- Connections


def test_a_server_that_is_away_at_first_is_told_at_once(
    double: QdrantDouble, open_index: Callable[..., ServerIndex]
) -> None:
    index = open_index(retry_s=120.0)
    double.stop()
    began = time.monotonic()
    with pytest.raises(IndexUnreachable, match=f"no Qdrant answers at {double.url}"):
        publish(index, NEW)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_goes_while_points_are_sent_and_comes_back(
    way: str, double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    double.fail(Delay(30), path=UPSERT, after=1)

    def restart() -> None:
        wait_until(lambda: sum(one.path.endswith("/points") for one in double.requests) >= 2)
        double.stop()
        time.sleep(0.2)
        double.start()

    restarting = threading.Thread(target=restart)
    restarting.start()
    report = publish(open_index(), NEW, rebuild=WAYS[way])
    restarting.join()
    assert report.way == way
    check_all(double, way, old)


@pytest.mark.parametrize(
    "fault", [Reset(), CutAnswer(), LostAnswer()], ids=lambda fault: type(fault).__name__
)
@pytest.mark.parametrize(
    ("way", "write"),
    [
        *(("built", write) for write in OF_BUILD),
        *(("changed_in_place", write) for write in OF_SYNC),
    ],
)
def test_a_write_whose_connection_breaks_is_done_once(
    way: str,
    write: str,
    fault: Fault,
    double: QdrantDouble,
    open_index: Callable[..., ServerIndex],
    old: str,
) -> None:
    live, (method, path) = old, WRITES[write]
    if write == "drop":  # there must be a former generation
        live = publish(open_index(), OLD, rebuild=True).generation
    double.fail(fault, method=method, path=path)
    double.fail(fault, method=method, path=path, after=2, times=2)
    double.requests.clear()
    assert publish(open_index(), NEW, rebuild=WAYS[way]).way == way
    assert any(one.method == method and re.search(path, one.path) for one in double.requests)
    check_all(double, way, live)


@pytest.mark.parametrize(
    "fault", [Reset(), CutAnswer(), LostAnswer()], ids=lambda fault: type(fault).__name__
)
def test_the_first_publication_whose_connections_break(
    fault: Fault, double: QdrantDouble, open_index: Callable[..., ServerIndex]
) -> None:
    for method, path in WRITES.values():
        double.fail(fault, method=method, path=path)
    report = publish(open_index(), NEW)
    assert aliases(double) == aliases_of(report.generation)
    assert collections(double) == both(report.generation)
    check(within(double), NEW)


# ---- Slow, busy and failing servers


@pytest.mark.parametrize(
    ("way", "write"),
    [("built", "upsert"), ("built", "aliases"), ("changed_in_place", "set payload")],
)
def test_a_request_that_takes_too_long_is_sent_again(
    way: str, write: str, double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    method, path = WRITES[write]
    double.fail(Delay(1.2), method=method, path=path)
    publish(open_index(timeout_s=1), NEW, rebuild=WAYS[way])
    check_all(double, way, old)
    time.sleep(0.2)  # by now the late one was carried out, too
    check_all(double, way, old)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, {}), (429, {"Retry-After": "0"}), (429, {"Retry-After": "soon"}), (500, {}), (503, {})],
)
def test_a_server_that_fails_for_a_while_is_asked_again(
    way: str,
    headers: dict[str, str],
    status: int,
    double: QdrantDouble,
    open_index: Callable[..., ServerIndex],
    old: str,
) -> None:
    for method, path in WRITES.values():
        double.fail(Status(status, headers), method=method, path=path, times=2)
    publish(open_index(), NEW, rebuild=WAYS[way])
    check_all(double, way, old)


@pytest.mark.parametrize(
    ("wait", "path"),
    [("seconds", r"^/$"), ("seconds", UPSERT), ("date", UPSERT)],
    ids=["first request", "upsert", "date"],
)
def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(
    wait: str, path: str, double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    until = (
        time.time() + 1 if wait == "seconds" else int(time.time()) + 2
    )  # a date is one of whole seconds
    text = (
        "1"
        if wait == "seconds"
        else format_datetime(datetime.fromtimestamp(until, UTC), usegmt=True)
    )
    double.fail(Status(429, {"Retry-After": text}), path=path)
    publish(open_index(), NEW, rebuild=True)
    assert time.time() >= until
    check_all(double, "built", old)


def test_a_server_that_is_busy_for_longer_than_the_deadline_is_told_at_once(
    double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    double.fail(Status(429, {"Retry-After": "3600"}), path=UPSERT, times=None)
    began = time.monotonic()
    with pytest.raises(IndexUnreachable, match=r"is busy \(HTTP 429\)"):
        publish(open_index(), NEW, rebuild=True)
    assert time.monotonic() - began < 5
    check_untouched(double, old)


@pytest.mark.parametrize(
    ("fault", "first"),
    [(Status(429), 0), (Status(500), 1), (Status(503), 0), (Reset(), 1)],
    ids=["429", "500", "503", "reset"],
)
def test_a_server_that_fails_for_good_ends_the_run_at_the_deadline(
    fault: Fault, first: int, double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    for write in OF_BUILD[:-1][first::2]:  # what was built can be removed, and is
        method, path = WRITES[write]
        double.fail(fault, method=method, path=path, times=None, after=write != "aliases")
        began = time.monotonic()
        with pytest.raises(IndexUnreachable):
            publish(open_index(retry_s=0.15), NEW, rebuild=True)
        assert time.monotonic() - began < 3
        double.heal()
        check_untouched(double, old)
    publish(open_index(), NEW, rebuild=True)
    check_all(double, "built", old)


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_gone_for_good_is_not_waited_for_again_to_clean_up(
    status: int,
    double: QdrantDouble,
    open_index: Callable[..., ServerIndex],
    old: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create = ServerIndex.create

    def create_and_go(index: ServerIndex, collection: str, metadata: Metadata) -> Generation:
        generation = create(index, collection, metadata)
        double.fail(Status(status), times=None)
        return generation

    monkeypatch.setattr(ServerIndex, "create", create_and_go)
    with pytest.raises(IndexUnreachable, match=rf"failed to write 10 points: HTTP {status}"):
        publish(open_index(retry_s=0.3), NEW, rebuild=True)
    assert [(one.method, re.sub(r".*/", "/", one.path)) for one in double.requests[-2:]] == [
        ("PUT", "/points"),
        ("GET", "/aliases"),
    ]
    (left,) = {name.removesuffix("--blocks") for name in collections(double)} - {old}
    assert f"could not remove the unfinished generation {left}" in caplog.text
    double.heal()
    assert aliases(double) == aliases_of(old)
    check(within(double), OLD)
    index = open_index()
    index.drop(NAME, replace_name(require_live(index, NAME), left))
    check_untouched(double, old)


def replace_name(generation: Generation, name: str) -> Generation:
    """Return a generation of that name on the same server."""
    return type(generation)(generation._connection, name, METADATA)  # type: ignore[attr-defined, call-arg]


def test_a_sync_in_place_that_ends_at_the_deadline_is_finished_by_the_next(
    double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    for write in OF_SYNC:
        method, path = WRITES[write]
        double.fail(Status(503), method=method, path=path, times=None)
        with pytest.raises(IndexUnreachable):
            publish(open_index(retry_s=0.1), NEW)
        double.heal()
        check_mixed(within(double), OLD, NEW)
    report = publish(open_index(), NEW)
    assert (report.points, report.blocks) == (40, 20)
    check_all(double, "changed_in_place", old)


def check_mixed(index: Index, old: MadeUp, new: MadeUp) -> None:
    """Assert that every point is as one of the sources says; points of both must exist."""
    live = require_live(index, NAME)
    for points, before, after in zip(
        (live.structures, live.blocks), old.kinds(), new.kinds(), strict=True
    ):
        stored = {one.id: one for one in points.scroll(vectors=True)}
        assert before.keys() & after.keys() <= stored.keys()
        assert all(
            is_that(one, before.get(one.id)) or is_that(one, after.get(one.id))
            for one in stored.values()
        )


def test_a_sync_in_place_that_failed_in_its_last_request_ends_with_the_right_counts(
    double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    larger = MadeUp(43, 1)
    double.fail(Status(503), method="PATCH", path=r"-[0-9a-f]{8}$", times=None)
    with pytest.raises(IndexUnreachable):
        publish(open_index(retry_s=0.1), larger)
    double.heal()
    report = publish(open_index(), larger)
    assert (report.way, report.points, report.blocks) == ("unchanged", 43, 22)
    check_all(double, "changed_in_place", old, larger)


# ---- Points that a server does not take


@pytest.mark.parametrize("status", [413, 400])
@pytest.mark.parametrize("way", WAYS)
def test_batches_that_are_too_large_are_halved(
    way: str, status: int, double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    double.max_body_bytes, double.too_long_status = 4000, status
    report = publish(
        open_index(batch_points=1000), MadeUp(160, 1) if way == "built" else NEW, rebuild=WAYS[way]
    )
    assert report.refused == []
    sent = [
        one
        for one in double.requests
        if one.path.endswith("/points") and one.n_points is not None and one.method == "PUT"
    ]
    assert any(one.n_bytes > 4000 for one in sent)
    check_all(double, way, old, MadeUp(160, 1) if way == "built" else NEW)


@pytest.mark.parametrize("status", [413, 400])
def test_moves_that_are_too_large_a_request_are_halved(
    status: int, double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    many = MadeUp(300, 0)
    publish(open_index(), many, rebuild=True)
    further = MadeUp(300, 0)
    further.all = [
        replace(one, line=one.line + 9, line_from=one.line_from + 9, line_to=one.line_to + 9)
        for one in many.all
    ]
    double.max_body_bytes, double.too_long_status = 4000, status
    double.requests.clear()
    report = publish(open_index(batch_points=1000), further)
    assert (report.way, report.moved) == ("changed_in_place", 450)
    assert any(one.n_bytes > 4000 for one in double.requests if one.path.endswith("/points/batch"))
    check(within(double), further)


def test_changes_of_one_point_that_are_refused_end_the_run(
    double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    double.fail(Status(400), path=WRITES["set payload"][1], times=None)
    with pytest.raises(RequestRejected, match="failed to set 1 payloads: HTTP 400"):
        publish(open_index(), NEW)


@pytest.mark.parametrize("status", [413, 400])
def test_a_point_that_is_too_large_for_the_server_is_named_and_the_others_are_stored(
    status: int, double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    source = MadeUp(40, 1)
    source.all[17] = large(source.all[17], 50_000)
    double.max_body_bytes, double.too_long_status = 20_000, status
    report = publish(open_index(batch_points=1000), source, rebuild=True)
    check_refused(double, report, source, 17, f"HTTP {status}")


def test_a_point_that_no_request_can_hold_is_named_and_the_others_are_stored(
    double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    source = MadeUp(40, 1)
    source.all[17] = large(source.all[17], 1_100_000)
    report = publish(open_index(batch_points=1000, batch_mb=1), source, rebuild=True)
    check_refused(double, report, source, 17, "storage.batch_mb")
    assert max(one.n_bytes for one in double.requests) < 1_000_100


def large(one: Structure, size: int) -> Structure:
    fields = one.to_dict()
    return with_digest({**fields, "context": {**fields["context"], "snippet": "x" * size + "\n"}})


def check_refused(
    double: QdrantDouble, report: UploadReport, source: MadeUp, number: int, reason: str
) -> None:
    """Assert that the structure of that number is reported as rejected, and the rest is stored."""
    bad = source.all[number]
    (refused,) = report.refused
    assert (refused["id"], refused["label"]) == (
        bad.id,
        f"Function {bad.symbol} ({bad.context.file_path}:{bad.line})",
    )
    assert reason in refused["reason"]
    assert (report.refused_structures, report.points, report.blocks) == (1, 39, 20)
    live = require_live(within(double), NAME)
    assert verify(live, source.structures, source.blocks, rejected=[bad.id]).ok
    assert live.structures.retrieve([bad.id]) == []
    assert (live.metadata.structures, live.metadata.complete) == (39, True)


@pytest.mark.parametrize("way", WAYS)
def test_refused_points_are_named_and_their_stale_versions_are_gone(
    way: str, double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    _, (structures, blocks) = OLD.kinds(), NEW.kinds()
    (changed,) = [one for one in NEW.all if one.name == "f14"]
    (added,) = [one for one in NEW.all if one.name == "f44"]
    block = next(iter(blocks.values()))
    assert require_live(within(double), NAME).structures.retrieve([changed.id])
    double.refuse_points([changed.id, added.id, block.id])
    report = publish(open_index(), NEW, rebuild=WAYS[way])
    wanted = {
        (one.id, one.label()) for one in (structures[changed.id], structures[added.id], block)
    }
    assert {(one["id"], one["label"]) for one in report.refused} == wanted
    assert all(f"point {one['id']} is refused" in one["reason"] for one in report.refused)
    assert (report.way, report.refused_structures, report.points, report.blocks) == (way, 2, 38, 19)
    live = require_live(within(double), NAME)
    assert verify(live, NEW.structures, NEW.blocks, rejected=[changed.id, added.id, block.id]).ok
    assert live.structures.retrieve([changed.id, added.id]) == []
    double.refuse_points([])
    report = publish(open_index(), NEW)
    assert (report.way, report.added, report.changed, report.refused) == (
        "changed_in_place",
        3,
        0,
        [],
    )
    check(within(double), NEW)


# ---- Servers that do not get ready, that refuse, that are too old


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_never_gets_green_is_told_and_changes_nothing(
    way: str, double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    double.stay_yellow()
    began = time.monotonic()
    with pytest.raises(IndexUnready, match=r"is yellow after 0.3 s.*storage.ready_s"):
        publish(open_index(ready_s=0.3), NEW, rebuild=WAYS[way])
    assert 0.3 <= time.monotonic() - began < 3
    assert aliases(double) == aliases_of(old)
    if way == "built":
        check_untouched(double, old)
    else:
        check_mixed(within(double), OLD, NEW)
    double.go_green()
    publish(open_index(), NEW, rebuild=WAYS[way])
    check_all(double, way, old)


def test_a_server_that_gets_green_late_is_waited_for(
    double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    double.stay_yellow()
    greening = threading.Timer(0.5, double.go_green)
    greening.start()
    publish(open_index(), NEW, rebuild=True)
    greening.join()
    check_all(double, "built", old)


def test_a_server_that_started_again_while_it_indexed_is_told_to_go_on(
    double: QdrantDouble, open_index: Callable[..., ServerIndex], old: str
) -> None:
    double.stay_grey()
    publish(open_index(ready_s=2), NEW)
    check_all(double, "changed_in_place", old)


class Echo(Status):
    """Answers with the key, as some proxies do."""

    def __init__(self, code: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(
            code, headers or {}, f'{{"status": {{"error": "api-key: {SECRET} is no good"}}}}'
        )


def test_a_rebuild_takes_no_refused_key_for_a_damaged_index(
    double: QdrantDouble, open_index: Callable[..., ServerIndex]
) -> None:
    double.api_key = "another"
    with pytest.raises(KeyRejected):
        publish(open_index(None, retry_s=120.0), NEW, rebuild=True)
    assert len(double.requests) == 1


@pytest.mark.parametrize("key", [None, SECRET])
def test_a_key_that_is_refused_is_told_at_once(
    key: str | None,
    double: QdrantDouble,
    open_index: Callable[..., ServerIndex],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    double.api_key = "another"
    with pytest.raises(
        KeyRejected, match=rf"\(HTTP {403 if key else 401}\); set QDRANT_API_KEY"
    ) as caught:
        publish(open_index(key, retry_s=120.0), NEW)
    assert len(double.requests) == 1
    assert SECRET not in said(caught.value, caplog)


@pytest.mark.parametrize(("write", "status"), list(zip(OF_BUILD, itertools.cycle([401, 403]))))
def test_a_key_that_may_read_and_not_write_is_told_at_once(
    status: int,
    write: str,
    double: QdrantDouble,
    open_index: Callable[..., ServerIndex],
    caplog: pytest.LogCaptureFixture,
    old: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    (method, path), double.api_key = WRITES[write], SECRET
    double.fail(Echo(status), method=method, path=path, times=None)
    if write == "drop":  # the new generation is live: what is left over is the next run's to remove
        for _ in range(2):
            publish(open_index(SECRET), OLD, rebuild=True)
        assert f"HTTP {status}" in caplog.text
        assert SECRET not in said(None, caplog)
        return
    with pytest.raises(KeyRejected, match=rf"\(HTTP {status}\); set QDRANT_API_KEY") as caught:
        publish(open_index(SECRET, retry_s=120.0, streams=1, batch_points=1000), NEW, rebuild=True)
    assert (
        len([one for one in double.requests if one.method == method and re.search(path, one.path)])
        == 1
    )
    assert SECRET not in said(caught.value, caplog)
    double.heal()
    check_untouched(double, old)


@pytest.mark.parametrize("code", [400, 404, 409, 413, 429, 500, 503])
def test_a_key_that_a_server_repeats_is_not_said_again(
    code: int,
    double: QdrantDouble,
    open_index: Callable[..., ServerIndex],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    double.api_key = SECRET
    index = open_index(SECRET, retry_s=0.1)
    publish(index, OLD)
    for path in (r"/aliases$", UPSERT, r"/points/delete$"):
        double.fail(Echo(code), path=path, times=None)
        error: StorageError | None = None
        try:
            report = publish(index, NEW, rebuild=True)
            assert SECRET not in str(report)
        except StorageError as exc:
            error = exc
        assert SECRET not in said(error, caplog)
        double.heal()
    assert caplog.text


def said(error: BaseException | None, caplog: pytest.LogCaptureFixture) -> str:
    """Everything that a run says: its error with all that led to it, and the logs."""
    records = [
        f"{record.getMessage()} {record.exc_text} {record.args}" for record in caplog.records
    ]
    lines = traceback.format_exception(error) if error is not None else []
    while error is not None:
        lines += [str(error), repr(error), str(vars(error))]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join([caplog.text, *records, *lines])


def test_a_key_does_not_travel_unencrypted_to_another_host() -> None:
    settings = load_settings().storage
    for url, key in (
        ("http://qdrant.example:6333", SECRET),
        (f"http://user:{SECRET}@qdrant.example:6333", None),
    ):
        with pytest.raises(
            StorageError,
            match=r"would travel unencrypted to http://qdrant.example:6333.*allow_key_over_http",
        ) as caught:
            connect(url, key, settings)
        assert SECRET not in "".join(traceback.format_exception(caught.value))
        connect(url, key, settings.model_copy(update={"allow_key_over_http": True})).close()
    connect("https://qdrant.example:6333", SECRET, settings).close()
    connect("http://qdrant.example:6333", None, settings).close()
    connect("http://127.0.0.1:6333", SECRET, settings).close()


def test_a_server_that_is_too_old_is_told_with_both_versions(
    double: QdrantDouble, open_index: Callable[..., ServerIndex]
) -> None:
    double.version = "1.9.0"
    with pytest.raises(IndexMismatch, match=r"is Qdrant 1\.9; 1\.16 or later is needed"):
        publish(open_index(), NEW)
    assert collections(double) == set()


# ---- Kills


RUNNER = """
    import os, sys, traceback
    import orjson
    from test_storage_faults import run

    print("ready", flush=True)
    for line in sys.stdin.buffer:
        if (child := os.fork()) == 0:
            try:
                run(**orjson.loads(line))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def run(where: str, count: int, version: int, rebuild: bool, wait: str = "") -> None:
    """In a process of its own: bring the index to a version; with `wait`, say so and stay."""
    index: Index
    if where.startswith("http:"):
        index = server_index(connect(where, None, load_settings().storage), where, batch_points=20)
    else:
        index = EmbeddedIndex(Path(where))
    source = MadeUp(count, version)
    if wait:
        structures = source.structures

        def stay() -> Iterator[RecordDraft[Any]]:
            yield next(structures())
            Path(wait).touch()
            time.sleep(60)

        source.structures = stay  # type: ignore[method-assign]
    publish(index, source, rebuild=rebuild)
    index.close()


class Runner:
    """Forks runs from a process with everything imported: new interpreters would take long."""

    def __init__(self, folder: Path) -> None:
        script = folder / "runner.py"
        script.write_text(textwrap.dedent(RUNNER))
        environment = {"PYTHONPATH": f"{PROJECT_ROOT}:{PROJECT_ROOT / 'tests'}", "PATH": ""}
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()

    def start(self, **arguments: object) -> int:
        """Start a run; return its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(arguments) + b"\n")
        return int(self._read())

    def ended(self) -> bool:
        """Return whether the run is over."""
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def end(self) -> int:
        """Wait for the run's end; return its exit status, that of a kill is negative."""
        return int(self._read())

    def kill(self, pid: int) -> bool:
        """Kill the run; return whether it was still at work."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return self.end() == -signal.SIGKILL

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    runner = Runner(tmp_path_factory.mktemp("runner"))
    yield runner
    runner.close()


def kill_amid(
    runner: Runner, double: QdrantDouble, moments: random.Random, among: int, **arguments: object
) -> bool:
    """Start a run and kill it around one of its first requests; return whether it still ran."""
    moment = len(double.requests) + moments.randrange(among)
    pid = runner.start(where=double.url, **arguments)
    wait_until(lambda: len(double.requests) > moment or runner.ended())
    time.sleep(moments.uniform(0, 0.006))
    at_work = runner.kill(pid)
    assert double._server is not None
    wait_until(lambda: not double._server.connections)  # type: ignore[union-attr]  # what was sent is carried out
    return at_work


def requests_of(runner: Runner, **arguments: object) -> int:
    """How many requests an undisturbed run takes that follows one of version 0."""
    with QdrantDouble() as other:
        runner.start(where=other.url, **{**arguments, "version": 0})
        assert runner.end() == 0
        before = len(other.requests)
        runner.start(where=other.url, **arguments)
        assert runner.end() == 0
        return len(other.requests) - before


def test_builds_that_are_killed_at_random_moments_leave_what_is_live_whole(
    runner: Runner,
    double: QdrantDouble,
    open_index: Callable[..., ServerIndex],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments, index = random.Random(7), within(double)  # noqa: S311 - moments, not secrets
    among = requests_of(runner, count=200, version=1, rebuild=True)
    double.fail(Delay(0.003), times=None)
    live, at_work = -1, 0
    for version in range(KILLS):
        at_work += kill_amid(
            runner, double, moments, among, count=200, version=version, rebuild=True
        )
        generation = index.live(NAME)
        if live < 0 and generation is None:
            continue
        assert generation is not None
        if is_whole(generation, MadeUp(200, version)):
            live = version
        assert is_whole(generation, MadeUp(200, live))
        assert aliases(double) == aliases_of(generation.name)
    assert at_work >= KILLS * 3 // 4
    assert len(collections(double)) > 4  # what they left behind
    double.heal()
    publish(open_index(), MadeUp(200, KILLS), rebuild=True)
    check(index, MadeUp(200, KILLS))
    monkeypatch.setattr("storage.server.life._ABANDONED", timedelta(0))  # as if it were a day later
    publish(open_index(), MadeUp(200, KILLS + 1), rebuild=True)
    check(index, MadeUp(200, KILLS + 1))
    former = index.former(NAME)
    assert former is not None
    assert collections(double) == both(require_live(index, NAME).name, former.name)
    assert is_whole(former, MadeUp(200, KILLS))


def test_syncs_in_place_that_are_killed_at_random_moments_leave_every_point_old_or_new(
    runner: Runner, double: QdrantDouble
) -> None:
    moments, index = random.Random(8), within(double)  # noqa: S311
    among = requests_of(runner, count=200, version=1, rebuild=False)
    name = publish_undisturbed(double, MadeUp(200, 0)).generation
    at_work, mixed = 0, 0
    for version in range(1, KILLS + 1):
        old, new = MadeUp(200, version - 1), MadeUp(200, version)
        double.fail(Delay(0.003), times=None)
        at_work += kill_amid(
            runner, double, moments, among, count=200, version=version, rebuild=False
        )
        double.heal()
        check_mixed(index, old, new)
        live = require_live(index, NAME)
        mixed += (
            not verify(live, old.structures, old.blocks).ok
            and not verify(live, new.structures, new.blocks).ok
        )
        report = publish_undisturbed(double, new)
        assert (report.points, report.blocks) == (200, 100)
        check(index, new)
    assert at_work >= KILLS * 3 // 4
    assert mixed > 0
    assert collections(double) == both(name)


def publish_undisturbed(double: QdrantDouble, source: MadeUp) -> UploadReport:
    """Publish, and hang up: `kill_amid` waits until nobody is connected."""
    with closing(
        server_index(
            connect(double.url, None, load_settings().storage), double.url, batch_points=100
        )
    ) as index:
        return publish(index, source)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory if there is room: the engine allots 300 MB for a generation."""
    memory = Path("/dev/shm")
    in_memory = (
        memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4e9
    )
    made = Path(tempfile.mkdtemp(dir=memory if in_memory else tmp_path))
    yield made
    shutil.rmtree(made)


def generations(root: Path) -> list[Path]:
    return list((root / NAME).glob(f"{NAME}--*"))


def test_embedded_builds_that_are_killed_at_random_moments_leave_what_is_live_whole(
    runner: Runner, folder: Path
) -> None:
    moments, root = random.Random(9), folder / "qdrant"  # noqa: S311
    began = time.monotonic()
    for version in range(2):
        runner.start(where=str(folder / "undisturbed"), count=200, version=version, rebuild=False)
        assert runner.end() == 0
    takes = (time.monotonic() - began) / 2
    shutil.rmtree(folder / "undisturbed")
    live, at_work, version = -1, 0, -1
    while version < 9 or (at_work < 5 and version < 29):  # a build may be faster than the first two
        version += 1
        pid = runner.start(where=str(root), count=200, version=version, rebuild=version % 5 != 4)
        time.sleep(moments.uniform(0, takes))
        at_work += runner.kill(pid)
        index = EmbeddedIndex(root)
        generation = index.live(NAME)
        if live >= 0 or generation is not None:
            assert generation is not None
            if is_whole(generation, MadeUp(200, version)):
                live = version
            assert is_whole(generation, MadeUp(200, live))
        index.close()
    assert at_work >= 5
    index = EmbeddedIndex(root)
    for further in (1, 2):
        publish(index, MadeUp(200, version + further), rebuild=further == 1)
        check(index, MadeUp(200, version + further))
        assert len(generations(root)) <= 2  # what is live, and storage.keep_generations
    rollback(index, NAME, load_settings().storage)
    check(index, MadeUp(200, version + 1))
    index.close()


def test_a_generation_whose_removal_was_killed_is_no_former_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = EmbeddedIndex(folder)
    first = publish(index, MadeUp(10, 0)).generation

    def stop_amid(tree: Path, **_: object) -> None:
        removed, *_ = (
            path for path in tree.rglob("*") if path.is_file() and path.name != "metadata.json"
        )
        removed.unlink()

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", stop_amid)
        publish(index, MadeUp(10, 1), keep_generations=0)
    assert (folder / NAME / first).is_dir()
    assert index.former(NAME) is None
    assert index.remove_unfinished(NAME) == [first]
    assert not (folder / NAME / first).exists()
    check(index, MadeUp(10, 1))
    index.close()


def test_two_runs_at_once_on_one_folder_and_the_lock_of_a_killed_one(
    runner: Runner, folder: Path
) -> None:
    root, begun = folder / "qdrant", folder / "begun"
    index = EmbeddedIndex(root)
    publish(index, MadeUp(20, 0))
    pid = runner.start(where=str(root), count=20, version=1, rebuild=True, wait=str(begun))
    wait_until(begun.exists)
    with pytest.raises(
        IndexLocked,
        match=f"another process is writing {root / NAME}; wait for it to end, or choose another",
    ):
        publish(index, MadeUp(20, 2))
    check(index, MadeUp(20, 0))
    assert len(generations(root)) == 2  # the other's is left alone
    assert runner.kill(pid)
    publish(index, MadeUp(20, 2))
    check(index, MadeUp(20, 2))
    assert len(generations(root)) == 2
    index.close()
