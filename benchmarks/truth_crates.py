"""Dumps, parses and checks real crates: every definition of their sources is found with its lines, or missing for a reason.

    python benchmarks/truth_crates.py [DIR ...]

Without folders two crates are fetched from Debian's packages (needs apt-get). rust-analyzer is taken from RUST_ANALYZER or PATH.
Exits with 1 where a definition has wrong lines, or more than 0.5% of them are missing without a reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from truth import compare

PACKAGES = ("librust-regex-dev", "librust-rayon-dev")
SHARE_MISSING = 0.005


def fetch(folder: Path) -> list[Path]:
    """Return the folders of the crates in the packages, unpacked under `folder`."""
    subprocess.run(["apt-get", "-oAPT::Sandbox::User=root", "download", "-qq", *PACKAGES], cwd=folder, check=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "unpacked"], check=True)
    return sorted((folder / "unpacked/usr/share/cargo/registry").iterdir())


def check(root: Path, folder: Path) -> bool:
    """Return whether all is well with one crate; print what was found."""
    dump, records, report = folder / "index.lsif", folder / "structures.jsonl", folder / "report.json"
    program = [sys.executable, "-m", "flows"]
    command = ["--set", f"rust_analyzer.command={os.environ.get('RUST_ANALYZER', 'rust-analyzer')}"]
    subprocess.run([*program, "dump", *command, "--repo", root, "-o", dump], check=True)
    subprocess.run([*program, "parse", dump, "--root", root, "-o", records, "--report", report], check=True)
    structures = [json.loads(line) for line in records.read_text(encoding="utf-8").split("\n") if line]
    result = compare(structures, root)
    ledger = json.loads(report.read_text())
    found, unexplained = result.found.total(), len(result.unexplained)
    reasons = {reason: kinds.total() for reason, kinds in result.missing.items()}
    unique = len({one["id"] for one in structures}) == len(structures)
    print(f"{root.name}: {ledger['definitions']} definitions in the dump, {ledger['structures']} structures")
    print(f"  skipped {ledger['skipped']}")
    print(f"  in the sources: {found} found, wrong lines {len(result.wrong)}, missing {reasons}, ids unique: {unique}")
    for definition, lines in result.wrong:
        print(f"  wrong: {definition}, the record has {lines}")
    for definition in result.unexplained:
        print(f"  missing: {definition}")
    return unique and not result.wrong and unexplained <= SHARE_MISSING * (found + unexplained)


def main() -> int:
    """Check each crate."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        roots = [Path(one) for one in sys.argv[1:]] or fetch(folder)
        good = [check(root.resolve(), folder) for root in roots]
        return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
