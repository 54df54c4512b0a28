"""Runs other programs to their end and returns what they print.

`run_program` starts nothing but the program. With `supervised`, whatever the program started is
killed with it, even if this process is killed (machine.supervisor); that costs a start of Python.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from machine.supervisor import run_supervised

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ANSWER_S = 5.0
"""Seconds that a program has to say its version."""


@dataclass(frozen=True, slots=True)
class ProgramOutput:
    """How a program ended, and what it printed."""

    status: int | None
    """Its exit status; negative: the signal that ended it; None: it did not end in time."""
    out: bytes
    error: bytes
    """Its standard error."""

    @property
    def error_text(self) -> str:
        """Standard error as text."""
        return self.error.decode("utf-8", "replace")


class Reply(NamedTuple):
    """What a program says when it is asked for a line of text."""

    status: int | None
    """As that of ProgramOutput."""
    out: str
    error: str
    """The first line of its standard error."""


def run_program(
    arguments: Sequence[str],
    *,
    timeout_s: float | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    supervised: bool = False,
    given: bytes = b"",
) -> ProgramOutput:
    """Run the program and return what it printed; `given` is its standard input, if not supervised.

    It and its children are killed after `timeout_s`; None is no limit. Raises OSError if it can't
    be started.
    """
    environment = dict(os.environ) if environment is None else environment
    if supervised:
        return _run_supervised(arguments, timeout_s or float("inf"), folder, environment)
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE if given else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )
    try:
        out, error = process.communicate(given or None, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _kill(process)
        return ProgramOutput(None, b"", b"")
    except BaseException:  # Ctrl-C reaches this process only
        _kill(process)
        raise
    return ProgramOutput(process.returncode, out, error)


def ask(
    arguments: Sequence[str], *, timeout_s: float | None = None, folder: Path | None = None
) -> Reply | None:
    """Return what the program says, None if there is no such program.

    It and its children are killed after `timeout_s` (None: ANSWER_S). rustup's proxies install no
    toolchain on the way.
    """
    timeout_s = ANSWER_S if timeout_s is None else timeout_s
    program = shutil.which(arguments[0])
    if program is None:
        return None
    quiet = {**os.environ, "RUSTUP_AUTO_INSTALL": "0", "RUST_BACKTRACE": "0"}
    try:
        found = run_program(
            [program, *arguments[1:]], timeout_s=timeout_s, folder=folder, environment=quiet
        )
    except OSError as exc:
        return Reply(-1, "", f"{program} can't be started: {exc.strerror or exc}")
    if found.status is None:
        return Reply(None, "", f"{program} did not answer within {timeout_s:g} s")
    lines = (line.strip() for line in found.error_text.splitlines())
    out = found.out.decode("utf-8", "replace").strip()
    return Reply(found.status, out, next(filter(None, lines), ""))


def _run_supervised(
    arguments: Sequence[str],
    timeout_s: float,
    folder: Path | None,
    environment: Mapping[str, str],
) -> ProgramOutput:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        outcome = run_supervised(
            arguments,
            stdout=out,
            stderr=error,
            environment=environment,
            timeout_s=timeout_s,
            cwd=folder,
        )
        out.seek(0)
        error.seek(0)
        status = None if outcome.exceeded else outcome.status
        return ProgramOutput(status, out.read(), error.read())


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the program with its children, which would keep its output open."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
