"""What a run starts from: a repository, a dump with its sources, or a structures.jsonl."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, model_validator

from flows.errors import UsageError


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
        path = self.folder.resolve() if self.folder is not None else (self.structures or Path()).resolve()
        name = path.name if self.folder is not None else path.parent.name if path.stem == "structures" else path.stem
        return re.sub(r"^[^\w]+|[^\w.-]+", "-", name).strip("-.") or "project"


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
