"""Measures how fast questions about references are answered by an embedded index.

    python benchmarks/graph_refs.py                     made up; one structure has 2 million places
    python benchmarks/graph_refs.py STRUCTURES,PLACES[,PLACES_OF_ONE] ...
    python benchmarks/graph_refs.py DUMP=ROOT ...       real dumps, each with its sources

Each question is asked of 200 drawn structures and, again and again, of the one that is used most.
Answers are first pages of 100; of the places of that one, the last page, too. A second table says
what references cost the index. Times of the processor stand beside those by the clock, for which
the machine should be idle. Writes benchmarks/results/graph-refs.md.
"""

from __future__ import annotations

import os
import platform
import random
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from bench_scale import size_of
from made_graph import make_graph

from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from search.lookup import Lookup
from search.references import References, Target
from storage.embedded.index import EmbeddedIndex
from storage.live import require_live
from storage.metadata import Metadata, VectorInfo
from storage.points import structure_draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lsif.structure import Structure
    from storage.index import Generation

    Question = Callable[[Target], object]

SIZES = ("8000,80000,100000", "8000,80000,2000000")
DRAWN, AGAIN, PAGE, ROUNDS = 200, 50, 100, 3
DIMENSION, AT_ONCE = 384, 1000
RESULTS = Path(__file__).parent / "results/graph-refs.md"
PROJECT = "graph"


def make_index(folder: Path, structures: Iterable[Structure], places: str) -> Generation:
    """Publish an index of the structures with drawn vectors; `places` is their digest."""
    index = EmbeddedIndex(folder)
    vectors = {name: VectorInfo(DIMENSION, name, name) for name in ("text", "code")}
    metadata = Metadata(
        PROJECT, "file:///graph", None, dirty=False, created="", vectors=vectors, places=places
    )
    generation = index.create(PROJECT, metadata)
    chance = np.random.default_rng(0)
    drafts = [
        structure_draft(structure, dict.fromkeys(vectors, lambda: _drawn(chance)))
        for structure in structures
    ]
    for begin in range(0, len(drafts), AT_ONCE):
        generation.structures.upsert([it.point() for it in drafts[begin : begin + AT_ONCE]])
    generation.finish()
    index.publish(PROJECT, generation)
    return require_live(index, PROJECT)


def _drawn(chance: np.random.Generator) -> np.ndarray:
    vector = chance.normal(size=DIMENSION).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def cost(folder: Path, structures: Sequence[Structure]) -> str:
    """Return the line of the table about an index without and with what structures refer to."""
    bare = [
        replace(structure, refers_to=(), uses=(), uses_called=(), may_refer_to=(), implements=())
        for structure in structures
    ]
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    sizes: dict[str, float] = {}
    for number in range(ROUNDS):
        for way, records in (("without", bare), ("with", structures)):
            began = time.process_time()
            make_index(folder / f"{way}-{number}", records, "")
            seconds[way].append(time.process_time() - began)
            sizes[way] = size_of(folder / f"{way}-{number}") / 1e6
    columns = [f"{len(structures):,} structures"]
    for unit, before, after in (
        ("s", median(seconds["without"]), median(seconds["with"])),
        ("MB", sizes["without"], sizes["with"]),
    ):
        columns.append(f"{before:.1f} → {after:.1f} {unit} ({after / before - 1:+.0%})")
    return f"| {' | '.join(columns)} |"


def timed(question: Question, targets: Sequence[Target]) -> str:
    """Return p50 and p95 of asking about each target once, as a cell of the table."""
    question(targets[0])
    walls, cpus = [], []
    for target in targets:
        began, used = time.perf_counter(), time.process_time()
        question(target)
        walls.append(1000 * (time.perf_counter() - began))
        cpus.append(1000 * (time.process_time() - used))
    wall, cpu = np.percentile(walls, [50, 95]), np.percentile(cpus, [50, 95])
    return f"{wall[0]:.1f}, {wall[1]:.1f} ({cpu[0]:.1f}, {cpu[1]:.1f})"


def rows(dump: Path, root: Path, folder: Path) -> tuple[list[str], str]:
    """Return the lines about a dump: those of the first table, and that of the second."""
    structures, places = folder / "structures.jsonl", folder / "places.parquet"
    ledger = parse_dump(
        dump, root, structures, project=PROJECT, max_bad_lines=0, max_stale_share=0.05,
        source_items=True, places=lambda _digest: places,
    )  # fmt: skip
    records = [*read_structures(structures)]
    generation = make_index(folder / "qdrant", records, ledger.places_digest)
    references = References(Lookup(generation), places)
    targets = [Target(it.id, it) for it in records]
    most = max(targets, key=lambda it: it.structure.references if it.structure else 0)
    drawn = random.Random(0).sample(targets, min(DRAWN, len(targets)))  # noqa: S311
    count = references.references(most, 0, 1).total
    questions: dict[str, Question] = {
        "target by id": lambda target: references.target(target.key),
        "references": lambda target: references.references(target, 0, PAGE),
        "references, last page": lambda target: references.references(
            target, max(0, count - PAGE), PAGE
        ),
        "callers": lambda target: references.callers(target, 0, PAGE),
        "callees": lambda target: references.callees(target, 0, PAGE),
        "implementations": lambda target: references.implementations(target, 0, PAGE),
        "tests, 3 steps": lambda target: references.tests(target, 0, PAGE),
    }
    name = f"{ledger.structures:,} structures, {ledger.places:,} places, {count:,} of one"
    times = [
        f"| {name} | {what} | {timed(question, drawn)} | {timed(question, [most] * AGAIN)} |"
        for what, question in questions.items()
    ]
    return times, cost(folder, records)


def measure(what: str) -> tuple[list[str], str]:
    """Return the lines about what an argument names, as `rows` does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "=" in what:
            dump, root = map(Path, what.split("=", 1))
            return rows(dump, root, folder)
        make_graph(folder, *(int(number) for number in what.split(",")))
        return rows(folder / "dump.lsif", folder / "root", folder)


def main() -> None:
    """Measure, print and keep the tables."""
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    times, costs = list[str](), list[str]()
    for what in sys.argv[1:] or SIZES:
        of_times, of_costs = measure(what)
        times += of_times
        costs.append(of_costs)
    lines = [
        f"# Questions about references, {datetime.now(UTC):%Y-%m-%d}, {machine}",
        "",
        "Embedded index, warm; milliseconds, p50 and p95 (in brackets those of the processor).",
        "Made by `make bench NAME=graph-refs`.",
        "",
        f"| index | question | of {DRAWN} drawn structures | of the one used most |",
        "|---|---|---|---|",
        *times,
        "",
        "The index without → with what structures refer to, vectors included:",
        "",
        "| index | CPU time | on disk |",
        "|---|---|---|",
        *costs,
        "",
    ]
    RESULTS.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
