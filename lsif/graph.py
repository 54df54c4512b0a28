"""Tables to definitions: follows the edges of a dump. Knows no file format and no source.

Nothing can be finished before the last line is seen, since rust-analyzer writes all documents and ranges first and all results
after them. So the tables are whole when the edges are followed, for all definitions at once.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lsif.elements import POSITION_ENCODINGS, Range
from lsif.errors import DumpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from lsif.hover import Hover
    from lsif.tables import Tables

_MAX_NEXT = 16
"""Longest chain of `next` edges that is followed; real ones have one or two, a cycle has no end."""
_NOTHING = -1


class Definition(NamedTuple):
    """One definition that may be an item: where its name stands and what the indexer says of it."""

    document_uri: str
    range: Range
    hover: Hover
    references: int
    """Places that refer to it, in all documents of the dump."""
    referencing_files: int
    """Documents that these stand in."""

    def with_references_of(self, other: Definition) -> Definition:
        """Return the definition with what refers to another one of the same place, as one file in several crates has."""
        return self._replace(
            references=self.references + other.references,
            referencing_files=max(self.referencing_files, other.referencing_files),
        )


class Graph:
    """A dump's definitions."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.meta = tables.meta
        self.skipped: Counter[str] = Counter()
        """Definitions that are no items, by reason; complete once `definitions` has run."""

    @property
    def document_count(self) -> int:
        """Number of documents, those outside the project included."""
        return len(self._tables.uris)

    def check_complete(self) -> None:
        """Raise DumpError where the dump ends early, or counts columns in an unknown way.

        References are the last thing that rust-analyzer writes of a result set, and each has them.
        """
        if self.meta.position_encoding not in POSITION_ENCODINGS:
            raise DumpError(
                f"the dump's metaData says positionEncoding {self.meta.position_encoding!r}; "
                f"expected {', '.join(POSITION_ENCODINGS)}."
            )
        finished, result_sets = len(self._tables.edges["textDocument/references"].to_array()), self._tables.result_sets
        if self.meta.tool.startswith("rust-analyzer") and finished < result_sets:
            raise DumpError(
                f"the dump is cut off: {finished} of its {result_sets} result sets are finished. "
                "Make it again with `lsif-ingest dump --repo DIR -o FILE`."
            )

    def definitions(self, is_inside: Callable[[str], bool]) -> Iterator[Definition]:
        """Yield each definition whose document's URI `is_inside` and whose hover is an item's; `skipped` counts the others."""
        tables, followed = self._tables, self._followed
        references, files = _Lookup(_count_references(tables.references.to_array())).rows(followed.references)
        ranges = _Lookup(tables.ranges.to_array()).rows(followed.ranges, missing=_NOTHING)
        rows = zip(
            ((followed.owners != _NOTHING) & (ranges[0] != _NOTHING)).tolist(),
            followed.documents.tolist(),
            followed.ranges.tolist(),
            ranges.T.tolist(),
            followed.hovers.tolist(),
            references.tolist(),
            files.tolist(),
            strict=True,
        )
        for is_reachable, document, range_id, place, hover_id, reference_count, file_count in rows:
            uri = tables.uris.get(document)
            if not is_reachable or uri is None:
                self.skipped["dangling"] += 1
                continue
            if not is_inside(uri):
                self.skipped["external"] += 1
                continue
            hover = tables.hover(hover_id)
            reason = _reason(hover)
            if reason is not None or hover is None:
                self.skipped[reason or "no_hover"] += 1
                continue
            yield Definition(uri, Range(range_id, *place), hover, reference_count, file_count)

    def references_between(self, group_of: Callable[[str], str | None]) -> int:
        """Return how many places refer to a definition in a document of another group; documents of no group don't count."""
        tables = self._tables
        numbers: dict[str, int] = {}
        groups = np.array(
            [
                (document, numbers.setdefault(group, len(numbers)))
                for document, uri in tables.uris.items()
                if (group := group_of(uri)) is not None
            ],
            dtype=np.int64,
        ).reshape(-1, 2)
        group_number = _Lookup(groups)
        home = _Lookup(np.stack([self._followed.references, group_number[self._followed.documents]], axis=1))
        reference_results, from_documents, places = tables.references.to_array().T
        there, here = home[reference_results], group_number[from_documents]
        return int(places[(there != here) & (there != _NOTHING) & (here != _NOTHING)].sum())

    @cached_property
    def _followed(self) -> _Followed:
        """What the edges of each definition lead to; followed once, whoever asks."""
        tables = self._tables
        results, documents, ranges = tables.definitions.to_array().T
        owners = _Lookup(tables.edges["textDocument/definition"].to_array()[:, ::-1])[results]
        chain = _Lookup(tables.edges["next"].to_array())
        hovers, references = (
            _follow(owners, _Lookup(tables.edges[label].to_array()), chain)
            for label in ("textDocument/hover", "textDocument/references")
        )
        return _Followed(documents, ranges, owners, hovers, references)


