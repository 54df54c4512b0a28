"""What a training tells while it goes on, and when its state is saved."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from machine.text import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from transformers import TrainerControl, TrainerState, TrainingArguments

    from embedding.tuning.scores import Score

logger = logging.getLogger(__name__)

SAVED_EVERY_S = 180.0
"""What a kill can cost."""
_SCORED = 8
"""Times that a sample of what is held back is scored."""


class Progress(TrainerCallback):
    """Logs loss, time left and now and then scores; has the state saved every few minutes."""

    def __init__(self, score: Callable[[], Mapping[str, Score]]) -> None:
        self._score = score
        self._began = self._saved = time.monotonic()
        self._began_at = 0

    def on_train_begin(
        self,
        args: TrainingArguments,  # noqa: ARG002 - the library's signature, as below
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Note where this run begins: the time left is estimated by its own steps."""
        self._began = self._saved = time.monotonic()
        self._began_at = state.global_step

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Log step, loss and the time left."""
        if logs is None or "loss" not in logs:
            return
        done = state.global_step - self._began_at
        seconds = (time.monotonic() - self._began) / max(1, done)
        logger.info(
            "step %d of %d, loss %.3f, %s left",
            state.global_step,
            state.max_steps,
            logs["loss"],
            duration((state.max_steps - state.global_step) * seconds),
        )

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,
        **_: Any,
    ) -> None:
        """Score where an eighth of the steps is done, and ask for a save where one is due."""
        every = max(1, state.max_steps // _SCORED)
        if state.global_step % every == 0 and state.global_step < state.max_steps:
            tell_scores(f"step {state.global_step}, a sample", self._score())
        if time.monotonic() - self._saved >= SAVED_EVERY_S:
            self._saved = time.monotonic()
            control.should_save = True


def tell_scores(when: str, scores: Mapping[str, Score]) -> None:
    """Log the scores of each kind of vector."""
    for kind, found in scores.items():
        logger.info(
            "%s, %s: mean reciprocal rank %.3f, first %.3f, of %d questions that were held back",
            *(when, kind, *found),
        )
