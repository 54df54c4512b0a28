"""Settings: strict types and one loader, for entry points. Nothing here reads the environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from configs.errors import ConfigError
from configs.globs import compile_globs
from configs.tables import merge, parse_override, read_toml, read_value

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_CONFIG = Path(__file__).with_name("default.toml")

SNIPPET_RECIPE = "snippet-1"
"""The recipe that takes source code as it is."""

PACKAGED_PREFIX = "packaged:"
"""Prefix of a model that an installed Python package contains; it needs no download."""


_LONGEST_NAME = 180
"""Bytes; with what is put before and behind it, a name of a file or collection has at most 255."""
_FEATURE = re.compile(r"[\w+][\w+.-]*(/[\w+][\w+.-]*)?")
_CFG = re.compile(r'[^\W\d]\w*(="[^"\\\x00-\x1f]*")?')


class Section(BaseModel):
    """A frozen table of settings. Unknown keys are errors; all defaults are in default.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ProjectSettings(Section):
    """Which project is indexed."""

    name: str
    branch: str

    @field_validator("name")
    @classmethod
    def _name_is_safe(cls, name: str) -> str:
        if not re.fullmatch(r"(\w[\w.-]*)?", name):
            raise ValueError(
                "expected only letters, digits and _ . -, the first one a letter or digit"
            )
        return name

    @model_validator(mode="after")
    def _names_are_short(self) -> ProjectSettings:
        size = len(f"{self.name}@{self.branch}".encode())
        if size > _LONGEST_NAME:
            raise ValueError(
                f"project and branch have {size:,} bytes together; "
                f"a name of an index has at most {_LONGEST_NAME}"
            )
        return self


class PathSettings(Section):
    """Where files go."""

    data: str


class CheckoutSettings(Section):
    """How the sources of a git URL or ref are fetched."""

    timeout_s: Annotated[int, Field(ge=1)]
    submodules: bool


class RustAnalyzerSettings(Section):
    """How rust-analyzer is run."""

    command: Annotated[str, Field(min_length=1)]
    timeout_s: Annotated[int, Field(ge=1)]
    memory_mb: Annotated[int, Field(ge=0)]
    network: Literal["as_is", "offline", "locked"]
    format: Literal["auto", "lsif", "scip"]
    project: Literal["auto", "cargo", "static"]
    features: Literal["all", "default"] | list[str]
    cfg: list[str]
    keep_dumps: Annotated[int, Field(ge=0, le=100)]

    @field_validator("features", mode="before")
    @classmethod
    def _features_are_names(cls, features: object) -> object:
        if isinstance(features, str) and features.startswith("["):  # from --set
            features = read_value(features)
        names = features if isinstance(features, list) else [features]
        word = isinstance(features, list) or features in ("all", "default")
        if not word or not all(
            isinstance(name, str) and _FEATURE.fullmatch(name) for name in names
        ):
            raise ValueError(
                'expected "all", "default" or a list of features, such as ["net", "tokio/rt"]'
            )
        return features

    @field_validator("cfg")
    @classmethod
    def _cfgs_are_names(cls, cfgs: list[str]) -> list[str]:
        if not all(_CFG.fullmatch(cfg) for cfg in cfgs):
            raise ValueError('expected names such as tokio_unstable or backend="linux"')
        return cfgs


class ParseSettings(Section):
    """What of a repository becomes structures, and how many faults a dump may have."""

    format: Literal["auto", "lsif", "scip"]
    max_bad_lines: Annotated[int, Field(ge=0)]
    processes: Annotated[int, Field(ge=0, le=64)]
    max_stale_share: Annotated[float, Field(ge=0, le=1)]
    blocks_longer_than: Annotated[int, Field(ge=0)]
    source_items: bool
    warn_index_share: Annotated[float, Field(ge=0, le=1)]
    exclude: list[str]
    include: list[str]

    @field_validator("exclude", "include")
    @classmethod
    def _globs_are_valid(cls, globs: list[str]) -> list[str]:
        compile_globs(globs)  # raises ValueError
        return globs


