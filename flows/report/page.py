"""A run's report as one page of HTML: no script, nothing from elsewhere, readable without its style. All names in it are escaped.

Each chart stands in the table of its numbers, so that nothing is told by a picture or a colour alone.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from flows.report.charts import Piece, bar, columns, swatch
from flows.report.markup import Html, joined, tag
from flows.report.model import tokens_a_second
from flows.report.tables import Cell, chart, head, number, table
from lsif.ledger import SKIP_REASONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flows.report.model import IngestReport, Run
    from storage.sync import Change

RUNS = "runs"
"""Folder of the history, beside the newest page."""

_STYLE = Path(__file__).with_suffix(".css")
_OPEN = 20
"""Names that a list shows at once; a longer one is folded."""
_WAYS = {
    "built": "built anew",
    "synced": "synced: what differs was written to a copy",
    "changed_in_place": "changed in place",
    "unchanged": "left as it was",
}
_CHANGES = {
    "added": "not indexed before",
    "changed": "another text, documentation or signature",
    "moved": "the same text at other lines, or with other counts of references",
    "deleted": "gone",
}


def report_page(runs: Sequence[Run], *, links: bool) -> bytes:
    """Return the page of the last of the runs, with the others, the oldest first, as what came before it.

    With `links` it leads to the pages of the others; without, to the project's newest page.
    """
    report = runs[-1].report
    style = _STYLE.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    pages = tag(
        "main",
        _tiles(report),
        _notes(report),
        _changes(report),
        _ledger(report),
        tag("div", *_structures(report), class_="pair"),
        _stages(report),
        _vectors(report),
        _runs(runs, links=links),
    )
    top = [
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        Html(
            f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\">"
        ),
        tag("title", f"{report.project}: run of {_when(report)}"),
        Html(f"<style>{style}</style>"),
    ]
    page = tag(
        "html", tag("head", *top), tag("body", _header(report, links=links), pages), lang="en"
    )
    return f"<!DOCTYPE html>\n{page}\n".encode("utf-8", "replace")


def _when(report: IngestReport) -> str:
    return report.started.replace("T", " ").replace("+00:00", " UTC") or "an unknown time"


def _header(report: IngestReport, *, links: bool) -> Html:
    commit = joined(
        tag("code", report.commit or ""),
        " with changes that are not committed" if report.dirty else "",
    )
    facts = {
        "branch": report.branch,
        "commit": commit if report.commit else "no git repository",
        "began": _when(report),
        "index": _WAYS.get(report.upload.way, report.upload.way),
        "generation": tag("code", report.upload.generation),
        "place": report.upload.location,
        "Prefect run": tag("code", report.run_id) if report.run_id else "",
    }
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts.items() if value]
    newest = tag(
        "p", tag("a", "The newest run of this project", href="../report.html"), class_="what"
    )
    return tag(
        "header",
        *(() if links else (newest,)),
        tag("h1", "Index of ", report.project),
        tag("dl", *rows, class_="facts"),
    )


def _tiles(report: IngestReport) -> Html:
    changed = (
        sum(one.count for one in report.upload.changes.values())
        if report.upload.changes
        else report.upload.points
    )
    tiles = {
        "structures": f"{report.parse.structures:,}",
        "blocks": f"{report.parse.blocks:,}",
        "points": f"{report.upload.points + report.upload.blocks:,}",
        "texts embedded": f"{report.embedded():,}",
        "structures that differ": f"{changed:,}",
        "time": _seconds(report.seconds.get("total", 0.0)),
    }
    return tag(
        "dl",
        *(tag("div", tag("dt", name), tag("dd", value)) for name, value in tiles.items()),
        class_="tiles",
    )


def _notes(report: IngestReport) -> Html:
    refused = [
        f"refused: {one['label'] or one['id']}: {one['reason']}" for one in report.upload.refused
    ]
    notes = [*report.parse.notes, *refused]
    if not notes:
        return Html("")
    return tag(
        "section",
        tag("h2", "To look at"),
        tag("ul", *(tag("li", tag("bdi", one)) for one in notes)),
        class_="notes",
    )


def _section(title: str, what: str, *content: Html) -> Html:
    name = title.lower().replace(" ", "-")
    return tag(
        "section",
        tag("h2", title, id=name),
        tag("p", what, class_="what"),
        *content,
        aria_labelledby=name,
    )


def _changes(report: IngestReport) -> Html:
    title, changes = "What changed", report.upload.changes
    if not changes:
        return _section(title, "Nothing comparable was live before: all of it is new.")
    most = max(one.count for one in changes.values()) or 1
    rows: list[list[Cell]] = []
    for number_of, (name, change) in enumerate(changes.items()):
        style = ("s2", "s1", "s3", "s1")[min(number_of, 3)]
        drawn = bar(
            f"{change.count:,} {name}",
            [Piece(0, change.count / most, style, f"{change.count:,} {name}")],
        )
        rows.append([head(name, _CHANGES.get(name, "")), chart(drawn), number(change.count)])
    lists = [_names(name, change) for name, change in changes.items() if change.count]
    what = "Structures against what the index held when this run began to write it."
    return _section(
        title, what, table("Structures that differ", ["", "", "structures"], rows), *lists
    )


def _names(name: str, change: Change) -> Html:
    shown = (
        f" (the first {len(change.names):,} by name)" if len(change.names) < change.count else ""
    )
    items = (tag("li", tag("bdi", tag("code", one))) for one in change.names)
    opened = "open" if change.count <= _OPEN else None
    return tag(
        "details", tag("summary", f"{change.count:,} {name}{shown}"), tag("ul", *items), open=opened
    )


def _ledger(report: IngestReport) -> Html:
    rows: list[list[Cell]] = []
    parts: set[int] = set()
    for row in report.ledger():
        left_out = sum(row.left_out.values())
        rows.append(
            [head(row.step, row.remark), *map(number, (row.came_in, row.went_on, left_out))]
        )
        for reason, count in sorted(row.left_out.items(), key=lambda item: (-item[1], item[0])):
            parts.add(len(rows))
            rows.append([head(reason, SKIP_REASONS.get(reason, ""), span=3), number(count)])
    what = "Each step accounts for all that came into it: it went on, or was left out for a reason that stands below the step."
    return _section(
        "Ledger",
        what,
        table("Ledger", ["step", "came in", "went on", "left out"], rows, parts=parts),
    )


def _structures(report: IngestReport) -> list[Html]:
    parts = [_counts("By kind", "kind", report.parse.kinds)]
    if report.parse.crates:
        crates = {name or "(not known)": count for name, count in report.parse.crates.items()}
        parts.append(_counts("By crate", "crate", crates))
    return parts


def _counts(title: str, name: str, counts: Mapping[str, int]) -> Html:
    total, most = sum(counts.values()) or 1, max(counts.values(), default=0) or 1
    rows: list[list[Cell]] = []
    for what, count in sorted(
        counts.items(), key=lambda item: (item[0].startswith("("), -item[1], item[0])
    ):
        told = f"{what}: {count:,} of {total:,}"
        rows.append(
            [
                head(what),
                chart(bar(told, [Piece(0, count / most, "s1", told)])),
                number(count),
                number(f"{count / total:.0%}"),
            ]
        )
    return _section(
        title, f"Structures by {name}.", table(title, [name, "", "count", "share"], rows)
    )


def _stages(report: IngestReport) -> Html:
    end = (
        max(
            [report.seconds.get("total", 0.0), *(one.began_s + one.wall_s for one in report.stages)]
        )
        or 1.0
    )
    rows: list[list[Cell]] = []
    for one in report.stages:
        if not one.tasks:  # it had nothing to do
            continue
        side_by_side = min(one.busy_s, one.wall_s) / end
        title = f"{one.stage}: {_seconds(one.wall_s)} from second {one.began_s:.1f} on, busy for {_seconds(one.busy_s)}"
        pieces = [
            Piece(one.began_s / end, one.wall_s / end, "s1", title, 0.4),
            Piece(one.began_s / end, side_by_side, "s1", title),
        ]
        numbers = [number(f"{value:.2f}") for value in (one.began_s, one.wall_s, one.busy_s)]
        rows.append([head(one.stage), chart(bar(title, pieces)), *numbers, number(one.tasks)])
    axis = tag("span", tag("span", "0 s"), tag("span", f"{end:.1f} s"), class_="ends")
    what = (
        "When each stage was at work. The full colour is the share of its time in which it was busy and did not wait for another; "
        "stages overlap, so their times add up to more than the run's."
    )
    columns_ = ["stage", axis, "began, s", "wall, s", "busy, s", "tasks"]
    return _section("Stages", what, table("Stages", columns_, rows, wide=True))


def _vectors(report: IngestReport) -> Html:
    kinds = {"embedded": "s1", "from the checkpoint": "s2", "duplicates": "s3"}
    legend = tag(
        "ul", *(tag("li", swatch(style), name) for name, style in kinds.items()), class_="legend"
    )
    rows: list[list[Cell]] = []
    for one in report.embeddings:
        counts = dict(zip(kinds, (one.embedded, one.from_checkpoint, one.duplicates), strict=True))
        total, begin, pieces = one.texts or 1, 0.0, list[Piece]()
        for name, count in counts.items():
            pieces.append(Piece(begin, count / total, kinds[name], f"{count:,} {name}"))
            begin += count / total
        title = f"{one.vector}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items())
        share = f"{(one.from_checkpoint + one.duplicates) / total:.0%}" if one.texts else ""
        rate = tokens_a_second(one)
        counted = [number(count) for count in (one.texts, *counts.values())]
        rows.append(
            [
                head(one.vector),
                chart(bar(title, pieces)),
                *counted,
                number(share),
                number(one.cut_off),
                number(rate),
            ]
        )
    names = ["vector", "", "texts", *kinds, "not embedded", "cut off", "tokens/s"]
    what = "Where the vectors come from. A text that is in the checkpoint, or equal to another, costs nothing."
    return _section("Vectors", what, legend, table("Vectors", names, rows, wide=True))


def _runs(runs: Sequence[Run], *, links: bool) -> Html:
    rows: list[list[Cell]] = []
    for place, run in enumerate(reversed(runs)):
        report, changes = run.report, run.report.upload.changes
        when = (
            tag("a", _when(report), href=f"{RUNS}/{run.name}.html")
            if links and place
            else _when(report)
        )
        commit = (
            tag("code", report.commit[:12] + ("+" if report.dirty else "")) if report.commit else ""
        )
        counts = [
            report.parse.structures,
            report.embedded(),
            *(changes[name].count if name in changes else "" for name in _CHANGES),
        ]
        seconds = number(f"{report.seconds.get('total', 0.0):.1f}")
        rows.append(
            [head(when), commit, report.upload.way.replace("_", " "), *map(number, counts), seconds]
        )
    names = ["began", "commit", "index", "structures", "embedded", *_CHANGES, "seconds"]
    what = f"The last {len(runs)} runs that came to their end, this one in full colour; a + stands for changes beside the commit."
    trends = tag(
        "div",
        _trend(
            "structures", [(_when(run.report), run.report.parse.structures, "") for run in runs]
        ),
        _trend(
            "time",
            [(_when(run.report), run.report.seconds.get("total", 0.0), " s") for run in runs],
        ),
        _trend("texts embedded", [(_when(run.report), run.report.embedded(), "") for run in runs]),
        class_="trends",
    )
    return _section(
        "Runs",
        what if len(runs) > 1 else "The only run so far.",
        trends,
        table("Runs", names, rows, wide=True),
    )


def _trend(name: str, values: Sequence[tuple[str, float, str]]) -> Html:
    """Return a chart of a number over the runs, given as (when, number, unit)."""
    told = [f"{value:,.1f}{unit}" if unit else f"{value:,.0f}" for _, value, unit in values]
    title = f"{name} over {len(values)} runs: {told[0]} in the first, {told[-1]} in the last"
    drawn = columns(
        title,
        [(f"{when}: {one}", value) for (when, value, _), one in zip(values, told, strict=True)],
    )
    return tag("figure", tag("figcaption", tag("strong", name), f" {told[-1]}"), drawn)


def _seconds(seconds: float) -> str:
    """Return a time in words.

    >>> _seconds(3.21), _seconds(125)
    ('3.2 s', '2 min 5 s')
    """
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
