"""A cross-encoder: reads a query and a text together and scores how well they match.

It is slow, so it is for the first hits only.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from embedding.errors import ModelError, first_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from sentence_transformers import CrossEncoder

    from configs.settings import RerankSettings


_MOST_TOKENS = 512
_CHARACTERS = 16
"""Of a token, at most on average: what is behind them is not even split into tokens."""
_TOGETHER, _TOGETHER_ON_GPU = 8, 64
"""Texts of similar length that are read at once. On a processor more are slower: a batch is as long
as its longest text."""


class Reranker(Protocol):
    """Scores texts for a query."""

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return one score per text, higher for a better match.

        Scores of different queries can't be compared.
        """


def load_reranker(settings: RerankSettings) -> Reranker:
    """Return the reranker in a folder or on the Hugging Face Hub.

    It reads as many tokens as it was trained on, at most 512. Raises ModelError if it can't be
    loaded.
    """
    from sentence_transformers import CrossEncoder  # noqa: PLC0415 - takes seconds, few need it

    try:
        model = CrossEncoder(
            settings.model,
            revision=settings.revision or None,
            trust_remote_code=settings.trust_remote_code,
        )
        positions = getattr(model.config, "max_position_embeddings", _MOST_TOKENS)
        own = model.max_seq_length or _MOST_TOKENS
        model.max_seq_length = min(_MOST_TOKENS, positions, own)
    except Exception as exc:  # the libraries below raise what they like
        raise ModelError(
            f"reranker {settings.model} can't be loaded: {first_line(exc)}. "
            "Check search.rerank.model; leave it empty to use none."
        ) from exc
    if (found := _without_scores(model)) and not settings.trust_remote_code:
        raise ModelError(
            f"model {settings.model} is no reranker but a {found}, which gives no scores. Check "
            "search.rerank.model; `lsif-ingest tune --reranker` makes one."
        )
    if model.num_labels != 1:
        raise ModelError(
            f"model {settings.model} returns {model.num_labels} numbers per text; "
            "a reranker returns one. Check search.rerank.model."
        )
    return _CrossEncoderReranker(model)


def _without_scores(model: CrossEncoder) -> str:
    """Return the name of the model's class if that gives no scores, "" otherwise.

    The library gives such a model, an encoder, random weights for scores.
    """
    scored_otherwise = getattr(model[0], "transformer_task", "") != "sequence-classification"
    classes = getattr(model.config, "architectures", None) or ()
    if scored_otherwise or any(name.endswith("ForSequenceClassification") for name in classes):
        return ""
    return ", ".join(classes)


class _CrossEncoderReranker:
    """See load_reranker."""

    def __init__(self, model: CrossEncoder) -> None:
        from embedding.first_token import read_first_token_only  # noqa: PLC0415 - imports torch

        self._model = model
        self._together = _TOGETHER_ON_GPU
        self._kernels: AbstractContextManager[object] = nullcontext()
        read_first_token_only(model.model)
        if model.device.type == "cpu":
            import torch  # noqa: PLC0415 - takes seconds

            from embedding.encoders.kernels import fast_kernels  # noqa: PLC0415 - imports torch

            model.float()  # processors compute float16 slowly
            self._together = _TOGETHER
            self._kernels = fast_kernels(model, torch.float32) or nullcontext()

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """See Reranker."""
        longest = _CHARACTERS * (self._model.max_seq_length or _MOST_TOKENS)
        pairs: list[Any] = [(query, text[:longest]) for text in texts]
        with self._kernels:
            scores = self._model.predict(pairs, batch_size=self._together, show_progress_bar=False)
        return [float(score) for score in scores]
