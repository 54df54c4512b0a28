"""Encoders and fingerprints, without any model library.

A fingerprint says what made a vector: only vectors of one fingerprint can be compared.
"""

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
"""Names under which models keep the prompt of queries."""
_NAMED = "name:"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What decides a vector besides the text.

    The revision stands for pooling and prompts, too: it names one content of the model's files.
    """

    model: str
    revision: str
    """The commit of a hub model, or the digest of a model's files."""
    recipe: str
    max_tokens: int
    """0 = the model's own limit."""
    prompt: str = "auto"
    """The setting for the text before each document."""
    dimension: int = 0
    """Length to which a Matryoshka model's vectors are cut; 0 = not cut."""
    normalise: bool = True
    """Whether vectors are scaled to L2 norm 1."""
    precision: str = "float"
    """A class of precisions whose vectors are the same to four digits of cosine.

    "float" is the class of fp32 and bf16 on any device.
    """

    @property
    def digest(self) -> str:
        """The name of the fingerprint's folder in a checkpoint: 32 hex digits."""
        return _digest_of(self)

    def key(self, text: str) -> bytes:
        """Return the 16 bytes that identify the vector of the text."""
        return self.hasher()(text)

    def hasher(self) -> Callable[[str], bytes]:
        """Return `key` as a function that is three times as fast for many texts."""
        keyed = hashlib.blake2b(digest_size=16, key=self.digest.encode("ascii"))

        def key(text: str) -> bytes:
            state = keyed.copy()
            state.update(text.encode())
            return state.digest()

        return key

    def to_dict(self) -> dict[str, str | int | bool]:
        """Return the fields as plain data.

        `normalise` is left out if it is true: it is younger than the first checkpoints.
        """
        fields = asdict(self)
        if self.normalise:
            del fields["normalise"]
        return fields

    def describe(self) -> str:
        """Return the fingerprint in a few words for people."""
        details = [f"recipe {self.recipe}"]
        details += [f"{self.max_tokens} tokens"] if self.max_tokens else []
        details += [f"prompt {self.prompt!r}"] if self.prompt != "auto" else []
        details += [f"dimension {self.dimension}"] if self.dimension else []
        details += [] if self.normalise else ["not normalised"]
        details += [self.precision] if self.precision != "float" else []
        return f"{self.model} ({self.revision[:12]}, {', '.join(details)})"


@lru_cache
def _digest_of(fingerprint: Fingerprint) -> str:
    return hashlib.blake2b(orjson.dumps(fingerprint.to_dict()), digest_size=16).hexdigest()


class Encoder(Protocol):
    """Turns texts into vectors of one model."""

    dimension: int
    """Length of a vector."""
    max_tokens: int
    """Tokens after which a text is cut off; 0 = never."""
    texts_at_once: int
    """Texts in a call that keep the device busy."""
    device: str
    precision: str
    """What it computes in: "fp32", "bf16" or "int8"."""

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the number of tokens of each text, int64, (n,).

        Prompt and special tokens count; a text that will be cut off counts in full.
        """

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (len(texts), dimension) float32 in the order of the texts.

        Rows have L2 norm 1 unless the model's settings say otherwise.
        """

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return what `encode_documents` returns, for texts of searches."""


def validate(
    vectors: NDArray[np.float32], *, count: int, dimension: int, model: str, normalise: bool = True
) -> NDArray[np.float32]:
    """Return the vectors as (count, dimension) float32, of L2 norm 1 with `normalise`.

    Raises VectorError for another shape, NaN, infinity or a zero vector.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.shape != (count, dimension):
        raise VectorError(
            f"{model} returned an array of shape {vectors.shape}; expected {(count, dimension)}."
        )
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(norms) | (norms == 0))
    if bad.size:
        raise VectorError(
            f"{model} returned NaN, infinity or zero for {bad.size} of {count} texts; "
            f"the first is number {bad[0] + 1}."
        )
    return np.ascontiguousarray(vectors / norms if normalise else vectors)


def resolve_prompt(
    prompts: Mapping[str, str | None], setting: str, usual: tuple[str, ...], model: str
) -> str | None:
    """Return the text before each input, or None.

    `prompts` are the model's own, by name; `usual` are the names to try if the setting is "auto".
    Raises ModelError if the setting names a prompt that the model does not have.
    """
    if setting == "auto":
        return next((prompts[name] for name in usual if prompts.get(name)), None)
    if setting.startswith(_NAMED):
        name = setting.removeprefix(_NAMED)
        if name not in prompts:
            known = ", ".join(sorted(prompts)) or "none"
            raise ModelError(f"model {model} has no prompt {name!r}; it has {known}.")
        return prompts[name]
    return setting or None
