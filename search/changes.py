"""From what git says changed to the lines of an index, and to the structures that these are of.

An index has the lines of one commit, its own. What changed is told in the lines of today, which a
second comparison, of the index's commit with today, takes back to those of the index. It reads
nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from machine.git_diff import EVERY_LINE, Lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from machine.git_diff import FileChange, Hunk

State: TypeAlias = Literal["changed", "new", "deleted", "renamed"]


class ChangedFile(NamedTuple):
    """A file that changed."""

    file_path: str
    """As in the index, if it may be there; else as of today, or as it was before it was deleted."""
    state: State
    """A renamed file's lines may have changed, too."""
    lines: tuple[Lines, ...]
    """Lines of the index that changed, and gaps between them where others are or were; none if the
    index's commit does not have the file."""


class OwnLines(NamedTuple):
    """Which structures have changed lines as their own: no structure inside them has these."""

    ids: set[str]
    is_any_outside: bool
    """Whether some of the changed lines are outside every structure."""


def changed_files(
    since: Iterable[FileChange], indexed: Iterable[FileChange], as_today: Collection[str] = ()
) -> list[ChangedFile]:
    """Return what changed since some commit, in lines of the index.

    `since` is how today's files differ from that commit, `indexed` how they differ from the index's
    own. The index has the files `as_today` as they are today: it was made with uncommitted changes.
    """
    indexed = list(indexed)
    by_today = {change.new: change for change in indexed}
    gone = {change.old for change in indexed if change.new is None}
    found = []
    for change in since:
        state = _state(change)
        if change.new is None:
            lines = (EVERY_LINE,) if change.old in gone else ()
            found.append(ChangedFile(change.old or "", state, lines))
            continue
        before = None if change.new in as_today else by_today.get(change.new)
        path = change.new if before is None else before.old
        changed = [hunk.new for hunk in change.hunks]
        if path is None:
            found.append(ChangedFile(change.new, state, ()))
        elif changed or state == "renamed":
            there = changed if before is None else _lines_before(changed, before.hunks)
            found.append(ChangedFile(path, state, tuple(there)))
    return found


def own_lines(spans: Mapping[str, Lines], changed: Iterable[Lines]) -> OwnLines:
    """Return which structures of one file own the changed lines; `spans` has their lines by id.

    What is added between two lines counts for the innermost structure that has both.
    """
    inner_last = sorted(set(spans.values()), key=lambda span: span.first - span.last)
    innermost: list[Lines | None] = [None] * (
        2 + max((span.last for span in inner_last), default=0)
    )
    for span in inner_last:
        innermost[span.first : span.last + 1] = [span] * (span.last + 1 - span.first)
    found, is_any_outside = set[Lines](), False
    for first, last in changed:
        if first <= last:
            owners = set(innermost[first : last + 1])
            is_any_outside |= last >= len(innermost)
        else:
            around = (span for span in inner_last[::-1] if span.first < first <= span.last)
            owners = {next(around, None)}
        is_any_outside |= None in owners
        found |= {owner for owner in owners if owner is not None}
    return OwnLines({key for key, span in spans.items() if span in found}, is_any_outside)


def _state(change: FileChange) -> State:
    if change.old is None:
        return "new"
    if change.new is None:
        return "deleted"
    return "changed" if change.old == change.new else "renamed"


def _lines_before(changed: Sequence[Lines], hunks: Sequence[Hunk]) -> Iterator[Lines]:
    """Yield where lines of the hunks' new side are on their old side."""
    lasts, shifts = [hunk.new.last for hunk in hunks], [0]
    for hunk in hunks:
        shifts.append(shifts[-1] + _count(hunk.new) - _count(hunk.old))
    for lines in changed:
        number = bisect_left(lasts, lines.first - 1)
        rest, touched = lines.first, False
        while number < len(hunks) and hunks[number].new.first <= lines.last + 1:
            hunk = hunks[number]
            if _touch(hunk.new, lines):
                if rest < hunk.new.first:
                    yield _shifted(Lines(rest, hunk.new.first - 1), shifts[number])
                yield hunk.old
                rest, touched = max(rest, hunk.new.last + 1), True
            number += 1
        if rest <= lines.last or not touched:
            yield _shifted(Lines(rest, lines.last), shifts[number])


def _touch(lines: Lines, others: Lines) -> bool:
    """Return whether two ranges share a line; a gap touches the lines beside it, too."""
    beside = 0 if _count(lines) and _count(others) else 1
    return lines.first <= others.last + beside and others.first <= lines.last + beside


def _shifted(lines: Lines, by: int) -> Lines:
    return Lines(lines.first - by, lines.last - by)


def _count(lines: Lines) -> int:
    return lines.last - lines.first + 1
