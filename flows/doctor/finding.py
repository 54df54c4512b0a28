"""What one check of `lsif-ingest doctor` found, without secrets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from machine.secrets import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from configs.errors import LsifIngestError

Status: TypeAlias = Literal["ok", "warning", "failed", "skipped"]
"""`warning`: a run works, but less well than it could; `skipped`: there is nothing to check."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome."""

    check: str
    status: Status
    found: str
    advice: str = ""
    """The command or setting that mends it; empty if nothing needs mending."""
    seconds: float = 0.0
    """How long the check took."""

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return asdict(self)

    def without(self, secrets: Iterable[str]) -> Finding:
        """Return the finding with `***` instead of each secret."""
        hidden = list(secrets)
        return replace(
            self,
            found=without_secrets(self.found, hidden),
            advice=without_secrets(self.advice, hidden),
        )


def of_error(
    check: str, exc: LsifIngestError, advice: str = "", status: Status = "failed"
) -> Finding:
    """Return the finding of an error; its message ends with the advice, unless one is given.

    >>> from configs.errors import ConfigError
    >>> finding = of_error("index", ConfigError("no Qdrant answers (at all). Start it; or not."))
    >>> finding.found, finding.advice
    ('no Qdrant answers (at all)', 'Start it; or not.')
    """
    message = " ".join(str(exc).split())
    if advice:
        return Finding(check, status, message, advice)
    for border in (". ", "; "):
        found, separator, remedy = message.rpartition(border)
        if separator:
            return Finding(check, status, found, remedy)
    return Finding(check, status, message)
