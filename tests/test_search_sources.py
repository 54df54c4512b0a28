from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import orjson
import pytest

from configs.workspace import ProjectFolder
from machine.git import git_bytes
from search.errors import FileUnknown
from search.sources import FileView, Sources, read_root, remember_root
from storage.embedded.index import EmbeddedIndex
from storage.index import Generation, Index
from storage.metadata import Metadata

from made_up import Made, made, publish

TEXT = """\
//! Two functions.

fn first() {
    step();
}

mod inner {
    fn second() {}
}
// The end.
"""
LINES = TEXT.removesuffix("\n").split("\n")
STRUCTURES = [("inner", 7, 9), ("second", 8, 8), ("first", 3, 5)]


def structures(text: str = TEXT, file_path: str = "src/lib.rs") -> list[Made]:
    """Return the structures of the text, in no order."""
    lines = text.split("\n")
    return [
        made(
            name,
            lines=(first, last),
            file_path=file_path,
            snippet="".join(f"{line}\n" for line in lines[first - 1 : last]),
        )
        for name, first, last in STRUCTURES
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The sources' folder, with src/lib.rs in it."""
    (tmp_path / "root" / "src").mkdir(parents=True)
    (tmp_path / "root" / "src" / "lib.rs").write_text(TEXT)
    return tmp_path / "root"


@pytest.fixture
def build(tmp_path: Path, metadata: Metadata) -> Iterator[Callable[..., Generation]]:
    index = EmbeddedIndex(tmp_path / "qdrant")
    yield lambda made=None, commit=None: publish(
        index, metadata, structures() if made is None else made, commit=commit
    )
    index.close()


def git(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    identity = (
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@example.org",
        "-c",
        "core.autocrlf=false",
        "-c",
        "commit.gpgsign=false",
    )
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout.strip()


def commit(folder: Path) -> str:
    """Commit all that is in the folder; return the commit."""
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


# ---- Where the text is from


def test_a_file_is_shown_with_its_structures_in_the_order_of_their_lines(
    root: Path, index: Index, metadata: Metadata
) -> None:
    view = Sources(publish(index, metadata, structures()), root).view("src/lib.rs")
    assert (view.file_path, view.commit, view.origin, view.complete) == (
        "src/lib.rs",
        "0123abc",
        "disk",
        True,
    )
    assert view.lines == LINES
    assert [
        (structure.name, structure.line_from, structure.line_to) for structure in view.structures
    ] == [
        ("first", 3, 5),
        ("inner", 7, 9),  # the outer one first
        ("second", 8, 8),
    ]
    ids = {made.structure.name: made.id for made in structures()}
    assert view.to_dict()["structures"][2] == {
        "id": ids["second"],
        "name": "second",
        "symbol": "made_up::second",
        "code_type": "Function",
        "line": 8,
        "line_from": 8,
        "line_to": 8,
    }
    assert orjson.loads(orjson.dumps(view.to_dict()))["lines"] == LINES
    assert list(view.to_dict()) == [field.name for field in fields(view)]


def test_of_structures_that_begin_together_the_longest_comes_first(
    build: Callable[..., Generation],
) -> None:
    lengths = [2, 9, 5, 1, 7]
    view = Sources(
        build([made(f"f{length}", lines=(4, 3 + length)) for length in lengths]), None
    ).view("src/lib.rs")
    assert [structure.name for structure in view.structures] == ["f9", "f7", "f5", "f2", "f1"]


def test_the_text_is_that_of_the_commit_whatever_became_of_the_file(
    root: Path, build: Callable[..., Generation]
) -> None:
    sources = Sources(build(commit=commit(root)), root)
    (root / "src" / "lib.rs").write_text("something else\n")
    view = sources.view("src/lib.rs")
    assert (view.origin, view.complete, view.lines) == ("commit", True, LINES)


def test_a_file_that_is_gone_is_still_that_of_the_commit(
    root: Path, build: Callable[..., Generation]
) -> None:
    sources = Sources(build(commit=commit(root)), root)
    (root / "src" / "lib.rs").unlink()
    assert (sources.view("src/lib.rs").origin, sources.view("src/lib.rs").lines) == (
        "commit",
        LINES,
    )


def test_the_text_is_that_of_the_disk_if_it_was_indexed_with_changes(
    root: Path, build: Callable[..., Generation]
) -> None:
    (root / "src" / "lib.rs").write_text("fn older() {}\n")
    sources = Sources(build(commit=commit(root)), root)
    (root / "src" / "lib.rs").write_text(TEXT)
    view = sources.view("src/lib.rs")
    assert (view.origin, view.complete, view.lines) == ("disk", True, LINES)


@pytest.mark.parametrize("unknown", [None, "0" * 40, "0123abc", "HEAD", "--help", "f" * 64])
def test_the_text_is_that_of_the_disk_if_the_commit_is_not_available(
    unknown: str | None, root: Path, build: Callable[..., Generation]
) -> None:
    commit(root)
    view = Sources(build(commit=unknown), root).view("src/lib.rs")
    assert (view.origin, view.commit, view.lines) == ("disk", unknown, LINES)


def test_lines_of_many_files_of_the_commit_are_read_by_one_git(
    root: Path, build: Callable[..., Generation], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a blob 5").write_text("one\r\ntwo\n")  # no structure is in it
    (root / "empty.rs").touch()
    sources = Sources(build(commit=commit(root.parent)), root)
    (root / "src" / "lib.rs").write_text("something else\n")
    asked: list[Sequence[str]] = []

    def counted(*arguments: Any, **options: Any) -> bytes | None:
        asked.append(arguments)
        return git_bytes(*arguments, **options)

    monkeypatch.setattr("search.sources.git_bytes", counted)
    places = [("gone blob 7", 1), ("src/lib.rs", 3), ("a blob 5", 2), ("a blob 5", 1)]
    places += [("a blob 5", 3), ("empty.rs", 1), ("src/lib.rs", 5)]
    expected = {
        ("src/lib.rs", 3): LINES[2],
        ("src/lib.rs", 5): LINES[4],
        ("a blob 5", 1): "one",
        ("a blob 5", 2): "two",
        ("empty.rs", 1): "",
    }
    assert sources.lines(places) == expected
    assert sources.lines(places) == expected
    assert len(asked) == 1


def test_lines_of_an_index_with_changes_are_those_of_the_view(
    root: Path, index: Index, metadata: Metadata
) -> None:
    head, text = commit(root), TEXT.replace("step", "leap")
    (root / "src" / "lib.rs").write_text(text)
    sources = Sources(publish(index, metadata, structures(text), commit=head, dirty=True), root)
    assert sources.lines([("src/lib.rs", 4)]) == {("src/lib.rs", 4): "    leap();"}
    assert sources.lines([("src/absent.rs", 1)]) == {}


def test_a_root_within_a_repository_has_its_own_files(
    root: Path, build: Callable[..., Generation]
) -> None:
    head = commit(root.parent)
    (root / "src" / "lib.rs").write_text("something else\n")
    assert Sources(build(commit=head), root).view("src/lib.rs").origin == "commit"


@pytest.mark.parametrize(
    "name", ["größe mit raum.rs", "-x.rs", "a:b.rs", "x[1]*.rs", "'\"$(id).rs"]
)
def test_any_name_of_a_file_will_do(
    name: str, root: Path, build: Callable[..., Generation]
) -> None:
    (root / "src" / name).write_text(TEXT)
    head = commit(root)
    (root / "src" / name).write_text("something else\n")
    assert (
        Sources(build(structures(file_path=f"src/{name}"), commit=head), root)
        .view(f"src/{name}")
        .origin
        == "commit"
    )


GAPS = [
    None,
    None,
    "fn first() {",
    "    step();",
    "}",
    None,
    "mod inner {",
    "    fn second() {}",
    "}",
]


def from_index(sources: Sources, file_path: str = "src/lib.rs") -> list[str | None]:
    view = sources.view(file_path)
    assert (view.origin, view.complete) == ("index", False)
    return view.lines


def test_if_no_text_is_as_the_index_says_its_snippets_are_shown_with_gaps(
    root: Path, build: Callable[..., Generation]
) -> None:
    (root / "src" / "lib.rs").write_text(TEXT.replace("step", "leap"))
    sources = Sources(build(commit=commit(root)), root)
    assert from_index(sources) == GAPS
    assert [structure.name for structure in sources.view("src/lib.rs").structures] == [
        "first",
        "inner",
        "second",
    ]


def test_without_a_root_the_index_is_all_there_is(build: Callable[..., Generation]) -> None:
    assert from_index(Sources(build(), None)) == GAPS


@pytest.mark.parametrize(
    "content",
    [
        TEXT.replace("    fn second() {}", "    fn second() { }").encode(),
        b"\n" + TEXT.encode(),
        TEXT.encode().split(b"mod inner")[0],
        b"",
        TEXT.encode("utf-16"),
        TEXT.encode().replace(b"The end", b"\xff"),
        TEXT.encode() + b" " * 4_000_000,
    ],
    ids=[
        "one character",
        "one line further",
        "cut off",
        "empty",
        "UTF-16",
        "a byte that is no UTF-8",
        "too large",
    ],
)
def test_a_text_that_is_not_exactly_the_indexed_one_is_not_shown(
    content: bytes, root: Path, build: Callable[..., Generation]
) -> None:
    (root / "src" / "lib.rs").write_bytes(content)
    assert from_index(Sources(build(commit=commit(root)), root)) == GAPS


def test_what_follows_the_last_structure_is_shown_as_it_is(
    root: Path, build: Callable[..., Generation]
) -> None:
    """No structure covers these lines: a text that matches elsewhere counts as the indexed one."""
    (root / "src" / "lib.rs").write_text(TEXT + "\n// More.\n\n")
    assert Sources(build(), root).view("src/lib.rs").lines == [*LINES, "", "// More.", ""]


def test_a_file_whose_last_line_does_not_end_is_complete(
    root: Path, build: Callable[..., Generation]
) -> None:
    text = TEXT.removesuffix("// The end.\n").removesuffix("\n")
    (root / "src" / "lib.rs").write_text(text)
    view = Sources(build(), root).view("src/lib.rs")
    assert (view.origin, view.lines) == ("disk", LINES[:-1])


def test_carriage_returns_are_compared_and_not_shown(
    root: Path, build: Callable[..., Generation]
) -> None:
    text = TEXT.replace("\n", "\r\n")
    (root / "src" / "lib.rs").write_bytes(text.encode())
    view = Sources(build(structures(text)), root).view("src/lib.rs")
    assert (view.origin, view.lines) == ("disk", LINES)
    (root / "src" / "lib.rs").write_bytes(TEXT.encode())
    assert from_index(Sources(build(structures(text)), root)) == GAPS


def test_other_separators_do_not_end_a_line(root: Path, build: Callable[..., Generation]) -> None:
    text = TEXT.replace("step();", "step();\x0c // \u2028 \x85")
    (root / "src" / "lib.rs").write_bytes(text.encode())
    view = Sources(build(structures(text)), root).view("src/lib.rs")
    assert (view.origin, len(view.lines), view.lines[3]) == (
        "disk",
        10,
        "    step();\x0c // \u2028 \x85",
    )


def test_a_snippet_of_other_origin_that_does_not_end_its_last_line_is_shown_whole(
    build: Callable[..., Generation],
) -> None:
    """structures.jsonl files in the tutorial's format need not end a snippet by a newline."""
    one = made("f", lines=(2, 3), snippet="fn f() {\n}")
    assert from_index(Sources(build([one]), None)) == [None, "fn f() {", "}"]


def test_a_snippet_of_other_origin_may_have_other_lines_than_it_says(
    build: Callable[..., Generation],
) -> None:
    more, fewer = (
        made("more", lines=(1, 2), snippet="a\nb\nc\n"),
        made("fewer", lines=(6, 9), snippet="d\n"),
    )
    assert from_index(Sources(build([more, fewer]), None)) == [
        "a",
        "b",
        "c",
        None,
        None,
        "d",
        None,
        None,
        None,
    ]


# ---- What is not shown


@pytest.mark.parametrize(
    "path",
    [
        "src/absent.rs",
        "src",
        "",
        "lib.rs",
        "../root/src/lib.rs",
        "./src/lib.rs",
        "/etc/passwd",
        "secret.rs",
    ],
)
def test_a_file_without_structures_is_not_shown(
    path: str, root: Path, build: Callable[..., Generation]
) -> None:
    (root / "secret.rs").write_text("not indexed\n")
    with pytest.raises(FileUnknown, match=f"the index has no file '{path}'"):
        Sources(build(), root).view(path)


def test_a_link_out_of_the_root_is_not_followed(
    root: Path, build: Callable[..., Generation]
) -> None:
    (root / "src" / "lib.rs").rename(root.parent / "outside.rs")
    (root / "src" / "lib.rs").symlink_to(root.parent / "outside.rs")
    assert from_index(Sources(build(), root)) == GAPS
    (root / "src" / "lib.rs").unlink()
    (root / "moved").mkdir()
    (root.parent / "outside.rs").rename(root / "moved" / "lib.rs")
    (root / "src" / "lib.rs").symlink_to(root / "moved" / "lib.rs")
    assert Sources(build(), root).view("src/lib.rs").origin == "disk"


@pytest.mark.parametrize(
    "obstacle", ["a link to itself", "a folder", "a link to nothing", "no folder at all"]
)
def test_what_stands_in_a_files_place_is_no_text(
    obstacle: str, root: Path, build: Callable[..., Generation]
) -> None:
    file = root / "src" / "lib.rs"
    file.unlink()
    if obstacle == "a link to itself":
        file.symlink_to(file)
    elif obstacle == "a folder":
        file.mkdir()
    elif obstacle == "a link to nothing":
        file.symlink_to(root / "absent")
    else:
        file.parent.rmdir()
        root.rmdir()
    assert from_index(Sources(build(), root)) == GAPS


def test_without_git_the_disk_is_looked_at(
    root: Path, build: Callable[..., Generation], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = Sources(build(commit=commit(root)), root)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert sources.view("src/lib.rs").origin == "disk"


# ---- What is kept


def test_a_view_is_read_once_and_few_are_kept(
    root: Path, build: Callable[..., Generation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.sources._CACHED_FILES", 2)
    generation, read = (
        build([made for name in "abc" for made in structures(file_path=f"{name}.rs")]),
        list[Any](),
    )
    scroll = generation.structures.scroll

    def noting(*arguments: Any, **options: Any) -> Any:
        read.append(options["where"][0].values[0])
        return scroll(*arguments, **options)

    monkeypatch.setattr(generation.structures, "scroll", noting)
    sources, views = Sources(generation, None), list[FileView]()
    for name in "aabbca":
        views.append(sources.view(f"{name}.rs"))
    assert read == ["a.rs", "b.rs", "c.rs", "a.rs"]
    assert views[0] is views[1]


def test_the_folder_of_the_sources_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "größe").mkdir()
    assert read_root(ProjectFolder(tmp_path / "project")) is None
    remember_root(ProjectFolder(tmp_path / "project"), tmp_path / "project" / ".." / "größe")
    assert read_root(ProjectFolder(tmp_path / "project")) == tmp_path / "größe"
    (tmp_path / "größe").rmdir()
    assert read_root(ProjectFolder(tmp_path / "project")) is None
    (tmp_path / "größe").write_text("no folder")
    assert read_root(ProjectFolder(tmp_path / "project")) is None
    remember_root(ProjectFolder(tmp_path / "project"), None)
    remember_root(ProjectFolder(tmp_path / "project"), None)
    assert list((tmp_path / "project").iterdir()) == []


@pytest.mark.parametrize(
    "note",
    [b"", b"{", b"[]", b"null", b'{"root": null}', b'{"root": 7}', b"{}", b'{"root": "\\u0000"}'],
)
def test_a_note_that_is_damaged_is_none(note: bytes, tmp_path: Path) -> None:
    (tmp_path / "sources.json").write_bytes(note)
    assert read_root(ProjectFolder(tmp_path)) is None
