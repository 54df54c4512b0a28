from __future__ import annotations

import math
from pathlib import Path

import orjson
import pytest

from configs.settings import load_settings
from embedding.models import PACKAGED_MODELS, resolve_model
from search.confidence import CALIBRATIONS, Calibration, packaged_calibrations, read_calibration
from search.errors import CalibrationError

# ---- Confidence


CALIBRATED = Calibration(
    {"text": "d1"},
    {
        "text": {"": -2.0, "text": 4.0},
        "merged": {"": 0.0, "text": 1.0, "code": 2.0, "agreement": -3.0},
    },
)


def test_the_confidence_is_a_logistic_function_of_the_evidence() -> None:
    assert CALIBRATED.confidence("text", {"text": 0.5}) == 0.5
    assert CALIBRATED.confidence("text", {"text": 0.0}) == pytest.approx(0.1192, abs=1e-4)
    assert CALIBRATED.confidence("text", {"text": 1.0}) == pytest.approx(0.8808, abs=1e-4)
    assert CALIBRATED.confidence(
        "merged", {"text": 0.5, "code": 0.25, "agreement": 0.0}
    ) == pytest.approx(0.7311, abs=1e-4)


def test_better_evidence_gives_more_confidence_and_extremes_stay_within_0_and_1() -> None:
    values = [
        CALIBRATED.confidence("text", {"text": score})
        for score in (-1e6, -1.0, 0.0, 0.4, 0.6, 1.0, 1e6)
    ]
    assert values == sorted(values, key=lambda value: -1.0 if value is None else value)
    assert values[0] == pytest.approx(0.0)
    assert values[-1] == pytest.approx(1.0)


def test_the_confidence_is_not_known_without_coefficients_or_evidence_for_them() -> None:
    assert CALIBRATED.confidence("hybrid", {"text": 0.5}) is None
    assert CALIBRATED.confidence("merged", {"text": 0.5, "code": 0.5}) is None
    assert CALIBRATED.confidence("text", {}) is None


def test_evidence_without_a_coefficient_does_not_count() -> None:
    assert CALIBRATED.confidence("text", {"text": 0.5, "words": 1.0}) == 0.5


# ---- Files


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    CALIBRATED.write(tmp_path / "calibration.json")
    assert read_calibration(tmp_path / "calibration.json") == CALIBRATED
    written = (tmp_path / "calibration.json").read_bytes()
    assert written.endswith(b"}\n")
    assert list(orjson.loads(written)) == ["version", "models", "modes"]


def test_each_packaged_model_has_a_calibration() -> None:
    assert {path.stem for path in CALIBRATIONS.iterdir()} == set(PACKAGED_MODELS)
    settings = load_settings().embedding
    for name in PACKAGED_MODELS:
        model = f"packaged:{name}"
        digests = {
            vector: resolve_model(own.model_copy(update={"model": model})).fingerprint.digest
            for vector, own in (("text", settings.text), ("code", settings.code))
        }
        (found,) = [known for known in packaged_calibrations() if known.models == digests]
        for mode, coefficients in found.modes.items():
            assert "" in coefficients, mode
            assert all(map(math.isfinite, coefficients.values())), mode


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b'{"version": 2, "models": {}}',
        b'{"version": 2, "models": [], "modes": {}}',
        b'{"version": 2, "models": {}, "modes": {"text": 1}}',
        b'{"version": 2, "models": {}, "modes": {"text": {"": "much"}}}',
        b'{"version": 2, "models": {}, "modes": {"text": {"": null}}}',
        b"\xff",
        None,
    ],
)
def test_what_is_no_calibration_is_named_with_the_command_that_makes_one(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "mine.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        CalibrationError,
        match=r"mine\.json can't be read as a calibration: .*`lsif-ingest evaluate --calibrate`",
    ):
        read_calibration(path)


@pytest.mark.parametrize(("version", "named"), [(b"", "1"), (b'"version": 3, ', "3")])
def test_a_calibration_of_another_version_is_refused(
    version: bytes, named: str, tmp_path: Path
) -> None:
    path = tmp_path / "former.json"
    path.write_bytes(b"{" + version + b'"models": {}, "modes": {"text": {"": 1.0}}}')
    with pytest.raises(
        CalibrationError, match=rf"former\.json .*: it is of version {named}, expected 2\. Create"
    ):
        read_calibration(path)
