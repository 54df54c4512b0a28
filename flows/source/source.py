"""What a run starts from: a repository, a dump with its sources, or a structures.jsonl."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from configs.workspace import project_name
from flows.errors import CheckoutError, UsageError
from flows.source.checkout import check_git, checkout
from flows.source.git_url import check_ref, check_url, is_url, last_part
from lsif.dump.rust_analyzer import check_has_rust
from lsif.errors import DumpError, SourceError, StructuresError
from machine.git import git_output
from machine.secrets import without_credentials

if TYPE_CHECKING:
    from configs.settings import CheckoutSettings
    from configs.workspace import ProjectWorkspace, Workspace


_LONGEST_PATH, _LONGEST_NAME = 4095, 255
"""Bytes of a path and of one name in it, on Linux; elsewhere fewer."""


class Source(BaseModel):
    """Exactly one of: `repo`, with `ref` and `subdir`; `dump` with `root`; `structures`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: Annotated[
        str | None, BeforeValidator(lambda repo: str(repo) if isinstance(repo, Path) else repo)
    ] = None
    """A folder or a git URL, as given."""
    ref: str = ""
    """Branch, tag or full commit hash; "" is the folder as it is, or the default branch."""
    subdir: str = ""
    """The folder of the Cargo project inside `repo`."""
    dump: Path | None = None
    root: Path | None = None
    structures: Path | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> Source:
        given = [name for name in ("repo", "dump", "structures") if getattr(self, name) is not None]
        if len(given) != 1:
            raise UsageError(
                "expected one of --repo, --dump and --structures, "
                f"found {' and '.join(f'--{name}' for name in given) or 'none'}."
            )
        if (self.dump is not None) != (self.root is not None):
            raise UsageError(
                "--dump and --root go together: --root names the folder of the sources of the dump."
            )
        if self.repo is None and (self.ref or self.subdir):
            raise UsageError("--ref and --subdir go with --repo.")
        return self

    @model_validator(mode="after")
    def _git_is_asked_for_what_is_safe(self) -> Source:
        if self.repo is not None and is_url(self.repo):
            check_url(self.repo)
        if self.repo is not None:
            _check_path(
                "--repo", self.repo if is_url(self.repo) else str(Path(self.repo, self.subdir))
            )
        _check_path("--subdir", self.subdir)
        check_ref(self.ref)
        inside = PurePosixPath(self.subdir)
        if inside.is_absolute() or ".." in inside.parts:
            raise UsageError(
                f"--subdir names a folder inside the repository, found {self.subdir!r}."
            )
        return self

    @property
    def is_checkout(self) -> bool:
        """Whether the sources are fetched into a checkout, or else used in place."""
        return self.repo is not None and (bool(self.ref) or self._is_address)

    @property
    def _is_address(self) -> bool:
        """Whether `repo` has no working files: a URL or a bare repository."""
        return self.repo is not None and (is_url(self.repo) or _is_bare(Path(self.repo)))

    @property
    def folder(self) -> Path | None:
        """The user's folder of the sources; None if there is none or `is_checkout`."""
        if self.repo is None:
            return self.root
        return None if self.is_checkout else Path(self.repo, self.subdir)

    def check_out(self, folder: Path, settings: CheckoutSettings) -> Path:
        """Check the ref out into `folder`; return the sources' folder in it. Only if `is_checkout`.

        The caller holds the project's lock. Raises CheckoutError, RepositoryUnreachable,
        SourceError.
        """
        if self.repo is None or not self.is_checkout:
            raise ValueError("these sources are used in place")
        url, prefix = self.repo, PurePosixPath()
        if not is_url(url):
            top, prefix = _repository_of(Path(url))
            url = str(top)
        inside = prefix / self.subdir
        found = checkout(url, self.ref, folder, settings) / inside
        if not found.resolve().is_relative_to(folder.resolve()):
            raise SourceError(
                f"{inside} leads out of the repository; --subdir names a folder inside it."
            )
        check_has_rust(folder / prefix, self.subdir)
        return found

    def project(self, configured: str) -> str:
        """Return the configured name, else one made from the folder or file that is given."""
        if configured:
            return configured
        if self.structures is not None:
            path = self.structures.absolute()
            return project_name(path.parent.name if path.stem == "structures" else path.stem)
        if (
            self.repo is not None
            and self._is_address
            and PurePosixPath(self.subdir) == PurePosixPath()
        ):
            return project_name(last_part(self.repo if is_url(self.repo) else _absolute(self.repo)))
        folder = (self.root or Path(self.repo or "", self.subdir)).absolute()
        # A link has its own name, not its target's.
        return project_name(os.path.normpath(folder).rpartition("/")[2])

    def workspace(self, workspace: Workspace) -> ProjectWorkspace:
        """Return the workspace of the project that these sources make."""
        return workspace.for_project(self.project(workspace.settings.project.name))

    def check(self) -> None:
        """Raise if something that it names does not exist, before any work is done."""
        if self.repo is not None and self.is_checkout:
            check_git()
            if not is_url(self.repo):
                _repository_of(Path(self.repo))
        elif self.repo is not None:
            check_has_rust(Path(self.repo), self.subdir)
        if self.dump is not None and (not self.dump.exists() or self.dump.is_dir()):
            there = "is a folder" if self.dump.is_dir() else "does not exist"
            raise DumpError(
                f"{self.dump} {there}; --dump names the file that `rust-analyzer lsif` writes."
            )
        if self.root is not None and not self.root.is_dir():
            raise SourceError(
                f"there is no folder {self.root}; --root names the folder of the dump's sources."
            )
        if self.structures is not None and not self.structures.is_file():
            raise StructuresError(
                f"there is no file {self.structures}; --structures names a structures.jsonl."
            )

    def identity(self) -> str:
        """Return what distinguishes this source from others of its name; checkouts share it.

        It is the address of the git repository it was cloned from and the folder in it, or the path
        if there is no such address.
        """
        if self.structures is not None:
            return str(self.structures.resolve())
        base = self.root or Path(self.repo or "")
        if self.repo is not None and self._is_address:
            # As `git remote get-url origin` in a clone: git's configuration may rewrite addresses.
            given, prefix = (
                self.repo if is_url(self.repo) else _absolute(self.repo),
                PurePosixPath(),
            )
            address = git_output(Path("/"), "ls-remote", "--get-url", given) or given
        else:
            found = git_output(base, "remote", "get-url", "origin")
            if found is None:
                return str((base / self.subdir).resolve())
            address = found
            prefix = PurePosixPath((git_output(base, "rev-parse", "--show-prefix") or "").strip())
        inside = (prefix / self.subdir).as_posix()
        return without_credentials(address.strip()) + ("" if inside == "." else f" {inside}/")


