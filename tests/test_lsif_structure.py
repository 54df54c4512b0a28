from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from lsif.errors import StructuresError
from lsif.imports import ImportLedger, import_structures
from lsif.jsonl import read_structures, write_records
from lsif.structure import Structure, make_id

from conftest import DATA, moved

TUTORIAL = DATA / "tutorial.jsonl"

Write = Callable[..., Path]


@pytest.fixture
def record() -> dict[str, Any]:
    """The example of Qdrant's tutorial."""
    example: dict[str, Any] = orjson.loads(TUTORIAL.read_bytes())
    return example


def imported(path: Path) -> tuple[list[Structure], ImportLedger]:
    ledger = ImportLedger()
    return list(import_structures(path, "qdrant", ledger)), ledger


def test_a_record_of_the_tutorial_is_read_and_completed() -> None:
    (structure,), ledger = imported(TUTORIAL)
    assert structure.name == "await_ready_for_timeout"
    assert structure.context.struct_name == "IsReady"
    assert structure.symbol == "common::IsReady::await_ready_for_timeout"
    assert uuid.UUID(structure.id).version == 5
    assert (ledger.lines, ledger.structures, ledger.skipped) == (1, 1, 0)


def test_our_own_records_pass_through_unchanged(
    sample_structures: Path, structures: list[Structure]
) -> None:
    again, ledger = imported(sample_structures)
    assert again == structures
    assert ledger.skipped == 0


def test_twins_of_the_tutorials_format_get_different_ids(
    write_lines: Write, record: dict[str, Any]
) -> None:
    (first, second), _ = imported(write_lines(record, {**record, "line": 99}))
    assert first.id != second.id


def test_malformed_records_are_skipped_and_counted(
    write_lines: Write, record: dict[str, Any], structures: list[Structure]
) -> None:
    own = orjson.loads(structures[0].to_json())
    without_name = {key: value for key, value in record.items() if key != "name"}
    wrong = [
        {**record, "line_from": 9, "line_to": 1},
        {**record, "line_from": 0},
        {**record, "is_test": "false"},
    ]
    path = write_lines(
        *wrong,
        record,
        without_name,
        {**record, "line": "44"},
        b"{broken\n",
        b"[]\n",
        {**record, "context": None},
        own,
        own,
        {**own, "id": "x"},
    )
    found, ledger = imported(path)
    assert [one.name for one in found] == ["await_ready_for_timeout", structures[0].name]
    assert (ledger.lines, ledger.structures, ledger.skipped) == (12, 2, 10)
    assert (
        ledger.first_skipped[0]
        == "line 1: expected lines with 1 <= line_from <= line_to, found 9 and 1"
    )
    assert ledger.first_skipped[2] == "line 3: key is_test: expected bool, found 'false'"


def test_a_file_without_any_record_is_refused(write_lines: Write) -> None:
    with pytest.raises(
        StructuresError, match=r"holds no structure \(line 1: key 'context' is missing\)"
    ):
        imported(write_lines({"hello": 1}))
    with pytest.raises(StructuresError, match="holds no structure; expected"):
        imported(write_lines())
    with pytest.raises(StructuresError, match="can't read"):
        imported(Path("/absent/structures.jsonl"))


def test_written_records_are_read_back_equal(structures: list[Structure], tmp_path: Path) -> None:
    write_records(tmp_path / "out.jsonl", structures)
    assert list(read_structures(tmp_path / "out.jsonl")) == structures


def test_a_place_that_cant_be_written_is_named(structures: list[Structure], tmp_path: Path) -> None:
    with pytest.raises(StructuresError, match="can't write"):
        write_records(tmp_path, structures)


def test_a_damaged_file_of_ours_is_named_with_its_line(
    tmp_path: Path, structures: list[Structure]
) -> None:
    (tmp_path / "bad.jsonl").write_bytes(structures[0].to_json() + b'{"name": 1}\n')
    with pytest.raises(StructuresError, match=r"bad\.jsonl, line 2"):
        list(read_structures(tmp_path / "bad.jsonl"))


def test_the_id_depends_on_what_a_definition_is_called_and_nothing_else(
    structures: list[Structure],
) -> None:
    one = structures[0]
    assert one.id == make_id("sample", one.crate, one.symbol, one.context.file_path, 0)
    assert (
        len({make_id(p, "c", s, f, n) for p in "ab" for s in "ab" for f in "ab" for n in (0, 1)})
        == 16
    )


def test_the_digest_ignores_lines(
    structures: list[Structure], sample_structures: Path, write_lines: Write
) -> None:
    shifted = orjson.loads(moved(structures[0], 5).to_json())
    (again,), _ = imported(write_lines(shifted))
    assert again.digest == structures[0].digest
    (changed,), _ = imported(write_lines({**shifted, "docstring": "other"}))
    assert changed.digest != structures[0].digest
