"""Several processes give what one gives, and none outlives its run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from itertools import pairwise
from pathlib import Path

import pytest

from lsif import extract, join
from lsif.errors import DumpError, LsifError
from lsif.extract import parse_dump
from lsif.ledger import ParseLedger
from lsif.reader import read as reader
from lsif.workers import Processes, ThisProcess, count_for, start_workers

from conftest import DATA, PROJECT_ROOT, SAMPLE, SAMPLE_DUMP, children_of


def parse(
    folder: Path, processes: int, dump: Path = SAMPLE_DUMP
) -> tuple[ParseLedger, bytes, bytes]:
    structures, blocks = folder / f"{processes}.jsonl", folder / f"{processes}.blocks.jsonl"
    ledger = parse_dump(
        dump,
        SAMPLE,
        structures,
        project="sample",
        max_bad_lines=5,
        max_stale_share=0,
        blocks=blocks,
        processes=processes,
    )
    return ledger, structures.read_bytes(), blocks.read_bytes()


@pytest.mark.parametrize("head_start", [0, 100_000, 1 << 30])
def test_several_processes_write_the_same_bytes_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head_start: int
) -> None:
    monkeypatch.setattr(join, "_BATCH", 10)
    monkeypatch.setattr(reader, "_HEAD_START", head_start)
    assert parse(tmp_path, 3) == parse(tmp_path, 2) == parse(tmp_path, 1)


def test_bad_lines_and_string_ids_are_read_in_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is amiss is told by its line in the whole file."""
    monkeypatch.setattr(reader, "_HEAD_START", 0)
    lines = SAMPLE_DUMP.read_bytes().splitlines(keepends=True)
    dump = tmp_path / "dump.lsif"
    dump.write_bytes(b"".join([*lines[:-5], b"{bad}\n", *lines[-5:]]))
    ledger = parse(tmp_path, 2, dump)[0]
    assert (ledger.lines, ledger.bad_lines) == (len(lines) + 1, 1)
    assert ledger.first_bad[0].startswith(f"line {len(lines) - 4}:")
    dump.write_bytes(SAMPLE_DUMP.read_bytes()[:-3])
    with pytest.raises(DumpError, match=f"cut off in the middle of line {len(lines)}"):
        parse(tmp_path, 2, dump)
    dump.write_bytes(SAMPLE_DUMP.read_bytes() + b'{"id":"x","type":"vertex","label":"resultSet"}\n')
    with pytest.raises(DumpError, match="result sets are finished"):
        parse(tmp_path, 2, dump)


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_parts_of_a_dump_are_whole_lines(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_HEAD_START", 0)
    path = tmp_path / "lines"
    path.write_bytes(b"".join(b"x" * (number * 37 % 100) + b"\n" for number in range(40)) + b"last")
    size = path.stat().st_size
    with path.open("rb") as file:
        bounds = reader._bounds(file, 10, size, count)
        assert bounds[0][0] == 10
        assert bounds[-1][1] == size
        for (_, end), (begin, _) in pairwise(bounds):
            assert begin == end
            file.seek(begin - 1)
            assert file.read(1) == b"\n"


def test_small_dumps_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(12)))
    assert (count_for(0), count_for(3)) == (8, 3)
    assert isinstance(start_workers(1), ThisProcess)
    large = tmp_path / "large"
    large.touch()
    assert not extract._is_large(large)
    os.truncate(large, 30_000_000)
    assert extract._is_large(large)
    large.write_bytes(b"\x1f\x8b" + bytes(3_000_000))
    assert extract._is_large(large)
    assert not extract._is_large(Path("-"))
    assert not extract._is_large(DATA)


def test_results_come_in_order_and_errors_are_raised() -> None:
    for workers in (start_workers(1), start_workers(3)):
        with workers:
            assert list(workers.map_in_order(divmod, [(number, 7) for number in range(50)])) == [
                divmod(number, 7) for number in range(50)
            ]
            assert workers.submit(pow, 2, 5).result() == 32
            with pytest.raises(ZeroDivisionError):
                list(workers.map_in_order(divmod, [(1, 1), (1, 0), (1, 1), (1, 1)]))


def test_a_worker_that_is_ended_is_told() -> None:
    with Processes(2) as workers, pytest.raises(LsifError, match=r"--set parse\.processes=1"):
        workers.submit(os._exit, 1).result()


def test_what_a_worker_prints_is_no_result(capfd: pytest.CaptureFixture[str]) -> None:
    with Processes(2) as workers:
        assert workers.submit(print, "hello").result() is None
    assert capfd.readouterr().err == "hello\n"


def test_workers_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    """The script has no guard of its main part: workers don't import it."""
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent("""\
        import time
        from lsif.workers import Processes
        with Processes(3) as workers:
            print(workers.submit(len, "four").result(), flush=True)
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
    assert process.stdout.readline() == b"4\n"
    children = children_of(process.pid)
    assert len(children) == 2
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 20
    while (
        any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline
    ):
        time.sleep(0.1)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]


def test_pipes_and_standard_input_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = parse(tmp_path, 2)[1]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(
        ["dd", f"if={SAMPLE_DUMP}", f"of={pipe}", "bs=64k"], stderr=subprocess.DEVNULL
    ):
        assert parse(tmp_path, 2, pipe)[1] == expected
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_bytes(b"another file")
    with SAMPLE_DUMP.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert parse(tmp_path, 2, Path("-"))[1] == expected
