"""The two lanes of a run, side by side: one parses and uploads records, the other embeds.

    records    parse ──▶ structures.jsonl ──▶ upload, which waits for each vector it comes to
                 │ work units: texts that the checkpoint lacks     ▲ names of new checkpoint files
    vectors      └─▶ embed, here or by a task runner ──────────────┘

If either fails, it ends the other: nothing is published, and finished embeddings are saved. Each
lane is a thread, and the main thread only waits: Ctrl-C and SIGTERM raise wherever that one is. In
the middle of a log record they would leave the log locked, and the other lane would wait forever.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from embedding.work_units import STOP

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedding.plan import VectorPlan
    from embedding.work_units import UnitReport, WorkUnit

T = TypeVar("T")


class Lanes:
    """Runs a function that brings records, and embeds the work units that it gives away."""

    def __init__(
        self,
        embed: Callable[[WorkUnit], Callable[[], UnitReport]],
        on_done: Callable[[VectorPlan], None] = lambda _: None,
        stopped: threading.Event | None = None,
    ) -> None:
        """Embed each unit by `embed`, then call `on_done`.

        `embed` begins with a unit and returns what waits for its report. `stopped` is set once a
        lane has failed: nothing is worth waiting for then.
        """
        self._embed, self._on_done = embed, on_done
        self._units: SimpleQueue[WorkUnit | None] = SimpleQueue()
        self.stopped = stopped or threading.Event()

    def give(self, unit: WorkUnit) -> None:
        """Hand over a work unit to be embedded."""
        self._units.put(unit)

    def end(self) -> None:
        """Announce that no more work units come."""
        self._units.put(None)

    def run(self, plan: VectorPlan, records: Callable[[], T]) -> T:
        """Return what `records` returns; it gives units away and waits for the plan's vectors.

        It runs in a thread of its own. Raises what either lane raises.
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
                if lane.done():  # the first failure counts: it makes the other lane fail, too
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
        """Begin with each unit as it comes; report to the plan in the order of the units."""
        STOP.set(self.stopped)
        ends: deque[Future[None]] = deque()
        while (unit := self._units.get()) is not None and not self.stopped.is_set():
            plan.begin(unit)
            ends.append(
                waiting_thread.submit(
                    copy_context().run, self._report, plan, unit, self._embed(unit)
                )
            )
            while ends and ends[0].done():
                ends.popleft().result()
        for end in ends:
            end.result()
        if not self.stopped.is_set():
            plan.no_more()

    def _report(self, plan: VectorPlan, unit: WorkUnit, wait_for: Callable[[], UnitReport]) -> None:
        try:
            plan.done(unit, wait_for())
            self._on_done(plan)
        except BaseException:
            self.end()  # its failure is looked for now, not when the next work unit comes
            raise
