"""Workers: this process, or several that share the work on a large dump.

Workers get their calls through a pipe, and end with it. Processes of `multiprocessing` would import
the caller's main module again, which takes longer than the work on a small dump and fails in
scripts without `if __name__ == "__main__"`. Forked processes would inherit locks of threads that
they do not have.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Self, TypeAlias, TypeVar

from lsif.errors import LsifError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

T = TypeVar("T")

_START = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from lsif.workers import serve
serve()
"""
_MOST = 8
"""Limit for the default number of processes; the machine has other work, too."""


def count_for(processes: int) -> int:
    """Return the number of processes for a setting; 0 means one a usable core, 8 at most."""
    return processes or min(_MOST, len(os.sched_getaffinity(0)))


class ThisProcess:
    """Calls each function at once."""

    count = 1
    """How many calls go on at a time."""

    def __enter__(self) -> Self:
        return self

    def submit(self, function: Callable[..., T], *arguments: object) -> Future[T]:
        """Return the result of the function, called now. What it raises is raised now."""
        done: Future[T] = Future()
        done.set_result(function(*arguments))
        return done

    def map_in_order(
        self, function: Callable[..., T], calls: Iterable[tuple[object, ...]]
    ) -> Iterator[T]:
        """Yield the results of calls with these arguments, in their order."""
        for arguments in calls:
            yield function(*arguments)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing."""


class Processes:
    """Several processes, this one among them; each has one call at a time.

    Not to be shared by threads.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        """How many calls go on at a time."""
        self._children = [_start() for _ in range(count - 1)]
        self._free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for child in self._children:
            self._free.put(child)
        self._pool = ThreadPoolExecutor(count - 1)

    def __enter__(self) -> Self:
        return self

    def submit(self, function: Callable[..., T], *arguments: object) -> Future[T]:
        """Return the future result of the function, called in another process.

        It raises what the function raises, and LsifError where the process ends.
        """
        return self._pool.submit(self._call, function, arguments)

    def map_in_order(
        self, function: Callable[..., T], calls: Iterable[tuple[object, ...]]
    ) -> Iterator[T]:
        """Yield the calls' results in the order of the calls; only a few run at a time."""
        results: deque[Future[T] | T] = deque()
        elsewhere: deque[Future[T]] = deque()
        for arguments in calls:
            while elsewhere and elsewhere[0].done():
                elsewhere.popleft()
            if len(elsewhere) < 2 * len(self._children):  # so many that no other process waits
                elsewhere.append(self.submit(function, *arguments))
                results.append(elsewhere[-1])
            else:
                results.append(function(*arguments))
            while results and (not isinstance(results[0], Future) or results[0].done()):
                yield _result(results.popleft())
        while results:
            yield _result(results.popleft())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes, without waiting for calls whose results nobody waits for."""
        for child in self._children:
            child.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for child in self._children:
            child.communicate()

    def _call(self, function: Callable[..., T], arguments: tuple[object, ...]) -> T:
        child = self._free.get()
        try:
            _send(child.stdin, (function, arguments))
            result, error = pickle.load(_open(child.stdout))  # noqa: S301 - what our own process sends
        except (EOFError, OSError, pickle.UnpicklingError) as exc:
            raise LsifError(
                "a process that read sources was killed (out of memory?). "
                "Run with --set parse.processes=1"
            ) from exc
        finally:
            self._free.put(child)
        if error is not None:
            raise error
        answer: T = result
        return answer


Workers: TypeAlias = ThisProcess | Processes


def start_workers(count: int) -> ThisProcess | Processes:
    """Return workers, as many processes if `count` is more than one; close them as a context."""
    return Processes(count) if count > 1 else ThisProcess()


def serve() -> None:
    """Answer calls from standard input on standard output until the input ends."""
    calls, results = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb", 1 << 20)
    sys.stdout = sys.stderr  # printed text must not get among the results
    while True:
        try:
            function, arguments = pickle.load(calls)  # noqa: S301 - what our own parent sends
        except EOFError:
            return
        answer: tuple[object, BaseException | None]
        try:
            answer = function(*arguments), None
        except Exception as exc:  # noqa: BLE001 - the parent raises it
            answer = None, exc
        try:
            _send(results, answer)
        except BrokenPipeError:  # nobody waits for it any more
            return


def _result(result: Future[T] | T) -> T:
    return result.result() if isinstance(result, Future) else result


def _start() -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=1 << 20,
        start_new_session=True,  # Ctrl-C is the parent's business
    )
    _send(child.stdin, sys.path)
    return child


def _send(pipe: IO[bytes] | None, message: object) -> None:
    pickle.dump(message, _open(pipe), pickle.HIGHEST_PROTOCOL)
    _open(pipe).flush()


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise BrokenPipeError
    return pipe
