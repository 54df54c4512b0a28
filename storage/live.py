"""The live generation of a collection: whether there is one, and what it was made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.errors import IndexMismatch, IndexMissing
from storage.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedding.encoder import Fingerprint
    from storage.index import Generation, Index
    from storage.metadata import Metadata


def require_live(index: Index, collection: str) -> Generation:
    """Return the live generation. Raises IndexMissing if there is none."""
    generation = index.live(collection)
    if generation is None:
        found = ", ".join(index.collections())
        others = f"; indexed there: {found}" if found else ""
        raise IndexMissing(
            f"there is no index of {collection!r} at {index.location}{others}. "
            f"{IndexMissing.ADVICE}"
        )
    return generation


def check_fingerprints(
    generation: Generation, fingerprints: Mapping[str, Fingerprint], collection: str, advice: str
) -> None:
    """Raise IndexMismatch, naming both models, if the generation was made with another one.

    `advice` ends the message.
    """
    metadata = generation.metadata
    if metadata.schema_version != SCHEMA_VERSION:
        raise IndexMismatch(
            f"collection {collection!r} has record schema {metadata.schema_version}, "
            f"this version writes {SCHEMA_VERSION}; {advice}"
        )
    for name, fingerprint in fingerprints.items():
        made_with = metadata.vectors.get(name)
        if made_with is None or made_with.fingerprint != fingerprint.digest:
            found = made_with.description if made_with is not None else "no such vector"
            raise IndexMismatch(
                f"collection {collection!r} was made with {name} = {found}; "
                f"the configuration says {fingerprint.describe()}. {advice}"
            )


def is_comparable(first: Metadata, second: Metadata) -> bool:
    """Return whether vectors and payloads of the two may be in one collection."""
    is_same_schema = first.schema_version == second.schema_version
    return is_same_schema and first.fingerprints == second.fingerprints