class ModelSettings(Section):
    """One embedding: a model and how its input is made."""

    model: Annotated[str, Field(min_length=1)]
    revision: str
    trust_remote_code: bool
    recipe: Literal["tutorial-1", "words-2", "snippet-1"]
    max_tokens: Annotated[int, Field(ge=0)]
    batch_tokens: Annotated[int, Field(ge=0, le=16_777_216)]
    dimension: Annotated[int, Field(ge=0, le=65_536)]
    normalise: bool
    document_prompt: str
    query_prompt: str
    backend: Literal["torch", "openvino"]
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
    precision: Literal["auto", "fp32", "bf16", "int8"]

    @model_validator(mode="after")
    def _remote_code_is_pinned(self) -> ModelSettings:
        if self.trust_remote_code:
            _require_pinned(self.model, self.revision)
        return self

    @model_validator(mode="after")
    def _backend_can_do_it(self) -> ModelSettings:
        if self.backend == "openvino" and self.device not in ("auto", "cpu"):
            raise ValueError('backend "openvino" runs only on device "cpu"')
        if self.precision == "int8" and self.backend != "openvino":
            raise ValueError('precision "int8" requires backend "openvino"')
        return self


class EmbeddingSettings(Section):
    """The two named vectors."""

    threads: Annotated[int, Field(ge=0, le=1024)]
    text: ModelSettings
    code: ModelSettings


class CheckpointSettings(Section):
    """Where and how vectors are kept."""

    store: str
    numbers: Literal["float32", "float16"]
    rows_per_file: Annotated[int, Field(ge=1, le=1_000_000)]

    @field_validator("store")
    @classmethod
    def _no_credentials(cls, store: str) -> str:
        # A flow's parameters are settings, which its Prefect server stores.
        if "@" in store.partition("://")[2].partition("?")[0] or "secret_key" in store:
            raise ValueError("an address must not contain credentials; set them in the environment")
        return store


class StorageSettings(Section):
    """How points are sent, published and kept; default.toml marks what only servers use."""

    publish: Literal["auto", "swap", "in_place"]
    keep_generations: Annotated[int, Field(ge=0, le=100)]
    max_refused: Annotated[int, Field(ge=0)]
    min_share_of_last: Annotated[float, Field(ge=0, le=1)]
    batch_points: Annotated[int, Field(ge=1, le=10_000)]
    batch_mb: Annotated[int, Field(ge=1, le=1000)]
    streams: Annotated[int, Field(ge=1, le=32)]
    timeout_s: Annotated[int, Field(ge=1)]
    retry_s: Annotated[float, Field(ge=0)]
    ready_s: Annotated[float, Field(ge=0)]
    prefer_grpc: bool
    allow_key_over_http: bool
    on_disk: bool
    datatype: Literal["float32", "float16"]
    hnsw_m: Annotated[int, Field(ge=0, le=512)]
    hnsw_ef_construct: Annotated[int, Field(ge=4, le=10_000)]
    indexing_threshold_kb: Annotated[int, Field(ge=0)]
    quantization: Literal["none", "scalar", "binary"]
    shard_number: Annotated[int, Field(ge=0)]
    replication_factor: Annotated[int, Field(ge=0)]
    write_consistency_factor: Annotated[int, Field(ge=0)]


class WeightSettings(Section):
    """How much each retriever of a hybrid search counts."""

    text: Annotated[float, Field(ge=0, le=100)]
    code: Annotated[float, Field(ge=0, le=100)]
    bm25: Annotated[float, Field(ge=0, le=100)]
    blocks: Annotated[float, Field(ge=0, le=100)]

    @model_validator(mode="after")
    def _one_counts(self) -> WeightSettings:
        if not (self.text or self.code or self.bm25 or self.blocks):
            raise ValueError("all weights are 0: at least one must be positive")
        return self


