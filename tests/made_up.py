"""Structures and blocks whose vectors are told in degrees, and indexes of them.

The cosine of two vectors is that of the angle between them: a record at 60 degrees answers a query
at 0 with a score of 0.5.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.settings import SearchSettings, load_settings
from lsif.blocks import Block
from lsif.structure import Structure, make_id, with_digest
from search.confidence import Calibration
from search.engine import Searcher
from storage.index import Generation, Index
from storage.live import require_live
from storage.metadata import Metadata
from storage.points import block_draft, structure_draft

COLLECTION = "test-made-up"


def at(degrees: float) -> NDArray[np.float32]:
    """Return the vector in that direction; 8 numbers, L2 norm 1."""
    vector = np.zeros(8, dtype=np.float32)
    vector[:2] = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return vector


@dataclass(frozen=True)
class MadeBlock:
    """A block and where its vector points."""

    block: Block
    code: float


@dataclass(frozen=True)
class Made:
    """A structure and where its vectors point."""

    structure: Structure
    text: float
    code: float

    @property
    def id(self) -> str:
        return self.structure.id

    def block(self, line_from: int, line_to: int, code: float, kind: str = "for") -> MadeBlock:
        """Return a block of the structure, in these lines of the file."""
        one = self.structure
        lines = one.context.snippet.split("\n")[
            line_from - one.line_from : line_to - one.line_from + 1
        ]
        made = Block(
            id=str(uuid.uuid5(uuid.UUID(one.id), f"{kind} {line_from} {line_to}")),
            structure_id=one.id,
            kind=kind,
            code_type=one.code_type,
            crate=one.crate,
            module=one.context.module,
            struct_name=one.context.struct_name,
            trait_name=one.trait_name,
            visibility=one.visibility,
            is_test=one.is_test,
            file_path=one.context.file_path,
            line_from=line_from,
            line_to=line_to,
            snippet="".join(f"{line}\n" for line in lines),
            generated=one.generated,
            origin=one.origin,
        )
        return MadeBlock(made, code)


def made(
    name: str,
    text: float = 90.0,
    code: float = 90.0,
    *,
    lines: tuple[int, int] = (1, 3),
    file_path: str = "src/lib.rs",
    snippet: str | None = None,
    struct_name: str | None = None,
    **fields: Any,
) -> Made:
    """Return a function of that name, with a snippet of as many lines as there are.

    Other fields of a Structure are as given.
    """
    count = lines[1] - lines[0] + 1
    body = (
        [f"fn {name}() {{", *["    step();"] * (count - 2), "}"]
        if count > 1
        else [f"fn {name}() {{}}"]
    )
    path, crate = PurePosixPath(file_path), fields.get("crate", "made_up")
    symbol = fields.get("symbol", f"{crate}::{name}")
    record: dict[str, Any] = {
        "name": name,
        "signature": f"fn {name}()",
        "code_type": "Function",
        "docstring": None,
        "line": lines[0],
        "line_from": lines[0],
        "line_to": lines[1],
        "context": {
            "module": path.parent.name,
            "file_path": file_path,
            "file_name": path.name,
            "struct_name": struct_name,
            "snippet": snippet if snippet is not None else "".join(f"{line}\n" for line in body),
        },
        "id": make_id("made_up", crate, symbol, file_path, lines[0]),
        "symbol": symbol,
        "crate": crate,
        "module_path": crate,
        "trait_name": None,
        "visibility": "pub",
        "is_test": False,
        "docs_inherited": False,
        "references": 0,
        "referencing_files": 0,
        **fields,
    }
    return Made(with_digest(record), text, code)


def publish(
    index: Index,
    metadata: Metadata,
    structures: Iterable[Made],
    blocks: Iterable[MadeBlock] = (),
    **changes: Any,
) -> Generation:
    """Publish an index of these records, its metadata changed as given; return it."""
    generation = index.create(COLLECTION, replace(metadata, **changes))

    def vector(degrees: float) -> Callable[[], NDArray[np.float32]]:
        return lambda: at(degrees)

    points = [
        structure_draft(one.structure, {"text": vector(one.text), "code": vector(one.code)}).point()
        for one in structures
    ]
    assert generation.structures.upsert(points) == []
    assert (
        generation.blocks.upsert(
            [block_draft(one.block, {"code": vector(one.code)}).point() for one in blocks]
        )
        == []
    )
    generation.finish()
    index.publish(COLLECTION, generation)
    return require_live(index, COLLECTION)


class Compass:
    """Encodes queries as the directions given, others at 0 degrees; remembers the queries."""

    device, precision, dimension, max_tokens, texts_at_once = "cpu", "fp32", 8, 0, 4

    def __init__(self, directions: Mapping[str, float] | None = None) -> None:
        self.directions = directions or {}
        self.asked: list[str] = []

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        raise NotImplementedError

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise NotImplementedError

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return np.stack([at(self.directions.get(text, 0.0)) for text in texts])


class NoReranker:
    """What must not be loaded."""

    def __init__(self) -> None:
        raise AssertionError("a reranker was loaded")

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        raise NotImplementedError


def search_settings(*changes: str) -> SearchSettings:
    """Return the default settings of searches, with `key=value` of [search] changed."""
    return load_settings(None, [f"search.{change}" for change in changes]).search


def searcher_of(
    generation: Generation,
    *changes: str,
    encoder: Compass | None = None,
    calibration: Calibration | None = None,
) -> Searcher:
    """Return a searcher that encodes by a compass, with `key=value` of [search] changed."""
    compass = encoder or Compass()
    return Searcher(
        generation, lambda _vector: compass, search_settings(*changes), NoReranker, calibration
    )
