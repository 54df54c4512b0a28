from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding.batching import longest_first, padding_share, token_batches


@given(
    tokens=st.lists(st.integers(1, 600), max_size=200),
    budget=st.integers(1, 3000) | st.integers(3000, 300_000),
)
def test_batches_hold_every_text_once_within_the_budget(tokens: list[int], budget: int) -> None:
    lengths = np.array(tokens, dtype=np.int64)
    order = longest_first(lengths)
    ordered = lengths[order]
    batches = list(token_batches(ordered, budget))
    assert [place for batch in batches for place in range(batch.start, batch.stop)] == list(
        range(len(tokens))
    )
    assert sorted(order.tolist()) == list(range(len(tokens)))
    for batch in batches:
        size = batch.stop - batch.start
        computed = size * int(ordered[batch.start])
        assert size == 1 or computed <= budget
        assert size == 1 or computed <= 16_384 or padding_share(ordered, [batch]) <= 0.05
    assert (np.diff(ordered) <= 0).all()


def test_texts_of_one_length_keep_their_order() -> None:
    assert longest_first(np.array([3, 5, 3, 5])).tolist() == [1, 3, 0, 2]


def test_padding_is_small_if_texts_are_sorted() -> None:
    lengths = np.random.default_rng(0).integers(8, 256, 5000)
    ordered = lengths[longest_first(lengths)]
    assert padding_share(ordered, list(token_batches(ordered, 2048))) < 0.02
    unsorted = [slice(start, start + 32) for start in range(0, 4992, 32)]
    assert padding_share(lengths[:4992], unsorted) > 0.4
    assert padding_share(np.array([], dtype=np.int64), []) == pytest.approx(0)


def test_a_large_pass_ends_before_padding_would_grow() -> None:
    lengths = np.random.default_rng(0).gamma(2, 24, 2048).astype(np.int64) + 1
    ordered = lengths[longest_first(lengths)]
    batches = list(token_batches(ordered, 131_072))
    assert padding_share(ordered, batches) < 0.2
    by_the_budget_alone = [slice(0, 131_072 // ordered[0]), slice(131_072 // ordered[0], 2048)]
    assert padding_share(ordered, by_the_budget_alone) > 0.4
    alike = np.full(4000, 64)
    assert [batch.stop - batch.start for batch in token_batches(alike, 131_072)] == [2048, 1952]
