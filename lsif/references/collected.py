"""The references of a dump, sorted by the file that they stand in, before any file is read.

The dump's tables are large, and are not kept while the files are read: what is needed of them then
is in arrays here, and the places are on the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lsif.anchors import is_called, symbol_of
from lsif.reader.follow import NOTHING, Lookup
from lsif.references.heads import Heads
from lsif.references.scattered import ScatteredRows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from numpy.typing import NDArray

    from lsif.reader.graph import Graph


class Collected(NamedTuple):
    """References of a dump."""

    paths: list[str]
    """All files that may have places, sorted; a place names its file by the number in this list."""
    results: NDArray[np.int64]
    """Reference results, one for each definition that something refers to or is related to."""
    ranges: NDArray[np.int64]
    """The ranges of these definitions."""
    heads: dict[int, list[int]]
    """Reference results of what stands inside the range of a definition; see lsif.references.heads.
    """
    outside: dict[int, str]
    """Symbols of those in files that are not among `paths`, by their index."""
    called: set[str]
    """Those of these symbols that can be called."""
    counts: NDArray[np.int64]
    """Number of places of each of the definitions."""
    implementations: NDArray[np.int64]
    """Rows (result of what implements, result of what it implements), as far as the dump says."""
    places: ScatteredRows
    """Rows (file, line, column, length, reference result); lines and columns are 0-based."""
    left_out: int
    """Places in files that are not among `paths`."""


def collect(
    graph: Graph, paths: Collection[str], path_of: Callable[[str], str | None], folder: Path
) -> Collected:
    """Return the references of the dump; their places stand in files of the folder.

    `path_of` returns the path of a document's URI, None if it is outside the root.
    """
    ordered = sorted(paths)
    ranks = {path: rank for rank, path in enumerate(ordered)}
    of_document = {
        number: ranks.get(path_of(uri) or "", NOTHING) for number, uri in graph.documents().items()
    }
    file_of = Lookup(np.array([*of_document.items()], dtype=np.int64).reshape(-1, 2))
    counted = graph.reference_counts()
    files = file_of[counted[:, 1]]
    inside = files != NOTHING
    by_file = np.bincount(files[inside], counted[inside, 2], len(ordered)).astype(np.int64)
    places = ScatteredRows(folder, 5, by_file)
    referred = graph.referred()
    home = file_of[referred.documents]
    items = referred.may_be_item
    heads = Heads(home[items], referred.ranges[items], referred.extents[:, items])
    for rows in graph.referring():
        file = file_of[rows[:, 1]]
        here = np.column_stack([file, rows[:, 2:], rows[:, 0]])[file != NOTHING]
        heads.add(here)
        places.add(here)
    by_result = _summed(counted[inside][:, [0, 2]])
    of_definition = by_result.rows(referred.results)[0]
    implementations = graph.implementations()
    wanted = np.flatnonzero(of_definition + np.isin(referred.results, implementations))
    outside, called = dict[int, str](), set[str]()
    for index in np.flatnonzero(home[wanted] == NOTHING).tolist():
        hover = graph.hover_of(int(referred.hovers[wanted[index]]))
        if symbol := symbol_of(hover):
            outside[index] = symbol
            called |= {symbol} if is_called(hover) else set()
    return Collected(
        paths=ordered,
        results=referred.results[wanted],
        ranges=referred.ranges[wanted],
        heads=heads.by_range(),
        outside=outside,
        called=called,
        counts=of_definition[wanted],
        implementations=implementations,
        places=places,
        left_out=int(counted[~inside, 2].sum()),
    )


def _summed(rows: NDArray[np.int64]) -> Lookup:
    """Return the sums of the second column by the first."""
    keys, back = np.unique(rows[:, 0], return_inverse=True)
    sums = np.bincount(back, rows[:, 1], len(keys)).astype(np.int64)
    return Lookup(np.column_stack([keys, sums]))
