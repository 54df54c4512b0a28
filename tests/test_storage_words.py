"""Words are weighed by the index's own counts: the same scores in each engine, on any shards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from servers import SAMPLE_METADATA, server_index
from versions import MadeUp

from configs.settings import load_settings
from storage.embedded.index import EmbeddedIndex
from storage.errors import IndexDamaged
from storage.index import Generation, Index
from storage.live import require_live
from storage.query import Nearest
from storage.schema import SPARSE
from storage.server.index import ServerIndex
from storage.sparse import SparseVector, query_vector
from storage.upload import UploadReport, publish_source
from storage.words import WordCounter, WordCounts, read_word_counts

NAME = "words"
METADATA = replace(SAMPLE_METADATA, project=NAME)
QUERY = query_vector("f3 f14 fn src nowhere")


@pytest.fixture(params=["embedded", "server"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    opened = (
        EmbeddedIndex(tmp_path)
        if request.param == "embedded"
        else server_index(QdrantClient(":memory:"), "http://memory")
    )
    yield opened
    opened.close()


def counts_of(*documents: list[int]) -> WordCounts:
    counter = WordCounter()
    for words in documents:
        counter.add(SparseVector(words, [1.0] * len(words)))
    return counter.result()


def publish(index: Index, source: MadeUp, *, rebuild: bool = False) -> UploadReport:
    settings = load_settings().storage.model_copy(update={"publish": "in_place"})
    return publish_source(index, NAME, METADATA, source, settings, rebuild=rebuild)


def scores(generation: Generation, vector: SparseVector) -> dict[str, float]:
    (hits,) = generation.structures.search(Nearest(SPARSE, vector, 100))
    return {hit.id: round(hit.score, 4) for hit in hits}


def test_rare_words_count_more() -> None:
    counts = counts_of([1, 2], [1, 3], [1], [4_000_000_000])
    weighted = counts.weighted(SparseVector([1, 2, 5, 4_000_000_000], [1.0, 1.0, 1.0, 2.0]))
    assert weighted.indices == [1, 2, 5, 4_000_000_000]
    # ln((4 - n + 0.5) / (n + 0.5) + 1) for the n of 4 structures that hold the word
    assert weighted.values == pytest.approx([0.3567, 1.2040, 2.3026, 2 * 1.2040], abs=1e-4)
    assert counts_of().weighted(SparseVector([], [])) == SparseVector([], [])


def test_counts_are_written_and_read_and_added() -> None:
    first, second = counts_of([7, 1], [1]), counts_of([1, 9], [2**32 - 1])
    both = first + read_word_counts(second.to_dict())
    assert (both.structures, both.words.tolist(), both.counts.tolist()) == (
        4,
        [1, 7, 9, 2**32 - 1],
        [3, 1, 1, 1],
    )
    empty = read_word_counts(counts_of().to_dict())
    assert (empty.structures, empty.words.tolist(), (first + empty).counts.tolist()) == (
        0,
        [],
        [2, 1],
    )


@pytest.mark.parametrize("fields", [None, {}, {"structures": 1, "counts": "AAAA"}, "x"])
def test_counts_that_cannot_be_read_are_named(fields: object) -> None:
    with pytest.raises(IndexDamaged, match="the counts of words can't be read.*--rebuild"):
        read_word_counts(fields)


def test_an_index_that_lost_its_counts_says_so_and_a_rebuild_mends_it(
    index: Index, tmp_path: Path
) -> None:
    publish(index, MadeUp(10))
    live = require_live(index, NAME)
    if isinstance(index, EmbeddedIndex):
        (tmp_path / NAME / live.name / "words.json").unlink()
    else:
        assert isinstance(index, ServerIndex)
        client = index._connection.client
        client.update_collection(f"{live.name}--blocks", metadata={"lsif_ingest_words": None})
    with pytest.raises(IndexDamaged, match="--rebuild"):
        require_live(index, NAME).word_counts()
    publish(index, MadeUp(10), rebuild=True)
    assert require_live(index, NAME).word_counts() is not None


def test_scores_are_those_of_the_engine_on_one_shard(index: Index) -> None:
    source = MadeUp(40)
    publish(index, source)
    live = require_live(index, NAME)
    counts = live.word_counts()
    assert counts is not None
    as_before = index.create("before", replace(METADATA, word_counts=False))
    as_before.structures.upsert(draft.point() for draft in source.structures())
    as_before.finish()
    assert as_before.word_counts() is None
    found = scores(live, counts.weighted(QUERY))
    assert found == pytest.approx(scores(as_before, QUERY), abs=1e-3)
    assert set(found.values()) == {6.6563, 0.0386}
    as_before.close()


def test_scores_do_not_depend_on_which_shard_holds_a_point(index: Index) -> None:
    source = MadeUp(40)
    publish(index, source)
    live = require_live(index, NAME)
    whole, drafts = live.word_counts(), list(source.structures())
    shards, parts = [], []
    total = 2 if isinstance(index, EmbeddedIndex) else 6  # the engine takes a while to make one
    for number in range(total):
        counter = WordCounter()
        shard = index.create(f"shard{number}", replace(METADATA, word_counts=True))
        for draft in drafts[number::total]:
            counter.add(draft.sparse()[SPARSE])
        shard.structures.upsert(draft.point() for draft in drafts[number::total])
        shard.finish()
        shards.append(shard)
        parts.append(counter.result())
    fleet = reduce(add, parts)
    assert whole is not None
    assert (fleet.structures, fleet.words.tolist()) == (40, whole.words.tolist())
    together = [scores(shard, fleet.weighted(QUERY)) for shard in shards]
    found = {point_id: score for part in together for point_id, score in part.items()}
    assert found == scores(live, whole.weighted(QUERY))
    for shard in shards:
        shard.close()


def test_a_build_and_a_sync_count_the_words_of_what_they_store(index: Index) -> None:
    for source, way in ((MadeUp(40), "built"), (MadeUp(40, 1), None)):
        assert publish(index, source).way in {way, "synced", "changed_in_place"}
        kept, counter = require_live(index, NAME).word_counts(), WordCounter()
        for draft in source.structures():
            counter.add(draft.sparse()[SPARSE])
        assert kept is not None
        assert kept.to_dict() == counter.result().to_dict()


def test_an_index_of_an_earlier_version_keeps_the_engine_s_weights_until_rebuild(
    index: Index,
) -> None:
    with index.writing(NAME):
        earlier = replace(METADATA, complete=True, structures=40, blocks=20)
        generation = index.create(NAME, earlier)
        generation.structures.upsert(draft.point() for draft in MadeUp(40).structures())
        generation.blocks.upsert(draft.point() for draft in MadeUp(40).blocks())
        generation.finish()
        index.publish(NAME, generation)
    assert publish(index, MadeUp(40, 1)).way in {"synced", "changed_in_place"}
    live = require_live(index, NAME)
    assert (live.metadata.word_counts, live.word_counts()) == (False, None)
    publish(index, MadeUp(40, 1), rebuild=True)
    live = require_live(index, NAME)
    assert live.metadata.word_counts
    assert live.word_counts() is not None
