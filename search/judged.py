"""Queries with known answers, and which hits of a search are answers. Knows no index, no model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeAlias, get_args

from pydantic import BaseModel, Field, StringConstraints, ValidationError, model_validator

from search.errors import EvaluationError
from search.hit import LineRange
from search.limits import ENGINE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Level: TypeAlias = Literal["structure", "file", "line"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""How exactly a hit has to be an answer: see `at_level`."""

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Line = Annotated[int, Field(ge=1)]


class Located(Protocol):
    """What is judged of a hit, such as search.hit.Hit; lines are 1-based and inclusive."""

    @property
    def file_path(self) -> str: ...  # noqa: D102 - the class says it
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def line_from(self) -> int: ...  # noqa: D102
    @property
    def line_to(self) -> int: ...  # noqa: D102


class KnownAnswer(BaseModel, frozen=True, extra="forbid", strict=True):
    """A place that answers a query: a name, lines, or both. Lines are 1-based and inclusive."""

    file_path: _Text
    name: _Text | None = None
    line: _Line | None = None
    line_from: _Line | None = None
    line_to: _Line | None = None
    relevance: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0

    @property
    def lines(self) -> LineRange | None:
        """Its lines, if it has any."""
        first, last = self.line_from or self.line, self.line_to or self.line
        return LineRange(first, last) if first and last else None

    @model_validator(mode="after")
    def _says_where(self) -> KnownAnswer:
        if (self.line_from is None) != (self.line_to is None) or None not in (
            self.line,
            self.line_from,
        ):
            raise ValueError("expected either line, or line_from and line_to")
        if self.name is None and self.lines is None:
            raise ValueError("expected a name, a line, or line_from and line_to")
        if self.lines is not None and self.lines.line_to < self.lines.line_from:
            raise ValueError("expected line_from <= line_to")
        return self


class JudgedQuery(BaseModel, frozen=True, extra="ignore", strict=True):
    """A query and its known answers: none if a search should find nothing.

    Other keys, such as a note, are ignored.
    """

    query: _Text
    kind: str = ""
    project: str = ""
    """Whose records have the answers, in a file about several projects; an evaluation has one."""
    answers: tuple[KnownAnswer, ...] = ()


def read_queries(path: Path) -> list[JudgedQuery]:
    """Return the judged queries of a file with one JSON object per line.

    Raises EvaluationError, which names the line, if one is malformed.
    """
    try:
        with path.open("rb") as file:
            queries = [
                _parse_query(line, f"{path}, line {number}")
                for number, line in enumerate(file, start=1)
                if line.strip()
            ]
    except OSError as exc:
        raise EvaluationError(f"can't read {path}: {exc.strerror or exc}") from exc
    if not queries:
        raise EvaluationError(
            f"{path} contains no query; expected one JSON object per line "
            "with the keys query, kind and answers."
        )
    return queries


def _parse_query(line: bytes, where: str) -> JudgedQuery:
    try:
        judged = JudgedQuery.model_validate_json(line.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise EvaluationError(
            f"{where}: expected UTF-8, "
            f"found byte 0x{line[exc.start]:02x} at column {exc.start + 1}."
        ) from exc
    except ValidationError as exc:
        problems = "; ".join(_describe(dict(error)) for error in exc.errors()[:3])
        raise EvaluationError(f"{where}: {problems}.") from exc
    if len(judged.query) > ENGINE.query:
        raise EvaluationError(
            f"{where}: the query has {len(judged.query):,} characters; "
            f"expected at most {ENGINE.query:,}."
        )
    return judged


def _describe(error: dict[str, Any]) -> str:
    """Return one line, such as `answers[0].line: Input should be a valid integer, found 'x'`."""
    where = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]
    ).lstrip(".")
    what = error["msg"].removeprefix("Value error, ").replace(" at line 1 column", " at column")
    return f"{where}{': ' if where else ''}{what}, found {error['input']!r:.120}"


def matches(hit: Located, answer: KnownAnswer) -> bool:
    """Return whether the hit is the answer: in the same file, of that name, overlapping its lines.

    An answer with a name and lines requires both, so that the module or impl around an item does
    not count as the item.
    """
    if hit.file_path != answer.file_path or answer.name not in (None, hit.name):
        return False
    return (
        answer.lines is None
        or answer.lines.overlap(LineRange(hit.line_from, hit.line_to)) is not None
    )


def at_level(query: JudgedQuery, level: Level) -> JudgedQuery:
    """Return the query with the answers that its hits are compared with.

    `structure`: as they are. `line`: those with lines lose their names, so that any hit that
    overlaps the lines is right. `file`: one whole file for all answers in it, as relevant as the
    best of them.
    """
    if level == "structure":
        return query
    answers = query.answers
    if level == "line":
        nameless = (
            answer if answer.lines is None else answer.model_copy(update={"name": None})
            for answer in answers
        )
        return query.model_copy(update={"answers": tuple(nameless)})
    best: dict[str, float] = {}
    for answer in answers:
        best[answer.file_path] = max(answer.relevance, best.get(answer.file_path, 0.0))
    files = (
        KnownAnswer(file_path=path, line_from=1, line_to=sys.maxsize, relevance=relevance)
        for path, relevance in best.items()
    )
    return query.model_copy(update={"answers": tuple(files)})


def ranked_at_level(hits: Iterable[Located], level: Level) -> list[Located]:
    """Return the ranking that is judged: at level `file`, only the first hit of each file.

    Benchmarks that rank files do the same, such as
    https://github.com/MinishLab/semble/blob/0332378/benchmarks/baselines/colgrep.py
    """
    if level != "file":
        return list(hits)
    first: dict[str, Located] = {}
    for hit in hits:
        first.setdefault(hit.file_path, hit)
    return list(first.values())


def judge(query: JudgedQuery, hits: Iterable[Located]) -> list[float]:
    """Return the gain of each hit.

    That is the relevance of the best answer which it matches and no earlier hit got, or 0.
    """
    answers, gains = sorted(query.answers, key=lambda answer: -answer.relevance), []
    for hit in hits:
        best = next((place for place, answer in enumerate(answers) if matches(hit, answer)), None)
        gains.append(0.0 if best is None else answers.pop(best).relevance)
    return gains


def judge_loosely(query: JudgedQuery, hits: Iterable[Located]) -> list[float]:
    """Return the relevance of the best answer that each hit matches, or 0.

    An answer counts for each hit that matches it. This is the rule of
    https://github.com/Muvon/octocode/blob/8a7b947/benchmark/score.py, there by lines.
    """
    return [
        max((answer.relevance for answer in query.answers if matches(hit, answer)), default=0.0)
        for hit in hits
    ]
