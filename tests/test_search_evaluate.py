from __future__ import annotations

import json
import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search import statistics
from search.errors import EvaluationError
from search.evaluate import Judgement, auroc_of, evaluate, judge_reply, summarise
from search.hit import LineRange
from search.judged import (
    JudgedQuery,
    KnownAnswer,
    at_level,
    judge,
    judge_loosely,
    matches,
    ranked_at_level,
    read_queries,
)
from search.statistics import Comparison, auroc, bootstrap


@dataclass(frozen=True)
class Found:
    file_path: str
    name: str
    line_from: int
    line_to: int


@dataclass(frozen=True)
class FoundReply:
    hits: list[Found] = field(default_factory=list)
    confidence: float | None = None


def found(name: str, lines: tuple[int, int] = (1, 9), file_path: str = "a.rs") -> Found:
    return Found(file_path, name, *lines)


def answer(name: str | None = None, relevance: float = 1.0, **where: Any) -> KnownAnswer:
    return KnownAnswer(
        file_path=where.pop("file_path", "a.rs"), name=name, relevance=relevance, **where
    )


def judged(*relevances: float, kind: str = "") -> JudgedQuery:
    answers = tuple(
        answer(f"answer {place}", relevance) for place, relevance in enumerate(relevances)
    )
    return JudgedQuery(query="where is it?", kind=kind, answers=answers)


def judgement(
    gains: list[float], relevances: list[float], kind: str = "", confidence: float | None = None
) -> Judgement:
    return Judgement(judged(*relevances, kind=kind), tuple(gains), tuple(gains), confidence)


