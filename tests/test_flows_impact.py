"""`lsif-ingest impact`, asked of the sample's index and of a repository that goes on changing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from searchable import fake_models, index_sample, workspace_of

from flows.cli.changes import print_impact
from flows.errors import ChangesUnknown, UsageError
from flows.stages.changes import find_changes
from flows.stages.upload import with_tests
from machine import git
from machine.git_diff import EVERY_LINE, Lines
from search.changes import ChangedFile
from search.impact import FileImpact, Impact, Part
from search.published import connect
from search.sources import remember_root
from storage.index import Generation
from storage.live import require_live
from storage.sync import UsedChange
from storage.upload import UploadReport

from conftest import SAMPLE, run

SAMPLE_NAMES = ("user.name=a", "user.email=a@b.c", "commit.gpgsign=false", "core.autocrlf=false")
Ask = Callable[..., tuple[int, dict[str, Any], str]]


def commit(repo: Path, message: str = "one") -> str:
    """Commit everything; return the hash."""
    at(repo, "add", "--all")
    at(repo, "commit", "--quiet", "--allow-empty", "-m", message)
    return at(repo, "rev-parse", "HEAD")


def at(repo: Path, *arguments: str) -> str:
    settings = [word for setting in SAMPLE_NAMES for word in ("-c", setting)]
    command = ["git", "-C", str(repo), *settings, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def edit(file: Path, first: int, last: int, *lines: str) -> None:
    """Replace lines of the file; none if the last is before the first."""
    content = file.read_text(encoding="utf-8").splitlines(keepends=True)
    content[first - 1 : last] = [f"{line}\n" for line in lines]
    file.write_text("".join(content), encoding="utf-8")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the sample in a folder, as it was indexed; tests take copies."""
    repo = tmp_path_factory.mktemp("impact") / "start"
    shutil.copytree(SAMPLE, repo / "sample")
    at(repo.parent, "init", "--quiet", "--initial-branch=main", str(repo))
    commit(repo)
    return repo


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, start: Path) -> Path:
    data = tmp_path_factory.mktemp("impact") / "data"
    with fake_models():
        index_sample(data, start / "sample", commit=at(start, "rev-parse", "HEAD"), references=True)
    return data


@pytest.fixture
def repo(start: Path, tmp_path: Path) -> Path:
    """The folder of the sample in a repository of the test's own."""
    shutil.copytree(start, tmp_path / "repo")
    return tmp_path / "repo/sample"


