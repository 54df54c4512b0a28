"""Brings the checkpoint up to a structures.jsonl or blocks.jsonl: embeds what is missing, each text once, the longest first."""

from __future__ import annotations

import logging
import tempfile
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from embedding.batching import longest_first
from embedding.checkpoint import Checkpoint
from embedding.errors import CheckpointError
from embedding.text import RECIPES
from lsif.blocks import read_blocks
from lsif.structure import SequenceDigest, parse_structure, read_lines, read_structures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import IO

    from numpy.typing import NDArray

    from embedding.checkpoint import VectorTable
    from embedding.encoder import Encoder, Fingerprint
    from lsif.structure import Record

logger = logging.getLogger(__name__)

BLOCKS_VECTOR = "blocks"
"""What a report calls the vectors of blocks."""
_COUNTED_AT_ONCE = 4096
"""Texts that are tokenised together to find out how long they are."""


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
    cut_off: int = 0
    """Embedded texts of which the model saw only the beginning."""
    tokens: int = 0
    """Of the embedded texts, as far as the model saw them."""
    device: str = ""
    """What computed; empty where nothing was to do, as is `precision`."""
    precision: str = ""

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the report as plain data."""
        return asdict(self)


def embed_structures(
    structures: Path,
    checkpoint_root: Path | str,
    fingerprint: Fingerprint,
    load: Callable[[], Encoder],
    *,
    vector: str,
    rows_per_file: int,
    numbers: str = "float32",
) -> EmbedReport:
    """Make sure that the checkpoint holds a vector for each structure's text; return what that took.

    `fingerprint` says by which recipe a text is made. `load` is called only where something is missing. Each file of
    `rows_per_file` vectors is safe as soon as it is full; for `numbers` see Checkpoint. A temporary file lies beside `structures`
    meanwhile.
    """
    recipe = RECIPES[fingerprint.recipe]
    texts = (recipe(parse_structure(line)) for _, _, line in read_lines(structures))
    checkpoint = Checkpoint(checkpoint_root, fingerprint, numbers)
    return _embed_texts(texts, checkpoint, fingerprint, load, structures.parent, vector=vector, rows_per_file=rows_per_file)


def embed_blocks(
    blocks: Path,
    checkpoint_root: Path | str,
    fingerprint: Fingerprint,
    load: Callable[[], Encoder],
    *,
    vector: str,
    rows_per_file: int,
    numbers: str = "float32",
) -> EmbedReport:
    """Do for the snippets of a blocks.jsonl what `embed_structures` does; `fingerprint` is of a recipe that takes snippets."""
    texts = (block.snippet for block in read_blocks(blocks))
    checkpoint = Checkpoint(checkpoint_root, fingerprint, numbers)
    return _embed_texts(texts, checkpoint, fingerprint, load, blocks.parent, vector=vector, rows_per_file=rows_per_file)


def _embed_texts(
    all_texts: Iterable[str],
    checkpoint: Checkpoint,
    fingerprint: Fingerprint,
    load: Callable[[], Encoder],
    scratch: Path,
    *,
    vector: str,
    rows_per_file: int,
) -> EmbedReport:
    started = time.perf_counter()
    with _Missing(scratch) as missing:
        texts, from_checkpoint, duplicates = _find_missing(all_texts, checkpoint, fingerprint, missing)
        tokens, cut_off, device, precision = 0, 0, "", ""
        if len(missing):
            checkpoint.store.check_writable()
            encoder = load()
            logger.info("%s: embedding %d of %d texts with %s", vector, len(missing), texts, fingerprint.describe())
            device, precision = encoder.device, encoder.precision
            lengths = missing.count_tokens(encoder)
            seen = np.minimum(lengths, encoder.max_tokens) if encoder.max_tokens else lengths
            tokens, cut_off = int(seen.sum()), int((lengths > seen).sum())
            _embed(missing, lengths, seen, encoder, checkpoint, vector=vector, rows_per_file=rows_per_file)
        return EmbedReport(
            vector,
            fingerprint.model,
            checkpoint.dimension or 0,
            texts,
            len(missing),
            from_checkpoint,
            duplicates,
            time.perf_counter() - started,
            cut_off,
            tokens,
            device,
            precision,
        )


def gather_vectors(structures: Path, checkpoint_root: Path | str, fingerprint: Fingerprint, scratch: Path) -> VectorTable:
    """Return the vectors of a structures.jsonl in the order of its lines. Raises CheckpointError where one is missing."""
    recipe = RECIPES[fingerprint.recipe]
    texts = ((structure, recipe(structure)) for structure in read_structures(structures))
    return _gather(texts, checkpoint_root, fingerprint, scratch)


def gather_block_vectors(blocks: Path, checkpoint_root: Path | str, fingerprint: Fingerprint, scratch: Path) -> VectorTable:
    """Return the vectors of a blocks.jsonl in the order of its lines. Raises CheckpointError where one is missing."""
    texts = ((block, block.snippet) for block in read_blocks(blocks))
    return _gather(texts, checkpoint_root, fingerprint, scratch)


def _gather(
    texts: Iterable[tuple[Record, str]], checkpoint_root: Path | str, fingerprint: Fingerprint, scratch: Path
) -> VectorTable:
    """Return the vectors of the records' texts, in their order."""
    sequence = SequenceDigest()

    def keys() -> Iterator[bytes]:
        for record, text in texts:
            sequence.add(record)
            yield fingerprint.key(text)

    table = Checkpoint(checkpoint_root, fingerprint).gather(keys(), scratch)
    table.source = sequence.hexdigest()
    return table


