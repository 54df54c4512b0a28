"""Joins many files, in this process or in several: the same results in the same order either way."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeAlias

from lsif.errors import LsifError
from lsif.join import DumpedFile, JoinContext, JoinedFile, join_file

if TYPE_CHECKING:
    from collections.abc import Iterator

WORTH_WORKERS = 20_000
"""Definitions below which starting processes takes longer than they save."""
_BATCH = 500
"""Definitions that a worker is given at once."""

_Batch: TypeAlias = "list[tuple[str, DumpedFile]]"


def join_files(context: JoinContext, files: dict[str, DumpedFile], *, processes: int) -> Iterator[JoinedFile]:
    """Yield each file's result in the order of their paths; `files` is emptied on the way. 0 processes: as many as are worth it."""
    count = processes or _worthwhile(sum(len(one.definitions) for one in files.values()))
    if count == 1:
        for path in sorted(files):
            yield join_file(context, path, files.pop(path))
        return
    # Not forked: a forked child inherits the locks of threads that it does not have.
    pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=_start_worker, initargs=(context, os.getpid()))
    try:
        waiting: deque[Future[list[JoinedFile]]] = deque()
        for batch in _batches(files):
            waiting.append(pool.submit(_work, batch))
            if len(waiting) > 2 * count:  # so many are under way that no worker waits, and no more are held in memory
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool as exc:
        raise LsifError("a process that read sources was ended (out of memory?). Run with --set parse.processes=1") from exc
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _worthwhile(definitions: int) -> int:
    return min(8, len(os.sched_getaffinity(0))) if definitions >= WORTH_WORKERS else 1


def _batches(files: dict[str, DumpedFile]) -> Iterator[_Batch]:
    batch: _Batch = []
    for path in sorted(files):
        batch.append((path, files.pop(path)))
        if sum(len(one.definitions) for _, one in batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


_context: JoinContext | None = None
"""Of a worker process; set when it starts."""


def _start_worker(context: JoinContext, parent: int) -> None:
    """Prepare a worker: the parent tells it when to end, or is gone."""
    global _context  # noqa: PLW0603 - a process pool hands its initialiser nothing else to keep things in
    _context = context
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(batch: _Batch) -> list[JoinedFile]:
    if _context is None:
        raise RuntimeError("a worker works before it was started")
    return [join_file(_context, path, dumped) for path, dumped in batch]
