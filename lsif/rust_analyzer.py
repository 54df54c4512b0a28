"""Runs `rust-analyzer lsif`, which writes the dump. Reads no dump.

rust-analyzer loads the project with Cargo, which runs the repository's build scripts and procedural macros: point it only at
repositories whose code may run on this machine.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from configs.atomic import temporary_beside
from lsif.errors import RustAnalyzerError, RustAnalyzerMissing, SourceError

if TYPE_CHECKING:
    from pathlib import Path

_INSTALL = "Install it with `rustup component add rust-analyzer rust-src`, or name its path: --set rust_analyzer.command=PATH"
_SECRETS = ("QDRANT_", "PREFECT_", "HF_", "HUGGING")
"""Beginnings of the environment's names that no build script needs to see."""

_LAST_WORDS = 4000
"""Bytes of rust-analyzer's standard error that are looked at after a failure."""


def write_dump(repo: Path, output: Path, *, command: str, timeout_s: int, target: Path) -> None:
    """Write the dump of the Cargo project in the folder `repo` to the file `output`, as a whole or not at all.

    Cargo builds in the folder `target`, not in the repository, unless the environment names another (CARGO_TARGET_DIR).

    Raises SourceError where `repo` is no Cargo project, RustAnalyzerMissing where there is no such program, RustAnalyzerError
    with its last words where it fails, takes more than `timeout_s` seconds or writes nothing.
    """
    check_project(repo)
    program = shutil.which(command)
    if program is None:
        raise RustAnalyzerMissing(f"no program {command!r} on PATH. {_INSTALL}")
    temporary, errors = temporary_beside(output), temporary_beside(output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        status = _run([program, "lsif", str(repo.resolve())], temporary, errors, timeout_s, _environment(target))
        if status != 0 or temporary.stat().st_size == 0:
            reason = (
                f"was ended by signal {-status}"
                if status < 0
                else f"failed with exit status {status}"
                if status
                else "wrote nothing"
            )
            last_words = _last_words(errors).rstrip(".")
            raise RustAnalyzerError(f"`{command} lsif {repo}` {reason}: {last_words}. {_advice(last_words, repo)}".rstrip())
        temporary.replace(output)
    except OSError as exc:
        raise RustAnalyzerError(f"can't write {output}: {exc.strerror or exc}") from exc
    finally:
        temporary.unlink(missing_ok=True)
        errors.unlink(missing_ok=True)


def check_project(repo: Path) -> None:
    """Raise SourceError where the folder is no Cargo project."""
    if not repo.is_dir():
        there = f"{repo} is a file" if repo.exists() else f"no folder {repo}"
        raise SourceError(f"{there}; --repo names the folder of a Cargo project or workspace.")
    if not (repo / "Cargo.toml").is_file() and not (repo / "rust-project.json").is_file():
        raise SourceError(f"{repo} holds no Cargo.toml; --repo names the folder of a Cargo project or workspace.")


def _environment(target: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_SECRETS)}
    return {"CARGO_TARGET_DIR": str(target.absolute()), **inherited, "RUST_BACKTRACE": "0"}


def _run(arguments: list[str], output: Path, errors: Path, timeout_s: int, environment: dict[str, str]) -> int:
    """Run the program in a process group of its own, so that Cargo and build scripts end with it; return its exit status."""
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            env=environment,
        )
        try:
            status = process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise RustAnalyzerError(f"rust-analyzer took more than {timeout_s} s (rust_analyzer.timeout_s) and was ended.") from exc
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        stdout.flush()
        os.fsync(stdout.fileno())
        return status


def _last_words(errors: Path) -> str:
    """Return what a reader needs of the program's standard error, in one line: a panic's message, else the last lines."""
    with errors.open("rb") as file:
        file.seek(max(0, errors.stat().st_size - _LAST_WORDS))
        text = file.read().decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("Generating LSIF", "note: run with", "Caused by:", "stderr:"))]
    for number, line in enumerate(lines):
        if "panicked at" in line:
            return " ".join(lines[number : number + 2])[:500]
    return " | ".join(lines[-3:])[:500] or "it said nothing"


def _advice(last_words: str, repo: Path) -> str:
    """Return what to do about a failure, as far as its last words tell; empty where they don't."""
    words = last_words.lower()
    if "unavailable for the active toolchain" in words or "unknown binary" in words:
        return _INSTALL
    if "toolchain" in words:
        return "Install the toolchain that rust-toolchain.toml names, or choose another: RUSTUP_TOOLCHAIN=stable"
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
