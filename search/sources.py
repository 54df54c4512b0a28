"""The text of an indexed file as it was when it was indexed.

It is read from the indexed commit or, failing that, from the disk. Only files with structures in
the index are shown, and a text only if every structure of the file is in it where the index says.
Otherwise the text is put together from the structures' snippets, with gaps between them.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from machine.files import atomic_writer
from machine.git import git_bytes
from search.errors import FileUnknown
from search.record import flatten
from storage.query import Condition
from storage.schema import PATHS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from configs.workspace import ProjectFolder
    from lsif.structure import Structure
    from storage.index import Generation

_LARGEST_BYTES = 4_000_000
_CACHED_FILES = 64
_CACHED_TEXTS = 512
"""Files of which only the lines are kept, so that a page of places needs no program."""
_BLOB = re.compile(rb"[0-9a-f]+ blob (\d+)")
"""What git says before a file's content."""
_GIT_S = 10
"""Seconds that git may take."""
OUTLINE_KEYS = ("id", "name", "symbol", "code_type", "line", "line_from", "line_to")
"""Keys of search.record that a file's view has of each structure."""


@dataclass(frozen=True, slots=True)
class FileView:
    """An indexed file."""

    file_path: str
    commit: str | None
    origin: Literal["commit", "disk", "index"]
    complete: bool
    """Whether every line is known."""
    lines: list[str | None]
    """Without line ends; the first is line 1. None for a line that is not known."""
    structures: list[Structure]
    """In the order of their lines, outer ones first."""

    def to_dict(self) -> dict[str, Any]:
        """Return the view as plain data, with OUTLINE_KEYS of each structure."""
        return {
            "file_path": self.file_path,
            "commit": self.commit,
            "origin": self.origin,
            "complete": self.complete,
            "lines": self.lines,
            "structures": [flatten(structure, OUTLINE_KEYS) for structure in self.structures],
        }


def remember_root(folder: ProjectFolder, root: Path | None) -> None:
    """Note in a project's folder where its sources are on this machine."""
    if root is None:
        folder.source_root.unlink(missing_ok=True)
        return
    with atomic_writer(folder.source_root) as file:
        file.write(orjson.dumps({"root": str(root.resolve())}, option=orjson.OPT_APPEND_NEWLINE))


