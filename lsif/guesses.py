"""What structures that no dump holds may refer to, guessed from the names in their own lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lsif.columns import position
from lsif.identifiers import plain_name, symbol_key
from lsif.reader.follow import NOTHING
from lsif.rust.names import symbol_for
from lsif.spans import innermost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lsif.items import Finder, WrittenName
    from lsif.structure import Structure

_NONE: NDArray[np.int64] = np.empty((0, 4), dtype=np.int64)


def guesses_of(
    source: Finder,
    encoding: str,
    structures: Sequence[Structure],
    spans: NDArray[np.int64],
    module: str,
    *,
    in_dump: bool,
) -> NDArray[np.int64]:
    """Return rows (line, column, length, key of a symbol) of names whose meaning is guessed.

    They are in the own lines of structures that only the source has. Heads of impl blocks are among
    these only if the dump lacks the file. Lines and columns are 0-based, in units of `encoding`;
    `module` is the path of the file's own module.
    """
    guessed = [
        structure.origin == "source"
        and (not in_dump or structure.code_type not in ("Impl", "Module"))
        for structure in structures
    ]
    if not any(guessed):
        return _NONE
    lines, imports, depth = source.lines, source.imports(), module.count("::") + 1
    names = [
        (name, *lines.place_of(lines.offset(name.row, name.column), encoding))
        for name in source.names()
    ]
    places = np.array([position(row, column) for _, row, column in names], dtype=np.int64)
    rows = []
    for (name, row, column), owner in zip(names, innermost(spans, places).tolist(), strict=True):
        if owner == NOTHING or not guessed[owner] or _is_own(name, structures[owner]):
            continue
        around = tuple(structures[owner].module_path.split("::"))
        symbol = symbol_for(name.segments, around, imports.get(around[depth:], {}))
        end = lines.place_of(lines.offset(name.row, name.column) + name.size, encoding)[1]
        rows.append((row, column, end - column, symbol_key("::".join(symbol))))
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _is_own(name: WrittenName, structure: Structure) -> bool:
    """Return whether the structure is declared by the name."""
    own = (plain_name(structure.name),)
    is_at_name = name.row == structure.line - 1 and structure.code_type != "Impl"
    return is_at_name and name.segments == own
