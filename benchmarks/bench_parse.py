"""Times the parser against the plain loop `for line in file: orjson.loads(line)`.

    python benchmarks/bench_parse.py                  the sample, repeated to 62 ... 500 MB
    python benchmarks/bench_parse.py DUMP ROOT ...    real dumps, each with its sources

Writes benchmarks/results/parse.md and parse.svg, or parse-real.md. Each measurement is its own
process, the candidates take turns, and ratios are medians of the rounds' ratios: other work on the
machine affects all alike. Memory is the highest resident size of the process; for `extract` in
several processes, of the first.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from repeat_sample import repeat_sample

ROUNDS = 5
SIZES = (62, 125, 250, 500)
EXTRACT = (
    "from pathlib import Path\nfrom lsif.extract import parse_dump\n"
    "parse_dump(Path(DUMP), Path(ROOT), Path(OUTPUT), project='bench',"
    " max_bad_lines=0, max_stale_share=0, processes={})"
)
WAYS = {
    "loop": "import orjson\nfor line in open(DUMP, 'rb'):\n    orjson.loads(line)",
    "read": (
        "from pathlib import Path\n"
        "from lsif.reader.read import ReadLedger, read_tables\n"
        "from lsif.reader.graph import Graph\n"
        "tables = read_tables(Path(DUMP), ReadLedger(), max_bad_lines=0)\n"
        "for _ in Graph(tables).definitions(lambda uri: '/library/' not in uri):\n    pass"
    ),
    "extract": EXTRACT.format(1),
    "extract, all cores": EXTRACT.format(0),
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
RESULTS = Path(__file__).parent / "results"


class Row(NamedTuple):
    """What was measured of one dump."""

    name: str
    megabytes: float
    seconds: dict[str, float]
    ratios: dict[str, float]
    """To `loop`."""
    memory: dict[str, float]


def measure(way: str, dump: Path, root: Path, output: Path) -> tuple[float, float]:
    """Return seconds (imports excluded) and megabytes of one run."""
    arguments = [sys.executable, "-c", MEASURE, str(dump), str(root), str(output)]
    done = subprocess.run(arguments, input=WAYS[way], capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def measure_all(name: str, dump: Path, root: Path) -> Row:
    """Return the measurements of all ways on one dump."""
    runs: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for way, results in runs.items():
                results.append(measure(way, dump, root, Path(folder) / "out.jsonl"))
    return Row(
        name,
        dump.stat().st_size / 1e6,
        {way: median(one for one, _ in results) for way, results in runs.items()},
        {
            way: median(
                one / loop for (one, _), (loop, _) in zip(results, runs["loop"], strict=True)
            )
            for way, results in runs.items()
        },
        {way: max(one for _, one in results) for way, results in runs.items()},
    )


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    ways = [way for way in WAYS if way != "loop"]
    head = ["dump", "MB", "loop s"] + [
        f"{way} {what}" for way in ways for what in ("s", "/loop", "MB")
    ]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [row.name, f"{row.megabytes:.0f}", f"{row.seconds['loop']:.2f}"]
        for way in ways:
            cells += [f"{row.seconds[way]:.2f}", f"{row.ratios[way]:.2f}", f"{row.memory[way]:.0f}"]
        lines.append(cells)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def plot(rows: list[Row], path: Path) -> None:
    """Draw time and memory over the dump's size."""
    import matplotlib as mpl  # noqa: PLC0415 - for this one drawing

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "parse"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (time, memory) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    sizes = [row.megabytes for row in rows]
    for way in WAYS:
        time.plot(sizes, [row.seconds[way] for row in rows], marker="o", label=way)
    for way in ("read", "extract"):
        memory.plot(sizes, [row.memory[way] for row in rows], marker="o", label=way)
    memory.plot(
        sizes,
        [0.6 * size + 200 for size in sizes],
        linestyle="--",
        color="grey",
        label="0.6 x dump + 200 MB",
    )
    time.set(xlabel="dump, MB", ylabel="seconds", xlim=0, ylim=0)
    memory.set(xlabel="dump, MB", ylabel="resident memory, MB", xlim=0, ylim=0)
    for axes in (time, memory):
        axes.legend()
        axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure, print and keep the results."""
    arguments = [Path(one) for one in sys.argv[1:]]
    rows = []
    if arguments:
        for dump, root in zip(arguments[::2], arguments[1::2], strict=True):
            rows.append(measure_all(dump.stem, dump, root))
            print(table(rows[-1:]), flush=True)
    else:
        for size in SIZES:
            with tempfile.TemporaryDirectory() as name:
                copies = repeat_sample(Path(name), size)
                rows.append(
                    measure_all(f"sample x {copies}", Path(name) / "dump.lsif", Path(name) / "root")
                )
            print(table(rows[-1:]), flush=True)
    cores = len(os.sched_getaffinity(0))
    machine = f"{platform.machine()}, {cores} cores, Python {platform.python_version()}"
    text = [
        f"# Parsing, {datetime.now(UTC):%Y-%m-%d}, {machine}",
        "",
        f"Medians of {ROUNDS} interleaved rounds; ratios are medians of the rounds' ratios.",
        "`loop` decodes each line with orjson; `read` finds all definitions, in one process;",
        "`extract` also parses the sources and writes structures.jsonl, in one process and in one",
        "for each core. MB are resident memory.",
        "",
        table(rows),
    ]
    RESULTS.mkdir(exist_ok=True)
    if arguments:
        (RESULTS / "parse-real.md").write_text("\n".join(text))
    else:
        plot(rows, RESULTS / "parse.svg")
        (RESULTS / "parse.md").write_text(
            "\n".join([*text, "![time and memory over the dump's size](parse.svg)", ""])
        )


if __name__ == "__main__":
    main()
