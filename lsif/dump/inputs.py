"""Finds everything that decides what a dump holds, as far as it can be known.

A dump is kept only if all of it is: the folder is in a git repository without changes, and so are
the path dependencies. Nobody knows what a build script or macro reads from elsewhere: a file
outside of the repository, a clock, the network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from machine.git import git_output, is_distrusted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lsif.dump.choice import Loading

_FORMAT = 3
"""Another number invalidates every cached dump."""
_DECIDES = re.compile(
    r"(?!CARGO_TERM_)(?!.*(TOKEN|_TARGET_DIR$|_LOG$|_BACKTRACE$|_JOBS$))(CARGO|RUST|RA_)"
)
"""Names of the environment that can change a dump."""
_MOST_FILES = 50_000
"""Maximum number of files that git does not cover; a dump of more is not kept."""
_MOST_BYTES = 64_000_000
"""Maximum bytes read of them; beyond, size and times count, as for `git status`."""


def why_not(repo: Path, loading: Loading) -> str:
    """Return why a dump of the sources as they are now can't be kept; empty if it can."""
    top = git_output(repo, "rev-parse", "--show-toplevel")
    if top is None or git_output(repo, "rev-parse", "HEAD") is None:
        return "the sources are in no git repository"
    if is_distrusted(repo):
        return "git does not trust the sources, because another user owns them"
    # Cargo writes the Cargo.lock where it is absent or old; its content is part of the key.
    status = git_output(
        Path(top.strip()),
        "status",
        "--porcelain",
        "-z",
        "--untracked-files=normal",
        "--ignore-submodules=none",
    )
    if status is None or any(
        change and not re.match(r".. (.*/)?Cargo\.lock$", change) for change in status.split("\0")
    ):
        return "the sources have changes that are not committed"
    if loading.model is None and (repo / "rust-project.json").is_file():
        return "rust-project.json may name sources anywhere"
    root = Path(top.strip()).resolve()
    for folder in loading.dependencies.folders:
        if not folder.resolve().is_relative_to(root):
            return f"the dependency in {folder} is outside of the repository"
    return ""


class UnknownInput(Exception):
    """Something that decides the dump can't be known; the message says what."""


def key_of(
    repo: Path,
    own: set[Path],
    loading: Loading,
    versions: list[str],
    environment: dict[str, str],
) -> str:
    """Return the digest of everything that decides a dump. Raises UnknownInput.

    `own` are the folders that this program and Cargo write to.
    """
    top = Path(
        (git_output(repo, "rev-parse", "--show-toplevel") or "").removesuffix("\n")
    ).resolve()
    places = [repo.resolve(), *repo.resolve().parents]
    cargo_home = Path(environment.get("CARGO_HOME") or Path.home() / ".cargo")
    configurations = [folder / ".cargo" for folder in places] + [cargo_home]
    dependencies, model = loading.dependencies, loading.model
    workspace = [] if dependencies.workspace is None else [dependencies.workspace]
    library = loading.sysroot, loading.sysroot_src
    project = b"" if model is None else model.to_json(*library, Path("/"))  # wherever it is
    submodules = git_output(top, "submodule", "status", "--recursive") or ""
    parts = {
        "format": _FORMAT,
        "commit": git_output(repo, "rev-parse", "HEAD"),
        "prefix": git_output(repo, "rev-parse", "--show-prefix"),
        "submodules": [line.split(" (")[0] for line in submodules.splitlines()],
        "unseen": _Unseen(top, own).found,
        "versions": [*versions, loading.format],
        "dependencies": dependencies.state,
        "project": [loading.project, hashlib.sha256(project).hexdigest()],
        "locks": _digests(folder / "Cargo.lock" for folder in [*workspace, *places]),
        "configurations": _digests(
            folder / name for folder in configurations for name in ("config", "config.toml")
        ),
        "environment": {name: value for name, value in environment.items() if _DECIDES.match(name)},
    }
    # Not by orjson: names and values need not be UTF-8.
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


class _Unseen:
    """The contents of files that neither the commit nor `git status` covers.

    Such files are ignored ones, those that git was told to skip (a sparse checkout's, too), and
    what links lead to. Any of them may be read: include! takes any name. Folders of build results
    (they have a CACHEDIR.TAG, as Cargo's do) and of this program are left out.
    """

    def __init__(self, top: Path, own: set[Path]) -> None:
        self.found: list[tuple[str, str]] = []
        self._top, self._own, self._bytes_left = top, own, _MOST_BYTES
        self._look_at_repository(top)

    def _look_at_repository(self, top: Path) -> None:
        tracked = git_output(top, "ls-files", "-v", "--stage", "-z")
        ignored = git_output(
            top, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"
        )
        if tracked is None or ignored is None:
            raise UnknownInput(f"git can't list the files of {top}")
        for entry in filter(None, tracked.split("\0")):
            about, _, name = entry.partition("\t")
            tag, mode = about.split(" ")[:2]
            path = top / name
            if mode == "160000":
                # If it is not checked out, git would answer for the repository around it.
                if (path / ".git").exists():
                    if tag != "H":
                        raise UnknownInput(f"git was told not to look at the submodule {path}")
                    self._look_at_repository(path)
            elif tag != "H" or mode == "120000":
                self._add(path)
        for name in filter(None, ignored.split("\0")):
            path = top / name
            if any(path.is_relative_to(folder) for folder in self._own):
                continue
            if name.endswith("/"):
                self._look_at_folder(path)
            else:
                self._add(path)

    def _look_at_folder(self, folder: Path) -> None:
        if self._is_left_out(folder):
            return
        for place, folders, files in os.walk(folder):
            here = Path(place)
            links = [name for name in folders if (here / name).is_symlink()]  # not followed
            folders[:] = sorted(name for name in folders if not self._is_left_out(here / name))
            for name in sorted([*files, *links]):
                self._add(here / name)

    def _is_left_out(self, folder: Path) -> bool:
        return folder.name == ".git" or folder in self._own or (folder / "CACHEDIR.TAG").is_file()

    def _add(self, path: Path) -> None:
        if len(self.found) >= _MOST_FILES:
            raise UnknownInput(
                f"git does not look at more than {_MOST_FILES:,} files in {self._top}"
            )
        self.found.append((str(path.relative_to(self._top)), self._what_is_in(path)))

    def _what_is_in(self, path: Path) -> str:
        """Return what distinguishes the content from any other; empty if there is none to read."""
        if path.is_symlink() and path.is_dir():
            return self._where_it_leads(path)
        try:
            found = path.stat()
        except OSError:
            return ""
        if not stat.S_ISREG(found.st_mode):
            return ""
        if found.st_size > self._bytes_left:
            return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"
        self._bytes_left -= found.st_size
        return _digest(path)

    def _where_it_leads(self, link: Path) -> str:
        """Return the folder in the repository that the link leads to; its files count anyway."""
        folder = Path(os.path.realpath(link))
        if not folder.is_relative_to(self._top):
            raise UnknownInput(f"the link {link} leads to a folder outside of the repository")
        inside = folder.relative_to(self._top)
        if any(self._is_left_out(self._top / part) for part in (inside, *inside.parents)[:-1]):
            raise UnknownInput(f"the link {link} leads to files that are not looked at")
        return f"link {inside}"


def _digests(paths: Iterable[Path]) -> list[str]:
    """Return the digests of the files that exist."""
    return [digest for path in paths if (digest := _digest(path))]


def _digest(path: Path) -> str:
    """Return the digest of the file's content; empty if it can't be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
