"""The training of a reranker: a cross-encoder that has the weights of an encoder.

A question is learned with its answer and with others that a search takes for answers. The loss is
the cross-entropy of the answer among them ("localised contrastive estimation": Gao, Dai and Callan,
Rethink Training of BERT Rerankers in Multi-Stage Retrieval Pipeline, ECIR 2021). So all that the
model learns is order, which is all that it is for. With binary cross-entropy it would have to find
one score, too, above which an item answers, for easy and for hard questions.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.cross_encoder import (
    CrossEncoderTrainer,
    CrossEncoderTrainingArguments,
)
from torch.nn.functional import cross_entropy

from embedding.errors import ModelError
from embedding.tuning.contrast import by_length
from embedding.tuning.mining import FirstHits, Lesson, Mine, choose, mine_all, unmined
from embedding.tuning.scores import mean_of
from embedding.tuning.student import load, load_cross_encoder
from embedding.tuning.training import PROBED, Training, WithoutCard
from machine.files import remove_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from torch import Tensor

    from embedding.tuning.corpus import Corpus
    from embedding.tuning.retrieval import SparseVectors
    from embedding.tuning.scores import Score
    from embedding.tuning.settings import TuneSettings
    from lsif.structure import Structure

_LESSONS, _SEARCHES = "lessons", "searches"
"""Folders of what was mined in that of the state."""
_SAMPLE = 40
"""Searches that are scored while a training goes on: seconds, not minutes."""


class _Trainer(WithoutCard, CrossEncoderTrainer):
    """The library's trainer."""


class RerankerTraining(Training[CrossEncoder]):
    """See the module's header. Raises ModelError if there are too few pairs for a batch."""

    trainer, arguments = _Trainer, CrossEncoderTrainingArguments

    def __init__(
        self,
        corpus: Corpus,
        settings: TuneSettings,
        state: Path,
        *,
        records: Callable[[str], Iterable[Structure]],
        sparse: SparseVectors,
    ) -> None:
        """Take what returns a project's records, and makes the vectors that BM25 compares."""
        super().__init__(corpus, settings, state)
        self._records, self._sparse = records, sparse
        self._require_batch(corpus.count(), "pairs to learn from")

    def load(self) -> CrossEncoder:
        """See Training."""
        return load_cross_encoder(self.settings)

    def data(self, steps: int) -> Any:
        """See Training."""
        chosen = choose(self.corpus, steps * self.settings.batch, self.settings.seed)
        lessons = mine_all(chosen, self._mine.lessons, Lesson, self.state / _LESSONS)
        self._require_batch(len(lessons), "questions with enough other items of their project")
        return _dataset(lessons)

    def probe(self) -> Any:
        """See Training."""
        return _dataset(unmined(self.corpus, PROBED * self.settings.batch, self.settings.seed))

    def loss(self, model: CrossEncoder) -> torch.nn.Module:
        """See Training."""
        return RankingLoss(model)

    def begin(self) -> None:
        """See Training."""
        for folder in (_LESSONS, _SEARCHES):
            remove_folder(self.state / folder)

    def score_before(self, model: CrossEncoder) -> dict[str, Score]:  # noqa: ARG002 - not yet used
        """Return the scores of the order in which a search finds what was held back."""
        return _scores([found.answer for found in self._searches])

    def score(self, model: CrossEncoder) -> dict[str, Score]:
        """See Training."""
        return _scores([_place(model, found) for found in self._searches])

    def score_sample(self, model: CrossEncoder) -> dict[str, Score]:
        """See Training."""
        every = max(1, len(self._searches) // _SAMPLE)
        return _scores([_place(model, found) for found in self._searches[::every]])

    @cached_property
    def _searches(self) -> list[FirstHits]:
        return mine_all(
            self.corpus.held_back, self._mine.searches, FirstHits, self.state / _SEARCHES
        )

    @cached_property
    def _mine(self) -> Mine:
        encoder = load(self.settings.base, self.settings.device)
        encoder.max_seq_length = min(self.settings.tokens, encoder.max_seq_length or 0)
        return Mine(
            records=self._records,
            encoder=encoder,
            sparse=self._sparse,
            corpus=self.corpus,
            seed=self.settings.seed,
        )

    def _require_batch(self, count: int, of: str) -> None:
        if count < self.settings.batch:
            raise ModelError(
                f"there are {count:,} {of}; a batch takes {self.settings.batch}. "
                "Give more records, or a smaller --batch."
            )


class RankingLoss(torch.nn.Module):
    """The cross-entropy of each question's answer among its own candidates."""

    def __init__(self, model: CrossEncoder) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        columns: list[list[str]],
        labels: Tensor | None,  # noqa: ARG002 - the library's signature, as below
        prompt: str | None = None,  # noqa: ARG002
        task: str | None = None,  # noqa: ARG002
    ) -> Tensor:
        """Return the loss, a scalar, of the questions, their answers, and the others."""
        questions, *candidates = columns
        pairs = [pair for texts in candidates for pair in zip(questions, texts, strict=True)]
        features = {
            name: value.to(self.model.device)
            for name, value in self.model.preprocess(list(pairs)).items()
            if isinstance(value, torch.Tensor)
        }
        scores = by_length(features, lambda own: self.model(own)["scores"])
        table = scores.view(len(candidates), len(questions)).T
        return cross_entropy(table, torch.zeros(len(table), dtype=torch.long, device=table.device))


def _dataset(lessons: Sequence[Lesson]) -> Any:
    """Return the lessons as columns: question, answer, and each of the others."""
    from datasets import Dataset  # noqa: PLC0415 - an extra

    others = zip(*(lesson.others for lesson in lessons), strict=True)
    return Dataset.from_dict(
        {
            "question": [lesson.question for lesson in lessons],
            "answer": [lesson.answer for lesson in lessons],
            **{f"other {at}": list(texts) for at, texts in enumerate(others, start=1)},
        }
    )


def _place(model: CrossEncoder, found: FirstHits) -> int:
    """Return the answer's place in the model's order, 0-based, -1 if a search did not find it."""
    if found.answer < 0:
        return found.answer
    pairs: list[Any] = [(found.question, text) for text in found.passages]
    scores = np.asarray(model.predict(pairs, show_progress_bar=False))
    return int((scores > scores[found.answer]).sum())


def _scores(places: Sequence[int]) -> dict[str, Score]:
    """Return the score of answers at these places."""
    if not places:
        return {}
    ranks = np.array([np.inf if place < 0 else place + 1 for place in places])
    return {"rerank": mean_of(ranks)}
