"""Generations that are kept, to switch back and forth, and those that killed runs left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from servers import SAMPLE_METADATA, server_index

from configs.settings import load_settings
from storage.embedded.index import EmbeddedIndex
from storage.embedded.points import ShardPoints
from storage.errors import IndexMissing
from storage.generations import Builder, read_builder, this_builder
from storage.index import Index
from storage.live import require_live
from storage.maintenance.rollback import rollback
from storage.schema import Kind, R
from storage.server.index import ServerIndex

NAME = "mine"
SETTINGS = load_settings().storage


def no_shard(folder: Path, _: object, kind: Kind[R], **_options: bool) -> ShardPoints[R]:
    """Return the points of a shard that is not made: making one takes the engine a while."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return ShardPoints(folder, None, kind)


@pytest.fixture(params=["embedded", "server"])
def index(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Index]:
    monkeypatch.setattr("storage.embedded.generation.create_shard", no_shard)
    opened = (
        EmbeddedIndex(tmp_path)
        if request.param == "embedded"
        else server_index(QdrantClient(":memory:"), "http://memory")
    )
    yield opened
    opened.close()


def publish(index: Index, commit: str, keep: int = 2) -> str:
    with index.writing(NAME):
        generation = index.create(NAME, SAMPLE_METADATA)
        generation.describe(replace(SAMPLE_METADATA, commit=commit, complete=True))
        index.publish(NAME, generation, keep=keep)
    return generation.name


def live(index: Index) -> str:
    return require_live(index, NAME).name


def test_one_goes_back_and_forth_as_often_as_one_likes(index: Index) -> None:
    first, second, third = (publish(index, commit) for commit in ("a", "b", "c"))
    for name in (first, third, second, first, second, third):
        before = live(index)
        assert rollback(index, NAME, SETTINGS, to=name) == (before, name)
        assert live(index) == name
    assert rollback(index, NAME, SETTINGS) == (third, second)
    assert rollback(index, NAME, SETTINGS, to=second) == (second, second)


def test_who_can_go_no_further_back_is_shown_the_newer_ones(index: Index) -> None:
    first, second = publish(index, "a"), publish(index, "b")
    rollback(index, NAME, SETTINGS)
    with pytest.raises(IndexMissing, match=f"older than {first} is kept.*Others: {second}; .*--to"):
        rollback(index, NAME, SETTINGS)
    with pytest.raises(IndexMissing, match="no complete generation 'mine--nonsense'"):
        rollback(index, NAME, SETTINGS, to="mine--nonsense")
    assert live(index) == first


def test_the_generation_that_one_went_back_to_outlives_the_newer_one_that_was_bad(
    index: Index,
) -> None:
    good, _bad = publish(index, "a"), publish(index, "b")
    rollback(index, NAME, SETTINGS)
    newest = publish(index, "c", keep=1)
    assert [each.name for each in index.generations(NAME)] == [good, newest]
    assert rollback(index, NAME, SETTINGS) == (newest, good)


def test_generations_are_listed_oldest_first_with_what_they_were_made_of(index: Index) -> None:
    first, second = publish(index, "a"), publish(index, "b")
    unfinished = index.create(NAME, SAMPLE_METADATA)
    found = index.generations(NAME)
    assert [(each.name, each.live, each.complete) for each in found] == [
        (first, False, True),
        (second, True, True),
        (unfinished.name, False, False),
    ]
    assert [each.metadata.commit for each in found if each.metadata] == ["a", "b", "0123abc"]
    assert found[1].to_dict()["commit"] == "b"
    unfinished.close()


# ---- Killed runs


HERE = Builder("this-host", "/data", "process 1", "2026-01-01T00:00:00+00:00")
WITHOUT_ZONE = {**asdict(HERE), "seen": "2026-01-01T00:00:00"}
ELSEWHERE = replace(HERE, host="other-host")


def on_server(client: QdrantClient, builder: Builder | None) -> ServerIndex:
    index = server_index(client, "http://memory")
    index._builder = builder
    return index


