"""Collections of Qdrant's own engine in the process (qdrant-edge-py).

    <root>/<collection>/live.json                     {"generation": name}, replaced atomically
    <root>/<collection>/lock                          held while a generation is built
    <root>/<collection>/<generation>/metadata.json    written last; says whether it is complete
    <root>/<collection>/<generation>/shard/           the engine's files of structures
    <root>/<collection>/<generation>/blocks/          the engine's files of blocks

There is no write-ahead log: a generation is flushed before it is published and never changed
afterwards (a sync works on a copy), so any number of processes can search it at once. Below tens
of thousands of points the engine scans all vectors: exact, and fast enough.
"""

from __future__ import annotations

import logging
import shutil
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import orjson

from machine.disk import taken_bytes
from machine.files import atomic_writer
from machine.locks import LockHeld, file_lock
from machine.text import why_malformed
from storage.embedded.disk import EMPTY, copy_file, require_room
from storage.embedded.generation import (
    METADATA,
    SHARDS,
    EmbeddedGeneration,
    found_metadata,
    is_complete,
    remove_generation,
    write_metadata,
)
from storage.embedded.points import WAY_OUT
from storage.errors import IndexDamaged, IndexLocked, IndexMissing, StorageError
from storage.generations import GenerationInfo, outdated
from storage.index import Health
from storage.metadata import generation_name, require_own_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.index import Generation
    from storage.metadata import Metadata

logger = logging.getLogger(__name__)


