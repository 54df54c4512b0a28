"""When each stage of a run was at work. Stages overlap: see flows.lanes."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flows.report.model import StageTime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from embedding.plan import VectorPlan

logger = logging.getLogger(__name__)


class StageClock:
    """Collects the times of a run's stages; several threads may use it."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self._stages: list[StageTime] = []
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str, waited_s: Callable[[], float] | None = None) -> Iterator[None]:
        """Time the block as a stage; `waited_s` says afterwards how long it waited for another."""
        logger.info("%s ...", name)
        began = time.perf_counter()
        yield
        wall = time.perf_counter() - began
        busy = wall - (waited_s() if waited_s is not None else 0.0)
        self.note(StageTime(name, began - self.started, wall, busy))
        logger.info("%s: done in %.1f s", name, wall)

    def note(self, stage: StageTime) -> None:
        """Add a stage that was timed elsewhere."""
        with self._lock:
            self._stages.append(stage)

    def note_embeddings(self, plan: VectorPlan) -> None:
        """Add one stage per kind of vector of the plan."""
        for embedding in plan.embeddings():
            began, ended, busy, units = embedding.times
            began_s = began - self.started if units else 0.0
            name = f"embed {embedding.vector}"
            self.note(StageTime(name, began_s, ended - began, busy, units))

    def stages(self) -> list[StageTime]:
        """Return the stages as they started; those with nothing to do come last."""
        return sorted(self._stages, key=lambda stage: (stage.tasks == 0, stage.began_s))

    def seconds(self, last: Sequence[str]) -> dict[str, float]:
        """Return each stage's wall time, the stages named in `last` at the end, then the total."""
        walls = {stage.stage: stage.wall_s for stage in self.stages()}
        first = [name for name in walls if name not in last]
        ordered = {name: walls[name] for name in (*first, *last)}
        return {**ordered, "total": time.perf_counter() - self.started}
