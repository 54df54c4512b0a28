"""A shallow checkout of one ref of a git repository; the next run fetches only what is new.

Whatever state a killed run left it in, the next one brings it to the ref or makes it again. The
caller holds the project's lock. Hooks and programs that the repository names don't run; those that
the user's git is configured to use (credential helpers, ssh) do.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flows.errors import CheckoutError, RepositoryUnreachable
from flows.source.git_url import is_url, protocols
from machine.files import remove_folder
from machine.git import git_environment, git_output
from machine.programs import run_program
from machine.secrets import without_credentials

if TYPE_CHECKING:
    from configs.settings import CheckoutSettings

logger = logging.getLogger(__name__)

_OPTIONS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.logAllRefUpdates": "false",  # a log would keep each night's commit for months
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    "advice.detachedHead": "false",
}
_NOT_FOR_LACK_OF_NETWORK = re.compile(
    r"authentication failed|could not read (username|password)|permission denied|access denied|"
    r"repository .*not found|does not appear to be a git repository|does not exist|"
    r"host key verification failed|dubious ownership|not allowed|"
    r"requested url returned error: 40[134]",
    re.IGNORECASE,
)
"""What git says if trying again will not help. Its exit status is 128 for everything."""
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_NO_SUCH_REF = 2
"""Exit status of `git ls-remote --exit-code`."""


def checkout(url: str, ref: str, folder: Path, settings: CheckoutSettings) -> Path:
    """Bring the checkout in `folder` to the ref of the repository at `url`; return the folder.

    `url` is a URL or an absolute path, `ref` a branch, tag or full commit hash, "" the default
    branch. Files that are not part of the commit are removed, ignored ones too. Raises
    CheckoutError, and RepositoryUnreachable if trying again may help.
    """
    check_git()
    started = time.perf_counter()
    working_copy = _Checkout(url, ref, folder, settings)
    existed = working_copy.prepare()
    try:
        working_copy.bring_up_to_date()
    except _Damaged as exc:
        if not existed:
            raise CheckoutError(str(exc)) from exc
        logger.warning("%s is made again: %s", folder, exc)
        working_copy.prepare(again=True)
        try:
            working_copy.bring_up_to_date()
        except _Damaged as again:
            raise CheckoutError(str(again)) from again
    commit = (git_output(folder, "rev-parse", "HEAD") or "").strip()
    logger.info(
        "%s of %s: commit %s, in %.1f s",
        ref or "default branch",
        without_credentials(url),
        commit,
        time.perf_counter() - started,
    )
    return folder


def check_git() -> None:
    """Raise CheckoutError if git is not installed."""
    if shutil.which("git") is None:
        raise CheckoutError(
            "git is not on PATH, and it fetches git URLs and refs: "
            "install it, or name a folder of sources."
        )


def _remove_locks(git: Path) -> None:
    """Remove the locks of git's that were killed; one that is just ending may remove its own."""
    for folder, _, names in os.walk(git):  # which passes over folders that go away meanwhile
        for name in names:
            if name.endswith(".lock"):
                Path(folder, name).unlink(missing_ok=True)


class _Damaged(Exception):
    """Git failed, perhaps because of the checkout's state."""


class _Done(NamedTuple):
    status: int
    said: str
    """Standard error in one line, without secrets."""


