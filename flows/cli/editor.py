"""Opening a hit in the user's editor, for `--open`."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flows.errors import UsageError

if TYPE_CHECKING:
    from configs.workspace import ProjectFolder
    from search.answer import Answer

logger = logging.getLogger(__name__)

_STANDARD_ERROR = 2
_POSITION = {
    "code": "-g {path}:{line}",
    "codium": "-g {path}:{line}",
    "subl": "{path}:{line}",
    "zed": "{path}:{line}",
    "hx": "{path}:{line}",
}
"""How these editors take a position; all others take +LINE FILE."""


def require_editor() -> None:
    """Raise UsageError if no editor can be started."""
    if not (sys.stdout.isatty() or _editor()):
        raise UsageError(
            "--open starts an editor, but there is no terminal: "
            "set EDITOR to an editor that needs none."
        )


def open_hit(
    folder: ProjectFolder, collection: str, answer: Answer, number: int, *, beside_json: bool
) -> None:
    """Open hit `number` (1-based) in the editor.

    An editor that runs beside JSON output writes to standard error. Raises UsageError if the hit,
    the editor or the sources do not exist.
    """
    from search.sources import read_root  # noqa: PLC0415 - only --open needs it

    root = read_root(folder)
    if number > len(answer.hits):
        raise UsageError(f"there is no hit number {number} to open.")
    if root is None:
        raise UsageError(
            f"the sources of {collection} can't be found on this machine: "
            "it was indexed elsewhere, or they were removed."
        )
    hit = answer.hits[number - 1]
    command = _editor() or "vi"
    try:
        editor = shlex.split(command)
    except ValueError as exc:
        raise UsageError(f"{command!r} is not a command: {exc}. Set EDITOR.") from exc
    position = _POSITION.get(Path(editor[0]).stem, "+{line} {path}").split()
    arguments = [word.format(path=root / hit.file_path, line=hit.line) for word in position]
    output = _STANDARD_ERROR if beside_json else None
    try:
        status = subprocess.run([*editor, *arguments], check=False, stdout=output).returncode
    except OSError as exc:
        raise UsageError(f"can't start {editor[0]}: {exc.strerror or exc}. Set EDITOR.") from exc
    if status:
        logger.warning("%s ended with status %d", editor[0], status)


def _editor() -> str:
    return os.environ.get("VISUAL", "").strip() or os.environ.get("EDITOR", "").strip()
