"""Docs of traits' members, for the members of impls that have none of their own.

Only the sources are asked, so that a member has the same docs whether a dump holds it or not.
Traits of the standard library and of dependencies are not in the sources: what implements them
inherits nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from lsif.identifiers import plain_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lsif.items import SourceItem
    from lsif.rust.modules import ModuleFile

Members = dict[str, str]
"""Docs of a trait's members by their names. This module has all names as `plain_name` does."""

_NAME = r"[^\s!-/:-@\[-^`{-~]+"
"""An identifier or number: no blanks and no signs."""
_TRAIT = re.compile(
    rf"^[ \t]*(?:pub(?:\([^)\n]*\))?\s+)?(?:(?:unsafe|const|auto)\s+)*trait\s+({_NAME})",
    re.MULTILINE,
)
"""At the beginning of a line, as the next ones, since comments speak of traits, too."""
_DOCS = re.compile(r"///|/\*\*|#\s*\[\s*(?:doc|cfg_attr)\b")
_IMPL = re.compile(
    r"^[ \t]*(?:(?:unsafe|default)\s+)*impl\b((?:[^{};\[]|\[(?:[^\[\]{}\n]{0,99}\])?)*)",
    re.MULTILINE,
)
"""The header, arrays in generics included; what is no header matches as well, so that the search is
linear."""
_MODULE = re.compile(rf"^[ \t]*(?:pub(?:\([^)\n]*\))?\s+)?mod\s+({_NAME})\s*\{{", re.MULTILINE)
_FOR = re.compile(r"\sfor\s+(?!<)")
"""The `for` of an impl, not that of `for<'a> Fn(&'a T)`."""
_USE = re.compile(r"^[ \t]*(?:pub(?:\([^)\n]*\))?\s+)?use\s+([^;]*)", re.MULTILINE)
_TOKEN = re.compile(rf"{_NAME}|::|[{{}},]")
_LAST_PATH = re.compile(rf"(?:{_NAME}\s*::\s*)*{_NAME}\s*\Z")
_LONGEST_PATH = 30
"""Segments of a path; more stand in broken sources only."""
_LONGEST_TEXT = 1000
"""Characters of a path, likewise."""
_STANDARD = frozenset({("std",), ("core",), ("alloc",)})
_LOCAL = frozenset({"crate", "self", "super"})
_PRELUDE = frozenset(
    {
        "AsMut", "AsRef", "AsyncFn", "AsyncFnMut", "AsyncFnOnce", "Clone", "Copy", "Default",
        "DoubleEndedIterator", "Drop", "Eq", "ExactSizeIterator", "Extend", "Fn", "FnMut",
        "FnOnce", "From", "FromIterator", "Future", "Into", "IntoFuture", "IntoIterator",
        "Iterator", "Ord", "PartialEq", "PartialOrd", "Send", "Sized", "Sync", "ToOwned",
        "ToString", "TryFrom", "TryInto", "Unpin",
    }
)  # fmt: skip
"""Traits that need no import: https://doc.rust-lang.org/std/prelude/index.html"""


class FileTraits(NamedTuple):
    """What a file says of traits."""

    defined: dict[str, Members]
    """The traits that it defines, undocumented ones included."""
    implemented: frozenset[str]
    """Paths of the traits in the headers of its impls, without generics."""
    imported: dict[str, tuple[str, ...]]
    """The paths, as their segments, by which the first names of those paths are imported."""
    modules: frozenset[str] = frozenset()
    """Modules in the file itself, by which those paths may begin."""


def may_have_documented_traits(text: str) -> bool:
    """Return whether the file must be parsed to know the docs of its traits."""
    first = _TRAIT.search(text) if "trait" in text else None
    return first is not None and _DOCS.search(text, first.end()) is not None


def file_traits(text: str, items: Iterable[SourceItem]) -> FileTraits | None:
    """Return what a source says of traits, None if it says nothing; `items` may be empty."""
    text = plain_name(text)
    defined: dict[str, Members] = {
        name: {} for name in (_TRAIT.findall(text) if "trait" in text else ())
    }
    places: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for item in items:
        if item.code_type == "Trait":
            places[plain_name(item.name)].add(item.modules)
        is_member = item.trait_name is not None and item.visibility != "inherited"
        if is_member and item.docstring is not None:
            members = defined.setdefault(plain_name(item.trait_name or ""), {})
            members.setdefault(plain_name(item.name), item.docstring)
    for name, modules in places.items():
        if len(modules) > 1:  # two traits of one name: an impl may mean either
            defined[name] = {}
    parts = (_FOR.split(header, maxsplit=1) for header in _IMPL.findall(text))
    paths = (_last_path(before) for before, *after in parts if after)
    implemented = frozenset(filter(None, paths))
    if not defined and not implemented:
        return None
    first_words = {path.partition("::")[0] for path in implemented}
    imported: dict[str, tuple[str, ...]] = {}
    for tree in _USE.findall(text) if implemented else ():
        for name, segments in _imports(tree):
            if name in first_words:  # modules of tests come last, and have imports of their own
                imported.setdefault(name, segments)
    inner = first_words.intersection(_MODULE.findall(text) if defined else ())
    return FileTraits(defined, implemented, imported, frozenset(inner))


