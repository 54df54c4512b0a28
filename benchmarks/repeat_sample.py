"""Makes a dump of any size, with its sources, from the sample: new ids, under new folders.

    python benchmarks/repeat_sample.py FOLDER MEGABYTES

Writes FOLDER/dump.lsif and FOLDER/root/.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

DATA = Path(__file__).parent.parent / "tests" / "data"
_IDS = re.compile(rb'"(id|inV|outV|document)":(\d+)')
_LISTS = re.compile(rb'"inVs":\[([\d,]*)\]')


def repeat_sample(folder: Path, megabytes: float) -> int:
    """Write a dump of about so many megabytes and its sources; return the number of copies."""
    original = (DATA / "sample.lsif").read_bytes().splitlines(keepends=True)
    copies = max(1, round(megabytes * 1e6 / sum(map(len, original))))
    with (folder / "dump.lsif").open("wb") as file:
        file.write(original[0].replace(b"file:///src/sample", b"file:///src/root"))
        for copy in range(copies):
            shutil.copytree(DATA / "sample", folder / "root" / f"crate_{copy}")
            shift = copy * (len(original) - 1)
            home = f"file:///src/root/crate_{copy}".encode()
            file.writelines(
                _renumber(line, shift).replace(b"file:///src/sample", home) for line in original[1:]
            )
    return copies


def _renumber(line: bytes, shift: int) -> bytes:
    line = _IDS.sub(lambda match: b'"%s":%d' % (match[1], int(match[2]) + shift), line)
    return _LISTS.sub(
        lambda match: (
            b'"inVs":[%s]' % b",".join(b"%d" % (int(one) + shift) for one in match[1].split(b","))
        ),
        line,
    )


if __name__ == "__main__":
    print(repeat_sample(Path(sys.argv[1]), float(sys.argv[2])), "copies")
