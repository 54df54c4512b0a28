from __future__ import annotations

import math
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from configs.settings import Settings
from embedding.text import textify
from lsif.structure import Structure
from search import encoding
from search import engine as engine_module
from search.answer import GROUPINGS, MODES, Answer, Mode, Stopwatch
from search.confidence import Calibration
from search.engine import Searcher
from search.errors import SearchError, StructureMissing
from search.filters import Filters
from search.hit import LineMatch, LineRange
from storage.embedded.index import EmbeddedIndex
from storage.index import Generation, Index
from storage.live import require_live
from storage.metadata import Metadata
from storage.query import Nearest
from storage.sparse import document_vector
from storage.upload import publish_source
from storage.words import WordCounter

from conftest import FakeEncoder, embedded_source
from made_up import (
    Compass,
    Made,
    MadeBlock,
    NoReranker,
    made,
    publish,
    search_settings,
    searcher_of,
)

Build = Callable[..., Generation]


@pytest.fixture
def build(tmp_path: Path, metadata: Metadata) -> Iterator[Build]:
    """Publish embedded indexes of made-up structures and blocks."""
    opened: list[EmbeddedIndex] = []

    def run(
        structures: Sequence[Made], blocks: Sequence[MadeBlock] = (), **changes: Any
    ) -> Generation:
        opened.append(EmbeddedIndex(tmp_path / f"qdrant{len(opened)}"))
        return publish(opened[-1], metadata, structures, blocks, **changes)

    yield run
    for index in opened:
        index.close()


def names(answer: Answer) -> list[str]:
    return [hit.name for hit in answer.hits]


def cosine(degrees: float) -> Any:
    return pytest.approx(math.cos(math.radians(degrees)), abs=1e-5)


# ---- The sample, by a fake encoder


@pytest.fixture
def loaded() -> list[str]:
    """The vectors whose encoder was asked for."""
    return []


@pytest.fixture
def sample(
    tmp_path: Path,
    sample_structures: Path,
    metadata: Metadata,
    settings: Settings,
    encoder: FakeEncoder,
    loaded: list[str],
) -> Searcher:
    index = EmbeddedIndex(tmp_path / "qdrant")
    publish_source(
        index, "sample", metadata, embedded_source(sample_structures, tmp_path), settings.storage
    )

    def load(vector: str) -> FakeEncoder:
        loaded.append(vector)
        return encoder

    return Searcher(require_live(index, "sample"), load, settings.search, NoReranker)


def test_one_mode_uses_one_vector_and_loads_one_encoder(
    sample: Searcher, structures: list[Structure], loaded: list[str]
) -> None:
    wanted = structures[10]
    assert (
        sample.search("evict expired entries of the cache", "bm25").hits[0].file_path
        == "src/cache.rs"
    )
    assert loaded == []
    answer = sample.search(textify(wanted), "text", limit=3)
    assert len(answer.hits) == 3
    assert (answer.hits[0].id, answer.hits[0].score) == (wanted.id, pytest.approx(1.0, abs=1e-5))
    assert {tuple(hit.scores) for hit in answer.hits} == {("text",)}
    assert loaded == ["text"]
    assert sample.search(wanted.context.snippet, "code", limit=1).hits[0].id == wanted.id
    assert loaded == ["text", "code"]
    for mode in MODES:
        sample.search("again", mode)
    assert loaded == ["text", "code"]


def test_a_hit_carries_what_is_needed_to_show_it(
    sample: Searcher, structures: list[Structure]
) -> None:
    for wanted in structures[::5]:
        (hit,) = sample.search(textify(wanted), "text", limit=1).hits
        record = hit.to_dict()
        assert record["id"] == wanted.id
        for field in (
            "name", "symbol", "code_type", "crate", "module_path", "trait_name", "visibility",
            "is_test",
            "signature", "docstring", "references", "line", "line_from", "line_to",
        ):  # fmt: skip
            assert record[field] == getattr(wanted, field), field
        for field in ("module", "file_path", "struct_name", "snippet"):
            assert record[field] == getattr(wanted.context, field), field
        assert (record["ranges"], record["lines"]) == ((), ())
        assert list(record["scores"]) == ["text"]
        assert hit.extent == LineRange(wanted.line_from, wanted.line_to)
        assert orjson.loads(orjson.dumps(record))["snippet"] == wanted.context.snippet


@pytest.mark.parametrize(
    ("docstring", "summary"),
    [
        (None, None),
        ("", None),
        (" \n\n", None),
        ("\n  Waits.  \n\nLong.", "Waits."),
        ("One line", "One line"),
    ],
)
def test_the_summary_is_the_first_line_of_the_documentation(
    build: Build, docstring: str | None, summary: str | None
) -> None:
    (hit,) = searcher_of(build([made("f", docstring=docstring)])).search("x", "text").hits
    assert (hit.structure.docstring, hit.summary) == (docstring, summary)


def test_a_name_is_shown_with_its_owner(build: Build) -> None:
    structures = [
        made("free", 10),
        made("method", 20, struct_name="Backoff"),
        made("implemented", 30, struct_name="Backoff", trait_name="Delays"),
        made("provided", 40, struct_name="Delays", trait_name="Delays"),
    ]
    answer = searcher_of(build(structures)).search("x", "text")
    assert [hit.owned_name for hit in answer.hits] == [
        "free", "Backoff::method", "Backoff::implemented (trait Delays)", "Delays::provided",
    ]  # fmt: skip


# ---- What every answer says


def test_an_answer_says_what_was_searched_and_where(build: Build) -> None:
    generation = build([made("f", 10)], branch="feature/x", dirty=True)
    answer = searcher_of(generation).search("some words", "text")
    assert (answer.query, answer.mode, answer.project, answer.branch) == (
        "some words",
        "text",
        "sample",
        "feature/x",
    )
    assert (answer.commit, answer.dirty, answer.generation) == ("0123abc", True, generation.name)
    assert (answer.confidence, answer.has_answer, answer.groups) == (None, True, None)
    assert answer.evidence["text"] == cosine(10)
    assert "code" not in answer.evidence
    plain = orjson.loads(orjson.dumps(answer.to_dict()))
    assert list(plain) == [
        "query", "mode", "query_kind", "from_references", "project", "branch", "commit", "dirty",
        "generation", "confidence", "good", "latency_ms", "hits", "groups",
    ]  # fmt: skip
    assert (plain["commit"], plain["hits"][0]["name"], plain["groups"]) == ("0123abc", "f", None)


