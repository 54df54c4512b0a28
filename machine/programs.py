"""Other programs, asked for a few words: they end in time, whatever they do."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ANSWER_S = 5.0
"""Seconds that a program has to say its version."""


class Words(NamedTuple):
    """What a program said."""

    status: int | None
    """Its exit status; None where it did not end in time."""
    out: str
    error: str
    """The first line of its standard error."""


def ask(
    arguments: Sequence[str], *, timeout_s: float | None = None, folder: Path | None = None
) -> Words | None:
    """Return what the program says, None where there is no such program.

    It and its children are ended after `timeout_s` (None: ANSWER_S). rustup's proxies install no toolchain on the way.
    """
    timeout_s = ANSWER_S if timeout_s is None else timeout_s
    program = shutil.which(arguments[0])
    if program is None:
        return None
    try:
        process = subprocess.Popen(
            [program, *arguments[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, "RUSTUP_AUTO_INSTALL": "0", "RUST_BACKTRACE": "0"},
            start_new_session=True,
        )
    except OSError as exc:
        return Words(-1, "", f"{program} can't be started: {exc.strerror or exc}")
    try:
        out, error = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _end(process)
        return Words(None, "", f"{program} did not answer within {timeout_s:g} s")
    first = next(
        (line.strip() for line in error.decode("utf-8", "replace").splitlines() if line.strip()), ""
    )
    return Words(process.returncode, out.decode("utf-8", "replace").strip(), first)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the program with all that it started: a child would hold its output open."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
