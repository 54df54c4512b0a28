"""The workspace: the settings of one command, the names of its project, and where its files are.

    paths.data/
    ├── .gitignore        hides all of this from a repository around it
    ├── checkpoints/      vectors as Parquet, unless checkpoint.store names another place
    ├── models/           what takes long to derive from a model
    ├── qdrant/           the embedded index, one folder per collection
    ├── target/           what Cargo builds
    ├── prefect/          an empty database for temporary Prefect servers; .ci/reindex has Prefect's
    │                     home there, and reindex-* beside it
    └── projects/
        ├── .vectors.lock     shared by runs, exclusive for a compaction of vectors
        └── COLLECTION/       one folder per index: see ProjectFolder

An entry point makes a `Workspace` once; `ProjectWorkspace` adds the project. No other module spells
a name of the data folder; what is inside a collection's folder in `qdrant` is up to the index.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from configs.settings import SNIPPET_RECIPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from configs.settings import ModelSettings, Settings

BLOCKS_VECTOR = "blocks"
"""Kind of vector that blocks have; `text` and `code` are those of structures."""

_CHECKPOINTS, _MODELS, _PREFECT, _PROJECTS = "checkpoints", "models", "prefect", "projects"
_INDEX, _TARGET, _CI = "qdrant", "target", "reindex-*"
PARTS = (_CHECKPOINTS, _MODELS, _PREFECT, _PROJECTS, _INDEX, _TARGET)
"""Folders of the data folder; .ci/reindex has its own, `reindex-*`, beside them."""
RUNS = "runs"
"""Folder of earlier reports; report pages link to it by this name."""
_PLAN = "plan-"
_IGNORED = "".join(
    [
        "# Written by lsif-ingest: what it keeps here is no part of the repository around it.\n",
        "/.gitignore\n",
    ]
    + [f"/{part}/\n" for part in (*PARTS, _CI)]
)
_COLLECTION = re.compile(r"\w[\w.@-]{,80}")


@dataclass(frozen=True, slots=True)
class ProjectFolder:
    """The files of one index, or those of a plan, which has its own folder inside the project's."""

    path: Path

    @property
    def structures(self) -> Path:
        """The structures of the last run, as JSON lines."""
        return self.path / "structures.jsonl"

    @property
    def blocks(self) -> Path:
        """The blocks of the last run, as JSON lines."""
        return self.path / "blocks.jsonl"

    def places(self, digest: str) -> Path:
        """Return the file of places, Parquet, that has this digest; see lsif.references.places."""
        return self.path / f"places-{digest}.parquet"

    def all_places(self) -> list[Path]:
        """Return the files of places of this run and of earlier ones."""
        return sorted(self.path.glob("places-*.parquet"))

    @property
    def dump(self) -> Path:
        """A dump that can't be reused; one of SCIP has the suffix `.scip`."""
        return self.path / "dump.lsif"

    def cached_dump(self, key: str, content: str, suffix: str = ".lsif") -> Path:
        """Return where a dump of that key and content is cached; both are digests."""
        return self.path / f"dump-{key}-{content}{suffix}"

    def cached_dumps(self, key: str = "*") -> list[Path]:
        """Return the cached dumps, only those of the key if one is given."""
        found = (self.path.glob(f"dump-{key}-*{suffix}") for suffix in (".lsif", ".scip"))
        return sorted(path for paths in found for path in paths)

    @property
    def checkout(self) -> Path:
        """The checkout of a git URL or ref."""
        return self.path / "checkout"

    @property
    def source_root(self) -> Path:
        """The note that says where the sources are on this machine."""
        return self.path / "sources.json"

    @property
    def map(self) -> Path:
        """The map of the structures that the search page shows."""
        return self.path / "map.json"

    @property
    def report(self) -> Path:
        """The report of the last successful run."""
        return self.path / "report.json"

    @property
    def report_page(self) -> Path:
        """The same report as a page."""
        return self.path / "report.html"

    @property
    def runs(self) -> Path:
        """The folder of earlier reports."""
        return self.path / RUNS

    @property
    def lock(self) -> Path:
        """The file that a run holds locked."""
        return self.path / "lock"

    @contextmanager
    def plan(self) -> Iterator[ProjectFolder]:
        """Yield a folder of the same layout for the records of a plan; remove it afterwards."""
        with tempfile.TemporaryDirectory(dir=self.path, prefix=_PLAN) as folder:
            yield ProjectFolder(Path(folder))

    def plans(self) -> list[Path]:
        """Return the folders of plans; those that nobody works in were left by killed runs."""
        return sorted(self.path.glob(f"{_PLAN}*"))