def write(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


# Reading


def test_queries_are_read_with_their_answers(tmp_path: Path) -> None:
    path = write(
        tmp_path / "queries.jsonl",
        {
            "query": "retry with backoff",
            "kind": "words",
            "note": "from the issue tracker",
            "answers": [
                {"file_path": "src/retry.rs", "name": "delays", "relevance": 3},
                {"file_path": "src/retry.rs", "line": 7},
                {
                    "file_path": "src/lib.rs",
                    "name": "retry",
                    "line_from": 4,
                    "line_to": 9,
                    "relevance": 0.5,
                },
            ],
        },
        {"query": "bake a cake", "answers": []},
        {"query": "Zahnräder"},
    )
    first, second, third = read_queries(path)
    assert (first.query, first.kind) == ("retry with backoff", "words")
    assert [
        (answer.file_path, answer.name, answer.lines, answer.relevance) for answer in first.answers
    ] == [
        ("src/retry.rs", "delays", None, 3.0),
        ("src/retry.rs", None, LineRange(7, 7), 1.0),
        ("src/lib.rs", "retry", LineRange(4, 9), 0.5),
    ]
    assert (second.query, second.kind, second.answers) == ("bake a cake", "", ())
    assert (third.query, third.kind, third.answers) == ("Zahnräder", "", ())


def test_blank_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_bytes(b'\n{"query": "a"}\r\n  \n{"query": "b"}')
    assert [query.query for query in read_queries(path)] == ["a", "b"]
    path.write_bytes(b'\n{"query": "a"}\n\n{"query": 1}\n')
    with pytest.raises(
        EvaluationError,
        match=r"queries\.jsonl, line 4: query: Input should be a valid string, found 1\.$",
    ):
        read_queries(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '{"query": "a',
            'Invalid JSON: EOF while parsing a string at column 12, found \'{"query": "a\'',
        ),
        ('["a"]', "Input should be an object, found ['a']"),
        ('{"query": "a"} {"query": "b"}', "Invalid JSON: trailing characters at column 16"),
        ('{"kind": "words"}', "query: Field required, found {'kind': 'words'}"),
        ('{"query": ""}', "query: String should have at least 1 character, found ''"),
        ('{"query": " \\t"}', "query: String should have at least 1 character, found ' \\t'"),
        ('{"query": "a", "kind": 3}', "kind: Input should be a valid string, found 3"),
        ('{"query": "a", "answers": {}}', "answers: Input should be a valid array, found {}"),
        ('{"query": "a", "answers": ["b"]}', "answers[0]: Input should be an object, found 'b'"),
        (
            '{"query": "a", "answers": [{"name": "b"}]}',
            "answers[0].file_path: Field required, found {'name': 'b'}",
        ),
        (
            '{"query": "a", "answers": [{"file_path": "a.rs"}]}',
            (
                "answers[0]: expected a name, a line, or line_from and line_to, "
                "found {'file_path': 'a.rs'}"
            ),
        ),
    ],
)
def test_a_malformed_line_is_reported_with_its_number_what_was_expected_and_found(
    tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text('{"query": "fine"}\n' + line)
    with pytest.raises(EvaluationError) as caught:
        read_queries(path)
    assert str(caught.value).startswith(f"{path}, line 2: {message}")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"line": 0}, "answers[1].line: Input should be greater than or equal to 1, found 0."),
        ({"line": 2.5}, "answers[1].line: Input should be a valid integer, found 2.5."),
        ({"line": True}, "answers[1].line: Input should be a valid integer, found True."),
        ({"line": "7"}, "answers[1].line: Input should be a valid integer, found '7'."),
        (
            {"line_from": -1, "line_to": 3},
            "answers[1].line_from: Input should be greater than or equal to 1, found -1.",
        ),
        (
            {"line_from": 9, "line_to": 3},
            "answers[1]: expected line_from <= line_to, found {'file_path': 'a.rs', ",
        ),
        ({"line_from": 9}, "answers[1]: expected either line, or line_from and line_to, found "),
        (
            {"line_to": 9, "line": 3},
            "answers[1]: expected either line, or line_from and line_to, found ",
        ),
        (
            {"line": 9, "line_from": 9, "line_to": 9},
            "answers[1]: expected either line, or line_from and line_to, found ",
        ),
        ({"name": ""}, "answers[1].name: String should have at least 1 character, found ''."),
        ({"name": ["b"]}, "answers[1].name: Input should be a valid string, found ['b']."),
        (
            {"name": "b", "relevance": 0},
            "answers[1].relevance: Input should be greater than 0, found 0",
        ),
        (
            {"name": "b", "relevance": -1},
            "answers[1].relevance: Input should be greater than 0, found -1",
        ),
        (
            {"name": "b", "relevance": True},
            "answers[1].relevance: Input should be a valid number, found True.",
        ),
        (
            {"name": "b", "relevance": "3"},
            "answers[1].relevance: Input should be a valid number, found '3'.",
        ),
        (
            {"name": "b", "relevance": float("nan")},
            "answers[1].relevance: Input should be a finite number, found nan.",
        ),
        (
            {"name": "b", "relevance": float("inf")},
            "answers[1].relevance: Input should be a finite number, found inf.",
        ),
        (
            {"name": "b", "relevence": 3},
            "answers[1].relevence: Extra inputs are not permitted, found 3.",
        ),
        (
            {"name": "b", "file_path": " "},
            "answers[1].file_path: String should have at least 1 character, found ' '.",
        ),
    ],
)
def test_a_malformed_answer_is_reported_with_its_position(
    tmp_path: Path, keys: dict[str, Any], message: str
) -> None:
    answers = [{"file_path": "a.rs", "name": "fine"}, {"file_path": "a.rs", **keys}]
    path = write(tmp_path / "queries.jsonl", {"query": "a", "answers": answers})
    with pytest.raises(EvaluationError) as caught:
        read_queries(path)
    assert str(caught.value).startswith(f"{path}, line 1: {message}")


def test_bytes_that_are_not_utf_8_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_bytes(b'{"query": "fine"}\n{"query": "Zahnr\xe4der"}\n')
    with pytest.raises(
        EvaluationError,
        match=r"queries\.jsonl, line 2: expected UTF-8, found byte 0xe4 at column 17\.$",
    ):
        read_queries(path)


@pytest.mark.parametrize("content", ["", "\n  \n"])
def test_a_file_without_queries_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text(content)
    with pytest.raises(
        EvaluationError,
        match=r"queries\.jsonl contains no query; expected one JSON object per line",
    ):
        read_queries(path)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        EvaluationError, match=r"^can't read .*nowhere\.jsonl: No such file or directory$"
    ):
        read_queries(tmp_path / "nowhere.jsonl")


# Judging


@pytest.mark.parametrize(
    ("known", "is_found"),
    [
        (answer("delays"), True),
        (answer("Delays"), False),
        (answer("delays", file_path="b.rs"), False),
        (answer(line=10), True),
        (answer(line=20), True),
        (answer(line=9), False),
        (answer(line=21), False),
        (answer(line_from=1, line_to=10), True),
        (answer(line_from=20, line_to=90), True),
        (answer(line_from=12, line_to=13), True),
        (answer(line_from=1, line_to=90), True),
        (answer(line_from=21, line_to=90), False),
        (answer(line=10, file_path="b.rs"), False),
        (answer("delays", line=15), True),
        (answer("delays", line=21), False),
        (answer("Backoff", line=15), False),
    ],
)
def test_a_hit_matches_by_file_name_and_lines(known: KnownAnswer, is_found: bool) -> None:
    assert matches(found("delays", (10, 20)), known) is is_found


