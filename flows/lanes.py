"""The two lanes of a run, at the same time: records are parsed and uploaded in one, embedded in the other.

    records    parse ──▶ structures.jsonl ──▶ upload, which waits for vectors as it comes to them
                 │ work units: texts that the checkpoint lacks     ▲ names of new checkpoint files
    vectors      └─▶ embed, here or by a task runner ──────────────┘

Whichever fails ends the other: nothing is published, and the vectors that were made are kept. Each lane is a thread, and the
main one only waits for them: Ctrl-C and SIGTERM raise wherever that is, and in the middle of a log record would leave the log
locked, for which the other lane would wait forever.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from embedding.work_units import STOP
from flows.report.model import StageTime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from embedding.plan import VectorPlan
    from embedding.work_units import UnitReport, WorkUnit

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Clock:
    """Notes when the stages of a run are at work."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self._stages: list[StageTime] = []
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str, waited_s: Callable[[], float] | None = None) -> Iterator[None]:
        """Note what happens inside as a stage; `waited_s` tells afterwards for how long it waited for another."""
        logger.info("%s ...", name)
        began = time.perf_counter()
        yield
        wall = time.perf_counter() - began
        self.note(
            StageTime(
                name,
                began - self.started,
                wall,
                wall - (waited_s() if waited_s is not None else 0.0),
            )
        )
        logger.info("%s: done in %.1f s", name, wall)

    def note(self, stage: StageTime) -> None:
        """Take a stage into account."""
        with self._lock:
            self._stages.append(stage)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run's begin."""
        return time.perf_counter() - self.started

    def stages(self) -> list[StageTime]:
        """Return the stages in the order of their begins; those that had nothing to do come last."""
        return sorted(self._stages, key=lambda one: (one.tasks == 0, one.began_s))


class Lanes:
    """Runs a function that brings records beside the embedding of the work units that come of them."""

    def __init__(
        self,
        embed: Callable[[WorkUnit], Callable[[], UnitReport]],
        on_done: Callable[[VectorPlan], None] = lambda _: None,
    ) -> None:
        """Have each work unit embedded by `embed`, which begins with it and returns what waits for its end; then call `on_done`."""
        self._embed, self._on_done = embed, on_done
        self._units: SimpleQueue[WorkUnit | None] = SimpleQueue()
        self.stopped = threading.Event()
        """Set once a lane failed: nothing is worth waiting for."""

    def give(self, unit: WorkUnit) -> None:
        """Hand a work unit over to be embedded."""
        self._units.put(unit)

    def end(self) -> None:
        """Tell that no more work units come."""
        self._units.put(None)

    def run(self, plan: VectorPlan, records: Callable[[], T]) -> T:
        """Return what `records` returns, which gives work units away and waits for the plan's vectors in a thread of its own.

        Raises what either lane raises.
        """
        with (
            ThreadPoolExecutor(2, "lane") as lanes,
            ThreadPoolExecutor(1, "work-units") as waiting_thread,
        ):
            lane: Future[Any] = lanes.submit(copy_context().run, self._to_the_end, records)
            vectors: Future[Any] = lanes.submit(
                copy_context().run, self._embed_all, plan, waiting_thread
            )
            try:
                wait((lane, vectors), return_when=FIRST_EXCEPTION)
                if lane.done():  # what fails first is told: a lane that fails stops the other, which then fails, too
                    lane.result()
                vectors.result()
                result: T = lane.result()
            except BaseException as exc:
                self.stopped.set()
                plan.no_more(exc)
                raise
            return result

    def _to_the_end(self, records: Callable[[], T]) -> T:
        try:
            return records()
        except BaseException:
            self.stopped.set()
            raise
        finally:
            self.end()

    def _embed_all(self, plan: VectorPlan, waiting_thread: ThreadPoolExecutor) -> None:
        """Begin with each work unit as it comes, and tell the plan their ends, in the order of the units."""
        STOP.set(self.stopped)
        ends: deque[Future[None]] = deque()
        while (unit := self._units.get()) is not None and not self.stopped.is_set():
            plan.begin(unit)
            ends.append(
                waiting_thread.submit(copy_context().run, self._tell, plan, unit, self._embed(unit))
            )
            while ends and ends[0].done():
                ends.popleft().result()
        for end in ends:
            end.result()
        if not self.stopped.is_set():
            plan.no_more()

    def _tell(self, plan: VectorPlan, unit: WorkUnit, wait_for: Callable[[], UnitReport]) -> None:
        try:
            plan.done(unit, wait_for())
            self._on_done(plan)
        except BaseException:
            self.end()  # its failure is looked for now, not when the next work unit comes
            raise
