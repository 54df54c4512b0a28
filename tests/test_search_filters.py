from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from search.answer import Mode
from search.engine import Searcher
from search.errors import AmbiguousName, ReferencesMissing, SearchError
from search.filters import BLOCK_FIELDS, STRUCTURE_FIELDS, Filters, parse_filters
from storage.embedded.index import EmbeddedIndex
from storage.index import Index
from storage.metadata import Metadata
from storage.query import Condition
from storage.schema import BLOCK_KEYWORD_FIELDS, BOOL_FIELDS, KEYWORD_FIELDS

from conftest import PROJECT_ROOT
from made_up import Made, MadeBlock, made, publish, searcher_of

MODES: tuple[Mode, ...] = ("text", "code", "bm25", "blocks", "hybrid", "merged")
FILES = [
    "Cargo.rs",
    "src/a/b/mod.rs",
    "src/a/mod.rs",
    "src/ab.rs",
    "src/größe mit raum.rs",
    "src/lib.rs",
    "src/x[1].rs",
    "tests/it.rs",
]


def none() -> list[str]:
    raise AssertionError("the files were asked for")


def paths(*patterns: str, files: Callable[[], Iterable[str]] = lambda: FILES) -> list[str] | None:
    """Return the folders and files that these paths select, None if nothing can match."""
    conditions = Filters(path=patterns).conditions(STRUCTURE_FIELDS, files)
    if conditions is None:
        return None
    (condition,) = conditions
    assert condition == Condition("paths", condition.values)
    return [str(value) for value in condition.values]


# ---- What is asked for


def test_filters_are_parsed_and_the_values_of_one_field_are_alternatives() -> None:
    texts = [
        "crate=a",
        "path=src/**/*.rs",
        "crate=b",
        "module=m",
        "kind=Struct",
        "visibility=pub(crate)",
        "owner=C",
        "trait=Fn",
    ]
    assert parse_filters(texts, "only") == Filters(
        crate=("a", "b"),
        path=("src/**/*.rs",),
        module=("m",),
        kind=("Struct",),
        visibility=("pub(crate)",),
        owner=("C",),
        trait=("Fn",),
        tests="only",
    )
    assert parse_filters([]) == Filters()
    assert parse_filters(["tests=exclude"]) == Filters(tests="exclude")
    assert parse_filters(["tests=include"], "only").tests == "include"
    assert parse_filters(["generated=only"]) == Filters(generated="only")
    assert parse_filters(["origin=source"]).origin == ("source",)
    assert parse_filters(["path=a=b"]).path == ("a=b",)
    edges = parse_filters(["calls=a::b", "calls=c", "called_by=d", "implements=<A as B>"])
    assert edges == Filters(calls=("a::b", "c"), called_by=("d",), implements=("<A as B>",))
    assert edges.given() == {}


@pytest.mark.parametrize(
    "text",
    [
        "crate",
        "crate=",
        "=a",
        "",
        "colour=red",
        "tests=some",
        "tests",
        "CRATE=a",
        "context.module=m",
    ],
)
def test_an_unknown_filter_is_rejected_with_the_known_ones(text: str) -> None:
    with pytest.raises(SearchError) as caught:
        parse_filters(["kind=Struct", text])
    assert str(caught.value) == (
        "--filter takes FIELD=VALUE with crate, path, module, kind, visibility, owner, trait, "
        "origin, calls, called_by, implements, or tests or generated with include|exclude|only; "
        f"found {text!r}."
    )


def test_fields_that_are_filtered_on_are_indexed() -> None:
    assert (
        set(STRUCTURE_FIELDS)
        == set(BLOCK_FIELDS)
        == {"crate", "path", "module", "kind", "visibility", "owner", "trait", "origin"}
    )
    assert set(STRUCTURE_FIELDS.values()) <= set(KEYWORD_FIELDS)
    assert set(BLOCK_FIELDS.values()) <= set(BLOCK_KEYWORD_FIELDS)
    assert BOOL_FIELDS == ("is_test", "generated")


