"""Times what a run costs besides its stages' work: Prefect, its server, imports, planning.

    python benchmarks/bench_flow.py [--runs N] [--real-model] [DUMP ROOT]

Without DUMP it takes the sample, repeated to 80 MB. Each run is its own process,
`python -m flows ingest --json`. Full runs index the sample, where embedding is short; runs in which
nothing or little changed index the dump. The dump's vectors are made before the measurement: drawn
ones (a sync does not look at them), or the model's with --real-model. Writes
benchmarks/results/flow.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

from bench_stage import DrawnEncoder
from repeat_sample import repeat_sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parent.parent
SAMPLE = ("--dump", str(ROOT / "tests/data/sample.lsif"), "--root", str(ROOT / "tests/data/sample"))
MEGABYTES = 80
CHANGED_SHARE = 0.01
_WORD = re.compile(r"\b(?:let|return)\b[^;]*?\b([a-z_]{5,})\b(?=\))")
"""Up to an identifier inside a body that stands before a closing parenthesis."""
RUNNING, TEMPORARY = "running", "temporary"


class Cost(NamedTuple):
    """What one run took, in seconds."""

    wall: float
    cpu: float
    """Of the process and of a temporary server."""
    busy: float
    """Time in which at least one stage was at work."""


class Bench:
    """The folders and the running server that all runs share."""

    def __init__(self, scratch: Path, api_url: str) -> None:
        self._scratch, self._api_url = scratch, api_url
        self._made = 0

    def new_folder(self) -> Path:
        """Return an empty folder."""
        self._made += 1
        folder = self._scratch / f"folder_{self._made}"
        folder.mkdir()
        return folder

    def run(
        self, source: Sequence[str], data: Path, home: Path, server: str
    ) -> tuple[Cost, dict[str, Any]]:
        """Ingest in a process of its own; return what it took, and its report."""
        environment = {**os.environ, "PREFECT_HOME": str(home)}
        environment.pop("PREFECT_API_URL", None)
        if server == RUNNING:
            environment["PREFECT_API_URL"] = self._api_url
        output = self._scratch / "report.json"
        with output.open("wb") as file, (self._scratch / "log.txt").open("wb") as log:
            began = time.perf_counter()
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "flows",
                    "ingest",
                    *source,
                    "--set",
                    f"paths.data={data}",
                    "--json",
                ],
                cwd=ROOT,
                env=environment,
                stdout=file,
                stderr=log,
            )
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
        if status:
            raise SystemExit((self._scratch / "log.txt").read_text())
        report = json.loads(output.read_bytes())
        return Cost(wall, usage.ru_utime + usage.ru_stime, covered(report["stages"])), report


def covered(stages: Sequence[dict[str, float]]) -> float:
    """Return the seconds in which at least one stage was at work.

    >>> stages = [(0.0, 2.0), (1.0, 2.0), (5.0, 1.0)]
    >>> covered([{"began_s": began, "wall_s": wall} for began, wall in stages])
    4.0
    """
    total = end = 0.0
    for began, ended in sorted((one["began_s"], one["began_s"] + one["wall_s"]) for one in stages):
        total += max(0.0, ended - max(began, end))
        end = max(end, ended)
    return total


def change_sources(root: Path, records: Path) -> int:
    """Change a word in each hundredth body, keeping its length; return how many changed."""
    every, changed, last = round(1 / CHANGED_SHARE), 0, -1
    for number, line in enumerate(records.read_bytes().splitlines()):
        record = json.loads(line)
        if number // every == last or record["line_to"] <= record["line_from"] + 1:
            continue
        path = root / record["context"]["file_path"]
        lines = path.read_text(encoding="utf-8").split("\n")
        first, end = record["line_from"], record["line_to"]
        body = "\n".join(lines[first:end])
        found = _WORD.search(body)
        if found is None:
            continue
        body = f"{body[: found.start(1)]}{found[1][::-1]}{body[found.end(1) :]}"
        path.write_text("\n".join([*lines[:first], body, *lines[end:]]), encoding="utf-8")
        changed, last = changed + 1, number // every
    return changed


@contextmanager
def running_server(home: Path) -> Iterator[str]:
    """Run a Prefect server on a free local port; yield the address of its API."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(Path(sys.executable).with_name("prefect")),
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}/api"
    try:
        while server.poll() is None:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).close()  # noqa: S310 - loopback
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait()


