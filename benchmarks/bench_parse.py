"""Times the parser against the plain loop `for line in file: orjson.loads(line)` on dumps of several sizes.

    python benchmarks/bench_parse.py [MEGABYTES ...]      default 62 125 250 500; writes benchmarks/results/parse.md

Each measurement is a process of its own, the ways take turns, and medians of three rounds are compared: other work on the machine
hits all ways alike. Memory is the highest resident size of the process.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from repeat_sample import repeat_sample

ROUNDS = 3
WAYS = {
    "loop": "import orjson\nfor line in open(DUMP, 'rb'):\n    orjson.loads(line)",
    "read": (
        "from pathlib import Path\nfrom lsif.reader import ReadLedger, read_tables\nfrom lsif.graph import Graph\n"
        "tables = read_tables(Path(DUMP), ReadLedger(), max_bad_lines=0)\n"
        "for _ in Graph(tables).definitions(lambda uri: '/opt/' not in uri):\n    pass"
    ),
    "extract": (
        "from pathlib import Path\nfrom lsif.extract import parse_dump\n"
        "parse_dump(Path(DUMP), Path(ROOT), Path(OUTPUT), project='bench', max_bad_lines=0, max_stale_share=0)"
    ),
}
MEASURE = """
import resource, sys, time
DUMP, ROOT, OUTPUT = sys.argv[1:]
source = sys.stdin.read()
imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
exec("\\n".join(imports))
began = time.perf_counter()
exec(source)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def measure(way: str, folder: Path) -> tuple[float, float]:
    """Return seconds (imports excluded) and megabytes of one run."""
    arguments = [sys.executable, "-c", MEASURE, str(folder / "dump.lsif"), str(folder / "root"), str(folder / "out.jsonl")]
    done = subprocess.run(arguments, input=WAYS[way], capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def row(megabytes: float) -> str:
    """Return the table's row for a dump of about so many megabytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repeat_sample(folder, megabytes)
        size = (folder / "dump.lsif").stat().st_size / 1e6
        runs: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way, results in runs.items():
                results.append(measure(way, folder))
    seconds = {way: median(one for one, _ in results) for way, results in runs.items()}
    memory = {way: max(one for _, one in results) for way, results in runs.items()}
    cells = [f"{size:.0f}", f"{seconds['loop']:.2f}"]
    for way in ("read", "extract"):
        cells += [f"{seconds[way]:.2f}", f"{seconds[way] / seconds['loop']:.2f}", f"{memory[way]:.0f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, print and keep the table."""
    sizes = [float(one) for one in sys.argv[1:]] or [62, 125, 250, 500]
    lines = [
        f"# Parsing, {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}",
        "",
        f"The sample's dump repeated; medians of {ROUNDS} interleaved rounds. `loop` decodes each line by orjson; `read` gives all",
        "definitions of the dump; `extract` writes structures.jsonl, sources parsed. Seconds and MB of resident memory.",
        "",
        "| dump MB | loop | read | read/loop | read MB | extract | extract/loop | extract MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for size in sizes:
        lines.append(row(size))
        print(lines[-1], flush=True)
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "parse.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
