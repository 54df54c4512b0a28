"""The training of an encoder.

Each batch is of one project, so that what is not the answer is hard to tell from it. The loss is
InfoNCE over the batch; with a teacher, the distance to its vectors counts most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.base.sampler import BatchSamplers

from embedding.errors import ModelError
from embedding.tuning.batches import datasets_of, rows_of
from embedding.tuning.contrast import ContrastiveLoss
from embedding.tuning.distilling import DistillationLoss, TeacherVectors, teacher_bytes
from embedding.tuning.scores import sample, score
from embedding.tuning.student import load, load_student, mix_in
from embedding.tuning.training import Training, WithoutCard

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from embedding.tuning.batches import Row
    from embedding.tuning.corpus import Corpus
    from embedding.tuning.scores import Score
    from embedding.tuning.settings import TuneSettings

_TEACHER = "teacher.f16"
_SCALE = 20.0
"""1 / temperature of InfoNCE."""


class _Trainer(WithoutCard, SentenceTransformerTrainer):
    """The library's trainer."""


class EncoderTraining(Training[SentenceTransformer]):
    """See the module's header. Raises ModelError if there are fewer pairs than a batch takes."""

    trainer, arguments = _Trainer, SentenceTransformerTrainingArguments
    sampler = BatchSamplers.NO_DUPLICATES

    def __init__(self, corpus: Corpus, settings: TuneSettings, state: Path) -> None:
        super().__init__(corpus, settings, state)
        self._rows = rows_of(corpus.learned, settings.batch, settings.seed)
        if not self._rows:
            raise ModelError(
                f"there are {corpus.count():,} pairs to learn from; a batch takes "
                f"{settings.batch}. Give more records, or a smaller --batch."
            )

    def load(self) -> SentenceTransformer:
        """See Training."""
        return load_student(self.settings)

    def data(self, steps: int) -> Any:  # noqa: ARG002 - as many as there are
        """See Training."""
        return datasets_of(self._rows)

    def loss(self, model: SentenceTransformer) -> torch.nn.Module:
        """See Training."""
        if self.settings.teacher is None:
            return ContrastiveLoss(model, _SCALE)
        teacher = load(self.settings.teacher, self.settings.device)
        teacher.max_seq_length = model.max_seq_length
        dimension = model.get_embedding_dimension() or 0
        vectors = TeacherVectors(teacher, self._every_row(), self.state / _TEACHER, dimension)
        return DistillationLoss(model, vectors, _SCALE)

    def score(self, model: SentenceTransformer) -> dict[str, Score]:
        """See Training."""
        return score(model, self.corpus.held_back.values())

    def score_sample(self, model: SentenceTransformer) -> dict[str, Score]:
        """See Training."""
        return score(model, sample(self.corpus.held_back.values()))

    def begin(self) -> None:
        """See Training."""
        (self.state / _TEACHER).unlink(missing_ok=True)

    def finish(self, model: SentenceTransformer) -> None:
        """See Training."""
        if self.settings.mix:
            mix_in(model, self.load(), self.settings.mix)

    def disk_bytes(self, model: SentenceTransformer) -> int:
        """See Training."""
        if self.settings.teacher is None:
            return 0
        return teacher_bytes(len(self._every_row()), model.get_embedding_dimension() or 0)

    def _every_row(self) -> list[Row]:
        """Return all rows by their numbers, as the labels of the datasets have them."""
        return [row for own in self._rows.values() for row in own]
