"""Opens the index that the environment names: a Qdrant server's, or the embedded one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from storage.generations import this_builder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from configs.settings import StorageSettings
    from storage.index import Index


def open_index(settings: StorageSettings, folder: Path, environment: Mapping[str, str]) -> Index:
    """Return the server's index if QDRANT_URL is set, else the embedded one in the folder.

    The folder is in the data folder, which a server's index names as the builder's.
    """
    url = environment.get("QDRANT_URL", "").strip()
    if url:
        from storage.server.connection import Connection, connect  # noqa: PLC0415 - starts faster
        from storage.server.index import ServerIndex  # noqa: PLC0415 - only one of the two is used

        api_key = environment.get("QDRANT_API_KEY", "").strip() or None
        connection = Connection(connect(url, api_key, settings), url, settings, api_key)
        return ServerIndex(connection, this_builder(Path(folder).parent))
    from storage.embedded.index import EmbeddedIndex  # noqa: PLC0415 - only one of the two is used

    return EmbeddedIndex(Path(folder))
