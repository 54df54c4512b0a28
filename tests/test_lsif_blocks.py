from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from lsif.blocks import SourceBlock
from lsif.errors import DumpError
from lsif.extract import parse_dump
from lsif.jsonl import read_blocks
from lsif.rust.syntax import SourceFile
from lsif.structure import Structure

from conftest import SAMPLE, SAMPLE_DUMP


def blocks(source: str) -> list[SourceBlock]:
    return sorted(
        SourceFile(textwrap.dedent(source).encode()).blocks(), key=lambda one: one.row_from
    )


def test_loops_matches_conditions_and_closures_are_blocks_and_other_braces_are_not() -> None:
    found = blocks("""\
        use std::{
            fs,
            io,
        };
        fn f(
            a: u8,
            b: u8,
        ) -> u8 {
            for x in 0..3 {
                g(x);
            }
            if a { 1 } else { 2 };
            let c = items.map(|x| {
                x + 1
            });
            match a {
                1 => while b {
                    h();
                },
                _ => call(
                    1,
                    2,
                ),
            }
        }
        """)
    assert found == [
        SourceBlock("for", 8, 10),
        SourceBlock("closure", 12, 14),
        SourceBlock("match", 15, 23),
        SourceBlock("while", 16, 18),
    ]


def test_a_chain_of_conditions_is_one_block() -> None:
    assert blocks(
        "fn f() {\n    if a {\n        1\n    } else if b {\n        2\n"
        "    } else {\n        3\n    }\n}\n"
    ) == [SourceBlock("if", 1, 7)]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    folder = tmp_path_factory.mktemp("blocks")
    ledger = parse_dump(
        SAMPLE_DUMP,
        SAMPLE,
        folder / "s.jsonl",
        project="sample",
        max_bad_lines=0,
        max_stale_share=0,
        blocks=folder / "b.jsonl",
    )
    found = [orjson.loads(line) for line in (folder / "b.jsonl").read_bytes().splitlines()]
    assert ledger.blocks == len(found)
    return found


def test_each_block_stands_in_its_structure_and_holds_its_lines(
    records: list[dict[str, object]], structures: list[Structure]
) -> None:
    by_id = {one.id: one for one in structures}
    assert len(records) == len({one["id"] for one in records}) == 20
    for one in records:
        owner = by_id[str(one["structure_id"])]
        line_from, line_to = int(str(one["line_from"])), int(str(one["line_to"]))
        assert owner.line_from <= line_from < line_to <= owner.line_to
        assert line_to - line_from + 1 >= 3
        lines = (SAMPLE / str(one["file_path"])).read_bytes().split(b"\n")[line_from - 1 : line_to]
        assert str(one["snippet"]).encode() == b"".join(line + b"\n" for line in lines)


def test_a_block_says_of_its_structure_what_a_search_filters_on(
    records: list[dict[str, object]], structures: list[Structure]
) -> None:
    by_id = {one.id: one for one in structures}
    for one in records:
        owner = by_id[str(one["structure_id"])]
        for field in ("code_type", "crate", "trait_name", "visibility", "is_test"):
            assert one[field] == getattr(owner, field), field
        for field in ("module", "struct_name", "file_path"):
            assert one[field] == getattr(owner.context, field), field
    for field in ("struct_name", "trait_name", "is_test", "module"):
        assert len({one[field] for one in records}) > 1, field  # else any value would do


def test_a_block_is_another_one_where_it_is_filtered_on_by_another_value(
    sample_structures: Path,
) -> None:
    one = next(iter(read_blocks(sample_structures.with_name("blocks.jsonl"))))
    moved = replace(one, line_from=one.line_from + 7, line_to=one.line_to + 7)
    assert moved.digest == one.digest
    others = [
        replace(one, visibility="other"),
        replace(one, is_test=not one.is_test),
        replace(one, trait_name="Other"),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == 4


def test_the_loop_of_the_cache_is_found(
    records: list[dict[str, object]], structures: list[Structure]
) -> None:
    (insert,) = (one for one in structures if one.name == "insert")
    loops = [one for one in records if one["structure_id"] == insert.id]
    assert [(one["kind"], one["line_from"], one["line_to"]) for one in loops] == [
        ("while", 62, 67),
        ("match", 63, 66),
    ]


def test_blocks_may_be_asked_of_long_structures_only(
    records: list[dict[str, object]], structures: list[Structure], tmp_path: Path
) -> None:
    lines = {one.id: one.line_to - one.line_from + 1 for one in structures}
    for least in (12, 20, 10_000):
        parse_dump(
            SAMPLE_DUMP,
            SAMPLE,
            tmp_path / "s",
            project="sample",
            max_bad_lines=0,
            max_stale_share=0,
            blocks=tmp_path / "b",
            blocks_longer_than=least,
        )
        found = [orjson.loads(line) for line in (tmp_path / "b").read_bytes().splitlines()]
        assert found == [one for one in records if lines[str(one["structure_id"])] > least]


def test_nothing_is_written_where_the_parse_fails(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(DumpError, match="is empty"):
        parse_dump(
            tmp_path / "empty",
            SAMPLE,
            tmp_path / "s",
            project="x",
            max_bad_lines=0,
            max_stale_share=0,
            blocks=tmp_path / "b",
        )
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
