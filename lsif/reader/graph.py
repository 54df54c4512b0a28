"""Tables to definitions: follows the edges of a dump. Knows no file format and no source.

rust-analyzer writes all documents and ranges first and all results after them, so nothing is
complete before the last line. The edges are therefore followed when the tables are complete, for
all definitions at once.
"""

from __future__ import annotations

import posixpath
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lsif.errors import DumpError
from lsif.reader.elements import POSITION_ENCODINGS, Range
from lsif.reader.follow import NOTHING, Lookup, count_references, follow
from lsif.reader.hover import CRATE_ROOT, NO_ITEM, PLAIN_HOVERS, decode_hover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from lsif.reader.elements import FoldingRange, Symbol
    from lsif.reader.hover import Hover
    from lsif.reader.spill import SpilledRows
    from lsif.reader.tables import Tables

_FILE = "file://"


class Definition(NamedTuple):
    """One definition that may be an item: its name's range and what the indexer says about it."""

    document_uri: str
    range: Range
    raw_hover: Hover | bytes | None
    """The hover as the dump has it; bytes are a line of JSON."""
    references: int
    """Places that refer to it, in all documents of the dump."""
    referencing_files: int
    """Documents that these places are in."""

    @property
    def hover(self) -> Hover | None:
        """The decoded hover, None if there is none or it can't be decoded; see `decoded`."""
        return decode_hover(self.raw_hover)

    def decoded(self) -> Definition:
        """Return the definition with its hover decoded.

        Decoding takes time, so workers do it when they read the sources.
        """
        return self._replace(raw_hover=decode_hover(self.raw_hover))

    def with_references_of(self, other: Definition) -> Definition:
        """Return the definition with the references of another one at the same position.

        A file in several crates has such definitions.
        """
        return self._replace(
            references=self.references + other.references,
            referencing_files=max(self.referencing_files, other.referencing_files),
        )


class Outline(NamedTuple):
    """What the indexer says about a document as a whole."""

    language: str
    """Language identifier; empty where the dump has none."""
    folding_ranges: tuple[FoldingRange, ...] = ()
    symbols: tuple[Symbol, ...] = ()
    contents: str | None = None
    """The file's content, base64; None where the dump does not hold it."""
    position_encoding: str | None = None
    """Unit of its columns, if it has one of its own."""

    def folds(self) -> dict[int, list[int]]:
        """Return the last rows of the folding ranges by their first row, comments left out."""
        found: dict[int, list[int]] = {}
        for fold in self.folding_ranges:
            if not fold.is_comment:
                found.setdefault(fold.line, []).append(fold.end_line)
        return found


