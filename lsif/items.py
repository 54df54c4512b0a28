"""Items of a source, and which of a dump's definitions they are; each language has a finder."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from lsif.blocks import SourceBlock
    from lsif.lines import Lines
    from lsif.reader.graph import Definition
    from lsif.reader.hover import Hover
    from lsif.structure import CodeType

FILE_MODULE = -1
"""Column of a module that is a file of its own, whose name is not in it."""

EXAMPLES = 3
"""Number of stale definitions or missing files that are named; more would say no more."""


class SourceItem(NamedTuple):
    """One item of a source file."""

    name: str
    """As in the source: `r#type` keeps its `r#`."""
    code_type: CodeType
    row: int
    """Of the name."""
    row_from: int
    row_to: int
    signature: str
    docstring: str | None
    visibility: str
    owner: str | None = None
    trait_name: str | None = None
    is_test: bool = False
    modules: tuple[str, ...] = ()
    """Modules around it in its file, outermost first."""
    qualifiers: tuple[str, ...] = ()
    """Between module and name in the symbol: functions, `Type<T>`, `<Type as Trait>`, classes."""
    segment: str | None = None
    """The last part of the symbol, where it is not the name."""
    by_brackets: bool = False
    """Whether brackets say where it ends, since the grammar of its language can't read all of it.
    Set for Rust only."""
    extent: tuple[int, int] | None = None
    """Offsets in the source of its first byte and behind its last; None if only rows are known."""
    trait_at: int | None = None
    """Of an impl block of a trait: offset of the trait's name, the last one of a path."""


Imports = dict[str, tuple[str, ...]]
"""Paths as their segments, by the names that they are imported under."""


class WrittenName(NamedTuple):
    """A path or a name in a source, wherever it is used."""

    segments: tuple[str, ...]
    row: int
    column: int
    """Of the last segment, in bytes."""
    size: int
    """Bytes of the last segment."""


class FoundItem(NamedTuple):
    """An item, and the definition that it is."""

    definition: Definition | None
    """None if the dump has none."""
    row: int
    column: int
    """Byte column of the name, or FILE_MODULE; of the type for an impl block."""
    item: SourceItem

    @property
    def hover(self) -> Hover | None:
        """What the dump says about it."""
        return self.definition.hover if self.definition is not None else None


class Findings:
    """What becomes of a file's definitions."""

    def __init__(self) -> None:
        self.found: list[FoundItem] = []
        self.skipped: Counter[str] = Counter()
        """Definitions by the reason why they are no structures."""
        self.stale: list[str] = []
        """The first definitions that are not where the dump says, as `line: ...`."""

    def skip_stale(self, definition: Definition, expected: str | None, there: str | None) -> None:
        """Count a definition at whose position the source has another text."""
        self.skipped["source_changed"] += 1
        if len(self.stale) < EXAMPLES:
            found = f"`{there}`" if there else "nothing"
            self.stale.append(f"{definition.range.line + 1}: expected `{expected}`, found {found}")


class Finder(Protocol):
    """One source file, as its language reads it."""

    def find(self, definitions: list[Definition], encoding: str) -> Findings:
        """Return the items of the definitions; columns are in units of `encoding`."""

    def others(self, places: Container[tuple[int, int]]) -> Iterator[FoundItem]:
        """Yield the items that are at none of the places, rows and columns as in FoundItem."""

    def module_path(self, findings: Findings, definitions: list[Definition]) -> str:
        """Return the path of the file's own module, `crate::outer::inner`."""

    def is_test(self) -> bool:
        """Return whether the file's place says that it is only for tests."""

    def is_generated(self) -> bool:
        """Return whether the file's head says that a program wrote it."""

    def is_mended(self) -> bool:
        """Return whether it has syntax that the grammar does not know, if there is a grammar."""

    def blocks(self) -> Iterator[SourceBlock]:
        """Yield the blocks of at least MIN_LINES lines, in no particular order."""

    def names(self) -> Iterator[WrittenName]:
        """Yield the names whose meaning can be guessed, in no particular order."""

    def imports(self) -> dict[tuple[str, ...], Imports]:
        """Return what modules import, by the modules around in the file, outermost first."""

    @property
    def lines(self) -> Lines:
        """The file's lines."""
