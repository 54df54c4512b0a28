"""Measures how well people find what they ask for, with judged queries over real repositories.

    python benchmarks/quality.py [--repo NAME=DIR ...] [--data DIR] [--calibrate]

The queries (benchmarks/quality/NAME.jsonl) were written from the sources by readers who saw no
search results: questions in words, pieces of code, half-remembered names, and queries without an
answer. Without --repo the crates regex and rayon are fetched; `--repo qdrant-7aa164bd=DIR` adds
Qdrant's sources at that commit, on which nothing was tuned. Each repository is ingested as a
user would, once for each recipe.

Prints, and writes to benchmarks/results/quality.md: the quality of each retriever, of fusions
and of their parts; of the default by kind of query; and how well the confidence separates
queries with an answer from those without, fitted to the other repositories only. --calibrate
writes search/calibration.json, fitted to all.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from crates import PROGRAM, fetch

from configs.settings import load_settings
from configs.workspace import Workspace
from embedding.models import fingerprints_of
from search.answer import MODES
from search.confidence import CALIBRATION, Calibration, fit
from search.evaluate import ALL, Judgement, summarise
from search.judged import JudgedQuery, judge, read_queries
from search.opening import connect, open_searcher
from search.statistics import auroc, bootstrap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from search.answer import Answer, Mode
    from search.engine import Searcher

QUERIES = Path(__file__).parent / "quality"
RESULTS = Path(__file__).parent / "results" / "quality.md"
RECIPES = ("words-2", "tutorial-1", "snippet-1")


@dataclass(frozen=True)
class Way:
    """A row of the table."""

    label: str
    mode: Mode = "hybrid"
    changes: tuple[str, ...] = ()
    recipe: str = RECIPES[0]


WAYS = (
    Way("hybrid (default)"),
    Way("text", "text"),
    Way("text, recipe tutorial-1", "text", recipe="tutorial-1"),
    Way("text, recipe snippet-1", "text", recipe="snippet-1"),
    Way("code", "code"),
    Way("bm25", "bm25"),
    Way("blocks", "blocks"),
    Way("merged, as Qdrant's demo", "merged"),
    Way("merged, recipe tutorial-1", "merged", recipe="tutorial-1"),
    Way("hybrid, reciprocal ranks, k = 10", changes=("search.fusion=rrf",)),
    Way("hybrid, reciprocal ranks, k = 60", changes=("search.fusion=rrf", "search.rrf_k=60")),
    Way("hybrid, equal weights", changes=("search.weights.bm25=1.0", "search.weights.blocks=1.0")),
    Way("hybrid without blocks", changes=("search.weights.blocks=0.0",)),
    Way("hybrid without bm25", changes=("search.weights.bm25=0.0",)),
    Way(
        "hybrid without code and blocks",
        changes=("search.weights.code=0.0", "search.weights.blocks=0.0"),
    ),
    Way("hybrid without text", changes=("search.weights.text=0.0",)),
    Way("hybrid, tests like others", changes=("search.test_weight=1.0",)),
    Way("hybrid, 100 candidates", changes=("search.candidates=100",)),
    Way("hybrid, 400 candidates", changes=("search.candidates=400",)),
    Way("hybrid, recipe tutorial-1", recipe="tutorial-1"),
    Way("hybrid, recipe snippet-1", recipe="snippet-1"),
)


@dataclass(frozen=True)
class Repository:
    """A repository with its queries."""

    name: str
    data: Path
    queries: list[JudgedQuery]

    def collection(self, recipe: str) -> str:
        """Return the name of the index made with a recipe."""
        return f"{self.name}.{recipe}"

    def ingest(self, root: Path) -> None:
        """Index the sources, once a recipe; rust-analyzer is taken from RUST_ANALYZER or PATH."""
        dump = self.data / f"{self.name}.lsif"
        tool = os.environ.get("RUST_ANALYZER", "rust-analyzer")
        if not dump.is_file():
            subprocess.run(
                [
                    *PROGRAM,
                    "dump",
                    "--set",
                    f"rust_analyzer.command={tool}",
                    "--repo",
                    root,
                    "-o",
                    dump,
                ],
                check=True,
            )
        for recipe in RECIPES:
            overrides = (
                f"paths.data={self.data}",
                f"project.name={self.collection(recipe)}",
                f"embedding.text.recipe={recipe}",
            )
            sets = [word for override in overrides for word in ("--set", override)]
            source = ["--dump", str(dump), "--root", str(root)]
            command = [*PROGRAM, "ingest", *source, "--rebuild", *sets]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def answers(self, way: Way) -> list[Answer]:
        """Return what each query finds, ten hits of it."""
        changes = (f"paths.data={self.data}", f"embedding.text.recipe={way.recipe}", *way.changes)
        workspace = Workspace(load_settings(None, changes))
        with closing(connect(workspace)) as index:
            searcher: Searcher = open_searcher(workspace, index, self.collection(way.recipe))
            return [searcher.search(query.query, way.mode, limit=10) for query in self.queries]


def judged(repository: Repository, answers: Iterable[Answer]) -> list[Judgement]:
    """Return the answers judged."""
    return [
        Judgement(query, tuple(judge(query, answer.hits)))
        for query, answer in zip(repository.queries, answers, strict=True)
    ]


def ablation(repositories: list[Repository]) -> list[str]:
    """Return the table of all ways."""
    names = [repository.name for repository in repositories]
    lines = [
        "| way | NDCG@10 | MRR | Hit@1 | Hit@10 | against the default | "
        + " | ".join(f"NDCG@10 {name}" for name in names)
        + " |",
        "|---" * (6 + len(names)) + "|",
    ]
    first: list[float] = []
    for way in WAYS:
        each = [judged(repository, repository.answers(way)) for repository in repositories]
        everything = summarise(one for judgements in each for one in judgements)[ALL]
        scores = [
            one.metrics()["ndcg_at_10"]
            for judgements in each
            for one in judgements
            if one.query.answers
        ]
        first = first or scores
        against = "" if scores is first else str(bootstrap(first, scores))
        cells = [
            f"{getattr(everything, name):.3f}"
            for name in ("ndcg_at_10", "mrr", "hit_at_1", "hit_at_10")
        ]
        own = [f"{summarise(judgements)[ALL].ndcg_at_10:.3f}" for judgements in each]
        lines.append(f"| {way.label} | {' | '.join([*cells, against, *own])} |")
        print(lines[-1], flush=True)
    return lines


def by_kind(repositories: list[Repository]) -> list[str]:
    """Return the table of the default and of the tutorial's way, by kind of query."""
    lines = [
        "| way | kind | queries | NDCG@10 | MRR | Hit@1 | Hit@5 | Hit@10 | R@10 |",
        "|---" * 9 + "|",
    ]
    for way in (WAYS[0], next(way for way in WAYS if way.label == "text, recipe tutorial-1")):
        found = [
            one
            for repository in repositories
            for one in judged(repository, repository.answers(way))
        ]
        for kind, summary in summarise(found).items():
            means = [
                summary.ndcg_at_10,
                summary.mrr,
                summary.hit_at_1,
                summary.hit_at_5,
                summary.hit_at_10,
                summary.recall_at_10,
            ]
            cells = " | ".join(f"{mean:.3f}" for mean in means)
            lines.append(f"| {way.label} | {kind} | {summary.n} | {cells} |")
            print(lines[-1], flush=True)
    return lines