def test_hybrid_is_the_default(build: Build) -> None:
    assert set(MODES) == {"hybrid", "merged", "text", "code", "bm25", "blocks"}
    answer = searcher_of(build([made("f", 10, 20)])).search("f")
    assert answer.mode == "hybrid"
    assert list(answer.hits[0].scores) == ["text", "code", "bm25"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[object, str, float], None]:
    """Stop time except during calls that are set to take some seconds."""
    now = [0.0]
    monkeypatch.setattr("search.answer.time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(engine_module, "Stopwatch", lambda: Stopwatch(started=now[0]))

    def takes(owner: object, name: str, seconds: float) -> None:
        real = getattr(owner, name)

        def slow(*arguments: Any, **options: Any) -> Any:
            now[0] += seconds
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, slow)

    return takes


def test_the_latency_is_split(build: Build, clock: Callable[[object, str, float], None]) -> None:
    one = made("f", 10, 20, lines=(1, 9))
    generation, compass = build([one], [one.block(2, 4, 0)]), Compass()
    clock(compass, "encode_queries", 1.0)
    clock(generation.structures, "search", 2.0)
    clock(generation.blocks, "search", 4.0)
    clock(generation.structures, "retrieve", 8.0)
    clock(engine_module, "normalised_scores", 0.5)
    clock(engine_module, "with_lines", 0.25)
    searcher = searcher_of(generation, encoder=compass)
    # The vectors share one encoder, whose vector of a query is made once.
    assert searcher.search("f", lines=True).latency_ms == {
        "encode": 1000,
        "qdrant": 14000,
        "fuse": 750,
        "total": 15750,
    }
    assert searcher.search("f", "text").latency_ms == {
        "encode": 0,
        "qdrant": 10000,
        "fuse": 0,
        "total": 10000,
    }
    assert searcher.similar(one.id).latency_ms == {
        "encode": 0,
        "qdrant": 18000,
        "fuse": 500,
        "total": 18500,
    }


def test_looking_up_files_for_a_glob_is_time_of_qdrant(
    build: Build, clock: Callable[[object, str, float], None]
) -> None:
    generation = build([made("f", 10)])
    clock(generation.structures, "select", 3.0)
    answer = searcher_of(generation).search("f", "text", filters=Filters(path=("src/*",)))
    assert names(answer) == ["f"]
    assert answer.latency_ms == {"encode": 0, "qdrant": 3000, "fuse": 0, "total": 3000}


def test_a_real_clock_adds_up(build: Build) -> None:
    latency = searcher_of(build([made("f", 10)])).search("f").latency_ms
    assert list(latency) == ["encode", "qdrant", "fuse", "total"]
    assert latency["total"] == pytest.approx(
        latency["encode"] + latency["qdrant"] + latency["fuse"]
    )
    assert min(latency.values()) >= 0
    assert latency["qdrant"] > 0


CALIBRATION = Calibration({}, {"text": {"": -5.0, "text": 10.0}})


def test_the_confidence_says_whether_there_is_a_good_match(build: Build) -> None:
    compass = Compass({"near": 0, "far": 80, "middle": 60})
    generation = build([made("f", 0)])
    searcher = searcher_of(
        generation, "no_answer_below=0.5", encoder=compass, calibration=CALIBRATION
    )
    near, far, middle = (searcher.search(query, "text") for query in ("near", "far", "middle"))
    assert (near.confidence, near.has_answer) == (pytest.approx(0.9933, abs=1e-4), True)
    assert (far.confidence, far.has_answer) == (pytest.approx(0.0368, abs=1e-4), False)
    assert middle.confidence == pytest.approx(0.5, abs=1e-4)
    assert names(far) == ["f"]  # shown all the same
    strict = searcher_of(
        generation, "no_answer_below=0.999", encoder=compass, calibration=CALIBRATION
    )
    assert not strict.search("near", "text").has_answer
    lenient = searcher_of(
        generation, "no_answer_below=0.0", encoder=compass, calibration=CALIBRATION
    )
    assert lenient.search("far", "text").has_answer
    assert near.to_dict()["confidence"] == 0.9933


def test_if_the_confidence_is_not_known_no_match_is_called_bad(build: Build) -> None:
    one = made("f", 80, 80)
    searcher = searcher_of(build([one]), "no_answer_below=1.0", calibration=CALIBRATION)
    for answer in (
        searcher.search("x", "code"),
        searcher.search("x"),
        searcher.similar(one.id, "text"),
    ):
        assert (answer.confidence, answer.has_answer) == (None, True)
    assert not searcher.search("x", "text").has_answer


def test_a_smaller_answer_is_as_sure_as_a_larger_one(build: Build) -> None:
    searcher = searcher_of(build([made("f", 0), made("has_visited", 20)]))
    answers = [searcher.search("has_visited", "text", limit=limit) for limit in (1, 2)]
    assert len(answers[0].hits) == 1
    assert answers[0].evidence == answers[1].evidence
    assert answers[0].evidence["found_name"] == 1.0


@pytest.mark.parametrize("mode", MODES)
def test_the_index_is_searched_as_if_it_did_not_hold_some_structures(
    mode: Mode, index: Index, metadata: Metadata
) -> None:
    one, other = made("evict", 0, 0, lines=(1, 9)), made("evict_all", 10, 10, lines=(20, 29))
    blocks = [one.block(2, 4, 0), other.block(22, 24, 10)]
    searcher = searcher_of(publish(index, metadata, [one, other], blocks))
    for query in ("evict", "who calls evict"):
        assert {hit.id for hit in searcher.search(query, mode).hits} == {one.id, other.id}
        found = searcher.search(query, mode, without=(one.id,))
        assert [hit.id for hit in found.hits] == [other.id]


def test_no_hit_at_all_is_no_good_match(build: Build) -> None:
    searcher = searcher_of(build([made("f", 0)]), calibration=CALIBRATION)
    answer = searcher.search("x", "text", filters=Filters(crate=("absent",)))
    assert (answer.hits, answer.has_answer, answer.confidence) == (
        [],
        False,
        pytest.approx(0.0067, abs=1e-4),
    )


# ---- One retriever


