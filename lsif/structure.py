"""The record that everything passes on: one definition, one line of structures.jsonl, one point.

The first block of keys is the format that Qdrant's code-search tutorial publishes
(https://qdrant.tech/documentation/tutorials/code-search/), the second block is this project's own.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from lsif.record import OUTSIDE_DIGEST, JsonLine, digest_of, uuid5

if TYPE_CHECKING:
    from collections.abc import Mapping

CodeType: TypeAlias = Literal[
    "Function", "Struct", "Enum", "Union", "Trait", "TypeAlias", "Const", "Static", "Macro",
    "Module", "Impl", "Class", "Interface",
]  # fmt: skip
"""Rust has no Class and no Interface; other languages' dumps may. Impl blocks come from the source
alone."""

_NAMESPACE = uuid.UUID("6f1c52c8-6b5c-5c0e-9d6e-0f1d3f6d5a10").bytes
"""Of all structure ids; chosen once. Another namespace would give every definition another id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(JsonLine):
    """The place of a structure in the repository."""

    module: str
    """Name of the file's folder."""
    file_path: str
    """POSIX path relative to the repository's root."""
    file_name: str = ""
    struct_name: str | None = None
    """The type of the surrounding impl, without generics; in a trait's body, the trait."""
    snippet: str
    """The file's lines line_from..line_to as they are, carriage returns included, each ended by a
    newline. A part of them if `snippet_from` is not 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure(JsonLine):
    """One definition. Lines are 1-based and inclusive.

    To add a field, add a line here, with a default: older files and indexes lack it. By default
    it is part of the digest, so that the next run updates every point.
    """

    name: str
    signature: str
    """The declaration as in the source, without visibility, attributes, comments and body, on one
    line."""
    code_type: str
    """A CodeType; other values of an imported structures.jsonl are kept."""
    docstring: str | None = None
    """Markdown without comment markers."""
    line: int = field(metadata=OUTSIDE_DIGEST)
    """Of the name."""
    line_from: int = field(metadata=OUTSIDE_DIGEST)
    """Of the first documentation comment or attribute that belongs to the definition."""
    line_to: int = field(metadata=OUTSIDE_DIGEST)
    context: Context
    id: str = field(metadata=OUTSIDE_DIGEST)
    """UUID; it stays the same while project, crate, symbol and file do, wherever the lines move."""
    symbol: str
    """Path as rustc writes it: `cache::Cache<K, V>::insert`, `geo::<Circle as Shape>::area`."""
    crate: str = ""
    module_path: str
    """`crate::outer::inner`, inline modules included."""
    trait_name: str | None = None
    """The trait, without path and generics, of the surrounding impl or trait body."""
    visibility: str = ""
    """As in the source: `pub`, `pub(crate)` ...; `private` if it has none; `inherited` in a trait's
    impl; members of a trait have the trait's own; empty if unknown, and for impl blocks."""
    is_test: bool = False
    docs_inherited: bool = False
    """Whether the docstring is that of the trait's member."""
    generated: bool = field(default=False, metadata=OUTSIDE_DIGEST)
    """Whether a program wrote the file, as its head or .gitattributes says."""
    origin: str = field(default="index", metadata=OUTSIDE_DIGEST)
    """`index` if the dump holds it; `source` if only the file does: its references are unknown."""
    references: int = field(default=0, metadata=OUTSIDE_DIGEST)
    """Number of places that refer to it, as far as the dump knows them; 0 if it is not in it."""
    referencing_files: int = field(default=0, metadata=OUTSIDE_DIGEST)
    """Number of files with such places."""
    snippet_from: int = field(default=0, metadata=OUTSIDE_DIGEST)
    """Line that the snippet begins in, maybe in its middle, if it is only a part of the lines; else
    0. The snippets of a file are together at most a multiple of its size."""
    refers_to: tuple[str, ...] = field(default=(), metadata=OUTSIDE_DIGEST)
    """Ids of the structures that its own lines refer to, sorted; empty if that is not known. Lines
    of a structure inside it are that one's own. As the next four lists, not part of a hit."""
    uses: tuple[str, ...] = field(default=(), metadata=OUTSIDE_DIGEST)
    """Symbols that its own lines refer to and that are no structures: what dependencies and the
    standard library define, and what macros make."""
    uses_called: tuple[str, ...] = field(default=(), metadata=OUTSIDE_DIGEST)
    """Those of them that can be called: functions and macros, but no derives."""
    may_refer_to: tuple[str, ...] = field(default=(), metadata=OUTSIDE_DIGEST)
    """Ids of the structures that it may refer to, if its origin is `source`: guessed from names of
    its own module and of imports."""
    implements: tuple[str, ...] = field(default=(), metadata=OUTSIDE_DIGEST)
    """Of an impl block the trait, of its members those of the trait: an id, or a symbol if it is
    no structure."""
    tested_by: int = field(default=0, metadata=OUTSIDE_DIGEST)
    """Number of functions of test code whose own lines refer to it, or to the member of a trait of
    this repository that it implements. Guesses don't count."""
    digest: str = field(default="", metadata=OUTSIDE_DIGEST)
    """32 hex digits, computed if not given. Structures of one digest embed and search alike."""

    def __post_init__(self) -> None:
        """Compute the digest if there is none."""
        if not self.digest:
            object.__setattr__(self, "digest", digest_of(self))


def make_id(project: str, crate: str, symbol: str, file_path: str, ordinal: int) -> str:
    """Return the id of the `ordinal`-th (0-based, by line) definition of `symbol` in the file."""
    return uuid5(_NAMESPACE, "\0".join((project, crate, symbol, file_path, str(ordinal))))


def with_digest(fields: Mapping[str, Any]) -> Structure:
    """Return the structure of plain JSON fields; its digest is computed, whatever `fields` says."""
    return Structure.from_dict({**fields, "digest": ""})
