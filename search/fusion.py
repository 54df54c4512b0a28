"""How the hits of several vectors become one list. Pure functions of lists."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from search.hit import Hit


def merge(text_hits: Sequence[Hit], code_hits: Sequence[Hit]) -> list[Hit]:
    """Return the text hits, those first that most code hits overlap, then the code hits that overlap none of them.

    The rule of Qdrant's code-search demo (https://qdrant.tech/documentation/tutorials/code-search/, "Code search demo"): where the
    two models find different places, the general one is preferred; where they overlap in a file, the lines are told in
    `sub_matches`. What only the code model finds is not dropped; it follows.
    """
    merged, absorbed = [], set[str]()
    for hit in text_hits:
        overlaps = []
        for other in code_hits:
            overlap = hit.lines.overlap(other.lines) if other.file_path == hit.file_path else None
            if overlap is not None:
                absorbed.add(other.id)
                if overlap not in overlaps:
                    overlaps.append(overlap)
        merged.append(replace(hit, sub_matches=tuple(overlaps)))
    merged.sort(key=lambda hit: -len(hit.sub_matches))  # stable: equals stay in the order of their scores
    return merged + [hit for hit in code_hits if hit.id not in absorbed]