def test_an_answer_is_credited_to_the_first_hit_that_matches_it() -> None:
    query = JudgedQuery(query="q", answers=(answer("b", 2.0),))
    assert judge(query, [found("a"), found("b"), found("b")]) == [0.0, 2.0, 0.0]


def test_a_hit_that_matches_several_answers_gets_the_best_not_yet_credited() -> None:
    query = JudgedQuery(
        query="q",
        answers=(
            answer(relevance=1.0, line=2),
            answer(relevance=3.0, line=4),
            answer(relevance=2.0, line=6),
        ),
    )
    module, tail = found("module", (1, 9)), found("tail", (5, 9))
    assert judge(query, [module, tail, module, module]) == [3.0, 2.0, 1.0, 0.0]


def test_a_query_without_answers_gives_no_gain() -> None:
    assert judge(judged(), [found("a"), found("b")]) == [0.0, 0.0]
    assert judge(judged(1.0), []) == []


@given(
    lines=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(1, 3)), max_size=6),
    hits=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=12),
)
def test_no_answer_is_credited_twice(
    lines: list[tuple[int, int, int]], hits: list[tuple[int, int]]
) -> None:
    answers = [
        answer(relevance=float(relevance), line_from=first, line_to=first + more)
        for first, more, relevance in lines
    ]
    places = [found("x", (first, first + more)) for first, more in hits]
    gains = judge(JudgedQuery(query="q", answers=tuple(answers)), places)
    assert len(gains) == len(hits)
    left = [answer.relevance for answer in answers]
    for gain, place in zip(gains, places, strict=True):
        if gain:
            left.remove(gain)
            assert gain in {answer.relevance for answer in answers if matches(place, answer)}


def test_an_answer_counts_for_every_hit_by_the_looser_rule() -> None:
    query = JudgedQuery(query="q", answers=(answer("b", 2.0), answer(relevance=3.0, line=4)))
    hits = [found("a", (5, 9)), found("b", (5, 9)), found("b", (5, 9)), found("b", (1, 4))]
    assert judge_loosely(query, hits) == [0.0, 2.0, 2.0, 3.0]
    assert judge_loosely(judged(), hits) == [0.0, 0.0, 0.0, 0.0]


# Levels

TWO_FILES = JudgedQuery(
    query="q",
    kind="words",
    answers=(
        answer("one", 3.0, line_from=10, line_to=20),
        answer("two", 1.0),
        answer("three", 2.0, file_path="b.rs", line=5),
    ),
)


def test_at_the_level_of_structures_a_query_stays_as_it_is() -> None:
    hits = [found("one"), found("two")]
    assert at_level(TWO_FILES, "structure") is TWO_FILES
    assert ranked_at_level(hits, "structure") == hits


def test_at_the_level_of_lines_names_count_only_where_no_lines_are_known() -> None:
    hits = [
        found("other", (20, 30)),  # overlaps the first answer
        found("two", (40, 50)),  # has the name of the second
        found("three", (6, 9), "b.rs"),  # misses line 5
        found("module", (1, 99), "b.rs"),  # holds it
    ]
    assert ranked_at_level(hits, "line") == hits
    assert judge(at_level(TWO_FILES, "line"), hits) == [3.0, 1.0, 0.0, 2.0]
    assert judge(TWO_FILES, hits) == [0.0, 1.0, 0.0, 0.0]


def test_at_the_level_of_files_a_file_is_one_answer_and_one_hit() -> None:
    query = at_level(TWO_FILES, "file")
    assert [(answer.file_path, answer.relevance) for answer in query.answers] == [
        ("a.rs", 3.0),
        ("b.rs", 2.0),
    ]
    assert (query.query, query.kind) == ("q", "words")
    hits = [
        found("x", (1, 2), "c.rs"),
        found("x", (70, 80)),
        found("one"),
        found("y", (1, 2), "b.rs"),
    ]
    ranked = ranked_at_level(hits, "file")
    assert ranked == [hits[0], hits[1], hits[3]]
    assert judge(query, ranked) == [0.0, 3.0, 2.0]


