"""Measures time and memory of the embedding stage without the model.

    python benchmarks/bench_stage.py [NUMBER ...]      default 62,500 125,000 250,000 1,000,000

The sample's records are repeated with other names, and the encoder returns vectors that it drew
once. Each size runs in its own process: rendering, keys, token counts, sorting, Parquet files; then
a second run that embeds nothing; then the tables of vectors that an upload reads. Writes
benchmarks/results/stage.md.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embedding.checkpoint import Checkpoint
from embedding.encoder import Fingerprint
from embedding.plan import VectorPlan
from embedding.work_units import WorkUnit, embed_unit
from lsif.extract import parse_dump
from lsif.jsonl import read_structures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent
NUMBERS = (62_500, 125_000, 250_000, 1_000_000)
DIMENSION = 384
ROWS_PER_FILE = 2048
FINGERPRINTS = {
    "text": Fingerprint("drawn", "1", "words-2", 0),
    "code": Fingerprint("drawn", "1", "snippet-1", 0),
}


class DrawnEncoder:
    """Returns what it drew when it was made, whatever the text."""

    dimension, max_tokens, texts_at_once, device, precision = DIMENSION, 256, 2048, "none", "none"

    def __init__(self) -> None:
        vectors = np.random.default_rng(0).normal(size=(8192, DIMENSION)).astype(np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        self._vectors: NDArray[np.float32] = vectors / norms

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return a quarter of the number of characters."""
        return np.array([len(text) // 4 for text in texts], dtype=np.int64)

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (len(texts), dimension) float32."""
        found: NDArray[np.float32] = self._vectors[: len(texts)]
        return found

    encode_queries = encode_documents


def write_records(path: Path, number: int) -> None:
    """Write so many records, no two of which have a text in common."""
    data = ROOT / "tests/data"
    sample = path.with_name("sample.jsonl")
    parse_dump(
        data / "sample.lsif",
        data / "sample",
        sample,
        project="sample",
        max_bad_lines=0,
        max_stale_share=0,
    )
    lines = sample.read_bytes().splitlines(keepends=True)
    with path.open("wb") as file:
        for count in range(number):
            line = lines[count % len(lines)]
            unique = f"{count:08d}".encode()
            line = line.replace(b'{"name":"', b'{"name":"n' + unique + b"_", 1).replace(
                b'"snippet":"', b'"snippet":"// ' + unique + b"\\n", 1
            )
            file.write(line)


def embed(structures: Path, store: Path, encoder: DrawnEncoder) -> VectorPlan:
    """Embed what the checkpoint lacks, each work unit as soon as it is full."""

    def embed_one(unit: WorkUnit) -> None:
        checkpoint = Checkpoint(store, FINGERPRINTS[unit.vector])
        plan.done(unit, embed_unit(checkpoint, unit, lambda: encoder))

    plan = VectorPlan(
        FINGERPRINTS, str(store), embed_one, rows_per_file=ROWS_PER_FILE, dtype="float32"
    )
    for structure in read_structures(structures):
        plan.take([structure])
    plan.finish()
    plan.no_more()
    return plan


def run(number: int) -> None:
    """Measure one number in this process, and print it as JSON."""
    with tempfile.TemporaryDirectory() as name:
        structures, store = Path(name) / "s.jsonl", Path(name) / "checkpoints"
        write = [sys.executable, __file__, "write", str(structures), str(number)]
        subprocess.run(write, check=True)
        encoder = DrawnEncoder()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = []
        for _ in range(2):
            began = time.perf_counter()
            plan = embed(structures, store, encoder)
            seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
        tables = plan.tables(structures)
        for table in (tables["text"], tables["code"]):
            for start in range(0, len(table), 256):
                table[start : start + 256].sum()
        seconds.append(time.perf_counter() - began)
        plan.close()
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        texts = sum(report.texts for report in plan.reports())
        print(json.dumps({"texts": texts, "seconds": seconds, "megabytes": grown}))


def main() -> None:
    """Measure, print and keep the table."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["write"]:
        write_records(Path(arguments[1]), int(arguments[2]))
        return
    if arguments[:1] == ["run"]:
        run(int(arguments[1]))
        return
    day, cores = f"{datetime.now(UTC):%Y-%m-%d}", len(os.sched_getaffinity(0))
    lines = [
        f"# Embedding without the model, {day}, {platform.machine()}, {cores} cores",
        "",
        "Texts a second, two texts a structure. First run: rendering, keys, counting, sorting and",
        "writing Parquet. Second run: nothing is embedded. Then the vectors are read in the order",
        "of the records. MB: growth of the process, with mapped files. `make bench NAME=stage`.",
        "",
        "| structures | first run | second run | vectors in order | MB |",
        "|---|---|---|---|---|",
    ]
    for number in [int(one) for one in arguments] or NUMBERS:
        done = subprocess.run(
            [sys.executable, __file__, "run", str(number)],
            capture_output=True,
            text=True,
            check=True,
        )
        result = json.loads(done.stdout.splitlines()[-1])
        rates = " | ".join(f"{result['texts'] / seconds:,.0f}" for seconds in result["seconds"])
        lines.append(f"| {number:,} | {rates} | {result['megabytes']:.0f} |")
        print(lines[-1], flush=True)
    (Path(__file__).parent / "results" / "stage.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