def fill(source: Sequence[str], data: Path, home: Path) -> None:
    """Ingest with vectors that are drawn, in this process."""
    os.environ["PREFECT_HOME"] = str(home)
    sys.path.insert(0, str(ROOT))
    from flows.cli import main as cli  # noqa: PLC0415 - reads the environment
    from flows.stages import vectors  # noqa: PLC0415 - reads the environment

    encoder = DrawnEncoder()
    patch.object(vectors, "shared_encoder", lambda *_: encoder).start()
    sys.exit(cli.main(["ingest", *source, "--set", f"paths.data={data}"]))


def measure(
    bench: Bench, dump: Path, root: Path, *, runs: int, real: bool
) -> tuple[dict[str, list[Cost]], str]:
    """Return what the cases took, and what they ran on. Each round runs every case once."""
    data, home, spare = bench.new_folder(), bench.new_folder(), bench.new_folder()
    # An index identifies its sources by their address: changed ones replace the others there.
    work = spare / root.name
    shutil.copytree(root, work, symlinks=True)
    source = ("--dump", str(dump), "--root", str(work))
    if not real:
        subprocess.run(
            [sys.executable, __file__, "fill", str(dump), str(work), str(data), str(home)],
            check=True,
        )
    _, report = bench.run(source, data, home, TEMPORARY)
    records = Path(str(report["structures_file"]))
    shutil.copytree(work, spare / "changed", symlinks=True)
    changed = change_sources(spare / "changed", records)
    costs: dict[str, list[Cost]] = {}

    def run(name: str, *arguments: Any) -> dict[str, Any]:
        cost, made = bench.run(*arguments)
        costs.setdefault(name, []).append(cost)
        print(
            f"{name}:",
            *(f"{one:.1f}" for one in cost),
            f"load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        return made

    for _ in range(runs):
        run(
            "full, temporary server, fresh PREFECT_HOME",
            SAMPLE,
            bench.new_folder(),
            bench.new_folder(),
            TEMPORARY,
        )
        run("full, temporary server", SAMPLE, bench.new_folder(), home, TEMPORARY)
        run("full, running server", SAMPLE, bench.new_folder(), home, RUNNING)
        run("nothing changed, temporary server", source, data, home, TEMPORARY)
        run("nothing changed, running server", source, data, home, RUNNING)
        copy = bench.new_folder() / "data"
        shutil.copytree(data, copy)
        work.rename(spare / "unchanged")
        (spare / "changed").rename(work)
        made = run("1% changed, temporary server", source, copy, home, TEMPORARY)
        work.rename(spare / "changed")
        (spare / "unchanged").rename(work)
    embedded = sum(one["embedded"] for one in made["embeddings"])
    structures = made["parse"]["structures"]
    return costs, (
        f"{structures:,} structures, {root.name}; words in {changed:,} were changed, "
        f"{made['upload']['changed']:,} points changed, {embedded:,} texts embedded"
    )


def table(costs: dict[str, list[Cost]], what: str, runs: int) -> str:
    """Return the results as Markdown, medians of all runs."""
    load = f"load {os.getloadavg()[0]:.1f} at the end"
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, {load}"
    lines = [
        f"# Cost of a run beside its stages, {datetime.now(UTC):%Y-%m-%d}, {machine}",
        "",
        f"Seconds, medians of {runs} interleaved rounds; each run is its own process. CPU is that",
        "of the process and of a temporary server. Stages at work: at least one was, loading",
        f"models included. Full runs index the sample; the others a repository of {what}.",
        "Made by `make bench NAME=flow`.",
        "",
        "| run | wall | stages at work | the rest | CPU, all |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, taken in costs.items():
        wall, cpu, busy = (
            statistics.median(getattr(one, field) for one in taken) for field in Cost._fields
        )
        rest = statistics.median(one.wall - one.busy for one in taken)
        lines.append(f"| {name} | {wall:.1f} | {busy:.1f} | {rest:.1f} | {cpu:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and keep the table."""
    if sys.argv[1:2] == ["fill"]:
        dump, root, data, home = sys.argv[2:]
        fill(("--dump", dump, "--root", root), Path(data), Path(home))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repository", nargs="*", metavar="DUMP ROOT", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--real-model", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_server(Path(name) / "server") as api_url:
        scratch = Path(name)
        if not options.repository:
            repeat_sample(scratch, MEGABYTES)
        made_up = [scratch / "dump.lsif", scratch / "root"]
        repository: list[Path] = options.repository or made_up
        costs, what = measure(
            Bench(scratch, api_url),
            *(path.resolve() for path in repository),
            runs=options.runs,
            real=options.real_model,
        )
    text = table(costs, what, options.runs)
    print(text)
    (ROOT / "benchmarks/results/flow.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
