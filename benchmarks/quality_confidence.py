"""How well the confidence separates queries with an answer from those without."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from quality_repositories import HALVES
from quality_tables import number, table

from configs.settings import PACKAGED_PREFIX
from embedding.models import AUTO_MODELS
from search.calibrate import JudgedProject, calibrate, fit
from search.confidence import CALIBRATIONS, Calibration
from search.evaluate import auroc_of, auroc_taken_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quality_replies import Reply
    from quality_sources import QualityIndex

    from search.evaluate import Judgement

MODE = "hybrid"


def confidence_table(replies: Sequence[Reply]) -> list[str]:
    """Return the table of the shipped confidence, and of one fitted to the development half."""
    rows = []
    for half in HALVES:
        own = [reply for reply in replies if reply.half == half]
        if own:
            shipped = _areas([reply.judged() for reply in own])
            rows.append([half, *shipped, *_called_right(own), *_areas(_refitted(own, replies))])
    headings = (
        *("half", "against none", "against taken out"),
        *("called right of those with an answer", "of those with none", "of those taken out"),
        *("refitted: against none", "against taken out"),
    )
    return table(headings, rows)


def _areas(judgements: Sequence[Judgement]) -> list[str]:
    return [number(auroc_of(judgements)), number(auroc_taken_out(judgements))]


def _called_right(replies: Sequence[Reply]) -> list[str]:
    """Return which shares of each sort search.no_answer_below classifies correctly."""
    said = [
        [reply.answer.has_answer for reply in replies if reply.query.answers],
        [not reply.answer.has_answer for reply in replies if not reply.query.answers],
        [not reply.taken_out.has_answer for reply in replies if reply.taken_out is not None],
    ]
    return [f"{np.mean(right):.0%}" if right else "-" for right in said]


def _refitted(replies: Sequence[Reply], everything: Sequence[Reply]) -> list[Judgement]:
    """Return the judgements, each repository's by a fit to others of the development half.

    Empty if there is no other one.
    """
    found: list[Judgement] = []
    for name in dict.fromkeys(reply.repository for reply in replies):
        others = [
            reply for reply in everything if reply.half == HALVES[0] and reply.repository != name
        ]
        if not others:
            return []
        samples = [sample for reply in others for sample in reply.samples()]
        calibration = Calibration({}, {MODE: fit(samples)})
        found += [_rejudged(reply, calibration) for reply in replies if reply.repository == name]
    return found


def _rejudged(reply: Reply, calibration: Calibration) -> Judgement:
    """Return the judgement of the reply with the confidences of another calibration."""
    confidences = [
        calibration.confidence(MODE, answer.evidence) if answer else None
        for answer in (reply.answer, reply.taken_out)
    ]
    return replace(reply.judged(), confidence=confidences[0], confidence_taken_out=confidences[1])


def calibrate_shipped(indexes: Sequence[QualityIndex]) -> None:
    """Write the calibration of the default model, fitted to these indexes."""
    with ExitStack() as stack:
        projects = [
            JudgedProject(stack.enter_context(index.searcher()), index.repository.queries())
            for index in indexes
        ]
        name = AUTO_MODELS[0].removeprefix(PACKAGED_PREFIX)
        calibrate(projects).calibration.write(CALIBRATIONS / f"{name}.json")
