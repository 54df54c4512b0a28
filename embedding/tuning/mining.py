"""What a reranker learns from: questions, their answers, and what a search takes for answers.

A reranker puts the first hits of a search into order, so the others that it learns to tell from an
answer are first hits, too: of the same project, found as a search finds them. Some of these are
answers as well, which nobody has noted. They are left out as far as they can be told: copies,
members of the same name in a family of traits and impl blocks, items of the same documentation, and
what is as similar to the question as the answer is.
"""

from __future__ import annotations

import logging
import math
import random
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import orjson

from embedding.text import passage
from embedding.tuning.corpus import body_hash
from embedding.tuning.pairs import MOST_READ, items_of, shown_like, without_docs
from embedding.tuning.retrieval import ProjectIndex
from lsif.structure import Structure
from machine.files import atomic_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from sentence_transformers import SentenceTransformer

    from embedding.tuning.corpus import Corpus
    from embedding.tuning.pairs import Pair
    from embedding.tuning.retrieval import Found, SparseVectors

logger = logging.getLogger(__name__)

SHOWN = 30
"""First hits of a search that are reordered; the default of search.rerank.top."""
OTHERS = 7
"""Items that are shown beside each answer."""
_TOO_SIMILAR = 0.95
"""Share of the answer's similarity to the question from which another item may be an answer, too
(NV-Retriever, arXiv:2407.15831)."""
_MOST_ITEMS = 1000
"""Items of a project that are searched besides the answers."""
_MOST_PAIRS = 200
"""Of a project, where others have more: mining takes its time by project."""
_MOST_TESTED = 30
"""Questions of a project that is held back."""
_ASKED = frozenset({"query", "docs"})
"""Kinds of pairs whose questions are tested: what they ask is not in the item that is searched."""
_TOLD_EVERY_S = 30.0


class Lesson(NamedTuple):
    """A question, its answer, and OTHERS items that are none, as a reranker reads them."""

    question: str
    answer: str
    others: list[str]


class FirstHits(NamedTuple):
    """A question and the SHOWN first hits of a search, as a reranker reads them, best first."""

    question: str
    passages: list[str]
    answer: int
    """Place of the answer among them, -1 if it is not there."""


