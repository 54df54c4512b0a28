"""The parse streams: its memory does not grow with the sources that it reads.

The parse runs in a process of its own, whose peak is measured, over many files with long functions.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from conftest import PROJECT_ROOT

FILES, FUNCTION_LINES = 100, 6_000
"""Each file has one function of 0.27 MB: 27 MB of snippets in all."""

PARSE = """
import sys
from pathlib import Path
from lsif.extract import parse_dump

folder, files, keep = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "keep"
kept, counted = [], [0]

def sink(structures, blocks):
    counted[0] += len(structures)
    if keep:
        kept.extend(structures)

def peak_kb():  # getrusage would count the process that started this one, too
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

def run(dump):
    parse_dump(
        folder / dump, folder / "sources", folder / "out.jsonl", project="p", max_bad_lines=0,
        max_stale_share=0, processes=1, sink=sink,
    )

run("first.lsif")
before = peak_kb()
run("all.lsif")
print(counted[0] - 1, (peak_kb() - before) // 1024)
"""


def write_project(folder: Path) -> int:
    """Write sources and two dumps of them, `all.lsif` and, of one file, `first.lsif`.

    Return the size of the sources in bytes.
    """
    sources = folder / "sources" / "src"
    sources.mkdir(parents=True)
    body = "".join(
        f"    let value_{row:06d} = compute_something({row});\n" for row in range(FUNCTION_LINES)
    )
    for number in range(FILES):
        (sources / f"f{number}.rs").write_text(f"pub fn f{number:03d}() {{\n{body}}}\n")
    for name, files in (("first.lsif", 1), ("all.lsif", FILES)):
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in dump_of(files)))
    return sum(path.stat().st_size for path in sources.iterdir())


def dump_of(files: int) -> list[dict[str, object]]:
    """Return the lines of a dump with one function in each file."""
    lines: list[dict[str, object]] = []

    def add(kind: str, label: str, **fields: object) -> int:
        lines.append({"id": len(lines) + 1, "type": kind, "label": label, **fields})
        return len(lines)

    add(
        "vertex", "metaData", version="0.5.0", projectRoot="file:///made/up",
        positionEncoding="utf-16", toolInfo={"name": "rust-analyzer", "args": []},
    )  # fmt: skip
    for number in range(files):
        name = f"f{number:03d}"
        uri = f"file:///made/up/src/f{number}.rs"
        document = add("vertex", "document", uri=uri, languageId="rust")
        place = {"line": 0, "character": 7}, {"line": 0, "character": 7 + len(name)}
        range_id = add("vertex", "range", start=place[0], end=place[1])
        result_set = add("vertex", "resultSet")
        add("edge", "next", outV=range_id, inV=result_set)
        definition = add("vertex", "definitionResult")
        add("edge", "textDocument/definition", outV=result_set, inV=definition)
        add("edge", "item", outV=definition, inVs=[range_id], document=document)
        value = f"\n```rust\np::{name}\n```\n\n```rust\npub fn {name}()\n```\n"
        contents = {"kind": "markdown", "value": value}
        hover = add("vertex", "hoverResult", result={"contents": contents})
        add("edge", "textDocument/hover", outV=result_set, inV=hover)
        references = add("vertex", "referenceResult")
        add("edge", "textDocument/references", outV=result_set, inV=references)
    return lines


def growth_mb(folder: Path, sink: str) -> tuple[int, int]:
    """Return how many structures a parse hands to a sink, and the growth of its peak in MiB.

    The growth is that from the parse of one file to the parse of all.
    """
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(folder), str(FILES), sink],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT_ROOT,
    )
    structures, megabytes = done.stdout.split()
    return int(structures), int(megabytes)


def test_a_parse_holds_one_files_records_at_a_time(tmp_path: Path) -> None:
    size_mb = write_project(tmp_path) >> 20
    assert size_mb >= 25
    structures, grown = growth_mb(tmp_path, "pass on")
    assert structures == FILES
    assert grown < size_mb / 2
    # The measure shows what it should: a sink that keeps all records exceeds the limit.
    assert growth_mb(tmp_path, "keep")[1] > size_mb * 3 / 4