def test_a_query_without_answers_has_none_at_any_level() -> None:
    assert [at_level(judged(), level).answers for level in ("line", "file")] == [(), ()]


def test_a_reply_is_judged_at_a_level_by_both_rules() -> None:
    reply = FoundReply([found("x", (1, 10)), found("one", (10, 20)), found("y", (20, 30))], 0.7)
    by_structure, by_line, by_file = (
        judge_reply(TWO_FILES, reply, level) for level in ("structure", "line", "file")
    )
    assert (by_structure.gains, by_structure.loose_gains) == ((0, 3, 0), (0, 3, 0))
    assert (by_line.gains, by_line.loose_gains) == ((3, 0, 0), (3, 3, 3))
    assert (by_file.gains, by_file.loose_gains) == ((3,), (3,))
    assert by_file.confidence == 0.7
    # Ideal by lines: 3 + 2 / log2 3 + 1 / log2 4 = 4.761860; by files: 3 + 2 / log2 3 = 4.261860
    # By the looser rule: 3 (1 + 1 / log2 3 + 1 / log2 4) = 6.392789, more than the ideal
    assert by_structure.metrics()["ndcg_at_10"] == pytest.approx(0.397490, abs=1e-6)
    assert by_line.metrics()["ndcg_at_10"] == pytest.approx(0.630006, abs=1e-6)
    assert by_line.metrics()["ndcg_loose"] == pytest.approx(1.342499, abs=1e-6)
    assert by_file.metrics()["ndcg_at_10"] == pytest.approx(0.703918, abs=1e-6)
    assert (by_structure.metrics()["recall_at_10"], by_file.metrics()["recall_at_10"]) == (
        1 / 3,
        1 / 2,
    )


# Metrics of one query


def test_ndcg_of_relevances_3_and_1_in_the_wrong_order() -> None:
    # (1 + 3 / log2 3) / (3 + 1 / log2 3) = 2.892789 / 3.630930
    assert judgement([1.0, 3.0], [3.0, 1.0]).metrics()["ndcg_at_10"] == pytest.approx(
        0.796708, abs=1e-6
    )


def test_ndcg_of_the_better_of_two_at_rank_3() -> None:
    # (3 / log2 4) / (3 + 1 / log2 3) = 1.5 / 3.630930
    assert judgement([0.0, 0.0, 3.0], [1.0, 3.0]).metrics()["ndcg_at_10"] == pytest.approx(
        0.413117, abs=1e-6
    )


def test_metrics_of_two_answers_of_three_at_ranks_2_and_6() -> None:
    # NDCG: (1 / log2 3 + 1 / log2 7) / (1 + 1 / log2 3 + 1 / log2 4) = 0.987137 / 2.130930
    assert judgement([0, 1, 0, 0, 0, 1, 0], [1, 1, 1]).metrics() == pytest.approx(
        {
            "hit_at_1": 0.0,
            "hit_at_5": 1.0,
            "hit_at_10": 1.0,
            "mrr": 0.5,
            "ndcg_at_10": 0.463242,
            "ndcg_loose": 0.463242,
            "recall_at_5": 1 / 3,
            "recall_at_10": 2 / 3,
        },
        abs=1e-6,
    )


def test_what_stands_below_rank_10_has_a_rank_and_counts_for_nothing() -> None:
    deep = judgement([0.0] * 10 + [1.0], [1.0])
    assert deep.rank == 11
    assert set(deep.metrics().values()) == {0.0}
    tenth = judgement([0.0] * 9 + [1.0], [1.0])
    assert tenth.rank == 10
    assert tenth.metrics()["mrr"] == pytest.approx(0.1)
    assert (tenth.metrics()["hit_at_5"], tenth.metrics()["hit_at_10"]) == (0.0, 1.0)
    assert tenth.metrics()["ndcg_at_10"] == pytest.approx(0.289065, abs=1e-6)  # 1 / log2 11


def test_ten_of_eleven_answers_are_an_ideal_page_but_not_all() -> None:
    metrics = judgement([1.0] * 10, [1.0] * 11).metrics()
    assert metrics["ndcg_at_10"] == 1.0
    assert metrics["recall_at_10"] == pytest.approx(10 / 11)
    assert metrics["recall_at_5"] == pytest.approx(5 / 11)


