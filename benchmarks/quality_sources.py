"""The sources of judged repositories, and an index of them that needs no rust-analyzer.

The index is made from the sources alone, so that everybody gets the same one: by a dump that names
the Rust files and holds no definition, all definitions come from the sources.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from crates import PROGRAM, fetch

from configs.settings import load_settings
from configs.workspace import Workspace
from embedding.models import fingerprints_of
from lsif.listing import list_files
from machine.git import git_state
from search.calibrate import TakenOut
from search.opening import open_searcher
from search.published import connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from quality_repositories import JudgedRepository

    from search.answer import Answer, Mode
    from search.engine import Searcher

logger = logging.getLogger(__name__)

HITS = 10
"""Hits that are judged."""


def local_copy(given: str, repositories: Iterable[JudgedRepository]) -> tuple[str, Path]:
    """Return name and folder of NAME=DIR; exit if it is of none of the repositories."""
    name, _, folder = given.partition("=")
    known = [repository.name for repository in repositories]
    if name not in known or not Path(folder).is_dir():
        sys.exit(f"--repo {given}: expected NAME=DIR, a folder for one of {', '.join(known)}")
    return name, Path(folder)


def sources_of(repository: JudgedRepository, local: Mapping[str, Path], data: Path) -> Path:
    """Return the repository's folder: the local copy that is given, else one fetched to `data`."""
    copy = local.get(repository.name)
    if copy is not None:
        commit = git_state(copy).commit
        if repository.commit not in ("", commit):
            logger.warning(
                "%s is at %s; the queries of %s are about %s",
                *(copy, commit or "no commit", repository.name, repository.commit),
            )
        return copy.resolve()
    folder = data.resolve() / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    if repository.debian:
        return fetch_package(repository, folder)
    return clone(repository, folder / repository.name)


def fetch_package(repository: JudgedRepository, folder: Path) -> Path:
    """Return the crate's folder in the Debian package. Raises FileNotFoundError for another one."""
    roots = {root.name: root for root in fetch(folder, (repository.debian,))}
    if repository.name not in roots:
        raise FileNotFoundError(
            f"{repository.debian} has {', '.join(roots)}, expected {repository.name}; "
            f"unpack its sources yourself and give them with --repo {repository.name}=DIR"
        )
    return roots[repository.name]


def clone(repository: JudgedRepository, folder: Path) -> Path:
    """Return the folder with the repository at its commit, without its history."""
    if git_state(folder if folder.is_dir() else None).commit == repository.commit:
        return folder
    folder.mkdir(exist_ok=True)
    for arguments in (
        ("init", "--quiet"),
        ("fetch", "--quiet", "--depth", "1", repository.url, repository.commit),
        ("checkout", "--quiet", "--force", repository.commit),
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


def write_bare_dump(root: Path, dump: Path) -> None:
    """Write a dump that names each Rust file under the root, and holds nothing of it."""
    head: dict[str, object] = {
        "label": "metaData",
        "version": "0.4.3",
        "projectRoot": root.as_uri(),
        "positionEncoding": "utf-8",
        "toolInfo": {"name": "rust-analyzer", "version": "0"},
    }
    documents: list[dict[str, object]] = [
        {"label": "document", "uri": (root / path).as_uri(), "languageId": "rust"}
        for path in list_files(root).rust
    ]
    with dump.open("w", encoding="utf-8") as file:
        for number, vertex in enumerate([head, *documents]):
            file.write(json.dumps({"id": number, "type": "vertex", **vertex}) + "\n")


@dataclass(frozen=True)
class QualityIndex:
    """An index of a judged repository, of one choice of settings."""

    repository: JudgedRepository
    data: Path
    overrides: Sequence[str] = ()
    """`section.key=value`."""

    def workspace(self, *more: str) -> Workspace:
        """Return the workspace; `more` overrides say how to search."""
        return Workspace(load_settings(None, (f"paths.data={self.data}", *self.overrides, *more)))

    @property
    def collection(self) -> str:
        """A name for the repository and what decides its vectors: other models, another index."""
        models = fingerprints_of(self.workspace().structure_models)
        digests = " ".join(fingerprint.digest for fingerprint in models.values())
        return f"{self.repository.name}.{sha256(digests.encode()).hexdigest()[:8]}"

    def exists(self) -> bool:
        """Return whether it was made before."""
        with closing(connect(self.workspace())) as index:
            return index.state(self.collection) is not None

    def make(self, root: Path) -> None:
        """Index the sources under the root."""
        dump = self.data / f"{self.repository.name}.lsif"
        write_bare_dump(root, dump)
        changes = (
            f"paths.data={self.data}",
            f"project.name={self.collection}",
            "parse.max_stale_share=1",  # the bare dump has no definition of any file
            *self.overrides,
        )
        sets = [word for change in changes for word in ("--set", change)]
        command = [*PROGRAM, "ingest", "--dump", str(dump), "--root", str(root), "--rebuild", *sets]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    @contextmanager
    def searcher(self, *changes: str) -> Iterator[Searcher]:
        """Open the index for searches."""
        workspace = self.workspace(*changes)
        with closing(connect(workspace)) as index:
            yield open_searcher(workspace, index, self.collection)

    def answers(self, mode: Mode = "hybrid", *changes: str) -> list[Answer]:
        """Return the answer to each query of the repository."""
        with self.searcher(*changes) as searcher:
            return [
                searcher.search(query.query, mode, limit=HITS)
                for query in self.repository.queries()
            ]

    def answers_taken_out(self) -> list[Answer | None]:
        """Return the answer to each query as if the index did not hold the known answers.

        None for queries without any.
        """
        with self.searcher() as searcher:
            taken_out = TakenOut(searcher)
            return [taken_out.search(query, "hybrid") for query in self.repository.queries()]
