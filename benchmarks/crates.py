"""Real crates to measure on: fetched from Debian's packages, dumped and parsed here."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("librust-regex-dev", "librust-rayon-dev")
PROGRAM = (sys.executable, "-m", "flows")


def fetch(folder: Path, packages: tuple[str, ...] = PACKAGES) -> list[Path]:
    """Return the folders of the crates in the packages, unpacked under `folder`. Needs apt-get."""
    subprocess.run(
        ["apt-get", "-oAPT::Sandbox::User=root", "download", "-qq", *packages],
        cwd=folder,
        check=True,
    )
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "unpacked"], check=True)
    return sorted((folder / "unpacked/usr/share/cargo/registry").iterdir())


def make_records(root: Path, records: Path, *arguments: str | Path) -> None:
    """Write the structures.jsonl of a crate; rust-analyzer is taken from RUST_ANALYZER or PATH."""
    dump = records.with_suffix(".lsif")
    command = ["--set", f"rust_analyzer.command={os.environ.get('RUST_ANALYZER', 'rust-analyzer')}"]
    subprocess.run([*PROGRAM, "dump", *command, "--repo", root, "-o", dump], check=True)
    subprocess.run([*PROGRAM, "parse", dump, "--root", root, "-o", records, *arguments], check=True)
