"""Small repositories that were parsed wrongly once, each with the records that are right.

tests/data/cases/NAME holds the sources, the dump and expected.tsv: file, symbol, kind, first and
last line, owner, visibility, is_test, signature, first line of the documentation; `~` is not
compared. Impl blocks, which no dump has, are in none.
"""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import pytest

from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.ledger import ParseLedger
from lsif.structure import Structure

CASES = Path(__file__).parent / "data" / "cases"
NAMES = sorted(path.parent.name for path in CASES.glob("*/expected.tsv"))


NEWER = "dump-1.97.lsif.zst"
"""A dump of the same sources by a newer rust-analyzer, which some cases have."""


def parse(
    root: Path, output: Path, dump: str = "dump.lsif", **settings: object
) -> tuple[ParseLedger, list[Structure]]:
    """Parse the case as `lsif-ingest parse` does; return the ledger and the structures."""
    arguments = {
        "project": "p",
        "max_bad_lines": 0,
        "max_stale_share": 0.0,
        "source_items": True,
        **settings,
    }
    ledger = parse_dump(root / dump, root, output / "s.jsonl", **arguments)  # type: ignore[arg-type]
    assert ledger.balanced
    return ledger, list(read_structures(output / "s.jsonl"))


def row_of(structure: Structure) -> list[str]:
    """Return the structure as a row of expected.tsv."""
    context = structure.context
    return [
        context.file_path,
        structure.symbol,
        structure.code_type,
        str(structure.line_from),
        str(structure.line_to),
        context.struct_name or "-",
        structure.visibility,
        str(structure.is_test),
        structure.signature,
        (structure.docstring or "-").split("\n")[0],
    ]


def expected_rows(case: Path) -> list[list[str]]:
    lines = (case / "expected.tsv").read_text(encoding="utf-8").splitlines()
    return sorted(line.split("\t") for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("name", NAMES)
def test_the_case_comes_out_right(name: str, tmp_path: Path) -> None:
    assert_as_expected(name, parse(CASES / name, tmp_path)[1])


@pytest.mark.parametrize("name", [name for name in NAMES if (CASES / name / NEWER).is_file()])
def test_the_case_comes_out_right_of_a_newer_dump(name: str, tmp_path: Path) -> None:
    assert_as_expected(name, parse(CASES / name, tmp_path, NEWER)[1])


def assert_as_expected(name: str, structures: list[Structure]) -> None:
    wanted = expected_rows(CASES / name)
    found = sorted(row_of(structure) for structure in structures if structure.code_type != "Impl")
    for row, got in zip(wanted, found, strict=False):
        hidden = [value if value != "~" else there for value, there in zip(row, got, strict=True)]
        assert hidden == got
    assert len(found) == len(wanted)


@pytest.mark.parametrize("name", ["proc-macros", "proc-macro-kinds"])
def test_procedural_macros_are_in_the_dump_with_their_references(name: str, tmp_path: Path) -> None:
    ledger, structures = parse(CASES / name, tmp_path, source_items=False)
    functions = {structure.name for structure in structures if structure.code_type == "Function"}
    wanted = {row[1].rpartition("::")[2] for row in expected_rows(CASES / name)}
    assert functions == wanted - {"make"}
    assert {structure.origin for structure in structures} == {"index"}
    assert "field_or_variant" not in ledger.skipped


def test_a_derive_macro_of_another_name_is_stale(tmp_path: Path) -> None:
    root = copied("proc-macros", tmp_path)
    file = root / "src" / "lib.rs"
    file.write_text(file.read_text().replace("derive(Label", "derive(Tally"))
    ledger, _ = parse(root, tmp_path, max_stale_share=1.0)
    assert ledger.skipped["source_changed"] == 1
    assert ledger.first_stale == ["src/lib.rs:6: expected `Label`, found `derive_label`"]


def test_names_that_differ_in_a_mark_are_stale(tmp_path: Path) -> None:
    root = copied("combining-marks", tmp_path)
    file = root / "src" / "lib.rs"
    file.write_text(file.read_text().replace("नमस्ते", "नमस्ता"))
    ledger, _ = parse(root, tmp_path, max_stale_share=1.0)
    assert ledger.skipped["source_changed"] == 1


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_dump_and_its_source_may_be_normalised_differently(form: str, tmp_path: Path) -> None:
    root = copied("combining-marks", tmp_path)
    dump = root / "dump.lsif"
    dump.write_text(unicodedata.normalize(form, dump.read_text()))
    _, structures = parse(root, tmp_path)
    # Columns are those of the source, and so is what the records spell.
    assert sorted(map(row_of, structures)) == sorted(
        map(row_of, parse(CASES / "combining-marks", tmp_path)[1])
    )


def copied(name: str, folder: Path) -> Path:
    """Return a copy of a case, to change its sources."""
    return Path(shutil.copytree(CASES / name, folder / name))