def _find_missing(
    all_texts: Iterable[str], checkpoint: Checkpoint, fingerprint: Fingerprint, missing: _Missing
) -> tuple[int, int, int]:
    """Add the texts to `missing` that the checkpoint lacks, each once; return how many texts there are, and how many it has.

    The third number is that of texts equal to a missing one.
    """
    present, planned = checkpoint.keys(), set[bytes]()
    texts = from_checkpoint = duplicates = 0
    for text in all_texts:
        key = fingerprint.key(text)
        texts += 1
        if key in present:
            from_checkpoint += 1
        elif key in planned:
            duplicates += 1
        else:
            planned.add(key)
            missing.add(key, text)
    return texts, from_checkpoint, duplicates


def _embed(
    missing: _Missing,
    lengths: NDArray[np.int64],
    seen: NDArray[np.int64],
    encoder: Encoder,
    checkpoint: Checkpoint,
    *,
    vector: str,
    rows_per_file: int,
) -> None:
    """Embed all missing texts. Those of like length share a batch; the longest come first, so memory runs out at once or never."""
    order, began, done_tokens = longest_first(lengths), time.perf_counter(), 0
    total = int(seen.sum())
    with tqdm(total=len(order), desc=f"embed {vector}", unit="text", disable=None, leave=False) as progress:
        for start in range(0, len(order), rows_per_file):
            shard = order[start : start + rows_per_file]
            vectors, done = np.empty((len(shard), encoder.dimension), dtype=np.float32), 0
            try:
                for first in range(0, len(shard), encoder.texts_at_once):
                    places = shard[first : first + encoder.texts_at_once]
                    vectors[first : first + len(places)] = encoder.encode_documents(missing.texts(places))
                    done = first + len(places)
                    done_tokens += int(seen[places].sum())
                    rate = done_tokens / (time.perf_counter() - began)
                    progress.set_postfix_str(
                        f"{rate:,.0f} tokens/s, {(total - done_tokens) / max(rate, 1):.0f} s left", refresh=False
                    )
                    progress.update(len(places))
            finally:  # an interruption, or a text that the model fails on, takes no other's vector with it
                if done:
                    checkpoint.append(missing.keys(shard[:done]), vectors[:done])
            logger.info(
                "%s: %d of %d texts, %.0f tokens/s", vector, start + done, len(order), done_tokens / (time.perf_counter() - began)
            )


class _Missing:
    """The texts to embed, in a temporary file: rendered once, and read again in the order of their length."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys = bytearray()
        self._ends: list[int] = [0]

    def __enter__(self) -> _Missing:
        try:
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=self._folder)
        except OSError as exc:
            raise CheckpointError(f"can't write {self._folder}: {exc.strerror or exc}. Mend the permission and run again.") from exc
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, key: bytes, text: str) -> None:
        """Add one text with its key."""
        try:
            self._ends.append(self._ends[-1] + self._file.write(text.encode("utf-8", "surrogatepass")))
        except OSError as exc:
            raise CheckpointError(f"can't write to {self._folder}: {exc.strerror or exc}. Make room and run again.") from exc
        self._keys += key

    def texts(self, places: NDArray[np.int64]) -> list[str]:
        """Return the texts at the places (0-based, in the order in which they were added)."""
        return [self._text(place) for place in places.tolist()]

    def keys(self, places: NDArray[np.int64]) -> list[bytes]:
        """Return the keys at the places."""
        return [bytes(self._keys[place * 16 : place * 16 + 16]) for place in places.tolist()]

    def count_tokens(self, encoder: Encoder) -> NDArray[np.int64]:
        """Return how many tokens each text has, int64, (n,)."""
        counts = [
            encoder.count_tokens(self.texts(np.arange(start, min(start + _COUNTED_AT_ONCE, len(self)))))
            for start in range(0, len(self), _COUNTED_AT_ONCE)
        ]
        return np.concatenate(counts)

    def _text(self, place: int) -> str:
        begin, end = self._ends[place], self._ends[place + 1]
        self._file.seek(begin)
        return self._file.read(end - begin).decode("utf-8", "surrogatepass")
