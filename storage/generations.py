"""A generation seen from outside: what it was made of, whether it is live, who builds it."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.metadata import Metadata

_SILENT = timedelta(hours=1)
"""After this time without a sign of life whoever builds a generation counts as killed."""
_SILENT_NAMESAKE = timedelta(minutes=5)
"""The same if the builder's machine has this one's name, and was started again or is another."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


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
    boot: str = ""
    """Which start of the machine; empty where the system does not say."""
    disk: str = ""
    """Where the folder is on its disk: containers of one machine may have equal hosts and paths."""

    def is_silent(self, time: timedelta = _SILENT) -> bool:
        """Return whether it gave no sign of life for so long that it counts as killed."""
        return datetime.now(UTC) - datetime.fromisoformat(self.seen) >= time

    def is_gone_from(self, folder_holder: Builder) -> bool:
        """Return whether it built in the data folder that `folder_holder` has locked now.

        Then it was killed. Machines and containers that are made of one image may have one name.
        """
        if (self.host, self.folder) != (folder_holder.host, folder_holder.folder):
            return False
        same = (self.boot, self.disk) == (folder_holder.boot, folder_holder.disk)
        return same or self.is_silent(_SILENT_NAMESAKE)

    def __str__(self) -> str:
        """Return who it is, in words."""
        return f"{self.run} on {self.host} in {self.folder}, last seen {self.seen}"


def this_builder(data: Path) -> Builder:
    """Return this process, seen now; `data` is its data folder."""
    folder, run = str(data.absolute()), f"process {os.getpid()}"
    return Builder(socket.gethostname(), folder, run, now(), _boot_id(), _disk_place(data))


def _disk_place(folder: Path) -> str:
    try:
        found = folder.stat()
    except OSError:  # it is not made yet: nothing was built there
        return ""
    return f"{found.st_dev}:{found.st_ino}"


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def read_builder(fields: object) -> Builder | None:
    """Return the builder that these plain data say; None if they say none."""
    try:
        builder = Builder(**fields) if isinstance(fields, dict) else None
        if builder is not None:
            builder.is_silent()  # fails if its time can't be compared
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