def test_rounding_makes_no_ranking_better_than_the_ideal() -> None:
    less, more = 2.999388976499362, 2.9993889764993624
    assert judgement([less, less, more], [more, less, less]).metrics()["ndcg_at_10"] == 1.0


def test_hits_that_share_an_answer_pass_the_ideal_by_the_looser_rule() -> None:
    shared = Judgement(judged(2.0), (2.0, 0.0), (2.0, 2.0))
    assert shared.metrics()["ndcg_at_10"] == 1.0
    assert shared.metrics()["ndcg_loose"] == pytest.approx(1.630930, abs=1e-6)  # 1 + 1 / log2 3


def test_a_query_without_answers_has_no_metrics() -> None:
    assert judgement([0.0], []).metrics() == {}


RELEVANCES = st.lists(st.floats(0.01, 100), min_size=1, max_size=15)


@given(relevances=RELEVANCES, data=st.data())
def test_metrics_are_between_0_and_1(relevances: list[float], data: st.DataObject) -> None:
    credited = data.draw(st.lists(st.sampled_from(range(len(relevances))), unique=True))
    gains = data.draw(
        st.permutations(
            [relevances[place] for place in credited] + [0.0] * data.draw(st.integers(0, 15))
        )
    )
    metrics = judgement(gains, relevances).metrics()
    assert metrics.pop("ndcg_loose") == pytest.approx(metrics["ndcg_at_10"])
    assert all(0 <= value <= 1 for value in metrics.values())
    assert metrics["hit_at_1"] <= metrics["mrr"] <= metrics["hit_at_10"]
    assert metrics["recall_at_5"] <= metrics["recall_at_10"]


@given(relevances=RELEVANCES)
def test_a_perfect_ranking_is_1(relevances: list[float]) -> None:
    metrics = judgement(sorted(relevances, reverse=True), relevances).metrics()
    assert (metrics["hit_at_1"], metrics["mrr"], metrics["ndcg_at_10"]) == (1.0, 1.0, 1.0)
    assert metrics["recall_at_10"] == min(1.0, 10 / len(relevances))


@given(relevances=st.lists(st.integers(1, 9), min_size=2, max_size=10, unique=True), data=st.data())
def test_two_answers_in_the_wrong_order_cost_ndcg(
    relevances: list[int], data: st.DataObject
) -> None:
    gains = sorted(map(float, relevances), reverse=True)
    place = data.draw(st.integers(0, len(gains) - 2))
    gains[place], gains[place + 1] = gains[place + 1], gains[place]
    assert judgement(gains, list(map(float, relevances))).metrics()["ndcg_at_10"] < 1


# Means


def test_a_summary_is_the_mean_over_queries_with_answers_by_kind() -> None:
    summaries = summarise(
        [
            judgement([1.0], [1.0], kind="words"),
            judgement([0.0, 0.0, 0.0, 1.0], [1.0, 1.0], kind="code"),
            judgement([0.0], [], kind="nothing"),
            judgement([], [1.0]),
            judgement([0.0, 1.0], [1.0], kind="words"),
        ]
    )
    assert list(summaries) == ["all", "words", "code"]
    # NDCG of `code`: (1 / log2 5) / (1 + 1 / log2 3) = 0.430677 / 1.630930;
    # of the last: 1 / log2 3 = 0.630930
    assert summaries["words"].to_dict() == pytest.approx(
        {
            "n": 2,
            "hit_at_1": 0.5,
            "hit_at_5": 1.0,
            "hit_at_10": 1.0,
            "mrr": 0.75,
            "ndcg_at_10": 0.815465,
            "ndcg_loose": 0.815465,
            "recall_at_5": 1.0,
            "recall_at_10": 1.0,
        },
        abs=1e-6,
    )
    assert summaries["code"].ndcg_at_10 == pytest.approx(0.264068, abs=1e-6)
    overall = summaries["all"]
    assert (overall.n, overall.hit_at_1, overall.hit_at_5) == (4, 0.25, 0.75)
    assert overall.mrr == pytest.approx((1 + 1 / 4 + 0 + 1 / 2) / 4)
    assert overall.recall_at_10 == pytest.approx((1 + 1 / 2 + 0 + 1) / 4)


def test_a_kind_that_is_called_all_counts_once() -> None:
    assert {
        kind: one.n for kind, one in summarise([judgement([1.0], [1.0], kind="all")]).items()
    } == {"all": 1}