def test_by_one_vector_hits_come_by_their_cosine_on_both_ends(
    index: Index, metadata: Metadata
) -> None:
    structures = [made("a", 10, 80), made("b", 60, 0), made("c", 90, 45), made("d", 120, 30)]
    searcher = searcher_of(publish(index, metadata, structures))
    by_text, by_code = searcher.search("x", "text"), searcher.search("x", "code", limit=2)
    assert [(hit.name, hit.score, hit.scores) for hit in by_text.hits] == [
        ("a", cosine(10), {"text": cosine(10)}),
        ("b", cosine(60), {"text": cosine(60)}),
        ("c", cosine(90), {"text": cosine(90)}),
        ("d", cosine(120), {"text": cosine(120)}),
    ]
    assert [(hit.name, hit.score) for hit in by_code.hits] == [("b", cosine(0)), ("d", cosine(30))]


def test_by_words_identifiers_are_found_by_their_parts(index: Index, metadata: Metadata) -> None:
    structures = [
        made("retry_with_backoff", docstring="Tries again."),
        made("other", docstring="Mentions a retry."),
        made("unrelated"),
    ]
    searcher = searcher_of(publish(index, metadata, structures))
    answer = searcher.search("retries backoff", "bm25")
    assert names(answer) == ["retry_with_backoff", "other"]
    assert answer.hits[0].scores == {"bm25": answer.hits[0].score}
    assert answer.hits[0].score > 2 * answer.hits[1].score > 0
    assert names(searcher.search("RetryWithBackoff", "bm25"))[0] == "retry_with_backoff"
    for words in ("zxqv", "?!", "{}();", "the of and"):
        assert searcher.search(words, "bm25").hits == []


def test_words_are_weighed_by_the_counts_that_the_index_keeps(build: Build) -> None:
    structures = [made("parse_config"), made("parse_line"), made("parse_retry")]
    counter = WordCounter()
    for made_up in structures:
        counter.add(document_vector(made_up.structure))
    counted = build(structures, word_counts=True)
    counted.keep_word_counts(counter.result())
    found = searcher_of(counted).search("parse config", "bm25")
    by_the_engine = searcher_of(build(structures)).search("parse config", "bm25")
    assert sorted(names(found)) == ["parse_config", "parse_line", "parse_retry"]
    assert names(found)[0] == names(by_the_engine)[0] == "parse_config"
    scores = [hit.score for hit in found.hits]
    assert scores == pytest.approx([hit.score for hit in by_the_engine.hits], abs=1e-4)
    assert scores[0] > 5 * scores[1]  # `config` is rare, `parse` is not


def test_by_blocks_a_structure_is_found_by_its_best_block_with_the_lines_of_three(
    index: Index, metadata: Metadata
) -> None:
    long, other = made("long", 90, 90, lines=(101, 190)), made("other", 90, 90, lines=(201, 209))
    blocks = [
        long.block(110, 119, 40),
        long.block(120, 129, 10),
        long.block(130, 139, 60),
        long.block(140, 149, 50),
        other.block(202, 205, 30),
    ]
    answer = searcher_of(publish(index, metadata, [long, other], blocks)).search("x", "blocks")
    assert [(hit.name, hit.score, hit.scores, hit.ranges) for hit in answer.hits] == [
        (
            "long",
            cosine(10),
            {"blocks": cosine(10)},
            (LineRange(120, 129), LineRange(110, 119), LineRange(140, 149)),
        ),
        ("other", cosine(30), {"blocks": cosine(30)}, (LineRange(202, 205),)),
    ]


def test_by_blocks_there_are_as_many_structures_as_asked_for_however_many_blocks_the_first_has(
    build: Build,
) -> None:
    long, other = made("long", lines=(1, 99)), made("other", lines=(101, 109))
    blocks = [
        *(long.block(number, number + 2, 0) for number in range(2, 40, 3)),
        other.block(102, 105, 60),
    ]
    searcher = searcher_of(build([long, other], blocks), "candidates=10")
    assert names(searcher.search("x", "blocks", limit=2)) == ["long", "other"]


# ---- merged


TEXT_HITS = [
    made("far", 10, 90, lines=(1, 10)),
    made("near", 20, 89, lines=(20, 40)),
    made("nearest", 30, 88, lines=(50, 90)),
]
CODE_HITS = [
    made("elsewhere", 80, 5, lines=(1, 9), file_path="src/b.rs"),
    made("outside", 81, 10, lines=(100, 140)),
    made("inner", 82, 15, lines=(25, 30)),
]


def merged_index(publish_these: Callable[..., Generation], *first: Any) -> Searcher:
    blocks = [
        TEXT_HITS[2].block(60, 70, 20),
        TEXT_HITS[2].block(80, 85, 25),
        CODE_HITS[1].block(110, 114, 30),
    ]
    generation = publish_these(*first, [*TEXT_HITS, *CODE_HITS], blocks)
    return searcher_of(generation, "text_hits=3", "code_hits=6", "limit=5")


def test_merged_attaches_code_and_block_hits_to_the_text_hits_they_overlap(
    index: Index, metadata: Metadata
) -> None:
    answer = merged_index(publish, index, metadata).search("x", "merged")
    assert [(hit.name, hit.ranges) for hit in answer.hits] == [
        ("nearest", (LineRange(60, 70), LineRange(80, 85))),
        ("near", (LineRange(25, 30),)),
        ("far", ()),
        ("elsewhere", ()),  # what only the code vector finds is not dropped
        ("outside", (LineRange(110, 114),)),
    ]


def test_merged_keeps_the_score_that_each_hit_was_found_by_and_tells_all(build: Build) -> None:
    answer = merged_index(build).search("x", "merged")
    assert [(hit.score, hit.scores) for hit in answer.hits][::2] == [
        (cosine(30), {"text": cosine(30), "code": cosine(88), "blocks": cosine(20)}),
        (cosine(10), {"text": cosine(10), "code": cosine(90)}),
        (cosine(10), {"text": cosine(81), "code": cosine(10), "blocks": cosine(30)}),
    ]


