"""What an index covers: counted from the ledger, kept in the index's metadata."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import orjson
import pytest

from lsif.coverage import REST, Analysis, Coverage, coverage_of, read_coverage
from lsif.ledger import FolderLedger, ParseLedger
from storage.metadata import Metadata, read_metadata

from made_dump import Dump

ANALYSIS = Analysis(project="cargo", dependencies="resolved", features="all", cfgs=["loom"])


@pytest.fixture
def dump(tmp_path: Path) -> Dump:
    """A crate of which the dump holds one file of four; one more is excluded."""
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", "mod net;\npub fn here() {}\nimpl Here for u8 {}\n")
    dump.define("src/lib.rs", 1, 7, 4, "r", "pub fn here()")
    for path, text in {
        "Cargo.toml": '[package]\nname = "r"\n',
        "src/net.rs": "pub fn connect() {}\n",
        "loose/alone.rs": "pub fn alone() {}\n",
        "loose/broken.rs": "\xff",
        "vendor/much.rs": "pub fn vendored() {}\n",
    }.items():
        file = dump.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode("latin-1"))
    return dump


def test_files_and_definitions_are_counted_by_where_they_come_from(dump: Dump) -> None:
    ledger, _ = dump.parse(source_items=True, exclude=["/vendor/"])
    assert coverage_of(ledger, ANALYSIS) == Coverage(
        files=5,
        files_from_index=1,
        files_from_source=2,
        files_excluded=1,
        files_unread={"not_utf8": 1},
        files_undeclared=2,
        files_index_share=0.25,
        definitions_from_index=1,
        definitions_from_source=2,
        definitions_index_share=0.3333,
        impls=1,
        folders={
            "loose": FolderLedger(files=2, files_from_source=1, files_unread=1, from_source=1),
            "src": FolderLedger(
                files=2, files_from_index=1, files_from_source=1, from_index=1, from_source=2
            ),
            "vendor": FolderLedger(files=1, files_excluded=1),
        },
        analysis=ANALYSIS,
    )


def test_files_that_nobody_looks_into_are_absent(dump: Dump) -> None:
    ledger, _ = dump.parse()
    coverage = coverage_of(ledger)
    assert coverage is not None
    assert (coverage.files, coverage.files_from_index, coverage.files_absent) == (5, 1, 4)
    assert (coverage.files_index_share, coverage.definitions_index_share) == (0.2, 1.0)


def test_a_share_that_can_not_be_known_is_none() -> None:
    assert coverage_of(ParseLedger(structures=3)) is None  # a dump of another language
    ledger = ParseLedger(
        source_files=1, files_excluded=1, folders={"a": FolderLedger(files=1, files_excluded=1)}
    )
    coverage = coverage_of(ledger)
    assert coverage is not None
    assert (coverage.files_index_share, coverage.definitions_index_share) == (None, None)


def test_of_many_folders_the_largest_are_named_and_the_others_summed_up() -> None:
    folders = {f"f{number:02}": FolderLedger(files=number) for number in range(1, 61)}
    coverage = coverage_of(ParseLedger(source_files=1830, folders=folders))
    assert coverage is not None
    assert list(coverage.folders)[:2] == ["f60", "f59"]
    assert len(coverage.folders) == 51
    assert coverage.folders[REST] == FolderLedger(files=55)
    assert sum(folder.files for folder in coverage.folders.values()) == coverage.files


def test_the_metadata_of_a_generation_keeps_it(dump: Dump, metadata: Metadata) -> None:
    ledger, _ = dump.parse(source_items=True)
    covered = replace(metadata, coverage=coverage_of(ledger, ANALYSIS))
    assert read_metadata(orjson.loads(orjson.dumps(covered.to_dict()))) == covered


def test_metadata_of_earlier_versions_have_none(metadata: Metadata) -> None:
    fields = asdict(metadata)
    del fields["coverage"]
    assert read_metadata(fields).coverage is None
    assert read_coverage(None) is None
