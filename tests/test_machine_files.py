"""Folders that others still write in."""

from __future__ import annotations

import errno
import shutil
import threading
import time
from pathlib import Path

import pytest

from flows.source.checkout import _remove_locks
from machine import files
from machine.files import remove_folder


def test_a_folder_is_removed_while_another_process_makes_and_removes_files(tmp_path: Path) -> None:
    folder, ended = tmp_path / "checkout", threading.Event()
    (folder / "inner").mkdir(parents=True)

    def write() -> None:
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            for name in ("inner/index.lock", "HEAD.lock"):
                try:
                    (folder / name).touch()
                    (folder / name).unlink()
                except OSError:
                    break
        ended.set()

    threading.Thread(target=write).start()
    remove_folder(folder)
    ended.wait()
    assert not folder.exists()
    remove_folder(folder)  # what is gone is no failure


@pytest.mark.parametrize(
    ("failure", "tries"), [(FileNotFoundError(errno.ENOENT, "gone"), 3), (PermissionError(), 1)]
)
def test_only_what_passes_is_tried_again(
    failure: OSError, tries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, tried = shutil.rmtree, list[Path]()

    def flaky(path: Path) -> None:
        tried.append(path)
        if len(tried) < 3:
            raise failure
        remove(path)

    monkeypatch.setattr(files.shutil, "rmtree", flaky)
    monkeypatch.setattr(files, "_PAUSE_S", 0.0)
    folder = tmp_path / "x"
    folder.mkdir()
    if tries == 1:
        with pytest.raises(PermissionError):
            remove_folder(folder)
    else:
        remove_folder(folder)
    assert (len(tried), folder.exists()) == (tries, tries == 1)


def test_locks_are_removed_and_folders_of_that_name_are_not(tmp_path: Path) -> None:
    (tmp_path / "modules/a.lock").mkdir(parents=True)
    for name in ("index.lock", "modules/a.lock/HEAD.lock", "HEAD"):
        (tmp_path / name).touch()
    _remove_locks(tmp_path)
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == ["HEAD", "modules", "modules/a.lock"]
    _remove_locks(tmp_path / "none")
