"""`lsif-ingest ingest`: a whole run, or with --plan what it would change."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.settings import load_settings
from flows.cli.arguments import (
    add_branch,
    add_json,
    add_project,
    add_ref,
    add_settings,
    workspace_of,
)
from flows.cli.output import print_result
from flows.cli.termination import unwinding_on_sigterm
from flows.source.source import Source
from storage.errors import IndexShrinks

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from configs.workspace import ProjectWorkspace, Workspace

_READ_BY_SEARCH = ("paths", "storage", "search", "embedding")
"""Sections of the settings."""
_OF_ONE_RUN = "storage.min_share_of_last"
"""A key of these sections that no search reads, and that is given for a single run."""


def add_ingest(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ingest`."""
    parser.add_argument(
        "--repo",
        metavar="DIR|URL",
        help="Cargo project, or a git URL; making the dump runs its build scripts",
    )
    add_ref(parser)
    parser.add_argument(
        "--dump", type=Path, metavar="FILE", help="dump of LSIF or SCIP to index; needs --root"
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="folder of the sources that the dump describes",
    )
    parser.add_argument(
        "--structures",
        type=Path,
        metavar="FILE",
        help="structures.jsonl of Qdrant's tutorial or of `parse`; needs no dump and no sources",
    )
    add_project(parser)
    add_branch(parser)
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="replace an index that was made with other models, or from another repository",
    )
    parser.add_argument(
        "--plan", action="store_true", help="print what the run would change, and change nothing"
    )
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_ingest)


@unwinding_on_sigterm
def _ingest(options: argparse.Namespace) -> None:
    workspace = workspace_of(options)
    source = Source(
        repo=options.repo,
        ref=options.ref,
        subdir=options.subdir,
        dump=options.dump,
        root=options.root,
        structures=options.structures,
    )
    source.check()
    if options.plan:
        _plan(workspace, source, as_json=options.json)
        return
    from flows.orchestration import run_ingest  # noqa: PLC0415 - 0.3 s that --plan does not need
    from flows.report.text import report_text  # noqa: PLC0415 - with the above

    report = run_ingest(source, workspace.settings, rebuild=options.rebuild)
    search = search_command(source.workspace(workspace), options.config, options.overrides)
    text = "" if options.json else report_text(report, search)
    print_result(report.to_dict(), text, as_json=options.json)


def _plan(workspace: Workspace, source: Source, *, as_json: bool) -> None:
    """Print what a run would change in the index."""
    from flows.stages.pipeline import plan_run  # noqa: PLC0415 - a second

    planned = plan_run(workspace, source)
    kinds = {"structures": planned.structures, "blocks": planned.blocks}
    would = {"unchanged": "left as it is", "changed_in_place": "changed in place"}
    lines = [f"The index would be {would.get(planned.strategy, planned.strategy)}."]
    for kind, changes in kinds.items():
        counts = [f"{len(labels):,} {name}" for name, labels in changes.parts().items()]
        lines.append(f"  {kind:<11} {', '.join(counts)}, {changes.unchanged:,} unchanged")
    if planned.missing_indexes:
        lines.append(f"  payload indexes to add: {', '.join(planned.missing_indexes)}")
    lines += [
        f"  {name:<8} {label}"
        for name, labels in planned.structures.parts().items()
        for label in labels.values()
    ]
    document: dict[str, Any] = {"way": planned.strategy}
    document |= {kind: changes.to_dict() for kind, changes in kinds.items()}
    document["missing_indexes"] = planned.missing_indexes
    document["refused"] = planned.refused
    print_result(document, "\n".join(lines), as_json=as_json)
    if planned.refused:
        raise IndexShrinks(f"a run would fail: {planned.refused}")


def search_command(project: ProjectWorkspace, config: Path | None, overrides: Sequence[str]) -> str:
    """Return the shell command that searches the project's index.

    It repeats only those settings that a search reads.
    """
    program = sys.argv[0] if sys.argv[0].endswith("lsif-ingest") else f"{sys.executable} -m flows"
    read = [
        each
        for each in overrides
        if each.partition(".")[0].strip() in _READ_BY_SEARCH
        and each.partition("=")[0].strip() != _OF_ONE_RUN
    ]
    without_file = load_settings(None, read)
    needs_file = any(
        getattr(project.settings, section) != getattr(without_file, section)
        for section in _READ_BY_SEARCH
    )
    words = ["--project", project.project]
    words += ["--branch", project.branch] if project.branch else []
    words += ["--config", str(config)] if config and needs_file else []
    words += [word for override in read for word in ("--set", override)]
    return f'{program} search "how do I ..." {shlex.join(words)}'
