"""From git's lines to those of an index, and to the structures that own them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from difflib import SequenceMatcher

import pytest

from machine.git_diff import EVERY_LINE, FileChange, Hunk, Lines
from search.changes import ChangedFile, changed_files, own_lines

SPANS = {
    "mod": Lines(1, 30),
    "impl": Lines(3, 20),
    "first": Lines(4, 8),
    "second": Lines(10, 15),
    "twin": Lines(10, 15),
    "other": Lines(40, 41),
}


@pytest.mark.parametrize(
    ("changed", "ids", "is_any_outside"),
    [
        (Lines(5, 5), {"first"}, False),
        (Lines(8, 9), {"first", "impl"}, False),
        (Lines(12, 12), {"second", "twin"}, False),
        (Lines(21, 35), {"mod"}, True),
        (Lines(5, 4), {"first"}, False),
        (Lines(9, 8), {"impl"}, False),
        (Lines(4, 3), {"impl"}, False),
        (Lines(31, 30), set(), True),
        (Lines(40, 39), set(), True),
        (Lines(99, 120), set(), True),
        (EVERY_LINE, set(SPANS), True),
    ],
)
def test_changed_lines_belong_to_the_innermost_structure(
    changed: Lines, ids: set[str], is_any_outside: bool
) -> None:
    assert own_lines(SPANS, [changed]) == (ids, is_any_outside)


def test_without_structures_or_changes_nothing_is_owned() -> None:
    assert own_lines({}, [Lines(1, 1)]) == (set(), True)
    assert own_lines(SPANS, []) == (set(), False)


def change(*hunks: Hunk, old: str | None = "a.rs", new: str | None = "a.rs") -> FileChange:
    return FileChange(old, new, hunks)


EDIT = Hunk(Lines(5, 6), Lines(5, 9))
WHOLE = Hunk(Lines(1, 0), EVERY_LINE)


def test_lines_that_differ_from_the_index_are_those_of_the_index() -> None:
    edit = change(EDIT, Hunk(Lines(9, 8), Lines(12, 12)))
    expected = [ChangedFile("a.rs", "changed", (Lines(5, 6), Lines(9, 8)))]
    assert changed_files([edit], [edit]) == expected


def test_lines_that_the_index_has_as_today_are_those_of_today() -> None:
    assert changed_files([change(EDIT)], []) == [ChangedFile("a.rs", "changed", (Lines(5, 9),))]
    since = changed_files([change(EDIT)], [change(EDIT)], as_today={"a.rs"})
    assert since == [ChangedFile("a.rs", "changed", (Lines(5, 9),))]


def test_lines_are_moved_by_what_changed_since_the_index_was_made() -> None:
    above = change(Hunk(Lines(1, 0), Lines(1, 10)))
    since = change(Hunk(Lines(1, 0), Lines(1, 10)), Hunk(Lines(20, 20), Lines(30, 30)))
    (found,) = changed_files([since], [above])
    assert found.lines == (Lines(1, 0), Lines(20, 20))


@pytest.mark.parametrize(
    ("since", "indexed", "expected"),
    [
        # as it differs from the commit, as it differs from the index's, what is said
        (change(WHOLE, old=None), change(WHOLE, old=None), ("a.rs", "new", ())),
        (change(WHOLE, old=None), None, ("a.rs", "new", (EVERY_LINE,))),
        (change(new=None), change(new=None), ("a.rs", "deleted", (EVERY_LINE,))),
        (change(new=None), None, ("a.rs", "deleted", ())),
        (change(old="b.rs"), change(old="c.rs"), ("c.rs", "renamed", ())),
        (change(EDIT, old="b.rs"), change(EDIT, old="b.rs"), ("b.rs", "renamed", (Lines(5, 6),))),
        (change(), None, None),  # only its mode differs
    ],
)
def test_files_that_come_and_go(
    since: FileChange, indexed: FileChange | None, expected: tuple[object, ...] | None
) -> None:
    found = changed_files([since], [] if indexed is None else [indexed])
    assert found == ([] if expected is None else [expected])


def hunks(old: Sequence[str], new: Sequence[str]) -> tuple[Hunk, ...]:
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return tuple(
        Hunk(Lines(i1 + 1, i2), Lines(j1 + 1, j2))
        for tag, i1, i2, j1, j2 in codes
        if tag != "equal"
    )


def edited(lines: list[str], drawn: random.Random) -> list[str]:
    """Return the lines with some replaced, added or removed; no two are alike."""
    lines = list(lines)
    for _ in range(drawn.randint(0, 4)):
        place, new = drawn.randint(0, len(lines)), [str(drawn.random()) for _ in range(2)]
        lines[place : place + drawn.randint(0, 3)] = new[: drawn.randint(0, 2)]
    return lines


def test_every_line_of_the_index_that_changed_since_is_found_and_no_other() -> None:
    drawn = random.Random(20)  # noqa: S311 - no secret
    for _ in range(300):
        start = [str(number) for number in range(drawn.randint(0, 12))]
        index = edited(start, drawn)
        today = edited(index, drawn)
        since, indexed = hunks(start, today), hunks(index, today)
        files = changed_files([change(*since)], [change(*indexed)])
        found = {
            line for file in files for lines in file.lines for line in range(lines[0], lines[1] + 1)
        }
        for number, line in enumerate(index, start=1):
            if line in start or line in today:  # else it came after the commit, and is gone
                assert (number in found) == ((line in start) != (line in today))
