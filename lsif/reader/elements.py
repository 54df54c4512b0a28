"""The lines of a dump that this project reads, one small class for each kind.

They are those of the specification
(https://microsoft.github.io/language-server-protocol/specifications/lsif/0.6.0/specification/), as
rust-analyzer 1.85 and lsif-tsc 0.5 write them. rust-analyzer's `item` edge calls `document` what
later versions of the specification call `shard`. Ids are integers or strings. Lines of other kinds
are no error; they have no class here. Lines and columns are 0-based.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Id: TypeAlias = int | str

POSITION_ENCODINGS = ("utf-8", "utf-16", "utf-32")
"""Units in which columns are counted."""

MAX_NUMBER = 2**40
"""Largest id, line or column that is taken for one."""


EDGE_LABELS = (
    "next",
    "textDocument/hover",
    "textDocument/definition",
    "textDocument/references",
    "textDocument/foldingRange",
    "textDocument/documentSymbol",
)
"""Labels of the edges that are followed."""

OTHER_RESULTS = (
    "textDocument/declaration",
    "textDocument/typeDefinition",
    "textDocument/implementation",
)
"""Labels of edges to results whose items are spelled as a definition's are, and are none."""


class MetaData(NamedTuple):
    """The first vertex: where the dump was taken and how columns are counted."""

    project_root: str
    """URI; empty where the dump has none here (see Root)."""
    position_encoding: str
    """Unit of columns; one of POSITION_ENCODINGS if the dump is valid."""
    tool: str

    @property
    def is_rust_analyzers(self) -> bool:
        """Whether rust-analyzer made the dump.

        Then hovers distinguish items from locals, and all documents are Rust.
        """
        return self.tool.startswith("rust-analyzer")


class Root(NamedTuple):
    """The folder of a group of projects; some indexers have it instead of the metaData's root."""

    uri: str


class Event(NamedTuple):
    """The start (1) or end (-1) of a project, group or document; in a whole dump each has both."""

    step: int


class Document(NamedTuple):
    """A source file."""

    id: Id
    uri: str
    language: str = "rust"
    """Language identifier (https://code.visualstudio.com/docs/languages/identifiers)."""
    contents: str | None = None
    """The file's content, base64; None where the dump does not hold it."""
    position_encoding: str | None = None
    """Unit of its columns, if it has one of its own."""


class Extent(NamedTuple):
    """From the first to the last character of something; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Tag(NamedTuple):
    """What the indexer says of a definition at its range."""

    text: str
    """The name."""
    kind: int
    """SymbolKind (https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#symbolKind)."""
    extent: Extent | None
    is_test: bool = False
    is_generated: bool = False
    is_ambiguous: bool = False
    """Whether other definitions have the same symbol: the hover may be that of another one."""


class Range(NamedTuple):
    """A name in a document; the end is exclusive."""

    id: Id
    line: int
    column: int
    end_line: int
    end_column: int
    tag: Tag | None = None


class ResultSet(NamedTuple):
    """What several ranges share."""

    id: Id


class HoverResult(NamedTuple):
    """What an editor shows over a name: Markdown."""

    id: Id
    value: str


class FoldingRange(NamedTuple):
    """Lines that an editor can fold, both inclusive."""

    line: int
    end_line: int
    is_comment: bool


class FoldingRanges(NamedTuple):
    """The folding ranges of a document."""

    id: Id
    folding_ranges: list[FoldingRange]


class Symbol(NamedTuple):
    """A declaration in a document's outline."""

    line: int
    """Of the name, as is `column`."""
    column: int
    tag: Tag


class DocumentSymbols(NamedTuple):
    """A document's outline, flat.

    Outlines that name ranges are empty here: the ranges' tags say the same.
    """

    id: Id
    symbols: list[Symbol]


class Edge(NamedTuple):
    """An edge of one of the labels that are followed; several targets are several edges."""

    label: str
    out_id: Id
    in_ids: list[Id]


class Item(NamedTuple):
    """The ranges of one document in a definition result (no `property`) or a reference result."""

    out_id: Id
    in_ids: list[Id]
    document: Id
    property: str | None


Element: TypeAlias = (
    MetaData
    | Root
    | Event
    | Document
    | Range
    | ResultSet
    | HoverResult
    | FoldingRanges
    | DocumentSymbols
    | Edge
    | Item
)
