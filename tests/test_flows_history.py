from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from configs.settings import load_settings
from configs.workspace import ProjectFolder
from flows.errors import FlowError
from flows.report.history import read_report, read_runs, write_report

from reports import made_report


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "runs").glob("*"))


def report_of(day: int, **changes: object) -> object:
    return made_report(f"2026-11-{day:02}T03:15:00+00:00", run_id=f"run {day}", **changes)


def test_a_report_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    report = made_report()
    write_report(ProjectFolder(tmp_path), report, keep=30)
    assert read_report(tmp_path / "report.json") == report
    assert orjson.loads((tmp_path / "report.json").read_bytes())["upload"]["changes"]["moved"] == {
        "count": 3,
        "names": ["Const sample::A (src/a.rs:1)"],
    }
    assert report.to_dict()["upload"]["most_used"][0] == {
        "id": "1",
        "name": "Function sample::old (src/old.rs:5)",
        "change": "changed",
        "references": 1214,
        "tests": 12,
    }
    assert names(tmp_path) == ["20261125T031500Z.html", "20261125T031500Z.json"]
    assert (tmp_path / "runs/20261125T031500Z.json").read_bytes() == (
        tmp_path / "report.json"
    ).read_bytes()
    assert (tmp_path / "report.html").read_bytes().startswith(b"<!DOCTYPE html>")


def test_the_newest_runs_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/notes.html").write_text("mine")
    for day in (3, 1, 2, 4):
        write_report(ProjectFolder(tmp_path), report_of(day), keep=2)  # type: ignore[arg-type]
    assert names(tmp_path) == [
        "20261103T031500Z.html",
        "20261103T031500Z.json",
        "20261104T031500Z.html",
        "20261104T031500Z.json",
        "notes.html",
    ]
    assert [run.report.run_id for run in read_runs(ProjectFolder(tmp_path))] == ["run 3", "run 4"]
    page = (tmp_path / "report.html").read_text()
    assert "runs/20261103T031500Z.html" in page
    assert "over 2 runs" in page


def test_only_the_last_report_is_kept_if_no_history_is_wanted(tmp_path: Path) -> None:
    write_report(ProjectFolder(tmp_path), report_of(1), keep=1)  # type: ignore[arg-type]
    write_report(ProjectFolder(tmp_path), report_of(2), keep=0)  # type: ignore[arg-type]
    assert names(tmp_path) == []
    last = read_report(tmp_path / "report.json")
    assert last is not None
    assert last.run_id == "run 2"
    assert 'href="runs/' not in (tmp_path / "report.html").read_text()


def test_two_runs_of_one_second_keep_their_own_files_and_a_run_reported_twice_has_one(
    tmp_path: Path,
) -> None:
    for run_id in ("a", "b", "b"):
        write_report(ProjectFolder(tmp_path), made_report(run_id=run_id), keep=30)
    assert names(tmp_path)[1::2] == ["20261125T031500Z-2.json", "20261125T031500Z.json"]
    assert [run.report.run_id for run in read_runs(ProjectFolder(tmp_path))] == ["a", "b"]


def test_a_report_that_an_older_version_wrote_is_part_of_the_trend(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    old = made_report("2026-11-01T03:15:00+00:00").to_dict()
    del (
        old["upload"]["changes"],
        old["upload"]["most_used"],
        old["parse"]["crates"],
        old["branch"],
        old["run_id"],
        old["stages"],
    )
    (tmp_path / "runs/20261101T031500Z.json").write_bytes(
        orjson.dumps({**old, "of_a_later_version": 1})
    )
    write_report(ProjectFolder(tmp_path), made_report(), keep=30)
    assert "over 2 runs" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"project": 3}'])
def test_a_damaged_report_is_left_out_and_named(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/20261101T031500Z.json").write_bytes(content)
    write_report(ProjectFolder(tmp_path), made_report(), keep=30)
    assert "20261101T031500Z.json can't be read as a run's report and is left out" in caplog.text
    assert [run.name for run in read_runs(ProjectFolder(tmp_path))] == ["20261125T031500Z"]


@pytest.mark.parametrize("started", ["yesterday", "0001-01-01T00:00:00"])
def test_a_report_with_an_invalid_time_is_left_out_and_named(
    tmp_path: Path, started: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/20261101T031500Z.json").write_bytes(
        orjson.dumps(made_report(started).to_dict())
    )
    write_report(ProjectFolder(tmp_path), made_report(), keep=30)
    assert "20261101T031500Z.json can't be read as a run's report and is left out" in caplog.text


def test_what_a_killed_run_left_behind_is_removed(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/.20261101T031500Z.json.0123.tmp").touch()
    write_report(ProjectFolder(tmp_path), made_report(), keep=30)
    assert names(tmp_path) == ["20261125T031500Z.html", "20261125T031500Z.json"]


def test_a_run_that_is_stopped_while_it_writes_leaves_the_previous_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(ProjectFolder(tmp_path), report_of(1), keep=30)  # type: ignore[arg-type]
    before = (tmp_path / "report.json").read_bytes()
    monkeypatch.setattr(
        "flows.report.history._remove_others", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        write_report(ProjectFolder(tmp_path), report_of(2), keep=30)  # type: ignore[arg-type]
    assert (tmp_path / "report.json").read_bytes() == before


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(
        FlowError, match="the index is published, but its report can't be written: .*runs"
    ):
        write_report(ProjectFolder(tmp_path), made_report(), keep=30)


def test_the_settings_have_a_history_of_thirty_runs_and_no_metrics() -> None:
    flow = load_settings().flow
    assert (flow.keep_reports, flow.metrics_folder) == (30, "")
