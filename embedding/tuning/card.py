"""The card of a trained model: what it was made of, and how good it is. The notice: whose work."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from embedding.tuning.corpus import Corpus
    from embedding.tuning.settings import Tuned, TuneSettings

_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of a project beside its records; "" or None for what is not."""

    name: str
    version: str | None = None
    licence: str | None = None
    repository: str | None = None
    commit: str | None = None

    def is_of(self, project: str) -> bool:
        """Return whether the project is meant: `NAME` or `NAME-VERSION`."""
        return project in (self.name, f"{self.name}-{self.version}")


def card(corpus: Corpus, settings: TuneSettings, tuned: Tuned, about: Mapping[str, About]) -> str:
    """Return the card as Markdown. `about` has what is known of a project by its name."""
    parts = (
        _head(settings),
        _scores(corpus, settings, tuned),
        _use_reranker() if settings.reranker else _use(),
        _training(settings, tuned),
        _data(corpus, about),
    )
    return "\n".join(line for part in parts for line in part)


def notice(settings: TuneSettings, projects: Iterable[str], about: Mapping[str, About]) -> str:
    """Return whose work the model was made of, as text: its licence follows from theirs."""
    lines = [
        "This model was made from others' work. Their licences apply to it as they do to any work",
        "that is derived from theirs.",
        "",
        f"Weights: {settings.base.name}",
        *([f"Teacher: {settings.teacher.name}"] if settings.teacher else []),
        "",
        "Source code and its documentation:",
    ]
    for name in sorted(projects):
        known = about.get(name, About(name=name))
        licence = known.licence or f"licence {_UNKNOWN}"
        lines.append(f"  {name}: {licence} {known.repository or ''}".rstrip())
    return "\n".join([*lines, ""])


def _head(settings: TuneSettings) -> Iterator[str]:
    if settings.reranker:
        yield f"# A reranker of Rust code, from {settings.base.name}"
        yield ""
        yield "Made by `lsif-ingest tune --reranker`: it reads a question and an item that a search"
        yield "has found, and tells how well that answers."
    else:
        yield f"# An encoder of Rust code, from {settings.base.name}"
        yield ""
        yield "Made by `lsif-ingest tune`: questions are near to the code that answers them."
    yield ""


def _scores(corpus: Corpus, settings: TuneSettings, tuned: Tuned) -> Iterator[str]:
    if not tuned.after:
        yield "It was not scored: nothing was held back that has documentation."
        yield ""
        return
    yield "| items as | mean reciprocal rank before | after | first before | after | questions |"
    yield "|---|---:|---:|---:|---:|---:|"
    for kind, after in tuned.after.items():
        before = tuned.before[kind]
        yield (
            f"| {kind} | {before.reciprocal_rank:.3f} | {after.reciprocal_rank:.3f} "
            f"| {before.first:.3f} | {after.first:.3f} | {after.questions:,} |"
        )
    yield ""
    if settings.reranker:
        yield "Before: the order of a hybrid search by the base. After: its first 30 hits in the"
        yield "order of the reranker. An answer that is not among these counts 0 in both."
    if corpus.of_one_project():
        yield "The questions are about a tenth of the items, from which it did not learn. The other"
        yield "items are of the same project: of projects that it does not know it finds less."
    else:
        yield "The questions are about projects that it did not learn from, each searched alone:"
        yield f"{', '.join(corpus.held_back)}."
    yield ""


def _use() -> Iterator[str]:
    yield "## Use"
    yield ""
    yield "    lsif-ingest ingest --repo DIR --rebuild \\"
    yield "        --set embedding.text.model=THIS_FOLDER --set embedding.code.model=THIS_FOLDER"
    yield ""
    yield "Searches need the same settings; a file given by --config keeps them. Another file in"
    yield "this folder, or a changed one, makes it another model, whose vectors are computed again."
    yield ""
    yield "It was trained on English questions and Rust, and reads other languages no better than"
    yield "the model that it was made from."
    yield ""


def _use_reranker() -> Iterator[str]:
    yield "## Use"
    yield ""
    yield "    lsif-ingest search QUERY --set search.rerank.model=THIS_FOLDER"
    yield ""
    yield "It was trained on English questions and Rust."
    yield ""


def _training(settings: TuneSettings, tuned: Tuned) -> Iterator[str]:
    yield "## Training"
    yield ""
    yield f"{tuned.steps:,} steps, loss {tuned.loss:.3f} at the end. The last run took"
    yield f"{tuned.minutes:g} minutes."
    yield ""
    teacher = settings.teacher.name if settings.teacher else "none"
    shown = {**asdict(settings), "base": settings.base.name, "teacher": teacher}
    for name, value in shown.items():
        yield f"- {name}: {value}"
    yield ""


def _data(corpus: Corpus, about: Mapping[str, About]) -> Iterator[str]:
    yield f"## Data: {corpus.count():,} pairs of {len(corpus.learned):,} projects"
    yield ""
    yield from _counts("kind of pair", "pairs", corpus.kinds())
    yield from _counts("left out because of", "pairs or docs", corpus.left_out)
    yield "| project | version or commit | licence | repository | pairs |"
    yield "|---|---|---|---|---:|"
    for name, pairs in corpus.learned.items():
        known = about.get(name, About(name=name))
        facts = (known.commit or known.version, known.licence, known.repository)
        cells = " | ".join(fact or _UNKNOWN for fact in facts)
        yield f"| {name} | {cells} | {len(pairs):,} |"
    yield ""


def _counts(what: str, of: str, counts: Mapping[str, int]) -> Iterator[str]:
    yield f"| {what} | {of} |"
    yield "|---|---:|"
    for name, count in sorted(counts.items(), key=lambda entry: -entry[1]):
        yield f"| {name} | {count:,} |"
    yield ""
