"""Searchers that stay open: what a long-running server (web.py, mcp.py) asks. Several threads may use it.

Models are loaded once. Now and then it looks whether another generation was published, and opens that: requests under way end on
the one that they began with.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from configs.errors import LsifIngestError
from configs.workspace import is_collection_name
from search.answer import MODES
from search.errors import MapFailed, ProjectUnknown
from search.filters import STRUCTURE_FIELDS
from search.opening import choose_collection, connect, open_searcher
from search.projection import keep_map, make_map, read_map
from search.web.sources import Sources, read_root
from storage.errors import IndexMissing, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from configs.workspace import Workspace
    from search.engine import Searcher
    from storage.index import Index

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
"""Seconds for which what is published is taken for unchanged."""
_SHOWN_VALUES = 200
"""Of each field that are offered for filtering."""
_LISTED = tuple(name for name in STRUCTURE_FIELDS if name != "path")


@dataclass(slots=True)
class Opened:
    """A generation in use."""

    collection: str
    state: str
    index: Index
    searcher: Searcher
    sources: Sources
    users: int = 0
    retired: bool = False
    values: dict[str, dict[str, int]] = field(default_factory=dict)
    map: dict[str, Any] | None = None
    mapping: bool = False
    """Whether the map is being made."""
    map_failed: str = ""
    """Why it could not be made."""


class SearchService:
    """Searchers of the collections of one index."""

    def __init__(self, workspace: Workspace, collection: str = "") -> None:
        """Serve this collection where a request names none; "" is the one made last, once there is one."""
        self._workspace = workspace
        self._default = collection
        self._lock = threading.RLock()
        self._watch: Index | None = None
        self._opened: dict[str, Opened] = {}
        self._looked: dict[str, float] = {}

    @contextmanager
    def opened(self, collection: str = "") -> Iterator[Opened]:
        """Hold the live generation of a collection. Raises the errors of storage, IndexMissing where there is none."""
        if collection and not is_collection_name(collection):
            raise ProjectUnknown(f"no project {collection!r} is indexed.")
        with self._lock:
            held = self._current(collection or self._default_collection())
            held.users += 1
        try:
            yield held
        finally:
            with self._lock:
                held.users -= 1
                _close_if_unused(held)

    def collections(self) -> list[str]:
        """Return the names of the collections that are published, sorted."""
        with self._lock:
            return self._watching().collections()

    def warm_up(self) -> None:
        """Load models and open the index, so that the first request need not wait. Raises what `opened` raises."""
        with self.opened() as held:
            held.searcher.search("warm up", limit=1)

    def describe(self) -> str:
        """Return what is served where a request names nothing, for people."""
        with self.opened() as held:
            metadata = held.searcher.generation.metadata
            commit = f" at {metadata.commit[:12]}" if metadata.commit else ""
            return f"{held.collection}{commit}, {metadata.structures:,} structures,"

    def status(self, collection: str = "") -> dict[str, Any]:
        """Return what is searched, and the values that can be filtered on, the commonest of each field."""
        with self.opened(collection) as held:
            generation = held.searcher.generation
            if not held.values:
                held.values = {
                    name: dict(
                        list(generation.structures.values(STRUCTURE_FIELDS[name]).items())[
                            :_SHOWN_VALUES
                        ]
                    )
                    for name in _LISTED
                }
            metadata = generation.metadata
            return {
                "project": held.collection,
                "projects": self.collections(),
                "commit": metadata.commit,
                "dirty": metadata.dirty,
                "generation": generation.name,
                "created": metadata.created,
                "structures": metadata.structures,
                "blocks": metadata.blocks,
                "models": {name: info.description for name, info in metadata.vectors.items()},
                "modes": list(MODES),
                "values": held.values,
            }

    def map(self, collection: str = "") -> dict[str, Any] | None:
        """Return the map of the structures, None while it is being made. Raises MapFailed."""
        with self.opened(collection) as held, self._lock:
            if held.map is None and not held.mapping:
                held.map = read_map(self._map_path(held), held.state)
            if held.map_failed:
                raise MapFailed(held.map_failed)
            if held.map is None and not held.mapping:
                held.mapping = True
                held.users += 1
                threading.Thread(
                    target=self._make_map, args=(held,), name="map", daemon=True
                ).start()
            return held.map

    def close(self) -> None:
        """Close everything that no request uses."""
        with self._lock:
            for held in self._opened.values():
                held.retired = True
                _close_if_unused(held)
            self._opened.clear()
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    def _make_map(self, held: Opened) -> None:
        try:
            made = make_map(held.searcher.generation)
            keep_map(self._map_path(held), held.state, made)
            held.map = made
        except Exception as exc:
            logger.exception("the map of %s can't be made", held.collection)
            held.map_failed = f"the map of {held.collection} can't be made: {type(exc).__name__}; the log says more."
        finally:
            with self._lock:
                held.mapping = False
                held.users -= 1
                _close_if_unused(held)

    def _map_path(self, held: Opened) -> Path:
        return self._workspace.project_folder(held.collection).map

    def _watching(self) -> Index:
        if self._watch is None:
            self._watch = connect(self._workspace)
        return self._watch

    def _default_collection(self) -> str:
        if not self._default:
            with closing(connect(self._workspace)) as index:
                self._default = choose_collection(index, "")
        return self._default

    def _current(self, collection: str) -> Opened:
        """Return the opened generation, of another one than before where another was published."""
        held, now = self._opened.get(collection), time.monotonic()
        if held is not None and now < self._looked[collection] + _LOOK_S:
            return held
        try:
            state = self._watching().state(collection)
        except StorageError as exc:
            if held is None:
                raise
            logger.warning("it can't be seen whether %s was published anew: %s", collection, exc)
            state = held.state
        if held is None or state != held.state:
            try:
                opened = self._open(collection, state)
            except LsifIngestError as exc:
                if held is None or state is None:
                    raise
                logger.warning("%s was published anew, but can't be opened: %s", collection, exc)
                self._looked[collection] = now
                return held  # what was there before is whole
            if held is not None:
                logger.info(
                    "%s was published anew: searching %s",
                    collection,
                    opened.searcher.generation.name,
                )
                held.retired = True
                _close_if_unused(held)
            held = self._opened[collection] = opened
        self._looked[collection] = now
        return held

    def _open(self, collection: str, state: str | None) -> Opened:
        if state is None and collection != self._default and self._watching().collections():
            raise ProjectUnknown(f"no project {collection!r} is indexed.")
        if state is None:
            raise IndexMissing(
                f"there is no index {collection!r} at {self._watching().location}. Make one: lsif-ingest ingest"
            )
        index = connect(self._workspace)
        try:
            searcher = open_searcher(self._workspace, index, collection)
        except BaseException:
            index.close()
            raise
        root = read_root(self._workspace.project_folder(collection))
        return Opened(collection, state, index, searcher, Sources(searcher.generation, root))


def _close_if_unused(held: Opened) -> None:
    if held.retired and held.users == 0:
        held.index.close()
