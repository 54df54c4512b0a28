"""How much of a repository's Rust sources an index holds, and how rust-analyzer loaded them."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from lsif.ledger import FolderLedger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lsif.ledger import ParseLedger

MOST_FOLDERS = 50
REST = "(others)"
"""The sum of the folders after MOST_FOLDERS; no folder counts under this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """How rust-analyzer loaded a repository."""

    project: str
    """`cargo`, or `static` for a model made from the manifests."""
    dependencies: str
    """`resolved`, `unresolved`, or `unknown` if Cargo was not asked."""
    features: str
    """`all`, `default`, or names with commas. Those that need a dependency are on only if
    `project` is `static` or the dependencies are resolved."""
    cfgs: list[str]
    """Those that were set besides the usual ones."""
    skipped_manifests: int = 0
    """Manifests, members and targets that no crate could be made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Which Rust files and definitions of a repository are in an index, and where they come from.

    A file or definition is from the index if the dump holds it, else from the source.
    """

    files: int
    """Rust files that git tracks (all where it tracks none), and those that the dump holds."""
    files_from_index: int
    files_from_source: int
    files_excluded: int
    files_unread: dict[str, int]
    """By reason; lsif.ledger.UNREAD_REASONS explains each."""
    files_undeclared: int
    """Those from the source that no module tree has."""
    files_index_share: float | None
    """Files from the index as a share of those that are not excluded, 0 to 1; None if all are."""
    definitions_from_index: int
    definitions_from_source: int
    """Without impl blocks, which no dump holds."""
    definitions_index_share: float | None
    """Definitions from the index as a share of both, 0 to 1; None if there are none."""
    impls: int
    folders: dict[str, FolderLedger]
    """By folder at the top of the repository, the largest first, the rest as REST; `.` stands for
    the files of the repository's root itself."""
    analysis: Analysis | None = None
    """None if the dump was made by somebody else."""

    @property
    def files_absent(self) -> int:
        """Files that are not in the dump and were not looked for elsewhere."""
        read = self.files_from_index + self.files_from_source
        return self.files - read - self.files_excluded - sum(self.files_unread.values())


def coverage_of(ledger: ParseLedger, analysis: Analysis | None = None) -> Coverage | None:
    """Return what the ledger of a parse says; None if its dump holds no Rust."""
    if not ledger.folders:
        return None
    from_index = ledger.structures - ledger.from_source
    from_source = ledger.from_source - ledger.impls
    return Coverage(
        files=ledger.source_files,
        files_from_index=ledger.files_from_index,
        files_from_source=ledger.files_from_source,
        files_excluded=ledger.files_excluded,
        files_unread=dict(ledger.files_unread),
        files_undeclared=ledger.files_undeclared,
        files_index_share=_share(
            ledger.files_from_index, ledger.source_files - ledger.files_excluded
        ),
        definitions_from_index=from_index,
        definitions_from_source=from_source,
        definitions_index_share=_share(from_index, from_index + from_source),
        impls=ledger.impls,
        folders=_largest(ledger.folders),
        analysis=analysis,
    )


def read_coverage(data: dict[str, Any] | None) -> Coverage | None:
    """Return the coverage that `asdict` gave. Raises TypeError or KeyError for other fields."""
    if data is None:
        return None
    folders = {name: FolderLedger(**counts) for name, counts in data["folders"].items()}
    analysis = None if data["analysis"] is None else Analysis(**data["analysis"])
    return Coverage(**{**data, "folders": folders, "analysis": analysis})


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _sum(folders: Iterable[FolderLedger]) -> FolderLedger:
    return FolderLedger(*map(sum, zip(*map(astuple, folders), strict=True)))


def _largest(folders: Mapping[str, FolderLedger]) -> dict[str, FolderLedger]:
    ordered = sorted(folders.items(), key=lambda item: (-item[1].files, item[0]))
    largest = dict(ordered[:MOST_FOLDERS])
    if ordered[MOST_FOLDERS:]:
        largest[REST] = _sum(counts for _, counts in ordered[MOST_FOLDERS:])
    return largest
