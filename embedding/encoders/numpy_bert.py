"""An encoder of queries that starts at once: BERT with mean pooling, such as MiniLM, in numpy.

torch and sentence-transformers take four seconds to import, which is most of the time of a search
from the command line. A query of twenty words needs only a few matrix products. The vectors are
the model's own to five digits of cosine; a test proves that. Other models need torch.

Devlin et al., BERT, 2019; Reimers and Gurevych, Sentence-BERT, 2019.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from embedding.encoder import QUERY_PROMPTS, resolve_prompt, validate
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
    """Return an encoder of the model in the folder, or None if this module can't run it as set."""
    if settings.device not in ("auto", "cpu") or settings.backend != "torch":
        return None
    try:
        config, pooling, limits = (_read(folder / name) for name in _CONFIGS)
        modules = [
            str(module["type"]).rpartition(".")[2]
            for module in orjson.loads((folder / "modules.json").read_bytes())
        ]
        prompt = _prompt(folder, settings)
        positions = int(config["max_position_embeddings"])
        tokens = (
            settings.max_tokens
            or limits.get("max_seq_length")
            or _read(folder / "tokenizer_config.json")["model_max_length"]
        )
    except (ModelError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # torch's encoder will say what is wrong
    normalised = modules[2:] == ["Normalize"] or (not modules[2:] and settings.normalise)
    if (
        not _is_plain_bert(config)
        or not _is_mean(pooling)
        or modules[:2] != ["Transformer", "Pooling"]
        or not normalised
        or limits.get("do_lower_case")
        or not (folder / "tokenizer.json").is_file()
    ):
        return None
    weights = _read_weights(folder / "model.safetensors")
    if weights is None:
        return None
    return NumpyBert(
        folder=folder,
        config=config,
        settings=settings,
        prompt=prompt,
        max_tokens=min(int(tokens), positions),
        weights=weights,
    )


def _is_plain_bert(config: dict[str, Any]) -> bool:
    """Return whether the transformer is what `NumpyBert` computes."""
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
    )


def _is_mean(pooling: dict[str, Any]) -> bool:
    """Return whether a text's vector is the mean of all its tokens, the prompt's included.

    The mode is a name in newer models, and one of several switches in older ones.
    """
    modes = {
        name for name, on in pooling.items() if name.startswith("pooling_mode_") and on is True
    }
    if isinstance(pooling.get("pooling_mode"), str):
        modes.add(pooling["pooling_mode"])
    return modes in ({"pooling_mode_mean_tokens"}, {"mean"}) and bool(
        pooling.get("include_prompt", True)
    )


def _read(path: Path) -> dict[str, Any]:
    fields = orjson.loads(path.read_bytes())
    if not isinstance(fields, dict):
        raise TypeError(f"{path} is not a JSON object")
    return fields


def _read_weights(path: Path) -> dict[str, Array] | None:
    """Return the weights by name as float32, or None if they are neither float32 nor float16."""
    # Not needed if the model is of another kind.
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.numpy import load_file  # noqa: PLC0415

    try:
        weights = {name.removeprefix("bert."): array for name, array in load_file(path).items()}
    except (OSError, SafetensorError, TypeError):
        return None
    floats = {
        name: array for name, array in weights.items() if np.issubdtype(array.dtype, np.floating)
    }
    if any(array.dtype not in (np.float32, np.float16) for array in floats.values()):
        return None
    return {
        **weights,
        **{name: array.astype(np.float32, copy=False) for name, array in floats.items()},
    }


def _prompt(folder: Path, settings: ModelSettings) -> str:
    """Return the text before each query. Raises ModelError if the model has no such prompt."""
    path = folder / "config_sentence_transformers.json"
    prompts = (_read(path).get("prompts") or {}) if path.is_file() else {}
    return resolve_prompt(prompts, settings.query_prompt, QUERY_PROMPTS, settings.model) or ""


class NumpyBert:
    """See the module's header. It encodes queries only."""

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
        from tokenizers import Tokenizer  # noqa: PLC0415 - not needed for other kinds of model

        self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self._weights = weights
        self._heads = int(config["num_attention_heads"])
        self._layers = int(config["num_hidden_layers"])
        self._epsilon = float(config["layer_norm_eps"])
        self._settings, self._prompt = settings, prompt
        self.max_tokens = max_tokens
        self.dimension = settings.dimension or int(config["hidden_size"])

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Raise NotImplementedError: this is for queries."""
        raise NotImplementedError(f"{len(texts)} texts are for embedding.models to count")

    def encode_documents(self, texts: Sequence[str]) -> Array:
        """Raise NotImplementedError: this is for queries."""
        raise NotImplementedError(f"{len(texts)} texts are for embedding.models to encode")

    def encode_queries(self, texts: Sequence[str]) -> Array:
        """See Encoder."""
        vectors = np.stack([self._encode(self._prompt + text) for text in texts])[
            :, : self.dimension
        ]
        settings = self._settings
        return validate(
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
        """Return (tokens, width) float32: softmax(QK'/√d)V of each head."""
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
    """Return x Φ(x); numpy has no error function, so this is Abramowitz and Stegun's 7.1.26.

    Its error is at most 1.5e-7.
    """
    scaled = np.abs(values) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    polynomial = t * (
        0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    )
    tail = polynomial * np.exp(-scaled * scaled) / 2
    result: Array = values * np.where(values >= 0, 1 - tail, tail)
    return result
