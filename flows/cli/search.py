"""`lsif-ingest search` and `lsif-ingest similar`."""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, NamedTuple

from flows.cli.arguments import (
    add_index,
    add_json,
    add_settings,
    chosen_collection,
    whole_number,
    workspace_of,
)
from flows.cli.editor import open_hit, require_editor
from flows.cli.output import print_json
from flows.errors import UsageError
from search.answer import GROUPINGS, MODES
from search.filters import EDGES, FILTER_NAMES, STRUCTURE_FIELDS, TESTS, Filters, parse_filters

if TYPE_CHECKING:
    import argparse

    from configs.workspace import ProjectFolder, Workspace
    from search.answer import Answer
    from search.engine import Searcher

logger = logging.getLogger(__name__)

_SHOWN_VALUES = 10


def add_search(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `search`."""
    parser.add_argument("query", metavar="QUERY", help="words, or a piece of code")
    parser.add_argument(
        "--mode", choices=MODES, default="hybrid", help="how to search (default: hybrid)"
    )
    _add_selection(parser)
    parser.add_argument(
        "--lines", action="store_true", help="mark the lines of each hit that match the query best"
    )
    add_index(parser)
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_search)


def add_similar(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `similar`."""
    parser.add_argument(
        "place", metavar="PLACE", help="FILE:LINE, or the structure's id, name or symbol"
    )
    parser.add_argument(
        "--mode",
        choices=("hybrid", "text", "code"),
        default="hybrid",
        help="vectors to compare (default: hybrid, which is both)",
    )
    _add_selection(parser)
    add_index(parser)
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_similar)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    """Add what selects hits and how they are shown."""
    parser.add_argument(
        "--limit",
        type=whole_number(1, 1000),
        metavar="N",
        help="maximum number of hits (groups with --group-by), 1 to 1000 (default: search.limit)",
    )
    parser.add_argument(
        "--filter",
        dest="filters",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="search only structures with this value; may be repeated; values of one field are "
        f"alternatives. Fields: {', '.join(FILTER_NAMES)}; path takes a folder, a file or a "
        f"glob; {', '.join(EDGES)} take an id, a symbol or a name",
    )
    parser.add_argument(
        "--tests",
        choices=TESTS,
        default="include",
        help="whether test code is searched (default: include)",
    )
    parser.add_argument(
        "--generated",
        choices=TESTS,
        default="include",
        help="whether code that a program wrote is searched (default: include)",
    )
    parser.add_argument(
        "--group-by", choices=GROUPINGS, help="group the hits, and show the best of each group"
    )
    parser.add_argument(
        "--group-size",
        type=whole_number(1, 1000),
        metavar="N",
        help="maximum number of hits in a group (default: search.group_size)",
    )
    parser.add_argument(
        "--snippet",
        type=whole_number(0, 1000),
        default=6,
        metavar="N",
        help="maximum number of source lines shown with a hit (default: 6)",
    )
    parser.add_argument(
        "--open",
        nargs="?",
        type=whole_number(1, 1000),
        const=1,
        metavar="N",
        dest="opened",
        help="open hit N (default: 1) in $VISUAL or $EDITOR; without N, put it after the query",
    )


def _search(options: argparse.Namespace) -> None:
    workspace, shown = workspace_of(options), _shown(options)
    filters = parse_filters(options.filters, options.tests, options.generated)
    with ExitStack() as stack:
        searcher, collection = open_chosen(workspace, stack)
        answer = searcher.search(
            options.query,
            options.mode,
            limit=options.limit,
            filters=filters,
            group_by=options.group_by,
            group_size=options.group_size,
            lines=options.lines,
        )
        _explain_nothing(searcher, filters, answer)
    _show(answer, shown, workspace.project_folder(collection), collection)


def _similar(options: argparse.Namespace) -> None:
    workspace, shown = workspace_of(options), _shown(options)
    filters = parse_filters(options.filters, options.tests, options.generated)
    with ExitStack() as stack:
        searcher, collection = open_chosen(workspace, stack)
        answer = searcher.similar(
            searcher.resolve(options.place),
            options.mode,
            limit=options.limit,
            filters=filters,
            group_by=options.group_by,
            group_size=options.group_size,
        )
        _explain_nothing(searcher, filters, answer)
    _show(answer, shown, workspace.project_folder(collection), collection)


class _Shown(NamedTuple):
    """How to show an answer."""

    as_json: bool
    lines: int
    """Maximum number of source lines for a hit."""
    opened: int | None
    """Number of the hit to open in an editor, 1-based."""


def _shown(options: argparse.Namespace) -> _Shown:
    """Return how to show the answer. Raises UsageError before any work if that can't be done."""
    if options.opened is not None:
        require_editor()
    if options.group_size is not None and options.group_by is None:
        raise UsageError("--group-size needs --group-by.")
    return _Shown(options.json, options.snippet, options.opened)


def _show(answer: Answer, shown: _Shown, folder: ProjectFolder, collection: str) -> None:
    if shown.as_json:
        print_json(answer.to_dict())
    else:
        from flows.cli.answers import print_answer  # noqa: PLC0415 - rich, which JSON does not need

        print_answer(answer, lines_shown=shown.lines)
    if shown.opened is not None:
        open_hit(folder, collection, answer, shown.opened, beside_json=shown.as_json)


def open_chosen(
    workspace: Workspace, stack: ExitStack, *, quick: bool = True
) -> tuple[Searcher, str]:
    """Return a searcher of the chosen collection, and its name. The stack closes the index.

    A quick searcher is for a few queries: its models start at once if they can.
    """
    from search.opening import open_searcher  # noqa: PLC0415 - half a second
    from search.published import connect  # noqa: PLC0415 - with the above

    index = stack.enter_context(closing(connect(workspace)))
    collection = chosen_collection(workspace, index)
    return open_searcher(workspace, index, collection, quick=quick), collection


def _explain_nothing(searcher: Searcher, filters: Filters, answer: Answer) -> None:
    """If filters leave no hit, say which values exist."""
    if answer.hits:
        return
    for field, wanted in filters.given().items():
        if field == "path":
            logger.warning(
                "nothing was found under %s: write paths relative to the repository's root",
                ", ".join(wanted),
            )
            continue
        existing = searcher.generation.structures.values(STRUCTURE_FIELDS[field])
        if not set(wanted) & set(existing):
            logger.warning(
                "no structure has %s %s; existing values: %s",
                field,
                " or ".join(wanted),
                ", ".join(list(existing)[:_SHOWN_VALUES]) or "none",
            )
