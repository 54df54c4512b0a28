"""Asks a Qdrant server for its version and the state of its cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qdrant_client import models

from storage.errors import IndexMismatch, StorageError
from storage.index import Health

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

    from storage.server.connection import Connection

_OLDEST = (1, 16)
"""The first version whose collections have metadata."""


def ask_health(connection: Connection) -> Health:
    """Return the server's health.

    Raises IndexMismatch if its version is too old, IndexUnreachable, KeyRejected.
    """
    check_version(connection)
    version = connection.call("ask for its version", _version_text, connection.client)
    try:
        status = connection.call("ask for its cluster", connection.client.cluster_status)
    except (StorageError, NotImplementedError):  # a key for some collections may not ask
        return Health(version, 1, "")
    if not isinstance(status, models.ClusterStatusOneOf1):
        return Health(version, 1, "")
    return Health(version, len(status.peers), _trouble(status))


def check_version(connection: Connection) -> None:
    """Raise IndexMismatch if the server's version is too old."""
    found = connection.call("ask for its version", _version, connection.client)
    if found is not None and found < _OLDEST:
        numbers, least = (".".join(map(str, version)) for version in (found, _OLDEST))
        raise IndexMismatch(
            f"{connection.location} is Qdrant {numbers}; {least} or later is needed."
        )


def _version(client: QdrantClient) -> tuple[int, int] | None:
    """Return the server's version; None if it is not known, as in the client's local mode."""
    try:
        numbers = _version_text(client).split(".")
        return int(numbers[0]), int(numbers[1])
    except (ValueError, IndexError):
        return None


def _version_text(client: QdrantClient) -> str:
    try:
        return client.info().version
    except (NotImplementedError, AttributeError):
        return ""


def _trouble(status: models.ClusterStatusOneOf1) -> str:
    """Return what is wrong with the cluster, one clause each."""
    found = [
        f"peer {peer} does not get messages ({failure.count} failed)"
        for peer, failure in status.message_send_failures.items()
    ]
    if isinstance(
        status.consensus_thread_status,
        models.ConsensusThreadStatusOneOf1 | models.ConsensusThreadStatusOneOf2,
    ):
        found.append(f"consensus is {status.consensus_thread_status.consensus_thread_status}")
    if status.raft_info.leader is None:
        found.append("no peer leads")
    return "; ".join(found)
