"""The sparse vector: the words that a structure is about, weighted by BM25, identifiers split.

Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009. The rarity of
words (IDF) is not in it: storage.words weighs a query's words. Stems and numbers of words are the
engine's own for English, so that a server computes the same; the weights of documents are computed
here, because most identifiers recur and their numbers can be remembered.
"""

from __future__ import annotations

from array import array
from collections import Counter
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import qdrant_edge as edge

from lsif.identifiers import names_and_numbers, parts_of, plain_name, runs_in

if TYPE_CHECKING:
    from lsif.structure import Structure

_BLANKS = "".join(
    chr(code) if chr(code).isalnum() or chr(code) == "_" else " " for code in range(128)
)
"""ASCII with a blank in the place of each character that ends a run of word characters."""
_AVERAGE_WORDS = 100.0
"""Words of a structure's document, measured on regex, rayon and qdrant; scales the weights."""
_K, _B = 1.2, 0.75
"""The parameters k and b of BM25, the engine's defaults."""
_NAME_WEIGHT = 3
"""Times that the name counts: it is what people remember."""
_REMEMBERED = 100_000
"""Runs of word characters whose numbers are remembered, at most."""


class SparseVector(NamedTuple):
    """Numbers of words, ascending, and their weights; both of one length."""

    indices: list[int]
    values: list[float]


def document_vector(structure: Structure) -> SparseVector:
    """Return the sparse vector of a structure."""
    context = structure.context
    parts = [
        *[structure.name] * _NAME_WEIGHT,
        context.struct_name or "",
        structure.trait_name or "",
        context.file_path,
        structure.module_path,
        structure.docstring or "",
        context.snippet,
    ]
    return text_vector(" ".join(parts))


def text_vector(text: str) -> SparseVector:
    """Return the sparse vector of a document's text."""
    text = plain_name(text)
    runs = text.translate(_BLANKS).split() if text.isascii() else runs_in(text)
    if not text.isascii() and not all(map(str.isascii, runs)):
        # The engine may split words of other scripts further.
        return _plain(_model().embed_document(" ".join(words(text))))
    numbers: list[int] = []
    for run in runs:
        numbers += _NUMBERS[run]
    counts = Counter(numbers)
    indices = sorted(counts)
    length = _K * (1 - _B + _B * len(numbers) / _AVERAGE_WORDS)
    # Few counts are different, and 32 bits is what the engine keeps of a weight.
    different = sorted(set(counts.values()))
    weights = array("f", [count * (_K + 1) / (count + length) for count in different])
    weight_of = dict(zip(different, weights, strict=True))
    return SparseVector(indices, [weight_of[count] for count in map(counts.get, indices)])  # type: ignore[index]


def query_vector(query: str) -> SparseVector:
    """Return the sparse vector of what is searched for."""
    return _plain(_model().embed_query(" ".join(words(query))))


def stems(text: str) -> set[int]:
    """Return the numbers of the words in the text: two words of one stem have one number."""
    return set(query_vector(text).indices)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case: an identifier's parts, and the whole of several.

    >>> words("HTTPServer::f32_vec")
    ['http', 'server', 'httpserver', 'f32', 'vec', 'f32vec']
    """
    found: list[str] = []
    for name in names_and_numbers(plain_name(text)):
        parts = [part.lower() for part in parts_of(name)]
        found += parts
        if len(parts) > 1:
            found.append("".join(parts))
    return found


class _Numbers(dict[str, tuple[int, ...]]):
    """The numbers of the words in a run of word characters; stop words have none."""

    def __missing__(self, run: str) -> tuple[int, ...]:
        if len(self) >= _REMEMBERED:
            self.clear()
        model = _model()
        numbers = [tuple(model.embed_query(word).indices) for word in words(run)]
        self[run] = found = tuple(chain.from_iterable(numbers))
        return found


_NUMBERS = _Numbers()


@cache
def _model() -> edge.Bm25:
    return edge.Bm25(edge.Bm25Config(avg_len=_AVERAGE_WORDS, k=_K, b=_B))


def _plain(vector: edge.SparseVector) -> SparseVector:
    return SparseVector(list(vector.indices), list(vector.values))