Mined = TypeVar("Mined", Lesson, FirstHits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """Where candidates come from, and by what they are found."""

    records: Callable[[str], Iterable[Structure]]
    """Returns the records of a project."""
    encoder: SentenceTransformer
    sparse: SparseVectors
    corpus: Corpus
    seed: int

    def lessons(self, name: str, pairs: Sequence[Pair]) -> list[Lesson]:
        """Return the lessons of a project's pairs, without those that have too few others.

        What is held back, or must not be learned, is no other item.
        """
        rng = self._chance(name)
        tested = {pair.item for pair in self.corpus.held_back.get(name, ())}
        project = self._project(name, pairs, rng, tested)
        every = project.index.find([pair.question for pair in pairs])
        lessons = (
            project.lesson(pair, found, rng) for pair, found in zip(pairs, every, strict=True)
        )
        return [lesson for lesson in lessons if lesson is not None]

    def searches(self, name: str, pairs: Sequence[Pair]) -> list[FirstHits]:
        """Return what a search shows first for a project's pairs, at most thirty of them."""
        rng = self._chance(name)
        asked = [pair for pair in pairs if pair.kind in _ASKED]
        asked = rng.sample(asked, min(len(asked), _MOST_TESTED))
        if not asked:
            return []
        project = self._project(name, asked, rng)
        every = project.index.find([pair.question for pair in asked])
        return [project.first_hits(pair, found) for pair, found in zip(asked, every, strict=True)]

    def _chance(self, name: str) -> random.Random:
        return random.Random(f"{self.seed} {name}")  # noqa: S311 - no secret

    def _project(
        self, name: str, pairs: Iterable[Pair], rng: random.Random, without: Collection[str] = ()
    ) -> _Project:
        """Return the items of the pairs, and as many others as are searched."""
        answers = {pair.item for pair in pairs}
        own, others = list[Structure](), list[Structure]()
        for item in items_of(self.records(name)):
            if item.id in answers:
                own.append(item)
            elif item.id not in without and body_hash(item) not in self.corpus.excluded:
                others.append(item)
        items = [*own, *rng.sample(others, min(len(others), _MOST_ITEMS))]
        return _Project(items, ProjectIndex(items, self.encoder, self.sparse))


class _Project:
    """The items of a project that are searched."""

    def __init__(self, items: Sequence[Structure], index: ProjectIndex) -> None:
        self.index = index
        self._items = items
        self._place = {item.id: at for at, item in enumerate(items)}
        self._kin = [_kin(item) for item in items]

    def lesson(self, pair: Pair, found: Found, rng: random.Random) -> Lesson | None:
        """Return the lesson of a pair, None if there are too few others."""
        answer = self._place[pair.item]
        is_less = found.similar < _TOO_SIMILAR * found.similar[answer]
        others = (
            at
            for at in found.order.tolist()
            if at != answer and is_less[at] and self._kin[at].isdisjoint(self._kin[answer])
        )
        first = list(islice(others, SHOWN))
        if len(first) < OTHERS:
            return None
        chosen = [self._items[at] for at in rng.sample(first, OTHERS)]
        return Lesson(pair.question, pair.passage, [shown_like(pair, other) for other in chosen])

    def first_hits(self, pair: Pair, found: Found) -> FirstHits:
        """Return what a search shows first for the question of a pair."""
        first, answer = found.order[:SHOWN].tolist(), self._place[pair.item]
        passages = [passage(without_docs(self._items[at]))[:MOST_READ] for at in first]
        return FirstHits(pair.question, passages, first.index(answer) if answer in first else -1)


def _kin(item: Structure) -> frozenset[object]:
    """Return what an item shares only with those that may answer its questions, too."""
    owner = item.context.struct_name
    return frozenset(
        {
            body_hash(item),
            item.symbol,
            *([(item.name, "of trait", item.trait_name)] if item.trait_name else []),
            *([(item.name, "of type", owner)] if owner else []),
            *([item.docstring] if item.docstring else []),
        }
    )


def choose(corpus: Corpus, count: int, seed: int) -> dict[str, list[Pair]]:
    """Return about `count` pairs to learn from, all there are if they are fewer.

    They are rather many of a few projects than a few of all: a project that is mined for its first
    pair is mined for all.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret
    most = max(_MOST_PAIRS, math.ceil(count / max(1, len(corpus.learned))))
    chosen: dict[str, list[Pair]] = {}
    for name in rng.sample(sorted(corpus.learned), len(corpus.learned)):
        pairs = corpus.learned[name]
        chosen[name] = rng.sample(pairs, min(len(pairs), most))
        count -= len(chosen[name])
        if count <= 0:
            break
    return chosen


def mine_all(
    projects: Mapping[str, list[Pair]],
    mine: Callable[[str, list[Pair]], list[Mined]],
    kind: type[Mined],
    folder: Path,
) -> list[Mined]:
    """Return what is mined of all projects, and keep it in the folder, by project.

    What an earlier run has kept there is not mined again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mined, told = list[Mined](), time.monotonic()
    for number, (name, pairs) in enumerate(projects.items(), start=1):
        path = folder / f"{name}.jsonl"
        if not path.is_file():
            with atomic_writer(path) as file:
                file.writelines(orjson.dumps(tuple(own)) + b"\n" for own in mine(name, pairs))
        mined += [kind(*orjson.loads(line)) for line in path.read_bytes().splitlines()]
        if time.monotonic() - told > _TOLD_EVERY_S or number == len(projects):
            told = time.monotonic()
            left = len(projects) - number
            logger.info("%d questions mined, %d projects left", len(mined), left)
    return mined


def unmined(corpus: Corpus, count: int, seed: int) -> list[Lesson]:
    """Return lessons of any items, to time steps by them."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    pairs = [pair for own in corpus.learned.values() for pair in own]
    return [
        Lesson(pair.question, pair.passage, [rng.choice(pairs).passage for _ in range(OTHERS)])
        for pair in rng.choices(pairs, k=count)
    ]
