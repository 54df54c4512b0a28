"""`lsif-ingest refs`: what refers to a structure, what it refers to, implements and tests it."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from flows.cli.arguments import (
    add_index,
    add_json,
    add_settings,
    chosen_collection,
    whole_number,
    workspace_of,
)
from flows.cli.output import print_json
from flows.errors import UsageError
from machine.text import counted, one_line
from search import limits
from search.errors import AmbiguousName

if TYPE_CHECKING:
    import argparse

    from configs.workspace import Workspace
    from search.references import References, Target

_RELATIONS = {
    "callers": "what refers to it, instead of the places",
    "callees": "what it calls, also in dependencies",
    "implementations": "impl blocks of a trait, or implementations of its member",
    "tests": "tests that reach it",
}
_HAVE_DEPTH = ("callers", "callees", "tests")
_SHOWN = 50
"""Candidates that are listed."""


def add_refs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `refs`."""
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="FILE:LINE, or the structure's id, name or symbol; or a symbol of a dependency or of "
        "the standard library, such as tokio::spawn",
    )
    relations = parser.add_mutually_exclusive_group()
    for relation, text in _RELATIONS.items():
        relations.add_argument(
            f"--{relation}",
            dest="relation",
            action="store_const",
            const=relation,
            default="references",
            help=f"show {text}",
        )
    parser.add_argument(
        "--depth",
        type=whole_number(1, limits.STEPS),
        metavar="N",
        help="maximum number of steps to callers and callees (default: 1) or tests (default: 3), "
        f"1 to {limits.STEPS}",
    )
    parser.add_argument(
        "--limit",
        type=whole_number(1, limits.ENGINE.hits),
        default=limits.RELATED,
        metavar="N",
        help="maximum number of places or structures, 1 to 1000 (default: 100)",
    )
    parser.add_argument(
        "--offset",
        type=whole_number(0, limits.OFFSET),
        default=0,
        metavar="N",
        help="number of places or structures to skip (default: 0)",
    )
    add_index(parser)
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_refs)


def _refs(options: argparse.Namespace) -> None:
    from search.relations import relate  # noqa: PLC0415 - a tenth of a second
    from search.sources import Sources, read_root  # noqa: PLC0415 - as above

    if options.depth is not None and options.relation not in _HAVE_DEPTH:
        names = ", ".join(f"--{relation}" for relation in _HAVE_DEPTH)
        raise UsageError(f"--depth needs one of {names}.")
    workspace = workspace_of(options)
    with ExitStack() as stack:
        references, collection = open_chosen_references(workspace, stack)
        root = read_root(workspace.project_folder(collection))
        try:
            target = references.target(options.target)
        except AmbiguousName as exc:
            _print_candidates(exc, as_json=options.json)
            raise
        answer = relate(
            references,
            target,
            options.relation,
            depth=options.depth,
            offset=options.offset,
            limit=options.limit,
            sources=Sources(references.lookup.generation, root),
        )
        if options.json:
            print_json(answer.to_dict())
        else:
            from flows.cli.relations import print_relation  # noqa: PLC0415 - rich

            print_relation(answer)
            if answer.relation == "references" and (also := _also(references, target)):
                sys.stdout.write("\n".join(["", *map(one_line, also), ""]))


def open_chosen_references(workspace: Workspace, stack: ExitStack) -> tuple[References, str]:
    """Return the references of the chosen collection, and its name. The stack closes the index.

    No model is loaded. Raises ReferencesMissing if the index was made without them.
    """
    from search.lookup import Lookup  # noqa: PLC0415 - half a second, all of them
    from search.published import connect  # noqa: PLC0415
    from search.references import open_references  # noqa: PLC0415
    from storage.live import require_live  # noqa: PLC0415

    index = stack.enter_context(closing(connect(workspace)))
    collection = chosen_collection(workspace, index)
    lookup = Lookup(require_live(index, collection))
    return open_references(workspace, collection, lookup), collection


def _also(references: References, target: Target) -> list[str]:
    """Return what else may run the target, and what it may run: one sentence each."""
    if target.structure is None:
        return []
    members = target.structure.implements if target.structure.code_type != "Impl" else ()
    counts = {symbol: references.count(key) for key, symbol in references.symbols(members).items()}
    said = [
        f"It implements {symbol}: what refers to that, in {counted(count, 'place')}, may run it."
        for symbol, count in counts.items()
        if count
    ]
    if implementations := references.implementations(target, limit=1).total:
        said.append(f"{counted(implementations, 'implementation')}: add --implementations")
    return said


def _print_candidates(exc: AmbiguousName, *, as_json: bool) -> None:
    """Print what the name may mean, on standard output with --json, else with the message."""
    if as_json:
        print_json({"candidates": [candidate.to_dict() for candidate in exc.candidates]})
        return
    for candidate in exc.candidates[:_SHOWN]:
        what = f"{candidate.code_type} {candidate.symbol}"
        line = f"{candidate.place}  {what if candidate.file_path else 'outside the index'}"
        sys.stderr.write(f"{one_line(line)}\n")
