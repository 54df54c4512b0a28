"""Brings an index to what a source says, verifies it, publishes it. Searches see what was live until then.

Where nothing is published, or with other models, a new generation is built; else the difference alone is sent: to a copy, which
takes the place of the live generation, or to the live one itself where a server has it.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tqdm import tqdm

from storage.errors import IndexMismatch, IndexMissing, StorageError
from storage.index import Refusal
from storage.maintenance.verify import is_sound, vector_fault, verify
from storage.points import READ_AT_ONCE, batched, without
from storage.schema import BLOCKS, SCHEMA_VERSION, STRUCTURES
from storage.sync import (
    Change,
    Difference,
    apply,
    changes_between,
    changes_of,
    difference,
    with_deleted_labels,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from configs.settings import StorageSettings
    from embedding.encoder import Fingerprint
    from storage.index import Generation, Index
    from storage.points import PointDraft, PointSource
    from storage.schema import Metadata

logger = logging.getLogger(__name__)

Way: TypeAlias = Literal["built", "synced", "changed_in_place", "unchanged"]

_SAMPLE = 500
"""Points of each kind whose vectors are read back before a generation is published."""
_PROBE = 200
"""Points of each kind that are read before a live generation is trusted."""
_MOST_IN_PLACE = 0.5
"""Share of the points from which on publish = "auto" builds a new generation rather than change the live one."""
_ROUNDS = 2
"""Times that what is missing is sent again before the run fails: a server may lose what it only acknowledged."""


_EVERYTHING = Difference(everything=True)


@dataclass(frozen=True)
class UploadReport:
    """What building or syncing, and publishing, took."""

    location: str
    collection: str
    generation: str
    way: Way
    points: int
    """Of structures, as stored."""
    blocks: int
    added: int
    changed: int
    moved: int
    """Of both kinds, as are the next."""
    deleted: int
    refused: list[dict[str, str]] = field(default_factory=list)
    """Points that Qdrant would not take: id, label, reason."""
    refused_structures: int = 0
    seconds: float = 0.0
    changes: dict[str, Change] = field(default_factory=dict)
    """Structures that were added, changed, moved, deleted against what was live when the upload began, whichever way was taken.

    Empty where nothing comparable was live: then everything is new.
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Plan:
    """What bringing an index up to date would do."""

    way: Way
    structures: Difference
    blocks: Difference
    changes: dict[str, Change] = field(default_factory=dict)
    """Of structures, by name; empty where nothing is live."""


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

    With `rebuild`, or where nothing is published yet, all of it is sent. Raises what storage.errors names; then what was built
    aside is removed and the live generation is whole.
    """
    started = time.perf_counter()
    with index.writing(collection):
        live = None if rebuild else index.live(collection)
        if live is not None and not _comparable(live.metadata, metadata):
            live = None
        if live is not None and not is_sound(live, sample=_PROBE):
            logger.warning("%s is damaged: it is built anew", live.name)
            live = None
        plan = make_plan(index, live, source, settings)
        if plan.way == "unchanged" and live is not None:
            # Counted anew: what it says of itself is older than its points where a sync in place did not come to its end.
            structures, blocks = plan.structures.unchanged, plan.blocks.unchanged
            live.describe(replace(metadata, structures=structures, blocks=blocks, complete=True))
            generation, refused, changes = live, list[Refusal](), plan.changes
        else:
            if plan.way == "changed_in_place":
                source.settle()  # a search must not see a half of the changes while models are at work on the other
            generation, refused, changes = _carry_out(
                index, collection, metadata, source, settings, live, plan
            )
    counts, seconds = generation.metadata, time.perf_counter() - started
    logger.info(
        "%s: %d structures and %d blocks, %s in %.1f s",
        collection,
        counts.structures,
        counts.blocks,
        plan.way,
        seconds,
    )
    labels = _labels(source, {one.id for one in refused})
    both = (plan.structures, plan.blocks)
    return UploadReport(
        index.location,
        collection,
        generation.name,
        plan.way,
        generation.metadata.structures,
        generation.metadata.blocks,
        sum(len(one.added) for one in both)
        + (generation.metadata.points if plan.way == "built" else 0),
        sum(len(one.changed) for one in both),
        sum(len(one.moved) for one in both),
        sum(len(one.deleted) for one in both),
        [
            {"id": one.id, "label": labels.get(one.id, ("", False))[0], "reason": one.reason}
            for one in refused
        ],
        sum(labels[one.id][1] for one in refused if one.id in labels),
        seconds,
        changes,
    )


def make_plan(
    index: Index,
    live: Generation | None,
    source: PointSource,
    settings: StorageSettings,
    *,
    named: bool = False,
) -> Plan:
    """Return what bringing the live generation to what the source says takes; without one, all of it.

    With `named` a plan that sends everything names it; else it does not hold what it need not.
    """
    if live is None:
        structures, blocks = (
            Difference({one.id: one.label() for one in records()} if named else {}, everything=True)
            for records in (source.structures, source.blocks)
        )
        return Plan("built", structures, blocks)
    structures = difference(live.structures, source.structures())
    blocks = difference(live.blocks, source.blocks())
    changes = changes_of(structures, live.structures)
    if named:
        structures = with_deleted_labels(structures, live.structures)
        blocks = with_deleted_labels(blocks, live.blocks)
    if not structures and not blocks:
        return Plan("unchanged", structures, blocks, changes)
    if not index.changes_in_place:
        return Plan("synced", structures, blocks, changes)
    total = structures.unchanged + len(structures.moved) + structures.written
    in_place = settings.publish == "in_place" or (
        settings.publish == "auto" and structures.written < _MOST_IN_PLACE * max(1, total)
    )
    if in_place or named:
        return Plan("changed_in_place" if in_place else "built", structures, blocks, changes)
    return Plan("built", _EVERYTHING, _EVERYTHING, changes)


def rollback(index: Index, collection: str, settings: StorageSettings) -> tuple[str, str]:
    """Make the former generation the live one; return the names of both, the new live one last. Raises IndexMissing."""
    with index.writing(collection):
        live, former = require_live(index, collection), index.former(collection)
        if former is None:
            raise IndexMissing(
                f"no generation of {collection!r} older than {live.name} is kept at {index.location}; "
                f"storage.keep_generations is {settings.keep_generations}."
            )
        name = former.name
        index.publish(collection, former, keep=settings.keep_generations)
        return live.name, name


def check_fingerprints(
    generation: Generation, fingerprints: Mapping[str, Fingerprint], collection: str, way_out: str
) -> None:
    """Raise IndexMismatch where the generation was made with other models, naming both; `way_out` ends the message."""
    metadata = generation.metadata
    if metadata.schema_version != SCHEMA_VERSION:
        raise IndexMismatch(
            f"collection {collection!r} has record schema {metadata.schema_version}, this version writes {SCHEMA_VERSION}; "
            f"{way_out}"
        )
    for name, fingerprint in fingerprints.items():
        made_with = metadata.vectors.get(name)
        if made_with is None or made_with.fingerprint != fingerprint.digest:
            found = made_with.description if made_with is not None else "no such vector"
            raise IndexMismatch(
                f"collection {collection!r} was made with {name} = {found}; the configuration says {fingerprint.describe()}. "
                f"{way_out}"
            )


def require_live(index: Index, collection: str) -> Generation:
    """Return the live generation. Raises IndexMissing where there is none."""
    generation = index.live(collection)
    if generation is None:
        there = f"; there is {', '.join(index.collections())}" if index.collections() else ""
        raise IndexMissing(
            f"no index of {collection!r} at {index.location}{there}. Make one: lsif-ingest ingest --repo DIR"
        )
    return generation


def _comparable(one: Metadata, other: Metadata) -> bool:
    """Return whether vectors and payloads of the two may stand in one collection."""
    prints = [
        {name: info.fingerprint for name, info in metadata.vectors.items()}
        for metadata in (one, other)
    ]
    return prints[0] == prints[1] and one.schema_version == other.schema_version


def _changes_against_live(index: Index, collection: str, source: PointSource) -> dict[str, Change]:
    """Return what a build changes against the generation that it is to replace; nothing where none is live, or it can't tell."""
    try:
        live = index.live(collection)
        if (
            live is None
            or live.metadata.schema_version != SCHEMA_VERSION
            or not is_sound(live, sample=_PROBE)
        ):
            return {}
        return changes_between(live.structures, source.structures())
    except (
        StorageError
    ) as exc:  # what is replaced may be damaged, which must not keep it from being replaced
        logger.warning(
            "what changes against the live generation of %s can't be told: %s", collection, exc
        )
        return {}


