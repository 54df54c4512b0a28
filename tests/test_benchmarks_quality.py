"""`make quality`: its table and its queries are sound, and its pages say what was found."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from searchable import fake_models, index_sample

from benchmarks.quality_replies import Former, Reply, Score, answers_digest, read_former
from benchmarks.quality_repositories import (
    FOLDER,
    HALVES,
    KINDS,
    JudgedRepository,
    read_repositories,
)
from benchmarks.quality_tables import by_file_and_line, by_repository, by_structure
from configs.settings import load_settings
from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from machine.git import GitState
from search.judged import JudgedQuery, KnownAnswer, at_level, read_queries
from search.limits import HTTP

from conftest import PROJECT_ROOT, SAMPLE

REPOSITORIES = read_repositories()
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module", autouse=True)
def _beside_the_benchmarks() -> Iterator[None]:
    """Benchmarks find each other in their own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROJECT_ROOT / "benchmarks")
        yield


def module(name: str) -> Any:
    return importlib.import_module(name)


# The table and the queries


def test_both_halves_have_four_repositories() -> None:
    assert Counter(repository.half for repository in REPOSITORIES) == {"development": 4, "test": 4}


def test_every_file_of_queries_is_in_the_table() -> None:
    names = sorted(repository.name for repository in REPOSITORIES)
    assert [path.stem for path in sorted(FOLDER.glob("*.jsonl"))] == names


def test_there_are_enough_queries_and_some_of_each_kind_in_each_half() -> None:
    assert sum(len(repository.queries()) for repository in REPOSITORIES) >= 400
    for half in HALVES:
        kinds = Counter(
            query.kind
            for repository in REPOSITORIES
            if repository.half == half
            for query in repository.queries()
        )
        assert set(kinds) == set(KINDS)
        assert min(kinds.values()) >= 10