@dataclass(frozen=True, slots=True)
class Workspace:
    """What is known without a project: settings, the data folder, and which model embeds what."""

    settings: Settings

    @property
    def data(self) -> Path:
        """The data folder."""
        return Path(self.settings.paths.data)

    @property
    def store(self) -> str:
        """Where vectors are kept: a folder or a URI."""
        return self.settings.checkpoint.store or str(self.data / _CHECKPOINTS)

    @property
    def models_folder(self) -> Path:
        """Where to keep what takes long to derive from a model."""
        return self.data / _MODELS

    @property
    def index_folder(self) -> Path:
        """The embedded index."""
        return self.data / _INDEX

    @property
    def target(self) -> Path:
        """The folder that Cargo builds in."""
        return self.data / _TARGET

    @property
    def prefect_folder(self) -> Path:
        """What a temporary Prefect server keeps for the next one."""
        return self.data / _PREFECT

    @property
    def projects_folder(self) -> Path:
        """The folder of the projects' folders."""
        return self.data / _PROJECTS

    @property
    def vectors_lock(self) -> Path:
        """The file that runs lock together, and a compaction of vectors alone."""
        return self.projects_folder / ".vectors.lock"

    @property
    def structure_models(self) -> dict[str, ModelSettings]:
        """The model of each named vector of structures."""
        embedding = self.settings.embedding
        return {"text": embedding.text, "code": embedding.code}

    @property
    def models(self) -> dict[str, ModelSettings]:
        """The model of each kind of vector; the code model embeds blocks, as raw snippets."""
        code = self.settings.embedding.code
        snippets = code.model_copy(update={"recipe": SNIPPET_RECIPE})
        return {**self.structure_models, BLOCKS_VECTOR: snippets}

    def with_models(self, models: Mapping[str, ModelSettings]) -> Self:
        """Return the workspace with other models of the named vectors of structures."""
        embedding = self.settings.embedding.model_copy(update=dict(models))
        return replace(self, settings=self.settings.model_copy(update={"embedding": embedding}))

    def project_folder(self, collection: str) -> ProjectFolder:
        """Return the files of the index of that name."""
        return ProjectFolder(self.projects_folder / collection)

    def project_folders(self) -> list[ProjectFolder]:
        """Return the folders that exist, by name."""
        folders = sorted(path for path in self.projects_folder.glob("*") if path.is_dir())
        return [ProjectFolder(path) for path in folders]

    def for_project(self, project: str, branch: str = "") -> ProjectWorkspace:
        """Return the workspace of that project; an empty `branch` is the configured one."""
        return ProjectWorkspace(self.settings, project, branch or self.settings.project.branch)


@dataclass(frozen=True, slots=True)
class ProjectWorkspace(Workspace):
    """The workspace of one branch of one project."""

    project: str
    branch: str

    @property
    def collection(self) -> str:
        """The name of the index."""
        return collection_name(self.project, self.branch)

    @property
    def folder(self) -> ProjectFolder:
        """The files of the index."""
        return self.project_folder(self.collection)


def project_name(text: str) -> str:
    """Return the text as a project's name: letters, digits and `_ . -`.

    >>> project_name("My Repo (2)")
    'My-Repo-2'
    """
    return re.sub(r"^[^\w]+|[^\w.-]+", "-", text).strip("-.") or "project"


def collection_name(project: str, branch: str) -> str:
    """Return the name of the index of a project's branch: two branches never share one.

    >>> collection_name("qdrant", ""), collection_name("qdrant", "dev")
    ('qdrant', 'qdrant@dev')
    """
    if not branch:
        return project
    safe = re.sub(r"[^\w.-]+", "-", branch)
    digest = "" if safe == branch else f"-{hashlib.sha256(branch.encode()).hexdigest()[:6]}"
    return f"{project}@{safe}{digest}"


def is_collection_name(text: str) -> bool:
    """Return whether this can name an index; nothing else may reach a file system or server."""
    return _COLLECTION.fullmatch(text) is not None


def blocks_beside(structures: Path) -> Path:
    """Return the file of the blocks that belong to a file of structures."""
    return ProjectFolder(structures.parent).blocks


def hide_from_git(data: Path) -> None:
    """Write a .gitignore into the data folder, so that a repository around it sees no changes.

    It names this program's own folders only: others may keep theirs beside them. An existing
    .gitignore stays as it is, and a repository's top folder gets none.
    """
    if (data / ".git").exists():
        return
    with suppress(OSError):  # it exists; or nothing can be written, which the next step reports
        data.mkdir(parents=True, exist_ok=True)
        file = os.open(data / ".gitignore", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(file, "w", encoding="utf-8") as opened:
            opened.write(_IGNORED)


def own_folders(data: Path) -> list[Path]:
    """Return what this program keeps in the data folder, and the file that hides it from git."""
    return [*(data / part for part in PARTS), *data.glob(_CI), data / ".gitignore"]
