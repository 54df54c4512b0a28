"""Measures how well people find what they ask for, with judged queries over real repositories.

    python benchmarks/quality.py [--half development|test|both] [--repo NAME=DIR ...] [--data DIR]

The queries (benchmarks/quality/NAME.jsonl) were written from the sources by readers who saw no
search results. repositories.toml lists the repositories. One half is for development, the other
one for testing: nothing is chosen by the test half. Each repository is fetched, unless --repo
gives a local copy, and indexed from its sources alone, with the default configuration.

Prints, and writes to benchmarks/results/quality.md after a run over all repositories with the
default configuration: the quality by half and kind of query, at the levels of structures, files
and lines, beside that of the former release; and how well the confidence separates queries with
an answer from those without. --ablation measures what each choice of the search gains, on the
development half, and writes quality-ablation.md. --calibrate writes the calibration of the default
model (search/calibrations), fitted to the development half. --write-former keeps the numbers for
the next release to be compared with.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from quality_ablation import ablation
from quality_confidence import calibrate_shipped
from quality_page import ablation_page, quality_page
from quality_replies import Former, Reply, read_former
from quality_repositories import HALVES, read_repositories
from quality_sources import QualityIndex, local_copy, sources_of

from embedding.models import fingerprints_of

RESULTS = Path(__file__).parent / "results"
BOTH = "both"


class Bench:
    """The indexes of the chosen repositories, made where they are missing."""

    def __init__(self, options: argparse.Namespace, data: Path) -> None:
        model = (f"embedding.{name}.model={options.model}" for name in ("text", "code"))
        self._overrides = (*(model if options.model else ()), *options.sets)
        self._local = dict(local_copy(given, read_repositories()) for given in options.repo)
        self._data = data
        self._rebuild = options.rebuild
        self._made: set[str] = set()
        self.indexes = [
            QualityIndex(repository, data, self._overrides)
            for repository in read_repositories()
            if options.half in (BOTH, repository.half)
        ]

    @property
    def is_default(self) -> bool:
        """Whether the configuration is the default one."""
        return not self._overrides

    @property
    def is_whole(self) -> bool:
        """Whether this measures the default configuration over all repositories."""
        return self.is_default and len(self.indexes) == len(read_repositories())

    @property
    def development(self) -> list[QualityIndex]:
        """The indexes by which choices are made."""
        return [index for index in self.indexes if index.repository.half == HALVES[0]]

    def measured(self) -> str:
        """Return when this is measured, with which models, and on what machine."""
        models = fingerprints_of(self.indexes[0].workspace().structure_models).values()
        names = " and ".join(dict.fromkeys(model.model for model in models))
        machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
        return f"{datetime.now(UTC):%Y-%m-%d}, {names}, {machine}"

    def prepare(self, index: QualityIndex) -> None:
        """Make the index, unless it was made before; with --rebuild, unless this run made it."""
        if index.collection in self._made or (index.exists() and not self._rebuild):
            return
        _say(f"{index.collection}: indexing ...")
        index.make(sources_of(index.repository, self._local, self._data))
        self._made.add(index.collection)

    def replies(self) -> list[Reply]:
        """Return what is found for all queries."""
        found = []
        for index in self.indexes:
            self.prepare(index)
            repository = index.repository
            _say(f"{index.collection}: searching ...")
            answers = zip(index.answers(), index.answers_taken_out(), strict=True)
            found += [
                Reply(repository.name, repository.half, query, *pair)
                for query, pair in zip(repository.queries(), answers, strict=True)
            ]
        return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--half", choices=(*HALVES, BOTH), default=BOTH)
    add("--repo", action="append", default=[], metavar="NAME=DIR", help="a local copy; repeatable")
    add("--data", type=Path, metavar="DIR", help="where indexes are kept for the next time")
    add("--rebuild", action="store_true", help="index again what --data has")
    add("--model", metavar="NAME", help="another encoder for both vectors")
    add(
        "--set",
        action="append",
        default=[],
        dest="sets",
        metavar="SECTION.KEY=VALUE",
        help="another setting; one of the index other than model and recipe needs --rebuild",
    )
    add("--ablation", action="store_true", help="what each choice gains, on the development half")
    add("--calibrate", action="store_true", help="write the default model's calibration")
    add("--write-former", metavar="RELEASE", help="keep the numbers as those of this release")
    options = parser.parse_args()
    if options.half == HALVES[1] and (options.ablation or options.calibrate):
        parser.error("--ablation and --calibrate make choices, which the test half must not make")
    if options.half != BOTH and options.write_former:
        parser.error("--write-former keeps the numbers of both halves")
    return options


def main() -> None:
    """Measure."""
    options = _options()
    with tempfile.TemporaryDirectory() as temporary:
        data = (options.data or Path(temporary)).resolve()
        data.mkdir(parents=True, exist_ok=True)
        measure(Bench(options, data), options)


def measure(bench: Bench, options: argparse.Namespace) -> None:
    """Print and write what was asked for."""
    replies, measured = bench.replies(), bench.measured()
    if options.calibrate:
        calibrate_shipped(bench.development)
        replies = bench.replies()  # with the new confidence
    _publish(quality_page(replies, read_former(), measured), "quality.md", write=bench.is_whole)
    if options.write_former:
        Former.of(replies, f"{options.write_former}, measured on {measured}").write()
    if options.ablation:
        text = ablation_page(ablation(bench.development, bench.prepare), measured)
        _publish(text, "quality-ablation.md", write=bench.is_default)


def _publish(text: str, name: str, *, write: bool) -> None:
    print(text)
    if write:
        (RESULTS / name).write_text(text, encoding="utf-8")
    else:
        _say(f"{name} stays as it is: only a part was measured, or another configuration")


if __name__ == "__main__":
    main()
