"""Compares the graph with rust-analyzer as a language server, which finds references by other code.

    python benchmarks/graph_truth.py ROOT [--dump FILE] [--number 200] [--seed 0] [--record FILE]
                                          [--answers FILE]

For structures drawn from all kinds, it asks the server for references, calls and implementations,
and says what became of each: kept, or missing for a reason that the dump or the source shows.
`lost` is what the dump has and the records have not, `invented` the contrary; both are defects, and
the exit code is 1 if there is one. Places of all structures are also held against the dump, which a
second reader reads. `--record` keeps what the server said, `--answers` compares with
that later. rust-analyzer is taken from RUST_ANALYZER or PATH.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph_answers import RELATIONS, Answer, ask, draw, read_answers, write_answers
from graph_comparison import Comparer, Comparison
from graph_dump import DumpedReferences
from graph_records import Records
from language_server import LanguageServer, ServerEnded

from lsif.extract import parse_dump

if TYPE_CHECKING:
    from collections.abc import Iterator


def report(result: Comparison) -> Iterator[str]:
    """Yield the lines of the comparison."""
    for relation in RELATIONS:
        kept, missing, more = result.kept[relation], result.missing[relation], result.more[relation]
        held = kept + missing["lost"]
        share = kept / held if held else 1.0
        yield (
            f"{relation}: {kept + missing.total():,} said, {kept:,} kept, {share:.2%} of what the "
            f"dump holds; {missing.total():,} missing, {more.total():,} more"
        )
        for sign, counts in (("-", missing), ("+", more)):
            for reason, count in counts.most_common():
                yield f"  {sign} {count:>6,} {reason}"


def environment_with(target: Path) -> dict[str, str]:
    """Return the environment of rust-analyzer; Cargo builds in the folder `target`."""
    return {
        "CARGO_TARGET_DIR": str(target),
        **os.environ,
        "CARGO_NET_OFFLINE": "true",
        "RUST_BACKTRACE": "0",
    }


def parse(dump: Path, root: Path, folder: Path) -> Records:
    """Return the records of a dump."""
    structures, places = folder / "structures.jsonl", folder / "places.parquet"
    parse_dump(
        dump, root, structures, project="truth", max_bad_lines=0, max_stale_share=0,
        source_items=True, places=lambda _digest: places,
    )  # fmt: skip
    with structures.open("rb") as lines:
        return Records([json.loads(line) for line in lines], places, root)


def _asked(server: LanguageServer, records: list[dict[str, Any]]) -> Iterator[Answer]:
    """Yield what the server says, as far as it gets in its time."""
    for number, record in enumerate(records, start=1):
        began = time.perf_counter()
        try:
            yield ask(server, record)
        except ServerEnded as exc:
            print(f"after {number - 1} answers: {exc}", file=sys.stderr)
            return
        seconds = time.perf_counter() - began
        print(f"{number}/{len(records)} {record['symbol']}: {seconds:.1f} s", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--dump", type=Path)
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--answers", type=Path)
    return parser.parse_args()


def main() -> int:
    """Ask, compare and print."""
    given, command = _arguments(), os.environ.get("RUST_ANALYZER", "rust-analyzer")
    root = given.root.resolve()
    with tempfile.TemporaryDirectory() as name:
        dump, environment = given.dump, environment_with(Path(name) / "target")
        if dump is None:
            dump = Path(name) / "dump.lsif"
            with dump.open("wb") as output:
                arguments = [command, "lsif", str(root)]
                subprocess.run(arguments, check=True, env=environment, stdout=output)
        records = parse(dump, root, Path(name))
        if given.answers is not None:
            answers = read_answers(given.answers)
        else:
            drawn = draw([*records.by_spot.values()], given.number, given.seed)
            with LanguageServer(command, root, environment) as server:
                answers = [*_asked(server, drawn)]
            if given.record is not None:
                write_answers(given.record, server.name, answers)
        comparer = Comparer(records, DumpedReferences(dump))
        whole, result = comparer.whole(), comparer.compare(answers)
    kinds = Counter(answer.code_type for answer in answers)
    print(f"{root.name}: the records of the whole dump against the dump: {dict(whole)}")
    print(f"{len(answers)} structures against the server: {dict(kinds)}")
    print("\n".join([*report(result), *result.listed]))
    return 1 if result.faults or whole["lost"] or whole["invented"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
