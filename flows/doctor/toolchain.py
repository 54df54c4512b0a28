"""The doctor's checks of what makes a dump: git, rust-analyzer, cargo, the repository itself."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from flows.doctor.finding import Finding, of_error
from lsif.dump.rust_analyzer import check_has_rust, check_project, not_utf8
from lsif.errors import SourceError
from lsif.listing import list_files
from machine.disk import why_not_writable
from machine.git import git_state, is_distrusted
from machine.programs import ask

if TYPE_CHECKING:
    from configs.settings import RustAnalyzerSettings
    from flows.doctor.finding import Status
    from machine.programs import Reply

_COMPONENTS = "rustup component add rust-analyzer rust-src"
_RUSTUP = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"


def check_git() -> Finding:
    """Return whether git is there: it names the commit, and clones projects."""
    said = ask(["git", "--version"])
    if said is None or said.status != 0:
        why = "not on PATH" if said is None else said.error
        found = f"{why}; the index won't name its commit"
        return Finding("git", "warning", found, "install git (apt-get install git)")
    return Finding("git", "ok", said.out.removeprefix("git version "))


def check_rust_analyzer(settings: RustAnalyzerSettings, repo: Path | None = None) -> Finding:
    """Return whether the configured program runs; rustup's stand-in for a missing one does not.

    Without a repository to index that is only a warning: dumps made elsewhere don't need it.
    """
    check, command = "rust-analyzer", settings.command
    said = ask([command, "--version"])
    status: Status = "warning" if repo is None else "failed"
    if said is None:
        found = f"no program {command!r} on PATH; only dumps made elsewhere can be indexed"
        advice = f"{_RUSTUP} && {_COMPONENTS}; or --set rust_analyzer.command=PATH"
        return Finding(check, status, found, _COMPONENTS if shutil.which("rustup") else advice)
    if said.status != 0:
        found = f"{shutil.which(command)} does not run: {_why(said)}"
        advice = _COMPONENTS if _is_rustup(said) else "--set rust_analyzer.command=PATH"
        return Finding(check, status, found, advice)
    version = said.out.removeprefix("rust-analyzer ")
    return Finding(check, "ok", f"{version} at {shutil.which(command)}")


def check_rust_src(repo: Path | None = None) -> Finding:
    """Return whether the standard library's sources are there; else its types are `{unknown}`."""
    check = "rust-src"
    if named := os.environ.get("RUST_SRC_PATH"):
        if Path(named).is_dir():
            return Finding(check, "ok", f"{named} (RUST_SRC_PATH)")
        found = f"RUST_SRC_PATH is {named}, which is not a folder"
        return Finding(check, "warning", found, "unset RUST_SRC_PATH")
    said = ask(["rustc", "--print", "sysroot"], folder=repo)
    if said is None or said.status != 0:
        why = "rustc is not on PATH" if said is None else said.error
        return Finding(check, "skipped", f"{why}: the sources can't be located")
    sources = Path(said.out) / "lib/rustlib/src/rust/library"
    if sources.is_dir():
        return Finding(check, "ok", str(sources))
    has_rustup = shutil.which("rustup") is not None
    advice = "rustup component add rust-src" if has_rustup else "export RUST_SRC_PATH=DIR"
    found = f"{sources} is missing; types of the standard library will be unknown"
    return Finding(check, "warning", found, advice)


def check_cargo(settings: RustAnalyzerSettings, repo: Path | None = None) -> Finding:
    """Return whether cargo runs, and can save what it fetches; only a repository needs it."""
    said = ask(["cargo", "--version"], folder=repo)
    status: Status = "warning" if repo is None else "failed"
    if said is None:
        found = "not on PATH; rust-analyzer needs it to load a project"
        return Finding("cargo", status, found, _RUSTUP)
    if said.status != 0:
        found = f"cargo does not run: {_why(said)}"
        return Finding("cargo", status, found, "rustup default stable")
    home = Path(os.environ.get("CARGO_HOME") or "~/.cargo").expanduser()
    version = said.out.removeprefix("cargo ").partition(" ")[0]
    if setting := _offline_setting(settings):
        return Finding("cargo", "ok", f"{version}, no network ({setting}), home {home}")
    if reason := why_not_writable(home):
        found = f"{version}, but {home} can't be written ({reason}): no dependency can be fetched"
        return Finding("cargo", "warning", found, "export CARGO_HOME=DIR")
    return Finding("cargo", "ok", f"{version}, dependencies are fetched, home {home}")


