"""Points that a server acknowledges and then declines: named, counted, and the rest is stored."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from servers import SAMPLE_METADATA, server_index
from versions import MadeUp, vectors

from configs.settings import load_settings
from storage.errors import StorageError
from storage.live import require_live
from storage.points import structure_draft
from storage.server.connection import connect
from storage.server.index import ServerIndex
from storage.upload import UploadReport, publish_source

from qdrant_double import QdrantDouble

NAME = "test-declined"
WRONG_SIZE = "Vector dimension error: expected dim: 8, got 3"
METADATA = replace(SAMPLE_METADATA, project=NAME)


@pytest.fixture
def index(double: QdrantDouble) -> Iterator[ServerIndex]:
    settings = load_settings().storage
    opened = server_index(connect(double.url, None, settings), double.url, batch_points=10)
    yield opened
    opened.close()


def publish(index: ServerIndex, source: MadeUp, **changes: object) -> UploadReport:
    settings = load_settings().storage.model_copy(update={"publish": "in_place", **changes})
    return publish_source(index, NAME, METADATA, source, settings)


def with_a_short_vector(source: MadeUp, number: int) -> str:
    """Give the structure of that number a vector of the wrong dimension; return its id."""
    bad = source.all[number]
    short = {"text": partial(np.ones, 3, dtype=np.float32), **vectors(code="x")}
    source._structures[bad.id] = structure_draft(bad, short)
    return bad.id


def test_a_vector_of_the_wrong_size_is_named_with_the_reason_and_its_neighbours_are_stored(
    index: ServerIndex, double: QdrantDouble
) -> None:
    source = MadeUp(40)
    bad = with_a_short_vector(source, 17)
    report = publish(index, source)
    assert [refused["id"] for refused in report.refused] == [bad]
    assert WRONG_SIZE in report.refused[0]["reason"]
    assert (report.points, report.blocks, report.refused_structures) == (39, 20, 1)
    assert require_live(index, NAME).structures.retrieve([bad]) == []
    # What the server had acknowledged, it declined; what is missing was sent by halves.
    assert double.writes.log == [f"Wrong input: {WRONG_SIZE}"]


def test_a_change_that_is_declined_takes_the_former_point_away(index: ServerIndex) -> None:
    publish(index, MadeUp(40))
    source = MadeUp(40, 1)
    (changed,) = [number for number, found in enumerate(source.all) if found.name == "f14"]
    bad = with_a_short_vector(source, changed)
    report = publish(index, source)
    assert (report.way, [refused["id"] for refused in report.refused]) == (
        "changed_in_place",
        [bad],
    )
    assert report.points == 39
    assert require_live(index, NAME).structures.retrieve([bad]) == []


def test_more_declined_points_than_allowed_fail_the_run(index: ServerIndex) -> None:
    source = MadeUp(40)
    for number in (3, 17, 30):
        with_a_short_vector(source, number)
    with pytest.raises(
        StorageError, match="3 points were rejected, storage.max_refused is 2.*expected dim: 8"
    ):
        publish(index, source, max_refused=2)
    assert index.live(NAME) is None


def test_a_server_that_declines_everything_is_not_asked_about_each_point(
    double: QdrantDouble,
) -> None:
    settings = load_settings().storage
    client = connect(double.url, None, settings)
    index = server_index(client, double.url, batch_points=10, max_refused=5, streams=1)
    source = MadeUp(400)
    double.refuse_points([structure.id for structure in source.all])
    with pytest.raises(StorageError, match="points were rejected, storage.max_refused is 5"):
        publish(index, source, max_refused=5)
    sent = [request for request in double.requests if request.method == "PUT" and request.n_points]
    assert len(sent) < 40 + 20 + 120  # the load, and the halves of a few batches
    client.close()


def test_a_write_that_waits_says_at_once_what_is_wrong(index: ServerIndex) -> None:
    generation = index.create(NAME, METADATA)
    bad = next(iter(MadeUp(1).structures())).point()
    bad = replace(bad, id=str(uuid.uuid4()), vectors={"text": np.ones(3, dtype=np.float32)})
    (rejection,) = generation.structures.upsert([bad], wait=True)
    assert rejection.id == bad.id
    assert generation.structures.upsert([bad]) == []
    generation.finish()
    assert generation.structures.count() == 0