def test_conditions_are_on_the_fields_of_structures_and_of_blocks() -> None:
    filters = Filters(
        ("a", "b"),
        (),
        ("m",),
        kind=("Enum",),
        owner=("O",),
        trait=("T",),
        visibility=("pub",),
        tests="only",
    )
    assert filters.conditions(STRUCTURE_FIELDS, none) == (
        Condition("crate", ("a", "b")),
        Condition("context.module", ("m",)),
        Condition("code_type", ("Enum",)),
        Condition("visibility", ("pub",)),
        Condition("context.struct_name", ("O", "r#O")),
        Condition("trait_name", ("T", "r#T")),
        Condition("is_test", (True,)),
    )
    found = filters.conditions(BLOCK_FIELDS, none)
    assert found is not None
    assert [condition.field for condition in found] == [
        "crate", "module", "code_type", "visibility", "struct_name", "trait_name", "is_test",
    ]  # fmt: skip
    assert Filters(tests="exclude").conditions(BLOCK_FIELDS, none) == (
        Condition("is_test", (False,)),
    )
    assert Filters().conditions(STRUCTURE_FIELDS, none) == ()


# ---- Paths


@pytest.mark.parametrize(
    "path",
    [
        "src",
        "src/a/mod.rs",
        "src/absent",
        "src/x[1].rs",
        "größe",
        "/etc/passwd",
        "../outside",
        ".git",
    ],
)
def test_a_path_without_wildcards_is_taken_as_it_is_and_asks_for_no_files(path: str) -> None:
    assert paths(path, files=none) == [path]


@pytest.mark.parametrize("path", ["./src/a", "src/a/", "./src/a/"])
def test_a_path_may_be_written_as_shells_complete_it(path: str) -> None:
    assert paths(path, files=none) == ["src/a"]


@pytest.mark.parametrize("path", [".", "./", "/", "**", "./**"])
def test_the_root_is_everything(path: str) -> None:
    everything = (), (Condition("paths", tuple(FILES)),)
    assert Filters(path=(path,)).conditions(STRUCTURE_FIELDS, lambda: FILES) in everything
    assert Filters(path=("src/a", path)).conditions(STRUCTURE_FIELDS, lambda: FILES) in (
        (),
        (Condition("paths", ("src/a", *FILES)),),
    )


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*", ["Cargo.rs"]),
        ("*.rs", ["Cargo.rs"]),
        ("src/*.rs", ["src/ab.rs", "src/größe mit raum.rs", "src/lib.rs", "src/x[1].rs"]),
        ("./src/*.rs", ["src/ab.rs", "src/größe mit raum.rs", "src/lib.rs", "src/x[1].rs"]),
        ("src/*/mod.rs", ["src/a/mod.rs"]),
        ("src/**/mod.rs", ["src/a/b/mod.rs", "src/a/mod.rs"]),
        ("src/a/**/mod.rs", ["src/a/b/mod.rs", "src/a/mod.rs"]),
        ("**/mod.rs", ["src/a/b/mod.rs", "src/a/mod.rs"]),
        ("**/b/*", ["src/a/b/mod.rs"]),
        ("src/a/**", ["src/a/b/mod.rs", "src/a/mod.rs"]),
        ("src/a/**/", ["src/a/b/mod.rs", "src/a/mod.rs"]),
        ("**/*.rs", FILES),
        ("src/a?.rs", ["src/ab.rs"]),
        ("src/?/mod.rs", ["src/a/mod.rs"]),
        ("src?lib.rs", None),
        ("src/gr??e mit*", ["src/größe mit raum.rs"]),
        ("src/x[1]*", ["src/x[1].rs"]),
        ("src/[a-z]*.rs", None),
        ("src/.*", None),
        ("SRC/*", None),
        ("src", ["src"]),
        ("lib/*", None),
    ],
)
def test_globs_fit_whole_paths_of_files(glob: str, expected: list[str] | None) -> None:
    assert paths(glob) == expected


def fits(parts: list[str], names: list[str]) -> bool:
    """Return whether a glob fits a path, both in parts, by trying everything."""
    if not parts:
        return not names
    if parts[0] == "**":
        return fits(parts[1:], names) or bool(names and fits(parts, names[1:]))
    return bool(names) and fits_name(parts[0], names[0]) and fits(parts[1:], names[1:])


