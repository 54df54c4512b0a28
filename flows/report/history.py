"""Reports on disk: `report.json` and `report.html` of a project's last run, the history in `runs`.

Each file is written completely or not at all, and report.json last: it vouches for the others.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import orjson
from pydantic import TypeAdapter

from flows.errors import FlowError
from flows.report.model import IngestReport, Run
from flows.report.page import report_page
from machine.files import atomic_writer, remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from configs.workspace import ProjectFolder

logger = logging.getLogger(__name__)

_NAME = re.compile(r"\d{8}T\d{6}Z(-\d+)?")


def write_report(folder: ProjectFolder, report: IngestReport, *, keep: int) -> None:
    """Write the report into the project's folder and into the history there, `keep` runs long.

    Raises FlowError if the folder can't be written.
    """
    try:
        runs = folder.runs
        name = _free_name(runs, report)
        others = [run for run in read_runs(folder) if run.name != name]
        shown = [*(others[-(keep - 1) :] if keep > 1 else []), Run(name, report)]
        data = orjson.dumps(
            report.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        )
        if keep:
            _write(runs / f"{name}.html", report_page(shown, links=False))
            _write(runs / f"{name}.json", data)
        _remove_others(runs, name, keep)
        _write(folder.report_page, report_page(shown, links=bool(keep)))
        _write(folder.report, data)
    except OSError as exc:
        raise FlowError(
            f"the index is published, but its report can't be written: {exc}. "
            f"Make {folder.path} writable, or free some disk space."
        ) from exc


def read_runs(folder: ProjectFolder) -> list[Run]:
    """Return the history in the project's folder, oldest run first; unreadable files are logged."""
    paths = sorted(folder.runs.glob("*.json"), key=lambda path: _order(path.stem))
    found = ((path.stem, read_report(path)) for path in paths if _NAME.fullmatch(path.stem))
    return [Run(name, report) for name, report in found if report is not None]


def read_report(path: Path) -> IngestReport | None:
    """Return the report that a run wrote; None if there is none, or it is unreadable (logged)."""
    try:
        report = _reports().validate_json(path.read_bytes())
        report.ended_s()  # an invalid time would fail later
    except FileNotFoundError:
        return None
    except (OSError, ValueError, OverflowError) as exc:  # a ValidationError is a ValueError
        logger.warning(
            "%s can't be read as a run's report and is left out: %s",
            path,
            str(exc).partition("\n")[0],
        )
        return None
    return report


@cache
def _reports() -> TypeAdapter[IngestReport]:
    return TypeAdapter(IngestReport)


def _order(name: str) -> tuple[str, int]:
    began, _, number = name.partition("-")
    return began, int(number) if number.isdecimal() else 0


def _free_name(runs: Path, report: IngestReport) -> str:
    """Return the stem of the run's files; a run of the same second keeps its own."""
    with suppress(ValueError):
        began = datetime.fromisoformat(report.started).astimezone(UTC)
        name = f"{began:%Y%m%dT%H%M%SZ}"
        return next(
            candidate
            for candidate in _numbered(name)
            if not (path := runs / f"{candidate}.json").exists() or _is_of(path, report)
        )
    raise FlowError(f"a run began at {report.started!r}: expected a time in ISO 8601.")


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _is_of(path: Path, report: IngestReport) -> bool:
    """Return whether the file is a former report of the same run, or unreadable."""
    other = read_report(path)
    return other is None or (bool(report.run_id) and other.run_id == report.run_id)


def _remove_others(runs: Path, name: str, keep: int) -> None:
    """Remove all runs but the named one and the newest others; other files stay."""
    remove_leftovers(runs, age_s=0)
    found = [
        path
        for path in runs.glob("*")
        if path.suffix in (".html", ".json") and _NAME.fullmatch(path.stem)
    ]
    others = sorted({path.stem for path in found} - {name}, key=_order)
    gone = {*others[: max(0, len(others) - keep + 1)], *(() if keep else (name,))}
    for path in found:
        if path.stem in gone:
            path.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    with atomic_writer(path) as file:
        file.write(data)
