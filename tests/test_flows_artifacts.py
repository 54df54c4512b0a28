"""Artifacts in Prefect. They are written inside one Prefect test server."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from uuid import UUID

import orjson
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows.report import artifacts
from flows.report.artifacts import (
    Progress,
    artifact_key,
    create_artifacts,
    ledger_table,
    report_markdown,
)
from storage.sync import Change

from reports import hostile_report, made_report


def shown(key: str) -> object:
    """Return what the artifact of the key holds."""
    with get_client(sync_client=True) as client:
        (found,) = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        )
        return found.data


class SteppingClock:
    """A clock that advances by a fixed step with each reading; it also records Prefect calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step_s: float) -> None:
        times = itertools.count()
        self.calls: list[tuple[str, float]] = []
        monkeypatch.setattr(artifacts.time, "monotonic", lambda: next(times) * step_s)
        monkeypatch.setattr(artifacts, "_in_a_run", lambda: True)
        monkeypatch.setattr(artifacts, "create_progress_artifact", self._create)
        monkeypatch.setattr(artifacts, "update_progress_artifact", self._update)

    def _create(self, percent: float, *, key: str, **_: object) -> UUID:
        self.calls.append((key, percent))
        return UUID(int=1)

    def _update(self, _: UUID, percent: float) -> None:
        self.calls.append(("update", percent))


@pytest.mark.parametrize(
    ("project", "key"),
    [
        ("sample", "lsif-ingest-sample-report"),
        ("a-b", "lsif-ingest-a-b-report"),
        ("a_b", "lsif-ingest-a-b-648fa9-report"),
        ("Sample@dev", "lsif-ingest-sample-dev-025040-report"),
    ],
)
def test_a_key_is_valid_in_prefect_and_unique_to_its_project(project: str, key: str) -> None:
    assert artifact_key(project, "report") == key


@pytest.mark.parametrize("project", ["sample", "Größe", "项目", "a.b", "a--b", "a-", "<x>"])
def test_keys_of_all_projects_have_letters_digits_and_single_dashes(project: str) -> None:
    assert re.fullmatch(r"lsif-ingest(-[a-z0-9]+)+", artifact_key(project, "report"))


def test_the_ledger_is_a_table_of_steps_and_reasons() -> None:
    assert ledger_table(made_report())[:3] == [
        {
            "step": "definitions → structures",
            "came in": 200,
            "went on": 77,
            "left out": 123,
            "remark": "",
        },
        {"step": "· local", "came in": "", "went on": "", "left out": 100, "remark": ""},
        {"step": "· external", "came in": "", "went on": "", "left out": 23, "remark": ""},
    ]


def test_the_markdown_says_what_changed_and_where_time_went() -> None:
    text = report_markdown(made_report())
    for line in (
        "# Index of `sample`",
        (
            "77 structures and 8 blocks at `0123456789abcdef` with changes; "
            "synced in 3.2 s as `sample--1`."
        ),
        "- 2 added",
        "  - `Function sample::new (src/new.rs:1)`",
        "- 0 deleted",
        "| embed text | 0.4 | 2.0 | 1.5 | 4 |",
        "| text | 77 | 7 | 60 | 10 |",
    ):
        assert line in text.splitlines()


def test_the_markdown_names_few_and_counts_the_rest() -> None:
    report = made_report()
    changes = {"added": Change(300, [f"Function f{number}" for number in range(200)])}
    lines = report_markdown(
        replace(report, upload=replace(report.upload, changes=changes))
    ).splitlines()
    assert lines[lines.index("- 300 added") + 20 : lines.index("- 300 added") + 22] == [
        "  - `Function f19`",
        "  - and 280 more",
    ]


def test_names_in_markdown_stay_inside_their_fence() -> None:
    for line in report_markdown(hostile_report()).splitlines():
        if "script" in line and not line.startswith("|"):
            assert "``" in line
            assert "\u202e" not in line
            assert "\x1b" not in line


def test_a_run_shows_its_report_and_its_ledger(harness: None) -> None:
    @flow
    def shows() -> None:
        create_artifacts(made_report(project="Shown"))

    shows()
    key = artifact_key("Shown", "report")
    assert str(shown(key)).startswith("# Index of `Shown`\n")
    assert (
        orjson.loads(str(shown(key.replace("-report", "-ledger"))))[0]["step"]
        == "definitions → structures"
    )


def test_a_run_shows_how_far_it_is(harness: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "_EVERY_S", 0.0)

    @flow
    def shows() -> None:
        progress = Progress("Far", "embed text")
        for done in (1, 2, 4):
            progress.update(done, 4)

    shows()
    assert shown(artifact_key("Far", "progress-embed-text")) == 100.0


def test_progress_costs_one_call_in_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SteppingClock(monkeypatch, step_s=0.5)
    progress = Progress("p", "embed text")
    for done in range(1, 11):
        progress.update(done, 10)
    progress.update(10, 10)
    assert clock.calls == [
        ("lsif-ingest-p-progress-embed-text", 40.0),
        ("update", 80.0),
        ("update", 100.0),
    ]


def test_what_is_over_soon_makes_no_artifact(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SteppingClock(monkeypatch, step_s=0.1)
    progress = Progress("p", "embed text")
    for done in range(11):
        progress.update(done, 10)
    progress.update(0, 0)
    assert clock.calls == []


def test_a_failure_to_show_fails_no_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SteppingClock(monkeypatch, step_s=3.0)

    def fail(*_: object, **__: object) -> None:
        clock.calls.append(("failed", 0.0))
        raise OSError("no server")

    for name in ("create_markdown_artifact", "create_progress_artifact"):
        monkeypatch.setattr(artifacts, name, fail)
    create_artifacts(made_report())
    assert "the report can't be shown in Prefect: OSError: no server" in caplog.text
    progress = Progress("p", "embed text")
    for done in range(1, 5):
        progress.update(done, 10)
    assert len(clock.calls) == 2  # it is tried once
    assert (
        "lsif-ingest-p-progress-embed-text can no longer be shown in Prefect: OSError: no server"
        in caplog.text
    )


def test_outside_of_a_run_nothing_is_shown_and_no_server_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(artifacts, "create_markdown_artifact", pytest.fail)
    monkeypatch.setattr(artifacts, "create_progress_artifact", pytest.fail)
    monkeypatch.setattr(artifacts, "_EVERY_S", 0.0)
    create_artifacts(made_report())
    Progress("p", "embed").update(1, 2)
