"""Blocks: parts of a structure that are worth finding by themselves, a line of blocks.jsonl each.

Blocks are loops, matches, conditions, closures and the like of at least three lines. The source's
grammar says where they are and of which kind. A dump's folding ranges can't: they have no kind,
and include arguments, imports, comments and the structure's own body.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from lsif.record import OUTSIDE_DIGEST, JsonLine, digest_of, uuid5

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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

_NAMESPACE = uuid.UUID("0b8a3f0e-0c3b-5a57-9f43-6f7d3c0a2f5e").bytes
"""Of all block ids."""


class SourceBlock(NamedTuple):
    """A block of a source file. Rows are 0-based, both ends inclusive."""

    kind: str
    row_from: int
    row_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(JsonLine):
    """One line of blocks.jsonl. Lines are 1-based and inclusive."""

    id: str = field(metadata=OUTSIDE_DIGEST)
    """UUID; it stays the same while its structure's id, its kind and its number among the
    structure's blocks of that kind do."""
    structure_id: str
    """The innermost structure that surrounds it."""
    kind: str
    """One of the values of KINDS."""
    code_type: str
    """Of the structure, as the next six: search filters by them."""
    crate: str
    module: str
    struct_name: str | None
    trait_name: str | None
    visibility: str
    is_test: bool
    file_path: str
    line_from: int = field(metadata=OUTSIDE_DIGEST)
    line_to: int = field(metadata=OUTSIDE_DIGEST)
    snippet: str
    """The file's lines line_from..line_to, each ended by a newline; their beginning if
    `snippet_from` is not 0."""
    generated: bool = field(default=False, metadata=OUTSIDE_DIGEST)
    """As its structure, like the next."""
    origin: str = field(default="index", metadata=OUTSIDE_DIGEST)
    snippet_from: int = field(default=0, metadata=OUTSIDE_DIGEST)

    @property
    def digest(self) -> str:
        """32 hex digits, of all but id and lines. Blocks of one digest embed and search alike."""
        return digest_of(self)


def blocks_of(
    structures: Iterable[Structure],
    found: Iterable[SourceBlock],
    snippet_of: Callable[[SourceBlock], tuple[str, bool]],
) -> Iterator[Block]:
    """Yield the blocks inside a file's structures, in the order of their lines.

    `snippet_of` returns a block's lines, and whether they are only the beginning.
    """
    waiting = sorted(structures, key=lambda structure: (-structure.line_from, structure.line_to))
    around: list[Structure] = []
    ordinals: dict[tuple[str, str], int] = {}
    for block in sorted(set(found), key=lambda block: (block.row_from, -block.row_to, block.kind)):
        line_from, line_to = block.row_from + 1, block.row_to + 1
        while waiting and waiting[-1].line_from <= line_from:
            around.append(waiting.pop())
        around = [structure for structure in around if line_from <= structure.line_to]
        owners = [structure for structure in around if line_to <= structure.line_to]
        owner = min(owners, key=lambda owner: owner.line_to - owner.line_from, default=None)
        # A block that is all of its structure's lines says nothing that the structure doesn't.
        if owner is None or (owner.line_from, owner.line_to) == (line_from, line_to):
            continue
        ordinal = ordinals[owner.id, block.kind] = ordinals.get((owner.id, block.kind), -1) + 1
        snippet, is_cut = snippet_of(block)
        yield Block(
            id=uuid5(_NAMESPACE, f"{owner.id}\0{block.kind}\0{ordinal}"),
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
            snippet=snippet,
            generated=owner.generated,
            origin=owner.origin,
            snippet_from=line_from if is_cut else 0,
        )
