"""Kills a run with the real model at random moments, resumes it, and checks the vectors.

    python benchmarks/kill_resume.py structures.jsonl [--kills N]

Keys must be those of an undisturbed run. Vectors are compared by cosine: in bf16 the other texts of
a batch change the fourth digit, and a resumed run makes other batches.
tests/test_embedding_embed.py does the same with a fake encoder, bit by bit.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np

from configs.settings import load_settings
from embedding.checkpoint import Checkpoint, as_keys
from embedding.models import load_encoder, resolve_model
from embedding.plan import VectorPlan
from embedding.vectors import gather
from embedding.work_units import WorkUnit, embed_unit
from lsif.jsonl import read_structures

ROWS_PER_FILE = 64


def embed(structures: Path, root: Path) -> int:
    """Embed what is missing; return how many texts that were."""
    found = resolve_model(load_settings().embedding.code)
    print("ready", flush=True)
    load = cache(lambda: load_encoder(found.source, found.revision, found.settings))

    def embed_one(unit: WorkUnit) -> None:
        plan.done(unit, embed_unit(Checkpoint(root, found.fingerprint), unit, load))

    plan = VectorPlan(
        {"code": found.fingerprint},
        str(root),
        embed_one,
        rows_per_file=ROWS_PER_FILE,
        dtype="float32",
    )
    for structure in read_structures(structures):
        plan.take([structure])
    plan.finish()
    return plan.reports()[0].embedded


def main() -> None:
    """Kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("structures", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--into", type=Path, help="embed into this folder and do nothing else")
    options = parser.parse_args()
    if options.into is not None:
        print(embed(options.structures, options.into))
        return
    fingerprint = resolve_model(load_settings().embedding.code).fingerprint
    moments = random.Random(7)  # noqa: S311 - moments, not secrets
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        began = time.perf_counter()
        embed(options.structures, whole)
        longest = time.perf_counter() - began
        kept = []
        for _ in range(options.kills):
            command = [sys.executable, __file__, str(options.structures), "--into", str(killed)]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            (process.stdout or sys.stdin).readline()  # it is about to embed
            time.sleep(moments.uniform(0, longest))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kept.append(len(Checkpoint(killed, fingerprint).keys()))
        rest = embed(options.structures, killed)
        keys = sorted(Checkpoint(whole, fingerprint).keys())
        same = keys == sorted(Checkpoint(killed, fingerprint).keys())
        tables = [
            gather(
                Checkpoint(root, fingerprint),
                as_keys(keys),
                Path(folder) / f"{root.name}.scratch",
            )
            for root in (whole, killed)
        ]
        cosine = np.einsum("ij,ij->i", *(table[0 : len(keys)] for table in tables))
        for table in tables:
            table.close()
    print(f"vectors kept after each kill: {kept}; embedded by the last run: {rest}")
    print(
        f"{len(keys)} vectors, keys {'equal' if same else 'DIFFER'}, "
        f"cosine to the undisturbed run's at least {cosine.min():.6f}"
    )
    sys.exit(0 if same and cosine.min() > 0.999 else 1)  # noqa: PLR2004 - three digits


if __name__ == "__main__":
    main()
