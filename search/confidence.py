"""The confidence that the index has an answer to a query.

A logistic regression over the evidence (search.evidence). Its coefficients are fitted to queries
with and without answers (search.calibrate), for each mode by itself, since a mode has its own
retrievers. calibrations/ has those of each packaged model. Similarities of other models mean
something else, so their confidence is not known until it is fitted to them.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from machine.files import atomic_writer
from machine.text import why_malformed
from search.errors import CalibrationError

if TYPE_CHECKING:
    from collections.abc import Mapping

CALIBRATIONS = Path(__file__).with_name("calibrations")
"""One file for each packaged model, by its name."""
VERSION = 2
"""Version of the file. Another meaning of the evidence is another version."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Coefficients for each mode."""

    models: Mapping[str, str]
    """Digest of each vector's fingerprint: the models that it was fitted for."""
    modes: Mapping[str, Mapping[str, float]]
    """For each mode a coefficient per feature, and the intercept under ""."""

    def confidence(self, mode: str, evidence: Mapping[str, float]) -> float | None:
        """Return 0 to 1, or None for a mode that was not fitted, or not to this evidence."""
        coefficients = self.modes.get(mode)
        if coefficients is None or not coefficients.keys() <= {"", *evidence}:
            return None
        total = sum(
            coefficient * (evidence[name] if name else 1.0)
            for name, coefficient in coefficients.items()
        )
        return 1 / (1 + math.exp(-max(-500.0, min(500.0, total))))

    def write(self, path: Path) -> None:
        """Write it as JSON. Raises CalibrationError."""
        try:
            with atomic_writer(path) as file:
                fields = {"version": VERSION, **asdict(self)}
                option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
                file.write(orjson.dumps(fields, option=option))
        except OSError as exc:
            raise CalibrationError(
                f"can't write {path}: {exc.strerror or exc}. Choose another place."
            ) from exc


def packaged_calibrations() -> list[Calibration]:
    """Return the calibrations of the packaged models."""
    return [read_calibration(path) for path in sorted(CALIBRATIONS.glob("*.json"))]


def read_calibration(path: Path) -> Calibration:
    """Return what `write` wrote. Raises CalibrationError, also for a file of another version."""
    try:
        return _parse(orjson.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise CalibrationError(
            f"{path} can't be read as a calibration: {why_malformed(exc)}. "
            "Create one with `lsif-ingest evaluate --calibrate`."
        ) from exc


def _parse(fields: Any) -> Calibration:
    version = fields.get("version", 1)
    if version != VERSION:
        raise ValueError(f"it is of version {version!r}, expected {VERSION}")
    modes = {
        mode: {name: float(value) for name, value in table.items()}
        for mode, table in fields["modes"].items()
    }
    return Calibration({str(name): str(digest) for name, digest in fields["models"].items()}, modes)
