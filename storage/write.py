"""Writes a plan into a generation, and verifies that the generation holds what the source says.

What should be stored is noted while it is sent, so that the records are read once. Then all ids,
contents and positions are read back and compared, and the vectors of a sample.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from storage.errors import StorageError
from storage.maintenance.verify import vector_fault, verify
from storage.points import READ_AT_ONCE, batched, without
from storage.schema import BLOCKS, SPARSE, STRUCTURES
from storage.sync import Sum, apply, difference, sum_of
from storage.words import WordCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from configs.settings import StorageSettings
    from storage.index import Generation, Point, Rejection
    from storage.maintenance.verify import VerifyReport
    from storage.plan import Plan
    from storage.points import PointDraft, PointSource
    from storage.schema import Kind
    from storage.sync import AnyPoints, Difference

_SAMPLE = 500
"""Points of each kind whose vectors are read back before a generation is published."""
_ROUNDS = 2
"""Rounds until the run fails. A server declines points that it has acknowledged, or loses them: the
second round sends what is missing and waits for it, so that the server names what it declines."""


def _ignore(_: Point) -> None:
    """Note nothing."""


def write(
    generation: Generation,
    source: PointSource,
    plan: Plan,
    settings: StorageSettings,
    note: Callable[[Point], None] = _ignore,
) -> list[Rejection]:
    """Apply the plan until the generation holds what the source says; return rejected points.

    `note` is called once with the point of each structure that is sent, before it is sent.
    Raises StorageError if it does not end up so, or more points are rejected than allowed.
    """
    rejected: dict[str, Rejection] = {}
    structures, blocks = plan.structures, plan.blocks
    for number in range(_ROUNDS):
        wait = number > 0
        written, found = _send(generation, source, structures, blocks, wait=wait, note=note)
        rejected.update({rejection.id: rejection for rejection in found})
        _check_rejected(generation, rejected, settings)
        generation.finish()
        # What a second round of a build finds unchanged was never compared with its vectors.
        noted = not wait or plan.base is not None
        if noted and all(kind.is_stored(rejected) for kind in written):
            return list(rejected.values())
        report = verify(
            generation, source.structures, source.blocks, rejected=rejected, sample=_SAMPLE
        )
        if report.ok:
            return list(rejected.values())
        if report.bad_vectors and not (report.missing or report.different):
            break  # else they may be those of former versions, which are sent again
        note = _ignore  # the second round sends the same points again
        structures = difference(generation.structures, without(source.structures(), rejected))
        blocks = difference(generation.blocks, without(source.blocks(), rejected))
    raise _failure(generation, report)


def _send(
    generation: Generation,
    source: PointSource,
    structures: Difference,
    blocks: Difference,
    *,
    wait: bool,
    note: Callable[[Point], None],
) -> tuple[list[_Written], list[Rejection]]:
    """Send what differs; return what was written of both kinds, and the rejected points."""
    total = len(structures.added) + len(structures.changed)
    of_structures = _Written(generation.structures, structures, STRUCTURES, wait=wait, note=note)
    with tqdm(
        total=total or None, desc="upload", unit="point", disable=None, leave=False
    ) as progress:
        found = of_structures.apply(_counted(source.structures(), progress))
    of_blocks = _Written(generation.blocks, blocks, BLOCKS, wait=wait)
    found += of_blocks.apply(source.blocks())
    return [of_structures, of_blocks], found


def write_with_words(
    generation: Generation, source: PointSource, plan: Plan, settings: StorageSettings
) -> list[Rejection]:
    """Write the same, and the counts of words if the generation keeps them."""
    if not generation.metadata.word_counts:
        return write(generation, source, plan, settings)
    counter = WordCounter()
    if plan.base is not None:
        # Counts first: a run that is cut off here finds changes again, and counts again.
        for draft in source.structures():
            counter.add(draft.sparse()[SPARSE])
        generation.keep_word_counts(counter.result())
        return write(generation, source, plan, settings)
    rejected = write(
        generation, source, plan, settings, lambda point: counter.add(point.sparse[SPARSE])
    )
    generation.keep_word_counts(counter.result())
    return rejected


def _failure(generation: Generation, report: VerifyReport) -> StorageError:
    """Return the error of a generation that does not hold what was sent."""
    expected = report.structures + report.blocks
    return StorageError(
        f"{generation.name}: {expected} points were sent, {report.points} are there; "
        f"{report.missing} are missing, {report.different} are not as they were sent, "
        f"{report.unexpected} are unexpected, {report.bad_vectors} have bad vectors: "
        f"{'; '.join(report.problems[:3])}"
    )


@dataclass
class _Written:
    """What is written to the points of one kind, noted on the way."""

    points: AnyPoints
    found: Difference
    kind: Kind[Any]
    _: KW_ONLY
    wait: bool
    """Whether to wait until the points are stored; see Points.upsert."""
    note: Callable[[Point], None] = _ignore
    """Called with each point that is sent."""
    _sum: Sum = field(default_factory=Sum)
    """Of all drafts, if everything is written."""
    _touched: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Of a sync: id → digest and place of the points that it writes."""
    _sample: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of a build: id → vectors of about _SAMPLE points."""
    _step: int = 1

    def apply(self, drafts: Iterable[PointDraft]) -> list[Rejection]:
        """Make the points what the drafts say; return the rejected ones."""
        noted = self._noting_all(drafts) if self.found.everything else self._noting(drafts)
        return apply(
            self.points, self.found, noted, self.kind, note=self._note_vectors, wait=self.wait
        )

    def is_stored(self, rejected: Mapping[str, object]) -> bool:
        """Return whether the points are as they were sent, as far as this can tell.

        After a sync that holds for the points it touched, if no others came or went: the others
        were compared before.
        """
        if not self.found.everything:
            return self._touched_is_stored(rejected)
        return not rejected and sum_of(self.points) == self._sum and self._sample_is_stored()

    def _noting_all(self, drafts: Iterable[PointDraft]) -> Iterator[PointDraft]:
        for draft in drafts:
            self._sum.add(draft.id, draft.digest, draft.place)
            yield draft

    def _noting(self, drafts: Iterable[PointDraft]) -> Iterator[PointDraft]:
        found = self.found
        for draft in drafts:
            if draft.id in found.added or draft.id in found.changed or draft.id in found.moved:
                self._touched[draft.id] = (draft.digest, draft.place)
                yield draft

    def _note_vectors(self, point: Point) -> None:
        """Keep each _step-th point's vectors; when there are too many, every second of those."""
        self.note(point)
        if not self.found.everything or (self._sum.count - 1) % self._step:
            return
        self._sample[point.id] = point.vectors
        if len(self._sample) > 2 * _SAMPLE:
            self._sample = dict(list(self._sample.items())[::2])
            self._step *= 2

    def _sample_is_stored(self) -> bool:
        for batch in batched(iter(self._sample), READ_AT_ONCE):
            stored = self.points.retrieve(batch)
            if len(stored) != len(batch):
                return False
            names = self.kind.vectors
            if any(vector_fault(point, names, self._sample[point.id]) for point in stored):
                return False
        return True

    def _touched_is_stored(self, rejected: Mapping[str, object]) -> bool:
        wanted = {key: state for key, state in self._touched.items() if key not in rejected}
        expected = self.found.unchanged + len(wanted)
        for batch in batched(iter([*wanted]), READ_AT_ONCE):
            for point in self.points.retrieve(batch):
                stored = (point.record.digest, point.place)
                if wanted.pop(point.id) != stored or vector_fault(point, self.kind.vectors, {}):
                    return False
        return not wanted and self.points.count() == expected


def _check_rejected(
    generation: Generation, rejected: Mapping[str, Rejection], settings: StorageSettings
) -> None:
    """Raise StorageError if more points are rejected than storage.max_refused allows."""
    if len(rejected) <= settings.max_refused:
        return
    first = "; ".join(f"{item.id}: {item.reason}" for item in list(rejected.values())[:3])
    raise StorageError(
        f"{generation.name}: {len(rejected)} points were rejected, "
        f"storage.max_refused is {settings.max_refused}. First: {first}"
    )


def _counted(drafts: Iterable[PointDraft], progress: tqdm[Any]) -> Iterator[PointDraft]:
    for draft in drafts:
        yield draft
        progress.update(1)
