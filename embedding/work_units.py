"""A work unit: texts that are embedded together, in a file beside the checkpoint's, for any machine that reaches the store.

A work unit's name is told by its keys, and the checkpoint file that comes of it has the same: what two workers embed is stored once. It
is removed once its vectors are safe. Parquet, `key` fixed_size_binary(16), `text` string.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from embedding.batching import longest_first
from embedding.checkpoint import SUFFIX
from embedding.errors import CheckpointError, EmbeddingStopped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event

    from numpy.typing import NDArray

    from embedding.checkpoint import Checkpoint
    from embedding.encoder import Encoder

UNIT_SUFFIX = ".shard"
_SCHEMA = pa.schema(
    [
        pa.field("key", pa.binary(16), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)
_LEFT_BEHIND_S = 7 * 24 * 3600
"""Age at which a work unit is taken for that of a killed run; a run may queue its work units for days."""
STOP: ContextVar[Event | None] = ContextVar("STOP", default=None)
"""Ends the embedding of a work unit, before its next batch, once it is set."""
_COUNTED_AT_ONCE = 4096
"""Texts that are tokenised together to find out how long they are."""


@dataclass(frozen=True)
class WorkUnit:
    """Where the texts lie."""

    vector: str
    """What they are made into: a named vector, or "blocks"."""
    name: str
    """Of the file in the store."""
    texts: int
    number: int = 1
    """Of those of its vector, from 1."""


@dataclass(frozen=True)
class UnitReport:
    """What embedding a work unit took."""

    file: str
    """The checkpoint's new file."""
    dimension: int
    seconds: float
    tokens: int = 0
    """As far as the model saw them."""
    cut_off: int = 0
    """Texts of which the model saw only the beginning."""
    device: str = ""
    """What computed; empty where another had done it, as is `precision`."""
    precision: str = ""


def write_unit(
    checkpoint: Checkpoint,
    keys: Sequence[bytes],
    texts: Sequence[str],
    *,
    vector: str,
    number: int = 1,
) -> WorkUnit:
    """Write texts that the checkpoint lacks as a work unit. Raises CheckpointError."""
    content = pa.BufferOutputStream()
    table = pa.table(
        [pa.array(keys, pa.binary(16)), pa.array(texts, pa.large_string())], schema=_SCHEMA
    )
    pq.write_table(
        table, content, compression="zstd", use_dictionary=False, write_page_checksum=True
    )
    name = checkpoint.name_of(keys, UNIT_SUFFIX)
    checkpoint.store.write(name, content.getvalue())
    return WorkUnit(vector, name, len(texts), number)


def remove_old_units(checkpoint: Checkpoint) -> None:
    """Remove what killed runs left."""
    checkpoint.store.remove_old(checkpoint.folder, UNIT_SUFFIX, age_s=_LEFT_BEHIND_S)


def embed_unit(checkpoint: Checkpoint, unit: WorkUnit, load: Callable[[], Encoder]) -> UnitReport:
    """Embed the work unit's texts into a file of the checkpoint, the longest first, and remove the unit.

    What is embedded before a failure, or before STOP is set, is kept. Raises EmbeddingStopped, CheckpointError where the work unit
    can't be read or the file not be written, and what `load` and the encoder raise.
    """
    started = time.perf_counter()
    found = _read(checkpoint, unit)
    if found is None:  # another worker was faster, or this is a second try
        file = unit.name.removesuffix(UNIT_SUFFIX) + SUFFIX
        return UnitReport(file, checkpoint.read(file)[1].shape[1], time.perf_counter() - started)
    keys, texts = found
    encoder = load()
    lengths = _count_tokens(encoder, texts)
    seen = np.minimum(lengths, encoder.max_tokens) if encoder.max_tokens else lengths
    file = _embed(checkpoint, keys, texts, longest_first(lengths), encoder, unit.vector)
    checkpoint.store.remove(unit.name)
    return UnitReport(
        file,
        encoder.dimension,
        time.perf_counter() - started,
        int(seen.sum()),
        int((lengths > seen).sum()),
        encoder.device,
        encoder.precision,
    )


def _embed(
    checkpoint: Checkpoint,
    keys: list[bytes],
    texts: list[str],
    order: NDArray[np.int64],
    encoder: Encoder,
    vector: str,
) -> str:
    """Embed the texts in the order of their places, those of like length in a batch; return the name of the new file.

    The longest come first, so memory runs out at once or never.
    """
    vectors, done, file = np.empty((len(texts), encoder.dimension), dtype=np.float32), 0, ""
    with tqdm(
        total=len(texts), desc=f"embed {vector}", unit="text", disable=None, leave=False
    ) as progress:
        try:
            for first in range(0, len(texts), encoder.texts_at_once):
                if (stop := STOP.get()) is not None and stop.is_set():
                    raise EmbeddingStopped(
                        f"embedding was stopped after {done} of {len(texts)} texts; what was embedded is kept."
                    )
                places = order[first : first + encoder.texts_at_once]
                vectors[places] = encoder.encode_documents([texts[place] for place in places])
                done = first + len(places)
                progress.update(len(places))
        finally:  # an interruption, or a text that the model fails on, takes no other's vector with it
            if done:
                places = np.sort(order[:done])
                file = checkpoint.append([keys[place] for place in places], vectors[places])
    return file


def _count_tokens(encoder: Encoder, texts: list[str]) -> NDArray[np.int64]:
    """Return how many tokens each text has, int64, (n,)."""
    starts = range(0, len(texts), _COUNTED_AT_ONCE)
    return np.concatenate(
        [encoder.count_tokens(texts[start : start + _COUNTED_AT_ONCE]) for start in starts]
    )


def _read(checkpoint: Checkpoint, unit: WorkUnit) -> tuple[list[bytes], list[str]] | None:
    """Return the work unit's keys and texts; None where it is embedded already."""
    try:
        with checkpoint.store.open(unit.name) as file:
            table = pq.read_table(file, schema=_SCHEMA, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as exc:
        if isinstance(exc, FileNotFoundError) and checkpoint.store.has(
            unit.name.removesuffix(UNIT_SUFFIX) + SUFFIX
        ):
            return None
        raise CheckpointError(
            f"{checkpoint.store.location}/{unit.name} can't be read: {exc}. Where workers on other machines embed, "
            "checkpoint.store must be an address that all of them reach: a shared folder or s3://bucket/prefix."
        ) from exc
    return table["key"].to_pylist(), table["text"].to_pylist()