class EmbeddedIndex:
    """Collections under the folder `root`."""

    changes_in_place = False

    def __init__(self, root: Path) -> None:
        self._root = root
        self._opened: list[EmbeddedGeneration] = []

    @property
    def location(self) -> str:
        """The folder."""
        return str(self._root)

    def collections(self) -> list[str]:
        """Return the names of the published collections, sorted."""
        return sorted(path.parent.name for path in self._root.glob("*/live.json"))

    def live(self, collection: str) -> Generation | None:
        """Return the published generation, None if nothing is published under the name."""
        # Between the two steps another process may publish and drop the generation of that name.
        for _ in range(3):
            name = self._live_name(collection)
            if name is None:
                return None
            folder = self._root / collection / name
            try:
                return self._remember(EmbeddedGeneration.open(folder))
            except IndexMissing:
                if name == self._live_name(collection):
                    raise
        raise IndexMissing(
            f"the live generation of {collection} under {self._root} can't be opened; try again."
        )

    def state(self, collection: str) -> str | None:
        """Return the live generation's name, and when its metadata last changed."""
        name = self._live_name(collection)
        if name is None:
            return None
        try:
            return f"{name} {(self._root / collection / name / METADATA).stat().st_mtime_ns}"
        except OSError:  # it is being replaced, or damaged: opening it will say
            return name

    def former(self, collection: str) -> Generation | None:
        """Return the newest complete generation before the live one, None if none was kept."""
        live = self._live_name(collection)
        older = [
            folder
            for folder in self._complete(collection)
            if live is not None and folder.name < live
        ]
        return self._remember(EmbeddedGeneration.open(older[-1])) if older else None

    def generations(self, collection: str) -> list[GenerationInfo]:
        """Return the collection's generations, oldest first."""
        live = None
        with suppress(IndexDamaged):  # nothing is live
            live = self._live_name(collection)
        return [
            GenerationInfo(collection, folder.name, found_metadata(folder), folder.name == live)
            for folder in self._generations(collection)
        ]

    def open(self, collection: str, name: str) -> Generation:
        """Return a complete generation of the collection. Raises IndexMissing if it has none so."""
        for folder in self._complete(collection):
            if folder.name == name:
                return self._remember(EmbeddedGeneration.open(folder))
        raise IndexMissing(
            f"{self._root / collection} has no complete generation {name!r}; "
            "`lsif-ingest status --generations` lists those that are kept."
        )

    @contextmanager
    def writing(self, collection: str) -> Iterator[None]:
        """Hold the collection for writing; the lock ends with the process.

        Raises IndexLocked if another process holds it, IndexMismatch if its name is reserved.
        """
        require_own_names(collection)
        with self._locked(collection):
            yield

    @contextmanager
    def _locked(self, collection: str) -> Iterator[None]:
        folder = self._root / collection
        with ExitStack() as stack:
            try:
                stack.enter_context(file_lock(folder / "lock"))
            except LockHeld as exc:
                raise IndexLocked(
                    f"another process is writing {folder}; wait for it to end, "
                    "or choose another folder: --set paths.data=DIR"
                ) from exc
            except OSError as exc:
                raise StorageError(
                    f"can't write {folder}: {exc.strerror or exc}. "
                    "Choose another folder: --set paths.data=DIR"
                ) from exc
            yield

    def create(self, collection: str, metadata: Metadata) -> Generation:
        """Return a new, empty generation, not yet published."""
        folder = self._new_folder(collection, metadata)
        require_room(self._root, folder, EMPTY)
        return self._remember(EmbeddedGeneration.create(folder, metadata))

    def copy(self, collection: str, generation: Generation) -> Generation:
        """Return a copy of the generation, not yet published."""
        folder = self._new_folder(collection, generation.metadata)
        shards = {
            self._root / collection / generation.name / shard: folder / shard for shard in SHARDS
        }
        require_room(self._root, folder, EMPTY + sum(map(taken_bytes, shards)))
        try:
            for source, target in shards.items():
                shutil.copytree(source, target, copy_function=copy_file)
            write_metadata(folder, replace(generation.metadata, complete=False))
        except (OSError, shutil.Error) as exc:
            shutil.rmtree(folder, ignore_errors=True)
            raise StorageError(
                f"can't copy {generation.name} to {folder}: {exc}. Make room and run again."
            ) from exc
        return self._remember(EmbeddedGeneration.open(folder))

    def publish(self, collection: str, generation: Generation, *, keep: int = 1) -> None:
        """Make the generation the live one, atomically, and drop all older ones but `keep`.

        The one that was live is kept first. The generation is closed afterwards.
        """
        former = None
        with suppress(IndexDamaged):  # nothing was live
            former = self._live_name(collection)
        try:
            generation.close()
            with atomic_writer(self._root / collection / "live.json") as file:
                file.write(
                    orjson.dumps({"generation": generation.name}, option=orjson.OPT_APPEND_NEWLINE)
                )
        except Exception as exc:  # the engine raises plain Exception
            raise StorageError(
                f"can't publish {self._root / collection / generation.name}: {exc}"
            ) from exc
        complete = [folder.name for folder in self._complete(collection)]
        older = [name for name in complete if name < generation.name]
        for name in outdated(older, keep, former):
            remove_generation(self._root / collection / name)

    def drop(self, collection: str, generation: Generation) -> None:
        """Remove a generation that is not live."""
        if generation.name != self._live_name(collection):
            remove_generation(self._root / collection / generation.name)
            with suppress(StorageError):  # not flushed before: the disk may be full
                generation.close()

    def snapshot(self, generation: Generation) -> list[str]:
        """Raise StorageError: snapshots are a server's."""
        raise StorageError(
            f"only a server writes snapshots; the embedded index is the folder {self._root}: "
            f"copy it, or {generation.name} alone."
        )

    def health(self) -> Health:
        """Return the engine's version; nothing else can be wrong with it as a whole."""
        return Health(f"edge {version('qdrant-edge-py')}")

    def restriction(self, collection: str, candidates: int) -> str:  # noqa: ARG002 - the engine has no limits
        """Return an empty text: nothing is limited."""
        return ""

    def unfinished(self) -> list[GenerationInfo]:
        """Return what killed runs left behind, of any collection."""
        found: list[GenerationInfo] = []
        for collection in sorted(path.parent.name for path in self._root.glob("*/lock")):
            incomplete = [each for each in self.generations(collection) if not each.complete]
            with suppress(IndexLocked):  # it is being built
                if incomplete:
                    with self._locked(collection):
                        found += [replace(each, dead=True) for each in incomplete]
        return found

    def remove_unfinished(self, collection: str) -> list[str]:
        """Remove what killed runs left of the collection, which the caller holds for writing."""
        names = [each.name for each in self.generations(collection) if not each.complete]
        for name in names:
            remove_generation(self._root / collection / name)
        return names

    def close(self) -> None:
        """Close every generation that was opened."""
        for generation in self._opened:
            generation.close()
        self._opened.clear()

    def _remember(self, generation: EmbeddedGeneration) -> EmbeddedGeneration:
        self._opened.append(generation)
        return generation

    def _new_folder(self, collection: str, metadata: Metadata) -> Path:
        others = [folder.name for folder in self._generations(collection)]
        return self._root / collection / generation_name(collection, metadata, others)

    def _live_name(self, collection: str) -> str | None:
        path = self._root / collection / "live.json"
        try:
            return str(orjson.loads(path.read_bytes())["generation"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise IndexDamaged(f"{path} can't be read: {why_malformed(exc)}. {WAY_OUT}") from exc

    def _generations(self, collection: str) -> list[Path]:
        """Return the folders of all generations, oldest first."""
        return sorted((self._root / collection).glob(f"{collection}--*"))

    def _complete(self, collection: str) -> list[Path]:
        live = None
        with suppress(IndexDamaged):  # nothing is live
            live = self._live_name(collection)
        return [
            folder
            for folder in self._generations(collection)
            if folder.name == live or is_complete(folder)
        ]
