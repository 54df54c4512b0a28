"""The pairs as rows of text. Each batch is of one project: its negatives are hard to tell apart."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from embedding.tuning.pairs import Pair

_SMALL = "small projects"
"""The dataset that projects share which have less than a batch."""
_AS_CODE = 0.5
"""Share of the items that are shown as their source, not as words; for a query as both."""


class Row(NamedTuple):
    """What a model is given: a question and the item in one of its two forms."""

    question: str
    item: str


def rows_of(learned: Mapping[str, Sequence[Pair]], batch: int, seed: int) -> dict[str, list[Row]]:
    """Return the rows of each project that has at least a batch; small projects share one entry."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    rows: dict[str, list[Row]] = {}
    for name, pairs in sorted(learned.items()):
        own = [row for pair in pairs for row in _rows_of(pair, rng)]
        rows.setdefault(_SMALL if len(own) < batch else name, []).extend(own)
    return {name: own for name, own in sorted(rows.items()) if len(own) >= batch}


def _rows_of(pair: Pair, rng: random.Random) -> list[Row]:
    if pair.kind == "query":
        return [Row(pair.question, pair.text), Row(pair.question, pair.code)]
    return [Row(pair.question, pair.code if rng.random() < _AS_CODE else pair.text)]


def datasets_of(rows: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    """Return a dataset for each entry; the label of a row is its number among all rows."""
    from datasets import Dataset  # noqa: PLC0415 - an extra

    found, first = {}, 0
    for name, own in rows.items():
        columns = {
            "question": [row.question for row in own],
            "item": [row.item for row in own],
            "label": list(range(first, first + len(own))),
        }
        found[name] = Dataset.from_dict(columns)
        first += len(own)
    return found