class TraitDocs:
    """Finds the docs that each file's impls inherit."""

    def __init__(self, files: Mapping[str, FileTraits], modules: Mapping[str, ModuleFile]) -> None:
        """`modules` says which crate each file belongs to."""
        self._files, self._modules = files, modules
        self._places: dict[str, list[str]] = defaultdict(list)
        for path, traits in files.items():
            for name in traits.defined:
                self._places[name].append(path)
        self._crates = {self._crate(path) for path in modules}
        self._known_names: dict[str, set[str]] = {}

    def of(self, path: str) -> dict[str, Members]:
        """Return the docs of the members of the traits that the file implements, by trait.

        A name lacks if no trait of the repository is meant, or if several may be.
        """
        traits = self._files.get(path)
        found: dict[str, Members | None] = {}
        for written in sorted(traits.implemented) if traits is not None else ():
            name = written.rpartition("::")[2]
            members = self._members(path, written)
            found[name] = None if found.get(name, members) != members else members
        return {name: members for name, members in found.items() if members}

    def _members(self, path: str, written: str) -> Members | None:
        traits = self._files[path]
        *around, name = written.split("::")
        first = around[0] if around else name
        if name in traits.defined and (
            not around
            or (
                first not in traits.imported
                and (first in traits.modules or first in _LOCAL or first in self._names(path))
            )
        ):
            return traits.defined[name]
        segments = (*traits.imported.get(first, ()), *around)
        place = self._place(path, name, segments)
        return None if place is None else self._files[place].defined[name]

    def _place(self, path: str, name: str, segments: tuple[str, ...]) -> str | None:
        """Return the file that defines the trait; None if none does, or several may.

        `segments` are those of the path that it is known by, none if a glob imports it.
        """
        places = self._places.get(name, ())
        if segments[:1] in _STANDARD or (not segments and name in _PRELUDE):
            return None
        modules = {*segments} - _LOCAL
        ranks = {
            place: (
                len(modules.intersection(self._names(place))),
                self._crate(place) == self._crate(path),
                _shared_folders(path, place),
            )
            for place in places
        }
        highest = max(ranks.values(), default=None)
        best = [place for place, rank in ranks.items() if rank == highest]
        if len(best) != 1:
            return None
        # The path begins in this repository, not in a dependency that has such a module, too.
        known = (_LOCAL, self._crates, self._names(best[0]))
        begins_here = not segments or any(segments[0] in names for names in known)
        return best[0] if begins_here and (not modules or ranks[best[0]][0]) else None

    def _names(self, place: str) -> set[str]:
        """Return what a path to the file's items may have among its segments."""
        if place not in self._known_names:
            parts = PurePosixPath(place).with_suffix("").parts
            self._known_names[place] = {self._crate(place), *parts}
        return self._known_names[place]

    def _crate(self, path: str) -> str:
        return self._modules[path].path.partition("::")[0]


def _last_path(text: str) -> str:
    """Return the path that a text ends with, without generics; empty if it ends with none.

    >>> _last_path("<T: Into<u8>> fmt::Sink<Item<T>, fn() -> T>")
    'fmt::Sink'
    """
    text, depth = text.replace("->", "  ").rstrip(), 0
    end = len(text)
    while end and (depth or text[end - 1] == ">"):
        depth += {">": 1, "<": -1}.get(text[end - 1], 0)
        end -= 1
    match = _LAST_PATH.search(text, max(end - _LONGEST_TEXT, 0), end)
    return re.sub(r"\s", "", match[0]) if match else ""


def _imports(tree: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each name in a `use` with the segments of its path, itself and `self` left out.

    >>> list(_imports("{std::fmt::{self, Write}, sink::Sink as Out}"))[2:5]
    [('self', ('std', 'fmt')), ('Write', ('std', 'fmt')), ('sink', ())]
    """
    groups: list[list[str]] = []
    path: list[str] = []
    for part in _TOKEN.findall(tree):
        if part == "{":
            groups.append(path)
            path = [*path]
        elif part in "},":
            path = [*groups[-1]] if groups else []
            if part == "}" and groups:
                groups.pop()
        elif part != "::":
            yield part, tuple(path)
            if len(path) < _LONGEST_PATH:
                path.append(part)


def _shared_folders(path: str, other: str) -> int:
    """Return the number of leading folders that two files have in common."""
    count = 0
    for one, two in zip(path.split("/")[:-1], other.split("/")[:-1], strict=False):
        if one != two:
            break
        count += 1
    return count
