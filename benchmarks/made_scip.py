"""Makes a SCIP index of any size in which functions name functions, and its sources.

    python benchmarks/made_scip.py FOLDER OCCURRENCES

Writes FOLDER/index.scip and FOLDER/root/, a document at a time: memory does not grow. Of 100
occurrences 2 define a function, 58 name one, mostly one of another file, and 40 are of locals.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lsif.scip.schema import DEFINITION, MESSAGES, message_classes

_FUNCTIONS, _CALLS, _LOCALS = 100, 29, 20
"""Functions of a document; calls and locals in each of them."""
_ROWS = 4
_PACKAGE = "rust-analyzer cargo made-up 0.1.0 "
_DOCUMENT, _METADATA = b"\x12", b"\x0a"
"""Tags of the fields of an index."""


def make_index(folder: Path, occurrences: int) -> None:
    """Write an index of about so many occurrences, and its sources."""
    messages = message_classes(MESSAGES)
    (folder / "root/src").mkdir(parents=True)
    documents = max(1, occurrences // (_FUNCTIONS * (1 + _CALLS + _LOCALS)))
    tool = {"name": b"rust-analyzer", "version": b"1"}
    with (folder / "index.scip").open("wb") as file:
        metadata = messages["Metadata"](tool_info=tool, text_document_encoding=1)
        _write(file, _METADATA, metadata.SerializeToString())
        for number in range(documents):
            document = messages["Document"](
                relative_path=b"src/m%d.rs" % number, language=b"rust", position_encoding=1
            )
            source = [_add_function(document, number, at, documents) for at in range(_FUNCTIONS)]
            (folder / f"root/src/m{number}.rs").write_text("".join(source), encoding="ascii")
            _write(file, _DOCUMENT, document.SerializeToString())


def _add_function(document: Any, number: int, at: int, documents: int) -> str:
    """Add a function and what is in it; return its source."""
    name, row, add = f"function_number_{at}", at * _ROWS, document.occurrences.add
    symbol = _symbol(number, at)
    add(
        range=[row, 7, 7 + len(name)],
        symbol=symbol,
        symbol_roles=DEFINITION,
        enclosing_range=[row, 0, row + 2, 1],
    )
    declaration = f"pub fn {name}(argument: usize) -> usize"
    document.symbols.add(
        symbol=symbol,
        kind=17,
        display_name=name.encode(),
        documentation=[b"Docs of it, a sentence or two."],
        signature_documentation={"text": declaration.encode()},
    )
    for local in range(_LOCALS):
        add(range=[row, 8, 12], symbol=b"local %d" % at, symbol_roles=DEFINITION * (not local))
    for call in range(_CALLS):
        other = (number * 7 + at * 13 + call * 1009) % documents
        add(range=[row + 1, 4 + call, 8 + call], symbol=_symbol(other, (at + call) % _FUNCTIONS))
    return f"{declaration} {{\n    body();\n}}\n\n"


def _symbol(document: int, function: int) -> bytes:
    return f"{_PACKAGE}m{document}/function_number_{function}().".encode()


def _write(file: Any, tag: bytes, data: bytes) -> None:
    """Write a field of the index."""
    length, size = b"", len(data)
    while size >= 0x80:  # noqa: PLR2004 - a number's last byte lacks this bit
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    file.write(tag + length + bytes([size]) + data)


if __name__ == "__main__":
    make_index(Path(sys.argv[1]), int(sys.argv[2]))