def _carry_out(
    index: Index,
    collection: str,
    metadata: Metadata,
    source: PointSource,
    settings: StorageSettings,
    live: Generation | None,
    plan: Plan,
) -> tuple[Generation, list[Refusal], dict[str, Change]]:
    """Write what the plan says, verify and publish it.

    Returns the generation that is live now, the refused points, and the changes: those of a rebuild are known by then only.
    """
    aside, changes = plan.way != "changed_in_place", plan.changes
    if plan.way == "built":
        generation = index.create(collection, metadata)
    elif live is not None:
        generation = index.copy(collection, live) if aside else live
    try:
        refused = _bring_up(generation, source, plan, settings)
        if live is None:
            changes = _changes_against_live(index, collection, source)
        done = replace(
            metadata,
            structures=generation.structures.count(),
            blocks=generation.blocks.count(),
            complete=True,
        )
        generation.describe(done)  # last: what it vouches for was verified
        if aside:
            index.publish(collection, generation, keep=settings.keep_generations)
    except BaseException:
        if aside:
            _drop_quietly(index, collection, generation)
        raise
    return generation, refused, changes


def _bring_up(
    generation: Generation, source: PointSource, plan: Plan, settings: StorageSettings
) -> list[Refusal]:
    """Apply the plan until the generation holds what the source says. Raises StorageError where it does not end up so."""
    refused: dict[str, Refusal] = {}
    structures, blocks = plan.structures, plan.blocks
    for _ in range(_ROUNDS):
        total = len(structures.added) + len(structures.changed)
        with tqdm(
            total=total or None, desc="upload", unit="point", disable=None, leave=False
        ) as progress:
            found = apply(
                generation.structures,
                structures,
                _counted(source.structures(), progress),
                STRUCTURES,
            )
        found += apply(generation.blocks, blocks, source.blocks(), BLOCKS)
        refused.update({one.id: one for one in found})
        if len(refused) > settings.max_refused:
            first = "; ".join(f"{one.id}: {one.reason}" for one in list(refused.values())[:3])
            raise StorageError(
                f"{generation.name}: {len(refused)} points were refused, storage.max_refused is {settings.max_refused}. "
                f"First: {first}"
            )
        generation.finish()
        if not plan.structures.everything and _as_planned(
            generation, source, structures, blocks, refused
        ):
            return list(refused.values())
        report = verify(
            generation, source.structures, source.blocks, refused=refused, sample=_SAMPLE
        )
        if report.ok:
            return list(refused.values())
        if report.bad_vectors:
            break
        structures, blocks = (
            difference(points, without(records(), refused))
            for points, records in (
                (generation.structures, source.structures),
                (generation.blocks, source.blocks),
            )
        )
    expected = report.structures + report.blocks
    raise StorageError(
        f"{generation.name}: {expected} points were sent, {report.points} are there; {report.missing} are missing, "
        f"{report.different} are not as they were sent, {report.unexpected} are unexpected, {report.bad_vectors} have bad vectors: "
        f"{'; '.join(report.problems[:3])}"
    )


