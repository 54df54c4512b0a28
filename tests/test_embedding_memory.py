"""Planning, embedding and gathering hold neither all texts nor all vectors in memory.

This file is also the program that the tests run, in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embedding.checkpoint import Checkpoint
from embedding.encoder import Fingerprint
from embedding.plan import VectorPlan, gathered_vectors
from embedding.work_units import WorkUnit, embed_unit
from lsif.jsonl import read_structures, write_records
from lsif.structure import Structure

PROJECT_ROOT = Path(__file__).parent.parent
"""Not from conftest, which takes seconds to import."""
RECORDS, DIMENSION, ROWS_PER_FILE = 3_000, 2048, 100
BODY = "".join(f"    let {chr(97 + line)}value = compute();\n" for line in range(26)) * 28
"""20 kB: with it, there are 60 MB of snippets, and 49 MB of vectors."""
CAP_MB = 70
FINGERPRINTS = {
    "text": Fingerprint("fake", "1", "words-2", 0),
    "code": Fingerprint("fake", "1", "snippet-1", 0),
    "blocks": Fingerprint("fake", "1", "snippet-1", 0),
}


def run(structures: Path, *hold: str) -> float:
    """Run this file in a process of its own; return the MB by which its own memory grew."""
    command = [sys.executable, __file__, str(structures), *hold]
    environment = {"PYTHONPATH": str(PROJECT_ROOT), "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.fixture(scope="module")
def many(sample_structures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    sample = next(read_structures(sample_structures))

    def records() -> Iterator[Structure]:
        for number in range(RECORDS):
            context = replace(sample.context, snippet=f"// {number}\n{BODY}")
            yield replace(sample, name=f"name{number}", id=f"id-{number}", context=context)

    path = tmp_path_factory.mktemp("many") / "structures.jsonl"
    write_records(path, records())
    path.with_name("blocks.jsonl").touch()
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_memory_stays_below_what_all_texts_or_all_vectors_take(many: Path) -> None:
    assert run(many) < CAP_MB


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
@pytest.mark.parametrize("held", ["texts", "vectors"])
def test_the_cap_would_notice_what_is_held(many: Path, held: str) -> None:
    assert run(many, held) > CAP_MB


class Encoder:
    """Draws its vectors once."""

    dimension, max_tokens, texts_at_once = DIMENSION, 0, 256
    device, precision = "cpu", "fp32"

    def __init__(self) -> None:
        drawn = np.random.default_rng(0).normal(size=(256, DIMENSION)).astype(np.float32)
        self._vectors = drawn

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        return np.array([len(text) for text in texts], dtype=np.int64)

    def encode_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._vectors[: len(texts)]

    encode_queries = encode_documents


def main(structures: Path, hold: str = "") -> None:
    """Embed the structures and read their vectors; print by how many MB memory grew at most."""
    encoder, store = Encoder(), structures.with_name(f"checkpoints-{hold}")
    held: list[object] = []
    before, most = own_mb(), 0.0

    def embed(unit: WorkUnit) -> None:
        nonlocal most
        checkpoint = Checkpoint(store, FINGERPRINTS[unit.vector])
        plan.done(unit, embed_unit(checkpoint, unit, lambda: encoder))
        most = max(most, own_mb())

    plan = VectorPlan(FINGERPRINTS, str(store), embed, rows_per_file=ROWS_PER_FILE, dtype="float32")
    for structure in read_structures(structures):
        plan.take([structure])
        if hold == "texts":
            held.append(structure)
    plan.finish()
    plan.no_more()
    with gathered_vectors(FINGERPRINTS, str(store), structures) as tables:
        for table in (tables["text"], tables["code"]):
            for start in range(0, len(table), 256):
                rows = table[start : start + 256]
                if hold == "vectors":
                    held.append(rows)
                most = max(most, own_mb())
    print(most - before)  # noqa: T201


def own_mb() -> float:
    """Return the process's own memory, without mapped files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("RssAnon:")[1].split(maxsplit=1)[0]) / 1000


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
