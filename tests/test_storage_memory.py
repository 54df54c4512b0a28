"""Publishing holds neither all records nor all vectors in memory, whether it builds or syncs.

This file is also the program that the tests run, in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from configs.settings import load_settings
from lsif.jsonl import read_structures
from lsif.structure import Structure
from storage.embedded.index import EmbeddedIndex
from storage.metadata import Metadata, VectorInfo
from storage.points import PointDraft, structure_draft
from storage.upload import publish_source

from conftest import PROJECT_ROOT

RECORDS, DIMENSION = 3_000, 1024
BODY = "".join(f"    let {chr(97 + line)}value = compute();\n" for line in range(26)) * 28
"""20 kB: with it, there are 60 MB of snippets, and 25 MB of vectors."""
CAP_MB = 80


def run(sample: Path, folder: Path, *hold: str) -> list[float]:
    """Run this file in a process of its own.

    Return the MB by which its own memory grew, for a build and for a sync that changes everything.
    """
    command = [sys.executable, __file__, str(sample), str(folder), *hold]
    environment = {"PYTHONPATH": f"{PROJECT_ROOT}:{PROJECT_ROOT / 'tests'}", "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return [float(word) for word in done.stdout.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_memory_stays_below_what_all_points_take(sample_structures: Path, tmp_path: Path) -> None:
    built, synced = run(sample_structures, tmp_path)
    assert (built < CAP_MB, synced < CAP_MB) == (True, True), (built, synced)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_the_cap_would_notice_points_that_are_held(sample_structures: Path, tmp_path: Path) -> None:
    (built,) = run(sample_structures, tmp_path, "hold")
    assert built > CAP_MB


class Drawn:
    """Made-up structures, each made when it is asked for."""

    def __init__(self, sample: Structure, word: str, held: list[PointDraft] | None) -> None:
        self._sample, self._word, self._held = sample, word, held
        drawn = np.random.default_rng(0).normal(size=(64, DIMENSION)).astype(np.float32)
        self._vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    def structures(self) -> Iterator[PointDraft]:
        for number in range(RECORDS):
            snippet = f"// {number} {self._word}\n{BODY}"
            context = replace(self._sample.context, snippet=snippet)
            identity = str(uuid.UUID(int=number + 1))
            made = replace(self._sample, id=identity, context=context, digest="")

            def vector(row: int = number % 64) -> NDArray[np.float32]:
                return self._vectors[row].copy()

            draft = structure_draft(made, {"text": vector, "code": vector})
            if self._held is not None:
                self._held.append(draft)
            yield draft

    def blocks(self) -> Iterator[PointDraft]:
        return iter(())

    def structure_count(self) -> int:
        return RECORDS

    def settle(self) -> None:
        """All vectors are there."""


def main(structures: Path, folder: Path, *hold: str) -> None:
    """Build an index and sync it; print by how many MB memory grew at most, of both."""
    sample, held = next(read_structures(structures)), list[PointDraft]() if hold else None
    vectors = {name: VectorInfo(DIMENSION, name, name) for name in ("text", "code")}
    metadata = Metadata(
        project="many",
        source="many",
        commit=None,
        dirty=False,
        created="2026-01-01T00:00:00+00:00",
        vectors=vectors,
    )
    settings, index = load_settings().storage, EmbeddedIndex(folder / "qdrant")
    runs = (("first", "built"), ("second", "synced"))
    for word, strategy in runs[:1] if hold else runs:
        watch = Watch()
        report = publish_source(index, "many", metadata, Drawn(sample, word, held), settings)
        print(watch.grown_mb())  # noqa: T201
        if (report.way, report.points) != (strategy, RECORDS):
            raise SystemExit(f"{report}")
        index.close()


class Watch:
    """Samples the process's own memory from a thread."""

    def __init__(self) -> None:
        self._before = self._most = own_mb()
        self._running = True
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def grown_mb(self) -> float:
        self._running = False
        self._thread.join()
        return self._most - self._before

    def _watch(self) -> None:
        while self._running:
            self._most = max(self._most, own_mb())
            time.sleep(0.005)


def own_mb() -> float:
    """Return the process's own memory, without mapped files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("RssAnon:")[1].split(maxsplit=1)[0]) / 1000


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
