"""Filters of a search, as conditions that Qdrant applies while it searches, never afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from lsif.identifiers import spellings
from search.errors import SearchError
from storage.query import Condition
from storage.schema import PATHS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Tests: TypeAlias = Literal["include", "exclude", "only"]
TESTS: tuple[Tests, ...] = get_args(Tests)

STRUCTURE_FIELDS = {
    "crate": "crate",
    "path": PATHS,
    "module": "context.module",
    "kind": "code_type",
    "visibility": "visibility",
    "owner": "context.struct_name",
    "trait": "trait_name",
    "origin": "origin",
}
"""Fields of a structure's payload by the name of their filter."""

BLOCK_FIELDS = {**STRUCTURE_FIELDS, "module": "module", "owner": "struct_name"}
"""The same for a block, which has these fields of its structure."""

EDGES = ("calls", "called_by", "implements")
"""Filters by what a structure refers to; their values are names that search.edges resolves."""

FILTER_NAMES = (*STRUCTURE_FIELDS, *EDGES)
"""All filters that take values."""

_WILD = re.compile(r"[*?]")
_NOTHING = re.compile(r"(?!)")
_ROOT = ("", ".")
_NAMES = frozenset({"owner", "trait"})
"""Filters whose values are names in sources, which spell them in several ways."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of a search. The values of one field are alternatives; every field must match.

    An empty field matches everything.
    """

    crate: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    """Folders, files or globs, relative to the repository's root.

    `*` and `?` stay within a folder, `**` does not.
    """
    module: tuple[str, ...] = ()
    """Names of the folders that the files are in, as in the tutorial."""
    kind: tuple[str, ...] = ()
    visibility: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    """Types without generics."""
    trait: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    """`index`: what the dump holds; `source`: what only the sources have."""
    tests: Tests = "include"
    generated: Tests = "include"
    """The same for code that a program wrote."""
    calls: tuple[str, ...] = ()
    """What structures refer to: ids, symbols or names, also of what is outside the index."""
    called_by: tuple[str, ...] = ()
    """What refers to the structures."""
    implements: tuple[str, ...] = ()
    """Traits, or members of traits."""

    def given(self) -> dict[str, tuple[str, ...]]:
        """Return the values by field of STRUCTURE_FIELDS, without the empty ones."""
        values = {name: getattr(self, name) for name in STRUCTURE_FIELDS}
        return {name: given for name, given in values.items() if given}

    def conditions(
        self, names: Mapping[str, str], files: Callable[[], Iterable[str]]
    ) -> tuple[Condition, ...] | None:
        """Return the conditions on the fields of those names; None if nothing can match.

        Those of EDGES are left out.

        `files` returns the paths of the index; it is called for globs only.
        """
        found = []
        for name, given in self.given().items():
            values = _resolve(given, files) if name == "path" else given
            if name in _NAMES:
                values = tuple(spelling for value in given for spelling in spellings(value))
            if not values:
                return None
            found.append(Condition(names[name], values))
        if self.tests != "include":
            found.append(Condition("is_test", (self.tests == "only",)))
        if self.generated != "include":  # points of earlier versions lack the field
            found.append(Condition("generated", (True,), negated=self.generated == "exclude"))
        return tuple(found)


def parse_filters(
    conditions: Iterable[str], tests: Tests = "include", generated: Tests = "include"
) -> Filters:
    """Return the filters of texts such as `crate=serde`. Values of the same field are alternatives.

    Raises SearchError for an unknown field or an empty value.
    """
    found: dict[str, list[str]] = {}
    for condition in conditions:
        field, separator, value = condition.partition("=")
        if field == "tests" and value in TESTS:
            tests = value
        elif field == "generated" and value in TESTS:
            generated = value
        elif not separator or not value or field not in FILTER_NAMES:
            names = ", ".join(FILTER_NAMES)
            raise SearchError(
                f"--filter takes FIELD=VALUE with {names}, or tests or generated with "
                f"{'|'.join(TESTS)}; "
                f"found {condition!r}."
            )
        else:
            found.setdefault(field, []).append(value)
    values = {field: tuple(values) for field, values in found.items()}
    return Filters(**values, tests=tests, generated=generated)


def _resolve(patterns: tuple[str, ...], files: Callable[[], Iterable[str]]) -> tuple[str, ...]:
    """Return folders and files: each glob is replaced by the files that match it."""
    trimmed = [pattern.removeprefix("./").rstrip("/") for pattern in patterns]
    plain = ["**" if pattern in _ROOT else pattern for pattern in trimmed]
    globs = [_Glob(pattern) for pattern in plain if _WILD.search(pattern)]
    matching = (
        [path for path in files() if any(glob.matches(path) for glob in globs)] if globs else []
    )
    return tuple(
        dict.fromkeys([*(pattern for pattern in plain if not _WILD.search(pattern)), *matching])
    )


class _Glob:
    """A pattern of a path. `**` matches any number of folders; `*` and `?` stay within a name."""

    def __init__(self, pattern: str) -> None:
        self._parts = [None if part == "**" else _compile(part) for part in pattern.split("/")]

    def matches(self, path: str) -> bool:
        """Return whether the path matches."""
        positions = self._passed({0})
        for name in path.split("/"):
            entered = set[int]()
            for position in positions:
                part = self._parts[position] if position < len(self._parts) else _NOTHING
                if part is None:
                    entered.add(position)
                elif part.fullmatch(name):
                    entered.add(position + 1)
            positions = self._passed(entered)
        return len(self._parts) in positions

    def _passed(self, positions: set[int]) -> set[int]:
        """Return the positions with those after a **, which may match nothing."""
        passed = set(positions)
        for position in sorted(positions):
            while position < len(self._parts) and self._parts[position] is None:
                position += 1  # noqa: PLW2901 - the walk
                passed.add(position)
        return passed


def _compile(part: str) -> re.Pattern[str]:
    """Return the pattern of a name as a regular expression.

    A star that another star follows matches as little as possible: more is never needed, and
    trying more could take forever.
    """
    literals = [re.escape(literal).replace(r"\?", ".") for literal in re.split(r"\*+", part)]
    first, *rest = literals
    if not rest:
        return re.compile(first, re.DOTALL)
    between = "".join(f"(?>.*?{literal})" for literal in rest[:-1])
    return re.compile(f"{first}{between}.*{rest[-1]}", re.DOTALL)
