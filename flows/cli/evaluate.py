"""`lsif-ingest evaluate`: search quality, measured with judged queries."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flows.cli.arguments import add_index, add_json, add_settings, workspace_of
from flows.cli.output import print_result
from flows.cli.search import open_chosen
from machine.text import counted
from search.answer import MODES
from search.judged import LEVELS, read_queries

if TYPE_CHECKING:
    import argparse

    from search.answer import Mode
    from search.engine import Searcher
    from search.judged import JudgedQuery

logger = logging.getLogger(__name__)


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `evaluate`."""
    parser.add_argument(
        "queries",
        type=Path,
        metavar="QUERIES",
        help='file with a JSON object per line: {"query", "kind", "answers"}; see docs/search.md',
    )
    parser.add_argument(
        "--mode",
        dest="modes",
        action="append",
        choices=MODES,
        help="mode to measure; may be repeated (default: all)",
    )
    parser.add_argument(
        "--level",
        choices=LEVELS,
        default=LEVELS[0],
        help="what makes a hit right: name and lines of an answer (structure, the default), its "
        "lines under any name (line), or its file (file; then a file counts once)",
    )
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="FILE",
        help="fit the confidence to these queries and write it to FILE, for search.calibration",
    )
    add_index(parser)
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> None:
    from search.evaluate import evaluate  # noqa: PLC0415 - 0.1 s

    workspace, calibration = workspace_of(options), options.calibrate
    queries, modes = read_queries(options.queries), list(dict.fromkeys(options.modes or MODES))
    with ExitStack() as stack:
        searcher, _ = open_chosen(workspace, stack, quick=False)
        _warn_of_absent_files(searcher, queries)
        if calibration is not None:
            _calibrate(searcher, queries, calibration)
        measured = evaluate(
            queries,
            lambda query, mode: searcher.search(query, cast("Mode", mode), limit=10),
            modes,
            options.level,
        )
    print_result(measured.to_dict(), measured.to_text(), as_json=options.json)


def _warn_of_absent_files(searcher: Searcher, queries: list[JudgedQuery]) -> None:
    wanted = {answer.file_path for query in queries for answer in query.answers}
    absent = wanted - set(searcher.files())
    if absent:
        logger.warning(
            "%s with answers %s not in the index, such as %s: no search can find what is there",
            counted(len(absent), "file"),
            "is" if len(absent) == 1 else "are",
            min(absent),
        )


def _calibrate(searcher: Searcher, queries: list[JudgedQuery], path: Path) -> None:
    from search.confidence import Calibration, fit  # noqa: PLC0415 - a second

    modes: dict[str, dict[str, float]] = {}
    for mode in MODES:
        evidences = [searcher.search(query.query, mode).evidence for query in queries]
        modes[mode] = fit(evidences, [bool(query.answers) for query in queries])
    Calibration(searcher.generation.metadata.fingerprints, modes).write(path)
    logger.info(
        'the confidence was fitted to %d queries: use it with --set search.calibration="%s"',
        len(queries),
        path,
    )
