from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from machine.locks import LockHeld, file_lock, is_locked

TOP = Path(__file__).parent.parent
HOLD = """
import sys
from pathlib import Path
from machine.locks import file_lock
with file_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_holds_a_lock_or_any_number_share_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    with file_lock(path):
        assert is_locked(path)
        for shared in (True, False):
            with pytest.raises(LockHeld), file_lock(path, shared=shared):
                pass
    with file_lock(path, shared=True), file_lock(path, shared=True):
        assert not is_locked(path)
        with pytest.raises(LockHeld), file_lock(path):
            pass
    assert not is_locked(path)
    assert not is_locked(tmp_path / "absent")


def test_a_lock_ends_with_its_block_whatever_ends_that(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), file_lock(tmp_path / "lock"):
        raise KeyboardInterrupt
    with file_lock(tmp_path / "lock"):
        pass


def test_a_lock_ends_with_the_process_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        cwd=TOP,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_locked(path)
        holder.kill()
    assert not is_locked(path)


def test_a_lock_that_can_not_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError), file_lock(tmp_path / "file" / "lock"):
        pass