def test_a_longer_answer_asks_merged_for_more_of_both(build: Build) -> None:
    structures = [
        made(f"f{number:02}", number, 89 - number, lines=(10 * number, 10 * number + 5))
        for number in range(60)
    ]
    searcher = searcher_of(build(structures))
    usual = searcher.search("x", "merged").hits
    assert [hit.name for hit in usual[:5]] == ["f00", "f01", "f02", "f03", "f04"]
    assert [hit.name for hit in usual[5:]] == ["f59", "f58", "f57", "f56", "f55"]
    assert names(searcher.search("x", "merged", limit=3)) == ["f00", "f01", "f02"]
    many = searcher.search("x", "merged", limit=20).hits
    assert [hit.name for hit in many[:10]] == [f"f{number:02}" for number in range(10)]
    assert [hit.name for hit in many[10:]] == [f"f{number}" for number in range(59, 49, -1)]
    everything = searcher.search("x", "merged", limit=1000).hits
    assert len(everything) == len({hit.id for hit in everything}) == 60


# ---- hybrid


def town() -> tuple[list[Made], list[MadeBlock]]:
    """Structures that each retriever has another favourite of."""
    structures = [
        made("by_text", 0, 80, lines=(1, 9)),
        made("by_code", 80, 0, lines=(11, 19)),
        made("parse_config", 85, 85, lines=(21, 29)),
        made("by_block", 85, 85, lines=(31, 69)),
        made("nothing", 88, 88, lines=(71, 79)),
    ]
    return structures, [structures[3].block(40, 49, 0), structures[3].block(50, 59, 5)]


@pytest.mark.parametrize("fusion", ["scores", "rrf"])
def test_hybrid_fuses_text_code_words_and_blocks(
    fusion: str, index: Index, metadata: Metadata
) -> None:
    searcher = searcher_of(
        publish(index, metadata, *town()), f"fusion={fusion}", "rrf_k=1", "weights.blocks=1.5"
    )
    answer = searcher.search("parse the config")
    assert set(names(answer)[:4]) == {"by_text", "by_code", "parse_config", "by_block"}
    assert names(answer)[4] == "nothing"
    found = {hit.name: hit for hit in answer.hits}
    assert found["by_text"].scores == {"text": cosine(0), "code": cosine(80)}
    assert found["by_block"].scores == {"text": cosine(85), "code": cosine(85), "blocks": cosine(0)}
    assert found["by_block"].ranges == (LineRange(40, 49), LineRange(50, 59))
    assert list(found["parse_config"].scores) == ["text", "code", "bm25"]
    assert [hit.score for hit in answer.hits] == sorted(
        (hit.score for hit in answer.hits), reverse=True
    )
    assert answer.evidence["agreement"] > 0


@pytest.mark.parametrize(
    ("weights", "first"),
    [
        (("text=5", "code=1", "bm25=1", "blocks=1"), "by_text"),
        (("text=1", "code=5", "bm25=1", "blocks=1"), "by_code"),
        (("text=1", "code=1", "bm25=5", "blocks=1"), "parse_config"),
        (("text=1", "code=1", "bm25=1", "blocks=5"), "by_block"),
    ],
)
def test_weights_decide_between_the_retrievers(
    weights: tuple[str, ...], first: str, build: Build
) -> None:
    generation = build(*town())
    for fusion in ("scores", "rrf"):
        searcher = searcher_of(
            generation, f"fusion={fusion}", "rrf_k=1", *(f"weights.{name}" for name in weights)
        )
        assert names(searcher.search("parse the config"))[0] == first


def test_ranks_are_of_structures_not_of_blocks(build: Build) -> None:
    """The second block of the first structure does not push the next structure to rank 3."""
    structures, blocks = town()
    generation = build(structures, [*blocks, structures[4].block(72, 75, 80)])
    settings = ("fusion=rrf", "file_weight=1.0", "weights.text=0", "weights.code=0")
    alone = searcher_of(generation, *settings, "weights.bm25=0").search("x")
    assert [(hit.name, hit.score) for hit in alone.hits] == [
        ("by_block", cosine(0)),
        ("nothing", cosine(80)),
    ]
    more = ("rrf_k=10", "weights.bm25=2", "weights.blocks=1")
    fused = searcher_of(generation, *settings, *more).search("parse config")
    assert [(hit.name, hit.score) for hit in fused.hits] == [
        ("parse_config", pytest.approx(2 / 11)),
        ("by_block", pytest.approx(1 / 11)),
        ("nothing", pytest.approx(1 / 12)),
    ]


