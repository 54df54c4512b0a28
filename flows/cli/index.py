"""The commands about an index as a whole: verify, rollback, export, import, and what `ingest --plan` prints."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from configs.workspace import collection_name, project_name
from flows.errors import UsageError, VerifyError
from machine.text import counted

if TYPE_CHECKING:
    import argparse

    from configs.workspace import Workspace
    from flows.source.source import Source
    from storage.index import Index


def add_index_commands(
    commands: Any,
    common: list[argparse.ArgumentParser],
    *,
    of_branch: argparse.ArgumentParser,
    of_project: argparse.ArgumentParser,
) -> None:
    """Add the parsers of the commands."""
    verify = commands.add_parser(
        "verify",
        parents=[*common, of_project],
        help="compare the index with the records of its last run",
    )
    verify.set_defaults(run=_verify)

    rollback = commands.add_parser(
        "rollback", parents=[*common, of_project], help="make the former generation live again"
    )
    rollback.set_defaults(run=_rollback)

    export = commands.add_parser(
        "export", parents=[*common, of_project], help="write an index with its vectors as Parquet"
    )
    target = export.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for structures.parquet and blocks.parquet",
    )
    target.add_argument(
        "--snapshot", action="store_true", help="have the Qdrant server write snapshots instead"
    )
    export.set_defaults(run=_export)

    imported = commands.add_parser(
        "import",
        parents=[*common, of_branch],
        help="make an index of what export wrote; needs no model and no source",
    )
    imported.add_argument("folder", type=Path, metavar="DIR", help="folder that export wrote")
    imported.add_argument(
        "--rebuild", action="store_true", help="replace the index of another repository, too"
    )
    imported.set_defaults(run=_import)


def print_plan(options: argparse.Namespace, workspace: Workspace, source: Source) -> None:
    """Print what a run would change in the index."""
    from flows.stages import plan  # noqa: PLC0415

    found = plan(workspace, source)
    kinds = {"structures": found.structures, "blocks": found.blocks}
    if options.json:
        print_json({"way": found.way, **{kind: one.to_dict() for kind, one in kinds.items()}})
        return
    would = {"unchanged": "left as it is", "changed_in_place": "changed in place"}.get(
        found.way, found.way
    )
    lines = [f"The index would be {would}."]
    for kind, one in kinds.items():
        counts = ", ".join(f"{len(part):,} {name}" for name, part in one.parts().items())
        lines.append(f"  {kind:<11} {counts}, {one.unchanged:,} unchanged")
    for kind, one in kinds.items():
        lines += [
            f"  {name:<8} {label}"
            for name, part in one.parts().items()
            for label in part.values()
            if kind == "structures"
        ]
    sys.stdout.write("\n".join(lines) + "\n")


def chosen_collection(options: argparse.Namespace, workspace: Workspace, index: Index) -> str:
    """Return the collection that the options and settings name, else the one that was published last."""
    from search.opening import choose_collection  # noqa: PLC0415

    return choose_collection(index, named_collection(options, workspace))


def named_collection(options: argparse.Namespace, workspace: Workspace) -> str:
    """Return the collection that the options and settings name, "" where they name none."""
    configured = workspace.settings.project
    project = project_name(options.project) if options.project else configured.name
    if not project and configured.branch:
        raise UsageError("--branch names a branch of a project: give --project NAME, too.")
    return collection_name(project, configured.branch)


def _chosen_alone(options: argparse.Namespace, workspace: Workspace) -> str:
    from search.opening import connect  # noqa: PLC0415

    with closing(connect(workspace)) as index:
        return chosen_collection(options, workspace, index)


def _verify(options: argparse.Namespace, workspace: Workspace) -> None:
    from flows.stages import verify_index, was_rolled_back  # noqa: PLC0415

    collection = _chosen_alone(options, workspace)
    report = verify_index(workspace, collection)
    if options.json:
        print_json({"collection": collection, **report.to_dict()})
    else:
        records = f"{counted(report.structures, 'structure')} and {counted(report.blocks, 'block')}"
        compared = f"{records} compared with {report.points:,} points, {report.vectors_checked:,} vectors looked at"
        sys.stdout.write(
            "".join(f"{line}\n" for line in (f"{collection}: {compared}", *report.problems))
        )
    if not report.ok:
        what = (
            f"{collection}: {report.missing} missing, {report.different} different, {report.unexpected} unexpected, "
            f"{report.bad_vectors} bad vectors."
        )
        if not report.bad_vectors and was_rolled_back(workspace, collection):
            raise VerifyError(
                f"{what} It was rolled back, the records are of a later run; lsif-ingest ingest goes forward again."
            )
        raise VerifyError(
            f"{what} Mend it: lsif-ingest ingest, with --rebuild where vectors are bad."
        )


def _rollback(options: argparse.Namespace, workspace: Workspace) -> None:
    from flows.stages import roll_back  # noqa: PLC0415

    collection = _chosen_alone(options, workspace)
    former, live = roll_back(workspace, collection)
    if options.json:
        print_json({"collection": collection, "was_live": former, "live": live})
    else:
        sys.stdout.write(f"{collection}: {live} is live again, in the place of {former}\n")


def _export(options: argparse.Namespace, workspace: Workspace) -> None:
    from flows.stages import export_index, snapshot_index  # noqa: PLC0415

    collection = _chosen_alone(options, workspace)
    if options.snapshot:
        names = snapshot_index(workspace, collection)
        document: dict[str, Any] = {"collection": collection, "snapshots": names}
        text = "".join(f"{name}\n" for name in names)
    else:
        structures, blocks = export_index(workspace, collection, options.output)
        document = {
            "collection": collection,
            "folder": str(options.output),
            "structures": structures,
            "blocks": blocks,
        }
        text = f"{collection}: {counted(structures, 'structure')} and {counted(blocks, 'block')} in {options.output}\n"
    if options.json:
        print_json(document)
    else:
        sys.stdout.write(text)


def _import(options: argparse.Namespace, workspace: Workspace) -> None:
    from flows.stages import import_index  # noqa: PLC0415

    report = import_index(workspace, options.folder, rebuild=options.rebuild)
    if options.json:
        print_json(report.to_dict())
    else:
        points = f"{counted(report.points, 'structure')} and {counted(report.blocks, 'block')}"
        sys.stdout.write(f"{report.collection}: {points} at {report.location}, {report.way}\n")


def print_json(document: Any) -> None:
    """Print one JSON document."""
    sys.stdout.buffer.write(
        orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    )
    sys.stdout.buffer.flush()
