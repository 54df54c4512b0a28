"""Several processes give what one gives, and none outlives its run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from lsif import workers
from lsif.errors import LsifError
from lsif.extract import parse_dump
from lsif.ledger import ParseLedger

from conftest import PROJECT_ROOT, SAMPLE, SAMPLE_DUMP, children_of


def end_at_once(batch: object) -> None:
    os._exit(1)


def parse(folder: Path, processes: int) -> tuple[ParseLedger, bytes, bytes]:
    structures, blocks = folder / f"{processes}.jsonl", folder / f"{processes}.blocks.jsonl"
    ledger = parse_dump(
        SAMPLE_DUMP, SAMPLE, structures, project="sample", max_bad_lines=0, max_stale_share=0, blocks=blocks, processes=processes
    )
    return ledger, structures.read_bytes(), blocks.read_bytes()


def test_several_processes_write_the_same_bytes_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_BATCH", 10)
    assert parse(tmp_path, 2) == parse(tmp_path, 1)


def test_small_dumps_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert workers._worthwhile(19_999) == 1
    assert workers._worthwhile(20_000) == 4


def test_a_worker_that_is_ended_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_work", end_at_once)
    with pytest.raises(LsifError, match=r"--set parse\.processes=1"):
        parse(tmp_path, 2)
    assert list(tmp_path.iterdir()) == []


def test_workers_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(f"""\
        import time
        from pathlib import Path
        from lsif import workers
        from lsif.graph import Outline
        from lsif.join import DumpedFile, JoinContext

        if __name__ == "__main__":
            context = JoinContext(Path({str(SAMPLE)!r}), "sample", "utf-16", frozenset(), False)
            files = {{f"absent{{number}}.rs": DumpedFile(Outline("rust"), []) for number in range(4)}}
            workers._BATCH = 0
            for joined in workers.join_files(context, files, processes=2):
                print(joined.path, flush=True)
                time.sleep(60)
        """)
    )
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"absent0.rs\n"
    children = children_of(process.pid)
    assert len(children) >= 2
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
