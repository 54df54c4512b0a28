"""The order of hybrid hits: their fused scores, and how each hit relates to what is asked for.

Definitions of the very name that a query consists of come first, and so do the callers and
implementations that it asks for. Tests, benches, examples, generated code and impl blocks sink,
unless the query asks for them. The constants were chosen with the development half of the judged
queries (benchmarks/quality).
"""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from lsif.identifiers import identifiers_in, is_same, names_and_numbers
from search.asked import folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from configs.settings import SearchSettings
    from search.asked import Asked
    from search.hit import Hit

_LIFT = 100.0
"""What a relation adds to a score, times its closeness: more than any fused score."""
_SIMILAR_NAME, _LEAST_SIMILAR = 10.0, 0.7
"""What the same name adds to a score, and the similarity, 0 to 1, from which a name adds to it."""
_LITERAL = 15.0
"""What a string with all words of the literal adds to a score."""
_TYPES = frozenset({"Struct", "Enum", "Union", "Trait", "TypeAlias", "Class", "Interface"})
_ASIDE = frozenset({"test", "tests", "benches", "benchmarks", "examples", "fuzz"})
"""Folders of code that uses the code which people look for."""
_ASKED_ASIDE = re.compile(r"(?i)\b(?:tests?|tested|testing|examples?|bench(?:es|marks?|marking)?)\b")
_ASKED_IMPL = re.compile(r"(?i)\bimpl(?:s|ements?|ementations?|ementing)?\b")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_OF_NO_OWNER = frozenset({"crate", "self", "super", "Self"})


def ordered(hits: Iterable[Hit], query: str, asked: Asked, settings: SearchSettings) -> list[Hit]:
    """Return the hits with their final scores, best first."""
    aside = 1.0 if _ASKED_ASIDE.search(query) else settings.test_weight
    impl = 1.0 if _ASKED_IMPL.search(query) else settings.impl_weight
    literal = [word.lower() for word in names_and_numbers(asked.literal)]
    similar = _Similarity(asked)
    final = []
    for hit in hits:
        score = hit.score * (aside if is_aside(hit) else 1) * (impl if _is_impl(hit) else 1)
        score += _SIMILAR_NAME * similar.to(hit) + _LITERAL * _literal_share(literal, hit)
        final.append(replace(hit, score=score + _LIFT * closeness(hit, asked)))
    return sorted(final, key=lambda hit: -hit.score)


def is_aside(hit: Hit) -> bool:
    """Return whether the hit is of a test, a bench or an example, or a program wrote it."""
    folders = hit.file_path.split("/")[:-1]
    return hit.is_test or hit.structure.generated or not _ASIDE.isdisjoint(folders)


def closeness(hit: Hit, asked: Asked) -> int:
    """Return how closely the hit is what the query asks for by a name; 0 if it is not."""
    if asked.kind == "identifier":
        return _closeness_of_definition(hit, asked)
    if asked.kind == "implementations":
        return _closeness_of_implementation(hit, asked.name)
    return _closeness_of_caller(hit, asked) if asked.kind == "callers" else 0


def _closeness_of_definition(hit: Hit, asked: Asked) -> int:
    """Prefer, in this order: the spelling, the kind asked for, types, all but modules, no tests."""
    if folded(hit.name) != folded(asked.name) or _is_impl(hit) or not _is_in_path(hit, asked):
        return 0
    preferred = (
        is_same(hit.name, asked.name),
        hit.code_type == asked.code_type,
        hit.code_type in _TYPES,
        hit.code_type != "Module",
        not is_aside(hit),
    )
    return 1 + int("".join(str(int(fact)) for fact in preferred), 2)


def _is_in_path(hit: Hit, asked: Asked) -> bool:
    """Return whether the modules, types and traits that the query names are the hit's."""
    own = {folded(name) for name in identifiers_in(f"{hit.structure.crate} {hit.symbol}")}
    return all(folded(name) in own for name in asked.path[:-1] if name not in _OF_NO_OWNER)


def _closeness_of_implementation(hit: Hit, trait: str) -> int:
    """Prefer impl blocks to types that derive the trait."""
    if _is_impl(hit):
        found = hit.structure.trait_name
        return 4 + (not is_aside(hit)) if found is not None and is_same(found, trait) else 0
    derived = rf"#\[derive\([^)]*\b{re.escape(trait)}\b"
    if hit.code_type in _TYPES and re.search(derived, hit.snippet):
        return 2 + (not is_aside(hit))
    return 0


def _closeness_of_caller(hit: Hit, asked: Asked) -> int:
    """Prefer calls with the owner's name, then other calls, then mentions; no tests."""
    name = re.escape(asked.name)
    if hit.code_type not in {"Function", "Macro"} or folded(hit.name) == folded(asked.name):
        return 0
    code = _COMMENT.sub("", hit.snippet)
    if re.search(rf"\b{name}\b", code) is None:
        return 0
    is_called = re.search(rf"\b{name}(?:!|(?:::<[^()]*>)?\()", code) is not None
    owner = re.escape(asked.path[-2]) if len(asked.path) > 1 else None
    by_owner = owner is None or re.search(rf"\b{owner}(?:::)?(?:<[^()]*>)?::{name}\b", code)
    return 2 + 4 * bool(by_owner) + 2 * is_called + (not is_aside(hit))


def _is_impl(hit: Hit) -> bool:
    return hit.code_type == "Impl"


class _Similarity:
    """How similar names are to the one that a query consists of: it may be misspelt."""

    def __init__(self, asked: Asked) -> None:
        self._is_asked = asked.kind == "identifier"
        self._matcher = SequenceMatcher(None, "", folded(asked.name), autojunk=False)

    def to(self, hit: Hit) -> float:
        """Return 0 to 1."""
        if not self._is_asked:
            return 0.0
        of_impl = hit.structure.context.struct_name if _is_impl(hit) else None
        self._matcher.set_seq1(folded(of_impl or hit.name))
        return max(0.0, self._matcher.ratio() - _LEAST_SIMILAR) / (1 - _LEAST_SIMILAR)


def _literal_share(literal: Sequence[str], hit: Hit) -> float:
    """Return the largest share of the literal's words that one string of the source has in order.

    Messages have values where the source has braces, so words count that stand beside the same
    neighbour in both.
    """
    if not literal:
        return 0.0
    strings = (match[1] for match in _STRING.finditer(hit.snippet))
    return max((_shared(literal, text) for text in strings), default=0.0)


def _shared(literal: Sequence[str], text: str) -> float:
    words = [word.lower() for word in names_and_numbers(text)]
    if len(literal) == 1:
        return float(words == list(literal))
    pairs = set(zip(words, words[1:], strict=False))
    held = [pair in pairs for pair in zip(literal, literal[1:], strict=False)]
    inside = zip([False, *held], [*held, False], strict=True)
    return sum(left or right for left, right in inside) / len(literal)