class RerankSettings(Section):
    """The cross-encoder that reorders the first hits."""

    model: str
    revision: str
    trust_remote_code: bool
    top: Annotated[int, Field(ge=2, le=200)]

    @model_validator(mode="after")
    def _remote_code_is_pinned(self) -> RerankSettings:
        if self.trust_remote_code:
            _require_pinned(self.model, self.revision)
        return self


class SearchSettings(Section):
    """How many hits are requested, and how they become one ranking."""

    limit: Annotated[int, Field(ge=1, le=1000)]
    group_size: Annotated[int, Field(ge=1, le=1000)]
    text_hits: Annotated[int, Field(ge=1, le=1000)]
    code_hits: Annotated[int, Field(ge=1, le=1000)]
    candidates: Annotated[int, Field(ge=10, le=10_000)]
    fusion: Literal["scores", "rrf"]
    rrf_k: Annotated[int, Field(ge=1, le=1000)]
    weights: WeightSettings
    code_weights: WeightSettings
    test_weight: Annotated[float, Field(ge=0, le=1)]
    impl_weight: Annotated[float, Field(ge=0, le=1)]
    file_weight: Annotated[float, Field(ge=0, le=1)]
    no_answer_below: Annotated[float, Field(ge=0, le=1)]
    calibration: str
    rerank: RerankSettings


class FlowSettings(Section):
    """How the flow handles temporary failures, and what it reports about its runs."""

    retries: Annotated[int, Field(ge=0, le=20)]
    retry_delay_s: Annotated[float, Field(ge=0)]
    niceness: Annotated[int, Field(ge=0, le=19)]
    keep_reports: Annotated[int, Field(ge=0, le=1000)]
    metrics_folder: str


class ClusterSettings(Section):
    """Where texts are embedded, one work unit after another."""

    runner: Literal["here", "processes", "dask", "flow"]
    scheduler: Annotated[str, Field(pattern=r"^((tcp|tls|ws|wss|ucx)://[^@]+)?$")]
    workers: Annotated[int, Field(ge=1, le=1024)]
    resources: dict[str, Annotated[float, Field(gt=0)]]
    timeout_s: Annotated[int, Field(ge=1)]


class Settings(Section):
    """All settings of a run; configs/default.toml documents each."""

    project: ProjectSettings
    paths: PathSettings
    checkout: CheckoutSettings
    rust_analyzer: RustAnalyzerSettings
    parse: ParseSettings
    embedding: EmbeddingSettings
    checkpoint: CheckpointSettings
    storage: StorageSettings
    search: SearchSettings
    flow: FlowSettings
    cluster: ClusterSettings


def load_settings(config: Path | None = None, overrides: Iterable[str] = ()) -> Settings:
    """Return the defaults, changed by the TOML file `config`, then by each `section.key=value`.

    Raises ConfigError for an unreadable file, an unknown key or a value out of its range.
    """
    table = read_toml(DEFAULT_CONFIG)
    if config is not None:
        merge(table, read_toml(config))
    for override in overrides:
        merge(table, parse_override(override, table))
    try:
        return Settings.model_validate(table)
    except ValidationError as exc:
        problems = "; ".join(_describe(dict(error)) for error in exc.errors()[:3])
        source = config.name if config is not None else "settings"
        raise ConfigError(
            f"{source}: {problems}. configs/default.toml lists every key with its range."
        ) from exc


def _require_pinned(model: str, revision: str) -> None:
    if not revision and not Path(model).is_dir():
        raise ValueError(
            f'trust_remote_code runs the code of {model}: pin it with revision = "<commit>"'
        )


def _describe(error: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {where}"
    found = error["input"]
    if isinstance(found, BaseModel | dict):  # all of a section's keys: the problem says which
        return f"{where}: {str(error['msg']).removeprefix('Value error, ')}"
    # An address may contain credentials.
    shown = "an address" if isinstance(found, str) and "://" in found else repr(found)
    problem = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {problem}, found {shown}" if where else problem
