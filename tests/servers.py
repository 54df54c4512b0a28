"""Indexes on the double of a server, or on the client's own memory."""

from __future__ import annotations

from fakes import FINGERPRINTS
from qdrant_client import QdrantClient

from configs.settings import load_settings
from storage.metadata import Metadata, VectorInfo
from storage.server.connection import Connection
from storage.server.index import ServerIndex

SAMPLE_METADATA = Metadata(
    "sample",
    "file:///sample",
    "0123abc",
    dirty=False,
    created="2026-01-01T00:00:00+00:00",
    vectors={
        name: VectorInfo(8, fingerprint.digest, fingerprint.describe())
        for name, fingerprint in FINGERPRINTS.items()
    },
)


def server_index(client: QdrantClient, url: str, **changes: object) -> ServerIndex:
    """Return an index on the client's server, with these settings of [storage] changed."""
    settings = load_settings().storage.model_copy(
        update={"retry_s": 5.0, "ready_s": 20.0, **changes}
    )
    return ServerIndex(Connection(client, url, settings))
