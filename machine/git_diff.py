"""Which lines differ between a commit and the files of a folder, as git tells. Changes nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from machine.git import git_bytes, git_output

if TYPE_CHECKING:
    from pathlib import Path

_DIFF = (
    "diff",
    "--unified=0",
    "--inter-hunk-context=0",
    "--diff-algorithm=histogram",
    "--find-renames",
    "--relative",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
    "--ignore-submodules=dirty",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
)
"""Whatever the user's configuration says, and without running programs that it names."""
_FILE = re.compile(rb"^diff --git ", re.MULTILINE)
_LINE = re.compile(
    rb"^(?:@@ -(?P<old>\d+(?:,\d+)?) \+(?P<new>\d+(?:,\d+)?) @@.*"
    rb"|rename from (?P<former>.*)"
    rb"|rename to (?P<later>.*)"
    rb"|(?P<added>new file mode .*)"
    rb"|(?P<deleted>deleted file mode .*)"
    rb"|(?P<binary>Binary files .* differ))$",
    re.MULTILINE,
)
"""What counts in a diff. Lines of the files themselves begin with a plus, minus or backslash."""
_COMMIT = re.compile(r"[0-9a-f]{40,64}")


class Lines(NamedTuple):
    """Lines of a file, counted from 1, both inclusive.

    Where `last` is `first - 1` there are none: it is the gap before `first`.
    """

    first: int
    last: int


EVERY_LINE = Lines(1, 2**31 - 1)
"""Of a file whose lines can't be compared."""


class Hunk(NamedTuple):
    """Lines that stand where other lines, or none, were before."""

    old: Lines
    new: Lines


class FileChange(NamedTuple):
    """How a file differs."""

    old: str | None
    """Its path in the commit, relative to the folder; None if it was not there."""
    new: str | None
    """Its path now; None if it is gone."""
    hunks: tuple[Hunk, ...] = ()
    """By their lines; none if it was only renamed or has another mode."""


def commit_of(folder: Path, name: str) -> str | None:
    """Return the hash of the commit that a branch, a tag or an expression such as HEAD~1 names.

    None if the repository of the folder knows no such commit, or there is no repository.
    """
    if not name or name.startswith("-"):
        return None
    found = git_output(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    commit = (found or "").strip()
    return commit if _COMMIT.fullmatch(commit) else None


def common_commit(folder: Path, commit: str) -> str | None:
    """Return the newest commit that HEAD and this one come from; None if there is none."""
    found = git_output(folder, "merge-base", commit, "HEAD")
    return None if found is None else found.strip()


def changes_since(folder: Path, commit: str) -> list[FileChange] | None:
    """Return how the folder's files differ from those of the commit, whose hash is given.

    Files that git neither tracks nor ignores are new ones. None if git fails.
    """
    printed = git_bytes(folder, *_DIFF, commit, "--", ".")
    others = git_bytes(folder, "ls-files", "-z", "--others", "--exclude-standard", "--", ".")
    if printed is None or others is None:
        return None
    whole = (Hunk(Lines(1, 0), EVERY_LINE),)
    untracked = [FileChange(None, _text(name), whole) for name in others.split(b"\0") if name]
    return [*read_diff(printed), *untracked]


def read_diff(printed: bytes) -> list[FileChange]:
    """Return what `git diff --unified=0` printed, with the prefixes `a/` and `b/`."""
    return [_change(section) for section in _FILE.split(printed)[1:]]


def _change(section: bytes) -> FileChange:
    """Return the change of one file, whose section of the diff begins with its names."""
    old: str | None = _name(section.partition(b"\n")[0])
    new, hunks = old, list[Hunk]()
    for line in _LINE.finditer(section):
        if line["old"] is not None:
            hunks.append(Hunk(_lines(line["old"]), _lines(line["new"])))
        elif line["binary"] is not None:
            hunks.append(Hunk(EVERY_LINE, EVERY_LINE))
        elif line["former"] is not None:
            old = _unquoted(line["former"])
        elif line["later"] is not None:
            new = _unquoted(line["later"])
        elif line["added"] is not None:
            old = None
        else:
            new = None
    return FileChange(old, new, tuple(hunks))


def _name(names: bytes) -> str:
    """Return the name in `a/NAME b/NAME`, both the same; renamed files have lines of their own.

    >>> _name(b"a/src/a b/lib.rs b/src/a b/lib.rs")
    'src/a b/lib.rs'
    """
    return _unquoted(names[: len(names) // 2]).removeprefix("a/")


def _unquoted(name: bytes) -> str:
    r"""Return a name as git prints it: in quotes, with escapes as in C, if it must be.

    >>> _unquoted(rb'"\303\251\t.rs"'), _unquoted(b"lib.rs")
    ('é\t.rs', 'lib.rs')
    """
    if name.startswith(b'"'):
        name = name[1:-1].decode("unicode_escape").encode("latin-1")
    return _text(name)


def _text(name: bytes) -> str:
    r"""Return the name as text, in which escapes stand for bytes that are no UTF-8.

    No index has files of such names, and they can neither be looked for nor printed as JSON.

    >>> _text(b"src/\xff.rs")
    'src/\\xff.rs'
    """
    return name.decode("utf-8", "backslashreplace")


def _lines(numbers: bytes) -> Lines:
    """Return the lines of a side of a hunk: `FIRST`, or `FIRST,COUNT`.

    >>> _lines(b"7"), _lines(b"7,2"), _lines(b"7,0")
    (Lines(first=7, last=7), Lines(first=7, last=8), Lines(first=8, last=7))
    """
    first, _, count = numbers.partition(b",")
    line, lines = int(first), int(count or b"1")
    return Lines(line, line + lines - 1) if lines else Lines(line + 1, line)
