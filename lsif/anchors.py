"""What ties the structures of one file to a dump: where they stand, and which definitions they are.

Workers find it when they read the file; lsif.references needs it when all files are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lsif.columns import excess_of, position

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from lsif.columns import Excess
    from lsif.items import FoundItem
    from lsif.lines import Lines
    from lsif.reader.elements import Id
    from lsif.reader.graph import Definition
    from lsif.reader.hover import Hover

_TYPES = frozenset({"Struct", "Enum", "Union", "Trait", "TypeAlias"})
_BUILTIN = "core::macros::builtin"
_ATTRIBUTES = frozenset({"bench", "derive", "derive_const", "global_allocator", "test"})


class Anchors(NamedTuple):
    """Of one file; structures are numbered from 0 in the order of their records.

    Positions count columns in the dump's units.
    """

    spans: NDArray[np.int64]
    """Begin and end of each structure as positions, (structures, 2); the end is exclusive."""
    definitions: NDArray[np.int64]
    """Rows (range, structure): the dump's definitions that are structures."""
    types: tuple[tuple[str, int], ...]
    """Types by the symbols that the dump has for them, which it also gives `Self`."""
    others: tuple[tuple[Id, str], ...]
    """Ranges of definitions that are items and no structures, with the dump's symbols."""
    called: frozenset[str]
    """Those of these symbols that can be called."""
    traits: dict[int, int]
    """Positions of the trait's name, which is in the head of an impl block, by its structure."""
    guesses: NDArray[np.int64] = np.empty((0, 4), dtype=np.int64)
    """Names whose meaning is guessed; see lsif.guesses.guesses_of."""
    excess: Excess | None = None
    """How the file's columns differ from those in UTF-16; None if they don't."""


def symbol_of(hover: Hover | None) -> str | None:
    r"""Return the symbol of what a hover shows, `module::Type::name`; None if it is no item.

    >>> from lsif.reader.hover import parse_hover
    >>> symbol_of(parse_hover("```rust\na::b\n```\n\n```rust\npub fn f()\n```"))
    'a::b::f'
    """
    if hover is None or hover.path is None or hover.code_type is None or hover.name is None:
        return None
    return f"{hover.path}::{hover.name}"


def is_called(hover: Hover | None) -> bool:
    r"""Return whether what a hover shows can be called: a function, or a macro that is no derive.

    Nor are Rust's own attributes, such as `#[test]`. Those of other crates look like other macros.

    >>> from lsif.reader.hover import parse_hover
    >>> is_called(parse_hover("```rust\na::b\n```\n\n```rust\npub struct S\n```"))
    False
    """
    if hover is None or hover.name is None or hover.code_type not in {"Function", "Macro"}:
        return False
    if hover.code_type == "Function" and not hover.is_proc_macro:
        return True
    is_attribute = hover.path == _BUILTIN and hover.name in _ATTRIBUTES
    return not (hover.name[:1].isupper() or is_attribute)


def anchors_of(
    lines: Lines,
    encoding: str,
    items: Sequence[FoundItem],
    found: Iterable[FoundItem],
    definitions: Iterable[Definition],
) -> Anchors:
    """Return the anchors of a file whose structures are `items`, in this order.

    `found` are the items of definitions, of which several may be at one position; columns are in
    units of `encoding`.
    """
    numbers = {(item.row, item.column): number for number, item in enumerate(items)}
    defined = {
        item.definition.range.id: numbers[item.row, item.column]
        for item in found
        if item.definition is not None
    }
    rows = [(key, number) for key, number in defined.items() if isinstance(key, int)]
    types = [
        (symbol, number)
        for number, item in enumerate(items)
        if item.item.code_type in _TYPES and (symbol := symbol_of(item.hover)) is not None
    ]
    others = [
        (definition, symbol)
        for definition in definitions
        if definition.range.id not in defined and (symbol := symbol_of(definition.hover))
    ]
    return Anchors(
        spans=np.array([_span(lines, encoding, item) for item in items], np.int64).reshape(-1, 2),
        definitions=np.array(rows, dtype=np.int64).reshape(-1, 2),
        types=tuple(types),
        others=tuple((definition.range.id, symbol) for definition, symbol in others),
        called=frozenset(symbol for definition, symbol in others if is_called(definition.hover)),
        traits={
            number: position(*lines.place_of(item.item.trait_at, encoding))
            for number, item in enumerate(items)
            if item.item.trait_at is not None
        },
        excess=excess_of(lines.counted, encoding),
    )


def _span(lines: Lines, encoding: str, found: FoundItem) -> tuple[int, int]:
    item = found.item
    if item.extent is None:
        return position(item.row_from, 0), position(item.row_to + 1, 0)
    begin, end = (lines.place_of(offset, encoding) for offset in item.extent)
    return position(*begin), position(*end)
