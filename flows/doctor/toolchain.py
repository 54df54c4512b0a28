"""The doctor's checks of the programs that make a dump: git, rust-analyzer, cargo; and of a repository to be indexed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from flows.doctor.finding import Finding, of_error
from flows.source.source import git_state
from lsif.dump.rust_analyzer import check_project, not_utf8
from lsif.errors import SourceError
from machine.disk import why_not_writable
from machine.programs import ask

if TYPE_CHECKING:
    from configs.settings import RustAnalyzerSettings
    from flows.doctor.finding import Status
    from machine.programs import Words

_COMPONENTS = "rustup component add rust-analyzer rust-src"
_RUSTUP = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
_RUST = "library"
"""Folder of the standard library's sources."""


def check_git() -> Finding:
    """Return whether git is there: it tells the commit, and what a project is cloned from."""
    said = ask(["git", "--version"])
    if said is None or said.status != 0:
        why = "not on PATH" if said is None else said.error
        return Finding(
            "git",
            "warning",
            f"{why}; the index will name no commit",
            "install git (apt-get install git)",
        )
    return Finding("git", "ok", said.out.removeprefix("git version "))


def check_rust_analyzer(settings: RustAnalyzerSettings, repo: Path | None = None) -> Finding:
    """Return whether the program that is configured runs; rustup's stand-in of a component that is not installed does not.

    Without a repository to be indexed, its absence is no failure: dumps made elsewhere are indexed without it.
    """
    command = settings.command
    said = ask([command, "--version"])
    status: Status = "warning" if repo is None else "failed"
    if said is None:
        advice = (
            _COMPONENTS
            if shutil.which("rustup")
            else f"{_RUSTUP} && {_COMPONENTS}; or --set rust_analyzer.command=PATH"
        )
        return Finding(
            "rust-analyzer",
            status,
            f"no program {command!r} on PATH; only dumps made elsewhere can be indexed",
            advice,
        )
    if said.status != 0:
        advice = _COMPONENTS if _is_rustup(said) else "--set rust_analyzer.command=PATH"
        return Finding(
            "rust-analyzer", status, f"{shutil.which(command)} does not run: {_why(said)}", advice
        )
    return Finding(
        "rust-analyzer",
        "ok",
        f"{said.out.removeprefix('rust-analyzer ')} at {shutil.which(command)}",
    )


def check_rust_src(repo: Path | None = None) -> Finding:
    """Return whether the sources of the standard library are there: without them its types are `{unknown}`."""
    if named := os.environ.get("RUST_SRC_PATH"):
        if Path(named).is_dir():
            return Finding("rust-src", "ok", f"{named} (RUST_SRC_PATH)")
        return Finding(
            "rust-src",
            "warning",
            f"RUST_SRC_PATH names {named}, which is no folder",
            "unset RUST_SRC_PATH",
        )
    said = ask(["rustc", "--print", "sysroot"], folder=repo)
    if said is None or said.status != 0:
        why = "rustc is not on PATH" if said is None else said.error
        return Finding("rust-src", "skipped", f"{why}: where its sources lie is not known")
    sources = Path(said.out) / "lib/rustlib/src/rust" / _RUST
    if not sources.is_dir():
        advice = (
            "rustup component add rust-src"
            if shutil.which("rustup")
            else "export RUST_SRC_PATH=DIR"
        )
        return Finding("rust-src", "warning", f"no {sources}; types of std will be unknown", advice)
    return Finding("rust-src", "ok", str(sources))


def check_cargo(settings: RustAnalyzerSettings, repo: Path | None = None) -> Finding:
    """Return whether cargo runs, and can keep what it fetches; as with rust-analyzer, only a repository needs it."""
    said = ask(["cargo", "--version"], folder=repo)
    status: Status = "warning" if repo is None else "failed"
    if said is None:
        return Finding(
            "cargo", status, "not on PATH; rust-analyzer loads a project with it", _RUSTUP
        )
    if said.status != 0:
        return Finding(
            "cargo", status, f"cargo does not run: {_why(said)}", "rustup default stable"
        )
    home = Path(os.environ.get("CARGO_HOME") or "~/.cargo").expanduser()
    told = "rust_analyzer.network" if settings.network == "offline" else "CARGO_NET_OFFLINE"
    offline = told != "CARGO_NET_OFFLINE" or os.environ.get(told, "").lower() in ("true", "1")
    version = said.out.removeprefix("cargo ").partition(" ")[0]
    if not offline and (reason := why_not_writable(home)):
        found = f"{version}, but {home} can't be written ({reason}): no dependency can be fetched"
        return Finding("cargo", "warning", found, "export CARGO_HOME=DIR")
    network = f"no network ({told})" if offline else "dependencies are fetched"
    return Finding("cargo", "ok", f"{version}, {network}, home {home}")


def check_repository(repo: Path) -> Finding:
    """Return whether the folder is a Cargo project, and where it stands in git."""
    try:
        check_project(repo)
    except SourceError as exc:
        return of_error("repository", exc)
    where = shlex.quote(str(repo.resolve()))
    state = git_state(repo)
    if state.commit is not None:
        return Finding(
            "repository",
            "ok",
            f"{repo} at {state.commit[:12]}{' with changes' if state.dirty else ''}",
        )
    said = ask(["git", "-C", str(repo), "rev-parse", "HEAD"])
    if said is not None and "dubious ownership" in said.error:
        found = f"{repo} belongs to somebody else, so that git tells nothing of it"
        return Finding(
            "repository", "warning", found, f"git config --global --add safe.directory {where}"
        )
    return Finding(
        "repository",
        "warning",
        f"{repo} is in no git repository, or has no commit",
        f"git -C {where} init",
    )


def check_toolchain(repo: Path) -> Finding:
    """Return whether the toolchain that the repository asks for is installed."""
    wanted = _channel(repo)
    if wanted is None:
        return Finding(
            "toolchain", "skipped", "the repository asks for none (no rust-toolchain.toml)"
        )
    if override := os.environ.get("RUSTUP_TOOLCHAIN"):
        return Finding("toolchain", "ok", f"{override} (RUSTUP_TOOLCHAIN) in the place of {wanted}")
    said = ask(["rustup", "which", "--toolchain", wanted, "rustc"])
    if said is None:
        return Finding(
            "toolchain",
            "warning",
            f"{wanted} is asked for, but there is no rustup to choose it",
            _RUSTUP,
        )
    if said.status != 0:
        advice = (
            f"rustup toolchain install {shlex.quote(wanted)} --component rust-analyzer,rust-src"
        )
        return Finding(
            "toolchain",
            "failed",
            f"{wanted}, which the repository asks for, is not installed: {said.error}",
            advice,
        )
    return Finding("toolchain", "ok", f"{wanted} is installed")


def check_sources(repo: Path) -> Finding:
    """Return whether the Rust sources are UTF-8: rust-analyzer ends at the first that is not."""
    path = not_utf8(repo) if repo.is_dir() else None
    if path is None:
        return Finding("sources", "ok", "every .rs file is UTF-8")
    name = shlex.quote(str(repo / path))
    return Finding(
        "sources",
        "failed",
        f"{path} is not UTF-8",
        f"iconv -f latin1 -t utf-8 {name} -o {name}.utf8 && mv {name}.utf8 {name}",
    )


def _channel(repo: Path) -> str | None:
    """Return the toolchain that rust-toolchain.toml, or the file of the old form, names."""
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


def _why(said: Words) -> str:
    return said.error or f"it ends with status {said.status}"


def _is_rustup(said: Words) -> bool:
    words = said.error.lower()
    return any(one in words for one in ("unknown binary", "toolchain", "rustup"))
