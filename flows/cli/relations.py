"""What is related to a structure, for a terminal: lines by file and structure, or a tree."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from machine.text import clean, counted, one_line
from search.relations import Related, UsePlace
from search.symbols import as_written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from search.relations import RelationAnswer, Subject

_LONGEST_LINE = 160
"""Characters. Generated lines can be far longer."""
_INDENT = "  "
_NOUNS = {
    "references": "place",
    "callers": "caller",
    "callees": "callee",
    "implementations": "implementation",
    "tests": "test",
}


def print_relation(answer: RelationAnswer) -> None:
    """Print the target and what is related to it."""
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False, markup=False, emoji=False)
    console.print(title(answer.target))
    if answer.target.signature:
        console.print(Text(_INDENT + _cut(answer.target.signature)))
    console.print(Text(_summary(answer), style="bold"))
    places = [item for item in answer.items if isinstance(item, UsePlace)]
    related = [item for item in answer.items if isinstance(item, Related)]
    for line in _place_lines(places) if places else _tree_lines(related):
        console.print(line)
    shown = answer.offset + len(answer.items)
    if answer.items and shown < answer.total:
        console.print(Text(f"More: --offset {shown}", style="bold yellow"))


def _summary(answer: RelationAnswer) -> str:
    """Return how many items there are, and which of them follow.

    For example `5 callers in at most 2 steps, 3 to 4 shown`.
    """
    total = counted(answer.total, _NOUNS[answer.relation])
    text = total if answer.is_all else f"more than {total}"
    if answer.relation == "tests" or answer.depth > 1:
        text += f" in at most {counted(answer.depth, 'step')}"
    if not answer.items and answer.total:
        return f"{text}, none after the first {answer.offset:,}"
    first, last = answer.offset + 1, answer.offset + len(answer.items)
    return f"{text}, {first:,} to {last:,} shown" if len(answer.items) < answer.total else text


def title(subject: Subject) -> Text:
    """Return where a structure is and what it is called."""
    where = f"{subject.file_path}:{subject.line}" if subject.id else "outside the index"
    title = Text(one_line(where), style="cyan")
    title.append(clean(f"  {subject.code_type} " if subject.id else "  "), style="dim")
    return title.append(one_line(subject.symbol), style="bold")


def _place_lines(places: Sequence[UsePlace]) -> Iterator[Text]:
    """Yield the lines of places, by file and by the structure around them."""
    for file_path, of_file in groupby(places, key=lambda place: place.file_path):
        yield Text()
        yield Text(one_line(file_path), style="cyan")
        rows = list(of_file)
        width = len(str(rows[-1].line))
        for structure, around in groupby(rows, key=lambda place: place.structure):
            indent = _INDENT
            if structure is not None:
                yield Text(_INDENT + one_line(structure), style="bold")
                indent += _INDENT
            for line, there in groupby(around, key=lambda place: place.line):
                yield Text(f"{indent}{line:>{width}}  ", style="dim").append_text(
                    _line(list(there))
                )


def _line(places: Sequence[UsePlace]) -> Text:
    """Return the text of a line, its names marked; where it is not at hand, their columns."""
    text = places[0].text
    if text is None:
        columns = ", ".join(str(place.column) for place in places)
        row = Text(f"column{'s' if len(places) > 1 else ''} {columns}", style="dim")
    else:
        row = Text(clean(text), style="default")
        for place in places:
            row.stylize("bold yellow", *name_span(text, place))
        row = row[len(text) - len(text.lstrip()) :]
        if len(row) > _LONGEST_LINE:
            row = row[: _LONGEST_LINE - 3].append("...")
    kinds = {place.kind for place in places if place.kind}
    row.append("".join(f"  {kind}" for kind in sorted(kinds)), style="dim")
    return row.append("  guessed" if places[0].guessed else "", style="yellow")


def name_span(text: str, place: UsePlace) -> tuple[int, int]:
    """Return where the name is in the text, 0-based, the end exclusive."""
    units = text.encode("utf-16-le")
    ends = (place.column - 1, place.column - 1 + place.length)
    first, last = (len(units[: 2 * end].decode("utf-16-le", "ignore")) for end in ends)
    return first, last


def _tree_lines(related: Sequence[Related]) -> Iterator[Text]:
    """Yield the structures, each below the one a step nearer to the target if that is shown."""
    shown = {item.id for item in related}
    below: dict[str | None, list[Related]] = {}
    for item in related:
        below.setdefault(item.via_id if item.via_id in shown else None, []).append(item)
    yield from _branch(below, None, _INDENT)


def _branch(
    below: Mapping[str | None, Sequence[Related]], parent: str | None, indent: str
) -> Iterator[Text]:
    """Yield the lines of what is below the structure of this id, and so on."""
    for item in below.get(parent, ()):
        yield Text(indent).append_text(title(item)).append_text(_remarks(item, parent))
        if item.id is not None:
            yield from _branch(below, item.id, indent + _INDENT)


def _remarks(item: Related, parent: str | None) -> Text:
    """Return what else is known of an item that is printed below the structure of this id."""
    remarks = Text("  test" if item.is_test else "", style="yellow")
    if item.through is not None:
        remarks.append(one_line(f"  through {short(item.through)}"), style="magenta")
    if item.guessed:
        remarks.append("  guessed", style="yellow")
    if item.via is not None and item.via_id != parent:
        remarks.append(one_line(f"  {item.steps} steps, via {item.via}"), style="dim")
    return remarks


def short(symbol: str) -> str:
    """Return the last two parts of a symbol: `Shape::area`."""
    return "::".join(as_written(symbol).split("::")[-2:])


def _cut(text: str) -> str:
    text = clean(text)
    return text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 3]}..."
