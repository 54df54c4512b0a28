"""Answers for a terminal: position, name, signature and the lines to look at, in colour."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from machine.text import clean, counted, one_line

if TYPE_CHECKING:
    from search.answer import Answer
    from search.hit import Hit, LineRange

_LONGEST_LINE = 160
"""Characters. Generated lines can be far longer."""
_INDENT = "     "


def print_answer(answer: Answer, *, lines_shown: int) -> None:
    """Print the answer, with at most `lines_shown` source lines for each hit."""
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False, markup=False, emoji=False)
    commit = (
        f" at {answer.commit[:12]}{' with changes' if answer.dirty else ''}"
        if answer.commit
        else ""
    )
    certainty = "" if answer.confidence is None else f", confidence {answer.confidence:.0%}"
    console.print(
        f"{counted(len(answer.hits), 'hit')} in {clean(answer.project)}{commit}, "
        f"mode {answer.mode}{_asked(answer)}{certainty}"
    )
    if answer.from_references is not None:
        said = answer.from_references.describe()
        console.print(clean(f"{said[0].upper()}{said[1:]}."))
    if not answer.has_answer:
        nearest = "this is what comes nearest" if answer.hits else "nothing was found"
        console.print(Text(f"No good match: {nearest}.", style="bold yellow"))
    groups = {hit_id: group.value for group in answer.groups or () for hit_id in group.ids[:1]}
    for number, hit in enumerate(answer.hits, start=1):
        if hit.id in groups:
            console.print()
            console.print(Text(one_line(groups[hit.id]), style="bold magenta"))
        console.print()
        _print_hit(console, number, hit, lines_shown)


def _asked(answer: Answer) -> str:
    """Return what the query was taken to ask for, as far as that decides the order."""
    known = answer.mode == "hybrid" and answer.query_kind != "words"
    return f" ({answer.query_kind})" if known else ""


def _print_hit(console: Console, number: int, hit: Hit, lines_shown: int) -> None:
    scores = " ".join(f"{retriever} {score:.2f}" for retriever, score in hit.scores.items())
    title = Text(f"{number:>3}. ")
    title.append(one_line(f"{hit.file_path}:{hit.line_from}-{hit.line_to}"), style="cyan")
    title.append(clean(f"  {hit.code_type} "), style="dim")
    title.append(one_line(hit.owned_name), style="bold")
    title.append("  test" if hit.is_test else "", style="yellow")
    title.append("  generated" if hit.structure.generated else "", style="yellow")
    title.append(f"  ({scores})" if scores else "", style="dim")
    console.print(title)
    console.print(Text(_INDENT + _cut(hit.signature)))
    if hit.summary:
        console.print(Text(_INDENT + _cut(hit.summary), style="green"))
    if hit.usage:
        console.print(Text(_INDENT + hit.usage, style="dim"))
    for line in _source_lines(hit, lines_shown):
        console.print(line)


def _source_lines(hit: Hit, most: int) -> list[Text]:
    """Return at most `most` numbered source lines: the matching ones, marked, else the first."""
    texts = [
        clean(line.rstrip("\r"))[:_LONGEST_LINE]
        for line in hit.snippet.removesuffix("\n").split("\n")
    ]
    marked = {match.line for match in hit.lines} or {
        line for lines in hit.ranges for line in _numbers(lines)
    }
    marked &= set(range(hit.first_line, hit.first_line + len(texts)))
    first = max(hit.line, hit.first_line)
    shown = sorted(marked or range(first, hit.first_line + len(texts)))[:most]
    coloured = (
        Syntax("", hit.file_path.rpartition(".")[2] or "text", theme="ansi_dark")
        .highlight("\n".join(texts))
        .split("\n")
    )
    width = len(str(hit.line_to))
    lines = []
    for line in shown:
        row = Text(f"{_INDENT}{'>' if line in marked else ' '} ", style="bold yellow")
        row.append(f"{line:>{width}}  ", style="dim")
        lines.append(row.append_text(coloured[line - hit.first_line]))
    return lines


def _numbers(lines: LineRange) -> range:
    return range(lines.line_from, lines.line_to + 1)


def _cut(text: str) -> str:
    text = clean(text)
    return text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 3]}..."