def _check_path(option: str, path: str) -> None:
    """Raise UsageError for a path that the system rejects with an error that names no option."""
    size = len(os.fsencode(path))
    longest = max(len(os.fsencode(part)) for part in path.split("/"))
    if "\0" in path:
        raise UsageError(f"{option} takes a folder, found a NUL character in it.")
    if size > _LONGEST_PATH or longest > _LONGEST_NAME:
        raise UsageError(
            f"{option} takes a folder, found {size:,} bytes, {longest:,} of them without a slash: "
            "no path is that long."
        )


def _absolute(path: str) -> str:
    return os.path.normpath(Path(path).absolute())


def _is_bare(path: Path) -> bool:
    """Return whether the folder is a git repository without working files."""
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()


def _repository_of(path: Path) -> tuple[Path, PurePosixPath]:
    """Return the top folder of the path's git repository, and the path in it.

    Raises CheckoutError if it is in none, SourceError if there is no such folder.
    """
    if not path.is_dir():
        raise SourceError(
            f"there is no folder {path}; "
            "--repo takes the folder of a Cargo project or workspace, or a git URL."
        )
    if _is_bare(path):
        return path.absolute(), PurePosixPath()
    top = git_output(path, "rev-parse", "--show-toplevel")
    if top is None:
        raise CheckoutError(
            f"{path} is in no git repository, so it has no refs; "
            "without --ref its files are used as they are."
        )
    return Path(top.strip()), PurePosixPath(
        (git_output(path, "rev-parse", "--show-prefix") or "").strip()
    )
