"""Runs `rust-analyzer lsif`, or `rust-analyzer scip`, which writes the dump. Reads no dump.

Without a model (lsif.dump.project) rust-analyzer loads the project with Cargo, which runs the
repository's build scripts and procedural macros: use that only for repositories whose code may run
on this machine.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lsif.dump.messages import read_messages
from lsif.dump.project.static import set_project_root
from lsif.errors import RustAnalyzerError, RustAnalyzerMissing, SourceError
from machine.files import temporary_beside
from machine.git import environment_for_programs
from machine.supervisor import Outcome, run_supervised
from machine.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from configs.settings import RustAnalyzerSettings

logger = logging.getLogger(__name__)

_INSTALL = (
    "Install it with `rustup component add rust-analyzer rust-src`, or name its path: "
    "--set rust_analyzer.command=PATH"
)
_SECRET = re.compile(
    r"(?!CARGO_)(QDRANT_|PREFECT_|HF_|HUGGING|AWS_|.*(TOKEN|SECRET|PASSWORD|CREDENTIAL))",
    re.IGNORECASE,
)
"""Environment variables that no build script needs. Cargo needs its own for private registries."""
_FELL_BACK = "returning succeeded result with `--no-deps`"
"""Newer versions warn so if Cargo could not resolve the dependencies; 1.85 says nothing."""

_MOST_NAMED, _MOST_LOOKED_AT = 3, 2000
"""Folders that a message names, and that are looked at for it."""
_PROJECTS = ("Cargo.toml", "rust-project.json")
_NO_SOURCES = ("target", "node_modules", "vendor")


@dataclass(frozen=True, slots=True)
class DumpMade:
    """How a dump was made."""

    peak_mb: float
    """Highest resident memory, in 10^6 bytes, of rust-analyzer and all that it started."""
    fell_back: bool
    """Whether rust-analyzer said that it works without the dependencies."""
    failed_scripts: list[str] = field(default_factory=list)
    """Packages whose build scripts failed: what those generate is unknown in the dump."""


def write_dump(
    repo: Path,
    output: Path,
    tool: RustAnalyzerSettings,
    environment: Mapping[str, str],
    folder: Path | None = None,
    *,
    dump_format: Literal["lsif", "scip"] = "lsif",
) -> DumpMade:
    """Write the dump of the Cargo project in `repo` to `output`, as a whole or not at all.

    rust-analyzer loads, and runs in, the `folder` of a model if one is given, which only a dump of
    LSIF can be made of.

    Raises RustAnalyzerMissing if there is no such program, and RustAnalyzerError with its last
    words if it fails, exceeds a limit or writes nothing.
    """
    program = find_program(tool)
    temporary, errors = temporary_beside(output), temporary_beside(output)
    # rust-analyzer leaves folders in TMPDIR. A short name: sockets have paths of 107 bytes at most.
    scratch = output.parent.absolute() / f".{uuid.uuid4().hex[:8]}.tmp"
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        scratch.mkdir()
        arguments = [program, dump_format, str(folder or repo.resolve())]
        if dump_format == "scip":  # LSIF goes to standard output
            arguments += ["--output", str(temporary.absolute())]
        outcome = _run(
            arguments,
            temporary if dump_format == "lsif" else Path(os.devnull),
            errors,
            tool,
            {**environment, "TMPDIR": str(scratch)},
            folder,
        )
        if outcome.exceeded:
            raise RustAnalyzerError(_limit_passed(outcome, tool))
        if outcome.status != 0 or not temporary.exists() or not temporary.stat().st_size:
            last_words = read_messages(errors).last_words().rstrip(".")
            said = (
                f"`{tool.command} {dump_format} {repo}` {_how_it_ended(outcome.status)}: "
                f"{last_words}. {_advice(last_words, repo)}"
            )
            raise RustAnalyzerError(said.rstrip())
        if folder is not None:
            set_project_root(temporary, repo.resolve())
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(output)
        messages = read_messages(errors)
        for message, count in messages.repeated():
            logger.info("rust-analyzer said %s: %s", counted(count, "time"), message)
        return DumpMade(outcome.peak_mb, any(_FELL_BACK in message for message in messages.counts))
    except OSError as exc:
        raise RustAnalyzerError(f"can't write {output}: {exc.strerror or exc}") from exc
    finally:
        temporary.unlink(missing_ok=True)
        errors.unlink(missing_ok=True)
        shutil.rmtree(scratch, ignore_errors=True)


def find_program(tool: RustAnalyzerSettings) -> str:
    """Return rust-analyzer's path. Raises RustAnalyzerMissing if there is no such program."""
    program = shutil.which(tool.command)
    if program is None:
        raise RustAnalyzerMissing(f"no program {tool.command!r} on PATH. {_INSTALL}")
    return program


