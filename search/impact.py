"""What a change may have an effect on: what reaches the structures whose own lines changed.

Which lines these are is found out by search.changes; what reaches them by search.walk.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from machine.git_diff import Lines
from search import limits
from search.cargo_tests import is_test_function
from search.changes import own_lines
from search.graph import edges_to, node_of, read, select, tests_among
from search.references import Neighbour
from search.relations import Subject, facts, related
from search.walk import walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from lsif.structure import Structure
    from search.changes import ChangedFile, State
    from search.references import References
    from search.relations import Related
    from search.walk import Walked
    from storage.index import Points

T = TypeVar("T")

_NOT_FOLLOWED = frozenset({"Module"})
"""Kinds whose own lines are documentation; whatever names a path refers to them."""
_NOT_TESTED = frozenset({"Impl", "Module"})
"""Kinds that nothing calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Subject):
    """A structure whose own lines changed."""

    reached_by: int
    """Structures that reach it, tests included."""
    tests: int
    """Tests that reach it; helpers of tests are not counted."""
    untested: bool
    """Whether a test should reach it and none does. False also for what tests don't reach, such as
    impl blocks, and for what is in no dump: what refers to it is not known."""


@dataclass(frozen=True, slots=True)
class FileImpact:
    """A file that changed."""

    file_path: str
    state: State
    in_index: bool
    """Whether the index has structures of it. If not, nothing is known of it."""
    outside: bool
    """Whether lines changed that belong to no structure, such as a `use`. They are not followed."""


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """The first items of a list."""

    total: int
    items: list[T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What changed, and what reaches it."""

    depth: int
    changed: Part[Changed]
    """The most used first."""
    reached: Part[Related]
    """What is neither a test nor changed itself: the nearest first, then the most used."""
    tests: Part[Related]
    """Those that reach what changed, in the same order; those that changed are 0 steps away."""
    untested: Part[Changed]
    """Those of the changed that a test should reach and none does, the most used first."""
    files: list[FileImpact]
    is_all: bool
    """Whether all that reaches them was counted: else there is more."""

    def to_dict(self) -> dict[str, Any]:
        """Return the impact as plain data."""
        return asdict(self)


class Followed(NamedTuple):
    """What reaches some structures."""

    walked: Walked
    tests: set[str]
    """Ids of the tests among what reaches them."""


def assess(
    references: References, files: Sequence[ChangedFile], *, depth: int, limit: int
) -> Impact:
    """Return the impact of changed files; each list of it has at most `limit` items."""
    points = references.lookup.generation.structures
    ids, noted = _owners(points, files)
    structures = sorted(references.structures(ids).values(), key=_by_use)
    followed = follow(points, structures, depth)
    changed = _changed(structures, followed)
    own_tests = [Neighbour(test.id, test, steps=0) for test in filter(is_test_function, structures)]
    others = [found for found in followed.walked.ordered().items if found.key not in ids]
    tests = [found for found in others if found.key in followed.tests]
    reached = [found for found in others if found.key not in followed.tests]
    shown = [*own_tests, *references.neighbours(tests[:limit])][:limit]
    untested = [structure for structure in changed if structure.untested]
    return Impact(
        depth=depth,
        changed=Part(len(changed), changed[:limit]),
        reached=Part(len(reached), related(references.neighbours(reached[:limit]), references)),
        tests=Part(len(own_tests) + len(tests), related(shown, references)),
        untested=Part(len(untested), untested[:limit]),
        files=noted,
        is_all=followed.walked.is_all,
    )


def follow(points: Points[Structure], structures: Iterable[Structure], depth: int) -> Followed:
    """Return what reaches the structures in at most `depth` steps."""
    targets = [
        node_of(structure) for structure in structures if structure.code_type not in _NOT_FOLLOWED
    ]
    walked = walk(partial(edges_to, points), targets, depth, limits.WALKED)
    return Followed(walked, tests_among(points, [found.node for found in walked.found.values()]))


def count_tests(
    points: Points[Structure], ids: Collection[str], depth: int = limits.IMPACT_STEPS
) -> dict[str, int]:
    """Return how many tests reach each of the structures; those that none may reach are absent."""
    followed = follow(points, read(points, ids), depth)
    return followed.walked.counts(followed.tests)


def _owners(
    points: Points[Structure], files: Sequence[ChangedFile]
) -> tuple[set[str], list[FileImpact]]:
    """Return the ids of the structures whose own lines changed, and what is said of the files."""
    spans: dict[str, dict[str, Lines]] = {}
    fields = ("context.file_path", "line_from", "line_to")
    paths = {file.file_path for file in files}
    for key, (path, first, last) in select(points, fields, fields[0], paths):
        spans.setdefault(path, {})[key] = Lines(first, last)
    ids, noted = set[str](), []
    for path, state, lines in files:
        owners = own_lines(spans.get(path, {}), lines)
        ids |= owners.ids
        outside = owners.is_any_outside and path in spans and state != "deleted"
        noted.append(FileImpact(path, state, path in spans, outside))
    return ids, noted


def _changed(structures: Sequence[Structure], followed: Followed) -> list[Changed]:
    reached_by = followed.walked.counts(followed.walked.found)
    tests = followed.walked.counts(followed.tests)
    return [
        Changed(
            **facts(structure.id, structure),
            reached_by=reached_by.get(structure.id, 0),
            tests=tests.get(structure.id, 0),
            untested=_should_be_tested(structure) and not tests.get(structure.id),
        )
        for structure in structures
    ]


def _should_be_tested(structure: Structure) -> bool:
    kind, is_known = structure.code_type, structure.origin == "index"
    return is_known and not structure.is_test and kind not in _NOT_TESTED


def _by_use(structure: Structure) -> tuple[int, str, int]:
    return -structure.references, structure.context.file_path, structure.line