def check_repository(settings: RustAnalyzerSettings, repo: Path) -> Finding:
    """Return whether the folder is a Cargo project (or holds Rust, if that is enough).

    If it is, the finding has its commit.
    """
    check = "repository"
    try:
        (check_project if settings.project == "cargo" else check_has_rust)(repo)
    except SourceError as exc:
        return of_error(check, exc)
    folder = shlex.quote(str(repo.resolve()))
    if is_distrusted(repo):
        found = f"{repo} belongs to another user, so git does not trust it"
        advice = f"git config --global --add safe.directory {folder}"
        return Finding(check, "warning", found, advice)
    state = git_state(repo)
    if state.commit is not None:
        changes = " with changes" if state.dirty else ""
        return Finding(check, "ok", f"{repo} at {state.commit[:12]}{changes}")
    found = f"{repo} is in no git repository, or has no commit"
    return Finding(check, "warning", found, f"git -C {folder} init")


def check_toolchain(repo: Path) -> Finding:
    """Return whether the toolchain that the repository requires is installed."""
    check, wanted = "toolchain", _channel(repo)
    if wanted is None:
        return Finding(check, "skipped", "the repository requires none (no rust-toolchain.toml)")
    if override := os.environ.get("RUSTUP_TOOLCHAIN"):
        return Finding(check, "ok", f"{override} (RUSTUP_TOOLCHAIN) instead of {wanted}")
    said = ask(["rustup", "which", "--toolchain", wanted, "rustc"])
    if said is None:
        found = f"the repository requires {wanted}, but there is no rustup to select it"
        return Finding(check, "warning", found, _RUSTUP)
    if said.status != 0:
        found = f"{wanted}, which the repository requires, is not installed: {said.error}"
        components = "--component rust-analyzer,rust-src"
        advice = f"rustup toolchain install {shlex.quote(wanted)} {components}"
        return Finding(check, "failed", found, advice)
    return Finding(check, "ok", f"{wanted} is installed")


def check_sources(repo: Path) -> Finding:
    """Return whether the Rust sources are UTF-8: rust-analyzer stops at the first that is not."""
    count = len(list_files(repo).rust) if repo.is_dir() else 0
    if not count:
        advice = "--repo DIR, the folder of a Rust project"
        return Finding("sources", "failed", f"there is no .rs file in {repo}", advice)
    path = not_utf8(repo)
    if path is None:
        what = "the .rs file is UTF-8" if count == 1 else f"all {count:,} .rs files are UTF-8"
        return Finding("sources", "ok", what)
    name = shlex.quote(str(repo / path))
    advice = f"iconv -f latin1 -t utf-8 {name} -o {name}.utf8 && mv {name}.utf8 {name}"
    return Finding("sources", "failed", f"{path} is not UTF-8", advice)


def _offline_setting(settings: RustAnalyzerSettings) -> str:
    """Return what keeps Cargo off the network; "" if nothing does."""
    if settings.network == "offline":
        return "rust_analyzer.network"
    variable = "CARGO_NET_OFFLINE"
    return variable if os.environ.get(variable, "").lower() in ("true", "1") else ""


def _channel(repo: Path) -> str | None:
    """Return the toolchain that rust-toolchain.toml, or the older rust-toolchain, names."""
    for folder in (repo.resolve(), *repo.resolve().parents):
        for name in ("rust-toolchain", "rust-toolchain.toml"):  # rustup's order
            try:
                text = (folder / name).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            try:
                channel = tomllib.loads(text).get("toolchain", {}).get("channel")
            except tomllib.TOMLDecodeError:
                channel = text.strip()
            if isinstance(channel, str) and re.fullmatch(r"[\w.-]+", channel):
                return channel
    return None


def _why(said: Reply) -> str:
    return said.error or f"it exits with status {said.status}"


def _is_rustup(said: Reply) -> bool:
    """Return whether the answer is rustup's: the component is not installed."""
    error = said.error.lower()
    return any(word in error for word in ("unknown binary", "toolchain", "rustup"))
