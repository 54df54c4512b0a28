"""Whether numbers of two kinds of queries, or of two modes, differ: AUROC and paired bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

_DRAWS_AT_ONCE = 1 << 20
"""Of the bootstrap: 8 MiB of positions, and as much of differences."""
_LEAST_P = 0.01
"""The smallest p that is printed: two digits say no more."""


def auroc(
    confidences_with_answer: Sequence[float], confidences_without: Sequence[float]
) -> float | None:
    """Return the probability that a query with an answer has the higher confidence.

    The other query of the pair is one without an answer; ties count half. None if there are no
    queries of one kind. This is Mann-Whitney U divided by the number of pairs: Hanley & McNeil
    1982, https://doi.org/10.1148/radiology.143.1.7063747
    """
    if 0 in (len(confidences_with_answer), len(confidences_without)):
        return None
    without = np.sort(confidences_without)
    below, up_to = (
        np.searchsorted(without, confidences_with_answer, side) for side in ("left", "right")
    )
    return float((below + up_to).mean() / (2 * len(without)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A mean difference over queries with its 95% interval and its two-sided p."""

    difference: float
    low: float
    high: float
    p: float
    real: bool
    """Whether the interval excludes 0."""

    def __str__(self) -> str:
        p = f"p {self.p:.2f}" if self.p >= _LEAST_P else f"p < {_LEAST_P}"
        interval = f"[{self.low:+z.3f}, {self.high:+z.3f}]"
        verdict = "real" if self.real else "may be chance"
        return f"{self.difference:+z.3f} {interval}, {p}: {verdict}"


def bootstrap(
    a: Sequence[float], b: Sequence[float], rounds: int = 10_000, seed: int = 0
) -> Comparison:
    """Return how b differs from a, a metric of the same queries in two modes.

    Paired bootstrap over queries with a percentile interval: Efron & Tibshirani 1993, chapter 13.
    The interval is too narrow for few queries: with 5 queries, 15% of equal modes count as
    different, with 10 queries 8%.
    """
    if not 0 < len(a) == len(b):
        raise ValueError(
            f"expected a metric of the same queries twice, found {len(a)} and {len(b)} values"
        )
    differences, random = np.subtract(b, a, dtype=np.float64), np.random.default_rng(seed)
    means, step = np.empty(rounds), max(1, _DRAWS_AT_ONCE // len(a))
    for start in range(0, rounds, step):
        part = means[start : start + step]
        part[:] = differences[random.integers(len(a), size=(len(part), len(a)))].mean(axis=1)
    means = means.round(12)  # values that add up to 0 do so in any order
    low, high = map(float, np.percentile(means, (2.5, 97.5)))
    p = min(1.0, 2 * float(min((means <= 0).mean(), (means >= 0).mean())))
    return Comparison(float(differences.mean()), low, high, p, real=low > 0 or high < 0)