def _as_planned(
    generation: Generation,
    source: PointSource,
    structures: Difference,
    blocks: Difference,
    refused: Mapping[str, object],
) -> bool:
    """Return whether the points that a sync touched are what it wrote, and no others came or went: what it found unchanged is."""
    for points, found, records, kind in (
        (generation.structures, structures, source.structures, STRUCTURES),
        (generation.blocks, blocks, source.blocks, BLOCKS),
    ):
        touched = {**found.added, **found.changed, **found.moved}
        wanted = {
            one.id: (one.digest, one.place)
            for one in records()
            if one.id in touched and one.id not in refused
        }
        expected = found.unchanged + len(wanted)
        for batch in batched(iter([*wanted]), READ_AT_ONCE):
            for point in points.retrieve(batch):
                stored = (point.record.digest, point.place)
                if wanted.pop(point.id) != stored or vector_fault(point, kind.vectors, {}):
                    return False
        if wanted or points.count() != expected:
            return False
    return True


def _counted(records: Iterable[PointDraft], progress: tqdm[Any]) -> Iterator[PointDraft]:
    for record in records:
        yield record
        progress.update(1)


def _labels(source: PointSource, ids: set[str]) -> dict[str, tuple[str, bool]]:
    """Return what people call the points of these ids, and whether they are structures."""
    if not ids:
        return {}
    both = (
        (records, is_structure)
        for records, is_structure in ((source.structures(), True), (source.blocks(), False))
    )
    return {
        record.id: (record.label(), kind)
        for records, kind in both
        for record in records
        if record.id in ids
    }


def _drop_quietly(index: Index, collection: str, generation: Generation) -> None:
    """Remove what was built; a failure here must not hide the one that led here."""
    try:
        index.drop(collection, generation)
    except StorageError as exc:
        logger.warning("could not remove the unfinished generation %s: %s", generation.name, exc)
