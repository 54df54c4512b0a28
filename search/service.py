"""Searchers that stay open, for a long-running server (search.web, search.mcp).

Several threads may use a service. Models are loaded once. From time to time it checks whether
another generation was published and opens that; requests in progress finish on theirs.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from configs.errors import LsifIngestError
from configs.workspace import is_collection_name
from search.answer import MODES
from search.errors import MapFailed, ProjectUnknown, ReferencesMissing
from search.filters import STRUCTURE_FIELDS
from search.opening import open_searcher
from search.projection import keep_map, make_map, read_map
from search.published import choose_collection, connect
from search.sources import Sources, read_root
from storage.errors import IndexMissing, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from configs.workspace import Workspace
    from search.engine import Searcher
    from search.references import References
    from storage.index import Index

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
"""Seconds between two checks whether something was published."""
_SHOWN_VALUES = 200
"""Values of each field that are offered for filtering."""
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
    """Why the map could not be made."""

    @property
    def references(self) -> References:
        """What refers to what. Raises ReferencesMissing if the index was made without that."""
        return self.searcher.references

    def close(self) -> None:
        """Close the index and the file of places."""
        with suppress(ReferencesMissing):
            self.searcher.references.close()
        self.index.close()


class SearchService:
    """Searchers of the collections of one index."""

    def __init__(self, workspace: Workspace, collection: str = "") -> None:
        """Serve this collection if a request names none; "" is the one published last."""
        self._workspace = workspace
        self._default = collection
        self._lock = threading.RLock()
        self._watch: Index | None = None
        self._opened: dict[str, Opened] = {}
        self._looked: dict[str, float] = {}

    @contextmanager
    def opened(self, collection: str = "") -> Iterator[Opened]:
        """Hold the live generation of a collection.

        Raises the errors of storage, IndexMissing if there is none.
        """
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
        """Return the names of the published collections, sorted."""
        with self._lock:
            return self._watching().collections()

    def warm_up(self) -> None:
        """Load models and open the index, so that the first request need not wait.

        Raises what `opened` raises.
        """
        with self.opened() as held:
            held.searcher.search("warm up", limit=1)

    def describe(self) -> str:
        """Return a description of the default collection, for people."""
        with self.opened() as held:
            metadata = held.searcher.generation.metadata
            commit = f" at {metadata.commit[:12]}" if metadata.commit else ""
            return f"{held.collection}{commit}, {metadata.structures:,} structures,"

    def status(self, collection: str = "") -> dict[str, Any]:
        """Return what is searched, and the most frequent values of each filter."""
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
                "coverage": None if metadata.coverage is None else asdict(metadata.coverage),
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
            held.map_failed = (
                f"the map of {held.collection} can't be made: {type(exc).__name__}; "
                "the server's log says why."
            )
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
        """Return the live generation, opened; opens it if another was published."""
        held, now = self._opened.get(collection), time.monotonic()
        if held is not None and now < self._looked[collection] + _LOOK_S:
            return held
        try:
            state = self._watching().state(collection)
        except StorageError as exc:
            if held is None:
                raise
            logger.warning("can't check for a new generation of %s: %s", collection, exc)
            state = held.state
        if held is None or state != held.state:
            try:
                opened = self._open(collection, state)
            except LsifIngestError as exc:
                if held is None or state is None:
                    raise
                logger.warning("the new generation of %s can't be opened: %s", collection, exc)
                self._looked[collection] = now
                return held  # the generation before it is complete
            if held is not None:
                logger.info(
                    "a new generation of %s was published: now searching %s",
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
                f"there is no index {collection!r} at {self._watching().location}. "
                f"{IndexMissing.ADVICE}"
            )
        index = connect(self._workspace)
        try:
            searcher = open_searcher(self._workspace, index, collection)
        except BaseException:
            index.close()
            raise
        root = read_root(self._workspace.project_folder(collection))
        return Opened(
            collection=collection,
            state=state,
            index=index,
            searcher=searcher,
            sources=Sources(searcher.generation, root),
        )


def _close_if_unused(held: Opened) -> None:
    if held.retired and held.users == 0:
        held.close()
