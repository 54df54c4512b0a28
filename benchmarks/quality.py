"""How well each recipe lets people find what they ask for: 80 questions about two crates, with the definitions that answer them.

    python benchmarks/quality.py [NAME=structures.jsonl ...]

The questions (benchmarks/quality/NAME.jsonl) were written from the sources by readers who saw no search results: paraphrases of
what documented definitions say, and questions that only the code of undocumented ones answers. Without arguments the crates are
fetched and dumped. Prints, and writes to benchmarks/results/quality.md: the mean reciprocal rank of the first answer within ten
hits, and the share of questions with an answer among the first 1, 5 and 10.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import orjson
from crates import fetch, make_records

from configs.settings import load_settings
from embedding.models import find_model, load_encoder
from embedding.text import RECIPES
from lsif.structure import read_structures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedding.encoder import Encoder

QUERIES = Path(__file__).parent / "quality"
RESULTS = Path(__file__).parent / "results" / "quality.md"
HITS = 10


def ranks(encoder: Encoder, recipe: str, records: Path, name: str) -> NDArray[np.int64]:
    """Return the rank (1-based) of each question's first answer, 0 where it is not among the first ten."""
    structures = list(read_structures(records))
    vectors = encoder.encode_documents([RECIPES[recipe](one) for one in structures])
    questions = [orjson.loads(line) for line in (QUERIES / f"{name}.jsonl").read_bytes().splitlines()]
    scores = encoder.encode_queries([one["query"] for one in questions]) @ vectors.T
    found = []
    for question, row in zip(questions, scores, strict=True):
        first = [structures[place].symbol for place in np.argsort(-row, kind="stable")[:HITS].tolist()]
        found.append(next((rank for rank, symbol in enumerate(first, start=1) if symbol in question["answers"]), 0))
    return np.array(found)


def measures(found: NDArray[np.int64]) -> list[str]:
    """Return mean reciprocal rank and the shares found among the first 1, 5 and 10."""
    hit = found > 0
    reciprocal = np.where(hit, 1 / np.maximum(found, 1), 0).mean()
    return [f"{reciprocal:.3f}", *(f"{(hit & (found <= most)).mean():.2f}" for most in (1, 5, HITS))]


def main() -> None:
    """Measure all recipes."""
    settings = load_settings().embedding.text
    found = find_model(settings)
    encoder = load_encoder(found.source, found.revision, settings)
    with tempfile.TemporaryDirectory() as folder:
        records = {name: Path(path) for name, _, path in (one.partition("=") for one in sys.argv[1:])}
        for root in [] if records else fetch(Path(folder)):
            records[root.name] = Path(folder) / f"{root.name}.jsonl"
            make_records(root, records[root.name])
        lines = [
            f"# Recipes, {datetime.now(UTC):%Y-%m-%d}, {settings.model}",
            "",
            "Of 80 questions about two crates (benchmarks/quality/): mean reciprocal rank of the first answer within ten hits, and",
            "the share with an answer among the first 1, 5 and 10. Made by `make quality`.",
            "",
            "| recipe | " + " | ".join(f"{name} MRR | @1 | @5 | @10" for name in [*records, "both"]) + " |",
            "|---" * (1 + 4 * (len(records) + 1)) + "|",
        ]
        for recipe in RECIPES:
            each = [ranks(encoder, recipe, path, name) for name, path in records.items()]
            cells = [cell for one in [*each, np.concatenate(each)] for cell in measures(one)]
            lines.append(f"| {recipe} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
