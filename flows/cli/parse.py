"""`lsif-ingest parse`: structures.jsonl from a dump, without models and index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from flows.cli.arguments import add_json, add_project, add_settings, output_path, workspace_of
from flows.cli.output import print_result
from flows.cli.termination import unwinding_on_sigterm
from flows.errors import UsageError
from flows.source.source import Source
from machine.files import atomic_writer
from machine.text import counted

if TYPE_CHECKING:
    import argparse

    from configs.workspace import Workspace
    from lsif.ledger import ParseLedger


def add_parse(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `parse`."""
    parser.add_argument(
        "dump",
        type=Path,
        metavar="DUMP",
        help="dump of LSIF or SCIP, plain or compressed with gzip or zstd; - for standard input",
    )
    parser.add_argument(
        "--root",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the sources that the dump describes",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=output_path,
        required=True,
        metavar="FILE",
        help="file to write the structures to, as JSON lines",
    )
    parser.add_argument(
        "--blocks",
        type=output_path,
        metavar="FILE",
        help="file to write the blocks inside structures to",
    )
    parser.add_argument(
        "--places",
        type=output_path,
        metavar="FILE",
        help="file to write the places of all references to, as Parquet; the structures then say "
        "what they refer to",
    )
    parser.add_argument(
        "--report",
        type=output_path,
        metavar="FILE",
        help="file to write the counts (the ledger) to, as JSON",
    )
    add_project(parser)
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_parse)


@unwinding_on_sigterm
def _parse(options: argparse.Namespace) -> None:
    workspace, output, report = workspace_of(options), options.output, options.report
    files = [
        path.resolve()
        for path in (options.dump, output, options.blocks, options.places, report)
        if path is not None
    ]
    if len(set(files)) < len(files):
        raise UsageError(
            "the dump, --output, --blocks, --places and --report must be different files."
        )
    ledger = _parsed(
        workspace, options.dump, options.root, output, blocks=options.blocks, places=options.places
    )
    if report is not None:
        with atomic_writer(report) as file:
            file.write(
                orjson.dumps(
                    ledger.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
                )
            )
    print_result(ledger.to_dict(), _text(ledger, output), as_json=options.json)


def _parsed(
    workspace: Workspace,
    dump: Path,
    root: Path,
    output: Path,
    *,
    blocks: Path | None,
    places: Path | None,
) -> ParseLedger:
    from lsif.extract import parse_dump  # noqa: PLC0415 - 0.2 s, after the arguments' errors

    project = Source(dump=dump, root=root).workspace(workspace).project
    return parse_dump(
        dump,
        root,
        output,
        project=project,
        blocks=blocks,
        places=None if places is None else lambda _digest: places,
        **workspace.settings.parse.model_dump(exclude={"warn_index_share"}),
    )


def _text(ledger: ParseLedger, output: Path) -> str:
    from lsif.ledger import SKIP_REASONS  # noqa: PLC0415 - as above

    dumped, alone = ledger.structures - ledger.from_source, ledger.from_source
    total = f"{ledger.structures:,} structures"
    whence = f"{dumped:,} of {ledger.definitions:,} definitions, {alone:,} from the sources alone"
    what = f"{total} ({whence})" if alone else f"{total} of {ledger.definitions:,} definitions"
    lines = [f"{output}: {what} in {counted(ledger.files_read + ledger.files_from_source, 'file')}"]
    lines += [f"  {count:>8,}  {kind}" for kind, count in ledger.kinds.items()]
    lines += [
        f"  {count:>8,}  skipped, {reason}: {SKIP_REASONS[reason]}"
        for reason, count in ledger.skipped.items()
    ]
    if ledger.by_brackets:
        lines.append(f"  {ledger.by_brackets:>8,}  structures end where their brackets do")
    if ledger.snippets_cut:
        lines.append(f"  {ledger.snippets_cut:>8,}  snippets are a part of their lines")
    if ledger.places_digest:
        lines.append(f"  {ledger.places:>8,}  places refer to structures, or to symbols outside")
    return "\n".join(lines)
