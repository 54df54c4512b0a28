"""What a query is taken to ask for."""

from __future__ import annotations

import doctest

import pytest

from search import asked as module
from search.asked import Asked, QueryKind, asked_by, folded, spellings_by_convention
from search.symbols import path_of


def test_the_examples_of_the_docstrings_hold() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("query", "path", "code_type"),
    [
        ("has_visited", ("has_visited",), ""),
        ("spawn", ("spawn",), ""),
        ("HTTPServer", ("HTTPServer",), ""),
        ("  Cache::insert ", ("Cache", "insert"), ""),
        ("`Cache::insert()`", ("Cache", "insert"), ""),
        ("crate::cache::Cache<K, V>::insert", ("crate", "cache", "Cache", "insert"), ""),
        ("Vec::<u8>::new", ("Vec", "new"), ""),
        ("HashMap<String, Vec<u8>>", ("HashMap",), ""),
        ("vec!", ("vec",), ""),
        ("cache.insert()", ("cache", "insert"), ""),
        ("Cache#insert", ("Cache", "insert"), ""),
        ("r#type", ("r#type",), ""),
        ("größe_von", ("größe_von",), ""),
        ("struct Cache", ("Cache",), "Struct"),
        ("fn insert", ("insert",), "Function"),
        ("insert_all method", ("insert_all",), "Function"),
        ("macro vec!", ("vec",), "Macro"),
        ("String par_extend", ("String", "par_extend"), ""),
    ],
)
def test_a_name_asks_for_its_definition(query: str, path: tuple[str, ...], code_type: str) -> None:
    assert asked_by(query) == Asked("identifier", path, code_type)
    assert asked_by(query).name == path[-1]


@pytest.mark.parametrize(
    ("query", "kind", "path"),
    [
        ("who calls parse_dump", "callers", ("parse_dump",)),
        ("what uses `run`?", "callers", ("run",)),
        ("where is Regex::new used?", "callers", ("Regex", "new")),
        ("Which functions call the function merge?", "callers", ("merge",)),
        ("callers of run", "callers", ("run",)),
        ("all the calls to `Cache::insert()`", "callers", ("Cache", "insert")),
        ("where do we call flush_all", "callers", ("flush_all",)),
        ("implementations of Iterator", "implementations", ("Iterator",)),
        ("impls of the trait fmt::Display", "implementations", ("fmt", "Display")),
        ("which types implement Fissile?", "implementations", ("Fissile",)),
        ("what implements the `Service` trait", "implementations", ("Service",)),
        ("types that implement Producer", "implementations", ("Producer",)),
        ("who calls `<Circle as Shape>::area`", "callers", ("Circle", "area")),
        ("callers of geo::<Circle as Shape>::area", "callers", ("geo", "Circle", "area")),
        ("who calls `Circle.area`?", "callers", ("Circle", "area")),
        ("who uses Cache<K, Vec<V>>::insert", "callers", ("Cache", "insert")),
        ("who calls Vec::<u8>::new()", "callers", ("Vec", "new")),
    ],
)
def test_a_relation_to_a_name_is_told(query: str, kind: QueryKind, path: tuple[str, ...]) -> None:
    assert asked_by(query) == Asked(kind, path)


@pytest.mark.parametrize(
    "query",
    [
        "what uses memory",
        "where are connections used",
        "who calls the shots when two workers disagree",
        "implementation of a ring buffer that never blocks",
        "what uses node.js",
        "implementations of 1.2",
        "flush of wal",
        "how do I use Foo::bar",
        "is a path absolute?",
        "no-op",
        "1.2.3",
        "prefer earliest or latest hit",
        "missing keys",
        "",
    ],
)
def test_anything_else_is_words(query: str) -> None:
    assert asked_by(query) == Asked("words")


@pytest.mark.parametrize(
    "query",
    [
        "let x = y.lock().unwrap();",
        "fn split(self) -> (Self, Option<Self>)",
        "impl Display for Error",
        "map.get(&key)?",
        "a && b",
        "#[derive(Clone)]",
        "|x| x + 1",
        "if let Some(v) = it.next() {",
        "Arc<Mutex<State>> shared",
        "x += 1",
    ],
)
def test_code_is_told_by_its_marks(query: str) -> None:
    assert asked_by(query) == Asked("code")


@pytest.mark.parametrize(
    ("query", "literal"),
    [
        ('"file not found"', "file not found"),
        ("'no such key'", "no such key"),
        ("“permission denied”", "permission denied"),
        ("error: unexpected token", "error: unexpected token"),
        ("can't open foo.txt: denied", "can't open foo.txt: denied"),
        ("thread 'main' panicked at 'oops'", "thread 'main' panicked at 'oops'"),
        ("failed to bind to 127.0.0.1:80", "failed to bind to 127.0.0.1:80"),
        ("value 7 must not be larger", "value 7 must not be larger"),
    ],
)
def test_messages_and_quoted_texts_are_literals(query: str, literal: str) -> None:
    assert asked_by(query) == Asked("literal", literal=literal)


def test_a_quoted_name_is_a_name() -> None:
    assert asked_by('"Cache::insert"') == Asked("identifier", ("Cache", "insert"))


@pytest.mark.parametrize(
    "text",
    ["", "two words", "a-b", "::", "x::1", "fn f()", "a b::c", "<&A as B>::c", "d::<[A] as B>"],
)
def test_what_is_no_path_has_no_segments(text: str) -> None:
    assert path_of(text) == ()


def test_a_name_is_looked_for_as_rust_would_spell_it() -> None:
    assert spellings_by_convention("maxRetryCount") == (
        "maxRetryCount",
        "r#maxRetryCount",
        "max_retry_count",
        "MAX_RETRY_COUNT",
        "MaxRetryCount",
        "maxretrycount",
    )
    assert "move_" in spellings_by_convention("move_")
    assert folded("r#Max_Retry") == folded("maxRETRY") == "maxretry"


def test_long_queries_are_told_quickly() -> None:
    for text in (
        "a" * 20_000,
        "<" * 20_000,
        "a " * 10_000,
        "(" * 20_000,
        '"' * 20_000,
        "who calls " + "<" * 20_000,
        "who calls " + "<a>" * 7_000,
        "who calls " + "a<>." * 4_900 + " x y",
    ):
        assert asked_by(text).kind in {"identifier", "words", "code", "literal"}
