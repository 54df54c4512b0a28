"""Measures work beside another busy process, with OpenMP's threads spinning and sleeping.

    make bench NAME=busy [ARGS="--rounds 3 --copies 3"]

Each round does every kind of work four times: alone, and beside one process that keeps a core busy,
with threads that spin at barriers, libgomp's default, and with OMP_WAIT_POLICY=PASSIVE, this
program's. The packaged model embeds. Writes benchmarks/results/busy.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from repeat_sample import repeat_sample

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PROGRAM = (sys.executable, "-m", "flows")
SPINNING, SLEEPING = "spin", "sleep"
WAITING = {SPINNING: {"GOMP_SPINCOUNT": "300000"}, SLEEPING: {"OMP_WAIT_POLICY": "PASSIVE"}}
"""300,000 is what libgomp takes if nothing is set."""
QUERIES = (
    "wait longer after each failed attempt",
    "read a configuration file",
    "merge two sorted lists",
    "area of a shape",
)
CLIENTS, EACH = 4, 10
EMBED = """
import json, sys, time
from pathlib import Path
from configs.settings import load_settings
from embedding.models import load_encoder, resolve_model
from embedding.text import RECIPES
from lsif.jsonl import read_structures
settings = load_settings().embedding.code
found = resolve_model(settings)
encoder = load_encoder(found.source, found.revision, found.settings)
texts = [RECIPES["snippet-1"](one) for one in read_structures(Path(sys.argv[1]))]
encoder.encode_documents(texts[:8])
wall, cpu = time.perf_counter(), time.process_time()
encoder.encode_documents(texts)
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""


class Cost(NamedTuple):
    """Seconds."""

    wall: float
    cpu: float


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many cores busy meanwhile."""
    spin = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(spin) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def embedding(structures: Path, environment: dict[str, str]) -> Cost:
    """Return what it takes to embed the snippets of the structures, after the model is loaded."""
    made = subprocess.run(
        [sys.executable, "-c", EMBED, structures],
        env=environment,
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    return Cost(*json.loads(made.stdout.splitlines()[-1]))


def ingesting(structures: Path, environment: dict[str, str], runner: str) -> Cost:
    """Return what a whole run takes, with its workers."""
    with tempfile.TemporaryDirectory() as data:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        arguments = ["--set", f"paths.data={data}", "--set", f"cluster.runner={runner}"]
        arguments += ["--set", "checkpoint.rows_per_file=64"]  # several units for two workers
        subprocess.run(
            [*PROGRAM, "ingest", "--structures", structures, "--project", "busy", *arguments],
            env=environment,
            check=True,
            capture_output=True,
            cwd=ROOT,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Cost(time.perf_counter() - began, cpu)


def serving(data: Path, environment: dict[str, str]) -> Cost:
    """Return the median seconds of a search of several clients at once, and the server's CPU."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    server = subprocess.Popen(
        [*PROGRAM, "serve", "--port", "0", "--set", f"paths.data={data}"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )
    try:
        lines = iter(server.stdout or ())
        url = next(
            word.rstrip("/.,") for line in lines for word in line.split() if "http://127" in word
        )
        times: list[float] = []
        ask(url, 1, [])
        clients = [threading.Thread(target=ask, args=(url, EACH, times)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    finally:
        server.terminate()
        server.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(statistics.median(times), cpu)


def ask(url: str, number: int, times: list[float]) -> None:
    """Search so many times; add how long each took."""
    for query in (QUERIES * number)[:number]:
        began = time.perf_counter()
        with urllib.request.urlopen(f"{url}/api/search?q={urllib.parse.quote(query)}") as answer:  # noqa: S310 - our own server
            answer.read()
        times.append(time.perf_counter() - began)


def measure(work: Path, rounds: int, kinds: list[str]) -> dict[tuple[str, int, str], list[Cost]]:
    """Return the costs by kind of work, busy processes and how threads wait."""
    structures, data = work / "structures.jsonl", work / "data"
    costs: dict[tuple[str, int, str], list[Cost]] = {}
    for number in range(rounds):
        for kind in kinds:
            for others in (0, 1):
                # In turn: what else the machine does should hit both alike.
                for waiting in (SPINNING, SLEEPING) if number % 2 == 0 else (SLEEPING, SPINNING):
                    environment = {**os.environ, "PYTHONPATH": str(ROOT), **WAITING[waiting]}
                    with busy(others):
                        if kind == "embed":
                            cost = embedding(structures, environment)
                        elif kind == "serve":
                            cost = serving(data, environment)
                        else:
                            cost = ingesting(structures, environment, kind)
                    print(number, kind, others, waiting, cost, flush=True)
                    costs.setdefault((kind, others, waiting), []).append(cost)
    return costs


def table(costs: dict[tuple[str, int, str], list[Cost]], records: int, rounds: int) -> str:
    """Return the results as Markdown, medians of all rounds."""
    load = f"load {os.getloadavg()[0]:.1f} at the end"
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, {load}"
    lines = [
        f"# Work beside a busy process, {datetime.now(UTC):%Y-%m-%d}, {machine}",
        "",
        f"Medians of {rounds} interleaved rounds; {records} records; seconds of wall time and of",
        "processor time. Spin: OpenMP's threads as they are by default; sleep:",
        "OMP_WAIT_POLICY=PASSIVE, which this program sets. embed: snippets by the packaged model,",
        "in one process. here, processes, dask: whole runs, two workers. serve: a search while",
        f"{CLIENTS} clients ask, and the server's processor time for all, start included.",
        "The load says whether others used the machine meanwhile. Made by `make bench NAME=busy`.",
        "",
        "| work | other busy processes | spin: wall | CPU | sleep: wall | CPU |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for kind, others in dict.fromkeys((kind, others) for kind, others, _ in costs):
        taken = [costs[kind, others, waiting] for waiting in (SPINNING, SLEEPING)]
        cells = [
            f"{statistics.median(getattr(cost, field) for cost in some):.2f}"
            for some in taken
            for field in Cost._fields
        ]
        lines.append(f"| {kind} | {others} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and keep the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copies", type=int, default=3, help="of the sample's 93 structures")
    parser.add_argument("--kinds", default="embed,here,processes,dask,serve")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        size = (ROOT / "tests/data/sample.lsif").stat().st_size / 1e6
        repeat_sample(work, options.copies * size)
        where: list[str | Path] = [
            "--dump",
            work / "dump.lsif",
            "--root",
            work / "root",
            "--project",
            "busy",
        ]
        subprocess.run(
            [*PROGRAM, "ingest", *where, "--set", f"paths.data={work / 'data'}"],
            check=True,
            capture_output=True,
            cwd=ROOT,
        )
        made = work / "data/projects/busy/structures.jsonl"
        made.rename(work / "structures.jsonl")
        records = len((work / "structures.jsonl").read_text().splitlines())
        costs = measure(work, options.rounds, options.kinds.split(","))
    text = table(costs, records, options.rounds)
    print(text)
    (ROOT / "benchmarks/results/busy.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