def test_a_retriever_of_no_weight_is_not_asked(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation, asked = build(*town()), list[str]()
    for points in (generation.structures, generation.blocks):
        real = points.search

        def search(*queries: Nearest, real: Any = real) -> Any:
            asked.extend(query.using for query in queries)
            return real(*queries)

        monkeypatch.setattr(points, "search", search)
    compass = Compass()
    assert searcher_of(generation, encoder=compass).search("config").hits
    assert asked == ["text", "code", "bm25", "code"]
    asked.clear()
    compass.asked.clear()
    searcher = searcher_of(
        generation, "weights.text=0", "weights.code=0", "weights.blocks=0", encoder=compass
    )
    assert names(searcher.search("config")) == ["parse_config"]
    assert (asked, compass.asked) == (["bm25"], [])
    assert names(searcher.search("config", "text", limit=1)) == [
        "by_text"
    ]  # weights are of hybrid only


def test_queries_that_are_code_have_weights_of_their_own(build: Build) -> None:
    compass = Compass()
    nothing = ("code_weights.text=0", "code_weights.code=0", "code_weights.blocks=0")
    searcher = searcher_of(build(*town()), *nothing, encoder=compass)
    of_code = searcher.search("let config = parse_config(&path)?;")
    assert (of_code.query_kind, names(of_code), compass.asked) == ("code", ["parse_config"], [])
    assert searcher.search("config").hits
    assert compass.asked


def test_tests_rank_below_what_they_test_in_hybrid_only(build: Build) -> None:
    structures = [
        made("cache_test", 0, 0, is_test=True),
        made("cache", 5, 5),
        made("other", 80, 80),
        made("last", 90, 90),
    ]
    generation = build(structures)
    assert names(searcher_of(generation, "test_weight=1.0").search("x"))[:2] == [
        "cache_test",
        "cache",
    ]
    sunk = searcher_of(generation, "test_weight=0.5", "file_weight=1.0").search("x")
    assert names(sunk)[:2] == ["cache", "cache_test"]
    whole = searcher_of(generation, "test_weight=1.0", "file_weight=1.0").search("x").hits[0]
    assert sunk.hits[1].score == pytest.approx(whole.score / 2)
    for mode in ("text", "code", "merged"):
        assert (
            names(searcher_of(generation, "test_weight=0.0").search("x", mode))[0] == "cache_test"
        )


def test_a_fused_score_is_not_below_0(build: Build) -> None:
    """As search.hit.Hit.score says."""
    structures = [made(f"f{number}", number, number) for number in range(60)]
    for fusion in ("scores", "rrf"):
        answer = searcher_of(build(structures), f"fusion={fusion}").search("f0 f1 f2")
        assert all(hit.score >= 0 for hit in answer.hits), fusion


def test_equals_come_in_the_same_order_each_time(build: Build) -> None:
    searcher = searcher_of(build([made(f"same{number}", 10, 10) for number in range(30)]))
    first = [hit.id for hit in searcher.search("x", limit=10).hits]
    assert first == sorted(first)
    assert [hit.id for hit in searcher.search("x", limit=10).hits] == first
    assert [hit.id for hit in searcher.search("x", limit=5).hits] == first[:5]


# ---- Edges of what is stored


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_index_has_no_answer(mode: Mode, build: Build) -> None:
    searcher = searcher_of(build([]))
    answer = searcher.search("x", mode, group_by="file", lines=True)
    assert (answer.hits, answer.groups, answer.has_answer) == ([], [], True)
    assert searcher.search("x", mode).groups is None
    assert searcher.files() == []


def test_an_empty_index_on_a_server_has_no_answer_either(index: Index, metadata: Metadata) -> None:
    searcher = searcher_of(publish(index, metadata, []))
    assert [searcher.search("x", mode, filters=Filters(path=("*",))).hits for mode in MODES] == [
        []
    ] * len(MODES)


def test_a_limit_above_the_number_of_structures_gives_all(index: Index, metadata: Metadata) -> None:
    structures = [
        made(f"f{number}", number, 90 - number, lines=(10 * number + 1, 10 * number + 9))
        for number in range(7)
    ]
    blocks = [
        made.block(made.structure.line_from + 1, made.structure.line_from + 4, 40)
        for made in structures
    ]
    searcher = searcher_of(publish(index, metadata, structures, blocks))
    for mode in MODES:
        hits = searcher.search("step", mode, limit=1000).hits
        assert len(hits) == len({hit.id for hit in hits}) == 7, mode


def test_what_was_deleted_meanwhile_is_left_out(
    index: Index, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an index that changes in place, a structure may go before its record is read."""
    structures = [
        made(f"f{number}", number, number, lines=(10 * number + 1, 10 * number + 9))
        for number in range(4)
    ]
    blocks = [
        made.block(made.structure.line_from + 1, made.structure.line_from + 4, 40)
        for made in structures
    ]
    generation = publish(index, metadata, structures, blocks)
    retrieve, gone = generation.structures.retrieve, {structures[0].id, structures[2].id}
    monkeypatch.setattr(
        generation.structures,
        "retrieve",
        lambda ids, **options: retrieve(
            [point_id for point_id in ids if point_id not in gone], **options
        ),
    )
    searcher = searcher_of(generation)
    for mode in MODES:
        answer = searcher.search("step", mode, limit=2, group_by="file")
        assert sorted(names(answer)) == ["f1", "f3"], mode
        assert sorted(names(searcher.search("step", mode, limit=2))) == ["f1", "f3"], mode
    assert names(searcher.similar(structures[1].id)) == ["f3"]


# ---- Groups


def village(count: int, **fields: Callable[[int], Any]) -> list[Made]:
    """Return structures, each farther from the query, with fields that depend on their numbers."""
    return [
        made(
            f"f{number}",
            number / 10,
            number / 10,
            lines=(10 * number + 1, 10 * number + 9),
            **{field: of(number) for field, of in fields.items()},
        )
        for number in range(count)
    ]


def grouped(answer: Answer) -> dict[str, list[str]]:
    """Return the names of each group's hits."""
    assert answer.groups is not None
    by_id = {hit.id: hit.name for hit in answer.hits}
    assert [hit.id for hit in answer.hits] == [
        point_id for group in answer.groups for point_id in group.ids
    ]
    return {group.value: [by_id[point_id] for point_id in group.ids] for group in answer.groups}


def test_hits_are_grouped_by_module_file_crate_or_kind(index: Index, metadata: Metadata) -> None:
    structures = village(
        8,
        file_path=lambda number: ["src/a.rs", "src/b.rs", "lib/a.rs", "src/a.rs"][number % 4],
        crate=lambda number: ["one", "two"][number % 2],
        code_type=lambda number: ["Struct", "Function", "Enum"][number % 3],
    )
    searcher = searcher_of(publish(index, metadata, structures))
    found = {
        group_by: grouped(searcher.search("x", "text", limit=2, group_size=2, group_by=group_by))
        for group_by in GROUPINGS
    }
    assert found == {
        "module": {"src": ["f0", "f1"], "lib": ["f2", "f6"]},
        "file": {"src/a.rs": ["f0", "f3"], "src/b.rs": ["f1", "f5"]},
        "crate": {"one": ["f0", "f2"], "two": ["f1", "f3"]},
        "kind": {"Struct": ["f0", "f3"], "Function": ["f1", "f4"]},
    }
    for mode in MODES:
        answer = searcher.search("step", mode, limit=2, group_by="crate", group_size=1)
        assert len(grouped(answer)) in ((0,) if mode == "blocks" else (2,)), mode


def test_a_group_size_is_the_settings_unless_given(build: Build) -> None:
    searcher = searcher_of(build(village(9)), "group_size=4")
    assert grouped(searcher.search("x", "text", group_by="crate")) == {
        "made_up": ["f0", "f1", "f2", "f3"]
    }
    assert grouped(searcher.search("x", "text", group_by="crate", group_size=1)) == {
        "made_up": ["f0"]
    }
    assert len(searcher.search("x", "text", group_by="crate", group_size=1000).hits) == 9


def test_fewer_groups_than_asked_for_are_all_there_are(build: Build) -> None:
    searcher = searcher_of(build(village(6, crate=lambda number: f"crate{number % 2}")))
    answer = searcher.search("x", limit=10, group_by="crate")
    assert grouped(answer) == {"crate0": ["f0", "f2", "f4"], "crate1": ["f1", "f3", "f5"]}


def test_a_group_far_below_the_first_hits_is_found(build: Build) -> None:
    """120 structures of one crate rank before the only one of the other, and depth is 10."""
    structures = village(121, crate=lambda number: "other" if number == 120 else "one")
    blocks = [
        made.block(made.structure.line_from + 1, made.structure.line_from + 4, made.code)
        for made in structures
    ]
    searcher = searcher_of(build(structures, blocks), "candidates=10")
    for mode in MODES:
        found = grouped(searcher.search("step", mode, limit=2, group_by="crate", group_size=1))
        assert sorted(found) == ["one", "other"], mode
        if mode != "bm25":
            assert found == {"one": ["f0"], "other": ["f120"]}, mode


def test_a_group_far_below_is_found_if_each_retriever_gave_all_it_has(build: Build) -> None:
    structures = village(121, crate=lambda number: "other" if number == 120 else "one")
    searcher = searcher_of(build(structures), "candidates=500")
    for mode in ("text", "hybrid", "merged"):
        found = grouped(searcher.search("x", mode, limit=2, group_by="crate", group_size=1))
        assert found == {"one": ["f0"], "other": ["f120"]}, mode


def test_no_retriever_is_asked_for_more_than_20000_points(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation, depths = build(village(3)), list[int]()
    search = generation.structures.search

    def noting(*queries: Nearest) -> Any:
        depths.extend(query.limit for query in queries)
        return search(*queries)

    monkeypatch.setattr(generation.structures, "search", noting)
    searcher_of(generation).search("x", limit=1000, group_by="file", group_size=1000)
    assert max(depths) <= 20_000


def test_hits_without_groups_are_not_grouped(build: Build) -> None:
    answer = searcher_of(build(village(3))).search("x", "text", group_size=1)
    assert (names(answer), answer.groups) == (["f0", "f1", "f2"], None)


# ---- Lines


def test_hits_have_lines_if_they_are_asked_for(build: Build) -> None:
    snippet = "fn f() {\n    let delay = 1;\n    sleep(delay);\n}\n"
    searcher = searcher_of(
        build([made("f", 10, lines=(41, 44), snippet=snippet), made("g", 20, lines=(1, 9))])
    )
    assert [hit.lines for hit in searcher.search("delay", "text").hits] == [(), ()]
    first, second = searcher.search("delay", "text", lines=True).hits
    assert first.lines == (
        LineMatch(42, pytest.approx(1.0), "    let delay = 1;"),
        LineMatch(43, pytest.approx(1.0), "    sleep(delay);"),
    )
    assert second.lines == ()
    answer = searcher.search("delay", "text", lines=True, group_by="crate").to_dict()
    assert answer["hits"][0]["lines"][0] == {
        "line": 42,
        "score": pytest.approx(1.0),
        "text": "    let delay = 1;",
    }


# ---- More like this


def test_similar_are_those_whose_own_vectors_are_near_itself_left_out(
    index: Index, metadata: Metadata
) -> None:
    places = {
        "this": (40, 40),
        "by_text": (45, 100),
        "by_code": (100, 45),
        "both": (50, 50),
        "far": (130, 130),
    }
    structures = [made(name, *place) for name, place in places.items()]
    searcher = searcher_of(publish(index, metadata, structures))
    by_text = searcher.similar(structures[0].id, "text", limit=2)
    assert [(hit.name, hit.score) for hit in by_text.hits] == [
        ("by_text", cosine(5)),
        ("both", cosine(10)),
    ]
    by_code = searcher.similar(structures[0].id, "code")
    assert names(by_code) == ["by_code", "both", "by_text", "far"]
    hybrid = searcher.similar(structures[0].id)
    assert names(hybrid)[0] == "both"
    assert set(hybrid.hits[0].scores) == {"text", "code"}
    assert (hybrid.query, hybrid.mode, hybrid.confidence, hybrid.has_answer) == (
        "made_up::this",
        "hybrid",
        None,
        True,
    )
    assert (hybrid.commit, set(hybrid.latency_ms)) == (
        "0123abc",
        {"encode", "qdrant", "fuse", "total"},
    )


def test_similar_needs_no_encoder_and_no_reranker(build: Build) -> None:
    structures = [made("this", 40, 40), made("other", 45, 45)]
    settings = search_settings("rerank.model=none")

    def load(vector: str) -> Compass:
        raise AssertionError(f"the encoder of {vector} was loaded")

    assert names(
        Searcher(build(structures), load, settings, NoReranker).similar(structures[0].id)
    ) == ["other"]


def test_similar_is_filled_and_grouped_without_itself(build: Build) -> None:
    structures = village(6, crate=lambda number: f"crate{number % 3}")
    searcher = searcher_of(build(structures))
    for mode in ("hybrid", "text", "code"):
        assert names(searcher.similar(structures[0].id, mode, limit=1)) == ["f1"]
        assert len(searcher.similar(structures[0].id, mode, limit=1000).hits) == 5
        answer = searcher.similar(structures[0].id, mode, group_by="crate", limit=3, group_size=1)
        assert sorted(grouped(answer).items()) == [
            ("crate0", ["f3"]),
            ("crate1", ["f1"]),
            ("crate2", ["f2"]),
        ]
    assert (
        searcher.similar(structures[0].id, filters=Filters(crate=("crate0",))).hits[0].name == "f3"
    )


def test_similar_does_without_the_weights_of_words_and_blocks(build: Build) -> None:
    """Even if hybrid counts words alone, similarity is that of the vectors."""
    structures = [made("this", 40, 40), *village(5)]
    searcher = searcher_of(
        build(structures), "weights.text=0", "weights.code=0", "weights.blocks=0"
    )
    assert names(searcher.similar(structures[0].id)) == ["f4", "f3", "f2", "f1", "f0"]


def test_a_structure_alone_has_nothing_similar(build: Build) -> None:
    one = made("alone", 10, 10)
    assert searcher_of(build([one])).similar(one.id).hits == []


ABSENT = str(uuid.UUID(int=7))


@pytest.mark.parametrize("absent", [ABSENT, "nonsense", "", "12", "src/lib.rs:3"])
def test_what_the_index_does_not_have_is_missing(
    absent: str, index: Index, metadata: Metadata
) -> None:
    searcher = searcher_of(publish(index, metadata, [made("f")]))
    with pytest.raises(StructureMissing, match="the index has no structure"):
        searcher.similar(absent)
    with pytest.raises(StructureMissing, match="the index has no structure"):
        searcher.structure(absent)


@pytest.mark.parametrize("mode", ["bm25", "blocks", "merged", "nonsense"])
def test_structures_are_compared_by_their_vectors_only(mode: Any, build: Build) -> None:
    one = made("f")
    with pytest.raises(
        SearchError, match=f"structures can't be compared by {mode}; expected hybrid, text, code"
    ):
        searcher_of(build([one])).similar(one.id, mode)


# ---- One structure


def test_a_structure_is_its_record(index: Index, metadata: Metadata) -> None:
    one = made("f", struct_name="S", is_test=True, docstring="Docs.")
    assert searcher_of(publish(index, metadata, [one])).structure(one.id) == one.structure


PLACES = [
    made("outer", lines=(1, 50), file_path="src/a.rs", symbol="made_up::outer"),
    made("inner", lines=(10, 20), file_path="src/a.rs", symbol="made_up::outer::inner"),
    made("twice", lines=(60, 70), file_path="src/a.rs", symbol="made_up::A::twice"),
    made("twice", lines=(5, 9), file_path="src/b.rs", symbol="made_up::B::twice"),
    made("colon", lines=(1, 3), file_path="src/odd:7", symbol="made_up::colon"),
]


@pytest.mark.parametrize(
    ("place", "symbol"),
    [
        ("src/a.rs:1", "made_up::outer"),
        ("src/a.rs:10", "made_up::outer::inner"),
        ("./src/a.rs:20", "made_up::outer::inner"),
        ("src/a.rs:21", "made_up::outer"),
        ("src/a.rs:50", "made_up::outer"),
        ("src/b.rs:7", "made_up::B::twice"),
        ("src/odd:7:2", "made_up::colon"),
        ("src/odd:7:2:1", "made_up::colon"),
        ("src/a.rs:10-20", "made_up::outer::inner"),
        ("src/a.rs:9-20", "made_up::outer"),
        ("made_up::A::twice", "made_up::A::twice"),
        ("inner", "made_up::outer::inner"),
    ],
)
def test_a_place_is_resolved_to_the_innermost_structure_there(
    place: str, symbol: str, build: Build
) -> None:
    searcher = searcher_of(build(PLACES))
    (wanted,) = (place for place in PLACES if place.structure.symbol == symbol)
    assert searcher.resolve(place) == wanted.id
    assert searcher.resolve(wanted.id) == wanted.id


@pytest.mark.parametrize(
    ("place", "symbol"),
    [
        ("r#gen", "made_up::r#gen"),
        ("gen", "made_up::r#gen"),
        ("made_up::gen", "made_up::r#gen"),
        ("caf\u00e9", "made_up::cafe\u0301"),
        ("made_up::caf\u00e9", "made_up::cafe\u0301"),
        ("r#plain", "made_up::plain"),
    ],
)
def test_a_name_is_found_however_it_is_spelled(place: str, symbol: str, build: Build) -> None:
    spelled = [made(name) for name in ("r#gen", "cafe\u0301", "plain")]
    (wanted,) = (made.id for made in spelled if made.structure.symbol == symbol)
    assert searcher_of(build(spelled)).resolve(place) == wanted


@pytest.mark.parametrize("owner", ["Caf\u00e9", "Cafe\u0301"])
def test_an_owner_is_found_however_it_is_spelled(owner: str, build: Build) -> None:
    searcher = searcher_of(build([made("a", struct_name="Cafe\u0301"), made("b")]))
    answer = searcher.search("a", filters=Filters(owner=(owner,)))
    assert [hit.name for hit in answer.hits] == ["a"]


@pytest.mark.parametrize(
    "place",
    [
        "src/a.rs:51",
        "src/a.rs:0",
        "src/absent.rs:1",
        "src:10",
        "absent",
        "a.rs:10",
        "src/a.rs",
        ":3",
    ],
)
def test_a_place_without_a_structure_is_an_error_that_names_it(
    place: str, index: Index, metadata: Metadata
) -> None:
    searcher = searcher_of(publish(index, metadata, PLACES))
    file_path, _, line = place.rpartition(":")
    expected = "expected FILE:LINE, an id, a symbol or a name"
    if file_path:
        expected = f"the index has no structure in line {line} of {file_path!r}"
    with pytest.raises(StructureMissing, match=expected):
        searcher.resolve(place)


def test_the_error_for_a_name_that_several_have_shows_their_places(build: Build) -> None:
    with pytest.raises(SearchError) as caught:
        searcher_of(build(PLACES)).resolve("twice")
    assert (
        str(caught.value) == "2 structures are called twice: "
        "choose one by FILE:LINE, such as src/a.rs:60, src/b.rs:5."
    )


def test_files_are_those_that_structures_stand_in(index: Index, metadata: Metadata) -> None:
    assert searcher_of(publish(index, metadata, PLACES)).files() == [
        "src/a.rs",
        "src/b.rs",
        "src/odd:7",
    ]


# ---- What can't be searched with


@pytest.fixture
def small(build: Build) -> Searcher:
    return searcher_of(build([made("f", 10)]))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "the query is empty; expected some words or a piece of code."),
        (" \n\t", "the query is empty; expected some words or a piece of code."),
        ("x" * 20_001, "the query has 20,001 characters; expected at most 20,000."),
        ("caf\udce9", "the query is not valid UTF-8."),
    ],
)
def test_an_unsearchable_query_is_rejected(query: str, message: str, small: Searcher) -> None:
    for mode in MODES:
        with pytest.raises(SearchError) as caught:
            small.search(query, mode)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    "query", ["x" * 20_000, "?!", "\0", "🦀", "fn f() {}\n" * 100, "SELECT * FROM x; --"]
)
def test_any_other_text_is_a_query(query: str, small: Searcher) -> None:
    for mode in MODES:
        assert len(small.search(query, mode, lines=True).hits) <= 1


