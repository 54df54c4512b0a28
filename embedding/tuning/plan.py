"""What a training is, on disk: a later run goes on with it if it was asked for the same."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import orjson
from pydantic import TypeAdapter, ValidationError

from embedding.errors import ModelError
from embedding.tuning.scores import Score  # noqa: TC001 - pydantic reads it
from machine.files import atomic_writer

if TYPE_CHECKING:
    from pathlib import Path

    from embedding.tuning.corpus import Corpus
    from embedding.tuning.settings import TuneSettings

_PLAN = "plan.json"
_SAVED_LAST = "trainer_state.json"
"""The file that the trainer writes when all others of a checkpoint are there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What does not change while a training is interrupted and goes on."""

    asked: dict[str, str]
    """The settings and a digest of the pairs."""
    steps: int
    before: dict[str, Score]


_PLANS = TypeAdapter(Plan)


def asked_for(settings: TuneSettings, corpus: Corpus) -> dict[str, str]:
    """Return what two runs of one training have in common; where it runs does not matter."""
    asked = {key: str(value) for key, value in asdict(settings).items() if key != "device"}
    digest = hashlib.blake2b(digest_size=16)
    for name, pairs in sorted(corpus.learned.items()):
        digest.update(f"{name}\0{len(pairs)}\0".encode())
        for pair in pairs:
            digest.update(f"{pair.question}\0{pair.code}\0".encode())
    return {
        **asked,
        "base": settings.base.digest,
        "teacher": settings.teacher.digest if settings.teacher else "",
        "records": digest.hexdigest(),
    }


def read_plan(state: Path, asked: dict[str, str]) -> Plan | None:
    """Return the plan of an earlier run, None if there is none.

    Raises ModelError if it is another training's.
    """
    path = state / _PLAN
    if not path.is_file():
        return None
    try:
        plan = _PLANS.validate_json(path.read_bytes())
    except ValidationError as exc:
        raise ModelError(f"{path} is no plan of a training; remove {state}.") from exc
    others = [key for key, value in asked.items() if plan.asked.get(key) != value]
    if others:
        raise ModelError(
            f"{state} holds an unfinished training of other arguments ({', '.join(others)}). Give "
            "the same ones to go on with it, or remove the folder to begin another."
        )
    return plan


def write_plan(state: Path, plan: Plan) -> None:
    """Write the plan into the folder of the trainer's state."""
    with atomic_writer(state / _PLAN) as file:
        file.write(_PLANS.dump_json(plan))


def last_checkpoint(state: Path) -> str | None:
    """Return the folder of the last state that the trainer saved whole, None if there is none."""
    found = [path for path in state.glob("checkpoint-*") if _is_whole(path)]
    latest = max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    return None if latest is None else str(latest)


def _is_whole(checkpoint: Path) -> bool:
    try:
        orjson.loads((checkpoint / _SAVED_LAST).read_bytes())
    except (OSError, ValueError):
        return False
    return True
