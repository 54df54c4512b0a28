"""Nothing that a supervised program started outlives it, its limits, or the run."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from machine.supervisor import Outcome, run_supervised

from conftest import PROJECT_ROOT

HOLD = (
    "import sys, time; held = bytearray(int(sys.argv[1]) * 10**6); "
    "held[::4096] = b'x' * len(held[::4096]); time.sleep(60)"
)


def supervised(
    *arguments: str, timeout_s: float = 30, memory_mb: int = 0, mark: str = ""
) -> Outcome:
    with tempfile.TemporaryFile() as out:
        environment = {**os.environ, "MARK": mark}
        return run_supervised(
            arguments,
            stdout=out,
            stderr=out,
            environment=environment,
            timeout_s=timeout_s,
            memory_mb=memory_mb,
        )


def alive(mark: str) -> list[str]:
    """Return the command lines of the processes that inherited the mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(shlex.join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def test_the_exit_status_is_the_programs() -> None:
    assert supervised("true").status == 0
    assert supervised("sh", "-c", "exit 3").status == 3
    assert supervised("sh", "-c", "kill -9 $$").status == -9


def test_a_program_that_cant_be_started_is_an_oserror() -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        supervised("no-such-program")


def test_the_program_has_no_standard_input() -> None:
    assert supervised("sh", "-c", "read line && exit 1; exit 0").status == 0


def test_the_peak_is_that_of_all_its_processes_together() -> None:
    body = f"{shlex.quote(sys.executable)} -c {shlex.quote(HOLD.replace('60', '1.5'))} 80"
    outcome = supervised("sh", "-c", f"{body} & {body}; wait")
    assert outcome.exceeded == ""
    assert 170 < outcome.peak_mb < 260  # twice 80 MB, and two interpreters


def test_a_program_over_the_memory_limit_is_ended(tmp_path: Path) -> None:
    outcome = supervised(sys.executable, "-c", HOLD, "300", memory_mb=200, mark=str(tmp_path))
    assert (outcome.exceeded, outcome.status) == ("memory", -9)
    assert outcome.peak_mb > 200
    assert alive(str(tmp_path)) == []


def test_a_childs_memory_counts(tmp_path: Path) -> None:
    body = f"{shlex.quote(sys.executable)} -c {shlex.quote(HOLD)} 120"
    outcome = supervised(
        "sh", "-c", f"{body} & (setsid {body} &); wait", memory_mb=200, mark=str(tmp_path)
    )
    assert outcome.exceeded == "memory"
    assert alive(str(tmp_path)) == []


@pytest.mark.parametrize(
    "body",
    [
        "sleep 60 & exit 0",
        "(setsid sleep 60 &); exit 0",
        "(setsid setsid sh -c 'sleep 60; sleep 60' &)",
    ],
)
def test_what_a_program_leaves_behind_is_ended_with_it(body: str, tmp_path: Path) -> None:
    assert supervised("sh", "-c", body, mark=str(tmp_path)).status == 0
    assert alive(str(tmp_path)) == []


def test_a_program_over_time_is_ended_with_its_children(tmp_path: Path) -> None:
    outcome = supervised(
        "sh", "-c", "(setsid sleep 60 &); sleep 60 & sleep 60", timeout_s=0.5, mark=str(tmp_path)
    )
    assert outcome.exceeded == "time"
    assert alive(str(tmp_path)) == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_ends_takes_all_with_it(sent: signal.Signals, tmp_path: Path) -> None:
    script = (
        "import os, sys; from machine.supervisor import run_supervised\n"
        "run_supervised(['sh', '-c', '(setsid sleep 60 &); echo begun; sleep 60'],"
        " environment=dict(os.environ), timeout_s=60,"
        " stdout=sys.stdout.buffer, stderr=sys.stderr.buffer)"
    )
    environment = {**os.environ, "MARK": str(tmp_path)}
    run = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=PROJECT_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == b"begun\n"
    assert len(alive(str(tmp_path))) >= 4
    run.send_signal(sent)
    run.wait()
    run.stdout.close()
    deadline = time.monotonic() + 20
    while alive(str(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert alive(str(tmp_path)) == []


def test_a_supervisor_that_is_killed_takes_the_program_with_it(tmp_path: Path) -> None:
    body = "kill -9 $PPID; sleep 60"
    outcome = supervised("sh", "-c", body, mark=str(tmp_path))
    assert (outcome.status, outcome.exceeded) == (-9, "")
    deadline = time.monotonic() + 20
    while alive(str(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert alive(str(tmp_path)) == []
