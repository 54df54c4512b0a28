"""What functions were changed for: the subjects of the commits that last changed their lines.

`git blame` knows them for the lines as they are now, so none has to be followed through time.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from machine.git import git_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from lsif.structure import Structure

_FEWEST_WORDS, _MOST_WORDS = 4, 20
"""Of a subject."""
_MOST_FUNCTIONS = 3
"""That a commit may have changed: a subject about more is about none of them."""
_FEWEST_LINES = 3
"""Of a function, for which a commit counts as having changed it."""
_LONGEST_S = 60.0
_COMMIT = re.compile(r"([0-9a-f]{40,64}) \d+ \d+")
_SUMMARY = "summary "
_SCOPE = re.compile(r"^[\w./-]+(?:\([^)]*\))?!?: +|\s*\(#\d+\)$")
"""`fix(parser): ...` and `... (#123)`."""
_CHORE = re.compile(
    r"(?i)(?:merge|revert|bump|release|update dependenc|format|rustfmt|clippy|typo)"
)


class _Line(NamedTuple):
    """A line of a file, and the commit that last changed it."""

    commit: str
    text: str


def subjects_of(
    structures: Iterable[Structure], root: Path, commit: str | None = None
) -> dict[str, list[str]]:
    """Return subjects of commits by the ids of the functions that they last changed.

    `root` is the folder that the structures' paths are relative to, `commit` the one that they were
    made of (None: the last one). A function has none if git does not know its file, or knows other
    lines.
    """
    subjects: dict[str, str] = {}
    changed: dict[str, list[str]] = defaultdict(list)
    functions = [found for found in structures if found.code_type == "Function"]
    in_file = attrgetter("context.file_path")
    for file_path, group in groupby(sorted(functions, key=in_file), in_file):
        revision = () if commit is None else (commit,)
        blame = ("blame", "--porcelain", *revision, "--", file_path)
        printed = (git_bytes(root, *blame, timeout_s=_LONGEST_S) or b"").decode(errors="replace")
        lines = list(_lines(printed, subjects))
        for function in group:
            for by in _commits(function, lines):
                changed[by].append(function.id)
    found: dict[str, list[str]] = {}
    for by, ids in changed.items():
        if len(ids) <= _MOST_FUNCTIONS and (subject := _telling(subjects[by])):
            for identifier in ids:
                found.setdefault(identifier, []).append(subject)
    return found


def _lines(printed: str, subjects: dict[str, str]) -> Iterator[_Line]:
    """Yield the lines of a file as blame prints them; add the subjects of their commits."""
    commit = ""
    for line in printed.split("\n"):
        if line.startswith("\t"):
            yield _Line(commit, line[1:])
        elif line.startswith(_SUMMARY):
            subjects[commit] = line.removeprefix(_SUMMARY)
        elif header := _COMMIT.match(line):
            commit = header[1]


def _commits(function: Structure, lines: list[_Line]) -> list[str]:
    """Return the commits that last changed the function, without its documentation."""
    own = lines[function.line - 1 : function.line_to]
    if not own or function.name not in own[0].text:  # the file is another one there
        return []
    counts = Counter(line.commit for line in own)
    return [commit for commit, count in counts.items() if count >= _FEWEST_LINES]


def _telling(subject: str) -> str:
    """Return what a subject says, "" if it says too little.

    >>> _telling("fix(retry): wait longer after each failed attempt (#12)"), _telling("Fix it")
    ('wait longer after each failed attempt', '')
    """
    said = _SCOPE.sub("", subject).strip()
    enough = _FEWEST_WORDS <= len(said.split()) <= _MOST_WORDS
    return said if enough and said.isascii() and not _CHORE.match(said) else ""
