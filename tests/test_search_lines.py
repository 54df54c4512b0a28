from __future__ import annotations

from dataclasses import replace

import pytest

from search.hit import Hit, LineMatch
from search.lines import with_lines

from made_up import made


def hit(*lines: str, line_from: int = 1, ending: str = "\n") -> Hit:
    """Return a hit of these lines."""
    one = made(
        "f",
        lines=(line_from, line_from + len(lines) - 1),
        snippet="".join(line + ending for line in lines),
    )
    return Hit(one.structure, 0.5, {"text": 0.5})


def with_snippet(found: Hit, snippet: str) -> Hit:
    """Return the hit with another snippet."""
    context = replace(found.structure.context, snippet=snippet)
    return replace(found, structure=replace(found.structure, context=context))


def told(found: Hit) -> list[tuple[int, str]]:
    return [(match.line, match.text) for match in found.lines]


def test_lines_with_most_of_the_querys_words_have_their_numbers_in_the_file() -> None:
    body = [
        "fn wait(&self) {",
        "    let delay = self.base;",
        "    let limit = 7;",
        "    sleep(delay.min(limit));",
        "}",
    ]
    (found,) = with_lines([hit(*body, line_from=40)], "the limit of the delay")
    assert told(found) == [
        (43, "    sleep(delay.min(limit));"),
        (41, "    let delay = self.base;"),
        (42, "    let limit = 7;"),
    ]
    assert [match.score for match in found.lines] == pytest.approx([1.0, 0.5, 0.5])


def test_a_score_is_the_share_of_the_querys_words_by_their_weight() -> None:
    (found,) = with_lines([hit("alpha", "alpha beta", "alpha", "gamma")], "alpha beta")
    # Of four lines, three contain alpha and one beta: their weights are ln(1 + 4/4) = 0.693 and
    # ln(1 + 4/2) = 1.099.
    assert found.lines == (
        LineMatch(2, pytest.approx(1.0), "alpha beta"),
        LineMatch(1, pytest.approx(0.3869, abs=1e-4), "alpha"),
        LineMatch(3, pytest.approx(0.3869, abs=1e-4), "alpha"),
    )


def test_words_that_stand_in_no_line_lower_the_scores() -> None:
    (found,) = with_lines([hit("alpha", "gamma")], "alpha delta epsilon zeta")
    # alpha weighs ln(1 + 2/2), each of the others ln(1 + 2/1).
    assert [(match.line, match.score) for match in found.lines] == []
    (found,) = with_lines([hit("alpha", "gamma")], "alpha delta")
    assert [(match.line, match.score) for match in found.lines] == [
        (1, pytest.approx(0.3869, abs=1e-4))
    ]


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    common = [f"value {number}" for number in range(20)]
    (found,) = with_lines([hit(*common, "checksum")], "value checksum")
    assert told(found)[0] == (21, "checksum")
    assert found.lines[0].score > 0.7


def test_what_is_rare_is_so_among_the_lines_of_all_hits() -> None:
    one, other = hit("value checksum"), hit(*["value"] * 9, "checksum", line_from=50)
    first, second = with_lines([one, other], "value checksum")
    assert told(first) == [(1, "value checksum")]
    assert told(second)[0] == (59, "checksum")
    alone = with_lines([one], "value checksum")[0]
    assert alone.lines[0].score == first.lines[0].score == pytest.approx(1.0)
    assert second.lines[0].score > 0.6


def test_words_are_compared_by_their_parts_and_stems() -> None:
    body = [
        "fn f() {",
        "    self.maxRetries = 3;",
        "    let RETRY_MAX = 1;",
        "    retrying();",
        "}",
    ]
    (found,) = with_lines([hit(*body)], "max retries")
    assert [line for line, _ in told(found)] == [2, 3, 4]


def test_at_most_three_lines_the_best_first_and_ties_in_their_order() -> None:
    (found,) = with_lines([hit("x", "delay", "delay", "max delay", "delay", "delay")], "max delay")
    assert told(found) == [(4, "max delay"), (2, "delay"), (3, "delay")]


def test_lines_that_say_little_are_left_out() -> None:
    (found,) = with_lines(
        [hit("alpha", "beta")], "alpha one two three four five six seven eight nine ten"
    )
    assert found.lines == ()


@pytest.mark.parametrize("query", ["nothing of it", "?!", "{ } ;", "the of and", " "])
def test_a_query_whose_words_stand_nowhere_gets_the_hits_as_they_are(query: str) -> None:
    before = [hit("let delay = 1;", "", "}"), hit("x")]
    assert with_lines(before, query) == before


def test_nothing_else_of_a_hit_changes_nor_their_order() -> None:
    before = [hit("x"), hit("let delay = 1;"), hit("delay")]
    after = with_lines(before, "delay")
    assert [len(hit.lines) for hit in after] == [0, 1, 1]
    assert [replace(hit, lines=()) for hit in after] == before
    assert [hit.lines for hit in before] == [(), (), ()]
    assert with_lines([], "delay") == []


def test_carriage_returns_are_no_part_of_a_line_and_other_separators_are() -> None:
    (found,) = with_lines(
        [hit("fn f() {", "    // delay\u2028of\x0cit\x85", "}", ending="\r\n")], "delay"
    )
    assert told(found) == [(2, "    // delay\u2028of\x0cit\x85")]


def test_empty_lines_and_an_empty_snippet_are_no_matches() -> None:
    (found,) = with_lines([hit("", "", "delay", "")], "delay")
    assert told(found) == [(3, "delay")]
    empty = with_snippet(hit("x"), "")
    assert with_lines([empty], "delay") == [empty]


def test_the_last_line_counts_even_without_a_newline_at_its_end() -> None:
    """structures.jsonl files in the tutorial's format need not end a snippet by a newline."""
    one = with_snippet(hit("fn f() {", "    delay();"), "fn f() {\n    delay();")
    (found,) = with_lines([one], "delay")
    assert told(found) == [(2, "    delay();")]