def fits_name(part: str, name: str) -> bool:
    if not part:
        return not name
    if part[0] == "*":
        return fits_name(part[1:], name) or bool(name and fits_name(part, name[1:]))
    return bool(name) and part[0] in ("?", name[0]) and fits_name(part[1:], name[1:])


@settings(deadline=None, max_examples=500)
@given(st.data())
def test_globs_fit_what_trying_everything_fits(data: st.DataObject) -> None:
    names = st.text("ab.", min_size=1, max_size=4)
    parts = data.draw(
        st.lists(
            st.one_of(st.just("**"), st.text("ab.*?", min_size=1, max_size=6)),
            min_size=1,
            max_size=5,
        )
    )
    assume(any("*" in part or "?" in part for part in parts) and parts[0] != ".")
    wild = {"*": names, "?": st.sampled_from("ab")}
    found = list[str]()
    for part in parts:
        if part == "**":
            found += data.draw(st.lists(names, max_size=2))
        else:
            found.append(
                "".join(
                    data.draw(wild[character]) if character in wild else character
                    for character in part
                )
            )
    path = "/".join(found)  # fits, but for what is changed now
    at, more = (
        data.draw(st.integers(0, len(path))),
        data.draw(st.sampled_from(["", "a", ".", "/b"])),
    )
    path = path[:at] + more + path[at + data.draw(st.integers(0, 1)) :]
    assume(all(path.split("/")))
    assert paths("/".join(parts), files=lambda: [path]) == (
        [path] if fits(parts, path.split("/")) else None
    )


def test_paths_and_globs_are_alternatives_without_repetition() -> None:
    assert paths("tests", "src/*/mod.rs", "**/mod.rs", "tests/") == [
        "tests",
        "src/a/b/mod.rs",
        "src/a/mod.rs",
    ]
    assert paths("absent/*", "tests", files=list) == ["tests"]
    assert paths("absent/*", "nothing?", files=lambda: FILES) is None


def test_a_glob_of_many_stars_is_answered_at_once() -> None:
    """Anybody who reaches the page may send one: its stars must not cost exponential time."""
    script = (
        "from search.filters import *; Filters(path=('*a' * 16 + 'b',))"
        ".conditions(STRUCTURE_FIELDS, lambda: ['a' * 80])"
    )
    try:
        subprocess.run([sys.executable, "-c", script], check=True, timeout=20, cwd=PROJECT_ROOT)
    except subprocess.TimeoutExpired:
        pytest.fail("a glob of 16 stars takes more than 20 s for one path")


# ---- Inside the query


def decoys(count: int = 30, *, is_test: bool = False) -> list[Made]:
    """Return structures that all retrievers like best."""
    return [
        made(
            f"needle_{number}",
            10,
            10,
            lines=(10 * number + 1, 10 * number + 9),
            file_path="src/decoys.rs",
            is_test=is_test,
        )
        for number in range(count)
    ]


def blocks_of(structures: Iterable[Made], code: float) -> list[MadeBlock]:
    """Return a block of each structure."""
    return [
        made.block(made.structure.line_from + 1, made.structure.line_from + 3, code)
        for made in structures
    ]


WANTED = made(
    "other",
    70,
    70,
    lines=(5, 12),
    file_path="lib/deep/er/wanted.rs",
    docstring="Finds a needle.",
    crate="wanted_crate",
    code_type="Struct",
    visibility="pub(crate)",
    struct_name="Owner",
    trait_name="Trait",
    is_test=True,
    generated=True,
    origin="source",
)
"""What all retrievers find, and like least."""

