"""Times uploading against the tutorial's `client.upload_points(points, batch_size=64)`.

    python benchmarks/bench_upload.py [--points N] [--million]

No Qdrant server runs here: requests go to a process that reads them and answers as a server would.
What is measured is the client's own work, on the same data, in turns. The embedded index and the
sync are measured with the engine itself. `--million` sends a million points and reports the memory
that takes. Writes benchmarks/results/upload.md.
"""

from __future__ import annotations

import argparse
import http.server
import multiprocessing
import os
import platform
import resource
import tempfile
import time
import uuid
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from qdrant_client import models

from configs.settings import load_settings
from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.structure import Structure, with_digest
from storage.embedded.index import EmbeddedIndex
from storage.live import require_live
from storage.metadata import Metadata, VectorInfo
from storage.points import PointDraft, structure_draft
from storage.schema import STRUCTURES
from storage.server.connection import Connection, connect
from storage.server.points import ServerPoints
from storage.upload import publish_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection as Pipe

    from storage.index import Point

ROUNDS = 3
DIMENSIONS = {"text": 384, "code": 768}
ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
ANSWER = b'{"result":{"operation_id":1,"status":"acknowledged"},"status":"ok","time":0.0}'


class Sink(http.server.BaseHTTPRequestHandler):
    """Reads a request and says that it is done."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        """Answer as for an upsert."""
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def serve(pipe: Pipe) -> None:
    """Run the sink; tell its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    pipe.send(server.server_port)
    server.serve_forever()


class Drawn:
    """A PointSource: the sample's structures under many names, with random vectors."""

    def __init__(self, structures: list[Structure], count: int, changed: int = 0) -> None:
        self._structures, self._count, self._changed = structures, count, changed
        generator = np.random.default_rng(0)
        self._vectors = {
            name: generator.normal(size=(997, size)).astype(np.float32)
            for name, size in DIMENSIONS.items()
        }
        self._vectors = {
            name: matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
            for name, matrix in self._vectors.items()
        }

    def structures(self) -> Iterator[PointDraft]:
        """See PointSource."""
        for number in range(self._count):
            one = self._structures[number % len(self._structures)]
            one = replace(one, id=str(uuid.UUID(int=number + 1)), name=f"{one.name}_{number}")
            if number < self._changed:
                one = with_digest({**one.to_dict(), "docstring": "changed"})
            rows = {
                name: (lambda matrix=matrix, row=number % 997: matrix[row])
                for name, matrix in self._vectors.items()
            }
            yield structure_draft(one, rows)

    def blocks(self) -> Iterator[PointDraft]:
        """See PointSource."""
        return iter(())

    def structure_count(self) -> int:
        """See PointSource."""
        return self._count

    def settle(self) -> None:
        """See PointSource."""

    def points(self, *, sparse: bool = True) -> Iterator[Point]:
        """Yield the points themselves."""
        for record in self.structures():
            yield record.point() if sparse else replace(record.point(), sparse={})


