"""InfoNCE over a batch, whose texts are embedded by length.

Half of the texts of a batch are shorter than a third of the longest one. Padded to that, a batch
takes nearly twice as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sentence_transformers import SentenceTransformer
    from torch import Tensor

_GROUP = 16
"""Texts of similar length that are embedded together."""
_MASK = "attention_mask"


class ContrastiveLoss(torch.nn.Module):
    """InfoNCE: each question's item against the other items of the batch."""

    def __init__(self, model: SentenceTransformer, scale: float) -> None:
        super().__init__()
        self.model = model
        self._loss = MultipleNegativesRankingLoss(model, scale=scale)

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """Return the loss, a scalar. Labels make no difference."""
        return self.of_vectors(self.vectors(sentence_features), labels)

    def of_vectors(self, vectors: list[Tensor], labels: Tensor) -> Tensor:
        """Return the loss, a scalar, of the questions' and the items' vectors, (n, d) each."""
        loss: Tensor = self._loss.compute_loss_from_embeddings(vectors, labels)
        return loss

    def vectors(self, sentence_features: Iterable[dict[str, Tensor]]) -> list[Tensor]:
        """Return the vectors of the questions and of the items, (n, d) each."""
        return [embed(self.model, features) for features in sentence_features]


def embed(model: SentenceTransformer, features: dict[str, Tensor]) -> Tensor:
    """Return the vectors, (n, d), of n tokenised texts; texts of similar length share a batch."""
    return by_length(features, lambda own: model(own)["sentence_embedding"])


def by_length(
    features: dict[str, Tensor], compute: Callable[[dict[str, Tensor]], Tensor]
) -> Tensor:
    """Return what is computed of n tokenised texts, (n, d), in groups of similar length."""
    lengths = features[_MASK].sum(dim=1)
    order = torch.argsort(lengths, stable=True)
    groups = torch.split(order, _GROUP)
    found = [compute(_cut(features, rows, lengths)) for rows in groups]
    return torch.cat(found)[torch.argsort(order)]


def _cut(features: dict[str, Tensor], rows: Tensor, lengths: Tensor) -> dict[str, Tensor]:
    """Return the features of these rows without the padding that none of them needs."""
    longest, padded = int(lengths[rows].max()), features[_MASK].shape[1]
    own = {name: value for name, value in features.items() if isinstance(value, torch.Tensor)}
    return {
        name: value[rows, :longest] if value.shape[1:2] == (padded,) else value
        for name, value in own.items()
    }
