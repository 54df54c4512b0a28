"""`lsif-ingest doctor`: checks what a run needs."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from flows.cli.arguments import add_json, add_project, add_settings, workspace_of
from flows.cli.output import print_json
from flows.doctor.examination import examine_workspace
from flows.errors import ChecksFailed
from machine.text import clean

if TYPE_CHECKING:
    import argparse

    from flows.doctor.finding import Finding

_STYLES: dict[str, str] = {
    "ok": "green",
    "warning": "yellow",
    "failed": "bold red",
    "skipped": "dim",
}


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
        _print(findings)
    if failed:
        raise ChecksFailed(f"{len(failed)} of {len(findings)} checks failed: {', '.join(failed)}.")


def _print(findings: list[Finding]) -> None:
    """Print a table of the findings; each advice is on a line of its own below what it is about."""
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False, markup=False, emoji=False)
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        line = Text(f"{finding.status:<8} ", style=_STYLES[finding.status])
        line.append(f"{finding.check:<{width}}  ", style="bold")
        line.append(clean(finding.found), style="not bold default")
        console.print(line)
        if finding.advice:
            console.print(Text(f"{'':<{width + 9}}  > {clean(finding.advice)}", style="cyan"))
    counts = Counter[str](finding.status for finding in findings)
    words = {"warning": "warning" if counts["warning"] == 1 else "warnings"}
    summary = (f"{counts[each]} {words.get(each, each)}" for each in _STYLES if counts[each])
    console.print(", ".join(summary))