@pytest.mark.parametrize("number", [0, -1, 1001])
def test_a_limit_out_of_range_is_rejected(number: int, small: Searcher) -> None:
    with pytest.raises(SearchError, match=rf"the limit is {number}; expected 1 to 1000\."):
        small.search("x", limit=number)
    with pytest.raises(SearchError, match=rf"the limit is {number}; expected 1 to 1000\."):
        small.similar(small.resolve("f"), limit=number)
    with pytest.raises(SearchError, match=rf"group.* {number}; expected 1 to 1000\."):
        small.search("x", group_by="file", group_size=number)


def test_an_unknown_mode_is_rejected(small: Searcher) -> None:
    mode: Any = "semantic"
    with pytest.raises(SearchError, match="hybrid, merged, text, code, bm25, blocks"):
        small.search("x", mode)


def test_an_unknown_grouping_is_rejected(small: Searcher) -> None:
    group_by: Any = "folder"
    with pytest.raises(SearchError, match="module, file, crate, kind"):
        small.search("x", group_by=group_by)


# ---- Encoders


def test_a_query_is_encoded_once_for_all_retrievers_and_later_queries(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    compass = Compass()
    searcher = searcher_of(build([made("f", 10)]), encoder=compass)
    for mode in (*MODES, *MODES):
        searcher.search("one", mode)
    assert compass.asked == ["one"]
    monkeypatch.setattr(encoding, "_CACHED_QUERIES", 2)
    for query in ("two", "one", "three", "one", "two"):
        searcher.search(query)
    assert compass.asked == [
        "one",
        "two",
        "three",
        "two",
    ]  # the one that was not used for longest is forgotten


def test_vectors_of_two_models_are_not_mixed_up(build: Build) -> None:
    encoders = {"text": Compass({"x": 0}), "code": Compass({"x": 90})}
    structures = [made("a", 0, 0), made("b", 90, 90)]
    searcher = Searcher(build(structures), encoders.__getitem__, search_settings(), NoReranker)
    assert (
        names(searcher.search("x", "text", limit=1)),
        names(searcher.search("x", "code", limit=1)),
    ) == (["a"], ["b"])
    found = {hit.name: hit.scores for hit in searcher.search("x").hits}
    assert found == {
        "a": {"text": cosine(0), "code": cosine(90)},
        "b": {"text": cosine(90), "code": cosine(0)},
    }


def test_several_threads_may_search_at_once(build: Build) -> None:
    compass = Compass({f"q{number}": number for number in range(40)})
    searcher = searcher_of(
        build([made(f"f{number}", number) for number in range(40)]), encoder=compass
    )
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda number: searcher.search(f"q{number}", "text", limit=1), [*range(40)] * 3
            )
        )
    assert [names(answer) for answer in answers] == [[f"f{number}"] for number in range(40)] * 3
    assert sorted(compass.asked) == sorted(compass.directions)