@pytest.fixture
def ask(data: Path, repo: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Asks with --json; returns the exit code, the document and what else was said."""

    def ask(*options: str) -> tuple[int, dict[str, Any], str]:
        words = ("impact", "--json", "--root", str(repo), "--set", f"paths.data={data}")
        code, out, error = run(*words, *options, capsys=capsys)
        return code, orjson.loads(out) if out else {}, error

    return ask


@contextmanager
def generation_of(data: Path, **changes: Any) -> Iterator[Generation]:
    """Open the index, its metadata changed as given."""
    with closing(connect(workspace_of(data))) as index:
        generation = require_live(index, "sample")
        if changes:
            metadata = replace(generation.metadata, **changes)
            generation = cast(
                "Generation", SimpleNamespace(structures=generation.structures, metadata=metadata)
            )
        yield generation


def names(part: dict[str, Any]) -> list[str]:
    return [item["symbol"].removeprefix("sample::") for item in part["items"]]


def test_nothing_changed(ask: Ask, start: Path) -> None:
    code, found, _ = ask("--check")
    indexed = at(start, "rev-parse", "HEAD")
    assert (code, found["project"], found["commit"], found["since"]) == (0, "sample", indexed, None)
    assert found["since_commit"] == indexed
    assert [found[part]["total"] for part in ("changed", "reached", "tests", "untested")] == [0] * 4
    assert (found["files"], found["is_all"], found["depth"]) == ([], True, 3)


def test_changes_of_the_working_tree_are_followed_to_the_tests(ask: Ask, repo: Path) -> None:
    edit(repo / "src/cache.rs", 64, 63, "// added")
    edit(repo / "src/geometry/shape.rs", 83, 83, "1.0")
    code, found, _ = ask()
    assert code == 0
    shape = "geometry::shape::"
    assert names(found["changed"]) == [
        "cache::Cache<K, V>::insert",
        f"{shape}<Circle as Shape>::area",
    ]
    assert [item["tests"] for item in found["changed"]["items"]] == [2, 2]
    assert [item["reached_by"] for item in found["changed"]["items"]] == [3, 4]
    reached = {item["symbol"]: item for item in found["reached"]["items"]}
    describe = reached[f"sample::{shape}Shape::describe"]
    assert (describe["steps"], describe["through"]) == (1, f"sample::{shape}Shape::area")
    assert describe["via"] == f"sample::{shape}<Circle as Shape>::area"
    assert names(found["tests"]) == [
        "cache::tests::oldest_entry_is_evicted",
        "cache::tests::failed_computation_is_not_stored",
        "tests::long_descriptions_are_wrapped",
        "area::areas_add_up",
    ]
    assert [item["steps"] for item in found["tests"]["items"]] == [1, 2, 2, 2]
    assert found["untested"]["total"] == 0
    assert found["files"][0] == {
        "file_path": "src/cache.rs", "state": "changed", "in_index": True, "outside": False
    }  # fmt: skip
    assert names(ask("--depth", "1", "--limit", "1")[1]["tests"]) == [
        "cache::tests::oldest_entry_is_evicted"
    ]


def test_what_no_test_reaches_fails_a_check(ask: Ask, repo: Path) -> None:
    edit(repo / "src/cache.rs", 99, 99, "// changed")
    code, found, error = ask("--check")
    assert code == 3
    assert names(found["untested"]) == ["cache::Cache<K, V>::size"]
    assert "no test reaches 1 changed structure in at most 3 steps: sample::cache::" in error
    assert ask()[0] == 0


def test_files_that_come_and_go(ask: Ask, repo: Path) -> None:
    (repo / "src/new.rs").write_text("fn new() {}\n")
    (repo / "src/retry.rs").unlink()
    at(repo, "mv", "src/unicode.rs", "src/letters.rs")
    edit(repo / "src/letters.rs", 10, 10, "    1")
    edit(repo / "src/lib.rs", 1, 1, "//! Other words.")
    (repo.parent / "elsewhere.rs").touch()
    (repo / os.fsdecode(b"src/\xff.rs")).touch()
    _, found, _ = ask()
    assert {file["file_path"]: (file["state"], file["in_index"]) for file in found["files"]} == {
        "src/new.rs": ("new", False),
        "src/\\xff.rs": ("new", False),
        "src/retry.rs": ("deleted", True),
        "src/unicode.rs": ("renamed", True),
        "src/lib.rs": ("changed", True),
    }
    assert [file["file_path"] for file in found["files"] if file["outside"]] == ["src/lib.rs"]
    changed = names(found["changed"])
    assert "retry::retry" in changed
    assert "unicode::длина" in changed
    assert "unicode::größe" not in changed


def test_a_file_of_any_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    nothing: Part[Any] = Part(0, [])
    print_impact(
        Impact(
            depth=1,
            changed=nothing,
            reached=nothing,
            tests=nothing,
            untested=nothing,
            files=[FileImpact("a\nb\x1b.rs", "new", in_index=False, outside=False)],
            is_all=True,
        ),
        "sample",
        "main",
    )
    assert capsys.readouterr().out.splitlines()[-1] == "  a\ufffdb\ufffd.rs (new)"


def test_tests_are_printed_as_cargo_calls_them(
    data: Path,
    repo: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    edit(repo / "tests/area.rs", 12, 12, "// a helper of tests, which is no test")
    edit(repo / "src/tests.rs", 8, 8, "// a test, which is to be run")
    (repo / "src/new.rs").touch()
    words = ("impact", "--root", str(repo), "--set", f"paths.data={data}")
    code, out, _ = run(*words, "--tests", capsys=capsys)
    assert (code, out) == (0, "tests::long_descriptions_are_wrapped\nareas_add_up\n")
    assert "does not have: src/new.rs" in caplog.text
    code, out, _ = run(*words, capsys=capsys)
    assert "2 structures of sample changed since the index was made (" in out
    assert "Function area::areas_add_up  1 step, via area::total_area" in out
    assert "long_descriptions_are_wrapped  changed itself" in out
    assert "Not in the index: 1\n  src/new.rs (new)\n" in out
    assert run(*words, "--tests", "--json", capsys=capsys)[0] == 2


def test_a_branch_is_compared_with_where_it_left_the_other(ask: Ask, repo: Path) -> None:
    at(repo, "checkout", "--quiet", "-b", "topic")
    edit(repo / "src/cache.rs", 60, 59, "// one more line")
    commit(repo, "topic")
    at(repo, "checkout", "--quiet", "main")
    edit(repo / "src/error.rs", 38, 38, "// not on the branch")
    commit(repo, "main")
    at(repo, "checkout", "--quiet", "topic")
    edit(repo / "src/cache.rs", 100, 100, "// not committed")
    _, found, _ = ask("--since", "main")
    assert names(found["changed"]) == ["cache::Cache<K, V>::insert", "cache::Cache<K, V>::size"]
    assert (found["since"], found["since_commit"]) == ("main", found["commit"])
    _, found, _ = ask("--since", "topic")
    assert names(found["changed"]) == ["cache::Cache<K, V>::size"]


def test_a_commit_that_is_older_than_the_index(repo: Path, data: Path) -> None:
    """The index is of the second of three states; the first had other lines."""
    at(repo, "checkout", "--quiet", "--orphan", "before")
    edit(repo / "src/cache.rs", 1, 3)
    edit(repo / "src/cache.rs", 100, 100, "// another one before")
    before = commit(repo)
    at(repo, "checkout", "--quiet", "main")
    edit(repo / "src/cache.rs", 1, 0, "// above")
    with generation_of(data) as generation:
        found = find_changes(generation, repo, before)
    assert found.commit == before
    lines = (Lines(1, 0), Lines(1, 3), Lines(103, 103))
    assert found.files == [ChangedFile("src/cache.rs", "changed", lines)]


def test_what_was_indexed_with_changes_is_known_by_its_text(
    data: Path, repo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    at(repo, "rm", "--quiet", "--cached", "src/cache.rs", "src/retry.rs")
    at(repo, "commit", "--quiet", "-m", "the index has more")
    edit(repo / "src/retry.rs", 1, 0, "//! One more line.")
    indexed = at(repo, "rev-parse", "HEAD")
    with generation_of(data, commit=indexed, dirty=True) as generation:
        found = find_changes(generation, repo, None)
    assert found.files == [
        ChangedFile("src/cache.rs", "new", (EVERY_LINE,)),
        ChangedFile("src/retry.rs", "new", (EVERY_LINE,)),
    ]
    assert "which lines of these files changed is not sure: src/retry.rs" in caplog.text


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--since", "none"), 2, "has no commit 'none'; expected a branch, a tag or a hash"),
        (("--since=-x",), 2, "has no commit '-x'"),
        (("--since", ""), 2, "has no commit ''"),
        (("--depth", "11"), 2, ""),
        (("--root", "/none"), 2, "there is no folder /none"),
        (("--project", "other"), 1, "no index of 'other'"),
    ],
)
def test_bad_arguments_are_told(ask: Ask, options: Sequence[str], code: int, message: str) -> None:
    try:
        found, _, error = ask(*options)
    except SystemExit as exc:  # argparse's own
        found, error = int(exc.code or 0), ""
    assert found == code
    assert message in error


def test_a_folder_that_says_nothing_of_the_commit_is_told(ask: Ask, data: Path, repo: Path) -> None:
    with (
        generation_of(data, commit=None) as generation,
        pytest.raises(ChangesUnknown, match="were in no git repository"),
    ):
        find_changes(generation, repo, None)
    with generation_of(data) as generation:
        shutil.rmtree(repo.parent / ".git")
        with pytest.raises(ChangesUnknown, match="is in no git repository"):
            find_changes(generation, repo, None)
        at(repo, "init", "--quiet")  # a repository without a commit
        with pytest.raises(ChangesUnknown, match="does not have .*, the commit that the index of"):
            find_changes(generation, repo, None)
    code, _, error = ask()
    assert (code, "Fetch it, or ingest again." in error) == (1, True)


def test_another_folder_than_the_indexed_one_is_told(data: Path, repo: Path) -> None:
    with (
        generation_of(data) as generation,
        pytest.raises(UsageError, match="expected the folder that was indexed as sample"),
    ):
        find_changes(generation, repo / "src", None)


def test_a_repository_that_git_does_not_trust_is_told(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "_warned", set())
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    code, _, error = ask()
    assert (code, "because another user owns it" in error) == (1, True)


def test_sources_that_are_not_on_this_machine_are_asked_for(
    data: Path, start: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, words = (
        workspace_of(data).project_folder("sample"),
        ("impact", "--set", f"paths.data={data}"),
    )
    assert run(*words, capsys=capsys)[0] == 0
    remember_root(folder, None)
    try:
        code, _, error = run(*words, capsys=capsys)
    finally:
        remember_root(folder, start / "sample")
    assert (code, "name their folder, --root DIR" in error) == (1, True)


def test_a_run_counts_the_tests_of_the_most_used(data: Path) -> None:
    with generation_of(data) as generation:
        rows = generation.structures.select(("symbol",))
        ids = {symbol.removeprefix("sample::"): key for key, (symbol,) in rows}
    insert, module = ids["cache::Cache<K, V>::insert"], ids["cache"]
    used = [UsedChange(insert, "insert", "changed", 2), UsedChange(module, "cache", "added", 1)]
    report = UploadReport("", "sample", "", "synced", 0, 0, 0, 0, 0, 0, most_used=used)
    with closing(connect(workspace_of(data))) as index:
        assert [change.tests for change in with_tests(report, index).most_used] == [2, None]
        other = replace(report, collection="other")
        assert with_tests(other, index) == other
