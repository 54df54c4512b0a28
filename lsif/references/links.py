"""The last pass: gives the records their edges, and writes the file of places.

It goes through the files in the order of the records, and through the places in pieces: a piece
has all places of some files, and with them all edges of their structures.
"""

from __future__ import annotations

import tempfile
from itertools import count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from lsif.columns import positions
from lsif.reader.follow import NOTHING
from lsif.references.numbered import NumberedStructures
from lsif.references.places import GROUP, KINDS, SCHEMA, digest_of, places_writer, write_table
from lsif.references.scattered import ScatteredRows
from lsif.references.targets import Targets
from lsif.references.tested import CountedTests
from lsif.spans import innermost
from machine.files import copy_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import BinaryIO, Self

    from numpy.typing import NDArray

    from lsif.references.collected import Collected
    from lsif.references.numbered import NumberedFile
    from lsif.references.scattered import Piece

_IMPLEMENTATION = KINDS.index("implementation")
_FIRST_GUESS = -2
"""Results from here down stand for targets that are guessed: this is the first structure."""
_LARGEST = (1 << 31) - 1


class Linking:
    """A folder for what is not linked yet, in use as a context: it is removed at the end."""

    def __init__(self, beside: Path) -> None:
        """Make the folder in `beside`."""
        self.collected: Collected | None = None
        beside.mkdir(parents=True, exist_ok=True)
        self._holder = tempfile.TemporaryDirectory(dir=beside, prefix=".links-", suffix=".tmp")
        self.folder = Path(self._holder.name)
        self.structures = NumberedStructures(self.folder)
        self.records: BinaryIO = (self.folder / "records.jsonl").open("w+b")
        """Takes the records without their edges, in the order in which they are numbered."""

    def __enter__(self) -> Self:
        return self

    def finish(self, output: BinaryIO, place_of: Callable[[str], Path]) -> tuple[int, str]:
        """Write the records with their edges, and the file of places where `place_of` says.

        Return the number of places and the digest of their file, which `place_of` is called with.
        """
        if self.collected is None:
            raise ValueError("the references were not collected")
        linker = Linker(self.collected, self.structures, self.folder)
        self.records.seek(0)
        linker.write_records(self.records, output)
        written = self.folder / "places.parquet"
        digest = linker.write_places(written)
        copy_atomically(written, place_of(digest))
        return linker.places, digest

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.records.close()
        self._holder.cleanup()


class Edges(NamedTuple):
    """The fields of a record that say what it refers to; see lsif.structure.Structure."""

    refers_to: list[str]
    uses: list[str]
    uses_called: list[str]
    may_refer_to: list[str]
    implements: list[str]


class _FileRows(NamedTuple):
    """A file and its part of the rows of a piece."""

    rows: slice
    numbered: NumberedFile