def test_nothing_is_summed_up_if_no_query_has_answers() -> None:
    assert summarise([judgement([0.0], [])]) == {}


# Confidence


def test_auroc_counts_pairs_and_ties_half() -> None:
    assert auroc([0.9, 0.5], [0.5, 0.1]) == 0.875
    assert auroc([0.9, 0.8], [0.2]) == 1.0
    assert auroc([0.2], [0.9, 0.8]) == 0.0
    assert auroc([0.3, 0.3], [0.3]) == 0.5


def test_auroc_needs_both_sides() -> None:
    assert auroc([], [0.5]) is None
    assert auroc([0.5], []) is None


def test_the_confidence_of_judgements_is_compared_where_it_is_known() -> None:
    sure, unknown, unsure = (judgement([], [1.0], confidence=known) for known in (0.9, None, 0.2))
    without = judgement([], [], confidence=0.5)
    assert auroc_of([sure, unknown, unsure, without]) == 0.5
    assert auroc_of([sure, unknown, without]) == 1.0
    assert auroc_of([unknown, without]) is None


CONFIDENCES = st.lists(
    st.sampled_from([-1.0, 0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(-2, 2), min_size=1, max_size=20
)


@given(with_answer=CONFIDENCES, without=CONFIDENCES)
def test_auroc_is_the_share_of_pairs_in_order(
    with_answer: list[float], without: list[float]
) -> None:
    pairs = [
        1.0 if higher > other else 0.5 if higher == other else 0.0
        for higher in with_answer
        for other in without
    ]
    assert auroc(with_answer, without) == pytest.approx(sum(pairs) / len(pairs))


# Comparing


def test_a_difference_that_chance_may_make_is_not_real() -> None:
    # Resampled means are 1 - k / 2 with k from binomial(4, 1/4): k is 3 or 4 in 5%, 0 in 32%,
    # 2 or more in 26%.
    comparison = bootstrap([0, 0, 0, 1], [1, 1, 1, 0])
    assert (comparison.difference, comparison.low, comparison.high, comparison.real) == (
        0.5,
        -0.5,
        1.0,
        False,
    )
    assert comparison.p == pytest.approx(2 * 0.2617, abs=0.02)


def test_a_difference_of_nearly_every_query_is_real() -> None:
    # Resampled means are 0.2 - 0.03 k with k from binomial(10, 1/10): k is 3 or more in 7%,
    # 4 or more in 1%, 0 in 35%.
    comparison = bootstrap([0.5] * 10, [0.7] * 9 + [0.4])
    assert (comparison.difference, comparison.low, comparison.high) == pytest.approx(
        (0.17, 0.11, 0.2)
    )
    assert comparison.real
    assert comparison.p < 0.001


def test_the_difference_is_of_the_second_from_the_first() -> None:
    a, b = [0.9, 0.8, 1.0, 0.7], [0.1, 0.3, 0.2, 0.6]
    worse, better = bootstrap(a, b), bootstrap(b, a)
    assert (worse.difference, worse.real) == (pytest.approx(-0.55), True)
    assert (better.difference, better.low, better.high) == pytest.approx(
        (0.55, -worse.high, -worse.low)
    )


def test_queries_are_compared_in_pairs() -> None:
    # Each query gains a little; the queries differ far more from each other.
    a = [place / 20 for place in range(20)]
    comparison = bootstrap(a, [value + 0.01 for value in a])
    assert (comparison.low, comparison.high) == pytest.approx((0.01, 0.01))
    assert comparison.real


def test_equal_modes_do_not_differ() -> None:
    assert bootstrap([0.3, 1 / 3, 0.1], [0.3, 1 / 3, 0.1]) == Comparison(
        0.0, 0.0, 0.0, 1.0, real=False
    )
    # 0.1 + 0.2 - 0.3 is not 0 in floating point.
    assert bootstrap([0.0, 0.0, 0.3], [0.1, 0.2, 0.0], rounds=2000).p == 1.0


def test_the_bootstrap_is_the_same_each_time_whatever_is_drawn_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(3)
    a, b = random.random(50).tolist(), random.random(50).tolist()
    first = bootstrap(a, b)
    assert bootstrap(a, b) == first
    assert bootstrap(a, b, seed=1) != first
    monkeypatch.setattr(statistics, "_DRAWS_AT_ONCE", 333)
    assert bootstrap(a, b) == first


def test_chance_is_seldom_called_real() -> None:
    random = np.random.default_rng(5)
    called = sum(
        bootstrap(random.normal(size=60), random.normal(size=60), rounds=500).real
        for _ in range(200)
    )
    assert 2 <= called <= 22  # 5% of 200, and what a sample may add


def test_memory_of_the_bootstrap_does_not_grow_with_its_rounds() -> None:
    a, b = [0.0] * 4000, [1.0] * 4000
    tracemalloc.start()
    try:
        bootstrap(a, b, rounds=4000)  # 16 million draws: 128 MB of places
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], [1.0, 0.0])])
def test_metrics_of_other_queries_are_not_compared(a: list[float], b: list[float]) -> None:
    with pytest.raises(
        ValueError,
        match=f"expected a metric of the same queries twice, found {len(a)} and {len(b)} values",
    ):
        bootstrap(a, b)