class Graph:
    """A dump's definitions."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.meta = tables.meta
        self.skipped = tables.skipped.copy()
        """Definitions that are no items, by reason; complete once `definitions` has run."""

    @property
    def document_count(self) -> int:
        """Number of documents, those outside the project included."""
        return len(self._tables.documents)

    @property
    def document_uris(self) -> list[str]:
        """URIs of all documents, those outside the project included."""
        return [document.uri for document in self._tables.documents.values()]

    @property
    def project_root(self) -> str:
        """URI of the dumped folder; empty if the dump has none."""
        roots = [uri.rstrip("/") for uri in self._tables.roots if uri.startswith(_FILE)]
        if self.meta.project_root or not roots:
            return self.meta.project_root
        return _FILE + posixpath.commonpath([uri.removeprefix(_FILE) or "/" for uri in roots])

    def check_complete(self) -> None:
        """Raise DumpError if the dump ends early or counts columns in an unknown unit.

        References are the last thing that rust-analyzer writes of a result set, and each has them.
        lsif-tsc ends with events.
        """
        if self.meta.position_encoding not in POSITION_ENCODINGS:
            raise DumpError(
                f"the dump's metaData says positionEncoding {self.meta.position_encoding!r}; "
                f"expected {', '.join(POSITION_ENCODINGS)}."
            )
        finished = len(self._tables.edges["textDocument/references"].to_array())
        result_sets = self._tables.result_sets
        if self.meta.is_rust_analyzers and finished < result_sets:
            raise DumpError(
                f"the dump is cut off: {finished} of its {result_sets} result sets are finished. "
                "Make it again with `lsif-ingest dump --repo DIR -o FILE`."
            )
        if self._tables.open_events > 0:
            raise DumpError(
                f"the dump is cut off: {self._tables.open_events} of its projects and documents "
                "have a beginning but no end. Make it again."
            )

    def definitions(self, is_inside: Callable[[str], bool]) -> Iterator[Definition]:
        """Yield each definition that may be an item and whose document `is_inside`.

        `skipped` counts the others.
        """
        tables, followed = self._tables, self._followed
        references, files = Lookup(count_references(tables.references.to_array())).rows(
            followed.references
        )
        ranges = Lookup(tables.ranges.to_array()).rows(followed.ranges, missing=NOTHING)
        known, inside = self._places(followed.documents, is_inside)
        reachable = (followed.owners != NOTHING) & (ranges[0] != NOTHING) & known
        plain = Lookup(tables.plain_hovers.to_array())[followed.hovers]
        in_project = reachable & inside
        if not self.meta.is_rust_analyzers:
            # What other indexers write over an item may look like a local's hover here.
            plain = np.full_like(plain, NOTHING)
        skipped = {
            "dangling": ~reachable,
            "external": reachable & ~inside,
            "local": in_project & (plain == PLAIN_HOVERS.index(NO_ITEM)),
            "crate_root": in_project & (plain == PLAIN_HOVERS.index(CRATE_ROOT)),
        }
        self.skipped.update(
            {reason: int(where.sum()) for reason, where in skipped.items() if where.any()}
        )
        rest = np.flatnonzero(in_project & (plain == NOTHING))
        rows = zip(
            followed.documents[rest].tolist(),
            followed.ranges[rest].tolist(),
            ranges[:, rest].T.tolist(),
            followed.hovers[rest].tolist(),
            references[rest].tolist(),
            files[rest].tolist(),
            strict=True,
        )
        for document, range_id, place, hover_id, reference_count, file_count in rows:
            hover = tables.hovers.get(hover_id)
            line, column, end_line, end_column = place
            tag = tables.tags.get(range_id)
            where = Range(range_id, line, column, end_line, end_column, tag)
            yield Definition(
                tables.documents[document].uri, where, hover, reference_count, file_count
            )

    def outlines(self, is_inside: Callable[[str], bool]) -> dict[str, Outline]:
        """Return the outline of each document whose URI `is_inside`, by URI."""
        tables = self._tables
        folds = dict(tables.edges["textDocument/foldingRange"].to_array().tolist())
        symbols = dict(tables.edges["textDocument/documentSymbol"].to_array().tolist())
        return {
            document.uri: Outline(
                document.language,
                tuple(tables.folding_ranges.get(folds.get(number, NOTHING), ())),
                tuple(tables.symbols.get(symbols.get(number, NOTHING), ())),
                document.contents,
                document.position_encoding,
            )
            for number, document in tables.documents.items()
            if is_inside(document.uri)
        }

    def references_between(self, group_of: Callable[[str], str | None]) -> int:
        """Return the number of places that refer to a definition in a document of another group.

        Documents of no group don't count.
        """
        tables = self._tables
        numbers: dict[str, int] = {}
        groups = np.array(
            [
                (number, numbers.setdefault(group, len(numbers)))
                for number, document in tables.documents.items()
                if (group := group_of(document.uri)) is not None
            ],
            dtype=np.int64,
        ).reshape(-1, 2)
        group_number = Lookup(groups)
        home = Lookup(
            np.stack([self._followed.references, group_number[self._followed.documents]], axis=1)
        )
        reference_results, from_documents, places = tables.references.to_array().T
        there, here = home[reference_results], group_number[from_documents]
        return int(places[(there != here) & (there != NOTHING) & (here != NOTHING)].sum())

    def referred(self) -> Referred:
        """Return the definitions that have a reference result, whatever document they are in.

        What else references are to follows.
        """
        tables, followed = self._tables, self._followed
        has_result = np.flatnonzero(followed.references != NOTHING)
        results, documents, ranges, hovers = tables.further.to_array().T
        ranges = np.append(followed.ranges[has_result], ranges)
        hovers = np.append(followed.hovers[has_result], hovers)
        return Referred(
            results=np.append(followed.references[has_result], results),
            documents=np.append(followed.documents[has_result], documents),
            ranges=ranges,
            hovers=hovers,
            extents=Lookup(tables.ranges.to_array()).rows(ranges, missing=NOTHING),
            may_be_item=Lookup(tables.plain_hovers.to_array())[hovers] == NOTHING,
        )

    def referring(self) -> Iterator[NDArray[np.int64]]:
        """Yield what refers to something, in blocks of rows, in no particular order.

        A row is reference result, document, line, column, length; the length is 0 if several lines
        are spanned. There are none unless the tables were read with their places.
        """
        places = self._tables.places
        if places is None:
            return
        if self._tables.places_are_ranges:
            yield from self._referring_ranges(places)
        else:
            yield from places.blocks()

    def _referring_ranges(self, places: SpilledRows) -> Iterator[NDArray[np.int64]]:
        """Yield the same of places that only name their ranges."""
        ranges = Lookup(self._tables.ranges.to_array())
        for block in places.blocks():
            line, column, end_line, end_column = ranges.rows(block[:, 2], missing=NOTHING)
            length = np.where(end_line == line, end_column - column, 0)
            rows = np.column_stack([block[:, :2], line, column, np.maximum(length, 0)])
            yield rows[line != NOTHING]

    def reference_counts(self) -> NDArray[np.int64]:
        """Return rows (reference result, document, number of places)."""
        return self._tables.references.to_array()

    def implementations(self) -> NDArray[np.int64]:
        """Return rows (reference result of what implements, of what it implements)."""
        return self._tables.implementations.to_array()

    def documents(self) -> dict[int, str]:
        """Return the URIs of the documents by their numbers in rows."""
        return {number: document.uri for number, document in self._tables.documents.items()}

    def hover_of(self, number: int) -> Hover | None:
        """Return the decoded hover of that number, None if it says no more than PLAIN_HOVERS."""
        return decode_hover(self._tables.hovers.get(number))

    def _places(
        self, documents: NDArray[np.int64], is_inside: Callable[[str], bool]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return for each document whether there is one, and whether it is inside."""
        each, back = np.unique(documents, return_inverse=True)
        found = [self._tables.documents.get(number) for number in each.tolist()]
        known = np.array([document is not None for document in found], dtype=bool)
        inside = np.array(
            [document is not None and is_inside(document.uri) for document in found], dtype=bool
        )
        return known[back], inside[back]

    @cached_property
    def _followed(self) -> _Followed:
        """The ends of each definition's edges; followed once."""
        tables = self._tables
        items, others = tables.definitions.to_array(), tables.other_results.to_array()
        if len(others):
            items = items[~np.isin(items[:, 0], others[:, 0])]
        results, documents, ranges = items.T
        owners = Lookup(tables.edges["textDocument/definition"].to_array()[:, ::-1])[results]
        chain = Lookup(tables.edges["next"].to_array())
        hovers, references = (
            follow(owners, Lookup(tables.edges[label].to_array()), chain)
            for label in ("textDocument/hover", "textDocument/references")
        )
        return _Followed(documents, ranges, owners, hovers, references)


class Referred(NamedTuple):
    """Ids, one for each definition that has a reference result."""

    results: NDArray[np.int64]
    """Reference results; several definitions may have the same."""
    documents: NDArray[np.int64]
    ranges: NDArray[np.int64]
    hovers: NDArray[np.int64]
    extents: NDArray[np.int64]
    """Line, column, end line and end column of each range, (4, definitions)."""
    may_be_item: NDArray[np.bool_]
    """False where the hover is a local's, as rust-analyzer writes them."""


class _Followed(NamedTuple):
    """Ids, one for each definition; -1 where an edge leads nowhere."""

    documents: NDArray[np.int64]
    ranges: NDArray[np.int64]
    owners: NDArray[np.int64]
    """Result set that the definition is of."""
    hovers: NDArray[np.int64]
    references: NDArray[np.int64]
