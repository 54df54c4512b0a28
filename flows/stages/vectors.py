"""The stage that embeds: which texts lack a vector, and the vectors of one work unit."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from embedding.checkpoint import Checkpoint
from embedding.errors import ModelError
from embedding.models import fingerprints_of, resolve_model, shared_encoder
from embedding.plan import VectorPlan
from embedding.work_units import UnitReport, WorkUnit, embed_unit
from machine.processors import be_nice, compute_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from configs.workspace import Workspace

_EMBEDDING = threading.Lock()
"""A process has one encoder per model, for one thread at a time: its tokenizer can't be shared, and
it plans memory for a single batch."""


def plan_vectors(workspace: Workspace, on_unit: Callable[[WorkUnit], None]) -> VectorPlan:
    """Return the plan of all vectors; as it takes records, it gives `on_unit` what to embed."""
    checkpoint = workspace.settings.checkpoint
    return VectorPlan(
        fingerprints_of(workspace.models),
        workspace.store,
        on_unit,
        rows_per_file=checkpoint.rows_per_file,
        dtype=checkpoint.numbers,
    )


def embed(workspace: Workspace, unit: WorkUnit) -> UnitReport:
    """Embed the texts of a work unit into the checkpoint.

    Any machine can do it that reaches the checkpoint and has the model. Raises ModelError.
    """
    be_nice(workspace.settings.flow.niceness)  # a worker may be anywhere
    compute_with(workspace.settings.embedding.threads)
    found = resolve_model(workspace.models[unit.vector])
    dtype = workspace.settings.checkpoint.numbers
    checkpoint = Checkpoint(workspace.store, found.fingerprint, dtype)
    if not unit.name.startswith(f"{checkpoint.folder}/"):
        raise ModelError(
            f"this worker has another model for {unit.vector}: {found.fingerprint.describe()}. "
            "Install the same versions and models on all machines."
        )
    with _EMBEDDING:
        return embed_unit(checkpoint, unit, lambda: shared_encoder(found, workspace.models_folder))
