"""Runs a program within limits of time and memory; nothing that it started outlives the run.

Between the two is a process of its own, this file run as a program. It adopts what the program's
children leave behind and adds up their memory. It kills them all once the program ends, a limit is
passed or the pipe to the run closes, which also happens if the run is killed. Linux finds every
descendant; elsewhere those that made themselves independent of their parents escape.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import IO

    import psutil

_LOOK_EVERY_S = 0.1
"""Seconds between two measurements of the memory."""
_ENDING_S = 10.0
"""Seconds that the supervisor may take to kill what it watches."""
_PROGRAM = (sys.executable, "-P", __file__)
_ADOPT_ORPHANS = 36
"""PR_SET_CHILD_SUBREAPER of https://man7.org/linux/man-pages/man2/prctl.2.html"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended."""

    status: int
    """Its exit status; negative: the signal that ended it."""
    peak_mb: float
    """Highest memory of it and its descendants, 10^6 bytes; shared pages count for each."""
    exceeded: str = ""
    """The limit that it exceeded: "time", "memory", or "" for none."""


def run_supervised(
    arguments: Sequence[str],
    *,
    stdout: IO[bytes],
    stderr: IO[bytes],
    environment: Mapping[str, str],
    timeout_s: float,
    memory_mb: int = 0,
    cwd: Path | None = None,
) -> Outcome:
    """Run the program without standard input; return how it ended once all that it started is dead.

    `memory_mb` is in 10^6 bytes, 0 = no limit. Raises OSError if the program can't be started.
    """
    read, write = os.pipe()
    with os.fdopen(read, "rb") as result:
        try:
            supervisor = subprocess.Popen(
                [*_PROGRAM, str(write), str(timeout_s), str(memory_mb), *arguments],
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                env=environment,
                cwd=cwd,
                pass_fds=[write],
                start_new_session=True,  # Ctrl-C is for the run, which ends the supervisor
            )
        finally:
            os.close(write)
        try:
            answer = result.read()
        finally:
            _end(supervisor)
    if not answer:
        # It was killed itself, and the program with it.
        return Outcome(supervisor.returncode or -signal.SIGKILL, 0.0)
    found = json.loads(answer)
    if "errno" in found:
        raise OSError(found["errno"], os.strerror(found["errno"]), arguments[0])
    return Outcome(**found)


def _end(supervisor: subprocess.Popen[bytes]) -> None:
    """Close the pipe, so that the supervisor kills what is left, and wait for it."""
    if supervisor.stdin is not None:
        supervisor.stdin.close()
    try:
        supervisor.wait(_ENDING_S + 5)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):  # the last resort; most often nobody is left
            os.killpg(supervisor.pid, signal.SIGKILL)
        supervisor.wait()


def _supervise(result: int, timeout_s: float, memory_mb: int, arguments: list[str]) -> None:
    """Run the program, and write how it ended to the file descriptor `result`, as JSON."""
    with suppress(OSError, AttributeError):  # not Linux
        ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    try:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL)
    except OSError as exc:
        os.write(result, json.dumps({"errno": exc.errno}).encode())
        return
    try:
        exceeded, peak = _watch(process, timeout_s, memory_mb)
    finally:
        _kill_all(process)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    with suppress(BrokenPipeError):  # the run is gone
        os.write(
            result,
            json.dumps(
                asdict(Outcome(process.returncode, max(peak, largest) / 1e6, exceeded))
            ).encode(),
        )


def _watch(process: subprocess.Popen[bytes], timeout_s: float, memory_mb: int) -> tuple[str, int]:
    """Return the limit that was passed and the most bytes seen.

    Return once the program ends, passes a limit or is not wanted any more.
    """
    deadline, peak = time.monotonic() + timeout_s, 0
    ended = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
    wanted = [sys.stdin.fileno(), *([] if ended is None else [ended])]
    while True:
        ready = select.select(wanted, [], [], _LOOK_EVERY_S)[0]
        if process.poll() is not None or sys.stdin.fileno() in ready:
            return "", peak
        used = sum(map(_resident_bytes, _descendants()))
        peak = max(peak, used)
        if memory_mb and used > memory_mb * 1_000_000:
            return "memory", peak
        if time.monotonic() > deadline:
            return "time", peak


def _descendants() -> list[psutil.Process]:
    import psutil  # noqa: PLC0415 - a program that ends at once needs no look

    found: list[psutil.Process] = psutil.Process().children(recursive=True)
    return found


def _resident_bytes(process: psutil.Process) -> int:
    import psutil  # noqa: PLC0415

    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0  # it just ended


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill the program and its descendants, and wait until they are gone."""
    import psutil  # noqa: PLC0415

    deadline = time.monotonic() + _ENDING_S
    process.poll()
    while _has_children() and time.monotonic() < deadline:
        for descendant in _descendants():
            with suppress(psutil.Error):
                descendant.kill()
        if process.returncode is None:
            process.wait()
        with suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        time.sleep(0.005)


def _has_children() -> bool:
    """Return whether there is a child, dead or alive; wait for nothing."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


if __name__ == "__main__":
    _supervise(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
