"""A fake encoder, and a run of the embed stage with it.

Not in conftest, which takes seconds to import: programs that tests start import this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedding.checkpoint import Checkpoint
from embedding.encoder import Fingerprint
from embedding.plan import VectorPlan
from embedding.work_units import WorkUnit, embed_unit
from lsif.jsonl import read_blocks, read_structures


class FakeEncoder:
    """Makes a vector of norm 1 from a text's digest, and remembers the batches it was given."""

    device, precision = "cpu", "fp32"

    def __init__(self, dimension: int = 8, *, max_tokens: int = 0, texts_at_once: int = 4) -> None:
        self.dimension = dimension
        self.max_tokens = max_tokens
        self.texts_at_once = texts_at_once
        self.batches: list[list[str]] = []

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        return np.array([len(text) for text in texts], dtype=np.int64)

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.batches.append(list(texts))
        return np.stack([self.vector(text) for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.encode_documents(texts)

    def vector(self, text: str) -> NDArray[np.float32]:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        vector = np.random.default_rng(seed).normal(size=self.dimension).astype(np.float32)
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


FINGERPRINTS = {
    "text": Fingerprint("fake", "1", "tutorial-1", 0),
    "code": Fingerprint("fake", "1", "snippet-1", 0),
}
ALL_FINGERPRINTS = {**FINGERPRINTS, "blocks": FINGERPRINTS["code"]}


def embed_all(
    structures: Path,
    store: Path | str,
    load: Callable[[], FakeEncoder],
    fingerprints: Mapping[str, Fingerprint] = ALL_FINGERPRINTS,
    *,
    rows_per_file: int = 50,
    blocks: Path | None = None,
) -> VectorPlan:
    """Embed what the checkpoint lacks as a run does, each work unit as soon as it is full."""
    load = cache(load)

    def embed(unit: WorkUnit) -> None:
        checkpoint = Checkpoint(store, fingerprints[unit.vector])
        plan.begin(unit)
        plan.done(unit, embed_unit(checkpoint, unit, load))

    plan = VectorPlan(fingerprints, str(store), embed, rows_per_file=rows_per_file, dtype="float32")
    for structure in read_structures(structures):
        plan.take([structure])
    for block in read_blocks(blocks) if blocks is not None else ():
        plan.take([], [block])
    plan.finish()
    plan.no_more()
    return plan
