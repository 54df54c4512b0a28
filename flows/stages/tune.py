"""Trains a model on the records of projects; see the package embedding.tuning."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from embedding.models import resolve_model
from embedding.tuning.card import card, notice
from embedding.tuning.settings import ModelSource
from flows.errors import FlowError
from flows.stages.material import about_of, corpus_of, named
from lsif.jsonl import read_structures
from machine.disk import why_not_writable
from machine.files import remove_folder
from machine.locks import LockHeld, file_lock
from storage.sparse import document_vector, query_vector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from configs.settings import ModelSettings
    from embedding.tuning.corpus import Corpus
    from embedding.tuning.scores import Score
    from embedding.tuning.settings import Tuned, TuneSettings
    from embedding.tuning.training import Training
    from flows.stages.material import Material

_STATE = ".training"
"""What is added to the model folder's name for the folder of the trainer's state."""


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
        """Return the report as plain data, the scores by name."""
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
    """Train a model on the records and write it to the folder, which must not exist.

    The folder appears when the model is complete. Until then the trainer's state is beside it, and
    the same call goes on from there. Raises FlowError, ModelError or StructuresError.
    """
    _require_free(folder)
    state = folder.absolute().with_name(f"{folder.absolute().name}{_STATE}")
    lock = state.with_name(f".{state.name}.lock")
    records = named(material.records)
    try:
        with file_lock(lock), _removed_without(state, lock):
            about = about_of(records, material.about)
            corpus = corpus_of(material, records, settings.seed)
            if not corpus.count():
                raise FlowError(_nothing_to_learn(corpus))
            model, tuned = _training(corpus, settings, state, records).run()
            projects = corpus.learned.keys()
            (model / "README.md").write_bytes(card(corpus, settings, tuned, about).encode())
            (model / "NOTICE").write_bytes(notice(settings, projects, about).encode())
            model.replace(folder)
            remove_folder(state)
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


@contextmanager
def _removed_without(state: Path, lock: Path) -> Iterator[None]:
    """Remove the lock's file at the end unless there is a state that a later run goes on from."""
    try:
        yield
    finally:
        if not state.exists():
            lock.unlink(missing_ok=True)


def _training(
    corpus: Corpus, settings: TuneSettings, state: Path, records: Mapping[str, Path]
) -> Training[Any]:
    from embedding.tuning.encoder_training import EncoderTraining  # noqa: PLC0415 - takes seconds
    from embedding.tuning.reranker_training import RerankerTraining  # noqa: PLC0415 - the same
    from embedding.tuning.retrieval import SparseVectors  # noqa: PLC0415 - the same

    if not settings.reranker:
        return EncoderTraining(corpus, settings, state)
    return RerankerTraining(
        corpus,
        settings,
        state,
        records=lambda name: read_structures(records[name]),
        sparse=SparseVectors(document_vector, query_vector),
    )


def _nothing_to_learn(corpus: Corpus) -> str:
    """Return why there are no pairs, and what to do."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in corpus.left_out.most_common())
    why = f" (left out: {reasons})" if reasons else ""
    return f"the records have nothing to learn from{why}. Give others, or other kinds of pairs."


def _require_free(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FlowError(f"{folder} exists already; name another folder with -o.")
    if why := why_not_writable(folder.absolute().parent):
        raise FlowError(f"can't write beside {folder}: {why}.")
