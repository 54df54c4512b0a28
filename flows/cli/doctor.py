"""`lsif-ingest doctor`: checks what a run needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flows.cli.arguments import add_json, add_project, add_settings, workspace_of
from flows.cli.output import print_json
from flows.doctor.command import examine_workspace, print_findings
from flows.errors import ChecksFailed

if TYPE_CHECKING:
    import argparse


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `doctor`."""
    parser.add_argument("--repo", type=Path, metavar="DIR", help="check this Cargo project, too")
    add_project(parser)
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> None:
    findings = examine_workspace(workspace_of(options), options.repo)
    failed = [finding.check for finding in findings if finding.status == "failed"]
    if options.json:
        print_json({"ok": not failed, "checks": [finding.to_dict() for finding in findings]})
    else:
        print_findings(findings)
    if failed:
        raise ChecksFailed(f"{len(failed)} of {len(findings)} checks failed: {', '.join(failed)}.")
