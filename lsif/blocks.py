"""Blocks: the pieces inside a structure that are worth finding on their own, one line of blocks.jsonl each.

Loops, matches, conditions, closures and other blocks of at least three lines. rust-analyzer's folding ranges name such places
too, but neither their kind nor those of one-line heads; the grammar names both, so that arguments, imports, comments and the
structure's own body need no guessing.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from lsif.errors import StructuresError
from lsif.structure import make_digest, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from lsif.structure import Structure

MIN_LINES = 3

KINDS = {
    "for_expression": "for",
    "while_expression": "while",
    "loop_expression": "loop",
    "match_expression": "match",
    "if_expression": "if",
    "closure_expression": "closure",
    "unsafe_block": "unsafe",
    "async_block": "async",
}
"""Nodes of the grammar that are blocks, and what each is called."""

_NAMESPACE = uuid.UUID("0b8a3f0e-0c3b-5a57-9f43-6f7d3c0a2f5e")
"""Of all block ids."""


class SourceBlock(NamedTuple):
    """A block of a source file. Rows are 0-based, both ends inclusive."""

    kind: str
    row_from: int
    row_to: int


@dataclass(frozen=True, slots=True)
class Block:
    """One line of blocks.jsonl. Lines are 1-based and inclusive."""

    id: str
    """UUID; the same as long as its structure's id, its kind and its place among the structure's blocks of that kind are."""
    structure_id: str
    """The innermost structure that it stands in."""
    kind: str
    """One of the values of KINDS."""
    code_type: str
    """Of the structure, as the next six: what a search filters on."""
    crate: str
    module: str
    struct_name: str | None
    trait_name: str | None
    visibility: str
    is_test: bool
    file_path: str
    line_from: int
    line_to: int
    snippet: str
    """The file's lines line_from..line_to, each ended by a newline."""

    @property
    def digest(self) -> str:
        """Of everything but id and lines, 32 hex digits: two blocks of one digest are found alike."""
        return make_digest(
            {
                key: value
                for key, value in asdict(self).items()
                if key not in ("id", "line_from", "line_to")
            }
        )

    def to_payload(self) -> dict[str, Any]:
        """Return the record as a point's payload."""
        return asdict(self)

    def to_json(self) -> bytes:
        """Return the record as one line of JSON, newline included."""
        return orjson.dumps(self, option=orjson.OPT_APPEND_NEWLINE)


def read_blocks(path: Path) -> Iterator[Block]:
    """Yield the blocks of a file that this project wrote. Raises StructuresError with the line where one is malformed."""
    for number, _, line in read_lines(path):
        try:
            yield Block(**orjson.loads(line))
        except (ValueError, TypeError) as exc:
            raise StructuresError(
                f"{path}, line {number}: {exc}. Write it again with `lsif-ingest parse --blocks`."
            ) from exc


def blocks_of(structures: Iterable[Structure], found: Iterable[SourceBlock]) -> Iterator[Block]:
    """Yield the blocks of one file that stand inside one of its structures, in the order of their lines."""
    waiting = sorted(structures, key=lambda one: (-one.line_from, one.line_to))
    around: list[Structure] = []
    ordinals: dict[tuple[str, str], int] = {}
    for block in sorted(set(found), key=lambda one: (one.row_from, -one.row_to, one.kind)):
        line_from, line_to = block.row_from + 1, block.row_to + 1
        while waiting and waiting[-1].line_from <= line_from:
            around.append(waiting.pop())
        around = [one for one in around if line_from <= one.line_to]
        owners = [one for one in around if line_to <= one.line_to]
        owner = min(owners, key=lambda one: one.line_to - one.line_from, default=None)
        # A block that is all of its structure's lines says nothing that the structure doesn't.
        if owner is None or (owner.line_from, owner.line_to) == (line_from, line_to):
            continue
        ordinal = ordinals[owner.id, block.kind] = ordinals.get((owner.id, block.kind), -1) + 1
        lines = owner.context.snippet.split("\n")[
            line_from - owner.line_from : line_to - owner.line_from + 1
        ]
        yield Block(
            id=str(uuid.uuid5(_NAMESPACE, f"{owner.id}\0{block.kind}\0{ordinal}")),
            structure_id=owner.id,
            kind=block.kind,
            code_type=owner.code_type,
            crate=owner.crate,
            module=owner.context.module,
            struct_name=owner.context.struct_name,
            trait_name=owner.trait_name,
            visibility=owner.visibility,
            is_test=owner.is_test,
            file_path=owner.context.file_path,
            line_from=line_from,
            line_to=line_to,
            snippet="".join(f"{line}\n" for line in lines),
        )