def confidences(repositories: list[Repository], *, write: bool) -> list[str]:
    """Return the table of the confidence's quality; with `write`, write search/calibration.json."""
    lines = [
        "| mode | AUROC, fitted to the others | "
        + " | ".join(one.name for one in repositories)
        + " | called right |",
        "|---" * (3 + len(repositories)) + "|",
    ]
    fitted: dict[str, dict[str, float]] = {}
    below = load_settings().search.no_answer_below
    for mode in MODES:
        evidences = [
            [answer.evidence for answer in one.answers(Way(mode, mode))] for one in repositories
        ]
        known = [[bool(query.answers) for query in one.queries] for one in repositories]
        certain: list[list[float]] = []
        for place in range(len(repositories)):
            others = [number for number in range(len(repositories)) if number != place] or [place]
            table = fit(
                [one for number in others for one in evidences[number]],
                [one for number in others for one in known[number]],
            )
            calibration = Calibration({}, {mode: table})
            certain.append([calibration.confidence(mode, one) or 0.0 for one in evidences[place]])
        areas = [_area(sure, answerable) for sure, answerable in zip(certain, known, strict=True)]
        sure, truth = np.array(list(chain(*certain))), np.array(list(chain(*known)))
        right, wrong = np.mean(sure[truth] >= below), np.mean(sure[~truth] < below)
        cells = [f"{_area(sure.tolist(), truth.tolist()):.3f}", *(f"{area:.3f}" for area in areas)]
        lines.append(
            f"| {mode} | {' | '.join(cells)} | {right:.0%} of those with an answer, "
            f"{wrong:.0%} of those without |"
        )
        print(lines[-1], flush=True)
        fitted[mode] = fit(list(chain(*evidences)), truth.tolist())
    if write:
        digests = {
            name: fingerprint.digest
            for name, fingerprint in fingerprints_of(
                Workspace(load_settings()).structure_models
            ).items()
        }
        Calibration(digests, fitted).write(CALIBRATION)
    return lines


