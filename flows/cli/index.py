"""Commands about an index as a whole: verify, rollback, export, import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.arguments import (
    add_branch,
    add_index,
    add_json,
    add_project,
    add_settings,
    chosen_collection,
    workspace_of,
)
from flows.cli.output import print_result
from flows.errors import VerifyError
from machine.text import counted

if TYPE_CHECKING:
    import argparse


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `verify`."""
    add_index(parser)
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_verify)


def add_rollback(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rollback`."""
    parser.add_argument(
        "--to",
        metavar="GENERATION",
        default="",
        help="generation to switch to, older or newer, as `status --generations` names it "
        "(default: the one before the live one)",
    )
    add_index(parser)
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_rollback)


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `export`."""
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="folder to write structures.parquet and blocks.parquet to",
    )
    target.add_argument(
        "--snapshot",
        action="store_true",
        help="have the Qdrant server write snapshots instead of Parquet files",
    )
    add_index(parser)
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_export)


def add_import(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `import`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder that `export` wrote")
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="replace an index that was made from another repository",
    )
    add_project(parser, "the name of the exported project")
    add_branch(parser)
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_import)


_UNFINISHED = "Perhaps the last run was stopped before it was done. "


def _verify(options: argparse.Namespace) -> None:
    from flows.stages.index import verify_index, was_rolled_back  # noqa: PLC0415 - a second

    workspace = workspace_of(options)
    collection = chosen_collection(workspace)
    report = verify_index(workspace, collection)
    compared = (
        f"{collection}: {counted(report.structures, 'structure')} and "
        f"{counted(report.blocks, 'block')} compared with {report.points:,} points, "
        f"{report.vectors_checked:,} vectors checked"
    )
    lines = [compared, *report.problems]
    if report.missing_indexes:
        missing = ", ".join(report.missing_indexes)
        lines.append(f"payload indexes missing: {missing}; the next `lsif-ingest ingest` adds them")
    document = {"collection": collection, **report.to_dict()}
    print_result(document, "\n".join(lines), as_json=options.json)
    if report.ok:
        return
    found = (
        f"{collection}: {report.missing} missing, {report.different} different, "
        f"{report.unexpected} unexpected, {report.bad_vectors} bad vectors"
        f"{', damaged places' if report.bad_places else ''}."
    )
    if not report.bad_vectors and was_rolled_back(workspace, collection):
        raise VerifyError(
            f"{found} The index was rolled back, and the records are those of a later run: "
            "the next `lsif-ingest ingest` rolls forward again."
        )
    why, rebuild = ("", " --rebuild") if report.bad_vectors else (_UNFINISHED, "")
    raise VerifyError(
        f"{found} {why}Repair it: lsif-ingest ingest{rebuild} with the arguments of the last run"
    )


def _rollback(options: argparse.Namespace) -> None:
    from flows.stages.index import roll_back  # noqa: PLC0415 - a second

    workspace = workspace_of(options)
    collection = chosen_collection(workspace)
    former, live = roll_back(workspace, collection, options.to)
    text = f"{collection}: switched from {former} to {live}; the next `lsif-ingest ingest` "
    text += "brings it to what the sources say then"
    if former == live:
        text = f"{collection}: {live} is live already"
    document = {"collection": collection, "was_live": former, "live": live}
    print_result(document, text, as_json=options.json)


def _export(options: argparse.Namespace) -> None:
    from flows.stages.index import export_index, snapshot_index  # noqa: PLC0415 - a second

    workspace, folder = workspace_of(options), options.output
    collection = chosen_collection(workspace)
    document: dict[str, Any] = {"collection": collection}
    if options.snapshot:
        names = snapshot_index(workspace, collection)
        document |= {"snapshots": names}
        text = "\n".join(names)
    else:
        structures, blocks = export_index(workspace, collection, folder)
        document |= {"folder": str(folder), "structures": structures, "blocks": blocks}
        text = (
            f"{collection}: {counted(structures, 'structure')} and {counted(blocks, 'block')} "
            f"in {folder}"
        )
    print_result(document, text, as_json=options.json)


def _import(options: argparse.Namespace) -> None:
    from flows.stages.index import import_index  # noqa: PLC0415 - a second

    report = import_index(workspace_of(options), options.folder, rebuild=options.rebuild)
    points = f"{counted(report.points, 'structure')} and {counted(report.blocks, 'block')}"
    text = f"{report.collection}: {points} at {report.location}, {report.way}"
    print_result(report.to_dict(), text, as_json=options.json)
