"""The order of hybrid hits by what a query asks for."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from configs.settings import load_settings
from search.answer import Answer
from search.asked import asked_by
from search.filters import Filters
from search.hit import Hit
from search.ranking import ordered, spread
from storage.embedded.index import EmbeddedIndex
from storage.index import Index
from storage.metadata import Metadata

from made_up import Made, made, publish, searcher_of


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    opened = EmbeddedIndex(tmp_path / "qdrant")
    yield opened
    opened.close()


@pytest.fixture
def ask(index: Index, metadata: Metadata) -> Any:
    """Publish the structures and answer a query."""

    def run(structures: list[Made], query: str, *settings: str, **options: Any) -> Answer:
        generation = publish(index, metadata, structures)
        return searcher_of(generation, *settings).search(query, **options)

    return run


def owned(name: str, owner: str, degrees: float, line: int, **fields: Any) -> Made:
    """Return a method of the type."""
    symbol = fields.pop("symbol", f"made_up::{owner}::{name}")
    return made(
        name, degrees, degrees, lines=(line, line + 2), struct_name=owner, symbol=symbol, **fields
    )


def typed(name: str, code_type: str, degrees: float, line: int, **fields: Any) -> Made:
    """Return a structure of that type."""
    return made(name, degrees, degrees, lines=(line, line + 2), code_type=code_type, **fields)


def symbols(answer: Answer) -> list[str]:
    return [hit.symbol.removeprefix("made_up::") for hit in answer.hits]


def decoys(count: int = 60) -> list[Made]:
    """Return functions that every retriever likes better."""
    return [
        made(f"other{number}", 0, 0, lines=(1000 + 9 * number, 1002 + 9 * number))
        for number in range(count)
    ]


def test_definitions_of_the_very_name_come_first_however_far_their_vectors_are(ask: Any) -> None:
    structures = [*decoys(), owned("drain", "Queue", 170, 1), owned("drain", "Vault", 175, 10)]
    answer = ask(structures, "drain")
    assert set(symbols(answer)[:2]) == {"Queue::drain", "Vault::drain"}
    assert answer.query_kind == "identifier"
    assert [hit.score for hit in answer.hits] == sorted(
        (hit.score for hit in answer.hits), reverse=True
    )


def test_a_path_asks_for_the_member_of_that_owner_only(ask: Any) -> None:
    structures = [*decoys(), owned("drain", "Queue", 170, 1), owned("drain", "Vault", 90, 10)]
    assert symbols(ask(structures, "Queue::drain"))[0] == "Queue::drain"
    assert symbols(ask(structures, "crate::Vault::drain()"))[0] == "Vault::drain"
    assert ask(structures, "Absent::drain").hits[0].score < 100


def test_a_name_is_found_by_another_convention_and_the_very_spelling_is_preferred(ask: Any) -> None:
    structures = [
        *decoys(),
        typed("MaxSize", "Struct", 170, 1),
        made("max_size", 175, 175, lines=(10, 12)),
        typed("MAX_SIZE", "Const", 178, 20),
    ]
    assert symbols(ask(structures, "maxSize"))[0] == "MaxSize"
    assert symbols(ask(structures, "max_size"))[:2] == ["max_size", "MaxSize"]
    assert symbols(ask(structures, "MAX_SIZE"))[0] == "MAX_SIZE"


def test_types_come_before_functions_and_modules_and_the_kind_asked_for_first(ask: Any) -> None:
    structures = [
        *decoys(),
        typed("cache", "Module", 90, 1),
        made("cache", 100, 100, lines=(10, 12)),
        typed("cache", "Struct", 170, 20),
    ]
    kinds = [hit.code_type for hit in ask(structures, "cache").hits[:3]]
    assert kinds == ["Struct", "Function", "Module"]
    assert ask(structures, "mod cache").hits[0].code_type == "Module"
    assert ask(structures, "fn cache").hits[0].code_type == "Function"


def test_tests_of_that_name_follow_the_code(ask: Any) -> None:
    structures = [
        made("drain", 0, 0, lines=(1, 3), is_test=True, symbol="made_up::tests::drain"),
        made("drain", 170, 170, lines=(10, 12)),
        *decoys(),
    ]
    assert symbols(ask(structures, "drain"))[:2] == ["drain", "tests::drain"]


def test_filters_hold_for_definitions_too(ask: Any) -> None:
    structures = [*decoys(), owned("drain", "Queue", 170, 1), owned("drain", "Vault", 90, 10)]
    answer = ask(structures, "drain", filters=Filters(owner=("Vault",)))
    assert symbols(answer) == ["Vault::drain"]


def test_a_misspelt_name_still_brings_its_like_to_the_top(ask: Any) -> None:
    structures = [
        *[
            made(f"suffix{number}", 0, 0, lines=(9 * number + 1, 9 * number + 3))
            for number in range(5)
        ],
        typed("SuffixCache", "Struct", 30, 100),
    ]
    assert symbols(ask(structures, "SuffixCach"))[0] == "SuffixCache"


def test_other_modes_know_no_names(ask: Any) -> None:
    structures = [made("near", 0, 0, lines=(1, 3)), made("drain", 170, 170, lines=(10, 12))]
    answer = ask(structures, "drain", mode="text")
    assert symbols(answer) == ["near", "drain"]
    assert answer.query_kind == "identifier"


def impl_of(trait: str | None, owner: str, degrees: float, line: int, **fields: Any) -> Made:
    """Return an impl block."""
    name = f"impl {trait} for {owner}" if trait else f"impl {owner}"
    return typed(name, "Impl", degrees, line, struct_name=owner, trait_name=trait, **fields)


def test_implementations_of_a_trait_come_before_their_types(ask: Any) -> None:
    structures = [
        *decoys(),
        typed("Shape", "Trait", 0, 1),
        typed("Circle", "Struct", 170, 10),
        impl_of("Shape", "Circle", 175, 20),
        impl_of("Display", "Circle", 0, 30),
        typed("Square", "Struct", 170, 40, snippet="#[derive(Clone, Shape)]\nstruct Square;\n"),
    ]
    answer = ask(structures, "what implements Shape?")
    assert answer.query_kind == "implementations"
    assert symbols(answer)[0] == "impl Shape for Circle"
    assert set(symbols(answer)[1:3]) == {"Circle", "Square"}


def test_callers_come_first_and_calls_by_the_owners_name_before_others(ask: Any) -> None:
    def caller(name: str, body: str, line: int) -> Made:
        code = f"fn {name}() {{\n    {body}\n}}\n"
        return made(name, 170, 170, lines=(line, line + 2), snippet=code)

    structures = [
        *decoys(),
        owned("drain", "Queue", 0, 1),
        caller("by_method", "queue.drain(3);", 10),
        caller("by_path", "Queue::drain(&mut queue);", 20),
        caller("by_reference", "items.map(drain)", 30),
        caller("in_comment", "// drain it", 40),
        caller("unrelated", "drained()", 50),
    ]
    answer = ask(structures, "who calls Queue::drain")
    assert answer.query_kind == "callers"
    assert symbols(answer)[:3] == ["by_path", "by_method", "by_reference"]


def test_a_message_finds_the_code_that_has_it_with_other_values(ask: Any) -> None:
    code = 'fn open() {{\n    fail("can\'t open {{}}: the {} is full");\n}}\n'
    structures = [
        made("near", 0, 0, lines=(1, 3), snippet="fn near() { open(disk, full, foo, txt, the) }\n"),
        made("other", 60, 60, lines=(10, 12), snippet=code.format("queue")),
        made("right", 60, 60, lines=(20, 22), snippet=code.format("disk")),
    ]
    answer = ask(structures, "can't open foo.txt: the disk is full")
    assert answer.query_kind == "literal"
    assert symbols(answer)[:2] == ["right", "other"]


def test_words_that_stand_in_one_string_are_a_message_that_nothing_marks_as_one(ask: Any) -> None:
    code = 'fn zip() {{\n    assert(a == b, "{}");\n}}\n'
    structures = [
        made("near", 0, 0, lines=(1, 3), snippet="fn near() { iterators.must(same, length) }\n"),
        made("right", 60, 60, lines=(10, 12), snippet=code.format("lists must have one length")),
        made("other", 60, 60, lines=(20, 22), snippet=code.format("a length of many lists")),
    ]
    answer = ask(structures, "lists must have one length")
    assert (answer.query_kind, symbols(answer)[0]) == ("words", "right")
    assert symbols(ask(structures, "must lists have length"))[0] == "near"  # in no string in order
    assert symbols(ask(structures, "one length"))[0] == "near"  # too few words to tell


@pytest.mark.parametrize(
    "aside",
    [
        {"is_test": True},
        {"generated": True},
        {"file_path": "examples/demo.rs"},
        {"file_path": "crates/a/benches/fast.rs"},
    ],
)
def test_tests_examples_and_generated_code_sink_unless_they_are_asked_for(
    ask: Any, aside: dict[str, Any]
) -> None:
    structures = [
        made("aside", 10, 10, lines=(1, 3), **aside),
        made("code", 20, 20, lines=(10, 12)),
        made("far", 90, 90, lines=(20, 22)),
    ]
    assert symbols(ask(structures, "some words"))[0] == "code"
    for query in ("a test of words", "example of words", "words in benchmarks"):
        assert symbols(ask(structures, query))[0] == "aside"
    assert symbols(ask(structures, "some words", "test_weight=1.0"))[0] == "aside"


def test_impl_blocks_sink_unless_they_are_asked_for(ask: Any) -> None:
    structures = [
        impl_of(None, "Cache", 10, 1),
        made("code", 20, 20, lines=(10, 12)),
        made("far", 90, 90, lines=(20, 22)),
    ]
    assert symbols(ask(structures, "some words"))[0] == "code"
    assert symbols(ask(structures, "impl of some words"))[0] == "impl Cache"
    assert symbols(ask(structures, "some words", "impl_weight=1.0"))[0] == "impl Cache"


def test_many_definitions_of_one_name_fill_the_answer_and_no_more(ask: Any) -> None:
    structures = [owned("new", f"Type{number}", 170, 9 * number + 1) for number in range(150)]
    answer = ask([*decoys(), *structures], "new", limit=120)
    assert len(answer.hits) == 120
    assert sum(hit.name == "new" for hit in answer.hits) >= 100


def in_file(name: str, file_path: str, score: float) -> Hit:
    return Hit(made(name, file_path=file_path).structure, score, {})


def test_a_score_counts_less_for_each_better_hit_of_the_same_file() -> None:
    hits = [
        in_file("first", "a.rs", 8.0),
        in_file("second", "a.rs", 7.0),
        in_file("third", "a.rs", 6.0),
        in_file("other", "b.rs", 5.0),
    ]
    assert [(hit.name, hit.score) for hit in spread(hits, 0.5)] == [
        ("first", 8.0),
        ("other", 5.0),
        ("second", 3.5),
        ("third", 1.5),
    ]
    assert spread(hits, 1.0) == hits
    assert [hit.score for hit in spread(hits, 0.0)] == [8.0, 5.0, 0.0, 0.0]
    assert spread([], 0.5) == []


def test_hits_that_are_asked_for_by_name_keep_their_scores_whatever_their_file() -> None:
    hits = [
        in_file("drain", "a.rs", 112.0),
        in_file("drain", "a.rs", 104.0),
        in_file("near", "a.rs", 8.0),
        in_file("other", "b.rs", 5.0),
    ]
    found = [(hit.name, hit.score) for hit in spread(hits, 0.5)]
    assert found == [("drain", 112.0), ("drain", 104.0), ("other", 5.0), ("near", 2.0)]


def test_no_file_fills_the_list(ask: Any) -> None:
    many = [
        made(f"of_a{number}", number, number, file_path="a.rs", lines=(9 * number, 9 * number + 2))
        for number in range(1, 9)
    ]
    structures = [*many, made("of_b", 20, 20, file_path="b.rs"), made("far", 90, 90)]
    assert symbols(ask(structures, "some words", "file_weight=1.0")).index("of_b") == 8
    assert symbols(ask(structures, "some words", "file_weight=0.5")).index("of_b") == 1


def test_only_names_that_may_be_similar_are_compared_in_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared, ratio = [], SequenceMatcher.ratio

    def noted(self: SequenceMatcher[str]) -> float:
        compared.append(self.a)
        return ratio(self)

    monkeypatch.setattr(SequenceMatcher, "ratio", noted)
    names = ("insert", "SuffixCaches", "suffix_cache", "hcaC_xiffuS", "x")
    hits = [in_file(name, f"{name}.rs", 1.0) for name in names]
    found = ordered(hits, "SuffixCach", asked_by("SuffixCach"), load_settings().search)
    assert [(hit.name, round(hit.score, 2)) for hit in found] == [
        ("suffix_cache", 9.41),  # 1 + 10 * (20 / 21 - 0.7) / 0.3
        ("SuffixCaches", 7.97),  # 1 + 10 * (20 / 22 - 0.7) / 0.3
        ("insert", 1.0),
        ("hcaC_xiffuS", 1.0),  # the same letters, another order
        ("x", 1.0),
    ]
    assert compared == ["suffixcaches", "suffixcache", "hcacxiffus"]
