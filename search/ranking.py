"""The order of hybrid hits: their fused scores, and how each hit relates to what is asked for.

Definitions of the very name that a query consists of come first, and so do the callers and
implementations that it asks for. Tests, benches, examples, generated code and impl blocks sink,
unless the query asks for them, and so do further hits of the same file. The constants were chosen
with the development half of the judged queries (benchmarks/quality).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
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
_FEWEST_OF_MESSAGE, _LEAST_OF_MESSAGE = 3, 0.75
"""A query of at least so many words may be a message that nothing marks as one. It is, where one
string has at least this share of them, 0 to 1."""
TYPES = frozenset({"Struct", "Enum", "Union", "Trait", "TypeAlias", "Class", "Interface"})
_ASIDE = frozenset({"test", "tests", "benches", "benchmarks", "examples", "fuzz"})
"""Folders of code that uses the code which people look for."""
_ASKED_ASIDE = re.compile(
    r"(?i)\b(?:tests?|tested|testing|examples?|bench(?:es|marks?|marking)?)\b"
)
_ASKED_IMPL = re.compile(r"(?i)\bimpl(?:s|ements?|ementations?|ementing)?\b")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_MAY_BE_MESSAGES = frozenset({"words", "code"})
"""Kinds of queries that a message without quotes and values is taken for."""
_NO_OWNER = frozenset({"crate", "self", "super", "Self"})


def ordered(hits: Sequence[Hit], query: str, asked: Asked, settings: SearchSettings) -> list[Hit]:
    """Return the hits with their final scores, best first."""
    aside = 1.0 if _ASKED_ASIDE.search(query) else settings.test_weight
    impl = 1.0 if _ASKED_IMPL.search(query) else settings.impl_weight
    message = _Message(asked, query)
    similar = _Similarity(asked)
    relation = Relation.of(asked, hits)
    final = []
    for hit in hits:
        score = hit.score * (aside if is_aside(hit) else 1) * (impl if _is_impl(hit) else 1)
        score += _SIMILAR_NAME * similar.to(hit) + _LITERAL * message.share_in(hit)
        final.append(replace(hit, score=score + relation.lift(hit)))
    return spread(sorted(final, key=lambda hit: -hit.score), settings.file_weight)


def spread(hits: Iterable[Hit], weight: float) -> list[Hit]:
    """Return the hits, best first, so that no file fills the list.

    They must come best first. A hit's score is multiplied by the weight once for each better hit
    of its file, unless the query asks for it by a name.
    """
    better, final = Counter[str](), []
    for hit in hits:
        factor = 1.0 if hit.score >= _LIFT else weight ** better[hit.file_path]
        better[hit.file_path] += 1
        final.append(replace(hit, score=hit.score * factor))
    return sorted(final, key=lambda hit: -hit.score)


def is_aside(hit: Hit) -> bool:
    """Return whether the hit is of a test, a bench or an example, or a program wrote it."""
    folders = hit.file_path.split("/")[:-1]
    return hit.is_test or hit.structure.generated or not _ASIDE.isdisjoint(folders)


@dataclass(frozen=True, slots=True)
class Relation:
    """Which hits a query asks for by a name: definitions, implementations or callers of it."""

    asked: Asked
    implementors: frozenset[str] = frozenset()
    """Names of the types that implement the trait that the query asks about."""

    @classmethod
    def of(cls, asked: Asked, hits: Iterable[Hit]) -> Relation:
        """Return what the query asks for; the hits tell which types implement a trait."""
        if asked.kind != "implementations":
            return cls(asked)
        owners = (hit.structure.context.struct_name for hit in hits if _implements(hit, asked.name))
        return cls(asked, frozenset(owner for owner in owners if owner))

    def lift(self, hit: Hit) -> float:
        """Return what is added to the hit's score: 0 if the query does not ask for it by a name.

        It is more than any fused score, and the more the closer the hit is to what is asked for.
        """
        closeness = {
            "identifier": self._definition,
            "implementations": self._implementation,
            "callers": self._caller,
        }.get(self.asked.kind)
        return 0.0 if closeness is None else _LIFT * _binary(closeness(hit), hit)

    def _definition(self, hit: Hit) -> tuple[bool, ...]:
        """Prefer, in this order, the very spelling, the kind asked for, types, all but modules."""
        asked = self.asked
        if folded(hit.name) != folded(asked.name) or _is_impl(hit) or not self._is_in_path(hit):
            return ()
        return (
            is_same(hit.name, asked.name),
            hit.code_type == asked.code_type,
            hit.code_type in TYPES,
            hit.code_type != "Module",
        )

    def _is_in_path(self, hit: Hit) -> bool:
        """Return whether the modules, types and traits that the query names are the hit's."""
        own = {folded(name) for name in identifiers_in(f"{hit.structure.crate} {hit.symbol}")}
        return all(folded(name) in own for name in self.asked.path[:-1] if name not in _NO_OWNER)

    def _implementation(self, hit: Hit) -> tuple[bool, ...]:
        """Prefer impl blocks to the types that they are of, or that derive the trait."""
        trait = self.asked.name
        if _implements(hit, trait):
            return True, False
        derived = rf"#\[derive\([^)]*\b{re.escape(trait)}\b"
        is_implementor = hit.name in self.implementors or re.search(derived, hit.snippet)
        return (False, True) if hit.code_type in TYPES and is_implementor else ()

    def _caller(self, hit: Hit) -> tuple[bool, ...]:
        """Prefer calls by the owner's name, then other calls, to mentions."""
        asked = self.asked
        if hit.code_type not in {"Function", "Macro"} or folded(hit.name) == folded(asked.name):
            return ()
        code, name = _COMMENT.sub("", hit.snippet), re.escape(asked.name)
        if re.search(rf"\b{name}\b", code) is None:
            return ()
        owner = f"{re.escape(asked.path[-2])}(?:::)?(?:<[^()]*>)?::" if asked.path[1:] else ""
        return (
            re.search(rf"\b{owner}{name}\b", code) is not None,
            re.search(rf"\b{name}(?:!|(?:::<[^()]*>)?\()", code) is not None,
        )