@pytest.mark.parametrize(
    ("comparison", "text"),
    [
        (
            Comparison(-0.031, -0.06, -0.002, 0.04, real=True),
            "-0.031 [-0.060, -0.002], p 0.04: real",
        ),
        (
            Comparison(0.031, -0.002, 0.06, 0.07, real=False),
            "+0.031 [-0.002, +0.060], p 0.07: may be chance",
        ),
        (Comparison(0.2, 0.1, 0.3, 0.0, real=True), "+0.200 [+0.100, +0.300], p < 0.01: real"),
        (Comparison(0.2, 0.1, 0.3, 0.0099, real=True), "+0.200 [+0.100, +0.300], p < 0.01: real"),
        (Comparison(0.2, 0.1, 0.3, 0.01, real=True), "+0.200 [+0.100, +0.300], p 0.01: real"),
        (
            Comparison(-0.0001, 0.0, 0.0, 1.0, real=False),
            "+0.000 [+0.000, +0.000], p 1.00: may be chance",
        ),
    ],
)
def test_a_comparison_reads_as_a_sentence(comparison: Comparison, text: str) -> None:
    assert str(comparison) == text


# All together

QUERIES = [
    JudgedQuery(query="one", kind="words", answers=(answer("one"),)),
    JudgedQuery(query="two", kind="code", answers=(answer("two"), answer("one"))),
    JudgedQuery(query="cake", kind="nothing"),
]
REPLIES = {
    ("one", "hybrid"): FoundReply([found("one")], 0.9),
    ("two", "hybrid"): FoundReply([found("one"), found("two")], 0.4),
    ("cake", "hybrid"): FoundReply([found("one")], 0.5),
    ("one", "merged"): FoundReply([found("two"), found("one")]),
    ("two", "merged"): FoundReply([]),
    ("cake", "merged"): FoundReply([]),
}


def search(query: str, mode: str) -> FoundReply:
    return REPLIES[query, mode]


def test_modes_are_compared_with_the_first() -> None:
    evaluation = evaluate(QUERIES, search, ["hybrid", "merged"])
    assert {mode: list(kinds) for mode, kinds in evaluation.summaries.items()} == {
        "hybrid": ["all", "words", "code"],
        "merged": ["all", "words", "code"],
    }
    assert evaluation.summaries["hybrid"]["all"].ndcg_at_10 == 1.0
    assert evaluation.summaries["merged"]["all"].mrr == 0.25
    assert evaluation.auroc == {"hybrid": 0.5, "merged": None}
    assert list(evaluation.comparisons) == ["merged"]
    assert evaluation.comparisons["merged"]["mrr"].difference == -0.75
    assert evaluation.comparisons["merged"]["ndcg_at_10"].difference == pytest.approx(
        (0.630930 - 1 - 1) / 2, abs=1e-6
    )


def test_the_text_is_a_table_then_auroc_then_comparisons() -> None:
    assert evaluate(QUERIES, search, ["hybrid", "merged"]).to_text().splitlines() == [
        "mode    kind   n  Hit@1  Hit@5  Hit@10    MRR  NDCG@10  loose    R@5   R@10",
        "hybrid  all    2  1.000  1.000   1.000  1.000    1.000  1.000  1.000  1.000",
        "hybrid  words  1  1.000  1.000   1.000  1.000    1.000  1.000  1.000  1.000",
        "hybrid  code   1  1.000  1.000   1.000  1.000    1.000  1.000  1.000  1.000",
        "merged  all    2  0.000  0.500   0.500  0.250    0.315  0.315  0.500  0.500",
        "merged  words  1  0.000  1.000   1.000  0.500    0.631  0.631  1.000  1.000",
        "merged  code   1  0.000  0.000   0.000  0.000    0.000  0.000  0.000  0.000",
        "hybrid: AUROC 0.500 against queries without answers",
        "merged against hybrid: NDCG@10 -0.685 [-1.000, -0.369], p < 0.01: real",
        "merged against hybrid: MRR -0.750 [-1.000, -0.500], p < 0.01: real",
        "judged by structure",
    ]


