"""Measures what references cost the parse: CPU time, memory and bytes, with and without them.

    python benchmarks/graph_parse.py                            made-up dumps, to 200,000 places
    python benchmarks/graph_parse.py STRUCTURES,PLACES[,PLACES_OF_ONE] ...
    python benchmarks/graph_parse.py DUMP=ROOT ...              real dumps, each with its sources

Each measurement is a process of its own that does what `lsif-ingest parse` does in one process. The
two ways take turns, three rounds (one with dumps of more than a gigabyte); numbers are medians,
ratios are medians of the rounds' ratios. Memory is the highest resident size. CPU time is measured,
not the time by the clock: other work on the machine hardly matters. Writes
benchmarks/results/graph.md.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from made_graph import make_graph

SIZES = ("20000,0", "20000,200000", "20000,200000,100000", "20000,200000,2000000")
ROUNDS, LARGE = 3, 10**9
RESULTS = Path(__file__).parent / "results/graph.md"
MEASURE = """
import json, re, sys, time
from pathlib import Path
from lsif.extract import parse_dump
dump, root, output, places = map(Path, sys.argv[1:5])
began = time.process_time()
ledger = parse_dump(
    dump, root, output, project="bench", max_bad_lines=0, max_stale_share=0.05, source_items=True,
    processes=1, sink=lambda structures, blocks: None,
    places=(lambda digest: places) if sys.argv[5] == "with" else None,
)
seconds = time.process_time() - began
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
size = output.stat().st_size + (places.stat().st_size if ledger.places_digest else 0)
print(json.dumps([seconds, peak / 1000, size / 1e6, ledger.structures, ledger.places]))
"""


class Measured(NamedTuple):
    """One parse."""

    seconds: float
    """Of the processor."""
    peak: float
    """MB."""
    size: float
    """MB of structures.jsonl and the places."""
    structures: int
    places: int


def measure(dump: Path, root: Path, way: str) -> Measured:
    """Parse once, `with` or `without` references."""
    with tempfile.TemporaryDirectory(dir=dump.parent) as name:
        files = [Path(name) / "structures.jsonl", Path(name) / "places.parquet"]
        command = [sys.executable, "-c", MEASURE, *map(str, (dump, root, *files)), way]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Measured(*json.loads(done.stdout))


def row(name: str, dump: Path, root: Path) -> str:
    """Return the line of the table about a dump."""
    rounds = ROUNDS if dump.stat().st_size < LARGE else 1
    pairs = [(measure(dump, root, "without"), measure(dump, root, "with")) for _ in range(rounds)]
    structures, places = pairs[0][1][3:]
    columns = [f"{name}: {structures:,} structures, {places:,} places"]
    for field, unit in (("seconds", " s"), ("peak", " MB"), ("size", " MB")):
        before, after = (
            median(getattr(it, field) for it in way) for way in zip(*pairs, strict=True)
        )
        ratio = median(getattr(new, field) / getattr(old, field) for old, new in pairs)
        columns.append(f"{before:,.1f} → {after:,.1f}{unit} ({ratio - 1:+.0%})")
    return f"| {' | '.join(columns)} |"


def rows(what: str) -> str:
    """Return the line of the table about what an argument names."""
    if "=" in what:
        dump, root = map(Path, what.split("=", 1))
        return row(root.name, dump, root)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_graph(folder, *(int(number) for number in what.split(",")))
        return row("made up", folder / "dump.lsif", folder / "root")


def main() -> None:
    """Measure, print and keep the table."""
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    lines = [
        f"# References in the parse, {datetime.now(UTC):%Y-%m-%d}, {machine}",
        "",
        "One process, without → with references. Made by `make bench NAME=graph-parse`.",
        "",
        "| dump | CPU time | peak memory | structures and places on disk |",
        "|---|---|---|---|",
    ]
    for what in sys.argv[1:] or SIZES:
        lines.append(rows(what))
        print(lines[-1], flush=True)
        RESULTS.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
