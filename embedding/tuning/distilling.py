"""Distillation: a student learns to have the vectors of a teacher, a larger model.

The teacher's vectors of a batch are computed when the batch first comes up, and kept as float16 in
a file beside the trainer's state. So a training that sees only a part of the pairs computes no
others, further epochs compute none, and a run that goes on after a kill has those of the last one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import cosine_similarity

from embedding.errors import ModelError
from embedding.tuning.contrast import ContrastiveLoss

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

    from embedding.tuning.batches import Row

_SIDES = 2
"""Question and item."""
_KNOWN = 0.99
"""Least norm of a vector in the file: those not computed are 0, those cut off by a kill shorter."""
_CONTRASTIVE = 0.1
"""Weight of the contrastive loss, which is about 1 to 3; the distance to the teacher is below 1."""


def teacher_bytes(rows: int, dimension: int) -> int:
    """Return the size of the file of vectors when all are computed."""
    return math.prod(_shape(rows, dimension)) * np.dtype(np.float16).itemsize


def _shape(rows: int, dimension: int) -> tuple[int, int, int]:
    return rows, _SIDES, dimension


class TeacherVectors:
    """The vectors of rows by the teacher."""

    def __init__(
        self, teacher: SentenceTransformer, rows: Sequence[Row], path: Path, dimension: int
    ) -> None:
        """Open the file of vectors, or make it. Raises ModelError unless they have `dimension`."""
        found = teacher.get_embedding_dimension()
        if found != dimension:
            raise ModelError(
                f"the teacher has vectors of dimension {found}, the model to train {dimension}."
            )
        self._teacher, self._rows = teacher, rows
        shape = _shape(len(rows), dimension)
        # A new file is full of holes: rows that are not computed take no space.
        self._known = np.memmap(path, np.float16, "r+" if path.exists() else "w+", shape=shape)

    def of(self, numbers: Sequence[int]) -> NDArray[np.float32]:
        """Return the vectors of questions and items, (n, 2, dimension), L2 norm 1."""
        wanted = np.asarray(numbers)
        norms = np.linalg.norm(self._known[wanted].astype(np.float32), axis=2).min(axis=1)
        new = wanted[norms < _KNOWN]
        if new.size:
            texts = [text for number in new.tolist() for text in self._rows[number]]
            found = self._teacher.encode(
                texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False
            )
            self._known[new] = np.asarray(found).reshape(len(new), _SIDES, -1)
        vectors: NDArray[np.float32] = self._known[wanted].astype(np.float32)
        return vectors


class DistillationLoss(torch.nn.Module):
    """1 - cosine between the student's vectors and the teacher's, and a tenth of InfoNCE.

    Labels are the numbers of rows.
    """

    def __init__(self, model: SentenceTransformer, vectors: TeacherVectors, scale: float) -> None:
        super().__init__()
        self.model = model
        self._contrastive = ContrastiveLoss(model, scale)
        self._vectors = vectors

    def forward(
        self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor
    ) -> dict[str, Tensor]:
        """Return both parts of the loss; the trainer adds them up."""
        found = self._contrastive.vectors(sentence_features)
        wanted = torch.from_numpy(self._vectors.of(labels.tolist())).to(found[0].device)
        distances = 1 - cosine_similarity(torch.stack(found, dim=1), wanted, dim=2)
        contrastive = self._contrastive.of_vectors(found, labels)
        return {"distance": distances.mean(), "contrastive": _CONTRASTIVE * contrastive}