def test_a_model_is_used_by_one_thread_at_a_time(build: Build) -> None:
    class Slow(Compass):
        """Takes until another thread comes in, or a while."""

        def __init__(self) -> None:
            super().__init__()
            self.meeting = threading.Barrier(2)
            self.met = False

        def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
            with suppress(threading.BrokenBarrierError):
                self.meeting.wait(0.3)
                self.met = True
            return super().encode_queries(texts)

    slow = Slow()
    searcher = searcher_of(build([made("f")]), encoder=slow)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda query: searcher.search(query, "text"), ["one", "two"]))
    assert not slow.met


# ---- Reranking


class ByName:
    """Scores a text by the place of its first letter in a word; remembers what it was asked."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.asked: list[tuple[str, list[str]]] = []

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        self.asked.append((query, list(texts)))
        return [-float(self.order.index(text.removeprefix("made_up::")[0])) for text in texts]


def test_a_reranker_puts_the_first_hits_in_its_order_and_leaves_the_others(build: Build) -> None:
    structures = [
        made(name, 10 * place, 10 * place, docstring=f"Docs of {name}.")
        for place, name in enumerate("abcd")
    ]
    generation, reranker, loads = build(structures), ByName("cbad"), list[int]()

    def load() -> ByName:
        loads.append(1)
        return reranker

    settings = search_settings("rerank.model=some/model", "rerank.top=3")
    searcher = Searcher(generation, lambda _: Compass(), settings, load)
    assert loads == []
    answer = searcher.search("query", "text")
    assert [(hit.name, hit.score) for hit in answer.hits[:3]] == [
        ("c", 0.0),
        ("b", -1.0),
        ("a", -2.0),
    ]
    assert (answer.hits[3].name, answer.hits[3].score) == ("d", cosine(30))
    assert answer.hits[0].scores == {"text": cosine(20)}
    assert reranker.asked == [
        (
            "query",
            [
                f"made_up::{name}\nDocs of {name}.\nfn {name}() {{\n    step();\n}}\n"
                for name in "abc"
            ],
        )
    ]
    for mode in ("hybrid", "code", "merged"):
        assert names(searcher.search("query", mode))[:3] == ["c", "b", "a"]
    assert names(searcher.search("query", "text", limit=1)) == [
        "c"
    ]  # it may bring up what was below the limit
    assert loads == [1]


def test_reranking_is_time_of_encoding(
    build: Build, clock: Callable[[object, str, float], None]
) -> None:
    reranker, compass = ByName("ab"), Compass()
    clock(reranker, "score", 3.0)
    clock(compass, "encode_queries", 1.0)
    searcher = Searcher(
        build([made("b", 0), made("a", 9)]),
        lambda _: compass,
        search_settings("rerank.model=m"),
        lambda: reranker,
    )
    answer = searcher.search("x", "text")
    assert names(answer) == ["a", "b"]
    assert answer.latency_ms == {"encode": 4000, "qdrant": 0, "fuse": 0, "total": 4000}


def test_a_reranker_orders_groups_too(build: Build) -> None:
    structures = [
        made(name, 10 * place, file_path=f"src/{name in 'ab'}.rs")
        for place, name in enumerate("abcd")
    ]
    searcher = Searcher(
        build(structures),
        lambda _: Compass(),
        search_settings("rerank.model=m"),
        lambda: ByName("dbca"),
    )
    assert grouped(searcher.search("x", "text", group_by="file")) == {
        "src/False.rs": ["d", "c"],
        "src/True.rs": ["b", "a"],
    }


def test_if_nothing_was_found_nothing_is_reranked(build: Build) -> None:
    searcher = Searcher(
        build([made("a")]),
        lambda _: Compass(),
        search_settings("rerank.model=m"),
        lambda: ByName("a"),
    )
    for filters in (Filters(crate=("absent",)), Filters(path=("absent/*",))):
        assert searcher.search("x", filters=filters).hits == []
    assert searcher.search("zxqv", "bm25").hits == []