def begun(client: QdrantClient, builder: Builder | None, silent: timedelta) -> str:
    """Begin a generation as a run that was killed so long ago; return its name."""
    index = on_server(client, builder)
    name = index.create(NAME, SAMPLE_METADATA).name
    index._end_heartbeat(name)
    if builder is not None:
        seen = (datetime.now(UTC) - silent).isoformat(timespec="seconds")
        for part in (name, f"{name}--blocks"):
            said = {"lsif_ingest_builder": asdict(replace(builder, seen=seen))}
            client.update_collection(part, metadata=said)
    return name


def test_a_run_removes_what_was_begun_in_its_own_data_folder_and_what_is_silent_elsewhere() -> None:
    client = QdrantClient(":memory:")
    own = begun(client, HERE, timedelta(0))
    silent = begun(client, ELSEWHERE, timedelta(minutes=61))
    at_work = begun(client, ELSEWHERE, timedelta(minutes=59))
    unknown = begun(client, None, timedelta(0))
    index = on_server(client, replace(HERE, run="process 2"))
    assert {each.name: each.dead for each in index.unfinished()} == {
        own: False,
        silent: True,
        at_work: False,
        unknown: False,
    }
    assert index.remove_unfinished(NAME) == [own, silent]
    assert [each.name for each in index.generations(NAME)] == [at_work, unknown]


@pytest.mark.parametrize("what", ["boot", "disk"])
def test_a_machine_of_the_same_name_has_some_minutes_to_show_that_it_is_another(what: str) -> None:
    client, namesake = QdrantClient(":memory:"), replace(HERE, **{what: "another"})
    at_work = begun(client, namesake, timedelta(minutes=4))
    started_again = begun(client, namesake, timedelta(minutes=6))
    assert on_server(client, HERE).remove_unfinished(NAME) == [started_again]
    assert [each.name for each in on_server(client, HERE).unfinished()] == [at_work]


def test_what_this_run_builds_is_not_removed_and_gives_signs_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("storage.server.life._EACH_S", 0.02)
    client = QdrantClient(":memory:")
    index = on_server(client, HERE)
    generation = index.create(NAME, SAMPLE_METADATA)
    (found,) = index.unfinished()
    assert found.builder is not None
    assert (found.builder.host, found.builder.seen > HERE.seen) == ("this-host", True)
    assert index.remove_unfinished(NAME) == []
    client.update_collection(generation.name, metadata={"lsif_ingest_builder": asdict(HERE)})
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while index.unfinished()[0].builder == HERE:
        assert datetime.now(UTC) < deadline
    generation.describe(replace(SAMPLE_METADATA, complete=True))
    index.publish(NAME, generation)
    assert (index.unfinished(), index._heartbeats) == ([], {})


def test_a_run_that_was_killed_between_the_two_collections_is_known_by_the_first() -> None:
    client = QdrantClient(":memory:")
    name = begun(client, HERE, timedelta(0))
    client.delete_collection(name)
    (found,) = on_server(client, None).unfinished()
    assert (found.name, found.builder is not None, found.metadata) == (name, True, None)
    assert on_server(client, HERE).remove_unfinished(NAME) == [name]
    assert client.get_collections().collections == []


def test_what_another_program_named_like_a_generation_is_not_taken_for_one() -> None:
    client = QdrantClient(":memory:")
    client.create_collection("logs--20250101T000000000000", vectors_config={})
    assert on_server(client, HERE).unfinished() == []


def test_a_builder_that_says_nonsense_is_unknown(tmp_path: Path) -> None:
    assert read_builder(asdict(this_builder(tmp_path))) is not None
    assert this_builder(tmp_path).disk != this_builder(tmp_path / "not made").disk
    for said in (None, {}, {"host": "x"}, {**asdict(HERE), "seen": "yesterday"}, WITHOUT_ZONE, "x"):
        assert read_builder(said) is None
