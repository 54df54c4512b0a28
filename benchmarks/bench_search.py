"""Times searching 20,000 structures, in the process and by HTTP with 1, 4 and 16 clients.

    python benchmarks/bench_search.py [--data DIR] [--structures N] [--seconds S]

Two crates are fetched and ingested with the default configuration. Their structures and blocks are
repeated, with slightly different vectors, until there are enough. The tutorial's code asks both
vectors one after the other, by `query_points` of qdrant-client in this process, and encodes the
query with `model.encode` for each. The queries are those of benchmarks/quality; each is asked once,
so none is cached. Writes benchmarks/results/search.md and search.svg.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import tempfile
import threading
import time
import uuid
import warnings
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
from crates import PROGRAM, fetch
from qdrant_client import QdrantClient, models

from configs.settings import ModelSettings, load_settings
from configs.workspace import Workspace
from embedding.models import fingerprints_of, resolve_model
from search.judged import read_queries
from search.opening import open_searcher
from search.published import connect
from storage.metadata import Metadata, VectorInfo
from storage.points import block_draft, structure_draft
from storage.schema import structure_payload
from storage.upload import publish_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.index import Generation, StoredPoint
    from storage.points import PointDraft

RESULTS = Path(__file__).parent / "results"
QUERIES = Path(__file__).parent / "quality"
CLIENTS = (1, 4, 16)
BENCH = "bench-search"
SPREAD = 0.02
"""Spread of the noise added to each number of a repeated vector (384 numbers, norm 1)."""


class Repeated:
    """A PointSource: the points of several generations, repeated with other ids."""

    def __init__(self, generations: list[Generation], count: int) -> None:
        self._structures = [
            one for generation in generations for one in generation.structures.scroll(vectors=True)
        ]
        self._blocks = [
            one for generation in generations for one in generation.blocks.scroll(vectors=True)
        ]
        self._count = count

    def structures(self) -> Iterator[PointDraft]:
        """See PointSource."""
        for number in range(self._count):
            turn, place = divmod(number, len(self._structures))
            stored = self._structures[place]
            structure = replace(stored.record, id=_renamed(stored.id, turn))
            yield structure_draft(structure, _moved(stored, turn))

    def blocks(self) -> Iterator[PointDraft]:
        """See PointSource."""
        for turn in range(self._count // len(self._structures)):
            for stored in self._blocks:
                block = replace(
                    stored.record,
                    id=_renamed(stored.id, turn),
                    structure_id=_renamed(stored.record.structure_id, turn),
                )
                yield block_draft(block, _moved(stored, turn))

    def structure_count(self) -> int:
        """See PointSource."""
        return self._count

    def settle(self) -> None:
        """See PointSource."""


def _renamed(point_id: str, turn: int) -> str:
    return str(uuid.uuid5(uuid.UUID(point_id), str(turn))) if turn else point_id


def _moved(stored: StoredPoint[object], turn: int) -> dict[str, Any]:
    generator = np.random.default_rng([turn, uuid.UUID(stored.id).int & 0xFFFFFFFF])

    def moved(vector: list[float]) -> Any:
        return np.array(vector, dtype=np.float32) + generator.normal(
            scale=SPREAD if turn else 0, size=len(vector)
        ).astype(np.float32)

    return {name: (lambda vector=vector: moved(vector)) for name, vector in stored.vectors.items()}


def build(workspace: Workspace, temporary: Path, count: int) -> None:
    """Ingest two crates and make the large index of them."""
    tool = os.environ.get("RUST_ANALYZER", "rust-analyzer")
    for root in fetch(temporary):
        sets = ["--set", f"paths.data={workspace.data}", "--set", f"rust_analyzer.command={tool}"]
        subprocess.run(
            [*PROGRAM, "ingest", "--repo", root, *sets], check=True, stdout=subprocess.DEVNULL
        )
    with closing(connect(workspace)) as index:
        generations = [index.live(name) for name in index.collections() if name != BENCH]
        source = Repeated([one for one in generations if one is not None], count)
        vectors = {
            name: VectorInfo(384, one.digest, one.describe())
            for name, one in fingerprints_of(workspace.structure_models).items()
        }
        made = Metadata(
            BENCH, BENCH, None, dirty=False, created=datetime.now(UTC).isoformat(), vectors=vectors
        )
        publish_source(index, BENCH, made, source, workspace.settings.storage, rebuild=True)


class Tutorial:
    """The tutorial's way to search, over the same points."""

    def __init__(self, model: ModelSettings, generation: Generation) -> None:
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - takes seconds

        self.model = SentenceTransformer(resolve_model(model).source, device="cpu")
        self.client = QdrantClient(":memory:")
        size = models.VectorParams(size=384, distance=models.Distance.COSINE)
        self.client.create_collection(BENCH, vectors_config={"text": size, "code": size})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that local mode is not made for so many
            self.client.upload_points(
                BENCH,
                (
                    models.PointStruct(
                        id=one.id, vector=dict(one.vectors), payload=structure_payload(one.record)
                    )
                    for one in generation.structures.scroll(vectors=True)
                ),
            )

    def search(self, query: str) -> None:
        """Ask both vectors."""
        for using in ("text", "code"):
            self.client.query_points(
                BENCH,
                query=self.model.encode(query).tolist(),
                using=using,
                limit=10,
                with_payload=True,
            )


