"""Makes what the shipped encoder is trained on: records of crates, and of what must not be learned.

    python benchmarks/encoder.py FOLDER [--repo NAME=DIR ...]

Fetches the crates of encoder/crates.json as Debian packages and the judged repositories of
quality/repositories.toml, unless --repo gives a local copy. Their records are made from the sources
alone, so no rust-analyzer is needed. What FOLDER holds then:

    records/CRATE-VERSION.jsonl     to learn from
    excluded/NAME.jsonl             judged repositories: copies of their code are not learned
    queries.jsonl                   queries that were written for items of the crates
    about.json                      version, licence and repository of each crate

The last lines that it prints are the commands that train.
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
import sys
import tempfile
from pathlib import Path

from crates import fetch
from quality_repositories import read_repositories
from quality_sources import local_copy, sources_of, write_bare_dump

from lsif.extract import parse_dump

HERE = Path(__file__).parent / "encoder"
PERMISSIVE = re.compile(r"MIT|Apache-2\.0|BSD|ISC|Zlib|Unlicense|CC0|BSL")
JUDGED = re.compile(
    r"(?:serde|axum|tokio|clap|tracing|ripgrep|grep|ignore|globset|octocode|qdrant|regex|rayon)"
    r"(?:[-_].*)?"
)
"""Crates of judged repositories, our own and others': the model never learns them."""


def wanted_crates() -> list[dict[str, str]]:
    """Return name, version, licence and repository of the crates to learn from."""
    crates: list[dict[str, str]] = json.loads((HERE / "crates.json").read_bytes())
    return [
        crate
        for crate in crates
        if PERMISSIVE.search(crate["licence"]) and not JUDGED.fullmatch(crate["name"])
    ]


def package_of(crate: str) -> str:
    """Return the Debian package of a crate's sources."""
    return f"librust-{crate.lower().replace('_', '-')}-dev"


def make_records(root: Path, name: str, target: Path) -> None:
    """Write the records of the sources under the root, unless they were written before."""
    if target.is_file():
        return
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "bare.lsif"
        write_bare_dump(root, dump)
        parse_dump(
            dump,
            root,
            target,
            project=name,
            max_bad_lines=0,
            max_stale_share=1,
            source_items=True,
            processes=1,
        )


def main() -> None:
    """Make the folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repo", action="append", default=[], metavar="NAME=DIR")
    options = parser.parse_args()
    folder = options.folder.resolve()
    records, excluded, sources = (folder / name for name in ("records", "excluded", "sources"))
    for made in (records, excluded, sources):
        made.mkdir(parents=True, exist_ok=True)
    local = dict(local_copy(given, read_repositories()) for given in options.repo)
    for repository in read_repositories():
        root = sources_of(repository, local, folder)
        make_records(root, repository.name, excluded / f"{repository.name}.jsonl")
    crates = {f"{crate['name']}-{crate['version']}": crate for crate in wanted_crates()}
    packages = tuple(package_of(crate["name"]) for crate in crates.values())
    found = {root.name: root for root in fetch(sources, packages) if root.name in crates}
    for name, root in found.items():
        make_records(root, crates[name]["name"], records / f"{name}.jsonl")
    if absent := sorted(crates.keys() - found.keys()):
        print(f"not in these packages any more: {', '.join(absent)}", file=sys.stderr)
    (folder / "about.json").write_text(json.dumps([crates[name] for name in found]))
    queries = lzma.decompress((HERE / "queries.jsonl.xz").read_bytes()).decode()
    asked = (line for line in queries.splitlines() if json.loads(line)["project"] in found)
    (folder / "queries.jsonl").write_text("".join(f"{line}\n" for line in asked))
    given = f"{records}/*.jsonl --about {folder}/about.json"
    given += "".join(f" --exclude {path}" for path in sorted(excluded.iterdir()))
    base = "packaged:all-MiniLM-L6-v2"
    print(f"lsif-ingest tune {given} -o {folder}/first --base {base} --steps 238")
    given += f" --queries {folder}/queries.jsonl --kind query --kind docs"
    more = f"--base {folder}/first --rate 4e-5 --steps 260"
    print(f"lsif-ingest tune {given} -o {folder}/deep {more}")
    fewer = f"--base {folder}/deep --teacher {folder}/deep --layers 3 --kind code --rate 2e-4"
    print(f"lsif-ingest tune {given} -o {folder}/rust-code {fewer} --steps 620 --float16")
    order = f"--reranker --base {folder}/deep --layers 3 --rate 2e-4"
    print(f"lsif-ingest tune {given} -o {folder}/rust-order {order} --minutes 120 --float16")


if __name__ == "__main__":
    main()
