"""The pairs of all projects that a model learns from, and those it is tested on."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedding.tuning.kinds import KINDS
from embedding.tuning.pairs import Pair, pairs_of, without_docs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from embedding.tuning.kinds import Kind
    from embedding.tuning.pairs import Questions
    from lsif.structure import Structure

_UNSEEN = re.compile(r"//[^\n]*|\bpub\b(?:\((?:crate|super|self|in [^)]*)\))?")
"""Comments and visibility: what differs between copies."""
_TOKEN = re.compile(r"\w+|[^\w\s,]")
"""A formatter adds and removes only blanks and commas."""
_TELLING = 20
"""Fewest tokens by which a body is told without its name: a unit struct has none of its own."""
_OF_ITEMS = 0.1
"""Share of the items that is held back where there is only one project."""


@dataclass(slots=True)
class Corpus:
    """Pairs by project. No body and no question is in it twice, in whatever project."""

    learned: dict[str, list[Pair]] = field(default_factory=dict)
    held_back: dict[str, list[Pair]] = field(default_factory=dict)
    """What a model is tested on while it is trained; it learns nothing from it."""
    left_out: Counter[str] = field(default_factory=Counter)
    """What is in neither, by the reason why: pairs (`known body`, `known question`, `excluded`),
    or documentation from which no pair was made."""
    excluded: set[bytes] = field(default_factory=set)
    """Hashes of the bodies that must not be learned."""

    def count(self) -> int:
        """Return the number of pairs to learn from."""
        return sum(map(len, self.learned.values()))

    def kinds(self) -> Counter[str]:
        """Return the number of pairs to learn from, by kind."""
        return Counter(pair.kind for pairs in self.learned.values() for pair in pairs)

    def of_one_project(self) -> bool:
        """Return whether what was held back is of the very project that is learned."""
        return bool(self.learned.keys() & self.held_back.keys())


def make_corpus(
    projects: Mapping[str, Iterable[Structure]],
    excluded: Iterable[Structure] = (),
    *,
    questions: Mapping[str, Questions] | None = None,
    kinds: Collection[Kind] = KINDS,
    held_back: float = 0.05,
    seed: int = 0,
) -> Corpus:
    """Return the pairs of the projects' records.

    The share `held_back` of the projects (0 to 0.5; at least one if there are two) is for testing.
    Of a single project a tenth of the items is. What has the body of an `excluded` structure is
    left out wherever it stands. `questions` are those of each project; pairs of other `kinds` than
    these are left out, too.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret
    corpus = Corpus(excluded={body_hash(structure) for structure in excluded})
    known = _Known(corpus.excluded)
    for name, structures in sorted(projects.items()):
        every = pairs_of(
            found := list(structures),
            rng,
            questions=(questions or {}).get(name),
            left_out=corpus.left_out,
        )
        wanted = (pair for pair in every if pair.kind in kinds)
        if new := list(known.new_pairs(found, wanted, corpus.left_out)):
            corpus.learned[name] = new
    if held_back and len(corpus.learned) == 1:
        for name, pairs in corpus.learned.items():
            corpus.learned[name], corpus.held_back[name] = _split(pairs, rng)
    elif held_back and corpus.learned:
        count = max(1, round(len(corpus.learned) * held_back))
        for name in sorted(rng.sample(list(corpus.learned), count)):
            corpus.held_back[name] = corpus.learned.pop(name)
    return corpus


class _Known:
    """Bodies and questions that projects before have had."""

    def __init__(self, forbidden: set[bytes]) -> None:
        self._forbidden = forbidden
        self._bodies, self._questions = set[bytes](), set[str]()

    def new_pairs(
        self, structures: list[Structure], pairs: Iterable[Pair], left_out: Counter[str]
    ) -> Iterator[Pair]:
        """Yield the pairs of a project's structures that are not known; count the others."""
        bodies = {structure.id: body_hash(structure) for structure in structures}
        firsts = {body: item for item, body in reversed(bodies.items())}
        for pair in pairs:
            body, question = bodies[pair.item], pair.question.lower()
            if body in self._forbidden:
                left_out["excluded"] += 1
            elif body in self._bodies or pair.item != firsts[body]:
                left_out["known body"] += 1
            elif pair.kind != "name" and question in self._questions:
                left_out["known question"] += 1
            else:
                self._questions.add(question)
                yield pair
        self._bodies.update(bodies.values())


def body_hash(structure: Structure) -> bytes:
    """Return a hash of the structure's source without its name, docs, comments and layout.

    A copy has the same, whatever it is called and however it is formatted; a very short one must
    have the name, too.
    """
    code = _UNSEEN.sub("", without_docs(structure).context.snippet)
    tokens = _TOKEN.findall(code)
    nameless = [token for token in tokens if token != structure.name]
    told = nameless if len(nameless) >= _TELLING else tokens
    return hashlib.blake2b(" ".join(told).encode(), digest_size=16).digest()


def _split(pairs: list[Pair], rng: random.Random) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs of most items, and those of the items that are held back."""
    items = sorted({pair.item for pair in pairs})
    tested = set(rng.sample(items, round(len(items) * _OF_ITEMS)))
    return (
        [pair for pair in pairs if pair.item not in tested],
        [pair for pair in pairs if pair.item in tested],
    )
