"""The JSON of the HTTP API as OpenAPI describes it.

The answers themselves are made by the `to_dict` methods of what is described here. The keys of a
structure are derived from lsif.structure.Structure (search.record), never typed again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from lsif.coverage import Coverage  # noqa: TC001 - pydantic needs it
from search.projection import MAP_KEYS
from search.record import record_docs, record_keys
from search.relations import Related, Subject, UsePlace  # noqa: TC001 - pydantic needs them
from search.sources import OUTLINE_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable


class Model(BaseModel):
    """JSON with exactly these keys."""

    model_config = ConfigDict(extra="forbid")


def _model_of_keys(names: Iterable[str]) -> Any:
    """Return a model of these keys of a structure's flat JSON."""
    keys, docs = record_keys(), record_docs()
    described: dict[str, Any] = {
        name: (keys[name].type, Field(description=docs.get(name))) for name in names
    }
    return create_model("Keys", __base__=Model, **described)


class LineRangeModel(Model):
    """Lines of a file, 1-based and inclusive."""

    line_from: int
    line_to: int


class LineMatchModel(Model):
    """A line that contains words of the query; the score is 0 to 1."""

    line: int
    score: float
    text: str


class RecordModel(_model_of_keys(record_keys())):  # type: ignore[misc]
    """A structure."""


class HitModel(RecordModel):
    """A structure that answers a query, its scores by retriever and the lines to look at first."""

    score: float
    scores: dict[str, float]
    ranges: list[LineRangeModel]
    lines: list[LineMatchModel]


class GroupModel(Model):
    """The ids of a group's hits, best first."""

    value: str
    ids: list[str]


class FromReferencesModel(Model):
    """What the references answered: the relation, and the structure or symbol that it is to."""

    relation: Literal["callers", "implementations", "tests"]
    id: str | None
    symbol: str
    total: int


class AnswerModel(Model):
    """The answer to a query."""

    query: str
    mode: str
    query_kind: str
    from_references: FromReferencesModel | None
    project: str
    branch: str
    commit: str | None
    dirty: bool
    generation: str
    confidence: float | None
    good: bool
    latency_ms: dict[str, float]
    hits: list[HitModel]
    groups: list[GroupModel] | None


class BlockModel(Model):
    """A block inside a structure."""

    kind: str
    line_from: int
    line_to: int


class StructureModel(RecordModel):
    """A structure with its blocks, and how many files refer to it."""

    referencing_files: int
    blocks: list[BlockModel]


class _RelationModel(Model):
    """A part of what has one relation to the target."""

    target: Subject
    depth: int = Field(description="maximum number of steps that were taken")
    offset: int
    limit: int
    total: int
    is_all: bool = Field(description="whether all were counted; else there are more than `total`")


class PlacesModel(_RelationModel):
    """The places that refer to the target, by file and line; columns are in UTF-16 code units."""

    relation: Literal["references"]
    items: list[UsePlace]


class RelatedModel(_RelationModel):
    """The structures, and symbols outside the index, that are related to the target."""

    relation: Literal["callers", "callees", "implementations", "tests"]
    items: list[Related]


class FileStructureModel(_model_of_keys(OUTLINE_KEYS)):  # type: ignore[misc]
    """A structure of a file."""


class FileModel(Model):
    """An indexed file; lines that are not known are null."""

    file_path: str
    commit: str | None
    origin: Literal["commit", "disk", "index"]
    complete: bool
    lines: list[str | None]
    structures: list[FileStructureModel]


class MapPointModel(_model_of_keys(MAP_KEYS)):  # type: ignore[misc]
    """A structure on the map; x and y are from -1 to 1."""

    id: str
    x: float
    y: float


class MapModel(Model):
    """All structures, or every n-th of many, on a plane."""

    state: Literal["ready"]
    sampled: bool
    total: int
    points: list[MapPointModel]


class StatusModel(Model):
    """What is searched, and the values to filter on with their numbers of structures."""

    project: str
    projects: list[str]
    commit: str | None
    dirty: bool
    generation: str
    created: str
    structures: int
    blocks: int
    coverage: Coverage | None
    models: dict[str, str]
    modes: list[str]
    values: dict[str, dict[str, int]]


class CandidateModel(Model):
    """A structure, or a symbol outside the index, that a name may mean."""

    place: str
    id: str | None
    file_path: str
    code_type: str
    symbol: str
    line: int


class ErrorModel(Model):
    """Why there is no answer."""

    detail: str
    candidates: list[CandidateModel] | None = None
    """The first that an ambiguous name may mean; absent in other errors."""
