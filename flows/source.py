"""What a run starts from: a repository, a dump with its sources, or a structures.jsonl."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, model_validator

from flows.errors import UsageError
from lsif.errors import DumpError, SourceError, StructuresError
from lsif.rust_analyzer import check_project


class Source(BaseModel):
    """Exactly one of: `repo`; `dump` with `root`; `structures`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: Path | None = None
    dump: Path | None = None
    root: Path | None = None
    structures: Path | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> Source:
        given = [name for name in ("repo", "dump", "structures") if getattr(self, name) is not None]
        if len(given) != 1:
            raise UsageError(f"expected one of --repo, --dump and --structures, found {' and '.join(given) or 'none'}.")
        if (self.dump is not None) != (self.root is not None):
            raise UsageError("--dump and --root go together: --root names the folder of the sources that the dump was taken of.")
        return self

    @property
    def folder(self) -> Path | None:
        """The folder of the sources, None where there are none."""
        return self.repo or self.root

    def project(self, configured: str) -> str:
        """Return the project's name: the configured one, else that of the sources' folder, else that of the structures file."""
        if configured:
            return configured
        path = (self.folder or self.structures or Path()).absolute()
        if self.folder is None:
            return project_name(path.parent.name if path.stem == "structures" else path.stem)
        return project_name(os.path.normpath(path).rpartition("/")[2])  # a link has its own name, not its target's

    def check(self) -> None:
        """Raise where what it names is not there, before any work is done."""
        if self.repo is not None:
            check_project(self.repo)
        if self.dump is not None and (not self.dump.exists() or self.dump.is_dir()):
            there = "is a folder" if self.dump.is_dir() else "is not there"
            raise DumpError(f"{self.dump} {there}; --dump names the file that `rust-analyzer lsif` writes.")
        if self.root is not None and not self.root.is_dir():
            raise SourceError(f"no folder {self.root}; --root names the folder of the sources that the dump was taken of.")
        if self.structures is not None and not self.structures.is_file():
            raise StructuresError(f"no file {self.structures}; --structures names a structures.jsonl.")

    def identity(self) -> str:
        """Return what tells this source from others of the same name, the same for each checkout of a repository.

        The address of the git repository it was cloned from and the folder in it; the path where there is no such address.
        """
        folder = self.folder
        if folder is None:
            return str((self.structures or Path()).resolve())
        git = shutil.which("git")
        address = _output([git, "-C", str(folder), "remote", "get-url", "origin"]) if git is not None else None
        if git is None or address is None:
            return str(folder.resolve())
        prefix = _output([git, "-C", str(folder), "rev-parse", "--show-prefix"]) or ""
        return re.sub(r"//[^/@]*@", "//", address.strip()) + (f" {prefix.strip()}" if prefix.strip() else "")


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


class GitState(NamedTuple):
    """Where a repository stands."""

    commit: str | None
    """None where the folder is in no git repository, or git is not installed."""
    dirty: bool


def git_state(folder: Path | None) -> GitState:
    """Return the commit that the folder is at and whether files in it differ from that commit."""
    git = shutil.which("git")
    if folder is None or git is None:
        return GitState(None, dirty=False)
    commit = _output([git, "-C", str(folder), "rev-parse", "HEAD"])
    if commit is None:
        return GitState(None, dirty=False)
    return GitState(
        commit.strip(),
        dirty=bool((_output([git, "-C", str(folder), "status", "--porcelain", "--", "."]) or "").strip()),
    )


def _output(arguments: list[str]) -> str | None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None