def read_root(folder: ProjectFolder) -> Path | None:
    """Return where a project's sources are on this machine, None if that is not known."""
    try:
        root = Path(orjson.loads(folder.source_root.read_bytes())["root"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return root if root.is_dir() else None


class Sources:
    """The files of one generation."""

    def __init__(self, generation: Generation, root: Path | None) -> None:
        self._generation = generation
        self.root = root
        self._views: OrderedDict[str, FileView] = OrderedDict()
        self._commit_lines: OrderedDict[str, list[str] | None] = OrderedDict()
        """Lines by file; None if the commit has no such text."""

    def view(self, file_path: str) -> FileView:
        """Return the file. Raises FileUnknown if the index has no structure in it."""
        known = self._views.get(file_path)
        if known is None:
            where = [Condition(PATHS, (file_path,))]
            points = self._generation.structures.scroll(where=where)
            structures = [point.record for point in points]
            found = [found for found in structures if found.context.file_path == file_path]
            if not found:
                raise FileUnknown(f"the index has no file {file_path!r}.")
            found.sort(key=lambda found: (found.line_from, -found.line_to, found.id))
            known = self._views[file_path] = self._read(file_path, found)
            while len(self._views) > _CACHED_FILES:
                self._views.popitem(last=False)
        return known

    def lines(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """Return the texts, without their ends, of lines (file, 1-based) as far as they are known.

        Of an index without uncommitted changes, all files are read by one program.
        """
        wanted = set(places)
        files: dict[str, Sequence[str | None]] = {**self._committed({path for path, _ in wanted})}
        for file_path in {path for path, _ in wanted} - files.keys():
            with suppress(FileUnknown):
                files[file_path] = self.view(file_path).lines
        found = {}
        for file_path, line in wanted:
            lines = files.get(file_path, ())
            text = lines[line - 1] if line <= len(lines) else None
            if text is not None:
                found[file_path, line] = text
        return found

    def _committed(self, file_paths: set[str]) -> dict[str, list[str]]:
        """Return the lines of the files that the indexed commit tells."""
        metadata, kept = self._generation.metadata, self._commit_lines
        if self.root is None or metadata.commit is None or metadata.dirty:
            return {}
        missing = sorted(file_paths - kept.keys())
        read = dict(_all_of_commit(self.root, metadata.commit, missing))
        new = {path: _lines_of(read[path]) if path in read else None for path in missing}
        found = {path: new[path] if path in new else kept.get(path) for path in file_paths}
        kept |= new
        while len(kept) > _CACHED_TEXTS:
            kept.popitem(last=False)
        return {path: lines for path, lines in found.items() if lines is not None}

    def _read(self, file_path: str, structures: list[Structure]) -> FileView:
        view = FileView(
            file_path=file_path,
            commit=self._generation.metadata.commit,
            origin="index",
            complete=False,
            lines=[None] * max(structure.line_to for structure in structures),
            structures=structures,
        )
        for origin, text in self._texts(file_path, view.commit):
            lines = text.removesuffix("\n").split("\n")
            if all(_is_at_its_lines(structure, lines) for structure in structures):
                return replace(view, origin=origin, complete=True, lines=[*_lines_of(text)])
        for structure in structures:
            snippet = structure.context.snippet.removesuffix("\n").split("\n")
            first = (structure.snippet_from or structure.line_from) - 1
            for row, line in enumerate(snippet, start=first):
                if view.lines[row] is None or not structure.snippet_from:
                    view.lines[row] = line.rstrip("\r")
        return view

    def _texts(
        self, file_path: str, commit: str | None
    ) -> Iterator[tuple[Literal["commit", "disk"], str]]:
        """Yield texts that the file may have had, the likeliest first."""
        if self.root is None:
            return
        if commit is not None:
            committed = _of_commit(self.root, commit, file_path)
            if committed is not None:
                yield "commit", committed
        on_disk = _of_disk(self.root, file_path)
        if on_disk is not None:
            yield "disk", on_disk


def _of_commit(root: Path, commit: str, file_path: str) -> str | None:
    if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        return None
    blob = git_bytes(root, "cat-file", "blob", f"{commit}:./{file_path}", timeout_s=_GIT_S)
    return None if blob is None else _decoded(blob)


def _all_of_commit(root: Path, commit: str, file_paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield path and text of those files that the commit has, all read by one git."""
    asked = [path for path in file_paths if "\n" not in path]
    if not asked or not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        return
    names = "".join(f"{commit}:./{path}\n" for path in asked).encode("utf-8", "surrogateescape")
    printed = git_bytes(root, "cat-file", "--batch", timeout_s=_GIT_S, given=names) or b""
    at = 0
    for path in asked:
        end = printed.find(b"\n", at)
        head, at = _BLOB.fullmatch(printed[at:end]), end + 1
        if head is None:
            continue
        size = int(head[1])
        text = _decoded(printed[at : at + size])
        at += size + 1
        if text is not None:
            yield path, text


def _lines_of(text: str) -> list[str]:
    """Return the lines of a file without their ends."""
    return [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")]


def _of_disk(root: Path, file_path: str) -> str | None:
    """Return the file's text; None if there is none, or if a link leads out of the root."""
    try:
        path = (root / file_path).resolve()
        if (
            not path.is_relative_to(root.resolve())
            or not path.is_file()
            or path.stat().st_size > _LARGEST_BYTES
        ):
            return None
        return _decoded(path.read_bytes())
    except (OSError, RuntimeError):  # of links that lead to themselves
        return None


def _decoded(content: bytes) -> str | None:
    try:
        return content.decode("utf-8") if len(content) <= _LARGEST_BYTES else None
    except UnicodeDecodeError:
        return None


def _is_at_its_lines(structure: Structure, lines: list[str]) -> bool:
    """Return whether the lines of the file are the structure's snippet where it should be."""
    if structure.snippet_from:  # a part, whose first and last line may be parts, too
        rows = structure.context.snippet.removesuffix("\n").split("\n")
        there = lines[structure.snippet_from - 1 :][: len(rows)]
        return len(there) == len(rows) and all(map(str.__contains__, there, rows))
    found = "".join(f"{line}\n" for line in lines[structure.line_from - 1 : structure.line_to])
    return found == structure.context.snippet