def metadata() -> Metadata:
    """Return what a made-up index says of itself."""
    vectors = {name: VectorInfo(size, name, name) for name, size in DIMENSIONS.items()}
    return Metadata(
        "bench", "bench", None, dirty=False, created="2026-01-01T00:00:00+00:00", vectors=vectors
    )


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how long the work takes by the clock."""
    began = clock()
    work()
    return clock() - began


def server_table(source: Drawn, count: int, port: int) -> list[list[str]]:
    """Return rows of way, points/s, ratio."""
    url, settings = f"http://127.0.0.1:{port}", load_settings().storage
    client = connect(url, None, settings)
    ours = ServerPoints(Connection(client, url, settings), "bench", STRUCTURES)

    def tutorial() -> None:
        points = [
            models.PointStruct(
                id=point.id,
                vector={name: vector.tolist() for name, vector in point.vectors.items()},
                payload=point.payload,
            )
            for point in source.points(sparse=False)
        ]
        client.upload_points("bench", points, batch_size=64)

    ways: dict[str, Callable[[], object]] = {
        "the tutorial's": tutorial,
        "this project's, without bm25": lambda: ours.upsert(source.points(sparse=False)),
        "this project's": lambda: ours.upsert(source.points()),
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, work in ways.items():
            taken[way].append(seconds(work))
    first = taken["the tutorial's"]
    return [
        [
            way,
            f"{count / median(times):,.0f}",
            f"{median(a / b for a, b in zip(first, times, strict=True)):.2f}",
        ]
        for way, times in taken.items()
    ]


def embedded_table(structures: list[Structure], count: int, folder: Path) -> list[list[str]]:
    """Return rows of what, seconds, CPU seconds, share of a full upload."""
    index, settings = EmbeddedIndex(folder), load_settings().storage
    source, one_percent = Drawn(structures, count), Drawn(structures, count, changed=count // 100)
    rows: dict[str, list[tuple[float, float]]] = {}

    def note(what: str, work: Callable[[], object]) -> None:
        cpu = time.process_time()
        taken = seconds(work)
        rows.setdefault(what, []).append((taken, time.process_time() - cpu))

    points = {sparse: list(source.points(sparse=sparse)) for sparse in (False, True)}
    for _ in range(ROUNDS):
        for sparse, name in (
            (False, "the engine's upsert and flush, both vectors"),
            (True, "the same with bm25"),
        ):
            generation = index.create("engine", metadata())

            def load(generation: Any = generation, sparse: bool = sparse) -> None:  # noqa: FBT001 - bound here
                generation.structures.upsert(points[sparse])
                generation.finish()

            note(name, load)
            index.drop("engine", generation)
        note(
            "a full build, verified and published",
            lambda: publish_source(index, "b", metadata(), source, settings, rebuild=True),
        )
        note(
            "a sync, nothing changed",
            lambda: publish_source(index, "b", metadata(), source, settings),
        )
        note(
            "a sync, 1% changed",
            lambda: publish_source(index, "b", metadata(), one_percent, settings),
        )
    assert require_live(index, "b").structures.count() == count  # noqa: S101 - a benchmark of nothing would be fast
    full = [wall for wall, _ in rows["a full build, verified and published"]]
    index.close()
    return [
        [
            what,
            f"{median(wall for wall, _ in times):.2f}",
            f"{median(cpu for _, cpu in times):.2f}",
            f"{median(wall / whole for (wall, _), whole in zip(times, full, strict=True)):.1%}",
        ]
        for what, times in rows.items()
    ]


def million(structures: list[Structure], port: int) -> str:
    """Return what sending a million points takes."""
    url, settings = f"http://127.0.0.1:{port}", load_settings().storage
    ours = ServerPoints(
        Connection(connect(url, None, settings), url, settings), "bench", STRUCTURES
    )
    ours.upsert(Drawn(structures, 1000).points())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = seconds(lambda: ours.upsert(Drawn(structures, 1_000_000).points()))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    return (
        f"A million points: {1_000_000 / taken:,.0f} points/s; "
        f"the peak memory grew by {grown:.0f} MB over that of 1,000."
    )


def main() -> None:
    """Measure, print and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--million", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    process.start()
    port = here.recv()
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "structures.jsonl"
        sample = ROOT / "tests" / "data" / "sample"
        parse_dump(
            sample.with_suffix(".lsif"),
            sample,
            records,
            project="sample",
            max_bad_lines=0,
            max_stale_share=0,
        )
        structures = list(read_structures(records))
        # First: a process can measure its peak memory only once.
        whole = million(structures, port) if options.million else ""
        machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
        lines = [
            f"# Uploading, {datetime.now(UTC):%Y-%m-%d}, {machine}",
            "",
            f"{options.points:,} points with vectors of 384 and 768 numbers and the sample's",
            f"payloads, {ROUNDS} rounds in turns; ratios are medians of the rounds' ratios.",
            "Made by `make bench NAME=upload`.",
            "",
            "## To a server",
            "",
            "The server is a process that reads requests and answers; the client's work is",
            "measured, which includes making points.",
            "",
            "| way | points/s | ratio |",
            "|---|---|---|",
            *(
                f"| {' | '.join(row)} |"
                for row in server_table(Drawn(structures, options.points), options.points, port)
            ),
            "",
        ]
        lines += [whole, ""] if whole else []
        process.terminate()
        lines += [
            "## Embedded",
            "",
            "| what | seconds | CPU seconds | of a full build |",
            "|---|---|---|---|",
            *(
                f"| {' | '.join(row)} |"
                for row in embedded_table(structures, options.points, Path(folder) / "qdrant")
            ),
            "",
        ]
    print("\n".join(lines))
    (RESULTS / "upload.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
