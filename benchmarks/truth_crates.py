"""Dumps, parses and checks real crates: each definition has its lines, or a reason to be missing.

    python benchmarks/truth_crates.py [DIR ...]

Without folders, two crates are fetched from Debian's packages (requires apt-get). rust-analyzer
is taken from RUST_ANALYZER or PATH. The exit code is 1 if a definition has wrong lines, if more
than 0.5% are missing without a reason, or if `rust-analyzer symbols` says otherwise without one.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from crates import fetch, make_records
from symbols import compare as compare_symbols
from symbols import find_analyzer
from symbols import report as report_symbols
from truth import compare

SHARE_MISSING = 0.005


def check(root: Path, folder: Path) -> bool:
    """Return whether all is well with one crate; print what was found."""
    records, report = folder / "structures.jsonl", folder / "report.json"
    make_records(root, records, "--report", report)
    structures = [
        json.loads(line) for line in records.read_text(encoding="utf-8").split("\n") if line
    ]
    result = compare(structures, root)
    ledger = json.loads(report.read_text())
    found, unexplained = result.found.total(), len(result.unexplained)
    reasons = {reason: kinds.total() for reason, kinds in result.missing.items()}
    unique = len({one["id"] for one in structures}) == len(structures)
    definitions, count = ledger["definitions"], ledger["structures"]
    print(f"{root.name}: {definitions} definitions in the dump, {count} structures")
    print(f"  skipped {ledger['skipped']}")
    print(
        f"  in the sources: {found} found, wrong lines {len(result.wrong)}, missing {reasons}, "
        f"ids unique: {unique}"
    )
    for definition, lines in result.wrong:
        print(f"  wrong: {definition}, the record has {lines}")
    for definition in result.unexplained:
        print(f"  missing: {definition}")
    analyzer = find_analyzer()
    agreement = compare_symbols(structures, root, analyzer) if analyzer is not None else None
    if agreement is not None:
        report_symbols(agreement)
    few_missing = unexplained <= SHARE_MISSING * (found + unexplained)
    agrees = agreement is None or not agreement.unexplained
    return unique and not result.wrong and few_missing and agrees


def main() -> int:
    """Check each crate."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        roots = [Path(one) for one in sys.argv[1:]] or fetch(folder)
        good = [check(root.resolve(), folder) for root in roots]
        return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
