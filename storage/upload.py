"""Builds a generation from structures.jsonl and its vectors, verifies it, publishes it. The live one stays until then."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING

from tqdm import tqdm

from lsif.structure import SequenceDigest, read_structures
from storage.errors import IndexMismatch, IndexMissing, StorageError
from storage.index import Point
from storage.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from embedding.checkpoint import VectorTable
    from embedding.encoder import Fingerprint
    from storage.index import Generation, Index
    from storage.schema import Metadata

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class UploadReport:
    """What building and publishing a generation took."""

    location: str
    collection: str
    generation: str
    points: int
    seconds: float

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the report as plain data."""
        return asdict(self)


def build_generation(
    index: Index,
    collection: str,
    metadata: Metadata,
    structures: Path,
    vectors: Mapping[str, VectorTable],
    *,
    batch_points: int,
) -> UploadReport:
    """Build, verify and publish a generation with one point a line of `structures`; vectors are in the order of its lines.

    Raises what storage.errors names; then the generation is removed and the live one is untouched.
    """
    started = time.perf_counter()
    with index.writing(collection):
        generation = index.create(collection, metadata)
        try:
            points = _upload(generation, structures, vectors, batch_points)
            _verify(generation, structures, points)
            index.publish(collection, generation)
        except BaseException:
            _drop_quietly(index, collection, generation)
            raise
    return UploadReport(index.location, collection, generation.name, points, time.perf_counter() - started)


def check_fingerprints(generation: Generation, fingerprints: Mapping[str, Fingerprint], collection: str, way_out: str) -> None:
    """Raise IndexMismatch where the generation was made with other models, naming both; `way_out` ends the message."""
    metadata = generation.metadata
    if metadata.schema_version != SCHEMA_VERSION:
        raise IndexMismatch(
            f"collection {collection!r} has record schema {metadata.schema_version}, this version writes {SCHEMA_VERSION}; "
            f"{way_out}"
        )
    for name, fingerprint in fingerprints.items():
        made_with = metadata.vectors.get(name)
        if made_with is None or made_with.fingerprint != fingerprint.digest:
            found = made_with.description if made_with is not None else "no such vector"
            raise IndexMismatch(
                f"collection {collection!r} was made with {name} = {found}; the configuration says {fingerprint.describe()}. "
                f"{way_out}"
            )


def require_live(index: Index, collection: str) -> Generation:
    """Return the live generation. Raises IndexMissing where there is none."""
    generation = index.live(collection)
    if generation is None:
        there = f"; there is {', '.join(index.collections())}" if index.collections() else ""
        raise IndexMissing(f"no index of {collection!r} at {index.location}{there}. Make one: lsif-ingest ingest --repo DIR")
    return generation


def _upload(generation: Generation, structures: Path, vectors: Mapping[str, VectorTable], batch_points: int) -> int:
    sequence, done = SequenceDigest(), 0
    records = (sequence.add(structure) for structure in read_structures(structures))
    total = min(len(table) for table in vectors.values())
    with tqdm(total=total, desc="upload", unit="point", disable=None, leave=False) as progress:
        while batch := list(islice(records, batch_points)):
            if done + len(batch) > total:
                break
            rows = {name: table[done : done + len(batch)] for name, table in vectors.items()}
            generation.upsert(
                [
                    Point(structure.id, {name: table[row] for name, table in rows.items()}, structure.to_payload())
                    for row, structure in enumerate(batch)
                ]
            )
            done += len(batch)
            progress.update(len(batch))
    if any(table.source != sequence.hexdigest() for table in vectors.values()):
        raise StorageError(f"{structures} changed since its vectors were gathered; run again.")
    return done


def _verify(generation: Generation, structures: Path, points: int) -> None:
    """Raise StorageError where the generation does not hold exactly the structures, by id and digest."""
    stored = generation.count()
    if stored != points:
        raise StorageError(f"{generation.name}: {points} points were sent, {stored} are there.")
    expected = _checksum((structure.id, structure.digest) for structure in read_structures(structures))
    if _checksum(generation.scroll()) != expected:
        raise StorageError(f"{generation.name}: its {points} points are not those of {structures}.")


def _checksum(pairs: Iterable[tuple[str, str]]) -> int:
    """Return a sum over (id, digest) pairs that does not depend on their order, so that neither side need be held in memory."""
    return sum(int.from_bytes(hashlib.blake2b("\0".join(pair).encode(), digest_size=16).digest(), "big") for pair in pairs) % (
        1 << 128
    )


def _drop_quietly(index: Index, collection: str, generation: Generation) -> None:
    """Remove what was built; a failure here must not hide the one that led here."""
    try:
        index.drop(collection, generation)
    except StorageError as exc:
        logger.warning("could not remove the unfinished generation %s: %s", generation.name, exc)
