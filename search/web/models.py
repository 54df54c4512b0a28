"""The JSON of the HTTP API, as its documentation (OpenAPI) has it. What is sent is made by the `to_dict`s of what it describes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """JSON with exactly these keys."""

    model_config = ConfigDict(extra="forbid")


class LineRangeModel(Model):
    """Lines of a file, 1-based, both ends inclusive."""

    line_from: int
    line_to: int


class LineMatchModel(Model):
    """A line that says what was asked for; score 0 to 1."""

    line: int
    score: float
    text: str


class RecordModel(Model):
    """A structure."""

    id: str
    name: str
    symbol: str
    code_type: str
    crate: str
    module: str
    module_path: str
    struct_name: str | None
    trait_name: str | None
    visibility: str
    is_test: bool
    signature: str
    docstring: str | None
    summary: str | None
    references: int
    file_path: str
    line: int
    line_from: int
    line_to: int
    snippet: str


class HitModel(RecordModel):
    """A structure that answers a query, with its scores by leg, and the lines to look at first."""

    score: float
    scores: dict[str, float]
    ranges: list[LineRangeModel]
    lines: list[LineMatchModel]


class GroupModel(Model):
    """The ids of a group's hits, best first."""

    value: str
    ids: list[str]


class AnswerModel(Model):
    """What a query found."""

    query: str
    mode: str
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


class FileStructureModel(Model):
    """A structure of a file."""

    id: str
    name: str
    symbol: str
    code_type: str
    line: int
    line_from: int
    line_to: int


class FileModel(Model):
    """An indexed file; a line that is not known is null."""

    file_path: str
    commit: str | None
    origin: Literal["commit", "disk", "index"]
    complete: bool
    lines: list[str | None]
    structures: list[FileStructureModel]


class MapPointModel(Model):
    """A structure on the map; x and y from -1 to 1."""

    id: str
    x: float
    y: float
    crate: str
    code_type: str
    symbol: str
    file_path: str
    line: int


class MapModel(Model):
    """All structures, or every n-th of many, on a plane."""

    state: Literal["ready"]
    sampled: bool
    total: int
    points: list[MapPointModel]


class StatusModel(Model):
    """What is searched, and the values that can be filtered on, with their numbers of structures."""

    project: str
    projects: list[str]
    commit: str | None
    dirty: bool
    generation: str
    created: str
    structures: int
    blocks: int
    models: dict[str, str]
    modes: list[str]
    values: dict[str, dict[str, int]]


class ErrorModel(Model):
    """Why there is no answer."""

    detail: str
