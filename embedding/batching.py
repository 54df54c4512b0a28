"""Which texts share a forward pass: those of like length, so many that the pass has about the same number of tokens each time.

A batch is as long as its longest text; what is shorter is padded, and padding costs as much as text. Sorted by tokens and cut by
their number, 1 to 2% of a pass are padding; batches of a fixed number of unsorted texts waste half (benchmarks/results/embed.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


def longest_first(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of the texts, those with most tokens first; equal ones in their order."""
    order: NDArray[np.int64] = np.argsort(-tokens, kind="stable")
    return order


def token_batches(tokens: NDArray[np.int64], budget: int) -> Iterator[slice]:
    """Yield ranges of texts whose number times their longest text's tokens is at most `budget`; at least one text each.

    `tokens` holds the length of each text, the longest first.

    >>> [(batch.start, batch.stop) for batch in token_batches(np.array([9, 5, 4, 4, 1]), 10)]
    [(0, 1), (1, 3), (3, 5)]
    """
    start = 0
    while start < len(tokens):
        stop = min(len(tokens), start + max(1, budget // max(1, int(tokens[start]))))
        yield slice(start, stop)
        start = stop


def padding_share(tokens: NDArray[np.int64], batches: list[slice]) -> float:
    """Return the share (0 to 1) of the tokens of all passes that are padding."""
    computed = sum(int(tokens[batch].max()) * (batch.stop - batch.start) for batch in batches)
    return 1 - int(tokens.sum()) / computed if computed else 0.0
