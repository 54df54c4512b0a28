"""A machine as the doctor's tests need it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from configs.settings import Settings, load_settings


def changed(settings: Settings, *overrides: str) -> Settings:
    return load_settings(None, [f"paths.data={settings.paths.data}", *overrides])


def always(answer: Any) -> Callable[..., Any]:
    """Return a function that returns the answer, whatever it is asked."""

    def answered(*_: Any, **__: Any) -> Any:
        return answer

    return answered


def healthy_programs(program: Callable[[str, str], Path]) -> Path:
    """Write a healthy machine's programs; return the standard library's sources."""
    program("rust-analyzer", "echo rust-analyzer 1.85.1")
    program("cargo", "echo 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)'")
    folder = (
        program("rustc", 'dirname "$(dirname "$0")"').parent.parent / "lib/rustlib/src/rust/library"
    )
    folder.mkdir(parents=True)
    return folder
