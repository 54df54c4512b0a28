"""What a search is confined to, as conditions that Qdrant applies while it searches, never afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from search.errors import SearchError
from storage.index import Condition
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
}
"""Where the payload of a structure holds what is filtered on."""

BLOCK_FIELDS = {**STRUCTURE_FIELDS, "module": "module", "owner": "struct_name"}
"""The same of a block: what is said there of its structure."""


_WILD = re.compile(r"[*?]")
_NOTHING = re.compile(r"(?!)")
_ROOT = ("", ".")


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search is confined to. The values of one field are alternatives; all fields must fit; an empty one fits everything."""

    crate: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    """Folders, files, or globs: * and ? stay within a folder, ** does not. Relative to the repository's root."""
    module: tuple[str, ...] = ()
    """Names of the folders that files lie in, as in the tutorial."""
    kind: tuple[str, ...] = ()
    visibility: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    """Types without generics."""
    trait: tuple[str, ...] = ()
    tests: Tests = "include"

    def given(self) -> dict[str, tuple[str, ...]]:
        """Return the values by field, without those that confine nothing."""
        values = {field.name: getattr(self, field.name) for field in fields(self)[:-1]}
        return {name: given for name, given in values.items() if given}

    def conditions(
        self, names: Mapping[str, str], files: Callable[[], Iterable[str]]
    ) -> tuple[Condition, ...] | None:
        """Return the conditions on the fields of those names; None where nothing can fit.

        `files` gives the paths that there are; it is called for globs only.
        """
        found = []
        for name, given in self.given().items():
            values = _resolve(given, files) if name == "path" else given
            if not values:
                return None
            found.append(Condition(names[name], values))
        if self.tests != "include":
            found.append(Condition("is_test", (self.tests == "only",)))
        return tuple(found)


def parse_filters(conditions: Iterable[str], tests: Tests = "include") -> Filters:
    """Return the filters that `field=value` texts name; the values of a field that comes several times are alternatives.

    Raises SearchError for an unknown field or an empty value.
    """
    found: dict[str, list[str]] = {}
    for condition in conditions:
        field, separator, value = condition.partition("=")
        if field == "tests" and value in TESTS:
            tests = value
        elif not separator or not value or field not in STRUCTURE_FIELDS:
            names = ", ".join(STRUCTURE_FIELDS)
            raise SearchError(
                f"--filter takes FIELD=VALUE with {names} or tests={'|'.join(TESTS)}; found {condition!r}."
            )
        else:
            found.setdefault(field, []).append(value)
    return Filters(**{field: tuple(values) for field, values in found.items()}, tests=tests)


def _resolve(patterns: tuple[str, ...], files: Callable[[], Iterable[str]]) -> tuple[str, ...]:
    """Return folders and files: globs are replaced by the files that they fit."""
    trimmed = [pattern.removeprefix("./").rstrip("/") for pattern in patterns]
    plain = ["**" if pattern in _ROOT else pattern for pattern in trimmed]
    globs = [_Glob(pattern) for pattern in plain if _WILD.search(pattern)]
    fitting = [path for path in files() if any(glob.fits(path) for glob in globs)] if globs else []
    return tuple(
        dict.fromkeys([*(pattern for pattern in plain if not _WILD.search(pattern)), *fitting])
    )


class _Glob:
    """A pattern of a path: ** stands for any folders, none too; * and ? stay within a name."""

    def __init__(self, pattern: str) -> None:
        self._parts = [None if part == "**" else _compile(part) for part in pattern.split("/")]

    def fits(self, path: str) -> bool:
        """Return whether the path is one of those."""
        places = self._passed({0})
        for name in path.split("/"):
            entered = set[int]()
            for place in places:
                part = self._parts[place] if place < len(self._parts) else _NOTHING
                if part is None:
                    entered.add(place)
                elif part.fullmatch(name):
                    entered.add(place + 1)
            places = self._passed(entered)
        return len(self._parts) in places

    def _passed(self, places: set[int]) -> set[int]:
        """Return the places with those behind a **, which may stand for nothing."""
        passed = set(places)
        for place in sorted(places):
            while place < len(self._parts) and self._parts[place] is None:
                place += 1  # noqa: PLW2901 - the walk
                passed.add(place)
        return passed


def _compile(part: str) -> re.Pattern[str]:
    """Return the pattern of a name as a regular expression.

    A star ends where what follows it first stands, if another star comes behind that: more is never needed, and trying more
    would take time without end.
    """
    literals = [re.escape(literal).replace(r"\?", ".") for literal in re.split(r"\*+", part)]
    first, *rest = literals
    if not rest:
        return re.compile(first, re.DOTALL)
    between = "".join(f"(?>.*?{literal})" for literal in rest[:-1])
    return re.compile(f"{first}{between}.*{rest[-1]}", re.DOTALL)