class _Checkout:
    """The checkout in one folder, on its way to one ref."""

    def __init__(self, url: str, ref: str, folder: Path, settings: CheckoutSettings) -> None:
        self._url = url
        self._ref = ref
        self._folder = folder
        self._settings = settings

    def prepare(self, *, again: bool = False) -> bool:
        """Make the folder a repository of the URL; return whether it was one.

        Locks that killed runs of git left are removed.
        """
        git = self._folder / ".git"
        if not again and git.is_dir() and self._origin() == self._url:
            _remove_locks(git)
            return True
        if self._folder.is_symlink() or self._folder.is_file():
            self._folder.unlink()
        elif self._folder.exists():
            remove_folder(self._folder)
        self._folder.mkdir(parents=True)
        self._must("init", "--quiet", "--template=")
        # The last step: without it, the next run begins again.
        self._must("remote", "add", "origin", self._url)
        return False

    def bring_up_to_date(self) -> None:
        """Fetch the ref unless its commit is there already; make the files those of its commit."""
        wanted = self._ref
        if not (_COMMIT.fullmatch(wanted) and self._commit("HEAD") == wanted):
            self._fetch()
            wanted = "FETCH_HEAD"
        self._must("checkout", "--quiet", "--force", "--detach", "--no-recurse-submodules", wanted)
        self._must("clean", "--quiet", "-ffdx")
        if self._settings.submodules and (self._folder / ".gitmodules").is_file():
            self._fetch_submodules()

    def _fetch(self) -> None:
        logger.info(
            "fetching %s of %s ...",
            self._ref or "the default branch",
            without_credentials(self._url),
        )
        done = self._git(
            "fetch",
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-recurse-submodules",
            "origin",
            self._ref or "HEAD",
        )
        if done.status == 0:
            return
        if _COMMIT.fullmatch(self._ref) and re.search(
            "unadvertised|not our ref|no such remote ref", done.said
        ):
            raise CheckoutError(
                f"{self._where()} gives no commit {self._ref}: "
                f"name a branch or tag that contains it. git: {done.said}"
            )
        asked = self._git("ls-remote", "--quiet", "--exit-code", "origin", self._ref or "HEAD")
        if asked.status == _NO_SUCH_REF:
            what = (
                f"no branch or tag {self._ref!r}"
                if self._ref
                else "no default branch: name a branch with --ref"
            )
            hint = (
                "; a commit is named by its full hash"
                if re.fullmatch(r"[0-9a-f]{4,39}", self._ref)
                else ""
            )
            raise CheckoutError(f"{self._where()} has {what}{hint}.")
        if asked.status == 0:
            raise _Damaged(f"can't fetch {self._ref or 'HEAD'} of {self._where()}: {done.said}")
        self._raise_unreachable(asked.said)

    def _fetch_submodules(self) -> None:
        self._must("submodule", "--quiet", "sync", "--recursive")
        done = self._git(
            "submodule", "--quiet", "update", "--init", "--recursive", "--force", "--depth=1"
        )
        if done.status != 0:
            advice = "To go without them: --set checkout.submodules=false"
            self._raise_unreachable(f"{done.said}. {advice}", what="the submodules of ")
        self._must("submodule", "--quiet", "foreach", "--recursive", "git clean --quiet -ffdx")

    def _raise_unreachable(self, said: str, what: str = "") -> None:
        for_good = _NOT_FOR_LACK_OF_NETWORK.search(said)
        advice = (
            " git needs a credential helper or ssh key that asks nothing."
            if for_good and is_url(self._url) and not what
            else ""
        )
        raise (CheckoutError if for_good else RepositoryUnreachable)(
            f"can't fetch {what}{self._where()}: {said}.{advice}"
        )

    def _where(self) -> str:
        return without_credentials(self._url)

    def _commit(self, name: str) -> str:
        return self._output("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")

    def _origin(self) -> str:
        return self._output("config", "--local", "--get", "remote.origin.url")

    def _output(self, *arguments: str) -> str:
        # By its folder: else git would look further up and find one around the data folder.
        return (
            git_output(self._folder, f"--git-dir={self._folder.absolute() / '.git'}", *arguments)
            or ""
        ).strip()

    def _must(self, *arguments: str) -> None:
        """Run git; raise _Damaged if it fails."""
        done = self._git(*arguments)
        if done.status != 0:
            raise _Damaged(f"`git {arguments[0]}` failed in {self._folder}: {done.said}")

    def _git(self, *arguments: str) -> _Done:
        """Run git in the folder, with nobody to ask; it ends with this call or this process."""
        options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
        environment = {
            **git_environment(),
            "GIT_ALLOW_PROTOCOL": protocols(self._url),
            "GIT_CEILING_DIRECTORIES": str(self._folder.resolve().parent),
            "GIT_TERMINAL_PROMPT": "0",
            "GCM_INTERACTIVE": "never",
            "GIT_LFS_SKIP_SMUDGE": "1",  # Rust sources are not kept there
        }
        found = run_program(
            [str(shutil.which("git")), *options, *arguments],
            environment=environment,
            timeout_s=self._settings.timeout_s,
            folder=self._folder,
            supervised=True,
        )
        if found.status is None:
            limit = f"{self._settings.timeout_s} s (checkout.timeout_s)"
            raise RepositoryUnreachable(
                f"`git {arguments[0]}` of {self._where()} took more than {limit} and was stopped."
            )
        said = without_credentials(" ".join(found.error_text.split())).removesuffix(".")
        return _Done(found.status, said[-500:] or f"it ended with status {found.status}")