def test_all_modes_are_judged_at_the_level() -> None:
    by_file = evaluate(QUERIES, search, ["hybrid", "merged"], "file")
    assert by_file.summaries["merged"]["all"].hit_at_1 == 0.5  # any hit in a.rs
    assert by_file.summaries["hybrid"]["code"].recall_at_10 == 1.0  # its answers share the file
    assert by_file.to_text().splitlines()[-1] == "judged by file"
    assert by_file.to_dict()["level"] == "file"


def test_the_dict_is_plain_data_with_a_row_for_each_query_and_mode() -> None:
    data = evaluate(QUERIES, search, ["hybrid", "merged"]).to_dict()
    assert json.loads(json.dumps(data)) == data
    assert list(data) == [
        *("level", "summaries", "auroc", "auroc_taken_out", "comparisons", "judgements")
    ]
    assert data["level"] == "structure"
    assert data["summaries"]["merged"]["words"]["mrr"] == 0.5
    assert data["auroc"] == {"hybrid": 0.5, "merged": None}
    assert data["comparisons"]["merged"]["mrr"] == {
        "difference": -0.75,
        "low": -1.0,
        "high": -0.5,
        "p": 0.0,
        "real": True,
    }
    assert data["judgements"][1:4] == [
        {
            "query": "two",
            "kind": "code",
            "mode": "hybrid",
            "rank": 1,
            "ndcg_at_10": 1.0,
            "ndcg_loose": 1.0,
            "confidence": 0.4,
            "confidence_taken_out": None,
        },
        {
            "query": "cake",
            "kind": "nothing",
            "mode": "hybrid",
            "rank": None,
            "ndcg_at_10": None,
            "ndcg_loose": None,
            "confidence": 0.5,
            "confidence_taken_out": None,
        },
        {
            "query": "one",
            "kind": "words",
            "mode": "merged",
            "rank": 2,
            "ndcg_at_10": pytest.approx(0.63093),
            "ndcg_loose": pytest.approx(0.63093),
            "confidence": None,
            "confidence_taken_out": None,
        },
    ]
    assert [row["ndcg_at_10"] for row in data["judgements"][4:]] == [0.0, None]


def test_queries_are_compared_with_themselves_without_their_answers() -> None:
    asked: list[tuple[str, str]] = []

    def without(query: JudgedQuery, mode: str) -> float | None:
        asked.append((query.query, mode))
        return {"one": 0.6, "two": None}[query.query]

    evaluation = evaluate(QUERIES, search, ["hybrid", "merged"], without_answers=without)
    assert asked == [("one", "hybrid"), ("two", "hybrid")]  # merged has no confidence
    assert evaluation.auroc_taken_out == {"hybrid": 0.5, "merged": None}  # 0.9 and 0.4 to 0.6
    rows = evaluation.to_dict()["judgements"]
    assert [row["confidence_taken_out"] for row in rows[:3]] == [0.6, None, None]
    shown = evaluation.to_text().splitlines()
    assert "hybrid: AUROC 0.500 against those whose answers are taken out" in shown


def test_queries_that_should_find_nothing_leave_nothing_to_compare() -> None:
    evaluation = evaluate(QUERIES[2:], search, ["hybrid", "merged"])
    assert (evaluation.summaries, evaluation.comparisons) == ({"hybrid": {}, "merged": {}}, {})
    assert evaluation.to_text().splitlines() == [
        "mode  kind  n  Hit@1  Hit@5  Hit@10  MRR  NDCG@10  loose  R@5  R@10",
        "judged by structure",
    ]
    assert len(evaluation.to_dict()["judgements"]) == 2


def test_one_mode_is_compared_with_nothing() -> None:
    evaluation = evaluate(QUERIES, search, ["merged"])
    assert evaluation.comparisons == {}
    assert [line.split()[0] for line in evaluation.to_text().splitlines()] == [
        "mode",
        "merged",
        "merged",
        "merged",
        "judged",
    ]
