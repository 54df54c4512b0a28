"""The lines of a dump that this project reads, one small class each.

Source: https://microsoft.github.io/language-server-protocol/specifications/lsif/0.6.0/specification/ and what rust-analyzer 1.85
writes (its `item` edge names `document` what later versions of the specification call `shard`). Ids are integers or strings.
Lines of other kinds are no error; they have no class here.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Id: TypeAlias = int | str

POSITION_ENCODINGS = ("utf-8", "utf-16", "utf-32")
"""Units in which columns are counted."""

MAX_NUMBER = 2**40
"""Largest id, line or column that is taken for one."""


class MetaData(NamedTuple):
    """The first vertex: where the dump was taken and how columns are counted."""

    project_root: str
    position_encoding: str
    """Unit of columns, one of POSITION_ENCODINGS where the dump is sound."""
    tool: str


class Document(NamedTuple):
    """A source file."""

    id: Id
    uri: str


class Range(NamedTuple):
    """A name in a document. Lines and columns are 0-based, the end is exclusive."""

    id: Id
    line: int
    column: int
    end_line: int
    end_column: int


class ResultSet(NamedTuple):
    """What several ranges share."""

    id: Id


class HoverResult(NamedTuple):
    """What an editor shows over a name: Markdown."""

    id: Id
    value: str


class Edge(NamedTuple):
    """An edge of one of the labels that are followed: next, textDocument/{hover,definition,references}."""

    label: str
    out_id: Id
    in_id: Id


class Item(NamedTuple):
    """The ranges of one document that a definition result consists of (`property` is absent), or a reference result."""

    out_id: Id
    in_ids: list[Id]
    document: Id
    property: str | None


Element: TypeAlias = MetaData | Document | Range | ResultSet | HoverResult | Edge | Item
