"""Signs of life: a generation on a server says who builds it, and goes on saying so.

On a server nothing ends with the process that made it. A sign of life each minute tells a run that
is at work from one that was killed.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from storage.generations import Builder, now, read_builder
from storage.metadata import made_at

if TYPE_CHECKING:
    from storage.server.connection import Connection

logger = logging.getLogger(__name__)

BUILDER_KEY = "lsif_ingest_builder"
"""Key of the builder in the metadata of a generation's collections."""

_EACH_S = 60.0
"""Seconds between two signs of life."""
_ABANDONED = timedelta(days=1)
"""Age from which an incomplete generation whose builder is not known counts as a killed run's."""


def builder_fields(builder: Builder | None) -> dict[str, Any]:
    """Return what a new collection says of its builder, seen now."""
    return {} if builder is None else {BUILDER_KEY: asdict(replace(builder, seen=now()))}


def builder_of(kept: dict[str, Any] | None) -> Builder | None:
    """Return the builder that a collection's metadata name, None if they name none."""
    return read_builder((kept or {}).get(BUILDER_KEY))


def is_dead(collection: str, name: str, builder: Builder | None) -> bool:
    """Return whether whoever built the unfinished generation was killed, as far as one can see."""
    if builder is None:
        return datetime.now(UTC) - made_at(name, collection) >= _ABANDONED
    return builder.is_silent()


class Heartbeat:
    """Has a collection say each minute that it is being built, until `stop`."""

    def __init__(self, connection: Connection, name: str, builder: Builder) -> None:
        self._connection, self._name, self._builder = connection, name, builder
        self._stopped = threading.Event()
        threading.Thread(target=self._beat, name=f"builds {name}", daemon=True).start()

    def stop(self) -> None:
        """Say it no longer."""
        self._stopped.set()

    def _beat(self) -> None:
        while not self._stopped.wait(_EACH_S):
            try:
                self._connection.client.update_collection(
                    self._name, metadata=builder_fields(self._builder)
                )
            except Exception as exc:  # noqa: BLE001 - the run itself meets what is wrong, and says it
                logger.debug("no sign of life in %s: %s", self._name, type(exc).__name__)
