"""Runs the whole flow without the model on many structures, and measures what each stage needs.

    python benchmarks/bench_scale.py [NUMBER ...]      default 100,000 300,000 1,000,000

The sample's records are repeated with other names, files and snippets. Each run is its own process
and does what `lsif-ingest ingest --structures` does with the embedded index: import, work units,
embed tasks, checkpoint, upload, verify, publish, report. Vectors of 384 numbers, chosen by the
text's digest, replace the model's. There are three runs: the first, one in which nothing changed,
and one in which every hundredth snippet changed. The file has no blocks. Writes
benchmarks/results/scale.md.
"""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from bench_stage import DIMENSION, DrawnEncoder, write_records

from configs.settings import load_settings
from flows.orchestration import run_ingest
from flows.source.source import Source
from flows.stages import vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RESULTS = Path(__file__).parent / "results"
NUMBERS = (100_000, 300_000, 1_000_000)
ROWS_PER_FILE = 16384
"""As configs/cluster.toml says."""
CHANGED = 100
"""Every so many records one is changed before the last run."""
PROJECT = "scale"
SETTINGS = (f"project.name={PROJECT}", f"checkpoint.rows_per_file={ROWS_PER_FILE}")
_SAMPLED_S = 0.25
_POOL = 4096
_ID = re.compile(rb'"id":"[^"]*",')


class DigestEncoder(DrawnEncoder):
    """Makes a vector of norm 1 from a text's digest: the sum of three drawn vectors."""

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (len(texts), dimension) float32."""
        digests = b"".join(blake2b(text.encode(), digest_size=12).digest() for text in texts)
        chosen = np.frombuffer(digests, dtype=np.uint32).reshape(-1, 3) % _POOL
        vectors = (
            self._vectors[chosen[:, 0]] + self._vectors[chosen[:, 1]] + self._vectors[chosen[:, 2]]
        )
        return np.asarray(
            vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32
        )

    encode_queries = encode_documents


class Watch(threading.Thread):
    """Records the process's own memory (RssAnon: without mapped files) and CPU time, on Linux."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, float, float]] = []
        """When, by time.perf_counter; MB; seconds."""

    def run(self) -> None:
        """Sample until the process ends."""
        while True:
            fields = (
                Path("/proc/self/status")
                .read_text(encoding="ascii")
                .split("RssAnon:")[1]
                .split(maxsplit=1)
            )
            self.samples.append((time.perf_counter(), int(fields[0]) / 1000, time.process_time()))
            time.sleep(_SAMPLED_S)

    def between(self, began: float, ended: float) -> tuple[float, float]:
        """Return the highest MB between two moments, and the CPU seconds that the process took."""
        inside = [one for one in self.samples if began - _SAMPLED_S <= one[0] <= ended + _SAMPLED_S]
        return (max(one[1] for one in inside), inside[-1][2] - inside[0][2]) if inside else (0, 0)


