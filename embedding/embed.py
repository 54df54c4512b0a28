"""Brings the checkpoint up to a structures.jsonl: embeds the texts whose vectors are missing, each once, longest first."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from embedding.checkpoint import Checkpoint
from embedding.errors import EmbeddingError
from embedding.text import RECIPES
from lsif.structure import SequenceDigest, parse_structure, read_lines, read_structures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from embedding.checkpoint import VectorTable
    from embedding.encoder import Encoder, Fingerprint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EmbedReport:
    """What embedding one named vector took. texts = embedded + from_checkpoint + duplicates."""

    vector: str
    model: str
    dimension: int
    texts: int
    embedded: int
    from_checkpoint: int
    duplicates: int
    """Texts equal to one that this run embeds."""
    seconds: float

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the report as plain data."""
        return asdict(self)


@dataclass
class _Plan:
    """What is missing: (length in characters, byte offset of the structure's line, key) for each text to embed."""

    missing: list[tuple[int, int, bytes]]
    texts: int = 0
    from_checkpoint: int = 0
    duplicates: int = 0


def embed_structures(
    structures: Path,
    checkpoint_root: Path,
    fingerprint: Fingerprint,
    load: Callable[[], Encoder],
    *,
    vector: str,
    rows_per_file: int,
    batch_size: int,
) -> EmbedReport:
    """Make sure that the checkpoint holds a vector for each structure's text; return what that took.

    `load` is called only where something is missing. Each file of `rows_per_file` vectors is safe as soon as it is full.
    """
    started = time.perf_counter()
    checkpoint = Checkpoint(checkpoint_root, fingerprint)
    plan = _plan(structures, checkpoint, fingerprint)
    if plan.missing:
        encoder = load()
        logger.info("%s: embedding %d of %d texts with %s", vector, len(plan.missing), plan.texts, fingerprint.describe())
        # Texts of like length share a batch, so little is padding; the longest come first, so memory runs out at once or never.
        plan.missing.sort(reverse=True)
        with tqdm(total=len(plan.missing), desc=f"embed {vector}", unit="text", disable=None, leave=False) as progress:
            for start in range(0, len(plan.missing), rows_per_file):
                shard = plan.missing[start : start + rows_per_file]
                vectors, done = np.empty((len(shard), encoder.dimension), dtype=np.float32), 0
                try:
                    for first, texts in _batches(structures, shard, fingerprint, batch_size):
                        vectors[first : first + len(texts)] = encoder.encode_documents(texts)
                        done = first + len(texts)
                        progress.update(len(texts))
                finally:  # an interruption, or a text that the model fails on, takes no other's vector with it
                    if done:
                        checkpoint.append([key for _, _, key in shard[:done]], vectors[:done])
                logger.info("%s: %d of %d texts", vector, start + done, len(plan.missing))
    return EmbedReport(
        vector,
        fingerprint.model,
        checkpoint.dimension or 0,
        plan.texts,
        len(plan.missing),
        plan.from_checkpoint,
        plan.duplicates,
        time.perf_counter() - started,
    )


def gather_vectors(structures: Path, checkpoint_root: Path, fingerprint: Fingerprint, scratch: Path) -> VectorTable:
    """Return the vectors of a structures.jsonl in the order of its lines. Raises CheckpointError where one is missing."""
    recipe, sequence = RECIPES[fingerprint.recipe], SequenceDigest()
    keys = (fingerprint.key(recipe(sequence.add(structure))) for structure in read_structures(structures))
    table = Checkpoint(checkpoint_root, fingerprint).gather(keys, scratch)
    table.source = sequence.hexdigest()
    return table


def _plan(structures: Path, checkpoint: Checkpoint, fingerprint: Fingerprint) -> _Plan:
    recipe, present, planned = RECIPES[fingerprint.recipe], checkpoint.keys(), set[bytes]()
    plan = _Plan([])
    for _, offset, line in read_lines(structures):
        text = recipe(parse_structure(line))
        key = fingerprint.key(text)
        plan.texts += 1
        if key in present:
            plan.from_checkpoint += 1
        elif key in planned:
            plan.duplicates += 1
        else:
            planned.add(key)
            plan.missing.append((len(text), offset, key))
    return plan


def _batches(
    structures: Path, shard: list[tuple[int, int, bytes]], fingerprint: Fingerprint, size: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of the first, texts) for the planned texts of a shard, in their order, `size` at a time.

    Raises EmbeddingError where the file no longer holds what was planned: a vector must never be kept under another text's key.
    """
    recipe = RECIPES[fingerprint.recipe]
    with structures.open("rb") as file:
        for start in range(0, len(shard), size):
            texts = []
            for _, offset, key in shard[start : start + size]:
                file.seek(offset)
                try:
                    text = recipe(parse_structure(file.readline()))
                except (ValueError, TypeError, KeyError):
                    text = None
                if text is None or fingerprint.key(text) != key:
                    raise EmbeddingError(f"{structures} changed while it was embedded; run again.")
                texts.append(text)
            yield start, texts
