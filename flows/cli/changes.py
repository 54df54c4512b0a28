"""What changed and what reaches it, for a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.text import Text

from flows.cli.relations import short, title
from machine.text import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from search.impact import Changed, FileImpact, Impact, Part
    from search.relations import Related, Subject

T = TypeVar("T", bound="Subject")

_INDENT = "  "
_FILES = 20
"""Files that are named."""


def print_impact(impact: Impact, project: str, since: str) -> None:
    """Print the impact of what changed in a project, and since when."""
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False, markup=False, emoji=False)
    number = counted(impact.changed.total, "structure")
    console.print(one_line(f"{number} of {project} changed since {since}"))
    steps = f"in at most {counted(impact.depth, 'step')}"
    for lines in (
        _part("Changed, the most used first", impact.changed, _changed_remarks),
        _part(f"What reaches them {steps}", impact.reached, _remarks),
        _part(f"Tests that reach them {steps}", impact.tests, _remarks),
        _file_lines(impact.files),
    ):
        for line in lines:
            console.print(line)
    if not impact.is_all:
        console.print(Text("There is more: only the nearest were followed.", style="bold yellow"))


def _part(heading: str, part: Part[T], remarks: Callable[[T], Text]) -> Iterator[Text]:
    """Yield the lines of a list, nothing if it is empty."""
    if not part.total:
        return
    shown = len(part.items)
    more = f", the first {shown:,} shown" if shown < part.total else ""
    yield Text()
    yield Text(f"{heading}: {part.total:,}{more}", style="bold")
    for item in part.items:
        yield Text(_INDENT).append_text(title(item)).append_text(remarks(item))


def _changed_remarks(changed: Changed) -> Text:
    remarks = Text(f"  used in {counted(changed.references or 0, 'place')}", style="dim")
    if changed.untested:
        return remarks.append(", reached by no test", style="yellow")
    return remarks.append(f", reached by {counted(changed.tests, 'test')}")


def _remarks(item: Related) -> Text:
    """Return how an item reaches what changed."""
    if not item.steps:
        return Text("  changed itself", style="yellow")
    remarks = Text(f"  {counted(item.steps, 'step')}, via {one_line(item.via or '')}", style="dim")
    if item.through is not None:
        remarks.append(one_line(f"  through {short(item.through)}"), style="magenta")
    return remarks.append("  guessed" if item.guessed else "", style="yellow")


def _file_lines(files: list[FileImpact]) -> Iterator[Text]:
    """Yield which files are not in the index, and in which lines changed that are not followed."""
    unknown = [f"{file.file_path} ({file.state})" for file in files if not file.in_index]
    outside = [file.file_path for file in files if file.outside]
    for heading, names in (
        ("Not in the index", unknown),
        ("Changed outside of structures, which is not followed", outside),
    ):
        if names:
            yield Text()
            yield Text(f"{heading}: {len(names):,}", style="bold")
            yield from (Text(_INDENT + one_line(name), style="cyan") for name in names[:_FILES])