def _area(sure: list[float], answerable: list[bool]) -> float:
    with_answer, without = (
        [one for one, known in zip(sure, answerable, strict=True) if known == kind]
        for kind in (True, False)
    )
    return auroc(with_answer, without) or 0.0


def main() -> None:
    """Measure all ways."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repo", action="append", default=[], metavar="NAME=DIR")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="where indexes are kept for the next time"
    )
    parser.add_argument("--calibrate", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = options.data or Path(temporary)
        data.mkdir(exist_ok=True)
        roots = {
            name: Path(folder) for name, _, folder in (one.partition("=") for one in options.repo)
        }
        if not {"regex-1.7.1", "rayon-1.6.1"} & set(roots):
            roots = {**{root.name: root for root in fetch(Path(temporary))}, **roots}
        repositories = [
            Repository(name, data, read_queries(QUERIES / f"{name}.jsonl")) for name in roots
        ]
        for repository in repositories:
            if not (data / "qdrant" / repository.collection(RECIPES[-1]) / "live.json").is_file():
                repository.ingest(roots[repository.name])
        queries = [query for repository in repositories for query in repository.queries]
        answerable = sum(bool(query.answers) for query in queries)
        model = load_settings().embedding.text.model
        certain = confidences(repositories, write=options.calibrate)
        lines = [
            f"# Quality of answers, {datetime.now(UTC):%Y-%m-%d}, {model} for both vectors",
            "",
            f"{answerable} queries with answers and {len(queries) - answerable} without, over",
            f"{', '.join(roots)} (benchmarks/quality/). Weights, fusion and candidates were",
            "chosen with these queries, one choice for all: others may do a little worse. Made by",
            '`make bench NAME=quality` (ARGS="--repo qdrant-7aa164bd=DIR" adds the third one).',
            '"Against the default": mean difference of NDCG@10, with the 95% interval and p by',
            "paired bootstrap over the queries.",
            "",
            *ablation(repositories),
            "",
            "## By kind of query",
            "",
            *by_kind(repositories),
            "",
            "## Does it know when it does not know?",
            "",
            "How often a query with an answer has a higher confidence than one without (AUROC),",
            "each repository with coefficients fitted to the others; and the share that",
            "search.no_answer_below classifies correctly.",
            "",
            *certain,
        ]
    RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
