"""Makes a dump of any size in which functions refer to functions, and its sources.

    python benchmarks/made_graph.py FOLDER STRUCTURES PLACES [PLACES_OF_ONE]

Writes FOLDER/dump.lsif and FOLDER/root/, line by line: memory does not grow. Each function refers
to functions near by, mostly in its own file, and to some far away. The first one may have more
places, ten thousand a function.
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_FILE = 100
"""Functions of a file."""
AT_ONCE = 10_000
"""Places in a function that refers to the first one only."""
STEPS = (1, 2, 3, 5, 8, 13, 21, 377, 9_973, 99_991)
"""How far away what a function refers to is, again and again."""


class Shape(NamedTuple):
    """What a dump has."""

    files: int
    places: int
    """In each function."""
    more: int
    """Functions that refer to the first one only, each in a file of its own."""

    @property
    def size(self) -> int:
        """Ids of a file: its document, functions and places."""
        return 1 + IN_FILE * (1 + self.places)

    @property
    def functions(self) -> int:
        """Number of functions that refer to others."""
        return self.files * IN_FILE

    def document(self, file: int) -> int:
        """Return the id of a file."""
        begin = 1 + min(file, self.files) * self.size
        return begin + max(0, file - self.files) * (2 + AT_ONCE)

    def definition(self, number: int) -> int:
        """Return the id of the name of a function; behind it come those of its places."""
        if number >= self.functions:
            return self.document(self.files + number - self.functions) + 1
        file, place = divmod(number, IN_FILE)
        return self.document(file) + 1 + place * (1 + self.places)

    def file_of(self, number: int) -> int:
        """Return the file of a function."""
        is_more = number >= self.functions
        return self.files + number - self.functions if is_more else number // IN_FILE

    def referring(self, target: int) -> Iterator[tuple[int, list[int]]]:
        """Yield file and ids of the places that refer to a function, file by file."""
        if target >= self.functions:
            return
        found = []
        for place in range(self.places):
            step = STEPS[place % len(STEPS)] + place // len(STEPS)
            caller = (target - step) % self.functions
            found.append((caller // IN_FILE, self.definition(caller) + 1 + place))
        for file, places in groupby(sorted(found), key=lambda row: row[0]):
            yield file, [place for _, place in places]
        for extra in range(self.more if target == 0 else 0):
            begin = self.definition(self.functions + extra) + 1
            yield self.files + extra, list(range(begin, begin + AT_ONCE))


def make_graph(folder: Path, structures: int, places: int, places_of_one: int = 0) -> Shape:
    """Write a dump of about so many structures and places; return what it has."""
    shape = Shape(structures // IN_FILE, places // structures, places_of_one // AT_ONCE)
    (folder / "root/src").mkdir(parents=True)
    with (folder / "dump.lsif").open("w", encoding="ascii", buffering=1 << 20) as dump:
        dump.writelines(_lines(folder, shape))
    return shape


def _lines(folder: Path, shape: Shape) -> Iterator[str]:
    root = (folder / "root").resolve()
    yield (
        f'{{"id":0,"type":"vertex","label":"metaData","version":"0.5.0","projectRoot":'
        f'"{root.as_uri()}","positionEncoding":"utf-16",'
        '"toolInfo":{"name":"rust-analyzer","version":"1.85.1"}}\n'
    )
    for file in range(shape.files + shape.more):
        is_more = file >= shape.files
        first = shape.functions + file - shape.files if is_more else file * IN_FILE
        count, inside = (1, AT_ONCE) if is_more else (IN_FILE, shape.places)
        path = root / f"src/f{file}.rs"
        path.write_text(
            "".join(
                f"pub fn g{number:08}() {{\n" + "    x();\n" * inside + "}\n"
                for number in range(first, first + count)
            ),
            encoding="ascii",
        )
        yield (
            f'{{"id":{shape.document(file)},"type":"vertex","label":"document",'
            f'"uri":"{path.as_uri()}","languageId":"rust"}}\n'
        )
        number, line = shape.document(file) + 1, 0
        for _ in range(count):
            yield _range(number, line, 7, 16)
            yield from (
                _range(number + place, line + place, 4, 5) for place in range(1, inside + 1)
            )
            number, line = number + 1 + inside, line + inside + 2
    yield from _results(shape)


def _range(number: int, line: int, begin: int, end: int) -> str:
    return (
        f'{{"id":{number},"type":"vertex","label":"range","start":{{"line":{line},"character":'
        f'{begin}}},"end":{{"line":{line},"character":{end}}}}}\n'
    )


def _results(shape: Shape) -> Iterator[str]:
    """Yield what the dump says of each function, and who refers to it."""
    number = shape.document(shape.files + shape.more)
    for function in range(shape.functions + shape.more):
        file, own = shape.file_of(function), shape.definition(function)
        hover = f"\\n```rust\\np::f{file}\\n```\\n\\n```rust\\npub fn g{function:08}()\\n```\\n"
        yield (
            f'{{"id":{number},"type":"vertex","label":"resultSet"}}\n'
            f'{{"id":{number + 1},"type":"edge","label":"next","inV":{number},"outV":{own}}}\n'
            f'{{"id":{number + 2},"type":"vertex","label":"hoverResult","result":{{"contents":'
            f'{{"kind":"markdown","value":"{hover}"}}}}}}\n'
            f'{{"id":{number + 3},"type":"edge","label":"textDocument/hover","inV":{number + 2},'
            f'"outV":{number}}}\n'
            f'{{"id":{number + 4},"type":"vertex","label":"definitionResult"}}\n'
            f'{{"id":{number + 5},"type":"edge","label":"textDocument/definition","inV":'
            f'{number + 4},"outV":{number}}}\n'
            f'{{"id":{number + 6},"type":"edge","label":"item","document":{shape.document(file)},'
            f'"inVs":[{own}],"outV":{number + 4}}}\n'
            f'{{"id":{number + 7},"type":"vertex","label":"referenceResult"}}\n'
            f'{{"id":{number + 8},"type":"edge","label":"textDocument/references","inV":'
            f'{number + 7},"outV":{number}}}\n'
        )
        result, number = number + 7, number + 9
        for user, places in shape.referring(function):
            yield (
                f'{{"id":{number},"type":"edge","label":"item","document":{shape.document(user)},'
                f'"property":"references","inVs":[{",".join(map(str, places))}],"outV":{result}}}\n'
            )
            number += 1


if __name__ == "__main__":
    print(make_graph(Path(sys.argv[1]), *map(int, sys.argv[2:])))
