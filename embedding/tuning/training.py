"""The training of an encoder, by sentence-transformers' trainer.

Each batch is of one project, so that what is not the answer is hard to tell from it. The loss is
InfoNCE over the batch; with a teacher, the distance to its vectors counts most. Every few minutes
the trainer saves its state, and a run that finds one goes on from it.
"""

from __future__ import annotations

import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from shutil import copymode
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
from sentence_transformers import (
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.base.sampler import BatchSamplers, MultiDatasetBatchSamplers
from transformers import PrinterCallback

from embedding.errors import ModelError
from embedding.tuning.batches import datasets_of, rows_of
from embedding.tuning.contrast import ContrastiveLoss
from embedding.tuning.distilling import DistillationLoss, TeacherVectors, teacher_bytes
from embedding.tuning.plan import Plan, asked_for, last_checkpoint, read_plan, write_plan
from embedding.tuning.progress import Progress, tell_scores
from embedding.tuning.scores import score
from embedding.tuning.settings import Tuned
from embedding.tuning.student import load, load_student, mix_in
from machine.disk import is_short_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sentence_transformers import SentenceTransformer
    from transformers import TrainerCallback

    from embedding.tuning.batches import Row
    from embedding.tuning.corpus import Corpus
    from embedding.tuning.pairs import Pair
    from embedding.tuning.scores import Score
    from embedding.tuning.settings import TuneSettings

logger = logging.getLogger(__name__)

_MODEL = "model"
"""Folder of the trained model in that of the state."""
_TEACHER = "teacher.f16"
_SCALE = 20.0
"""1 / temperature of InfoNCE."""
_WARM_UP = 0.1
"""Share of the steps in which the learning rate rises; in the rest it falls to 0."""
_LOGGED = 50
"""Times that the loss is logged."""
_LAST = 5
"""How many of these are told as the loss at the end: that of one batch says little."""
_PROBED = 8
"""Steps that are timed to know how many fit into the given minutes."""
_COPIES = 10
"""Times the model's size that is needed on the disk: the result, and three states (the last, the
one before, and the next one), each of which has the model and two numbers for each weight."""


def train(corpus: Corpus, settings: TuneSettings, state: Path) -> tuple[Path, Tuned]:
    """Train an encoder; return its folder, which is in that of the trainer's state.

    Goes on where an earlier run stopped that had the same settings and pairs. Raises ModelError if
    the state is another training's, if there are too few pairs, or if the disk is too small.
    """
    rows = rows_of(corpus.learned, settings.batch, settings.seed)
    if not rows:
        raise ModelError(
            f"there are {corpus.count():,} pairs to learn from; a batch takes {settings.batch} of "
            "one project. Give more records, or a smaller --batch."
        )
    asked = asked_for(settings, corpus)
    plan = read_plan(state, asked)
    training = _Training(settings, state, rows)
    started, model, held_back = (
        time.monotonic(),
        load_student(settings),
        [*corpus.held_back.values()],
    )
    training.require_space(model)
    if plan is None:
        state.mkdir(parents=True, exist_ok=True)
        plan = Plan(asked, training.steps(), _told("before", model, held_back))
        write_plan(state, plan)
    loss = training.run(model, plan.steps, Progress(model, held_back))
    after = _told("after", model, held_back)
    minutes = round((time.monotonic() - started) / 60, 1)
    tuned = Tuned(steps=plan.steps, minutes=minutes, loss=loss, before=plan.before, after=after)
    return _saved(model.half() if settings.float16 else model, state / _MODEL), tuned


def _told(
    when: str, model: SentenceTransformer, held_back: Sequence[Sequence[Pair]]
) -> dict[str, Score]:
    scores = score(model, held_back)
    tell_scores(when, scores)
    return scores


def _saved(model: SentenceTransformer, folder: Path) -> Path:
    model.save_pretrained(str(folder), create_model_card=False)
    for weights in folder.glob("*.safetensors"):
        copymode(folder / "modules.json", weights)  # they are for their owner alone
    return folder


class _Trainer(SentenceTransformerTrainer):
    """The library's trainer without what it gathers for a card: the model gets one of ours."""

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class _Training:
    """What all trainers of one training have in common."""

    settings: TuneSettings
    state: Path
    rows: Mapping[str, Sequence[Row]]

    def require_space(self, model: SentenceTransformer) -> None:
        """Raise ModelError if the disk has too little room for a training of the model."""
        size = _COPIES * sum(
            weight.numel() * weight.element_size() for weight in model.parameters()
        )
        if self.settings.teacher is not None:
            size += teacher_bytes(len(self._every_row()), model.get_embedding_dimension() or 0)
        if is_short_of(self.state, size):
            raise ModelError(
                f"a training needs {size / 1e9:.1f} GB on the disk of {self.state}; free some, or "
                "name a folder on another disk with -o."
            )

    def steps(self) -> int:
        """Return the number of steps, of a time by a few that are thrown away."""
        if self.settings.steps:
            return self.settings.steps
        # It may be of a run that was killed before it had a plan.
        (self.state / _TEACHER).unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            trainer = self._trainer(load_student(self.settings), _PROBED, Path(folder))
            started = time.monotonic()
            trainer.train()
            seconds = (time.monotonic() - started) / _PROBED
        minutes = self.settings.minutes
        steps = max(1, int(minutes * 60 / seconds))
        logger.info("a step takes %.1f s, so %d steps in %g minutes", seconds, steps, minutes)
        return steps

    def run(self, model: SentenceTransformer, steps: int, progress: TrainerCallback) -> float:
        """Train the model, from the last state that was saved; return the loss at the end."""
        longest, checkpoint = model.max_seq_length, last_checkpoint(self.state)
        if checkpoint is not None:
            logger.info("going on from %s", checkpoint)
        trainer = self._trainer(model, steps, self.state, progress)
        trainer.train(resume_from_checkpoint=checkpoint)
        model.max_seq_length = longest
        if self.settings.mix:
            mix_in(model, load_student(self.settings), self.settings.mix)
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        return round(fmean(losses[-_LAST:]), 4)

    def _trainer(
        self, model: SentenceTransformer, steps: int, output: Path, *callbacks: TrainerCallback
    ) -> Any:
        """Return a trainer of the model, whose input it cuts off at `tokens`."""
        settings = self.settings
        model.max_seq_length = min(settings.tokens, model.max_seq_length or settings.tokens)
        model.model_card_data.local_files_only = True  # else it asks the Hub about the base
        arguments = SentenceTransformerTrainingArguments(
            output_dir=str(output),
            max_steps=steps,
            per_device_train_batch_size=settings.batch,
            learning_rate=settings.rate,
            warmup_ratio=_WARM_UP,
            batch_sampler=BatchSamplers.NO_DUPLICATES,
            multi_dataset_batch_sampler=MultiDatasetBatchSamplers.PROPORTIONAL,
            dataloader_drop_last=True,
            save_strategy="no",  # Progress asks for it
            save_total_limit=2,
            logging_steps=max(1, steps // _LOGGED),
            seed=settings.seed,
            use_cpu=settings.device == "cpu",
            dataloader_pin_memory=torch.cuda.is_available(),
            report_to=[],
            disable_tqdm=True,
        )
        trainer = _Trainer(
            model=model,
            args=arguments,
            train_dataset=datasets_of(self.rows),
            loss=self._loss(model),
            callbacks=list(callbacks),
        )
        trainer.remove_callback(PrinterCallback)  # it prints on standard output
        return trainer

    def _loss(self, model: SentenceTransformer) -> torch.nn.Module:
        if self.settings.teacher is None:
            return ContrastiveLoss(model, _SCALE)
        teacher = load(self.settings.teacher, self.settings.device)
        teacher.max_seq_length = model.max_seq_length
        dimension = model.get_embedding_dimension() or 0
        vectors = TeacherVectors(teacher, self._every_row(), self.state / _TEACHER, dimension)
        return DistillationLoss(model, vectors, _SCALE)

    def _every_row(self) -> list[Row]:
        """Return all rows by their numbers, as the labels of the datasets have them."""
        return [row for own in self.rows.values() for row in own]
