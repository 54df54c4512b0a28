"""An encoder of queries that starts at once: BERT with mean pooling (MiniLM and its kin) in numpy, for one short text.

torch and sentence-transformers take four seconds to import, which is most of the time of a search from the command line; a query of
twenty words needs no more than some matrix products. The vectors are those of the model to five digits of cosine, which a test
holds it to. Models of any other make are left to embedding.models.

Devlin et al., BERT, 2019; Reimers and Gurevych, Sentence-BERT, 2019.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from embedding.encoder import QUERY_PROMPTS, checked, resolve_prompt
from embedding.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from configs.settings import ModelSettings

    Array = NDArray[np.float32]

_CONFIGS = ("config.json", "1_Pooling/config.json", "sentence_bert_config.json")


def load_query_encoder(folder: Path, settings: ModelSettings) -> NumpyBert | None:
    """Return an encoder of the model in the folder, None where it is of another make or set to something that this does not do."""
    if settings.device not in ("auto", "cpu") or settings.backend != "torch":
        return None
    try:
        config, pooling, limits = (_read(folder / name) for name in _CONFIGS)
        modules = [
            str(one["type"]).rpartition(".")[2]
            for one in orjson.loads((folder / "modules.json").read_bytes())
        ]
        prompt = _prompt(folder, settings)
        positions = int(config["max_position_embeddings"])
        tokens = (
            settings.max_tokens
            or limits.get("max_seq_length")
            or _read(folder / "tokenizer_config.json")["model_max_length"]
        )
    except (ModelError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # what is wrong the model's library tells
    modes = {
        name for name, on in pooling.items() if name.startswith("pooling_mode_") and on is True
    }
    modes |= (
        {str(pooling["pooling_mode"])} if isinstance(pooling.get("pooling_mode"), str) else set()
    )
    plain = (
        config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and modules[:2] == ["Transformer", "Pooling"]
        and (modules[2:] == ["Normalize"] or (not modules[2:] and settings.normalise))
        and modes in ({"pooling_mode_mean_tokens"}, {"mean"})
        and pooling.get("include_prompt", True)
        and not limits.get("do_lower_case")
        and (folder / "tokenizer.json").is_file()
    )
    if not plain:
        return None
    weights = _read_weights(folder / "model.safetensors")
    if weights is None:
        return None
    return NumpyBert(folder, config, settings, prompt, min(int(tokens), positions), weights)


def _read(path: Path) -> dict[str, Any]:
    fields = orjson.loads(path.read_bytes())
    if not isinstance(fields, dict):
        raise TypeError(f"{path} holds no object")
    return fields


def _read_weights(path: Path) -> dict[str, Array] | None:
    """Return the weights by name, None where they are not float32."""
    from safetensors import SafetensorError  # noqa: PLC0415 - with the next: not needed where the make is another
    from safetensors.numpy import load_file  # noqa: PLC0415

    try:
        weights = {name.removeprefix("bert."): one for name, one in load_file(path).items()}
    except (OSError, SafetensorError, TypeError):
        return None
    return (
        weights
        if all(
            one.dtype == np.float32 or not np.issubdtype(one.dtype, np.floating)
            for one in weights.values()
        )
        else None
    )


def _prompt(folder: Path, settings: ModelSettings) -> str:
    """Return what stands before each query. Raises ModelError where the model has no prompt of the name."""
    path = folder / "config_sentence_transformers.json"
    prompts = (_read(path).get("prompts") or {}) if path.is_file() else {}
    return resolve_prompt(prompts, settings.query_prompt, QUERY_PROMPTS, settings.model) or ""


class NumpyBert:
    """See the module's header. Encodes queries only."""

    device, precision = "cpu", "fp32"
    texts_at_once = 1

    def __init__(
        self,
        folder: Path,
        config: dict[str, Any],
        settings: ModelSettings,
        prompt: str,
        max_tokens: int,
        weights: dict[str, Array],
    ) -> None:
        from tokenizers import Tokenizer  # noqa: PLC0415 - not needed where the make is another

        self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self._weights = weights
        self._heads, self._layers = (
            int(config["num_attention_heads"]),
            int(config["num_hidden_layers"]),
        )
        self._epsilon = float(config["layer_norm_eps"])
        self._settings, self._prompt = settings, prompt
        self.max_tokens = max_tokens
        self.dimension = settings.dimension or int(config["hidden_size"])

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Refuse: this is for queries."""
        raise NotImplementedError(f"{len(texts)} texts are for embedding.models to count")

    def encode_documents(self, texts: Sequence[str]) -> Array:
        """Refuse: this is for queries."""
        raise NotImplementedError(f"{len(texts)} texts are for embedding.models to encode")

    def encode_queries(self, texts: Sequence[str]) -> Array:
        """Return (len(texts), dimension) float32 of L2 norm 1, in the order of the texts."""
        vectors = np.stack([self._encode(self._prompt + text) for text in texts])[
            :, : self.dimension
        ]
        settings = self._settings
        return checked(
            vectors,
            count=len(texts),
            dimension=self.dimension,
            model=settings.model,
            normalise=settings.normalise,
        )

    def _encode(self, text: str) -> Array:
        weights, ids = self._weights, self._tokenizer.encode(text).ids
        hidden = weights["embeddings.word_embeddings.weight"][ids]
        hidden = (
            hidden
            + weights["embeddings.position_embeddings.weight"][: len(ids)]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        hidden = self._norm(hidden, "embeddings.LayerNorm")
        for number in range(self._layers):
            layer = f"encoder.layer.{number}"
            attended = self._linear(
                self._attention(hidden, f"{layer}.attention.self"),
                f"{layer}.attention.output.dense",
            )
            hidden = self._norm(hidden + attended, f"{layer}.attention.output.LayerNorm")
            inner = _gelu(self._linear(hidden, f"{layer}.intermediate.dense"))
            hidden = self._norm(
                hidden + self._linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm"
            )
        mean: Array = hidden.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _attention(self, hidden: Array, name: str) -> Array:
        """Return (tokens, hidden) float32: softmax(QK'/√d)V by head."""
        count, width = hidden.shape
        query, key, value = (
            self._linear(hidden, f"{name}.{part}")
            .reshape(count, self._heads, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.float32(math.sqrt(width // self._heads))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed: Array = (scores @ value).transpose(1, 0, 2).reshape(count, width)
        return mixed

    def _linear(self, values: Array, name: str) -> Array:
        result: Array = values @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return result

    def _norm(self, values: Array, name: str) -> Array:
        centred = values - values.mean(axis=-1, keepdims=True)
        deviation = np.sqrt(
            np.square(centred).mean(axis=-1, keepdims=True) + np.float32(self._epsilon)
        )
        result: Array = (
            centred / deviation * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        )
        return result


def _gelu(values: Array) -> Array:
    """Return x Φ(x), the error function to 1.5e-7 (Abramowitz and Stegun 7.1.26): numpy has none."""
    scaled = np.abs(values) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    polynomial = t * (
        0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    )
    tail = polynomial * np.exp(-scaled * scaled) / 2
    result: Array = values * np.where(values >= 0, 1 - tail, tail)
    return result
