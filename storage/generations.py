"""A generation seen from outside: what it was made of, whether it is live, who builds it."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from storage.metadata import Metadata

SILENT = timedelta(hours=1)
"""After this time without a sign of life whoever builds a generation counts as killed."""


@dataclass(frozen=True, slots=True)
class Builder:
    """Who builds a generation, and when it last gave a sign of life."""

    host: str
    folder: str
    """The data folder, which lets one run of a project in at a time."""
    run: str
    """The process."""
    seen: str
    """ISO 8601, UTC."""

    def shares_folder_with(self, other: Builder) -> bool:
        """Return whether both are of one data folder."""
        return (self.host, self.folder) == (other.host, other.folder)

    def is_silent(self) -> bool:
        """Return whether it gave no sign of life for so long that it counts as killed."""
        return datetime.now(UTC) - datetime.fromisoformat(self.seen) >= SILENT

    def __str__(self) -> str:
        """Return who it is, in words."""
        return f"{self.run} on {self.host} in {self.folder}, last seen {self.seen}"


def this_builder(data: Path) -> Builder:
    """Return this process, seen now; `data` is its data folder."""
    folder, run = str(data.absolute()), f"process {os.getpid()}"
    return Builder(socket.gethostname(), folder, run, now())


def read_builder(fields: object) -> Builder | None:
    """Return the builder that these plain data say; None if they say none."""
    try:
        builder = Builder(**fields) if isinstance(fields, dict) else None
        if builder is not None:
            datetime.fromisoformat(builder.seen)
    except (TypeError, ValueError):
        return None
    return builder


def now() -> str:
    """Return the time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class GenerationInfo:
    """A generation that exists."""

    collection: str
    name: str
    metadata: Metadata | None
    """None if it can't be read."""
    live: bool = False
    builder: Builder | None = None
    """Who builds it, or built it; None if that is not known."""
    dead: bool = False
    """Whether it is unfinished, and whoever built it was killed."""

    @property
    def complete(self) -> bool:
        """Whether it was built to the end: it is live, or can be."""
        return self.live or (self.metadata is not None and self.metadata.complete)

    def to_dict(self) -> dict[str, Any]:
        """Return the information as plain data."""
        metadata = self.metadata
        return {
            "name": self.name,
            "live": self.live,
            "complete": self.complete,
            "commit": metadata.commit if metadata is not None else None,
            "dirty": metadata.dirty if metadata is not None else False,
            "created": metadata.created if metadata is not None else "",
            "structures": metadata.structures if metadata is not None else 0,
            "blocks": metadata.blocks if metadata is not None else 0,
            "builder": asdict(self.builder) if self.builder is not None else None,
            "dead": self.dead,
        }


def outdated(older: Sequence[str], keep: int, former: str | None) -> list[str]:
    """Return which of the generations `older` than a new one, oldest first, are dropped for it.

    `keep` of them stay: the `former`, which was live until now, then those that were made last. It
    is another one than the newest after a rollback, and likely the one that is good.

    >>> outdated(["a", "b", "c"], 1, "c"), outdated(["a", "b", "c"], 1, "a")
    (['a', 'b'], ['b', 'c'])
    """
    by_worth = sorted(older, key=lambda name: name == former)
    return by_worth[: max(0, len(by_worth) - keep)]
