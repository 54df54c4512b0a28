"""What an encoder is trained on: records, judged queries, histories, and what is known of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from configs.workspace import ProjectFolder
from embedding.tuning.card import About
from embedding.tuning.corpus import make_corpus
from embedding.tuning.history import subjects_of
from embedding.tuning.kinds import KINDS
from flows.errors import FlowError
from flows.report.history import read_report
from lsif.jsonl import read_structures
from machine.text import counted
from search.hit import Hit
from search.judged import matches, read_queries
from search.sources import read_root

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from embedding.tuning.corpus import Corpus
    from embedding.tuning.kinds import Kind
    from embedding.tuning.pairs import Pair
    from lsif.structure import Structure
    from search.judged import JudgedQuery

logger = logging.getLogger(__name__)

_RECORDS = "structures"
"""Stem of the records in a project's folder."""
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
    history: bool = False
    """Whether subjects of commits are questions, of projects whose repository is known."""
    excluded: Sequence[Path] = ()
    """Records whose bodies must not be learned."""
    about: Path | None = None
    """A JSON list of what is known of the projects."""


def named(records: Sequence[Path]) -> dict[str, Path]:
    """Return the files by the names of their projects. Raises FlowError if two have the same."""
    found: dict[str, Path] = {}
    for path in records:
        absolute = path.absolute()
        name = absolute.parent.name if path.stem == _RECORDS else path.stem
        if name in found:
            raise FlowError(f"{found[name]} and {path} are both of {name}; give each project once.")
        found[name] = path
    return found


def corpus_of(material: Material, records: Mapping[str, Path], seed: int) -> Corpus:
    """Return the pairs of the records, which are by project.

    Raises StructuresError, EvaluationError or FlowError if a file is unfit.
    """
    queries = _queries(material.queries, records)
    subjects = _subjects(records) if material.history else {}
    corpus = make_corpus(
        {name: read_structures(path) for name, path in records.items()},
        chain.from_iterable(map(read_structures, material.excluded)),
        questions={
            name: {"query": queries.get(name, {}), "commit": subjects.get(name, {})}
            for name in records
        },
        kinds=material.kinds,
        seed=seed,
    )
    logger.info(
        "%s of %s to learn from, %s of %s held back; left out: %s",
        *_counts(corpus.learned),
        *_counts(corpus.held_back),
        ", ".join(f"{count} {reason}" for reason, count in corpus.left_out.most_common()) or "none",
    )
    return corpus


def _counts(pairs: Mapping[str, Collection[Pair]]) -> tuple[str, str]:
    """Return how many pairs there are, and of how many projects."""
    return counted(sum(map(len, pairs.values())), "pair"), counted(len(pairs), "project")


def _subjects(records: Mapping[str, Path]) -> dict[str, dict[str, list[str]]]:
    """Return the subjects of commits by project and by the functions that they changed."""
    found = {}
    for name, path in records.items():
        folder = ProjectFolder(path.absolute().parent)
        root, report = read_root(folder), read_report(folder.report)
        if path.stem != _RECORDS or root is None or report is None or report.commit is None:
            logger.warning("%s: its repository is not known, so it has no history", name)
            continue
        found[name] = subjects_of(read_structures(path), root, report.commit)
        logger.info("%s: %d functions with a history", name, len(found[name]))
    return found


def _queries(
    queries: Iterable[Path], records: Mapping[str, Path]
) -> dict[str, dict[str, list[str]]]:
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


def about_of(records: Mapping[str, Path], path: Path | None) -> dict[str, About]:
    """Return what is known of the projects: what the file tells, else what a run's report does."""
    told = [] if path is None else _read_about(path)
    known = {
        name: About(name=name, commit=report.commit)
        for name, file in records.items()
        if file.stem == _RECORDS and (report := read_report(ProjectFolder(file.parent).report))
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
