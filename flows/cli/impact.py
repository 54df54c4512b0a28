"""`lsif-ingest impact`: what reaches the structures that changed, and which tests do."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.arguments import (
    add_index,
    add_json,
    add_settings,
    whole_number,
    workspace_of,
)
from flows.cli.output import print_json
from flows.cli.refs import open_chosen_references
from flows.errors import ChangesUnknown, Untested, UsageError
from machine.text import counted, named, one_line
from search import limits
from search.cargo_tests import cargo_test_path

if TYPE_CHECKING:
    import argparse

    from configs.workspace import Workspace
    from search.impact import Impact

logger = logging.getLogger(__name__)

_SHOWN = 20
_NAMED = 3
"""Files or structures that a message names."""


def add_impact(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `impact`."""
    parser.add_argument(
        "--since",
        metavar="REF",
        help="branch, tag or commit to compare the folder with; from where the history of HEAD "
        "left it, if it did (default: the commit that the index is of)",
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="folder of the sources (default: the one that was indexed)",
    )
    parser.add_argument(
        "--depth",
        type=whole_number(1, limits.STEPS),
        default=limits.IMPACT_STEPS,
        metavar="N",
        help=f"maximum number of steps to what reaches a change, 1 to {limits.STEPS} (default: "
        f"{limits.IMPACT_STEPS})",
    )
    parser.add_argument(
        "--limit",
        type=whole_number(1, limits.DEPTH),
        default=_SHOWN,
        metavar="N",
        help=f"maximum number of items in each list (default: {_SHOWN})",
    )
    parser.add_argument(
        "--tests",
        action="store_true",
        help="print only the tests that reach a change, one a line, as `cargo test` calls them",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with 3 if something changed that no test reaches",
    )
    add_index(parser)
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_impact)


def _impact(options: argparse.Namespace) -> None:
    if options.tests and options.json:
        raise UsageError("--tests and --json exclude each other: the JSON has the tests, too.")
    if options.root is not None and not options.root.is_dir():
        raise UsageError(f"there is no folder {options.root}.")
    limit = limits.DEPTH if options.tests else options.limit
    found = _found(workspace_of(options), options.since, options.root, options.depth, limit)
    if options.tests:
        _print_tests(found.impact)
    else:
        _print(found, as_json=options.json)
    if options.check and found.impact.untested.total:
        raise Untested(_untested_text(found.impact))


@dataclass(frozen=True, slots=True)
class _Found:
    """The impact, and of what."""

    project: str
    commit: str
    """That the index is of."""
    dirty: bool
    since: str | None
    """As it was given."""
    since_commit: str
    impact: Impact

    def to_dict(self) -> dict[str, Any]:
        """Return all this as plain data, for --json."""
        return {
            "project": self.project,
            "commit": self.commit,
            "dirty": self.dirty,
            "since": self.since,
            "since_commit": self.since_commit,
            **self.impact.to_dict(),
        }


def _found(
    workspace: Workspace, since: str | None, root: Path | None, depth: int, limit: int
) -> _Found:
    """Return the impact of what changed in the folder `root`, or in the one that was indexed."""
    from flows.stages.changes import find_changes  # noqa: PLC0415 - pyarrow, which --help needs not
    from search.impact import assess  # noqa: PLC0415 - as above
    from search.sources import read_root  # noqa: PLC0415 - as above

    with ExitStack() as stack:
        references, collection = open_chosen_references(workspace, stack)
        generation = references.lookup.generation
        folder = root or read_root(workspace.project_folder(collection))
        if folder is None:
            raise ChangesUnknown(
                f"where the sources of {collection} are on this machine is not known: "
                "name their folder, --root DIR."
            )
        commit, files = find_changes(generation, folder, since)
        impact = assess(references, files, depth=depth, limit=limit)
        made = generation.metadata
        return _Found(collection, made.commit or "", made.dirty, since, commit, impact)


def _print(found: _Found, *, as_json: bool) -> None:
    if as_json:
        print_json(found.to_dict())
    else:
        from flows.cli.changes import print_impact  # noqa: PLC0415 - rich, which JSON needs not

        since = f"{found.since or 'the index was made'} ({found.since_commit[:12]})"
        print_impact(found.impact, found.project, since)


def _print_tests(impact: Impact) -> None:
    """Print the tests, one a line; warn of what they may not be all for."""
    unknown = [file.file_path for file in impact.files if not file.in_index]
    if unknown:
        logger.warning(
            "what reaches %s is not known, which the index does not have: %s",
            counted(len(unknown), "changed file"),
            one_line(named(unknown, _NAMED)),
        )
    if not impact.is_all or impact.tests.total > len(impact.tests.items):
        logger.warning("too much reaches what changed to name all tests: run all of them")
    names = dict.fromkeys(cargo_test_path(test.symbol) for test in impact.tests.items)
    sys.stdout.writelines(f"{one_line(name)}\n" for name in names)


def _untested_text(impact: Impact) -> str:
    names = [changed.symbol for changed in impact.untested.items]
    return (
        f"no test reaches {counted(impact.untested.total, 'changed structure')} in at most "
        f"{counted(impact.depth, 'step')}: {named(names, _NAMED)}."
    )
