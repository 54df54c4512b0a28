from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding.batching import longest_first, padding_share, token_batches


@given(tokens=st.lists(st.integers(1, 600), max_size=200), budget=st.integers(1, 3000))
def test_batches_hold_every_text_once_within_the_budget(tokens: list[int], budget: int) -> None:
    lengths = np.array(tokens, dtype=np.int64)
    order = longest_first(lengths)
    ordered = lengths[order]
    batches = list(token_batches(ordered, budget))
    assert [place for batch in batches for place in range(batch.start, batch.stop)] == list(range(len(tokens)))
    assert sorted(order.tolist()) == list(range(len(tokens)))
    for batch in batches:
        size = batch.stop - batch.start
        assert size == 1 or size * int(ordered[batch.start]) <= budget
    assert (np.diff(ordered) <= 0).all()


def test_texts_of_one_length_keep_their_order() -> None:
    assert longest_first(np.array([3, 5, 3, 5])).tolist() == [1, 3, 0, 2]


def test_padding_is_small_where_texts_are_sorted() -> None:
    lengths = np.random.default_rng(0).integers(8, 256, 5000)
    ordered = lengths[longest_first(lengths)]
    assert padding_share(ordered, list(token_batches(ordered, 2048))) < 0.02
    unsorted = [slice(start, start + 32) for start in range(0, 4992, 32)]
    assert padding_share(lengths[:4992], unsorted) > 0.4
    assert padding_share(np.array([], dtype=np.int64), []) == pytest.approx(0)