class Linker:
    """The last pass over the references of a dump."""

    def __init__(self, collected: Collected, structures: NumberedStructures, folder: Path) -> None:
        """`folder` takes the places while they are sorted."""
        self._collected, self._structures = collected, structures
        self._targets = Targets(collected, structures)
        self._called = collected.called | structures.called
        """Symbols of what can be called."""
        self._order = self._targets.order()
        counts = np.empty_like(self._targets.counts)
        counts[self._order] = self._targets.counts
        self._by_target = ScatteredRows(folder, 8, counts)
        """Rows (place of the target in their order, file, line, column, length, kind, owner, and
        whether it is guessed)."""
        self._folder = folder
        self._tested = CountedTests(structures.tests(), folder)
        self.places = 0
        """Number of places, complete after `edges`."""
        self._related = self._targets.implementations(collected.implementations)
        self._add_guesses()

    def write_records(self, unlinked: BinaryIO, output: BinaryIO) -> None:
        """Write the records, which are those that were numbered, with their edges.

        How many tests a structure has is known only after the edges of all.
        """
        with (self._folder / "linked.jsonl").open("w+b") as linked:
            for edges in self.edges():
                line = unlinked.readline()
                linked.write(_with(line, edges._asdict()) if any(edges) else line)
            linked.seek(0)
            for line, tests in zip(linked, self._tested.counts().tolist(), strict=True):
                output.write(_with(line, {"tested_by": tests}) if tests else line)

    def edges(self) -> Iterator[Edges]:
        """Yield the edges of each structure, in the order of their numbers; note all places."""
        for piece in self._collected.places.pieces():
            rows = self._rows(piece)
            cuts = np.searchsorted(rows[:, 0], np.arange(piece.begin, piece.end + 1)).tolist()
            files = [
                _FileRows(slice(begin, end), self._structures.files[path])
                for (begin, end), path in zip(
                    pairwise(cuts), self._collected.paths[piece.begin : piece.end], strict=True
                )
                if path in self._structures.files
            ]
            owners = np.full(len(rows), NOTHING, dtype=np.int64)
            for own, numbered in files:
                around = innermost(numbered.spans, positions(*rows[own, 1:3].T))
                owners[own] = np.where(around == NOTHING, NOTHING, around + numbered.first)
            yield from self._edges_of(rows, owners, files)

    def write_places(self, path: Path) -> str:
        """Write the places; return a digest of the file. Call it when all edges are read."""
        target_at = np.argsort(self._order)
        with places_writer(path) as writer:
            for rows in self._by_target.in_order():
                rows[:, 0] = target_at[rows[:, 0]]
                # Each group of rows is written with all names of its table.
                for begin in range(0, len(rows), GROUP):
                    write_table(writer, self._table(rows[begin : begin + GROUP]))
        return digest_of(path)

    def _add_guesses(self) -> None:
        """Put the guesses that name one structure among the places, with a negative result."""
        structures, ranks = self._structures, dict(zip(self._collected.paths, count()))
        files = np.array([ranks[path] for path in structures.files], dtype=np.int64)
        by_symbol = structures.by_symbol()
        for rows in structures.guesses.blocks():
            target = by_symbol[rows[:, 4]]
            found = np.column_stack([files[rows[:, 0]], rows[:, 1:4], _FIRST_GUESS - target])
            self._collected.places.add(found[target != NOTHING])

    def _rows(self, piece: Piece) -> NDArray[np.int64]:
        """Return rows (file, line, column, length, target, guessed) without doubles, sorted.

        What is known of a place is not guessed, too.
        """
        results = piece.rows[:, 4]
        guessed = results <= _FIRST_GUESS
        targets = np.where(guessed, _FIRST_GUESS - results, self._targets.of(results))
        rows = np.column_stack([piece.rows[:, :4], targets, guessed])
        rows = rows[targets != NOTHING]
        rows = rows[np.lexsort(rows.T[::-1])]
        is_new = np.append(True, (rows[1:, :5] != rows[:-1, :5]).any(axis=1))[: len(rows)]
        kept: NDArray[np.int64] = rows[is_new]
        return kept

    def _edges_of(
        self, rows: NDArray[np.int64], owners: NDArray[np.int64], files: Sequence[_FileRows]
    ) -> Iterator[Edges]:
        """Yield the edges of the files' structures, and note the places."""
        owned, is_guessed = np.column_stack([owners, rows[:, 4]]), rows[:, 5] == 1
        pairs = np.unique(owned[(owners != NOTHING) & ~is_guessed], axis=0)
        guesses = np.unique(owned[(owners != NOTHING) & is_guessed], axis=0)
        implements: dict[int, list[str]] = {}
        traits = [row for file in files for row in self._implement(file, rows, implements)]
        for own, numbered in files:
            if numbered.excess is not None:
                numbered.excess.take_from(rows[own, 1:4])
        self._note(rows, owners, traits)
        self._tested.add(pairs)
        for _, file in files:
            numbers = range(file.first, file.first + file.size)
            exact, guessed = _targets_of(pairs, numbers), _targets_of(guesses, numbers)
            for number, targets, maybe in zip(numbers, exact, guessed, strict=True):
                implemented = implements.get(number) or self._related.get(number, [])
                yield self._edges(targets, maybe, implemented)

    def _edges(self, targets: list[int], maybe: list[int], implements: list[str]) -> Edges:
        name, total = self._targets.name, len(self._structures)
        uses = [name(target) for target in targets if target >= total]
        return Edges(
            refers_to=sorted(name(target) for target in targets if target < total),
            uses=uses,
            uses_called=[symbol for symbol in uses if symbol in self._called],
            may_refer_to=sorted(map(name, maybe)),
            implements=implements,
        )

    def _implement(
        self, file: _FileRows, rows: NDArray[np.int64], implements: dict[int, list[str]]
    ) -> Iterator[int]:
        """Note what the file's impl blocks and their members implement.

        Yield the indices of the rows that refer to the trait at the head of a block. The trait is
        what stands there, whatever an import calls it.
        """
        targets, places = self._targets, positions(*rows[file.rows, 1:3].T)
        for block in file.numbered.implementations:
            at = int(np.searchsorted(places, block.trait))
            row = file.rows.start + at
            if at == len(places) or places[at] != block.trait or rows[row, 5]:
                continue
            yield row
            trait = int(rows[row, 4])
            implements[block.number] = [targets.name(trait)]
            for name, number in block.members:
                member = targets.member_name(trait, name)
                if member is not None:
                    implements[number] = [member]
                    self._tested.implement(number, targets.member(trait, name))

    def _note(self, rows: NDArray[np.int64], owners: NDArray[np.int64], traits: list[int]) -> None:
        """Keep the places, to be written by target; `traits` are what `_implement` yields."""
        kinds = np.full(len(rows), NOTHING, dtype=np.int64)
        kinds[traits] = _IMPLEMENTATION
        order = self._order[rows[:, 4]]
        self._by_target.add(np.column_stack([order, rows[:, :4], kinds, owners, rows[:, 5]]))
        self.places += len(rows)

    def _table(self, rows: NDArray[np.int64]) -> pa.Table:
        """Return rows (target, file, line, column, length, kind, owner, guessed) as a table."""
        target, file, line, column, length, kind, owner, guessed = rows.T
        columns = [
            _named(target, self._targets.name),
            _named(file, self._collected.paths.__getitem__),
            _numbers(line + 1),
            _numbers(column + 1),
            _numbers(length),
            _named(kind, KINDS.__getitem__),
            _named(owner, self._structures.id_of),
            pa.array(guessed == 1),
        ]
        return pa.table(columns, schema=SCHEMA)


def _with(line: bytes, fields: dict[str, Any]) -> bytes:
    """Return the record with other values of these fields."""
    return orjson.dumps({**orjson.loads(line), **fields}, option=orjson.OPT_APPEND_NEWLINE)


def _targets_of(pairs: NDArray[np.int64], owners: range) -> Iterator[list[int]]:
    """Yield the targets of each owner; pairs (owner, target) are sorted."""
    cuts = np.searchsorted(pairs[:, 0], [*owners, owners.stop]).tolist()
    for begin, end in pairwise(cuts):
        yield pairs[begin:end, 1].tolist()


def _named(numbers: NDArray[np.int64], name: Callable[[int], str]) -> pa.DictionaryArray:
    """Return the names of the numbers, null where there is NOTHING."""
    each, indices = np.unique(numbers, return_inverse=True)
    names = [name(number) if number != NOTHING else "" for number in each.tolist()]
    mask = numbers == NOTHING
    return pa.DictionaryArray.from_arrays(
        pa.array(indices.astype(np.int32), mask=mask), pa.array(names, pa.string())
    )


def _numbers(numbers: NDArray[np.int64]) -> pa.Array:
    return pa.array(np.minimum(numbers, _LARGEST).astype(np.int32))
