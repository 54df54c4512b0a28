"""What an encoder is, and what makes two vectors comparable. Knows no model library."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
import orjson

from embedding.errors import ModelError, VectorError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

QUERY_PROMPTS = ("query",)
"""Names that models give to the prompt of queries."""
_NAMED = "name:"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What decides a vector besides the structure: vectors of different fingerprints must never meet.

    The revision decides pooling, prompts and dimension too: it names one content of the model's files.
    """

    model: str
    revision: str
    """Commit of a hub model, digest of a model's files otherwise."""
    recipe: str
    max_tokens: int
    """0 = the model's own limit."""
    prompt: str = "auto"
    """The setting of what stands before each document."""
    dimension: int = 0
    """Numbers that are kept of a Matryoshka model's vector; 0 = all."""
    normalise: bool = True
    """Whether vectors have length 1; else that which the model gives."""
    precision: str = "float"
    """A class of precisions whose vectors are alike to four digits of cosine; fp32 and bf16, on any device, are one: "float"."""

    @property
    def digest(self) -> str:
        """32 hex digits."""
        return _digest_of(self)

    def key(self, text: str) -> bytes:
        """Return the 16 bytes that identify the vector of the text."""
        return self.hasher()(text)

    def hasher(self) -> Callable[[str], bytes]:
        """Return what `key` returns as a function, which is three times as fast for many texts."""
        keyed = hashlib.blake2b(digest_size=16, key=self.digest.encode("ascii"))

        def key(text: str) -> bytes:
            state = keyed.copy()
            state.update(text.encode())
            return state.digest()

        return key

    def to_dict(self) -> dict[str, str | int | bool]:
        """Return the fields as plain data; `normalise` only where it is false, as it came after the first checkpoints."""
        fields = asdict(self)
        if self.normalise:
            del fields["normalise"]
        return fields

    def describe(self) -> str:
        """Return the fingerprint in a few words for people."""
        details = [f"recipe {self.recipe}"]
        details += [f"{self.max_tokens} tokens"] if self.max_tokens else []
        details += [f"prompt {self.prompt!r}"] if self.prompt != "auto" else []
        details += [f"{self.dimension} numbers"] if self.dimension else []
        details += [] if self.normalise else ["not normalised"]
        details += [self.precision] if self.precision != "float" else []
        return f"{self.model} ({self.revision[:12]}, {', '.join(details)})"


@lru_cache
def _digest_of(fingerprint: Fingerprint) -> str:
    """Return the fingerprint's digest; the key of each text needs it."""
    return hashlib.blake2b(orjson.dumps(fingerprint.to_dict()), digest_size=16).hexdigest()


class Encoder(Protocol):
    """Turns texts into vectors of one model."""

    dimension: int
    """Numbers in a vector."""
    max_tokens: int
    """Tokens of a text beyond which it is cut off; 0 = never."""
    texts_at_once: int
    """Texts of a call that keep the device busy."""
    device: str
    precision: str
    """What is computed in: "fp32", "bf16" or "int8"."""

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how many tokens each text has, prompt and special tokens included, before any is cut off; int64, (n,)."""

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (len(texts), dimension) float32, each row of L2 norm 1 unless set otherwise, in the order of the texts."""

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return what `encode_documents` returns, for texts that are searched with."""


def checked(
    vectors: NDArray[np.float32], *, count: int, dimension: int, model: str, normalise: bool = True
) -> NDArray[np.float32]:
    """Return the vectors as (count, dimension) float32, with `normalise` of L2 norm 1.

    Raises VectorError for another shape, NaN, infinity or a zero vector.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.shape != (count, dimension):
        raise VectorError(
            f"{model} gave an array of shape {vectors.shape}; expected {(count, dimension)}."
        )
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(norms) | (norms == 0))
    if bad.size:
        raise VectorError(
            f"{model} gave NaN, infinity or zero for {bad.size} of {count} texts, the first is number {bad[0] + 1}."
        )
    return np.ascontiguousarray(vectors / norms if normalise else vectors)


def resolve_prompt(
    prompts: Mapping[str, str | None], setting: str, usual: tuple[str, ...], model: str
) -> str | None:
    """Return the text that stands before each input, of the model's prompts. Raises ModelError where it has none of the name."""
    if setting == "auto":
        return next((prompts[name] for name in usual if prompts.get(name)), None)
    if setting.startswith(_NAMED):
        name = setting.removeprefix(_NAMED)
        if name not in prompts:
            raise ModelError(
                f"model {model} has no prompt {name!r}; it has {', '.join(sorted(prompts)) or 'none'}."
            )
        return prompts[name]
    return setting or None