FIT = {
    "crate": Filters(crate=("absent", "wanted_crate")),
    "file": Filters(path=("lib/deep/er/wanted.rs",)),
    "folder": Filters(path=("lib/deep",)),
    "folder with a slash": Filters(path=("./lib/",)),
    "glob": Filters(path=("**/want??.rs",)),
    "folder and glob": Filters(path=("absent", "lib/**")),
    "module": Filters(module=("er",)),
    "kind": Filters(kind=("Struct",)),
    "visibility": Filters(visibility=("pub(crate)",)),
    "owner": Filters(owner=("Owner",)),
    "trait": Filters(trait=("Trait",)),
    "origin": Filters(origin=("source",)),
    "tests": Filters(tests="only"),
    "generated": Filters(generated="only"),
    "all": Filters(
        ("wanted_crate",),
        ("lib",),
        ("er",),
        ("Struct",),
        ("pub(crate)",),
        ("Owner",),
        ("Trait",),
        ("source",),
        "only",
        "only",
    ),
}
MISFIT = {
    "crate": Filters(crate=("Wanted_Crate",)),
    "file": Filters(path=("lib/deep/er/want.rs",)),
    "half of a folder's name": Filters(path=("lib/de",)),
    "folder within": Filters(path=("deep/er",)),
    "glob": Filters(path=("lib/*.rs",)),
    "module": Filters(module=("deep",)),
    "kind": Filters(kind=("Union",)),
    "visibility": Filters(visibility=("pub(",)),
    "owner": Filters(owner=("Trait",)),
    "trait": Filters(trait=("Owner",)),
    "origin": Filters(origin=("Source",)),
    "generated": Filters(crate=("wanted_crate",), generated="exclude"),
    "fields that exclude each other": Filters(crate=("wanted_crate",), tests="exclude"),
}


def ids(searcher: Searcher, mode: Mode, filters: Filters, limit: int = 1) -> list[str]:
    return [hit.id for hit in searcher.search("needle", mode, limit=limit, filters=filters).hits]


def test_filters_hold_inside_the_query_in_every_mode(index: Index, metadata: Metadata) -> None:
    """Depth is ten points, and thirty fit better than the one that passes the filters."""
    others = decoys()
    blocks = [*blocks_of(others, 0), *blocks_of([WANTED], 70)]
    searcher = searcher_of(publish(index, metadata, [*others, WANTED], blocks), "candidates=10")
    for mode in MODES:
        assert WANTED.id not in ids(searcher, mode, Filters(), limit=10), mode
        for name, filters in FIT.items():
            assert ids(searcher, mode, filters) == [WANTED.id], (mode, name)
        for name, filters in MISFIT.items():
            assert ids(searcher, mode, filters) == [], (mode, name)


def test_tests_are_excluded_inside_the_query_in_every_mode(
    index: Index, metadata: Metadata
) -> None:
    others, wanted = (
        decoys(is_test=True),
        made("other", 70, 70, lines=(1, 9), docstring="Finds a needle."),
    )
    blocks = [*blocks_of(others, 0), *blocks_of([wanted], 70)]
    searcher = searcher_of(publish(index, metadata, [*others, wanted], blocks), "candidates=10")
    for mode in MODES:
        assert ids(searcher, mode, Filters(tests="exclude")) == [wanted.id], mode
        assert wanted.id not in ids(searcher, mode, Filters(tests="only"), limit=40), mode
        assert len(ids(searcher, mode, Filters(tests="include"), limit=40)) == 31, mode


def test_the_root_confines_to_nothing_and_a_path_that_does_not_exist_to_no_hit(
    index: Index, metadata: Metadata
) -> None:
    one, other = (
        made("one", 0, file_path="src/one.rs"),
        made("other", 10, file_path="tests/other.rs"),
    )
    searcher = searcher_of(publish(index, metadata, [one, other]))
    for root in (".", "**", "./"):
        assert ids(searcher, "text", Filters(path=(root,)), limit=9) == [one.id, other.id]
    for mode in MODES:
        for absent in ("absent", "absent/*", "src/one.rs/x", "one.rs", "src/*.py"):
            answer = searcher.search(
                "needle", mode, filters=Filters(path=(absent,)), group_by="crate", lines=True
            )
            assert (answer.hits, answer.groups) == ([], []), (mode, absent)


def test_filters_confine_what_is_similar_too(index: Index, metadata: Metadata) -> None:
    others = decoys()
    searcher = searcher_of(publish(index, metadata, [*others, WANTED]), "candidates=10")
    for mode in ("hybrid", "text", "code"):
        found = searcher.similar(others[0].id, mode, limit=1, filters=Filters(kind=("Struct",)))
        assert [hit.id for hit in found.hits] == [WANTED.id]
        assert searcher.similar(others[0].id, mode, filters=Filters(path=("absent/*",))).hits == []


