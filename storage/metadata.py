"""The metadata of a generation, and its name."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from lsif.coverage import Coverage, read_coverage
from storage.errors import IndexMismatch
from storage.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class VectorInfo:
    """One named vector of a collection."""

    dimension: int
    fingerprint: str
    """Digest of everything that determines its vectors."""
    description: str
    """The same, readable."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a generation was made of, and with what; kept by Qdrant beside the points."""

    project: str
    source: str
    """What the project was indexed from. It differs between repositories of one name, not between
    checkouts of one repository."""
    commit: str | None
    """Of the repository; None if it is not a git repository."""
    dirty: bool
    """Whether the repository had uncommitted changes."""
    created: str
    """When it was made or last changed; ISO 8601, UTC."""
    vectors: dict[str, VectorInfo]
    """Those of structures; blocks have only `code`."""
    branch: str = ""
    structures: int = 0
    """Number of points, once it is complete."""
    blocks: int = 0
    complete: bool = False
    """Whether it was verified. A generation that is neither complete nor live is what a killed run
    left behind."""
    schema_version: int = SCHEMA_VERSION
    source_items: bool = False
    """Whether it holds what no dump does; indexes of earlier versions do not."""
    project_model: bool = False
    """Whether rust_analyzer.project and features apply to it; they came later than some indexes."""
    word_counts: bool = False
    """Whether it keeps how many structures hold each word; else Qdrant weighs a query's words."""
    coverage: Coverage | None = None
    """Of the repository's Rust files; None if it is not known: records that were imported, another
    language, an index of an earlier version."""
    places: str = ""
    """Digest of the file that has the places of its references; see lsif.references. Empty if it
    was made without references: by an earlier version, or of records that were imported."""

    @property
    def points(self) -> int:
        """Points of both kinds."""
        return self.structures + self.blocks

    @property
    def fingerprints(self) -> dict[str, str]:
        """Digest of what determines each named vector of structures."""
        return {name: info.fingerprint for name, info in self.vectors.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the metadata as plain data."""
        return asdict(self)


BLOCKS_SUFFIX = "--blocks"
"""Behind a name on a server: its collection of blocks."""
_TIME = "%Y%m%dT%H%M%S%f"
_GENERATION = re.compile(r"(?P<collection>.+)--(?P<time>\d{8}T\d{12})(-[0-9a-f]{8})?")
_NEVER = datetime.min.replace(tzinfo=UTC)


def generation_name(collection: str, metadata: Metadata, others: Iterable[str]) -> str:
    """Return a name for a new generation: `<collection>--<time>-<digest of its metadata>`.

    Its time is later than those of `others`, the existing generations, even if the clock was put
    back: pruning and rolling back go by it.
    """
    digest = hashlib.blake2b(orjson.dumps(metadata.to_dict()), digest_size=4).hexdigest()
    newest = max((made_at(name, collection) for name in others), default=_NEVER)
    made = max(datetime.now(UTC), newest + timedelta(microseconds=1))
    return f"{collection}--{made:{_TIME}}-{digest}"


def made_at(name: str, collection: str) -> datetime:
    """Return when the generation was made; the year 1 if it is not the collection's."""
    found = _GENERATION.fullmatch(name)
    if found is None or found["collection"] != collection:
        return _NEVER
    try:
        return datetime.strptime(found["time"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return _NEVER


def is_generation(name: str, collection: str) -> bool:
    """Return whether `generation_name` may have given the name for the collection."""
    return made_at(name, collection) != _NEVER


def require_own_names(collection: str) -> None:
    """Raise IndexMismatch if the collection could have a name that is made from another one's.

    Those of `foo` on a server are `foo`, `foo--blocks`, `foo--<time>-<digest>` and the same with
    `--blocks`. The embedded index refuses the same names, so that each can move to a server.
    """
    if collection.endswith(BLOCKS_SUFFIX) or _GENERATION.fullmatch(collection):
        other = collection.rpartition("--")[0]
        raise IndexMismatch(
            f"an index can't be named {collection!r}: on a Qdrant server that is a name of what "
            f"belongs to an index {other!r}. Choose another name: --project NAME or --branch NAME."
        )


def read_metadata(fields: dict[str, Any]) -> Metadata:
    """Return the metadata that `to_dict` gave. Raises TypeError or KeyError for other fields."""
    vectors = {name: VectorInfo(**info) for name, info in fields["vectors"].items()}
    coverage = read_coverage(fields.get("coverage"))
    return Metadata(**{**fields, "vectors": vectors, "coverage": coverage})
