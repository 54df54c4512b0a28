"""`lsif-ingest remove`: removes what killed runs left in the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.arguments import (
    add_index,
    add_json,
    add_settings,
    named_collection,
    workspace_of,
)
from flows.cli.output import print_result
from machine.text import counted

if TYPE_CHECKING:
    import argparse


def add_remove(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `remove`."""
    parser.add_argument(
        "--unfinished",
        action="store_true",
        required=True,
        help="remove generations that killed runs left unfinished: those of this data folder, "
        "and others without a sign of life for an hour",
    )
    add_index(parser, "project to remove them of (default: all projects)")
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_remove)


def _remove(options: argparse.Namespace) -> None:
    from flows.stages.index import remove_unfinished  # noqa: PLC0415 - a second

    workspace = workspace_of(options)
    wanted = named_collection(workspace) if options.project or options.branch else ""
    removed = remove_unfinished(workspace, wanted)
    text = "\n".join([f"{counted(len(removed), 'unfinished generation')} removed", *removed])
    print_result({"removed": removed}, text, as_json=options.json)
