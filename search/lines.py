"""The lines of a hit that contain the words of the query.

Words are compared as in the sparse vector (storage.sparse): identifiers are split and words reduced
to their stems. A word that few lines contain weighs more.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from search.hit import LineMatch
from search.limits import LINES
from storage.sparse import stems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from search.hit import Hit

_LEAST_SCORE = 0.2


def with_lines(hits: Sequence[Hit], query: str) -> list[Hit]:
    """Return the hits with their lines that contain most of the query's words, by weight.

    At most three lines a hit, best first.
    """
    wanted = stems(query)
    texts = [
        [line.rstrip("\r") for line in hit.snippet.removesuffix("\n").split("\n")] for hit in hits
    ]
    held = [[wanted & stems(line) for line in lines] for lines in texts]
    occurrences = Counter(stem for lines in held for stemmed in lines for stem in stemmed)
    total = sum(map(len, texts))
    weights = {stem: math.log(1 + total / (1 + occurrences[stem])) for stem in wanted}
    most = sum(weights.values())
    return [
        replace(
            hit,
            lines=_best(
                hit, lines, [sum(weights[stem] for stem in found) / most for found in stemmed]
            ),
        )
        if most
        else hit
        for hit, lines, stemmed in zip(hits, texts, held, strict=True)
    ]


def _best(hit: Hit, texts: list[str], scores: list[float]) -> tuple[LineMatch, ...]:
    matches = [
        LineMatch(hit.first_line + number, score, text)
        for number, (text, score) in enumerate(zip(texts, scores, strict=True))
        if score >= _LEAST_SCORE
    ]
    return tuple(sorted(matches, key=lambda match: (-match.score, match.line))[:LINES])
