"""Brings an index to what a source says, verifies it, publishes it.

Searches see the old generation until then. If nothing is published yet, or it was made with other
models, a new generation is built. Otherwise only the difference is sent: to a copy that replaces
the live generation, or to the live generation itself if it is on a server.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from storage.errors import IndexUnreachable, IndexUnready, KeyRejected, StorageError
from storage.indexes import add_missing_indexes
from storage.live import is_comparable
from storage.maintenance.verify import is_sound
from storage.plan import Strategy, make_plan
from storage.schema import SCHEMA_VERSION
from storage.shrinkage import check_shrinkage
from storage.sync import Change, Changes, UsedChange, changes_between
from storage.write import write_with_words

if TYPE_CHECKING:
    from configs.settings import StorageSettings
    from storage.index import Generation, Index, Rejection
    from storage.metadata import Metadata
    from storage.plan import Plan
    from storage.points import PointSource

logger = logging.getLogger(__name__)

_PROBE = 200
"""Points of each kind that are read before a live generation is trusted."""


@dataclass(frozen=True)
class UploadReport:
    """The result of building or syncing, and publishing."""

    location: str
    collection: str
    generation: str
    way: Strategy
    """The strategy; the name is the report's key."""
    points: int
    """Of structures, as stored."""
    blocks: int
    added: int
    changed: int
    moved: int
    """Of both kinds, as are the next."""
    deleted: int
    refused: list[dict[str, str]] = field(default_factory=list)
    """Points that Qdrant rejected: id, label, reason. The name is the report's key."""
    refused_structures: int = 0
    seconds: float = 0.0
    changes: dict[str, Change] = field(default_factory=dict)
    """Structures that were added, changed, moved, deleted against what was live at the beginning,
    whatever the strategy.

    Empty if nothing comparable was live: everything is new.
    """
    added_indexes: list[str] = field(default_factory=list)
    """Payload fields whose index an earlier version had not made, and this run added."""
    most_used: list[UsedChange] = field(default_factory=list)
    """Those of the added and changed structures that others use most, the most used first."""

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class _Published:
    """The generation that is live now, and how it came about."""

    generation: Generation
    plan: Plan
    changes: Changes
    rejected: list[Rejection] = field(default_factory=list)


def publish_source(
    index: Index,
    collection: str,
    metadata: Metadata,
    source: PointSource,
    settings: StorageSettings,
    *,
    rebuild: bool = False,
) -> UploadReport:
    """Bring the collection to what the source says, verify and publish it.

    With `rebuild`, or if nothing is published yet, everything is sent. Raises the errors of
    storage.errors; the unfinished generation is removed then, and the live one is unchanged.
    One of them is IndexShrinks: the source has too few structures, rebuild or not. The caller
    holds the project's lock in the data folder, because what killed runs left is removed.
    """
    started = time.perf_counter()
    with index.writing(collection):
        index.remove_unfinished(collection)
        min_share = settings.min_share_of_last
        live = _live(index, collection, rebuild=rebuild) if min_share or not rebuild else None
        if live is not None and min_share:
            check_shrinkage(live, metadata, source, min_share)
        # An index whose words Qdrant weighs keeps that: scores must not change unasked.
        word_counts = live is None or rebuild or live.metadata.word_counts
        metadata = replace(metadata, word_counts=word_counts)
        base = live if live is not None and not rebuild and _is_trusted(live, metadata) else None
        plan = make_plan(index, base, source, settings)
        if plan.strategy == "unchanged" and plan.base is not None:
            published = _leave(plan.base, metadata, plan)
        else:
            published = _carry_out(index, collection, metadata, source, settings, plan)
    seconds = time.perf_counter() - started
    counts = published.generation.metadata
    logger.info(
        "%s: %d structures and %d blocks, %s in %.1f s",
        collection,
        counts.structures,
        counts.blocks,
        plan.strategy,
        seconds,
    )
    return _report(index, collection, source, published, seconds)


