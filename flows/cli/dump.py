"""`lsif-ingest dump`: rust-analyzer, and nothing else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from flows.cli.arguments import add_project, add_ref, add_settings, output_path, workspace_of
from flows.cli.termination import unwinding_on_sigterm
from flows.source.source import Source

if TYPE_CHECKING:
    import argparse


def add_dump(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `dump`."""
    parser.add_argument(
        "--repo", required=True, metavar="DIR|URL", help="Cargo project, or a git URL"
    )
    add_ref(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=output_path,
        required=True,
        metavar="FILE",
        help="file to write the dump to",
    )
    add_project(parser)
    add_settings(parser)
    parser.set_defaults(run=_dump)


@unwinding_on_sigterm
def _dump(options: argparse.Namespace) -> None:
    workspace, output = workspace_of(options), options.output
    source = Source(repo=options.repo, ref=options.ref, subdir=options.subdir)
    source.check()
    from flows.stages.sources import dump_source  # noqa: PLC0415 - a second

    seconds = dump_source(workspace, source, output)
    sys.stdout.write(f"{output}: {output.stat().st_size:,} bytes in {seconds:.1f} s\n")