# ---- What structures refer to

SPAWN = "tokio::task::spawn::spawn"
TRAIT, TARGET = made("Shape", 10, 10, code_type="Trait"), made("area", 10, 10, lines=(5, 7))


def linked(item: Made, **fields: tuple[str, ...]) -> Made:
    return replace(item, structure=replace(item.structure, **fields))


CALLING = linked(
    WANTED, refers_to=(TARGET.id,), uses=(SPAWN,), implements=(TRAIT.id, "core::fmt::Display")
)
GUESSED = linked(made("guessed", 80, 80, lines=(20, 30)), may_refer_to=(TARGET.id,))
CALLER = linked(made("caller", 10, 10, lines=(40, 50)), refers_to=(WANTED.id,))
EDGES = {
    "a name": Filters(calls=("area",), tests="only"),
    "a symbol": Filters(calls=("made_up::area",), origin=("source",)),
    "an id, and what nothing refers to": Filters(calls=("caller", TARGET.id), tests="only"),
    "what is outside": Filters(calls=("tokio::spawn",)),
    "what one refers to": Filters(called_by=("caller",)),
    "what several refer to": Filters(called_by=("area", "caller")),
    "a trait": Filters(implements=("Shape",)),
    "a trait outside": Filters(implements=("core::fmt::Display", "Shape")),
    "all": Filters(calls=("area",), called_by=("caller",), implements=("Shape",), tests="only"),
}
EDGES_OF_OTHERS = {
    "what nothing refers to": Filters(calls=("caller",)),
    "what refers to nothing": Filters(called_by=("area",)),
    "what is no trait of it": Filters(implements=("caller",)),
    "what excludes each other": Filters(calls=("area",), called_by=("area",)),
}


def referring(index: Index, metadata: Metadata, places: str = "0123") -> Searcher:
    found = [*decoys(), CALLING, GUESSED, CALLER, TRAIT, TARGET]
    uses_trait = linked(made("shown", 10, 10, lines=(60, 61)), uses=("core::fmt::Display",))
    blocks = [*blocks_of(decoys(), 0), *blocks_of([CALLING, GUESSED], 70)]
    generation = publish(index, metadata, [*found, uses_trait], blocks, places=places)
    return searcher_of(generation, "candidates=10")


def test_filters_by_what_is_referred_to_hold_inside_the_query_in_every_mode(
    index: Index, metadata: Metadata
) -> None:
    searcher = referring(index, metadata)
    for mode in MODES:
        for name, filters in EDGES.items():
            assert ids(searcher, mode, filters, limit=9) == [WANTED.id], (mode, name)
        for name, filters in EDGES_OF_OTHERS.items():
            assert ids(searcher, mode, filters) == [], (mode, name)
    found = searcher.search("needle", "text", filters=Filters(calls=("area",)), group_by="file")
    assert {hit.id for hit in found.hits} == {WANTED.id, GUESSED.id}
    assert [hit.id for hit in searcher.similar(CALLER.id, filters=EDGES["a trait"]).hits] == [
        WANTED.id
    ]


def test_a_filter_by_what_nobody_knows_or_several_are_called_is_an_error(
    metadata: Metadata, tmp_path: Path
) -> None:
    searcher = referring(EmbeddedIndex(tmp_path / "qdrant"), metadata)
    with pytest.raises(SearchError, match="the filter calls: the index has no structure 'absent'"):
        ids(searcher, "text", Filters(calls=("area", "absent")))
    twins = [made("twin", lines=(line, line)) for line in (1, 2)]
    index = EmbeddedIndex(tmp_path / "twins")
    searcher = searcher_of(publish(index, metadata, twins, places="0123"))
    with pytest.raises(AmbiguousName, match="2 structures are called twin: choose one by FILE"):
        ids(searcher, "text", Filters(called_by=("twin",)))


def test_an_index_without_references_is_not_filtered_by_them(
    metadata: Metadata, tmp_path: Path
) -> None:
    searcher = referring(EmbeddedIndex(tmp_path / "qdrant"), metadata, places="")
    with pytest.raises(ReferencesMissing, match="--rebuild adds it"):
        ids(searcher, "text", Filters(implements=("Shape",)))
