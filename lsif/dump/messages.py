"""What rust-analyzer said on its standard error, which may repeat a message thousands of times."""

from __future__ import annotations

import re
from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_LOGGED = re.compile(r"(?:\d{4}-\d\d-\d\dT\S+ +)?(?:ERROR|WARN) +(?P<message>.*)")
_FIELD = re.compile(r" \w+=")
"""Where the fields of a message begin, which differ from line to line."""
_IDLE = ("Generating LSIF", "note: run with", "Caused by:", "stderr:")
_KEPT = 50
"""The last lines are kept."""
_SHOWN = 3
_LONGEST = 500
_LONGEST_LINE = 4000
"""Characters of messages and bytes of lines."""


class Messages(NamedTuple):
    """What was said, each message once."""

    last: list[str]
    """The last lines; of a message that is repeated only the first one."""
    counts: Counter[str]
    """Errors and warnings without their fields, and how often each was said."""

    def last_words(self) -> str:
        """Return a panic's message, else the last lines, in one line."""
        for number, line in enumerate(self.last):
            if "panicked at" in line:
                return " ".join(self.last[number : number + 2])[:_LONGEST]
        return " | ".join(self.last[-_SHOWN:])[:_LONGEST] or "it said nothing"

    def repeated(self) -> list[tuple[str, int]]:
        """Return the messages that were said more than once, at most three, with their numbers."""
        found = [(message, count) for message, count in self.counts.most_common(_SHOWN)]
        return [(message[:_LONGEST], count) for message, count in found if count > 1]


def read_messages(errors: Path) -> Messages:
    """Return what the file with standard error says. Raises OSError if it can't be read."""
    last: deque[str] = deque(maxlen=_KEPT)
    counts: Counter[str] = Counter()
    with errors.open("rb") as file:
        while data := file.readline(_LONGEST_LINE):
            line = data.decode("utf-8", "replace").strip()
            if not line or line.startswith(_IDLE):
                continue
            logged = _LOGGED.fullmatch(line)
            if logged is None:
                last.append(line)
                continue
            message = _FIELD.split(logged["message"], maxsplit=1)[0]
            counts[message] += 1
            if counts[message] == 1:
                last.append(line)
    return Messages(list(last), counts)
