"""How well the confidence separates queries with answers from those without."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from quality_repositories import HALVES
from quality_tables import number, table

from search.answer import MODES
from search.confidence import CALIBRATION, Calibration, fit
from search.evaluate import auroc_of
from search.statistics import auroc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quality_replies import Reply
    from quality_sources import QualityIndex

    from search.answer import Answer

MODE = "hybrid"


def confidence_table(replies: Sequence[Reply]) -> list[str]:
    """Return the table of the shipped confidence, and of one fitted to the development half."""
    rows = []
    for half in HALVES:
        own = [reply for reply in replies if reply.half == half]
        if own:
            shipped = number(auroc_of(reply.judged() for reply in own))
            rows.append([half, shipped, *_called_right(own), number(_fitted_auroc(own, replies))])
    headings = ("half", "shipped", "called right of those with an answer", "of those without")
    return table((*headings, "fitted to others of the development half"), rows)


def _called_right(replies: Sequence[Reply]) -> list[str]:
    """Return which shares search.no_answer_below classifies correctly."""
    cells = []
    for known in (True, False):
        sure = [reply.answer.has_answer for reply in replies if bool(reply.query.answers) == known]
        cells.append(f"{np.mean([said == known for said in sure]):.0%}" if sure else "-")
    return cells


def _fitted_auroc(replies: Sequence[Reply], everything: Sequence[Reply]) -> float | None:
    """Return the AUROC, each repository by coefficients fitted to development repositories only.

    Never to itself. None if there is no other one.
    """
    sure: dict[bool, list[float]] = {True: [], False: []}
    for name in dict.fromkeys(reply.repository for reply in replies):
        others = [
            reply for reply in everything if reply.half == HALVES[0] and reply.repository != name
        ]
        if not others:
            return None
        calibration = Calibration({}, {MODE: _fit(others)})
        for reply in replies:
            if reply.repository == name:
                confidence = calibration.confidence(MODE, reply.answer.evidence)
                sure[bool(reply.query.answers)].append(confidence or 0.0)
    return auroc(sure[True], sure[False])


def _fit(replies: Sequence[Reply]) -> dict[str, float]:
    evidences = [reply.answer.evidence for reply in replies]
    return fit(evidences, [bool(reply.query.answers) for reply in replies])


def calibrate(indexes: Sequence[QualityIndex], models: Mapping[str, str]) -> None:
    """Write search/calibration.json, fitted to these indexes; `models` are their digests."""
    known = [bool(query.answers) for index in indexes for query in index.repository.queries()]
    modes: dict[str, dict[str, float]] = {}
    for mode in MODES:
        found: list[list[Answer]] = [index.answers(mode) for index in indexes]
        modes[mode] = fit([answer.evidence for answer in chain(*found)], known)
    Calibration(models, modes).write(CALIBRATION)
