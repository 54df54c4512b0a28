"""Made-up code, in versions: a source of points without a repository."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
from fakes import FakeEncoder
from numpy.typing import NDArray

from lsif.blocks import Block
from lsif.structure import Structure, with_digest
from storage.index import Generation, StoredPoint
from storage.points import BlockDraft, RecordDraft, StructureDraft, block_draft, structure_draft


def structure(number: int, version: int) -> Structure:
    """The structure of that number. Each version changes one of seven, and moves another."""
    content, line = version if number % 7 == 0 else 0, 1 + (version if number % 7 == 1 else 0)
    context = {
        "module": "src",
        "file_path": f"src/{number % 9}.rs",
        "file_name": f"{number % 9}.rs",
        "struct_name": None,
    }
    return with_digest(
        {
            "name": f"f{number}",
            "signature": f"fn f{number}()",
            "code_type": "Function",
            "docstring": None,
            "line": line,
            "line_from": line,
            "line_to": line + 2,
            "context": {**context, "snippet": f"fn f{number}() {{\n    g({content})\n}}\n"},
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"structure {number}")),
            "symbol": f"f{number}",
            "crate": "made_up",
            "module_path": "crate",
            "trait_name": None,
            "visibility": "pub",
            "is_test": False,
            "docs_inherited": False,
            "references": 0,
            "referencing_files": 0,
        }
    )


class MadeUp:
    """A source of `count` structures, every second with a block.

    Each version has five new ones and lacks five old ones.
    """

    def __init__(self, count: int, version: int = 0) -> None:
        self.version = version
        self.all = [
            structure(number, version) for number in range(5 * version, 5 * version + count)
        ]

    @cached_property
    def _structures(self) -> dict[str, StructureDraft]:
        return {
            one.id: structure_draft(one, vectors(text=one.signature, code=one.context.snippet))
            for one in self.all
        }

    @cached_property
    def _blocks(self) -> dict[str, BlockDraft]:
        made = []
        for one in self.all[::2]:
            block_id, snippet = (
                str(uuid.uuid5(uuid.NAMESPACE_OID, f"block of {one.id}")),
                f"for _ in {one.context.snippet}",
            )
            block = Block(
                id=block_id,
                structure_id=one.id,
                kind="for",
                code_type=one.code_type,
                crate=one.crate,
                module=one.context.module,
                struct_name=None,
                trait_name=None,
                visibility=one.visibility,
                is_test=one.is_test,
                file_path=one.context.file_path,
                line_from=one.line_from,
                line_to=one.line_to,
                snippet=snippet,
            )
            made.append(block_draft(block, vectors(code=snippet)))
        return {one.id: one for one in made}

    def structures(self) -> Iterator[RecordDraft[Any]]:
        return iter(self._structures.values())

    def blocks(self) -> Iterator[RecordDraft[Any]]:
        return iter(self._blocks.values())

    def structure_count(self) -> int:
        return len(self._structures)

    def settle(self) -> None:
        """All vectors are there."""

    def kinds(self) -> list[dict[str, Any]]:
        """The records of both kinds by their ids."""
        return [self._structures, self._blocks]


def vectors(**texts: str) -> dict[str, Callable[[], NDArray[np.float32]]]:
    return {name: partial(vector, text) for name, text in texts.items()}


@cache
def vector(text: str) -> NDArray[np.float32]:
    return FakeEncoder().vector(text)


def is_that(stored: StoredPoint[Any], draft: RecordDraft[Any] | None) -> bool:
    """Whether the point is as it should be, record, place and vectors."""
    if draft is None or (stored.record, stored.place) != (draft.record, draft.place):
        return False
    wanted = draft.point().vectors
    return stored.vectors.keys() == wanted.keys() and all(
        np.abs(np.subtract(stored.vectors[name], vector)).max() < 1e-5
        for name, vector in wanted.items()
    )


def is_whole(generation: Generation, source: MadeUp) -> bool:
    """Whether the generation says that it is complete, and holds exactly what the source says."""
    metadata, (structures, blocks) = generation.metadata, source.kinds()
    stored = [
        {one.id: one for one in points.scroll(vectors=True)}
        for points in (generation.structures, generation.blocks)
    ]
    return (
        (metadata.complete, metadata.structures, metadata.blocks)
        == (True, len(structures), len(blocks))
        and [set(one) for one in stored] == [set(structures), set(blocks)]
        and all(
            is_that(one, kind[one.id])
            for some, kind in zip(stored, (structures, blocks), strict=True)
            for one in some.values()
        )
    )
