"""`lsif-ingest evaluate`: search quality, measured with judged queries."""

from __future__ import annotations

import argparse
import logging
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flows.cli.arguments import (
    add_index,
    add_json,
    add_settings,
    chosen_collection,
    workspace_of,
)
from flows.cli.output import print_result
from flows.errors import UsageError
from machine.text import counted
from search.answer import MODES
from search.judged import LEVELS, read_queries

if TYPE_CHECKING:
    from search.answer import Mode
    from search.calibrate import JudgedProject

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
    parser.add_argument(
        "--with",
        dest="others",
        type=_project_and_queries,
        action="append",
        default=[],
        metavar="NAME=QUERIES",
        help="with --calibrate: fit to the queries of this project, too; may be repeated",
    )
    add_index(parser)
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_evaluate)


def _project_and_queries(text: str) -> tuple[str, Path]:
    """Return project and file of NAME=QUERIES. Raises ArgumentTypeError."""
    project, separator, path = text.partition("=")
    if not project or not separator or not path:
        raise argparse.ArgumentTypeError(f"expected NAME=QUERIES, found {text!r}")
    return project, Path(path)


def _evaluate(options: argparse.Namespace) -> None:
    from search.calibrate import JudgedProject, TakenOut  # noqa: PLC0415 - half a second
    from search.evaluate import evaluate  # noqa: PLC0415 - 0.1 s
    from search.opening import open_searcher  # noqa: PLC0415 - half a second
    from search.published import connect  # noqa: PLC0415 - with the above

    workspace = workspace_of(options)
    if options.others and options.calibrate is None:
        raise UsageError("--with has no effect without --calibrate.")
    queries, modes = read_queries(options.queries), list(dict.fromkeys(options.modes or MODES))
    others = [(project, read_queries(path)) for project, path in options.others]
    with closing(connect(workspace)) as index:
        collection = chosen_collection(workspace, index)
        searcher = open_searcher(workspace, index, collection)
        judged = [JudgedProject(searcher, queries)]
        for project, own in others:
            judged.append(JudgedProject(open_searcher(workspace, index, project), own))
        for project in judged:
            _warn_of_absent_files(project)
        if options.calibrate is not None:
            _calibrate(judged, options.calibrate)
        taken_out = TakenOut(searcher)
        measured = evaluate(
            queries,
            lambda query, mode: searcher.search(query, cast("Mode", mode), limit=10),
            modes,
            options.level,
            lambda query, mode: taken_out.confidence(query, cast("Mode", mode)),
        )
    print_result(measured.to_dict(), measured.to_text(), as_json=options.json)


def _warn_of_absent_files(project: JudgedProject) -> None:
    wanted = {answer.file_path for query in project.queries for answer in query.answers}
    absent = wanted - set(project.searcher.files())
    if absent:
        logger.warning(
            "%s with answers %s not in the index, such as %s: no search can find what is there",
            counted(len(absent), "file"),
            "is" if len(absent) == 1 else "are",
            min(absent),
        )


def _calibrate(projects: list[JudgedProject], path: Path) -> None:
    from search.calibrate import calibrate  # noqa: PLC0415 - half a second

    calibration, held_out = calibrate(projects)
    calibration.write(path)
    for mode, areas in held_out.items():
        shown = ", ".join(f"{area:.3f} against those {sort}" for sort, area in areas.items())
        if shown:
            logger.info("%s, each project by a fit to the others: AUROC %s", mode, shown)
    logger.info(
        'the confidence was fitted to %d queries: use it with --set search.calibration="%s"',
        sum(len(project.queries) for project in projects),
        path,
    )
