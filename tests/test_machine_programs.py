from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from machine.git import git_bytes, git_output
from machine.programs import ProgramOutput, Reply, ask, run_program


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


@pytest.mark.parametrize("supervised", [False, True])
def test_a_program_is_run_to_its_end(tmp_path: Path, supervised: bool) -> None:
    script = (
        "import os, sys; print(os.getcwd(), os.environ['A'], repr(sys.stdin.read()));"
        "print('said', file=sys.stderr); sys.exit(3)"
    )
    found = run_program(
        python(script), folder=tmp_path, environment={"A": "b"}, timeout_s=60, supervised=supervised
    )
    assert found == ProgramOutput(3, f"{tmp_path} b ''\n".encode(), b"said\n")
    assert found.error_text == "said\n"


@pytest.mark.parametrize("supervised", [False, True])
def test_a_program_that_takes_too_long_ends_with_its_children(
    tmp_path: Path, supervised: bool
) -> None:
    note = tmp_path / "pid"
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    began = time.monotonic()
    assert run_program(python(script), timeout_s=2, supervised=supervised).status is None
    assert time.monotonic() - began < 40
    pid = int(note.read_text())
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.05)
    else:
        assert not psutil.pid_exists(pid)


def test_a_program_that_was_killed_says_by_which_signal() -> None:
    found = run_program(python("import os, signal; os.kill(os.getpid(), signal.SIGTERM)"))
    assert found.status == -signal.SIGTERM


def test_a_program_that_is_absent_is_an_error_or_no_reply(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_program([str(tmp_path / "absent")])
    assert ask([str(tmp_path / "absent")]) is None
    reply = ask(python("import sys; print(' 1.0 '); print('\\n\\n why \\n', file=sys.stderr)"))
    assert reply == Reply(0, "1.0", "why")


def test_git_is_asked_about_the_folder_whatever_a_hook_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        assert git_output(tmp_path, "init", "--quiet", name) == ""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "one" / ".git"))
    top = git_bytes(tmp_path / "two", "rev-parse", "--show-toplevel", timeout_s=60)
    assert top == os.fsencode(f"{(tmp_path / 'two').resolve()}\n")
    assert git_output(tmp_path, "no-such-command") is None
