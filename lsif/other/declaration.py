"""A declaration in a source, whoever found it: a grammar, or brackets and the indexer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lsif.structure import CodeType

Span = tuple[int, int]
"""From the first byte to after the last one."""


class Declaration(NamedTuple):
    """A declaration in a source. Offsets are in bytes."""

    code_type: CodeType
    start: int
    """Of its first decorator."""
    head: int
    """After its decorators."""
    value: int | None
    """Of its value, which is no part of the signature."""
    body: int | None
    end: int
    owner: str | None = None
    """The type that a member belongs to without being inside it."""
    shared: Span | None = None
    """Words before `head` that it shares with others, as of `const a = 1, b = 2`."""
    left_out: tuple[Span, ...] = ()
    """Parts of the head that are not in the signature: annotations and visibility."""
    visibility: str | None = None
    """None if the signature's first words say it."""
    docs: str | None = None
    """Documentation inside its body."""
