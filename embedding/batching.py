"""Batches of texts of similar length, each with about the same number of tokens.

A batch is as long as its longest text. Shorter ones are padded, and padding costs as much as text.
Texts that are sorted by tokens and cut by their number of tokens leave 1 to 3% of a processor's
passes as padding, even within a work unit of 2,048 texts; batches of a fixed number of unsorted
texts waste half (benchmarks/results/embed.md).

A GPU's passes hold so many tokens that a work unit is only a few of them. There a pass that is
large enough ends before padding grows: it is 17% then instead of 55% in work units of 2,048 texts
of 47 tokens, and 5% instead of 18% in those of 16,384.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


_LARGE = 16_384
"""Tokens in a pass that keep a GPU busy."""
_MOST_PADDING = 0.05
"""The share of a large pass that may be padding."""


def longest_first(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions of the texts, most tokens first; equal ones keep their order."""
    order: NDArray[np.int64] = np.argsort(-tokens, kind="stable")
    return order


def token_batches(tokens: NDArray[np.int64], budget: int) -> Iterator[slice]:
    """Yield ranges of texts that make at most `budget` tokens, padded; at least one text each.

    `tokens` has the length of each text, the longest first. In a batch of more than 16,384 tokens
    at most 5% are padding.

    >>> [(batch.start, batch.stop) for batch in token_batches(np.array([9, 5, 4, 4, 1]), 10)]
    [(0, 1), (1, 3), (3, 5)]
    """
    start = 0
    while start < len(tokens):
        longest = max(1, int(tokens[start]))
        inside = tokens[start : start + max(1, budget // longest)]
        computed = longest * np.arange(1, len(inside) + 1)
        wanted = (computed <= _LARGE) | (computed - np.cumsum(inside) <= _MOST_PADDING * computed)
        # Padding only grows, so the wanted ones come first.
        stop = start + max(1, int(wanted.sum()))
        yield slice(start, stop)
        start = stop


def padding_share(tokens: NDArray[np.int64], batches: list[slice]) -> float:
    """Return the share of padding in the tokens of all passes, 0 to 1."""
    computed = sum(int(tokens[batch].max()) * (batch.stop - batch.start) for batch in batches)
    return 1 - int(tokens.sum()) / computed if computed else 0.0
