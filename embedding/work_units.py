"""Work units: texts that are embedded together, on any machine that can reach the store.

A work unit is a file beside those of the checkpoint: Parquet, `key` fixed_size_binary(16), `text`
string. Its name comes from its keys, and its vectors get a file of the same name, so what two
workers embed is stored once. The work unit is removed once its vectors are safe.
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
"""Of a work unit's file; what earlier versions called a work unit."""
_SCHEMA = pa.schema(
    [
        pa.field("key", pa.binary(16), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)
_LEFT_BEHIND_S = 7 * 24 * 3600
"""Age at which a work unit counts as left by a killed run; runs may queue theirs for days."""
STOP: ContextVar[Event | None] = ContextVar("STOP", default=None)
"""Once it is set, the embedding of a work unit ends before its next batch."""
_COUNTED_AT_ONCE = 4096
"""Texts that are tokenised together to learn how long they are."""


@dataclass(frozen=True)
class WorkUnit:
    """A work unit that was written."""

    vector: str
    """The kind of vector that its texts become: a named vector, or "blocks"."""
    name: str
    """Of the file in the store."""
    texts: int
    number: int = 1
    """Among the work units of its vector, from 1."""


@dataclass(frozen=True)
class UnitReport:
    """The result of embedding a work unit."""

    file: str
    """The checkpoint's new file."""
    dimension: int
    seconds: float
    tokens: int = 0
    """Tokens that the model saw: those that were cut off don't count."""
    cut_off: int = 0
    """Texts of which the model saw only the beginning."""
    device: str = ""
    """What computed the vectors; empty if another worker had done it, as is `precision`."""
    precision: str = ""


def write_unit(
    checkpoint: Checkpoint,
    keys: Sequence[bytes],
    texts: Sequence[str],
    *,
    vector: str,
    number: int = 1,
) -> WorkUnit:
    """Write texts that the checkpoint lacks. Raises CheckpointError."""
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
    """Remove the work units that killed runs left."""
    checkpoint.store.remove_old(checkpoint.folder, UNIT_SUFFIX, age_s=_LEFT_BEHIND_S)


def embed_unit(checkpoint: Checkpoint, unit: WorkUnit, load: Callable[[], Encoder]) -> UnitReport:
    """Embed the texts into a file of the checkpoint, the longest first, and remove the work unit.

    What is embedded before a failure, or before STOP is set, is kept. Raises EmbeddingStopped,
    CheckpointError if a file can't be read or written, and what `load` and the encoder raise.
    """
    started = time.perf_counter()
    found = _read(checkpoint, unit)
    if found is None:  # another worker was faster, or this is a second try
        file = unit.name.removesuffix(UNIT_SUFFIX) + SUFFIX
        dimension = checkpoint.read(file)[1].shape[1]
        return UnitReport(file=file, dimension=dimension, seconds=time.perf_counter() - started)
    keys, texts = found
    encoder = load()
    lengths = _count_tokens(encoder, texts)
    seen = np.minimum(lengths, encoder.max_tokens) if encoder.max_tokens else lengths
    file = _embed(checkpoint, keys, texts, longest_first(lengths), encoder, unit.vector)
    checkpoint.store.remove(unit.name)
    return UnitReport(
        file=file,
        dimension=encoder.dimension,
        seconds=time.perf_counter() - started,
        tokens=int(seen.sum()),
        cut_off=int((lengths > seen).sum()),
        device=encoder.device,
        precision=encoder.precision,
    )


def _embed(
    checkpoint: Checkpoint,
    keys: list[bytes],
    texts: list[str],
    order: NDArray[np.int64],
    encoder: Encoder,
    vector: str,
) -> str:
    """Embed the texts in `order`, (n,) positions; return the name of the checkpoint's new file.

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
                        f"embedding was stopped after {done} of {len(texts)} texts; "
                        "these are saved."
                    )
                batch = order[first : first + encoder.texts_at_once]
                vectors[batch] = encoder.encode_documents([texts[number] for number in batch])
                done = first + len(batch)
                progress.update(len(batch))
        finally:  # one bad text, or an interruption, costs no other text its vector
            if done:
                finished = np.sort(order[:done])
                file = checkpoint.append([keys[number] for number in finished], vectors[finished])
    return file


def _count_tokens(encoder: Encoder, texts: list[str]) -> NDArray[np.int64]:
    """Return the number of tokens of each text, int64, (n,)."""
    starts = range(0, len(texts), _COUNTED_AT_ONCE)
    return np.concatenate(
        [encoder.count_tokens(texts[start : start + _COUNTED_AT_ONCE]) for start in starts]
    )


def _read(checkpoint: Checkpoint, unit: WorkUnit) -> tuple[list[bytes], list[str]] | None:
    """Return the keys and texts of the work unit, or None if it is embedded already."""
    try:
        with checkpoint.store.open(unit.name) as file:
            table = pq.read_table(
                file, schema=_SCHEMA, use_threads=False, page_checksum_verification=True
            )
    except (OSError, pa.ArrowException) as exc:
        if isinstance(exc, FileNotFoundError) and checkpoint.store.has(
            unit.name.removesuffix(UNIT_SUFFIX) + SUFFIX
        ):
            return None
        raise CheckpointError(
            f"{checkpoint.store.location}/{unit.name} can't be read: {exc}. If workers on other "
            "machines embed, checkpoint.store must be an address that all of them can reach: "
            "a shared folder or s3://bucket/prefix."
        ) from exc
    return table["key"].to_pylist(), table["text"].to_pylist()
