"""What the trainings of an encoder and of a reranker have in common.

Every few minutes the trainer of sentence-transformers saves its state. A run that finds a plan and
a state goes on from there.
"""

from __future__ import annotations

import logging
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from shutil import copymode
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import torch
from sentence_transformers.base.model import BaseModel
from sentence_transformers.base.sampler import BatchSamplers, MultiDatasetBatchSamplers
from transformers import PrinterCallback

from embedding.errors import ModelError
from embedding.tuning.plan import Plan, asked_for, last_checkpoint, read_plan, write_plan
from embedding.tuning.progress import Progress, tell_scores
from embedding.tuning.settings import Tuned
from machine.disk import is_short_of

if TYPE_CHECKING:
    from sentence_transformers.base.trainer import BaseTrainer
    from sentence_transformers.base.training_args import BaseTrainingArguments
    from transformers import TrainerCallback

    from embedding.tuning.corpus import Corpus
    from embedding.tuning.scores import Score
    from embedding.tuning.settings import TuneSettings

logger = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)

_MODEL = "model"
"""Folder of the trained model in that of the state."""
_WARM_UP = 0.1
"""Share of the steps in which the learning rate rises; in the rest it falls to 0."""
_LOGGED = 50
"""Times that the loss is logged."""
_LAST = 5
"""How many of these are told as the loss at the end: that of one batch says little."""
PROBED = 8
"""Steps that are timed to know how many fit into the given minutes."""
_COPIES = 10
"""Times the model's size that is needed on the disk: the result, and three states (the last, the
one before, and the next one), each of which has the model and two numbers for each weight."""


class Training(ABC, Generic[Model]):
    """The training of one kind of model. Subclasses say what it learns from and how."""

    trainer: ClassVar[type[BaseTrainer]]
    arguments: ClassVar[type[BaseTrainingArguments]]
    sampler: ClassVar[BatchSamplers] = BatchSamplers.BATCH_SAMPLER

    def __init__(self, corpus: Corpus, settings: TuneSettings, state: Path) -> None:
        self.corpus, self.settings, self.state = corpus, settings, state

    @abstractmethod
    def load(self) -> Model:
        """Return the model as it is before the training."""

    @abstractmethod
    def data(self, steps: int) -> Any:
        """Return a dataset, or several by name, for so many steps."""

    @abstractmethod
    def loss(self, model: Model) -> torch.nn.Module:
        """Return what the training makes small."""

    @abstractmethod
    def score(self, model: Model) -> dict[str, Score]:
        """Return the scores on what was held back."""

    @abstractmethod
    def score_sample(self, model: Model) -> dict[str, Score]:
        """Return the scores on a part of it, in seconds."""

    def score_before(self, model: Model) -> dict[str, Score]:
        """Return the scores that the training starts from."""
        return self.score(model)

    def probe(self) -> Any:
        """Return data whose steps take as long as those of the training."""
        return self.data(PROBED)

    def begin(self) -> None:
        """Make ready a new training: remove what a run left that was killed before its plan."""

    def finish(self, model: Model) -> None:
        """Change the trained model before it is scored."""

    def disk_bytes(self, model: Model) -> int:  # noqa: ARG002 - for those that need it
        """Return what the training writes besides models."""
        return 0

    def run(self) -> tuple[Path, Tuned]:
        """Train the model; return its folder, which is in that of the trainer's state.

        Goes on where an earlier run stopped that had the same settings and pairs. Raises ModelError
        if the state is another training's, if there are too few pairs, or if the disk is too small.
        """
        asked, started = asked_for(self.settings, self.corpus), time.monotonic()
        plan, model = read_plan(self.state, asked), self.load()
        self._require_space(model)
        if plan is None:
            self.state.mkdir(parents=True, exist_ok=True)
            self.begin()
            plan = Plan(asked, self._steps(), _told("before", self.score_before(model)))
            write_plan(self.state, plan)
        loss = self._train(model, plan.steps)
        after = _told("after", self.score(model))
        minutes = round((time.monotonic() - started) / 60, 1)
        tuned = Tuned(steps=plan.steps, minutes=minutes, loss=loss, before=plan.before, after=after)
        return self._saved(model), tuned

    def _require_space(self, model: Model) -> None:
        """Raise ModelError if the disk has too little room for a training of the model."""
        weights = sum(weight.numel() * weight.element_size() for weight in model.parameters())
        size = _COPIES * weights + self.disk_bytes(model)
        if is_short_of(self.state, size):
            raise ModelError(
                f"a training needs {size / 1e9:.1f} GB on the disk of {self.state}; free some, or "
                "name a folder on another disk with -o."
            )

    def _steps(self) -> int:
        """Return the number of steps, of a time by a few that are thrown away."""
        if self.settings.steps:
            return self.settings.steps
        with tempfile.TemporaryDirectory() as folder:
            trainer = self._trainer(self.load(), PROBED, Path(folder), self.probe())
            started = time.monotonic()
            trainer.train()
            seconds = (time.monotonic() - started) / PROBED
        minutes = self.settings.minutes
        steps = max(1, int(minutes * 60 / seconds))
        logger.info("a step takes %.1f s, so %d steps in %g minutes", seconds, steps, minutes)
        return steps

    def _train(self, model: Model, steps: int) -> float:
        """Train the model, from the last state that was saved; return the loss at the end."""
        longest, checkpoint = model.max_seq_length, last_checkpoint(self.state)
        if checkpoint is not None:
            logger.info("going on from %s", checkpoint)
        progress = Progress(lambda: self.score_sample(model))
        trainer = self._trainer(model, steps, self.state, self.data(steps), progress)
        trainer.train(resume_from_checkpoint=checkpoint)
        model.max_seq_length = longest
        self.finish(model)
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        return round(fmean(losses[-_LAST:]), 4)

    def _trainer(
        self, model: Model, steps: int, output: Path, data: Any, *callbacks: TrainerCallback
    ) -> Any:
        """Return a trainer of the model, whose input it cuts off at `tokens`."""
        settings = self.settings
        model.max_seq_length = min(settings.tokens, model.max_seq_length or settings.tokens)
        card: Any = model.model_card_data
        card.local_files_only = True  # else it asks the Hub about the base
        arguments = self.arguments(
            output_dir=str(output),
            max_steps=steps,
            per_device_train_batch_size=settings.batch,
            learning_rate=settings.rate,
            warmup_ratio=_WARM_UP,
            batch_sampler=self.sampler,
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
        trainer = self.trainer(
            model=model,
            args=arguments,
            train_dataset=data,
            loss=self.loss(model),
            callbacks=list(callbacks),
        )
        trainer.remove_callback(PrinterCallback)  # it prints on standard output
        return trainer

    def _saved(self, model: Model) -> Path:
        folder = self.state / _MODEL
        model = model.half() if self.settings.float16 else model
        model.save_pretrained(str(folder), create_model_card=False)
        for weights in folder.glob("*.safetensors"):
            copymode(folder / "modules.json", weights)  # they are for their owner alone
        return folder


class WithoutCard:
    """A trainer without what the library gathers for a card: the model gets one of ours."""

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Do nothing."""


def _told(when: str, scores: dict[str, Score]) -> dict[str, Score]:
    tell_scores(when, scores)
    return scores