@dataclass
class Times:
    """Milliseconds of single requests."""

    label: str
    spent: list[float]
    errors: int = 0
    per_second: float = 0.0
    memory: str = ""

    def row(self) -> str:
        """Return a row of the table."""
        p50, p95, p99 = np.percentile(self.spent, (50, 95, 99))
        rate = f"{self.per_second:.0f}" if self.per_second else ""
        times = f"{p50:.1f} | {p95:.1f} | {p99:.1f}"
        counted = f"{len(self.spent):,} | {times} | {rate} | {self.errors}"
        return f"| {self.label} | {counted} | {self.memory} |"


def in_process(workspace: Workspace, queries: list[str]) -> list[Times]:
    """Return the times of both ways in this process, in turns."""
    with closing(connect(workspace)) as index:
        searcher = open_searcher(workspace, index, BENCH)
        tutorial = Tutorial(workspace.structure_models["text"], searcher.generation)
        searcher.search("warm up")
        tutorial.search("warm up")
        ours, theirs, phases = (
            Times("in the process, hybrid", []),
            Times("the tutorial's two queries", []),
            [],
        )
        for query in queries:
            began = time.perf_counter()
            answer = searcher.search(query)
            middle = time.perf_counter()
            tutorial.search(query)
            ours.spent.append((middle - began) * 1000)
            theirs.spent.append((time.perf_counter() - middle) * 1000)
            phases.append([answer.latency_ms[name] for name in ("encode", "qdrant", "fuse")])
        encode, qdrant, fuse = np.median(phases, axis=0)
        ours.memory = f"encode {encode:.1f}, qdrant {qdrant:.1f}, fuse {fuse:.1f} ms"
        return [ours, theirs]


def by_http(
    address: str, process: int, clients: int, seconds: float, queries: list[str], serial: int
) -> Times:
    """Return the times of so many clients that ask one query after the other for so long."""
    times, lock, until = (
        Times(f"HTTP, {clients} client{'s' * (clients > 1)}", []),
        threading.Lock(),
        time.monotonic() + seconds,
    )

    def ask(number: int) -> None:
        with httpx.Client(base_url=address, timeout=60) as client:
            for turn, query in enumerate(cycle(queries)):
                if time.monotonic() > until:
                    return
                began = time.perf_counter()
                # A word of its own makes each query new: what is measured is encoding, too.
                answer = client.get("/api/search", params={"q": f"{query} {serial}{number}{turn}"})
                spent = (time.perf_counter() - began) * 1000
                with lock:
                    times.spent.append(spent)
                    times.errors += answer.status_code != 200 or not answer.json()["hits"]  # noqa: PLR2004 - OK

    before, began = _resident(process), time.perf_counter()
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.per_second = len(times.spent) / (time.perf_counter() - began)
    times.memory = f"{before:.0f} → {_resident(process):.0f} MB"
    return times


def _resident(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def plot(rows: list[Times], path: Path) -> None:
    """Draw which share of the requests took how long."""
    import matplotlib as mpl  # noqa: PLC0415 - for this one drawing

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "search"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for row in rows:
        axes.plot(np.sort(row.spent), np.linspace(0, 1, len(row.spent)), label=row.label)
    axes.set(
        xscale="log",
        xlabel="milliseconds",
        ylabel="share of requests",
        title="Latency of a hybrid search",
    )
    axes.axvline(25, color="grey", linestyle="--", linewidth=0.8)
    axes.axvline(60, color="grey", linestyle="--", linewidth=0.8)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="where the indexes are kept for the next time"
    )
    parser.add_argument("--structures", type=int, default=20_000, metavar="N")
    parser.add_argument(
        "--seconds", type=float, default=60.0, metavar="S", help="that clients ask for"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = options.data or Path(temporary) / "data"
        workspace = Workspace(load_settings(None, [f"paths.data={data}"]))
        if not (workspace.index_folder / BENCH / "live.json").is_file():
            build(workspace, Path(temporary), options.structures)
        queries = [
            one.query for path in sorted(QUERIES.glob("*.jsonl")) for one in read_queries(path)
        ]
        rows = in_process(workspace, queries)
        command = [
            *PROGRAM,
            "serve",
            "--set",
            f"paths.data={data}",
            "--project",
            BENCH,
            "--port",
            "0",
        ]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as server:
            try:
                address = (server.stdout.readline() if server.stdout else "").split()[-1]
                httpx.get(f"{address}/api/search", params={"q": "warm up"}, timeout=60)
                for serial, clients in enumerate(CLIENTS):
                    rows.append(
                        by_http(address, server.pid, clients, options.seconds, queries, serial)
                    )
                    print(rows[-1].row(), flush=True)
            finally:
                server.terminate()
    ours, theirs = (float(np.median(row.spent)) for row in rows[:2])
    lines = [
        f"# Searching {options.structures:,} structures, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores,",
        f"Python {platform.python_version()}; the default configuration with embedded Qdrant.",
        "Milliseconds, encoding included: no query was asked before. Made by",
        "`make bench NAME=search`.",
        "",
        "| way | requests | p50 | p95 | p99 | a second | errors | |",
        "|---|---|---|---|---|---|---|---|",
        *(row.row() for row in rows),
        "",
        f"A hybrid search with four retrievers takes {ours / theirs:.2f} of the time of the",
        "tutorial's two in local mode.",
        "",
        "![share of requests over milliseconds](search.svg)",
    ]
    plot(rows, RESULTS / "search.svg")
    (RESULTS / "search.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
