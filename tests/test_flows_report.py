from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from configs.settings import load_settings
from configs.workspace import ProjectFolder, Workspace
from embedding.embed import EmbedReport
from flows.errors import LedgerError
from flows.report.model import IngestReport, ParseReport, StageTime, largest
from flows.report.text import report_text
from flows.stages.check import settings_without_effect
from flows.stages.records import import_records
from lsif.dump.cache import DumpReport
from lsif.structure import Structure
from storage.upload import UploadReport

from reports import made_report


def uploaded(points: int, blocks: int = 0) -> UploadReport:
    return UploadReport("data/qdrant", "p", "p--1", "synced", points, blocks, 1, 0, 2, 0)


@pytest.fixture
def report() -> IngestReport:
    parse = ParseReport(
        structures=3,
        kinds={"Function": 2, "Struct": 1},
        skipped={"local": 4},
        definitions=7,
        notes=["look here"],
        seconds=0.5,
    )
    embeddings = [EmbedReport(vector, "m", 8, 3, 1, 1, 1, 0.1) for vector in ("text", "code")]
    return IngestReport(
        project="p",
        commit="0123456789abcdef",
        dirty=True,
        structures_file="structures.jsonl",
        parse=parse,
        embeddings=embeddings,
        upload=uploaded(3),
        seconds={"parse": 0.5, "total": 1.0},
    )


def test_a_balanced_ledger_passes(report: IngestReport) -> None:
    report.check()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"parse": ParseReport(structures=3, kinds={}, skipped={"local": 4}, definitions=8)},
            "8 definitions went in, 3 structures and 4 skipped ones came out",
        ),
        (
            {"embeddings": [EmbedReport("text", "m", 8, 2, 1, 1, 0, 0.1)]},
            "3 records went in, 2 texts for vector text",
        ),
        (
            {"embeddings": [EmbedReport("text", "m", 8, 3, 1, 1, 0, 0.1)]},
            "3 records went in, 3 texts for vector text",
        ),
        ({"upload": uploaded(2)}, "3 structures went in, 2 points and 0 rejected ones came out"),
        (
            {"upload": uploaded(3, blocks=1)},
            "0 blocks went in, 1 points and 0 rejected ones came out",
        ),
    ],
)
def test_whatever_gets_lost_between_two_stages_fails_the_run(
    report: IngestReport, change: dict[str, object], message: str
) -> None:
    with pytest.raises(LedgerError, match=message):
        replace(report, **change).check()  # type: ignore[arg-type]


def test_the_largest_counts_are_kept_and_the_others_summed() -> None:
    counts = {f"crate{number:02}": number for number in range(1, 61)}
    kept = largest(counts)
    assert list(kept)[:2] == ["crate60", "crate59"]
    assert (len(kept), kept["crate11"], kept["(others)"]) == (51, 11, 55)
    assert largest({"a": 2}) == {"a": 2}


def test_records_of_other_origin_are_counted_by_crate(
    tmp_path: Path, structures: list[Structure]
) -> None:
    fields = {**structures[0].to_dict(), "id": None, "crate": None}
    (tmp_path / "given.jsonl").write_bytes(structures[1].to_json() + orjson.dumps(fields))
    parsed = import_records(
        Workspace(load_settings()).for_project("p"),
        tmp_path / "given.jsonl",
        ProjectFolder(tmp_path),
    )
    assert parsed.crates == {"": 1, structures[1].crate: 1}


def test_the_text_has_everything_a_user_asks_for(report: IngestReport) -> None:
    text = report_text(report, "lsif-ingest search x")
    for expected in (
        "Indexed p at 0123456789ab with changes",
        "2 Function, 1 Struct",
        "4 local",
        "1 embedded, 1 from the checkpoint, 1 duplicates",
        "in collection p at data/qdrant",
        "parse 0.5",
        "look here",
        "Search it:  lsif-ingest search x",
    ):
        assert expected in text


def test_the_text_shows_sizes_and_counts_as_a_reader_expects(report: IngestReport) -> None:
    dump = DumpReport(
        "dump.lsif",
        0.31,
        5.6,
        False,
        "1",
        "resolved",
        100.0,
        "the sources are in no git repository",
    )
    few = EmbedReport("text", "m", 8, 3, 1, 1, 1, 4.0, 0, 20, "cpu", "bf16")
    many = replace(few, texts=100, embedded=98, tokens=8000)
    stages = [StageTime("parse", 0.1, 0.5, 0.5), StageTime("embed code", 0.0, 0.0, 0.0, 0)]
    seconds = {"parse": 0.5, "embed code": 0.0, "total": 1.0}
    changed = replace(
        report, dump=dump, embeddings=[few], upload=uploaded(1, 1), stages=stages, seconds=seconds
    )
    lines = report_text(changed, "x").splitlines()
    assert lines[2].startswith(
        "  dump              0.3  MB in 5.6 s, peak memory 100 MB; not cached: the sources"
    )
    assert lines[3].startswith("  structures          3  ")
    assert (
        "0 cut off; on cpu (bf16)" in lines[5]
    )  # one text takes less time than the model's loading
    assert " 1 structure, 1 block in collection" in lines[6]
    assert lines[7] == "  seconds           1.0  parse 0.5; stages overlap"
    text = report_text(replace(report, embeddings=[many]), "x")
    assert "; 2,000 tokens/s on cpu (bf16)" in text


def test_what_is_set_for_a_server_is_noted_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QDRANT_URL", raising=False)
    own = load_settings(
        None, ["storage.shard_number=3", "storage.on_disk=true", "storage.keep_generations=2"]
    )
    assert settings_without_effect(own.storage) == [
        "of no effect without QDRANT_URL: storage.on_disk, storage.shard_number"
    ]
    assert settings_without_effect(load_settings().storage) == []
    monkeypatch.setenv("QDRANT_URL", "http://localhost:6333")
    assert settings_without_effect(own.storage) == []


def test_the_most_used_of_what_changed_is_told() -> None:
    lines = report_text(made_report(), "lsif-ingest search").splitlines()
    first = next(number for number, line in enumerate(lines) if "most used" in line)
    assert [
        line.strip().removeprefix("most used").strip() for line in lines[first : first + 2]
    ] == [
        "Function sample::old (src/old.rs:5): changed, used in 1,214 places, reached by 12 tests",
        "Struct sample::New (src/new.rs:9): added, used in 1 place",
    ]


def test_payload_indexes_that_a_run_added_are_told() -> None:
    report = made_report()
    upload = replace(report.upload, added_indexes=["is_test", "name"])
    text = report_text(replace(report, upload=upload), "lsif-ingest search")
    assert "3 moved, 0 deleted; payload indexes added: is_test, name" in text
    assert "payload indexes" not in report_text(report, "lsif-ingest search")
