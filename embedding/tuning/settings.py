"""How to train, and what a training came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from embedding.tuning.scores import Score


class ModelSource(NamedTuple):
    """A model that is available, but not loaded."""

    name: str
    """As people name it."""
    source: str
    """A folder, or a name on the Hub."""
    revision: str | None
    """The commit of a model of the Hub; None for a folder."""
    digest: str
    """Of its content: a model of another digest is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSettings:
    """How to train."""

    base: ModelSource
    """The model to begin with."""
    reranker: bool = False
    """Whether to train a reranker, not an encoder."""
    teacher: ModelSource | None = None
    """A model whose vectors the trained one shall have, of the same dimension."""
    steps: int = 0
    """0: as many as fit into `minutes`."""
    minutes: float = 60
    layers: int = 0
    """Layers of the base to keep, the first and the last ones; 0 keeps all."""
    batch: int = 96
    """Pairs in a step, of an encoder all of one project."""
    tokens: int = 160
    """Of a text; what is longer is cut off while training."""
    rate: float = 6e-5
    """The highest learning rate."""
    float16: bool = False
    """Whether the weights are written as float16: half the size, vectors that differ by 1e-3."""
    mix: float = 0.0
    """Share of the base's weights in the result, 0 to 1."""
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What a training came to."""

    steps: int
    minutes: float
    """Of the last run; those that were killed before it are not counted."""
    loss: float
    """Mean over the last few steps."""
    before: dict[str, Score]
    after: dict[str, Score]
