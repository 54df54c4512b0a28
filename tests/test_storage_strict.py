"""A server whose strict mode allows little, as hosted ones do: the same results, more requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from qdrant_client import models
from qdrant_server import running_double
from servers import SAMPLE_METADATA, server_index
from versions import MadeUp

from configs.settings import load_settings
from storage.errors import IndexMismatch, RequestRejected
from storage.live import require_live
from storage.query import Nearest
from storage.server.connection import connect
from storage.server.index import ServerIndex
from storage.server.limits import CollectionLimits, Limits, learnt_from, limits_of
from storage.upload import UploadReport, publish_source

from qdrant_double import QdrantDouble

NAME = "test-strict"
METADATA = replace(SAMPLE_METADATA, project=NAME)
STRICT = {
    "enabled": True,
    "max_query_limit": 7,
    "max_timeout": 30,
    "upsert_max_batchsize": 3,
    "search_max_batchsize": 2,
    "search_allow_exact": False,
    "unindexed_filtering_retrieve": False,
}


@pytest.fixture
def double() -> Iterator[QdrantDouble]:
    with running_double() as running:
        running.strict_mode = dict(STRICT)
        yield running


@pytest.fixture
def index(double: QdrantDouble) -> Iterator[ServerIndex]:
    settings = load_settings().storage
    opened = server_index(
        connect(double.url, None, settings), double.url, batch_points=10, ready_s=3600.0
    )
    yield opened
    opened.close()


def publish(index: ServerIndex, source: MadeUp) -> UploadReport:
    settings = load_settings().storage.model_copy(update={"publish": "in_place"})
    return publish_source(index, NAME, METADATA, source, settings)


def test_a_run_and_a_sync_end_well_within_the_limits(
    index: ServerIndex, double: QdrantDouble
) -> None:
    built = publish(index, MadeUp(40))
    assert (built.way, built.points, built.blocks, built.refused) == ("built", 40, 20, [])
    synced = publish(index, MadeUp(40, 1))
    assert (synced.way, synced.points, synced.refused) == ("changed_in_place", 40, [])
    sent = [request.n_points for request in double.requests if request.method == "PUT"]
    # The first batch of each collection that is opened is halved; the limit is known then.
    assert sent.count(3) > sent.count(10)


def test_values_and_hits_are_counted_and_found_within_the_limits(index: ServerIndex) -> None:
    publish(index, MadeUp(40))
    structures = require_live(index, NAME).structures
    assert structures.values("context.file_path") == {
        **{f"src/{number}.rs": 5 for number in range(4)},
        **{f"src/{number}.rs": 4 for number in range(4, 9)},
    }
    assert structures.values("paths")["src"] == 40
    vector, another = np.ones(8, dtype=np.float32), require_live(index, NAME).structures
    found = another.search(*[Nearest("text", vector, wanted) for wanted in (200, 3, 5)])
    assert [len(hits) for hits in found] == [7, 3, 5]
    assert structures.count() == 40


def test_what_is_asked_again_is_only_what_was_refused(
    index: ServerIndex, double: QdrantDouble
) -> None:
    publish(index, MadeUp(40))
    structures = require_live(index, NAME).structures
    double.requests.clear()
    assert len(list(structures.select(()))) == 40
    scrolls = [request for request in double.requests if request.path.endswith("/points/scroll")]
    assert len(scrolls) == 1 + 6  # one refused, six pages of seven


def test_a_mode_that_no_run_can_end_well_under_is_said_before_the_work(
    index: ServerIndex, double: QdrantDouble
) -> None:
    publish(index, MadeUp(40))
    live = index.live(NAME)
    assert live is not None
    assert index.restriction(NAME, 200) == (
        "strict mode gives a search 7 points of each retriever (max_query_limit), "
        "not search.candidates = 200"
    )
    assert index.restriction(NAME, 7) == ""
    double.configs[live.name]["strict_mode_config"]["max_payload_index_count"] = 3
    with pytest.raises(IndexMismatch, match=r"allows 3 payload indexes .*, not \d+"):
        index.restriction(NAME, 200)


@pytest.mark.parametrize(
    ("refusal", "limits"),
    [
        ('Limit exceeded 1000 > 50 for \\"limit\\". Help: Reduce', Limits(points=50)),
        ('Limit exceeded 3600 > 30 for "timeout". Help: Reduce', Limits(wait_s=30)),
        ('Limit exceeded 4 > 3 for "upsert limit". Help: Reduce', Limits(batch_points=3)),
        ('Limit exceeded 3 > 2 for "search batch size". Help: Reduce', Limits(searches=2)),
        ("Bad request: Exact search disabled!. Help: Set exact=false.", Limits(exact=False)),
        ("Wrong input: Vector dimension error: expected dim: 8, got 3", Limits()),
        ('Limit exceeded 4 > 3 for "something new"', Limits()),
    ],
)
def test_a_refusal_says_what_is_allowed(refusal: str, limits: Limits) -> None:
    assert learnt_from(refusal, Limits()) == limits


def test_a_limit_that_another_thread_learns_meanwhile_is_kept_to(index: ServerIndex) -> None:
    limits = CollectionLimits(index._connection, NAME)

    def ask(allowed: Limits) -> int | None:
        if allowed == Limits():
            limits.known = Limits(points=7)
            raise RequestRejected('Limit exceeded 1000 > 7 for "limit"')
        return allowed.points

    assert limits.within(ask) == 7


def test_a_configuration_that_is_switched_off_limits_nothing() -> None:
    assert limits_of(None) == Limits()
    assert limits_of(models.StrictModeConfigOutput(enabled=False, max_query_limit=5)) == Limits()
    limited = models.StrictModeConfigOutput(enabled=True, max_query_limit=5)
    assert limits_of(limited) == Limits(points=5)