def run(structures: Path, data: Path) -> None:
    """Do one run in this process, and print as JSON what it took."""
    encoder = DigestEncoder()
    patch.object(vectors, "shared_encoder", lambda *_: encoder).start()
    settings = load_settings(None, [*SETTINGS, f"paths.data={data}"])
    watch = Watch()
    watch.start()
    began = time.perf_counter()
    report = run_ingest(Source(structures=structures), settings, rebuild=False)
    ended = time.perf_counter()
    # The flow's clock starts once the Prefect server is up.
    offset = ended - report.seconds["total"]
    rows = [
        (
            one.stage,
            one.wall_s,
            one.busy_s,
            one.tasks,
            *watch.between(offset + one.began_s, offset + one.began_s + one.wall_s),
        )
        for one in report.stages
    ]
    result = {
        "structures": report.parse.structures,
        "way": report.upload.way,
        "embedded": report.embedded(),
        "total": report.seconds["total"],
        "start": ended - began - report.seconds["total"],
        "cpu": watch.between(offset, ended)[1],
        "stages": rows,
        "anonymous_mb": watch.between(began, ended)[0],
        "resident_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }
    print(json.dumps(result))


def write_project(path: Path, number: int) -> None:
    """Write that many different records of one project, twenty a file; the import makes ids."""
    repeated = path.with_name("repeated.jsonl")
    write_records(repeated, number)
    with repeated.open("rb") as old, path.open("wb") as new:
        for count, line in enumerate(old):
            named = _ID.sub(b"", line, 1).replace(b'"symbol":"', b'"symbol":"n%08d::' % count, 1)
            new.write(named.replace(b'"file_path":"', b'"file_path":"part%06d/' % (count // 20), 1))
    repeated.unlink()


def change(structures: Path) -> None:
    """Change the snippet of each hundredth record."""
    changed = structures.with_suffix(".changed")
    with structures.open("rb") as old, changed.open("wb") as new:
        for number, line in enumerate(old):
            new.write(
                line.replace(b'"snippet":"// ', b'"snippet":"// changed ', 1)
                if number % CHANGED == 0
                else line
            )
    changed.replace(structures)


def size_of(path: Path) -> int:
    """Return the bytes on disk of what is under the path: files with holes count what they hold."""
    return sum(
        one.stat().st_blocks * 512
        for one in ([path] if path.is_file() else path.rglob("*"))
        if one.is_file()
    )


def measure(number: int) -> list[str]:
    """Return the lines of the results about so many structures; each run is printed as it ends."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        structures, data = folder / "records.jsonl", folder / "data"
        write_project(structures, number)
        runs = []
        for what in ("first run", "nothing changed", "1% changed"):
            if what == "1% changed":
                change(structures)
            runs.append((what, _run_apart(structures, data)))
            print(what, json.dumps(runs[-1][1]), flush=True)
            if what == "first run":
                sizes = _sizes(data)
        return [
            f"## {number:,} structures",
            "",
            *_table_of_runs(runs),
            "",
            *_table_of_sizes(sizes, number),
            "",
        ]


def _run_apart(structures: Path, data: Path) -> dict[str, Any]:
    environment = {
        one: value
        for one, value in os.environ.items()
        if not one.startswith(("QDRANT_", "PREFECT_"))
    }
    environment["PREFECT_HOME"] = str(data.parent / "prefect")
    environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
    command = [sys.executable, __file__, "run", str(structures), str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{done.stderr[-4000:]}\nthe run failed.")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _sizes(data: Path) -> dict[str, int]:
    return {
        "records (structures.jsonl)": size_of(data / "projects" / PROJECT / "structures.jsonl"),
        "checkpoint, both vectors": size_of(data / "checkpoints"),
        "embedded index": size_of(data / "qdrant"),
    }


def _table_of_runs(runs: list[tuple[str, dict[str, Any]]]) -> list[str]:
    lines = [
        "| run | stage | wall s | busy s | CPU s | tasks | structures/s | own memory MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for what, one in runs:
        for stage, wall, busy, tasks, megabytes, cpu in one["stages"]:
            if not tasks:
                continue
            through = one["embedded"] / 2 if stage.startswith("embed ") else one["structures"]
            per_second = f"{through / busy:,.0f}" if stage != "check" else ""
            times = f"{wall:,.1f} | {busy:,.1f} | {cpu:,.1f}"
            lines.append(
                f"| {what} | {stage} | {times} | {tasks} | {per_second} | {megabytes:,.0f} |"
            )
        rate, total = one["structures"] / one["total"], one["total"]
        memory = f"{one['anonymous_mb']:,.0f}; {one['resident_mb']:,.0f} with mapped files"
        lines.append(
            f"| {what}, {one['way']} | all | {total:,.1f} | | {one['cpu']:,.1f} | | {rate:,.0f} "
            f"| {memory} |"
        )
    return lines


def _table_of_sizes(sizes: dict[str, int], number: int) -> list[str]:
    rows = [
        f"| {what} | {size / 1e6:,.0f} | {size / number:,.0f} |" for what, size in sizes.items()
    ]
    return ["| on disk | MB | bytes a structure |", "|---|---|---|", *rows]


def main() -> None:
    """Measure, print and keep the tables."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["run"]:
        run(Path(arguments[1]), Path(arguments[2]))
        return
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    lines = [
        f"# The whole flow without the model, {datetime.now(UTC):%Y-%m-%d}, {machine}",
        "",
        f"Drawn vectors of {DIMENSION} numbers; {ROWS_PER_FILE:,} texts a task; embedded index;",
        "no blocks. Stages overlap. `busy` excludes waiting for another stage; rates refer to it.",
        "Memory is the highest of the process itself while the stage ran, CPU what it used then,",
        "other stages included. Made by `make bench NAME=scale`.",
        "",
    ]
    for number in [int(one) for one in arguments] or NUMBERS:
        lines += measure(number)
        (RESULTS / "scale.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
