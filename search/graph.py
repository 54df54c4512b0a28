"""What refers to what in a generation, read from its points: the edges that walks go along.

An edge leads from a structure to what its own lines refer to: a structure, by its id, or a symbol
outside the index.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from search.cargo_tests import has_test_attribute
from search.lookup import is_id
from storage.query import Condition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from lsif.structure import Structure
    from storage.index import Points

_IDS = 1_000
"""Ids in one filter."""
_READ = 200
"""Structures that are read at once."""


class Node(NamedTuple):
    """A structure, or a symbol outside the index, as far as walks need it."""

    key: str
    """Id of the structure; else the symbol, of which nothing else is known."""
    implements: Sequence[str] = ()
    """Keys of traits' members; those of traits if it is an impl block."""
    code_type: str = ""
    crate: str = ""
    is_test: bool = False
    """Whether it is test code: a test, or what helps tests."""
    references: int = 0
    file_path: str = ""
    line: int = 0

    @property
    def is_outside(self) -> bool:
        """Whether it is a symbol outside the index."""
        return not self.code_type


_OF_NODES = (
    "implements",
    "code_type",
    "crate",
    "is_test",
    "references",
    "context.file_path",
    "line",
)


class Edge(NamedTuple):
    """A structure that refers to something, or may do so."""

    source: Node
    target: str
    """Key of what it refers to."""
    is_guessed: bool
    """Whether only names say so."""


def node_of(structure: Structure) -> Node:
    """Return the structure as a node."""
    return Node(
        structure.id,
        structure.implements,
        structure.code_type,
        structure.crate,
        structure.is_test,
        structure.references,
        structure.context.file_path,
        structure.line,
    )


def edges_to(points: Points[Structure], keys: Collection[str]) -> Iterator[Edge]:
    """Yield what refers to one of the keys; the same edge may come several times."""
    ids, symbols = set(filter(is_id, keys)), {key for key in keys if not is_id(key)}
    for field, wanted in (("refers_to", ids), ("uses", symbols), ("may_refer_to", ids)):
        for key, (named, *values) in select(points, (field, *_OF_NODES), field, wanted):
            source = _node(key, values)
            for target in wanted.intersection(named or ()):
                yield Edge(source, target, field == "may_refer_to")


def implementing(points: Points[Structure], keys: Collection[str]) -> Iterator[Node]:
    """Yield what implements one of the traits, or of the traits' members."""
    for key, values in select(points, _OF_NODES, "implements", keys):
        yield _node(key, values)


def tests_among(points: Points[Structure], nodes: Iterable[Node]) -> set[str]:
    """Return the ids of those that are tests, as search.cargo_tests says: what helps tests is none.

    The source of a function of test code is read if something refers to it.
    """
    functions = [node for node in nodes if node.is_test and node.code_type == "Function"]
    called = [node.key for node in functions if node.references]
    tests = {node.key for node in functions if not node.references}
    sources = select(points, ("context.snippet",), "id", called)
    return tests | {key for key, (snippet,) in sources if has_test_attribute(snippet)}


def select(
    points: Points[Structure], names: Sequence[str], field: str, keys: Iterable[str]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield id and fields of the structures whose `field` has one of the keys.

    One that has several of many keys may come more than once.
    """
    wanted = sorted(keys)
    for begin in range(0, len(wanted), _IDS):
        where = [Condition(field, tuple(wanted[begin : begin + _IDS]))]
        for row in points.select(names, where=where):
            yield row.id, row.values


def read(points: Points[Structure], ids: Iterable[str]) -> Iterator[Structure]:
    """Yield the structures of these ids; the index may lack some that Qdrant rejected."""
    waiting = iter(ids)
    while batch := [*islice(waiting, _READ)]:
        yield from (point.record for point in points.retrieve(batch, vectors=False))


def _node(key: str, values: Sequence[Any]) -> Node:
    """Return the node of this id; `values` are those of _OF_NODES."""
    implements, code_type, crate, is_test, references, file_path, line = values
    return Node(
        key,
        implements or (),
        code_type,
        crate,
        bool(is_test),
        references or 0,
        file_path,
        line,
    )
