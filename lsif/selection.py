"""Which files are left out, and which a program wrote: by the settings and by .gitattributes.

Globs are those of .gitignore (https://git-scm.com/docs/gitignore#_pattern_format). Attributes are
those of linguist (https://github.com/github-linguist/linguist/blob/main/docs/overrides.md).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from configs.globs import compile_globs
from lsif.paths import read_inside

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pathspec

ATTRIBUTES_FILE = ".gitattributes"

_VENDORED, _GENERATED = "linguist-vendored", "linguist-generated"
_LINE = re.compile(r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^#\s]\S*))\s+(?P<rest>.+)')
_SET = frozenset({"", "=true", "=1"})


class _Attribute(NamedTuple):
    """One line of a .gitattributes about one attribute."""

    folder: str
    """Of the file, with a slash behind it; empty for the root."""
    files: pathspec.GitIgnoreSpec
    holds: bool


class Selection:
    """Which files under a root are left out, and which a program wrote."""

    def __init__(
        self,
        exclude: Iterable[str] = (),
        include: Iterable[str] = (),
        attributes: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Globs of files that are left out, of files that never are, and .gitattributes files.

        These come as (path relative to the root, text), a folder's before those inside it.
        Raises ValueError if a glob is none.
        """
        self._exclude = compile_globs(exclude)
        self._include = compile_globs(include)
        self._vendored = list(_attributes(attributes, _VENDORED))
        self._generated = list(_attributes(attributes, _GENERATED))
        self._left_out: dict[str, bool] = {}
        """By path: a dump's files and the repository's are asked for, mostly the same."""

    def leaves_out(self, path: str) -> bool:
        """Return whether the file is excluded, or vendored by .gitattributes, and not included."""
        known = self._left_out.get(path)
        if known is None:
            known = self._left_out[path] = (
                self._exclude.match_file(path) or _holds(self._vendored, path)
            ) and not self._include.match_file(path)
        return known

    def includes(self, path: str) -> bool:
        """Return whether the settings bring the file back, whatever leaves it out."""
        return self._include.match_file(path)

    def is_generated(self, path: str) -> bool:
        """Return whether .gitattributes says that a program wrote the file."""
        return _holds(self._generated, path)


def read_attributes(root: Path, paths: Iterable[str]) -> list[tuple[str, str]]:
    """Return the .gitattributes files of these paths, a folder's before those inside it."""
    found = []
    for path in sorted(paths, key=lambda path: path.count("/")):
        try:
            found.append((path, read_inside(root, path).decode("utf-8", "replace")))
        except (OSError, RuntimeError):
            continue  # what can't be read says nothing
    return found


def _attributes(files: Sequence[tuple[str, str]], name: str) -> Iterable[_Attribute]:
    for path, text in files:
        folder = PurePosixPath(path).parent.as_posix()
        for line in text.splitlines():
            match = _LINE.match(line)
            state = _state(match["rest"], name) if match is not None else None
            if match is None or state is None:
                continue
            globs = _globs(match["plain"] or match["quoted"])
            if globs is not None:
                yield _Attribute("" if folder == "." else f"{folder}/", globs, state)


def _globs(pattern: str) -> pathspec.GitIgnoreSpec | None:
    """Return the pattern of a .gitattributes; None if it is none, which git passes over, too."""
    if pattern.startswith("!"):  # git has no such patterns here
        return None
    try:
        return compile_globs([pattern])
    except ValueError:
        return None


@cache
def _state(words: str, name: str) -> bool | None:
    """Return whether the attributes set or unset the named one; None if they don't say."""
    state = None
    for word in words.split():
        if word.removeprefix(name) in _SET and word.startswith(name):
            state = True
        elif word in (f"-{name}", f"!{name}", f"{name}=false", f"{name}=0"):
            state = False
    return state


def _holds(attributes: list[_Attribute], path: str) -> bool:
    """Return what the last of the lines about the path says."""
    return next(
        (
            attribute.holds
            for attribute in reversed(attributes)
            if path.startswith(attribute.folder)
            and attribute.files.match_file(path.removeprefix(attribute.folder))
        ),
        False,
    )
