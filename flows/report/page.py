"""A run's report as one page of HTML, without scripts, that loads nothing and needs no CSS.

Sentences and markup are in `page.html.j2` and its macros in `parts.html.j2`, where every value is
escaped; what the tables show is computed in rows.py.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from configs.workspace import RUNS
from flows.report.charts import BAR_HEIGHT, COLUMNS_HEIGHT, WIDTH
from flows.report.coverage import analysis_text, definitions_text, files_text
from flows.report.model import largest, used_text
from flows.report.rows import (
    CHANGES,
    FILES,
    ORIGINS,
    change_rows,
    count_rows,
    differing,
    duration,
    folder_rows,
    moment,
    stage_rows,
    time_axis_s,
    trends,
    vector_row,
)
from lsif.ledger import SKIP_REASONS, UNREAD_REASONS
from machine.text import clean, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.report.model import Run
    from lsif.coverage import Coverage

_FOLDER = Path(__file__).parent
_FILE_REASONS = {"not_in_dump": "parse.source_items is off, or was when the index was made"}


def report_page(runs: Sequence[Run], *, links: bool) -> bytes:
    """Return the page of the last of the runs; the others, oldest first, are its history.

    With `links` it leads to the pages of the others; without, to the project's newest page.
    """
    report = runs[-1].report
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    crates = {name or "(not known)": count for name, count in report.parse.crates.items()}
    page = _page_template().render(
        style=Markup(style),  # noqa: S704 - our own file
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        links=links,
        runs=runs,
        runs_folder=RUNS,
        report=report,
        differing=differing(report),
        changes=change_rows(report.upload.changes),
        change_names=list(CHANGES),
        kinds=count_rows(report.parse.kinds),
        crates=count_rows(crates),
        coverage_lines=_coverage_lines(report.parse.coverage),
        file_styles=FILES,
        folders=folder_rows(report.parse.coverage.folders if report.parse.coverage else {}),
        end_s=time_axis_s(report),
        stages=stage_rows(report),
        origins=ORIGINS,
        vectors=list(map(vector_row, report.embeddings)),
        trends=trends(runs),
    )
    return page.encode("utf-8", "replace")


def _coverage_lines(coverage: Coverage | None) -> list[str]:
    if coverage is None:
        return []
    lines = [
        f"{counted(coverage.files, 'Rust file')}: {files_text(coverage)}.",
        f"{definitions_text(coverage)}.",
    ]
    return lines if coverage.analysis is None else [*lines, f"{analysis_text(coverage.analysis)}."]


@cache
def _page_template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_cleaned,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        bar_height=BAR_HEIGHT,
        columns_height=COLUMNS_HEIGHT,
        chart_width=WIDTH,
        skip_reasons={**_FILE_REASONS, **UNREAD_REASONS, **SKIP_REASONS},
    )
    environment.filters.update(
        coordinate=_coordinate,
        duration=duration,
        largest=largest,
        moment=moment,
        used_text=used_text,
    )
    return environment.get_template("page.html.j2")


def _cleaned(value: object) -> object:
    """Return what a template writes, without characters that would turn the page's direction."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _coordinate(value: float) -> str:
    """Return a length in a chart with two decimals at most.

    >>> _coordinate(12.5), _coordinate(100.0), _coordinate(1 / 3)
    ('12.5', '100', '0.33')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")