@pytest.mark.parametrize("repository", REPOSITORIES, ids=lambda repository: repository.name)
def test_queries_have_a_known_kind_and_are_asked_once(repository: JudgedRepository) -> None:
    queries = repository.queries()
    assert {query.kind for query in queries} <= set(KINDS)
    assert [text for text, n in Counter(query.query for query in queries).items() if n > 1] == []
    for query in queries:
        assert bool(query.answers) == (query.kind != "none"), query.query
        assert len(query.query) <= HTTP.query, query.query  # as a user may type it
        assert len(set(query.answers)) == len(query.answers), query.query


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"url": "https://example.org/a"},
        {"commit": COMMIT},
        {"url": "https://example.org/a", "commit": COMMIT, "debian": "librust-a-dev"},
        {"url": "https://example.org/a", "commit": COMMIT[:8]},
        {"debian": "librust-a-dev", "half": "training"},
        {"debian": "librust-a-dev", "branch": "main"},
    ],
)
def test_a_repository_comes_from_one_place_at_one_commit(keys: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        JudgedRepository.model_validate({"name": "a", "half": "test", **keys})


# Sources


def test_a_bare_dump_lets_every_definition_come_from_the_sources(tmp_path: Path) -> None:
    dump, records = tmp_path / "bare.lsif", tmp_path / "structures.jsonl"
    module("quality_sources").write_bare_dump(SAMPLE, dump)
    vertices = [json.loads(line) for line in dump.read_text().splitlines()]
    assert [vertex["label"] for vertex in vertices] == ["metaData"] + ["document"] * 10
    assert vertices[1]["uri"] == (SAMPLE / "src/cache.rs").as_uri()
    parse_dump(
        dump,
        SAMPLE,
        records,
        project="sample",
        max_bad_lines=0,
        max_stale_share=1,
        processes=1,
        source_items=True,
    )
    found = list(read_structures(records))
    assert {structure.origin for structure in found} == {"source"}
    assert "Doubling" in {structure.name for structure in found}


A_CLONE = JudgedRepository(
    name="a-01234567", half="test", url="https://example.org/a", commit=COMMIT
)
A_PACKAGE = JudgedRepository(name="a-1.0", half="test", debian="librust-a-dev")


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, where git says that each folder is at the commit of its name."""
    sources = module("quality_sources")

    def state(folder: Path | None) -> GitState:
        return GitState(folder.name if folder else None, dirty=False)

    monkeypatch.setattr(sources, "git_state", state)
    return sources


@pytest.mark.parametrize(("commit", "warns"), [(COMMIT, False), ("fedcba98", True)])
def test_a_local_copy_at_another_commit_is_used_with_a_warning(
    sources: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, commit: str, warns: bool
) -> None:
    copy = tmp_path / commit
    assert sources.sources_of(A_CLONE, {"a-01234567": copy}, tmp_path / "data") == copy
    assert (f"is at fedcba98; the queries of a-01234567 are about {COMMIT}" in caplog.text) is warns


def test_a_package_has_no_commit_to_compare(
    sources: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert sources.sources_of(A_PACKAGE, {"a-1.0": tmp_path}, tmp_path) == tmp_path
    assert caplog.text == ""


def test_what_is_not_given_is_cloned_at_its_commit_without_history(
    sources: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: called.append(command))
    folder = sources.sources_of(A_CLONE, {}, tmp_path)
    assert folder == tmp_path / "sources" / "a-01234567"
    assert called[1] == [
        *("git", "fetch", "--quiet", "--depth", "1", "https://example.org/a", COMMIT)
    ]


def test_a_package_with_another_version_is_an_error(
    sources: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "fetch", lambda folder, *_: [folder / "a-2.0"])
    with pytest.raises(FileNotFoundError, match=r"^librust-a-dev has a-2\.0, expected a-1\.0; "):
        sources.sources_of(A_PACKAGE, {}, tmp_path)


# Indexes


def test_other_models_or_recipes_make_another_index(tmp_path: Path) -> None:
    index = module("quality_sources").QualityIndex(A_PACKAGE, tmp_path)
    recipe = replace(index, overrides=("embedding.text.recipe=snippet-1",))
    weights = replace(index, overrides=("search.candidates=100",))
    assert index.collection.startswith("a-1.0.")
    assert recipe.collection != index.collection
    assert weights.collection == index.collection


def test_settings_of_every_way_exist() -> None:
    for way in module("quality_ablation").WAYS:
        recipe = [f"embedding.text.recipe={way.recipe}"] if way.recipe else []
        load_settings(None, [*way.search, *recipe])


# Replies, tables and the former release


@dataclass(frozen=True)
class Found:
    file_path: str
    name: str
    line_from: int
    line_to: int


@dataclass(frozen=True)
class FoundAnswer:
    hits: list[Found]
    confidence: float | None = None
    has_answer: bool = True
    evidence: dict[str, float] = field(default_factory=lambda: {"text": 0.5})


def reply(
    text: str, *names: str, kind: str = "words", half: str = "test", confidence: float = 0.9
) -> Reply:
    """Hits of these names in reply to a query whose answer is the one named `right`."""
    right = KnownAnswer(file_path="a.rs", name="right", line_from=1, line_to=9)
    query = JudgedQuery(query=text, kind=kind, answers=() if kind == "none" else (right,))
    hits = [Found("a.rs", name, 5, 9) for name in names]
    answer = FoundAnswer(hits, confidence, has_answer=confidence >= 0.5)
    taken_out = FoundAnswer([], 0.2, has_answer=False) if query.answers else None
    return Reply(f"{half}-repository", half, query, answer, taken_out)


FIRST, SECOND = reply("first", "right", "other"), reply("second", "wrong", "right", kind="code")
NOTHING = reply("nothing", "wrong", kind="none", confidence=0.1)
# NDCG@10 of the second: 1 / log2 3 = 0.6309


def test_the_former_release_is_read_as_it_was_written(tmp_path: Path) -> None:
    former = Former.of([FIRST, SECOND, NOTHING], "0.1.0")
    assert former.scores == {
        "test-repository": {
            "first": Score(1.0, 1.0, answers_digest(FIRST.query)),
            "second": Score(0.6309, 0.5, answers_digest(SECOND.query)),
        }
    }
    former.write(tmp_path / "former.json")
    assert read_former(tmp_path / "former.json") == former
    assert len((tmp_path / "former.json").read_text().splitlines()) == 6  # a query per line
    assert read_former(tmp_path / "none.json") is None


def test_only_the_same_queries_with_the_same_answers_are_compared() -> None:
    former = Former.of([FIRST, SECOND], "0.1.0")
    better = reply("second", "right", kind="code")
    other_answers = replace(FIRST, query=at_level(FIRST.query, "line"))
    elsewhere = replace(FIRST, repository="another")
    pairs = former.pairs([better, other_answers, elsewhere, reply("third", "right")])
    assert [(before.mrr, now.mrr) for before, now in pairs] == [(0.5, 1.0)]


def test_each_kind_is_shown_beside_the_former_release() -> None:
    former = Former.of([reply("first", "wrong"), SECOND], "0.1.0")
    rows = [
        line.strip("| ").split(" | ") for line in by_structure([FIRST, SECOND, NOTHING], former)
    ]
    assert [row[:7] for row in rows[2:]] == [
        ["all", "2", "0.815", "0.750", "0.500", "1.000", "0.815"],
        ["words", "1", "1.000", "1.000", "1.000", "1.000", "1.000"],
        ["code", "1", "0.631", "0.500", "0.000", "1.000", "0.631"],
    ]
    assert rows[3][7:] == [
        *("0.000", "+1.000 [+1.000, +1.000], p < 0.01: real"),
        *("0.000", "+1.000 [+1.000, +1.000], p < 0.01: real"),
    ]
    assert rows[4][8] == "+0.000 [+0.000, +0.000], p 1.00: may be chance"
    assert {len(row) for row in rows[:1] + rows[2:]} == {11}
    assert rows[0][7:] == ["former NDCG@10", "difference", "former MRR", "difference"]
    new = by_structure([reply("third", "right")], former)[2]
    assert new.endswith("| - | - | - | - |")


def test_without_a_former_release_nothing_is_said_of_one() -> None:
    rows = by_structure([FIRST], None)
    assert {row.count(" | ") for row in (rows[0], rows[2])} == {6}
    assert "former" not in module("quality_page").quality_page([FIRST], None, "")


def test_files_and_lines_are_judged_beside_each_other() -> None:
    rows = by_file_and_line([SECOND])
    # By file the first hit is right and the second one is the same file. By line both overlap.
    assert rows[2] == (
        "| all | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | 1.631 |"
    )


def test_the_confidence_is_compared_with_both_sorts_of_queries_without_an_answer() -> None:
    confidence_table = module("quality_confidence").confidence_table
    without = FoundAnswer([], 0.95, has_answer=True)
    (row,) = confidence_table([replace(FIRST, taken_out=without), NOTHING])[2:]
    assert row == "| test | 1.000 | 0.000 | 100% | 100% | 0% | - | - |"


def test_a_repository_is_one_row() -> None:
    assert by_repository([FIRST, SECOND, NOTHING])[2:] == [
        "| test-repository | test | 2 | 1 | 0.815 | 0.750 | 0.500 | 1.000 | 1.000 |"
    ]


def test_the_page_has_both_halves_and_says_what_is_not_chosen() -> None:
    quality_page = module("quality_page").quality_page
    own = [reply("x", "right", half="development"), reply("y", kind="none", half="development")]
    former = Former.of([FIRST], "0.1.0 at 01234567")
    page = quality_page([*own, FIRST, SECOND, NOTHING], former, "2026-01-01, a model, a machine")
    assert page.startswith("# Quality of answers, 2026-01-01, a model, a machine\n")
    assert re.findall("^## (.*)", page, re.MULTILINE) == [
        "The development half",
        "The test half",
        "Both halves",
        "By repository, by structure",
        "Does it know when it does not know?",
    ]
    assert "3 judged queries with answers and 2 without" in page
    assert "The former release is 0.1.0 at 01234567." in page
    assert "2 new or changed\nqueries are left out" in page
    assert "**Nothing is chosen by the test\nhalf**" in page
    development = "| development | 0.500 | 1.000 | 100% | 0% | 100% | - | - |"
    assert development in page  # which has no other repository to be fitted to
    assert page.splitlines()[-1].startswith("| test | 1.000 | 1.000 | 100% | 100% | 100% | ")
    assert max(map(len, (line for line in page.splitlines() if line[:1] != "|"))) <= 100
    assert "Both halves" not in quality_page([FIRST, SECOND], None, "")


# The whole program, without indexing


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with an index of the sample, made with a fake encoder."""
    data = tmp_path_factory.mktemp("data")
    with fake_models():
        index_sample(data)
        yield data


def test_a_part_is_measured_without_touching_the_results(
    indexed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    quality, sources = module("quality"), module("quality_sources")
    queries = [
        {
            "query": "Doubling",
            "kind": "identifier",
            "answers": [{"file_path": "src/retry.rs", "name": "Doubling"}],
        },
        {"query": "bake a cake", "kind": "none", "answers": []},
    ]
    path = tmp_path / "sample.jsonl"
    path.write_text("".join(json.dumps(query) + "\n" for query in queries))
    sample = JudgedRepository(name="sample", half="development", debian="sample")
    monkeypatch.setattr(JudgedRepository, "queries", lambda _self: read_queries(path))
    monkeypatch.setattr(sources.QualityIndex, "collection", "sample")
    monkeypatch.setattr(quality, "read_repositories", lambda: [sample])
    monkeypatch.setattr(quality, "RESULTS", tmp_path)
    words = ["quality.py", "--data", str(indexed), "--set", "search.candidates=100"]
    monkeypatch.setattr(sys, "argv", words)
    quality.main()
    printed = capsys.readouterr()
    assert "1 judged queries with answers and 1 without" in printed.out
    assert re.search(r"^\| identifier \| 1 \| ", printed.out, re.MULTILINE)
    assert "quality.md stays as it is" in printed.err
    assert list(tmp_path.glob("*.md")) == []


def test_a_local_copy_of_an_unknown_repository_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["quality.py", "--repo", f"a={tmp_path}"])
    with pytest.raises(
        SystemExit, match=r"^--repo a=.*: expected NAME=DIR, a folder for one of re"
    ):
        module("quality").main()


@pytest.mark.parametrize(
    "words",
    [["test", "--ablation"], ["test", "--calibrate"], ["development", "--write-former", "0.1.0"]],
)
def test_the_test_half_makes_no_choice_and_the_former_release_has_both_halves(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["quality.py", "--half", *words])
    with pytest.raises(SystemExit) as stopped:
        module("quality").main()
    assert stopped.value.code == 2


def test_an_index_is_made_once_a_run_also_with_rebuild(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quality, sources = module("quality"), module("quality_sources")
    made: list[Path] = []
    monkeypatch.setattr(sources.QualityIndex, "make", lambda _self, root: made.append(root))
    monkeypatch.setattr(sources.QualityIndex, "exists", lambda _self: True)
    monkeypatch.setattr(quality, "read_repositories", lambda: [A_PACKAGE])
    given = {"half": "both", "model": None, "sets": [], "repo": [f"a-1.0={tmp_path}"]}
    for rebuild, times in ((False, 0), (True, 1)):
        bench = quality.Bench(argparse.Namespace(**given, rebuild=rebuild), tmp_path)
        bench.prepare(bench.indexes[0])
        bench.prepare(bench.indexes[0])
        assert len(made) == times
    assert made == [tmp_path]
