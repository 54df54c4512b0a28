"""From URIs to paths under the root, and to the content of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lsif.paths import base_of, read_source, relative_path


@pytest.mark.parametrize(
    ("uri", "project_root", "expected"),
    [
        ("file:///r/a%2520b.rs", "file:///r", "a%20b.rs"),
        ("file:///r/./a//b.rs", "file:///r", "a/b.rs"),
        ("file:///r/%C3%BC.rs", "file:///r", "ü.rs"),
        ("file:///c%3A/r/a.rs", "file:///C:/r", "a.rs"),
        ("file:///C:/R/a.rs", "file:///c:/r", None),
        ("file:///r/%2E%2E/a.rs", "file:///r", None),
        ("file:///r/a/../b.rs", "file:///r", None),
        ("file:///r//etc/passwd", "file:///r", None),
        ("file:///r/a%00b.rs", "file:///r", None),
        ("file:///rr/a.rs", "file:///r", None),
        ("file:///r", "file:///r", None),
        ("file:///r/", "file:///r", None),
        ("untitled:r/a.rs", "file:///r", None),
        ("", "file:///r", None),
        ("file:///a.rs", "file:///", "a.rs"),
    ],
)
def test_a_uri_is_a_path_only_under_the_root(
    tmp_path: Path, uri: str, project_root: str, expected: str | None
) -> None:
    assert relative_path(uri, project_root, tmp_path.resolve()) == expected


@pytest.mark.parametrize("project_root", ["", "git://host/r"])
def test_a_root_that_is_no_folder_is_the_one_at_hand(tmp_path: Path, project_root: str) -> None:
    root = tmp_path.resolve()
    assert relative_path((root / "a.rs").as_uri(), project_root, root) == "a.rs"


@pytest.mark.parametrize(
    ("uris", "expected"),
    [
        (["file:///model/a.rs", "file:///r/b.rs"], "file:///model"),
        (["file:///std/a.rs", "file:///r/b.rs"], "file:///r"),
        (["file:///std/a.rs", "file:///rr/b.rs", "https://r/b.rs"], "file:///model"),
        ([], "file:///model"),
    ],
)
def test_a_dump_of_a_model_is_relative_to_the_root(uris: list[str], expected: str) -> None:
    assert base_of(uris, "file:///model", Path("/r")) == expected


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.rs").write_bytes(b"\xff\r\n")
    assert read_source(tmp_path / "a.rs") == b"\xff\r\n"
    os.mkfifo(tmp_path / "pipe.rs")
    for path in (tmp_path, tmp_path / "pipe.rs", Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            read_source(path)
    with pytest.raises(FileNotFoundError):
        read_source(tmp_path / "b.rs")
