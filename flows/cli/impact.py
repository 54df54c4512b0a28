"""`lsif-ingest impact`: what reaches the structures that changed, and which tests do."""

from __future__ import annotations

import logging
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flows.cli.arguments import (
    add_index,
    add_json,
    add_settings,
    chosen_collection,
    whole_number,
    workspace_of,
)
from flows.cli.output import print_result
from flows.errors import ChangesUnknown, Untested, UsageError
from machine.text import clean, counted
from search import limits
from search.cargo_tests import cargo_test_path

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from configs.workspace import Workspace
    from search.impact import Changed, Impact, Part
    from search.relations import Related, Subject

T = TypeVar("T")

logger = logging.getLogger(__name__)

_SHOWN = 20
_NAMED = 3
"""Structures that a message names."""


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
        default=3,
        metavar="N",
        help=f"maximum number of steps to what reaches a change, 1 to {limits.STEPS} (default: 3)",
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
        print_result(found.to_dict(), "\n".join(_lines(found)), as_json=options.json)
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
    from search.lookup import Lookup  # noqa: PLC0415 - as above
    from search.opening import connect  # noqa: PLC0415 - half a second
    from search.references import open_references  # noqa: PLC0415 - as above
    from search.sources import read_root  # noqa: PLC0415 - as above
    from storage.live import require_live  # noqa: PLC0415 - as above

    with closing(connect(workspace)) as index:
        collection = chosen_collection(workspace, index)
        generation = require_live(index, collection)
        references = open_references(workspace, collection, Lookup(generation))
        folder = root or read_root(workspace.project_folder(collection))
        if folder is None:
            raise ChangesUnknown(
                f"where the sources of {collection} are on this machine is not known: "
                "name their folder, --root DIR."
            )
        commit, files = find_changes(generation, folder, since)
        impact = assess(references, generation.structures, files, depth=depth, limit=limit)
        made = generation.metadata
        return _Found(collection, made.commit or "", made.dirty, since, commit, impact)


def _print_tests(impact: Impact) -> None:
    """Print the tests, one a line; warn of what they may not be all for."""
    unknown = [file.file_path for file in impact.files if not file.in_index]
    if unknown:
        logger.warning(
            "what reaches %s is not known, which the index does not have: %s",
            counted(len(unknown), "changed file"),
            _named(unknown),
        )
    if not impact.is_all or impact.tests.total > len(impact.tests.items):
        logger.warning("too much reaches what changed to name all tests: run all of them")
    names = dict.fromkeys(cargo_test_path(test.symbol) for test in impact.tests.items)
    sys.stdout.writelines(f"{clean(name)}\n" for name in names)


def _lines(found: _Found) -> Iterator[str]:
    """Yield the lines of the text."""
    impact = found.impact
    since = f"{found.since or 'the index was made'} ({found.since_commit[:12]})"
    yield f"{found.project}: {counted(impact.changed.total, 'structure')} changed since {since}"
    yield from _part("Changed, the most used first", impact.changed, _changed_text)
    yield from _part(
        f"What reaches them in at most {_steps(impact.depth)}", impact.reached, _related_text
    )
    yield from _part("Tests that reach them", impact.tests, _related_text)
    if not impact.is_all:
        yield ""
        yield "There is more that reaches them: only the nearest structures were followed."
    unknown = [f"{file.file_path} ({file.state})" for file in impact.files if not file.in_index]
    outside = [file.file_path for file in impact.files if file.outside]
    for what, names in (
        ("Files that the index does not have", unknown),
        ("Lines outside of structures, which are not followed, changed in", outside),
    ):
        if names:
            yield ""
            yield f"{what}: {clean(_named(names, _SHOWN))}"


def _part(title: str, part: Part[T], text: Callable[[T], str]) -> Iterator[str]:
    """Yield the lines of a list, nothing if it is empty."""
    if not part.total:
        return
    more = f", the first {len(part.items):,}" if part.total > len(part.items) else ""
    yield ""
    yield f"{title}: {part.total:,}{more}"
    for item in part.items:
        yield f"  {clean(text(item))}"


def _changed_text(changed: Changed) -> str:
    used = f"used in {counted(changed.references or 0, 'place')}"
    tested = f"reached by {counted(changed.tests, 'test')}"
    if changed.untested:
        tested = "reached by no test"
    return f"{_place(changed)}  ({used}, {tested})"


def _related_text(found: Related) -> str:
    if not found.steps:
        how = "changed itself"
    elif found.through:
        how = f"{_steps(found.steps)}, by {found.through}, which {found.via} implements"
    else:
        how = f"{_steps(found.steps)}, by {found.via}"
    return f"{_place(found)}  ({how}{', guessed' if found.guessed else ''})"


def _place(subject: Subject) -> str:
    place = f"{subject.file_path}:{subject.line_from}-{subject.line_to}"
    return f"{place}  {subject.code_type} {subject.symbol}"


def _steps(number: int) -> str:
    return counted(number, "step")


def _untested_text(impact: Impact) -> str:
    untested = impact.untested
    names = [changed.symbol for changed in untested.items]
    return (
        f"no test reaches {counted(untested.total, 'changed structure')} in at most "
        f"{_steps(impact.depth)}: {_named(names)}."
    )


def _named(names: Sequence[str], most: int = _NAMED) -> str:
    """Return the first of the names."""
    return ", ".join([*names[:most], *(["..."] if len(names) > most else [])])