def check_project(repo: Path, subdir: str = "") -> None:
    """Raise SourceError if the repository, or its folder `subdir`, is no Cargo project."""
    folder = repo / subdir
    if (folder / "Cargo.toml").is_file() or (folder / "rust-project.json").is_file():
        return
    if folder.is_dir():
        what = f"{folder} holds no Cargo.toml"
    else:
        what = f"{folder} is a file" if folder.exists() else f"there is no folder {folder}"
    if repo.is_dir() and (found := _projects_in(repo)):
        more = " and others" if len(found) > _MOST_NAMED else ""
        raise SourceError(
            f"{what}; there is one in {', '.join(found[:_MOST_NAMED])}{more}: "
            "name it with --repo or --subdir."
        )
    if subdir and repo.is_dir():
        raise SourceError(
            f"{what}; --subdir names the folder of the Cargo project inside the repository."
        )
    raise SourceError(f"{what}; --repo names the folder of a Cargo project or workspace.")


def check_has_rust(repo: Path, subdir: str = "") -> None:
    """Raise SourceError if the repository, or its folder `subdir`, holds no Rust at all.

    Very large repositories are not searched to the end.
    """
    folder = repo / subdir
    if folder.is_dir() and _holds_rust(folder):
        return
    check_project(repo, subdir)


def _holds_rust(folder: Path) -> bool:
    for looked_at, (_, folders, files) in enumerate(os.walk(folder)):
        if looked_at >= _MOST_LOOKED_AT:
            return True
        if any(name.endswith(".rs") or name in _PROJECTS for name in files):
            return True
        folders[:] = [name for name in folders if not name.startswith(".")]
        folders[:] = sorted(name for name in folders if name not in _NO_SOURCES)
    return False


def _projects_in(repo: Path) -> list[str]:
    """Return the nearest folders of the repository with a Cargo.toml, none inside of another.

    There may be one more than a message names. Very large repositories are not searched to the end.
    """
    found, looked_at, waiting = list[str](), 0, deque([repo])
    while waiting and len(found) <= _MOST_NAMED and looked_at < _MOST_LOOKED_AT:
        folder = waiting.popleft()
        looked_at += 1
        if (folder / "Cargo.toml").is_file():
            found.append(folder.relative_to(repo).as_posix())
            continue
        with suppress(OSError):  # not ours to read
            inside = sorted(
                path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()
            )
            waiting.extend(
                path
                for path in inside
                if not path.name.startswith(".") and path.name not in _NO_SOURCES
            )
    return found


def cargo_environment(tool: RustAnalyzerSettings, target: Path) -> dict[str, str]:
    """Return the environment of rust-analyzer and Cargo: this process's without secrets."""
    inherited = {
        name: value for name, value in environment_for_programs().items() if not _SECRET.match(name)
    }
    network = {"CARGO_NET_OFFLINE": "true"} if tool.network == "offline" else {}
    return {
        "CARGO_TARGET_DIR": str(target.absolute()),
        "RA_LOG": "error,project_model=warn",
        **inherited,
        **network,
        **_flags(tool.cfg, inherited),
        "RUST_BACKTRACE": "0",
    }


def _flags(cfgs: list[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that hands the cfgs to rustc, behind the flags that are set already."""
    if not cfgs:
        return {}
    encoded = environment.get("CARGO_ENCODED_RUSTFLAGS")
    flags = encoded.split("\x1f") if encoded else environment.get("RUSTFLAGS", "").split()
    flags += [word for cfg in cfgs for word in ("--cfg", cfg)]
    return {"CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags)}


def _run(
    arguments: list[str],
    output: Path,
    errors: Path,
    tool: RustAnalyzerSettings,
    environment: Mapping[str, str],
    folder: Path | None,
) -> Outcome:
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        return run_supervised(
            arguments,
            stdout=stdout,
            stderr=stderr,
            environment=environment,
            timeout_s=tool.timeout_s,
            memory_mb=tool.memory_mb,
            cwd=folder,
        )


def _limit_passed(outcome: Outcome, tool: RustAnalyzerSettings) -> str:
    if outcome.exceeded == "memory":
        return (
            f"rust-analyzer and what it started took {outcome.peak_mb:,.0f} MB of memory, "
            f"more than {tool.memory_mb:,} MB "
            "(rust_analyzer.memory_mb), and were ended."
        )
    return (
        f"rust-analyzer took more than {tool.timeout_s} s (rust_analyzer.timeout_s) and was ended."
    )


def _how_it_ended(status: int) -> str:
    if status == 0:
        return "wrote nothing"
    return f"was ended by signal {-status}" if status < 0 else f"failed with exit status {status}"


_NOT_INSTALLED = (
    "unavailable for the active toolchain", "unknown binary", "is not installed for the",
)  # fmt: skip
"""How rustup says that the toolchain has no rust-analyzer."""


def _advice(last_words: str, repo: Path) -> str:
    """Return what to do about a failure with these last words; empty if unknown."""
    words = last_words.lower()
    if any(text in words for text in _NOT_INSTALLED):
        return _INSTALL
    if "toolchain" in words:
        return (
            "Install the toolchain that rust-toolchain.toml names, or choose another: "
            "RUSTUP_TOOLCHAIN=stable"
        )
    if "panicked" in words and (path := not_utf8(repo)) is not None:
        return f"rust-analyzer can't read sources that are not UTF-8: convert {path}"
    return ""


def not_utf8(repo: Path) -> Path | None:
    """Return the first Rust file of the repository that is not UTF-8."""
    for path in sorted(repo.rglob("*.rs")):
        if path.is_symlink() or not path.is_file():
            continue
        try:
            path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            return path.relative_to(repo)
        except OSError:
            continue
    return None
