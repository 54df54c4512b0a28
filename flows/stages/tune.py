"""Trains an encoder on the records of projects; see the package embedding.tuning."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from embedding.models import resolve_model
from embedding.tuning.card import About, card, notice
from embedding.tuning.corpus import make_corpus
from embedding.tuning.kinds import KINDS
from embedding.tuning.settings import ModelSource
from flows.errors import FlowError
from flows.report.history import read_report
from lsif.jsonl import read_structures
from machine.disk import why_not_writable
from machine.files import remove_folder
from machine.locks import LockHeld, file_lock
from search.hit import Hit
from search.judged import matches, read_queries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from configs.settings import ModelSettings
    from embedding.tuning.corpus import Corpus
    from embedding.tuning.kinds import Kind
    from embedding.tuning.pairs import Questions
    from embedding.tuning.scores import Score
    from embedding.tuning.settings import Tuned, TuneSettings
    from lsif.structure import Structure
    from search.judged import JudgedQuery

logger = logging.getLogger(__name__)

_STATE = ".training"
"""What is added to the model folder's name for the folder of the trainer's state."""
_RECORDS, _REPORT = "structures", "report.json"
"""Stem of a project's records, and the report beside them, as `ingest` names both."""
_SHOWN = 5
"""Projects that an error names."""
_ABOUTS = TypeAdapter(list[About])


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Files to learn from."""

    records: Sequence[Path]
    """A structures.jsonl for each project."""
    queries: Sequence[Path] = ()
    """Judged queries, whose answers are among the records."""
    kinds: Collection[Kind] = KINDS
    """Pairs of other kinds are left out."""
    excluded: Sequence[Path] = ()
    """Records whose bodies must not be learned."""
    about: Path | None = None
    """A JSON list of what is known of the projects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneReport:
    """What `tune` did."""

    folder: str
    tuned: Tuned
    projects: int
    """From which the model learned."""
    held_back: list[str]
    pairs: dict[str, int]
    """By kind."""
    left_out: dict[str, int]
    """By reason."""

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, the scores by kind of vector."""
        document = asdict(self)
        tuned = document.pop("tuned")
        for when in ("before", "after"):
            scores: dict[str, Score] = getattr(self.tuned, when)
            tuned[when] = {kind: score._asdict() for kind, score in scores.items()}
        return {**document, **tuned}


def model_source(settings: ModelSettings, name: str) -> ModelSource:
    """Return the model of this name: `packaged:NAME`, a folder, or a name on the Hub.

    Raises ModelError if it is not available.
    """
    found = resolve_model(settings.model_copy(update={"model": name, "revision": ""}))
    return ModelSource(name, found.source, found.revision, found.fingerprint.revision)


def tune(material: Material, settings: TuneSettings, folder: Path) -> TuneReport:
    """Train an encoder on the records and write it to the folder, which must not exist.

    The folder appears when the model is complete. Until then the trainer's state is beside it, and
    the same call goes on from there. Raises FlowError, ModelError or StructuresError.
    """
    from embedding.tuning.training import train  # noqa: PLC0415 - takes seconds

    _require_free(folder)
    state = folder.absolute().with_name(f"{folder.absolute().name}{_STATE}")
    lock = state.with_name(f".{state.name}.lock")
    records = _named(material.records)
    try:
        with file_lock(lock):
            about = _about(records, material.about)
            corpus = _corpus(material, records, settings.seed)
            model, tuned = train(corpus, settings, state)
            projects = corpus.learned.keys()
            (model / "README.md").write_bytes(card(corpus, settings, tuned, about).encode())
            (model / "NOTICE").write_bytes(notice(settings, projects, about).encode())
            model.replace(folder)
            remove_folder(state)
            lock.unlink()
    except LockHeld as exc:
        raise FlowError(f"another `lsif-ingest tune` is training {folder}.") from exc
    return TuneReport(
        folder=str(folder),
        tuned=tuned,
        projects=len(projects),
        held_back=list(corpus.held_back),
        pairs=dict(corpus.kinds()),
        left_out=dict(corpus.left_out),
    )


def _require_free(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FlowError(f"{folder} exists already; name another folder with -o.")
    if why := why_not_writable(folder.absolute().parent):
        raise FlowError(f"can't write beside {folder}: {why}.")


def _corpus(material: Material, records: Mapping[str, Path], seed: int) -> Corpus:
    corpus = make_corpus(
        {name: read_structures(path) for name, path in records.items()},
        chain.from_iterable(map(read_structures, material.excluded)),
        questions=_questions(material.queries, records),
        kinds=material.kinds,
        seed=seed,
    )
    logger.info(
        "%d pairs of %d projects to learn from, %d of %d held back; left out: %s",
        *(corpus.count(), len(corpus.learned)),
        *(sum(map(len, corpus.held_back.values())), len(corpus.held_back)),
        ", ".join(f"{count} {reason}" for reason, count in corpus.left_out.most_common()) or "none",
    )
    return corpus


def _questions(queries: Iterable[Path], records: Mapping[str, Path]) -> dict[str, Questions]:
    """Return the queries by project and by the structures that answer them best.

    Raises EvaluationError, or FlowError if a query is of no project of the records.
    """
    of_project: dict[str, list[JudgedQuery]] = {}
    only = min(records) if len(records) == 1 else ""
    for path in queries:
        for query in read_queries(path):
            project = query.project or only
            if project not in records:
                raise FlowError(
                    f"{path} has a query of {project or 'no'} project; expected "
                    f'"project": one of {", ".join(sorted(records)[:_SHOWN])} ...'
                )
            of_project.setdefault(project, []).append(query)
    return {
        project: _answered(asked, read_structures(records[project]))
        for project, asked in of_project.items()
    }


def _answered(
    queries: Iterable[JudgedQuery], structures: Iterable[Structure]
) -> dict[str, list[str]]:
    """Return the queries by the id of each structure that is a best answer."""
    in_file: dict[str, list[Structure]] = {}
    for structure in structures:
        in_file.setdefault(structure.context.file_path, []).append(structure)
    found: dict[str, list[str]] = {}
    for query in queries:
        most = max((answer.relevance for answer in query.answers), default=0.0)
        for answer in query.answers:
            for structure in in_file.get(answer.file_path, ()):
                if answer.relevance == most and matches(Hit(structure, 0.0, {}), answer):
                    found.setdefault(structure.id, []).append(query.query)
    return found


def _named(records: Sequence[Path]) -> dict[str, Path]:
    """Return the files by the names of their projects. Raises FlowError if two have the same."""
    found: dict[str, Path] = {}
    for path in records:
        absolute = path.absolute()
        name = absolute.parent.name if path.stem == _RECORDS else path.stem
        if name in found:
            raise FlowError(f"{found[name]} and {path} are both of {name}; give each project once.")
        found[name] = path
    return found


def _about(records: Mapping[str, Path], path: Path | None) -> dict[str, About]:
    """Return what is known of the projects: what the file tells, else what a run's report does."""
    told = [] if path is None else _read_about(path)
    known = {
        name: About(name=name, commit=report.commit)
        for name, file in records.items()
        if file.stem == _RECORDS and (report := read_report(file.with_name(_REPORT)))
    }
    return known | {name: about for name in records for about in told if about.is_of(name)}


def _read_about(path: Path) -> list[About]:
    """Return what a file tells of projects. Raises FlowError if it can't be read."""
    try:
        return _ABOUTS.validate_json(path.read_bytes())
    except OSError as exc:
        raise FlowError(f"can't read {path}: {exc.strerror or exc}.") from exc
    except ValidationError as exc:
        raise FlowError(
            f"{path} is no JSON list of objects with a name: {exc.errors()[0]['msg']}."
        ) from exc
