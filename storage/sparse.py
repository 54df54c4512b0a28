"""The sparse vector: which words a structure is about, weighted by BM25, with identifiers split as people write them.

Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009. The rarity of words (IDF) is Qdrant's part:
it knows the whole collection. Words are reduced to their stems by the engine's own rule for English, so that a server computes
the same.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import qdrant_edge as edge

if TYPE_CHECKING:
    from lsif.structure import Structure

_IDENTIFIER = re.compile(r"[^\W\d]\w*|\d+")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^\W\d_A-Z]+[0-9]*|[A-Z]+[0-9]*|[0-9]+")
_AVERAGE_WORDS = 100.0
"""Of a structure's document, measured on regex, rayon and qdrant; scales the weights of long ones."""
_NAME_WEIGHT = 3
"""Times that the name counts: it is what people remember."""


class SparseVector(NamedTuple):
    """Numbers of words and their weights, of one length."""

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
    return _plain(_model().embed_document(" ".join(words(" ".join(parts)))))


def query_vector(query: str) -> SparseVector:
    """Return the sparse vector of what is searched for."""
    return _plain(_model().embed_query(" ".join(words(query))))


def stems(text: str) -> set[int]:
    """Return the numbers of the words in the text: two words of one stem have one number."""
    return set(query_vector(text).indices)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case: each identifier's parts, and the whole of those with several.

    >>> words("HTTPServer::f32_vec")
    ['http', 'server', 'httpserver', 'f32', 'vec', 'f32vec']
    """
    found: list[str] = []
    for identifier in _IDENTIFIER.findall(text):
        parts = [part.lower() for part in _PART.findall(identifier)]
        found += parts
        if len(parts) > 1:
            found.append("".join(parts))
    return found


@cache
def _model() -> edge.Bm25:
    return edge.Bm25(edge.Bm25Config(avg_len=_AVERAGE_WORDS))


def _plain(vector: edge.SparseVector) -> SparseVector:
    return SparseVector(list(vector.indices), list(vector.values))
