"""Measures the parse of dumps in both formats: CPU time, memory and bytes.

    python benchmarks/formats.py                      a made-up index of 10 million occurrences
    python benchmarks/formats.py OCCURRENCES ...      made-up indexes of other sizes
    python benchmarks/formats.py LSIF,SCIP=ROOT ...   what one rust-analyzer wrote, and the sources

Each measurement is a process of its own that does what `lsif-ingest parse` does in one process,
references included. The two formats take turns, three rounds; numbers are the smallest. CPU time is
measured, not the time by the clock. Writes benchmarks/results/formats.md.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from graph_parse import Measured, measure
from made_scip import make_index

OCCURRENCES = "10000000"
ROUNDS = 3
RESULTS = Path(__file__).parent / "results/formats.md"


def row(name: str, dump: Path, best: Measured) -> str:
    """Return the line of the table about one dump."""
    columns = (
        name,
        f"{dump.stat().st_size / 1e6:,.1f} MB",
        f"{best.structures:,}",
        f"{best.places:,}",
        f"{best.seconds:,.1f} s",
        f"{best.seconds / best.structures * 1000:,.2f} ms",
        f"{best.peak:,.0f} MB",
    )
    return f"| {' | '.join(columns)} |"


def pair(dumps: list[Path], root: Path) -> list[str]:
    """Return the lines about two dumps of the same sources."""
    rounds = [[measure(dump, root, "with") for dump in dumps] for _ in range(ROUNDS)]
    return [
        row(f"{root.name}, {dump.suffix[1:].upper()}", dump, min(of_dump))
        for dump, of_dump in zip(dumps, zip(*rounds, strict=True), strict=True)
    ]


def made_up(occurrences: int) -> list[str]:
    """Return the line about a made-up index, which is parsed once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_index(folder, occurrences)
        dump = folder / "index.scip"
        best = measure(dump, folder / "root", "with")
        return [row(f"made up, {occurrences:,} occurrences, SCIP", dump, best)]


def main() -> None:
    """Measure, print and keep the table."""
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    lines = [
        f"# LSIF and SCIP in the parse, {datetime.now(UTC):%Y-%m-%d}, {machine}",
        "",
        "One process, references included. Made by `make bench NAME=formats`.",
        "",
        "| dump | size | structures | places | CPU time | for each structure | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for what in sys.argv[1:] or [OCCURRENCES]:
        if "=" in what:
            dumps, root = what.split("=", 1)
            lines += pair([Path(dump) for dump in dumps.split(",")], Path(root))
        else:
            lines += made_up(int(what))
        print(lines[-1], flush=True)
        RESULTS.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
