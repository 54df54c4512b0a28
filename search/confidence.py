"""The confidence that the index has an answer to a query.

A logistic regression over how well the best hits fit and how far the retrievers agree. Its
coefficients are fitted to queries with and without answers (`lsif-ingest evaluate --calibrate`),
for each mode by itself, since a mode has its own retrievers. calibration.json has those of the
packaged model. Similarities of other models mean something else, so their confidence is not known
until it is fitted to them.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from machine.files import atomic_writer
from machine.text import why_malformed
from search.errors import CalibrationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from search.fusion import Candidate, Retriever

CALIBRATION = Path(__file__).with_name("calibration.json")
_AGREEING: tuple[Retriever, ...] = ("text", "code", "bm25")
_COMPARED = 10
"""First candidates of two retrievers that are compared."""
_STRENGTH = 0.1
"""Inverse regularisation of the fit. With more, correlated features get opposite signs, which fits
a few hundred queries well and all others badly."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Coefficients for each mode."""

    models: Mapping[str, str]
    """Digest of each vector's fingerprint: the models that it was fitted for."""
    modes: Mapping[str, Mapping[str, float]]
    """For each mode a coefficient per feature, and the intercept under ""."""

    def confidence(self, mode: str, evidence: Mapping[str, float]) -> float | None:
        """Return 0 to 1, or None for a mode that was not fitted."""
        coefficients = self.modes.get(mode)
        if coefficients is None or set(coefficients) != {"", *evidence}:
            return None
        total = coefficients[""] + sum(
            coefficients[name] * value for name, value in evidence.items()
        )
        return 1 / (1 + math.exp(-max(-500.0, min(500.0, total))))

    def write(self, path: Path) -> None:
        """Write it as JSON. Raises CalibrationError."""
        try:
            with atomic_writer(path) as file:
                file.write(
                    orjson.dumps(
                        asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
                    )
                )
        except OSError as exc:
            raise CalibrationError(
                f"can't write {path}: {exc.strerror or exc}. Choose another place."
            ) from exc


def read_calibration(path: Path) -> Calibration:
    """Return what `write` wrote. Raises CalibrationError."""
    try:
        fields = orjson.loads(path.read_bytes())
        modes = {
            mode: {name: float(value) for name, value in table.items()}
            for mode, table in fields["modes"].items()
        }
        return Calibration(
            {str(name): str(digest) for name, digest in fields["models"].items()}, modes
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise CalibrationError(
            f"{path} can't be read as a calibration: {why_malformed(exc)}. "
            "Create one with `lsif-ingest evaluate --calibrate`."
        ) from exc


def evidence(retrievers: Mapping[Retriever, Sequence[Candidate]], words: int) -> dict[str, float]:
    """Return what the confidence is computed from.

    By retriever, the score of its best candidate; that of `bm25` is divided by the number of words
    in the query. Under "agreement", the mean share of their first ten that two retrievers have in
    common.
    """
    best = {
        retriever: ranking[0].score if ranking else 0.0 for retriever, ranking in retrievers.items()
    }
    found: dict[str, float] = {
        retriever: score / max(1, words) if retriever == "bm25" else score
        for retriever, score in best.items()
    }
    if len(found) > 1:
        found.pop("blocks", None)  # says little that `code` does not
    first = {
        retriever: {found.id for found in retrievers[retriever][:_COMPARED]}
        for retriever in _AGREEING
        if retriever in retrievers
    }
    shared = [len(ids & others) / _COMPARED for ids, others in combinations(first.values(), 2)]
    return {**found, "agreement": sum(shared) / len(shared)} if shared else found


def fit(evidences: Sequence[Mapping[str, float]], answerable: Sequence[bool]) -> dict[str, float]:
    """Return the coefficients that best separate answerable queries from others.

    Both kinds count alike; "" is the intercept. Raises CalibrationError if either is missing.
    """
    import numpy as np  # noqa: PLC0415 - with the next two: needed for fitting only
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    if len(set(answerable)) < 2:  # noqa: PLR2004 - both
        raise CalibrationError("a calibration needs queries with answers and queries without.")
    names = list(evidences[0])
    features = np.array([[found[name] for name in names] for found in evidences])
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation[deviation == 0] = 1
    model: Any = LogisticRegression(C=_STRENGTH, class_weight="balanced").fit(
        (features - mean) / deviation, np.array(answerable)
    )
    slopes = model.coef_[0] / deviation
    intercept = float(model.intercept_[0] - slopes @ mean)
    return {
        "": round(intercept, 4),
        **{name: round(float(slope), 4) for name, slope in zip(names, slopes, strict=True)},
    }
