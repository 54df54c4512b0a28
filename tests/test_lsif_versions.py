"""Dumps of rust-analyzer 1.85 and of 0.0.340, which is a year newer, say the same."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.ledger import ParseLedger

from conftest import DATA, SAMPLE, SAMPLE_DUMP
from made_dump import Dump

NEWER_DUMP = DATA / "sample-0.0.340.lsif.zst"


def parse(dump: Path, output: Path) -> tuple[ParseLedger, dict[str, dict[str, Any]]]:
    """Return the ledger, and the records of the sample by id."""
    limits: Any = {"max_bad_lines": 0, "max_stale_share": 0.0}
    ledger = parse_dump(dump, SAMPLE, output, project="sample", source_items=True, **limits)
    return ledger, {record.id: asdict(record) for record in read_structures(output)}


def test_the_sample_has_the_same_records_in_dumps_of_both_versions(tmp_path: Path) -> None:
    _, older = parse(SAMPLE_DUMP, tmp_path / "older.jsonl")
    ledger, newer = parse(NEWER_DUMP, tmp_path / "newer.jsonl")
    # The newer version counts `a + b` as references of `add`.
    (add,) = (record for record in newer.values() if record["symbol"].endswith("as Add>::add"))
    assert (add["references"], add["referencing_files"]) == (3, 1)
    add |= {"references": 0, "referencing_files": 0}
    assert newer == older
    assert ledger.skipped["macro_made"] == 2
    assert "source_changed" not in ledger.skipped


def test_a_constant_generic_is_no_item_though_the_newer_version_gives_it_a_path(
    tmp_path: Path,
) -> None:
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", "fn f<const N: usize>() {}\nimpl<const M: u8> A<M> {}\n")
    dump.define("src/lib.rs", 0, 3, 1, "r", "fn f<const N: usize>()")
    dump.define("src/lib.rs", 0, 11, 1, "r::f", "const N: usize")
    dump.define("src/lib.rs", 1, 11, 1, "r", "const M: u8")
    ledger, structures = dump.parse()
    assert [structure.name for structure in structures] == ["f"]
    assert ledger.skipped == {"local": 2}


def test_what_a_macro_makes_without_its_name_is_at_the_macros_name(tmp_path: Path) -> None:
    calls = "measure! { Metres }\nouter! { inner! { a } }\nsame! {}\n\npath::made! {}\n"
    text = f"{calls}fn last() {{}}\n"
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", text)
    # Names that are as long as the macro's with its exclamation mark, or are the macro's.
    dump.define("src/lib.rs", 0, 0, 8, "r", "pub fn measured()")
    dump.define("src/lib.rs", 1, 9, 6, "r", "pub fn within()")
    dump.define("src/lib.rs", 2, 0, 5, "r", "pub fn same()")
    dump.define("src/lib.rs", 4, 0, 11, "r", "pub fn path()")
    dump.define("src/lib.rs", 5, 3, 4, "r", "fn last()")
    ledger, structures = dump.parse()
    assert [structure.name for structure in structures] == ["last"]
    assert ledger.skipped == {"macro_made": 4}