def _report(
    index: Index, collection: str, source: PointSource, published: _Published, seconds: float
) -> UploadReport:
    metadata, rejected = published.generation.metadata, published.rejected
    labels = _labels(source, {rejection.id for rejection in rejected})
    both = (published.plan.structures, published.plan.blocks)
    built = metadata.points if published.plan.strategy == "built" else 0
    return UploadReport(
        location=index.location,
        collection=collection,
        generation=published.generation.name,
        way=published.plan.strategy,
        points=metadata.structures,
        blocks=metadata.blocks,
        added=sum(len(part.added) for part in both) + built,
        changed=sum(len(part.changed) for part in both),
        moved=sum(len(part.moved) for part in both),
        deleted=sum(len(part.deleted) for part in both),
        refused=[
            {
                "id": rejection.id,
                "label": labels.get(rejection.id, ("", False))[0],
                "reason": rejection.reason,
            }
            for rejection in rejected
        ],
        refused_structures=sum(
            labels[rejection.id][1] for rejection in rejected if rejection.id in labels
        ),
        seconds=seconds,
        changes=published.changes.parts,
        added_indexes=published.plan.missing_indexes,
        most_used=published.changes.most_used,
    )


def _live(index: Index, collection: str, *, rebuild: bool) -> Generation | None:
    """Return the live generation; None if there is none, or a rebuild replaces an unreadable one.

    Raises StorageError, also for a rebuild if it is the server that does not answer.
    """
    try:
        return index.live(collection)
    except (IndexUnreachable, IndexUnready, KeyRejected):
        raise
    except StorageError as exc:
        if not rebuild:
            raise
        logger.warning("can't compare with the size of the index of %s: %s", collection, exc)
        return None


def _is_trusted(live: Generation, metadata: Metadata) -> bool:
    """Return whether the live generation was made with the same models, and is sound."""
    if not is_comparable(live.metadata, metadata):
        return False
    if not is_sound(live, sample=_PROBE):
        logger.warning("%s is damaged: it is built again", live.name)
        return False
    return True


def _leave(live: Generation, metadata: Metadata, plan: Plan) -> _Published:
    """Leave the points as they are; describe them."""
    # Counted again: its metadata is older than its points if a sync in place was cut off.
    structures, blocks = plan.structures.unchanged, plan.blocks.unchanged
    live.describe(replace(metadata, structures=structures, blocks=blocks, complete=True))
    return _Published(live, plan, plan.changes)


def _carry_out(
    index: Index,
    collection: str,
    metadata: Metadata,
    source: PointSource,
    settings: StorageSettings,
    plan: Plan,
) -> _Published:
    """Write what the plan says, verify and publish it."""
    if plan.base is None:
        generation, aside = index.create(collection, metadata), True
    elif plan.strategy == "synced":
        generation, aside = index.copy(collection, plan.base), True
    else:
        source.settle()  # so that searches don't see half of the changes while models still run
        generation, aside = plan.base, False
    try:
        if plan.missing_indexes:
            add_missing_indexes(generation)
        rejected = write_with_words(generation, source, plan, settings)
        changes = plan.changes
        if not changes.parts:
            changes = _changes_against_live(index, collection, source)
        done = replace(
            metadata,
            structures=generation.structures.count(),
            blocks=generation.blocks.count(),
            complete=True,
        )
        generation.describe(done)  # last: everything it vouches for was verified
        if aside:
            index.publish(collection, generation, keep=settings.keep_generations)
    except BaseException:
        if aside:
            _drop_quietly(index, collection, generation)
        raise
    return _Published(generation, plan, changes, rejected)


def _changes_against_live(index: Index, collection: str, source: PointSource) -> Changes:
    """Return what a rebuild changes against the generation that it replaces.

    Nothing if none is live, or if it can't be compared.
    """
    try:
        live = index.live(collection)
        if (
            live is None
            or live.metadata.schema_version != SCHEMA_VERSION
            or not is_sound(live, sample=_PROBE)
        ):
            return Changes()
        return changes_between(live.structures, source.structures())
    except StorageError as exc:  # the live one may be damaged, and must be replaceable all the same
        logger.warning("can't compare with the live generation of %s: %s", collection, exc)
        return Changes()


def _labels(source: PointSource, ids: set[str]) -> dict[str, tuple[str, bool]]:
    """Return what people call the points of these ids, and whether they are structures."""
    if not ids:
        return {}
    both = ((source.structures(), True), (source.blocks(), False))
    return {
        draft.id: (draft.label(), is_structure)
        for drafts, is_structure in both
        for draft in drafts
        if draft.id in ids
    }


def _drop_quietly(index: Index, collection: str, generation: Generation) -> None:
    """Remove an unfinished generation; a failure here must not hide the one before."""
    try:
        index.drop(collection, generation)
    except StorageError as exc:
        logger.warning("could not remove the unfinished generation %s: %s", generation.name, exc)
