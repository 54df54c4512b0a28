"""Replies to judged queries, and what the former release replied: benchmarks/quality/former.json.

The former release's numbers stand beside those of today, query by query. They are written anew by
`--write-former`, run on that release, whenever queries or their answers change.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from search.calibrate import Sample
from search.evaluate import Judgement, judge_reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from quality_repositories import Half

    from search.answer import Answer
    from search.judged import JudgedQuery, Level

FORMER = Path(__file__).parent / "quality" / "former.json"


@dataclass(frozen=True, slots=True)
class Reply:
    """What was found for a judged query."""

    repository: str
    half: Half
    query: JudgedQuery
    answer: Answer
    taken_out: Answer | None = None
    """The answer as if the index did not hold the known ones; None if there are none."""

    def judged(self, level: Level = "structure") -> Judgement:
        """Return it judged."""
        judgement = judge_reply(self.query, self.answer, level)
        without = None if self.taken_out is None else self.taken_out.confidence
        return replace(judgement, confidence_taken_out=without)

    def samples(self) -> list[Sample]:
        """Return what a confidence is fitted to, of this query."""
        found = [Sample(self.answer.evidence, "answered" if self.query.answers else "foreign")]
        if self.taken_out is not None:
            found.append(Sample(self.taken_out.evidence, "taken out"))
        return found


@dataclass(frozen=True, slots=True)
class Score:
    """How good a reply was, at the level of structures."""

    ndcg_at_10: float
    mrr: float
    answers: str
    """A digest of the answers that were known then; with others, the numbers mean nothing."""

    @classmethod
    def of(cls, reply: Reply) -> Score:
        """Return the score of a reply to a query with answers."""
        metrics = reply.judged().metrics()
        return cls(
            round(metrics["ndcg_at_10"], 4), round(metrics["mrr"], 4), answers_digest(reply.query)
        )


@dataclass(frozen=True, slots=True)
class Former:
    """The scores of a release."""

    release: str
    """Its version and commit, the models, the date and the machine."""
    scores: Mapping[str, Mapping[str, Score]]
    """By repository, then by the text of the query; only queries with answers."""

    @classmethod
    def of(cls, replies: Iterable[Reply], release: str) -> Former:
        """Return what `--write-former` writes."""
        scores: dict[str, dict[str, Score]] = {}
        for reply in replies:
            if reply.query.answers:
                own = scores.setdefault(reply.repository, {})
                own[reply.query.query] = Score.of(reply)
        return cls(release, scores)

    def score(self, reply: Reply) -> Score | None:
        """Return the score of the same query, None if it is new, or has other answers now."""
        score = self.scores.get(reply.repository, {}).get(reply.query.query)
        return score if score and score.answers == answers_digest(reply.query) else None

    def pairs(self, replies: Sequence[Reply]) -> list[tuple[Score, Score]]:
        """Return the former and today's score of the queries that have both."""
        found = [(self.score(reply), reply) for reply in replies]
        return [(score, Score.of(reply)) for score, reply in found if score is not None]

    def write(self, path: Path = FORMER) -> None:
        """Write it as JSON, a query per line."""
        path.write_text(self.to_json(), encoding="utf-8")

    def to_json(self) -> str:
        """Return it as JSON, a query per line."""
        repositories = []
        for name, scores in self.scores.items():
            rows = [
                f"{json.dumps(query)}: {json.dumps(asdict(score))}"
                for query, score in scores.items()
            ]
            repositories.append(f"{json.dumps(name)}: {{\n" + ",\n".join(rows) + "\n}")
        joined = ",\n".join(repositories)
        return f'{{"release": {json.dumps(self.release)}, "scores": {{\n{joined}\n}}}}\n'


def read_former(path: Path = FORMER) -> Former | None:
    """Return what `Former.write` wrote, None if there is no such file."""
    if not path.is_file():
        return None
    fields = json.loads(path.read_text(encoding="utf-8"))
    return Former(
        fields["release"],
        {
            name: {query: Score(**score) for query, score in scores.items()}
            for name, scores in fields["scores"].items()
        },
    )


def answers_digest(query: JudgedQuery) -> str:
    """Return 12 hex digits that change with the known answers."""
    known = json.dumps([answer.model_dump() for answer in query.answers])
    return sha256(known.encode()).hexdigest()[:12]
