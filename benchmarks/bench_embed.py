"""Times embedding against the tutorial's code, on the texts of real crates.

    python benchmarks/bench_embed.py [--texts N] [structures.jsonl ...]

The tutorial calls `model.encode(texts)` of all-MiniLM-L6-v2, for code with `batch_size=4`. Without
records, two crates are fetched and dumped. All candidates take turns; a ratio is the median of the
rounds' ratios. `cosine` is the mean cosine to the tutorial's vectors, of the same model. Writes
benchmarks/results/embed.md and embed.svg.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from crates import fetch, make_records

from configs.settings import ModelSettings, load_settings
from embedding.batching import longest_first, padding_share, token_batches
from embedding.encoders.torch import TorchEncoder, load_sentence_transformer
from embedding.models import load_encoder, resolve_model
from embedding.text import RECIPES
from lsif.jsonl import read_structures

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

ROUNDS = 3
RESULTS = Path(__file__).parent / "results"
TUTORIAL = "the tutorial's"
MINILM = "packaged:all-MiniLM-L6-v2"
FORMER = "MiniLM"
"""The way in which a new index was embedded before this project had a model of its own."""
WAYS: dict[str, dict[str, object]] = {
    "default": {},
    "default, openvino": {"backend": "openvino"},
    "default, openvino int8": {"backend": "openvino", "precision": "int8"},
    FORMER: {"model": MINILM},
    "MiniLM, fp32": {"model": MINILM, "precision": "fp32"},
    "MiniLM, openvino": {"model": MINILM, "backend": "openvino"},
    "MiniLM, openvino fp32": {"model": MINILM, "backend": "openvino", "precision": "fp32"},
    "MiniLM, openvino int8": {"model": MINILM, "backend": "openvino", "precision": "int8"},
}
TASKS = {"text": ("tutorial-1", 32), "code": ("snippet-1", 4)}
"""Recipe and the tutorial's batch size."""


def encoders() -> dict[str, TorchEncoder]:
    """Return the ways that are installed, loaded."""
    base, loaded = load_settings().embedding.text, {}
    for way, changes in WAYS.items():
        settings = ModelSettings.model_validate({**base.model_dump(), **changes})
        found = resolve_model(settings)
        try:
            encoder = load_encoder(found.source, found.revision, settings)
        except Exception as exc:  # noqa: BLE001 - an extra that is not installed
            print(f"without {way}: {exc}")
            continue
        if isinstance(encoder, TorchEncoder):
            loaded[way] = encoder
    return loaded


def encode(model: SentenceTransformer, batch: int, texts: list[str]) -> NDArray[np.float32]:
    """Return the vectors of the texts as the tutorial makes them."""
    return np.asarray(model.encode(texts, batch_size=batch, normalize_embeddings=True))


def measure(
    texts: list[str],
    baseline: Callable[[list[str]], NDArray[np.float32]],
    ways: dict[str, TorchEncoder],
) -> list[list[str]]:
    """Return one row for each way: texts/s, ratios to the tutorial's and to FORMER, cosine."""
    seconds: dict[str, list[float]] = {way: [] for way in (TUTORIAL, *ways)}
    cosine: dict[str, float] = {TUTORIAL: 1.0}
    for _ in range(ROUNDS):
        began = time.perf_counter()
        expected = baseline(texts)
        seconds[TUTORIAL].append(time.perf_counter() - began)
        for way, encoder in ways.items():
            began = time.perf_counter()
            vectors = encoder.encode_documents(texts)
            seconds[way].append(time.perf_counter() - began)
            cosine[way] = float((vectors * expected).sum(axis=1).mean())
    rows = []
    for way, taken in seconds.items():
        of_minilm = way not in WAYS or WAYS[way].get("model") == MINILM
        rows.append(
            [
                way,
                ways[way].precision if way in ways else "fp32",
                f"{len(texts) / median(taken):.0f}",
                f"{speed_up(seconds[TUTORIAL], taken):.2f}",
                f"{speed_up(seconds[FORMER], taken):.2f}",
                f"{cosine[way]:.6f}" if of_minilm else "another model",
            ]
        )
    return rows


def speed_up(slower: list[float], faster: list[float]) -> float:
    """Return the median over the rounds of how many times as fast the second one is."""
    return median(a / b for a, b in zip(slower, faster, strict=True))


def plot(tables: dict[str, list[list[str]]], path: Path) -> None:
    """Draw the ratios."""
    import matplotlib as mpl  # noqa: PLC0415 - for this one drawing

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "embed"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(1, len(tables), figsize=(9, 2.6), layout="constrained", sharey=True)
    for axis, (task, rows) in zip(axes, tables.items(), strict=True):
        axis.barh([row[0] for row in rows][::-1], [float(row[3]) for row in rows][::-1])
        axis.set(title=f"{task}: texts/s, the tutorial's way = 1")
        axis.grid(axis="x", alpha=0.3)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure, print and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=600)
    parser.add_argument("records", nargs="*", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        records = options.records
        for root in [] if records else fetch(Path(folder)):
            records.append(Path(folder) / f"{root.name}.jsonl")
            make_records(root, records[-1])
        structures = [one for path in records for one in read_structures(path)]
    random.seed(1)
    chosen = random.sample(structures, min(options.texts, len(structures)))
    default = load_settings().embedding.text
    settings = default.model_copy(update={"model": MINILM})
    found = resolve_model(settings)
    model = load_sentence_transformer(found.source, found.revision, settings)
    ways = encoders()
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    lines = [
        f"# Embedding, {datetime.now(UTC):%Y-%m-%d}, {machine}",
        "",
        f"{len(chosen)} structures of real crates, {ROUNDS} interleaved rounds; the default is",
        f"{resolve_model(default).settings.model}, the tutorial's model all-MiniLM-L6-v2;",
        "ratios are medians of the rounds' ratios. `cosine` is the mean cosine to the tutorial's",
        "vectors. Made by `make bench NAME=embed`.",
        "",
    ]
    tables = {}
    for task, (recipe, batch) in TASKS.items():
        texts = list(dict.fromkeys(RECIPES[recipe](one) for one in chosen))
        tokens = np.minimum(ways["default"].count_tokens(texts), ways["default"].max_tokens)
        ordered = tokens[longest_first(tokens)]
        padding = padding_share(ordered, list(token_batches(ordered, 2048)))
        rows = measure(
            texts,
            partial(encode, model, batch),
            ways,
        )
        tables[task] = rows
        lines += [
            f"## {task}: recipe {recipe}, {tokens.mean():.0f} tokens on average",
            "",
            f"Padding {padding:.1%} of the tokens; the tutorial's batch size is {batch}.",
            "",
            "| way | precision | texts/s | to the tutorial's | to MiniLM's | cosine |",
            "|---|---|---|---|---|---|",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
        ]
        print("\n".join(lines[-6 - len(rows) :]), flush=True)
    plot(tables, RESULTS / "embed.svg")
    (RESULTS / "embed.md").write_text("\n".join([*lines, "![ratios](embed.svg)", ""]))


if __name__ == "__main__":
    main()