class _Followed(NamedTuple):
    """Ids, one a definition; -1 where an edge leads nowhere."""

    documents: NDArray[np.int64]
    ranges: NDArray[np.int64]
    owners: NDArray[np.int64]
    """Result set that the definition is of."""
    hovers: NDArray[np.int64]
    references: NDArray[np.int64]


class _Lookup:
    """Rows found by their first column; where one comes twice, the larger row counts."""

    def __init__(self, rows: NDArray[np.int64]) -> None:
        self._rows = rows[np.lexsort(rows.T[::-1])]
        self._keys = np.ascontiguousarray(self._rows[:, 0])

    def __getitem__(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the second column for each key, -1 where there is none."""
        found: NDArray[np.int64] = self.rows(keys, missing=_NOTHING)[0]
        return found

    def rows(self, keys: NDArray[np.int64], *, missing: int = 0) -> NDArray[np.int64]:
        """Return the columns after the first for each key, (width - 1, len(keys)), `missing` where there is none."""
        if not len(self._keys):
            return np.full((self._rows.shape[1] - 1, len(keys)), missing, dtype=np.int64)
        at = np.maximum(np.searchsorted(self._keys, keys, side="right") - 1, 0)
        found = self._rows[at, 1:].T.copy()
        found[:, self._keys[at] != keys] = missing
        return found


def _follow(owners: NDArray[np.int64], edge: _Lookup, chain: _Lookup) -> NDArray[np.int64]:
    """Return what the edge of each owner, or of the result sets behind it, leads to; -1 where nothing does."""
    found, current = edge[owners], owners
    for _ in range(_MAX_NEXT):
        open_ends = np.flatnonzero((found == _NOTHING) & (current != _NOTHING))
        if not len(open_ends):
            break
        current = current.copy()
        current[open_ends] = chain[current[open_ends]]
        found[open_ends] = edge[current[open_ends]]
    return found


def _count_references(references: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (reference result, places, documents) rows of (reference result, document, places) rows."""
    if not len(references):
        return np.empty((0, 3), dtype=np.int64)
    rows = references[np.lexsort((references[:, 1], references[:, 0]))]
    begins = np.flatnonzero(np.append(True, rows[1:, 0] != rows[:-1, 0]))
    new_document = np.append(True, (rows[1:, :2] != rows[:-1, :2]).any(axis=1))
    places, documents = np.add.reduceat(rows[:, 2], begins), np.add.reduceat(new_document.astype(np.int64), begins)
    return np.stack([rows[begins, 0], places, documents], axis=1)


def _reason(hover: Hover | None) -> str | None:
    """Return why the hover is that of no item, None where it is one."""
    if hover is None:
        return "no_hover"
    if hover.path is None:
        return "crate_root" if hover.declaration else "local"
    return "field_or_variant" if hover.code_type is None else None
