"""`lsif-ingest checkpoint`: the store of embedded vectors, shown or shrunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.arguments import add_json, add_settings, workspace_of
from flows.cli.output import print_result
from machine.text import counted

if TYPE_CHECKING:
    import argparse


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `checkpoint`, which has two actions."""
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    text = "show the size of the store, and the share of its vectors that this data folder uses"
    stats = actions.add_parser("stats", help=text, description=f"{text[0].upper()}{text[1:]}.")
    stats.set_defaults(run=_stats)
    text = "drop vectors that are older than a day and that this data folder does not use"
    compact = actions.add_parser("compact", help=text, description=f"{text[0].upper()}{text[1:]}.")
    compact.add_argument(
        "--shared-too",
        action="store_true",
        help="also shrink the store that checkpoint.store names; this drops vectors that only "
        "other data folders or machines use",
    )
    compact.set_defaults(run=_compact)
    for action in (stats, compact):
        add_settings(action)
        add_json(action)


def _stats(options: argparse.Namespace) -> None:
    from flows.stages.checkpoint import inspect_checkpoint  # noqa: PLC0415 - half a second

    folders = inspect_checkpoint(workspace_of(options))
    lines = []
    for folder in folders:
        live = folder.live / max(folder.vectors, 1)
        set_aside = f", {folder.set_aside} set aside" if folder.set_aside else ""
        lines.append(
            f"{folder.vectors:>10,} vectors, {live:>4.0%} in use, {counted(folder.files, 'file')}, "
            f"{folder.megabytes:.1f} MB{set_aside}  {folder.model or 'unreadable'}  {folder.folder}"
        )
    text = "\n".join(lines or ["the checkpoint is empty"])
    print_result([folder.to_dict() for folder in folders], text, as_json=options.json)


def _compact(options: argparse.Namespace) -> None:
    from flows.stages.checkpoint import compact_checkpoint  # noqa: PLC0415 - half a second

    done = compact_checkpoint(workspace_of(options), shared_too=options.shared_too)
    young = (
        f"; {done.too_young:,} unused ones stay, because they are less than a day old"
        if done.too_young
        else ""
    )
    print_result(done.to_dict(), f"{done.dropped:,} vectors dropped{young}", as_json=options.json)