def _binary(facts: tuple[bool, ...], hit: Hit) -> int:
    """Return 0 if there are no facts, else a number that earlier facts make larger than later ones.

    Whether the hit is no test is the last fact.
    """
    ordered_facts = (True, *facts, not is_aside(hit)) if facts else ()
    return sum(fact << place for place, fact in enumerate(reversed(ordered_facts)))


def _is_impl(hit: Hit) -> bool:
    return hit.code_type == "Impl"


def _implements(hit: Hit, trait: str) -> bool:
    """Return whether the hit is an impl block of the trait."""
    found = hit.structure.trait_name
    return _is_impl(hit) and found is not None and is_same(found, trait)


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
        matcher = self._matcher
        matcher.set_seq1(folded(of_impl or hit.name))
        bounds = (matcher.real_quick_ratio, matcher.quick_ratio)  # cheap, and never below the ratio
        if any(bound() <= _LEAST_SIMILAR for bound in bounds):
            return 0.0
        return max(0.0, matcher.ratio() - _LEAST_SIMILAR) / (1 - _LEAST_SIMILAR)


class _Message:
    """The words of a literal, or of a query that may be one."""

    def __init__(self, asked: Asked, query: str) -> None:
        text = query if asked.kind in _MAY_BE_MESSAGES else asked.literal
        words = [word.lower() for word in names_and_numbers(text)]
        fewest, self._least = (1, 0.0) if asked.literal else (_FEWEST_OF_MESSAGE, _LEAST_OF_MESSAGE)
        self._words = words if len(words) >= fewest else []

    def share_in(self, hit: Hit) -> float:
        """Return the largest share of the words, 0 to 1, that one string of the hit has in order.

        Messages have values where the source has braces, so words count that stand beside the same
        neighbour in both.
        """
        if not self._words:
            return 0.0
        strings = (match[1] for match in _STRING.finditer(hit.snippet))
        share = max((_shared(self._words, text) for text in strings), default=0.0)
        return share if share >= self._least else 0.0


def _shared(literal: Sequence[str], text: str) -> float:
    words = [word.lower() for word in names_and_numbers(text)]
    if len(literal) == 1:
        return float(words == list(literal))
    pairs = set(pairwise(words))
    held = [pair in pairs for pair in pairwise(literal)]
    inside = zip([False, *held], [*held, False], strict=True)
    return sum(left or right for left, right in inside) / len(literal)
