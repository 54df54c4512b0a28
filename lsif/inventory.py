"""The Rust files of a repository, which of them are left out, and what became of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsif.build_output import build_output
from lsif.items import EXAMPLES
from lsif.ledger import FolderLedger
from lsif.listing import list_files
from lsif.selection import Selection, read_attributes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from lsif.join import JoinedFile
    from lsif.ledger import ParseLedger


class Inventory:
    """The Rust files under a root; it counts them in a ledger."""

    def __init__(
        self,
        root: Path,
        ledger: ParseLedger,
        *,
        exclude: Sequence[str] = (),
        include: Sequence[str] = (),
        source_items: bool = False,
    ) -> None:
        """List the files.

        `exclude` and `include` are globs; .gitattributes counts only with `source_items`.
        """
        self._ledger = ledger
        self.source_items = source_items
        """Whether files that the dump does not hold are read."""
        listing = list_files(root)
        attributes = read_attributes(root, listing.attributes) if source_items else []
        self.selection = Selection(exclude, include, attributes)
        self.listed = listing.rust
        """Paths relative to the root, the files that are left out among them."""
        self._root = root
        self._output: frozenset[str] = frozenset()
        if listing.misnamed:
            ledger.source_files += listing.misnamed
            ledger.files_unread["misnamed"] = listing.misnamed

    def leave_out_output(self, documents: Iterable[str]) -> None:
        """Find out which of the dump's documents are output of a build; see `is_output`."""
        sources = frozenset(self.listed)
        others = [path for path in documents if path not in sources]
        self._output = build_output(self._root, others)

    def is_output(self, path: str) -> bool:
        """Return whether a document of the dump is output of a build, and not included."""
        return path in self._output and not self.selection.includes(path)

    def choose(self, dumped: Iterable[str]) -> list[str]:
        """Return the Rust files to read, sorted; count those that are not.

        `dumped` are those that the dump holds. If it holds none, it is of another language, and
        none is chosen.
        """
        in_dump = set(dumped)
        chosen: list[str] = []
        for path in sorted(in_dump.union(self.listed) if in_dump else ()):
            if self.selection.leaves_out(path):
                folder = self._count(path)
                folder.files_excluded += 1
                self._ledger.files_excluded += 1
            elif path in in_dump or self.source_items:
                chosen.append(path)
            else:
                self._count(path)
        return chosen

    def account(self, joined: JoinedFile) -> None:
        """Count a Rust file that was chosen."""
        ledger, folder = self._ledger, self._count(joined.path)
        if joined.problem is not None:
            folder.files_unread += 1
            ledger.files_unread[joined.unread] = ledger.files_unread.get(joined.unread, 0) + 1
            if len(ledger.first_unread) < EXAMPLES:
                ledger.first_unread.append(f"{joined.path}: {joined.problem}")
        elif joined.in_dump:
            folder.files_from_index += 1
            ledger.files_from_index += 1
        else:
            folder.files_from_source += 1
            ledger.files_from_source += 1
        folder.from_source += joined.from_source
        folder.from_index += joined.kinds.total() - joined.from_source

    def _count(self, path: str) -> FolderLedger:
        """Count the file; return the counts of its folder at the top of the root."""
        self._ledger.source_files += 1
        top, separator, _ = path.partition("/")
        folder = self._ledger.folders.setdefault(top if separator else ".", FolderLedger())
        folder.files += 1
        return folder
