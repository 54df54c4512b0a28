from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from configs.settings import FlowSettings, Settings, load_settings
from configs.workspace import ProjectFolder
from flows.report.history import write_report
from flows.report.metrics import write_metrics
from flows.report.publish import publish_report, report_failure

from reports import made_report


def samples(path: Path) -> dict[str, float]:
    """Return the samples as `name{label=value,...}`, without the label of the project."""
    found = {}
    for family in text_string_to_metric_families(path.read_text()):
        assert family.type == "gauge"
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert sample.labels.pop("project") == path.stem.removeprefix("lsif-ingest-")
            found[
                sample.name
                + "".join(f"{{{key}={value}}}" for key, value in sorted(sample.labels.items()))
            ] = sample.value
    return found


@pytest.fixture
def metered(tmp_path: Path) -> FlowSettings:
    return load_settings(
        None, [f"flow.metrics_folder={tmp_path / 'metrics'}", f"paths.data={tmp_path / 'data'}"]
    ).flow


def test_all_metrics_of_a_successful_run_are_written(tmp_path: Path) -> None:
    write_metrics(tmp_path, "sample", made_report(), ended_s=1795576505.0, success=True)
    assert samples(tmp_path / "lsif-ingest-sample.prom") == {
        "lsif_ingest_last_run_timestamp_seconds": 1795576505.0,
        "lsif_ingest_last_run_success": 1.0,
        "lsif_ingest_last_success_timestamp_seconds": 1795576503.2,
        "lsif_ingest_duration_seconds": 3.2,
        "lsif_ingest_stage_duration_seconds{stage=parse}": 0.5,
        "lsif_ingest_stage_duration_seconds{stage=embed text}": 2.0,
        "lsif_ingest_stage_duration_seconds{stage=upload}": 0.3,
        "lsif_ingest_stage_busy_seconds{stage=parse}": 0.5,
        "lsif_ingest_stage_busy_seconds{stage=embed text}": 1.5,
        "lsif_ingest_stage_busy_seconds{stage=upload}": 0.3,
        "lsif_ingest_structures{kind=Function}": 50.0,
        "lsif_ingest_structures{kind=Struct}": 27.0,
        "lsif_ingest_skipped_definitions{reason=local}": 100.0,
        "lsif_ingest_skipped_definitions{reason=external}": 23.0,
        "lsif_ingest_texts{origin=embedded}{vector=text}": 7.0,
        "lsif_ingest_texts{origin=checkpoint}{vector=text}": 60.0,
        "lsif_ingest_texts{origin=duplicate}{vector=text}": 10.0,
        "lsif_ingest_texts{origin=embedded}{vector=code}": 0.0,
        "lsif_ingest_texts{origin=checkpoint}{vector=code}": 77.0,
        "lsif_ingest_texts{origin=duplicate}{vector=code}": 0.0,
        "lsif_ingest_texts{origin=embedded}{vector=blocks}": 8.0,
        "lsif_ingest_texts{origin=checkpoint}{vector=blocks}": 0.0,
        "lsif_ingest_texts{origin=duplicate}{vector=blocks}": 0.0,
        "lsif_ingest_points{of=structures}": 77.0,
        "lsif_ingest_points{of=blocks}": 8.0,
        "lsif_ingest_changed_structures{change=added}": 2.0,
        "lsif_ingest_changed_structures{change=changed}": 1.0,
        "lsif_ingest_changed_structures{change=moved}": 3.0,
        "lsif_ingest_changed_structures{change=deleted}": 0.0,
        "lsif_ingest_refused_points": 0.0,
    }


def test_each_project_has_a_file_of_its_own_and_no_other_is_left(tmp_path: Path) -> None:
    for project in ("a", "a@dev"):
        write_metrics(
            tmp_path / "new", project, made_report(project=project), ended_s=1.0, success=True
        )
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "lsif-ingest-a.prom",
        "lsif-ingest-a@dev.prom",
    ]
    assert samples(tmp_path / "new/lsif-ingest-a@dev.prom")["lsif_ingest_last_run_success"] == 1.0


def test_a_failed_run_is_reported_beside_the_last_successful_one(
    metered: FlowSettings, tmp_path: Path
) -> None:
    write_report(ProjectFolder(tmp_path), made_report(), keep=30)
    with (
        pytest.raises(RuntimeError, match="its own"),
        report_failure(metered, "sample", ProjectFolder(tmp_path)),
    ):
        raise RuntimeError("its own")
    found = samples(tmp_path / "metrics/lsif-ingest-sample.prom")
    assert (found["lsif_ingest_last_run_success"], found["lsif_ingest_points{of=structures}"]) == (
        0.0,
        77.0,
    )
    assert found["lsif_ingest_last_success_timestamp_seconds"] == 1795576503.2
    assert found["lsif_ingest_last_run_timestamp_seconds"] > 1795576503.2 - 1e9


@pytest.mark.parametrize(
    "damage",
    [
        {"started": "yesterday"},
        {"started": "0001-01-01T00:00:00"},
        {"started": 5},
        {"seconds": {"total": "long"}},
        {"stages": [1]},
    ],
)
def test_a_damaged_report_does_not_hide_why_a_run_failed(
    metered: FlowSettings, tmp_path: Path, damage: dict[str, object]
) -> None:
    (tmp_path / "report.json").write_bytes(orjson.dumps({**made_report().to_dict(), **damage}))
    with (
        pytest.raises(RuntimeError, match="its own"),
        report_failure(metered, "sample", ProjectFolder(tmp_path)),
    ):
        raise RuntimeError("its own")
    assert (
        samples(tmp_path / "metrics/lsif-ingest-sample.prom")["lsif_ingest_last_run_success"] == 0.0
    )


@pytest.mark.parametrize("broken", ["read_report", "write_metrics"])
def test_a_defect_of_the_metrics_does_not_hide_why_a_run_failed(
    metered: FlowSettings,
    tmp_path: Path,
    broken: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise TypeError("another")

    monkeypatch.setattr(f"flows.report.publish.{broken}", fail)
    with (
        pytest.raises(RuntimeError, match="its own"),
        report_failure(metered, "sample", ProjectFolder(tmp_path)),
    ):
        raise RuntimeError("its own")
    assert "another" in caplog.text


def test_a_first_run_that_fails_is_reported_with_what_is_known(
    metered: FlowSettings, tmp_path: Path
) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        report_failure(metered, "sample", ProjectFolder(tmp_path)),
    ):
        raise KeyboardInterrupt
    assert sorted(samples(tmp_path / "metrics/lsif-ingest-sample.prom")) == [
        "lsif_ingest_last_run_success",
        "lsif_ingest_last_run_timestamp_seconds",
    ]


def test_metrics_that_can_not_be_written_fail_no_run(
    metered: FlowSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "metrics").write_text("a file")
    publish_report(made_report(), ProjectFolder(tmp_path / "project"), metered)
    assert f"can't write the metrics of sample to {tmp_path / 'metrics'}" in caplog.text
    assert (tmp_path / "project/report.json").is_file()


def test_no_metrics_are_written_if_no_folder_is_set(settings: Settings, tmp_path: Path) -> None:
    publish_report(made_report(), ProjectFolder(tmp_path / "project"), settings.flow)
    with (
        pytest.raises(RuntimeError),
        report_failure(settings.flow, "sample", ProjectFolder(tmp_path / "project")),
    ):
        raise RuntimeError
    assert sorted(path.name for path in tmp_path.rglob("*.prom")) == []
