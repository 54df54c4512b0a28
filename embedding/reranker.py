"""A cross-encoder: reads a query and a text together and scores how well they match.

It is slow, so it is for the first hits only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from embedding.errors import ModelError, first_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentence_transformers import CrossEncoder

    from configs.settings import RerankSettings


_MOST_TOKENS = 512


class Reranker(Protocol):
    """Scores texts for a query."""

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return one score per text, higher for a better match.

        Scores of different queries can't be compared.
        """


def load_reranker(settings: RerankSettings) -> Reranker:
    """Return the reranker in a folder or on the Hugging Face Hub.

    Raises ModelError if it can't be loaded.
    """
    from sentence_transformers import CrossEncoder  # noqa: PLC0415 - takes seconds, few need it

    try:
        model = CrossEncoder(
            settings.model,
            revision=settings.revision or None,
            trust_remote_code=settings.trust_remote_code,
        )
        model.max_seq_length = min(
            _MOST_TOKENS, getattr(model.config, "max_position_embeddings", _MOST_TOKENS)
        )
    except Exception as exc:  # the libraries below raise what they like
        raise ModelError(
            f"reranker {settings.model} can't be loaded: {first_line(exc)}. "
            "Check search.rerank.model; leave it empty to use none."
        ) from exc
    if model.num_labels != 1:
        raise ModelError(
            f"model {settings.model} returns {model.num_labels} numbers per text; "
            "a reranker returns one. Check search.rerank.model."
        )
    return _CrossEncoderReranker(model)


class _CrossEncoderReranker:
    """See load_reranker."""

    def __init__(self, model: CrossEncoder) -> None:
        self._model = model

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """See Reranker."""
        scores = self._model.predict([(query, text) for text in texts], show_progress_bar=False)
        return [float(score) for score in scores]
