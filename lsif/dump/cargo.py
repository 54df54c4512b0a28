"""Asks Cargo what rust-analyzer will ask it: whether the project's dependencies are available."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import orjson

from lsif.dump.rust_analyzer import cargo_environment
from lsif.errors import RustAnalyzerError
from machine.programs import run_program

if TYPE_CHECKING:
    from configs.settings import RustAnalyzerSettings

State = Literal["resolved", "unresolved", "unknown"]
"""Of the dependencies; unknown: Cargo was not asked, or there is none."""
_SAME_TIME_S = 1.0
"""Seconds; some file systems keep no more exact times."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What `cargo metadata` finds."""

    state: State
    why: str = ""
    """What Cargo said if they are unresolved."""
    workspace: Path | None = None
    """The folder of the workspace's Cargo.lock."""
    folders: tuple[Path, ...] = ()
    """Folders of the packages on this disk: the project's own and path dependencies."""


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a program of the toolchain printed."""

    status: int | None
    """None if there is no such program."""
    out: bytes = b""
    said: str = ""
    """The errors among its last lines."""

    @property
    def text(self) -> str:
        """Its output, empty if it failed."""
        return self.out.decode("utf-8", "replace").strip() if self.status == 0 else ""


def ask(
    program: str,
    arguments: list[str],
    tool: RustAnalyzerSettings,
    target: Path,
    repo: Path | None = None,
) -> ToolOutput:
    """Run a program of the toolchain in the folder `repo`; return its output.

    It gets rust-analyzer's environment and time limit. `cargo` and `rustc` are looked for where
    rust-analyzer looks for them.
    """
    path = find_tool(program)
    if path is None:
        return ToolOutput(None)
    try:
        found = run_program(
            [path, *arguments],
            environment=cargo_environment(tool, target),
            timeout_s=tool.timeout_s,
            folder=repo,
            supervised=True,
        )
    except OSError:
        return ToolOutput(None)
    status = -signal.SIGKILL if found.status is None else found.status
    lines = [line.strip() for line in found.error_text.splitlines() if line.strip()]
    said = "; ".join(_errors(lines) or lines[-1:])[:500]
    return ToolOutput(status, found.out, said or f"{program} ended with status {status}")


def _errors(lines: list[str]) -> list[str]:
    """Return the errors and their causes, which Cargo writes below `Caused by:`."""
    return [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if line.startswith("error") or before == "Caused by:"
    ]


def find_tool(program: str) -> str | None:
    """Return the path of a program of the toolchain; None if there is none."""
    found = (
        os.environ.get(program.upper())
        or shutil.which(program)
        or shutil.which(Path.home() / ".cargo" / "bin" / program)
    )
    return None if found is None else str(found)


def failed_build_scripts(target: Path, since: float) -> list[str]:
    """Return the packages whose build scripts were started after `since` and failed; sorted.

    rust-analyzer does not say so. Cargo notes the start in a file beside the script's output, which
    it writes once the script succeeds, with the time of the start.
    """
    failed = set()
    for place in ("debug/build", "*/debug/build"):  # the second with a target platform
        for started in target.glob(f"{place}/*/invoked.timestamp"):
            with suppress(OSError):
                began, output = started.stat().st_mtime, started.with_name("output")
                succeeded = output.is_file() and output.stat().st_mtime >= began
                if began >= since - _SAME_TIME_S and not succeeded:
                    failed.add(started.parent.name.rpartition("-")[0])
    return sorted(failed)


def toolchain(repo: Path, tool: RustAnalyzerSettings, target: Path) -> str:
    """Return what `rustc -vV` prints in the folder, or an empty text if there is no rustc.

    A rust-toolchain.toml there may choose another one.
    """
    return ask("rustc", ["-vV"], tool, target, repo).text


def feature_flags(features: str | list[str]) -> list[str]:
    """Return Cargo's arguments for the features."""
    if isinstance(features, list):
        return ["--features", ",".join(features)] if features else []
    return ["--all-features"] if features == "all" else []


def find_dependencies(
    repo: Path, tool: RustAnalyzerSettings, target: Path, rustc: str
) -> Dependencies:
    """Return the project's dependencies on the host; Cargo fetches what is missing if it may.

    rust-analyzer asks the same. If that fails it goes on with `--no-deps`, and does not say so.
    Raises RustAnalyzerError if they must be those of Cargo.lock (rust_analyzer.network) and are
    not, and if what answers is no Cargo.
    """
    host = os.environ.get("CARGO_BUILD_TARGET") or next(
        (line.removeprefix("host: ") for line in rustc.splitlines() if line.startswith("host: ")),
        "",
    )
    arguments = [
        "metadata",
        "--format-version",
        "1",
        "--manifest-path",
        str(repo.resolve() / "Cargo.toml"),
    ]
    arguments += ["--filter-platform", host] if host else []
    arguments += ["--locked"] if tool.network == "locked" else []
    arguments += feature_flags(tool.features)
    answer = ask("cargo", arguments, tool, target, repo)
    if answer.status != 0 and tool.network == "locked":
        said = answer.said or "there is no cargo to ask"
        raise RustAnalyzerError(
            'rust_analyzer.network is "locked", '
            f"and the dependencies are not those of Cargo.lock: {said}"
        )
    if answer.status is None:
        return Dependencies("unknown")
    if answer.status != 0:
        return Dependencies("unresolved", answer.said)
    try:
        metadata = orjson.loads(answer.out)
        own = tuple(
            Path(package["manifest_path"]).parent
            for package in metadata["packages"]
            if package["source"] is None
        )
        return Dependencies("resolved", "", Path(metadata["workspace_root"]), own)
    except (ValueError, KeyError, TypeError) as exc:
        raise RustAnalyzerError(
            f"`cargo metadata` printed no metadata but {answer.text[:100]!r}; "
            f"the cargo that is asked is {find_tool('cargo')} (CARGO names another)."
        ) from exc
