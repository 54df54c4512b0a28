"""Which texts share a forward pass: those of like length, so many that the pass has about the same number of tokens each time.

A batch is as long as its longest text; what is shorter is padded, and padding costs as much as text. Sorted by tokens and cut by
their number, 1 to 3% of a processor's passes are padding, also within a work unit of 2,048 texts; batches of a fixed number of unsorted
texts waste half (benchmarks/results/embed.md). A GPU's passes hold so many tokens that a work unit is few of them: there a pass that
is large enough ends before padding grows. Without that 55% would be padding in work units of 2,048 texts of 47 tokens, with it 17%;
18 and 5% in work units of 16,384.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


_LARGE = 16_384
"""Tokens of a pass that keep a GPU busy."""
_MOST_PADDING = 0.05
"""Share of a large pass."""


def longest_first(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of the texts, those with most tokens first; equal ones in their order."""
    order: NDArray[np.int64] = np.argsort(-tokens, kind="stable")
    return order


def token_batches(tokens: NDArray[np.int64], budget: int) -> Iterator[slice]:
    """Yield ranges of texts whose number times their longest text's tokens is at most `budget`; at least one text each.

    `tokens` holds the length of each text, the longest first. Of more than 16,384 tokens at most 5% are padding.

    >>> [(batch.start, batch.stop) for batch in token_batches(np.array([9, 5, 4, 4, 1]), 10)]
    [(0, 1), (1, 3), (3, 5)]
    """
    start = 0
    while start < len(tokens):
        longest = max(1, int(tokens[start]))
        inside = tokens[start : start + max(1, budget // longest)]
        computed = longest * np.arange(1, len(inside) + 1)
        wanted = (computed <= _LARGE) | (computed - np.cumsum(inside) <= _MOST_PADDING * computed)
        stop = start + max(
            1, int(wanted.sum())
        )  # padding only grows, so what is wanted comes first
        yield slice(start, stop)
        start = stop


def padding_share(tokens: NDArray[np.int64], batches: list[slice]) -> float:
    """Return the share (0 to 1) of the tokens of all passes that are padding."""
    computed = sum(int(tokens[batch].max()) * (batch.stop - batch.start) for batch in batches)
    return 1 - int(tokens.sum()) / computed if computed else 0.0
