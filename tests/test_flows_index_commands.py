"""The commands about an index as a whole, as a user runs them."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from lsif.jsonl import read_structures
from storage.embedded.index import EmbeddedIndex

from conftest import SAMPLE, SAMPLE_DUMP, SOURCE, copied, drop_index, points, run, run_cli


def test_a_plan_is_printed_and_nothing_done(
    indexed_sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, root = (
        copied(indexed_sample, tmp_path / "data"),
        shutil.copytree(SAMPLE, tmp_path / "sample"),
    )
    source = ("--dump", str(SAMPLE_DUMP), "--root", str(root), "--set", f"paths.data={data}")
    before = sorted(
        (path, path.stat().st_mtime_ns)
        for path in (data / "qdrant").rglob("*")
        if "metadata" in path.name
    )
    code, _, err = run("ingest", "--plan", *source, capsys=capsys)
    assert (code, "Choose another name" in err) == (1, True)  # another folder is another source
    source = (*SOURCE, "--set", f"paths.data={data}")
    code, out, _ = run("ingest", "--plan", *source, capsys=capsys)
    assert (code, out.splitlines()[0]) == (0, "The index would be left as it is.")
    records = data / "projects/sample/structures.jsonl"
    kept = records.read_bytes()
    live = EmbeddedIndex(data / "qdrant").live("sample")
    assert live is not None
    (gone, moved_one) = list(read_structures(records))[:2]
    live.structures.delete([gone.id])
    live.structures.set_payloads([(moved_one.id, {"place": "[1]"})])
    live.close()
    code, out, _ = run("ingest", "--plan", *source, capsys=capsys)
    assert "structures  1 added, 0 changed, 1 moved, 0 deleted, 91 unchanged" in out
    assert f"added    {gone.code_type} {gone.symbol}" in out
    code, out, _ = run("ingest", "--plan", "--json", *source, capsys=capsys)
    plan = orjson.loads(out)
    assert (plan["way"], list(plan["structures"]["added"]), plan["structures"]["unchanged"]) == (
        "synced",
        [gone.id],
        91,
    )
    assert records.read_bytes() == kept
    assert before == sorted(
        (path, path.stat().st_mtime_ns)
        for path in (data / "qdrant").rglob("*")
        if "metadata" in path.name
    )
    assert not list((data / "projects/sample").glob("plan-*"))


def test_a_plan_predicts_that_too_few_structures_fail(
    indexed_sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shutil.copytree(indexed_sample, tmp_path / "data")
    live = EmbeddedIndex(data / "qdrant").live("sample")
    assert live is not None
    live.describe(replace(live.metadata, structures=200))
    live.close()
    source = ("ingest", "--plan", *SOURCE, "--set", f"paths.data={data}")
    code, out, err = run(*source, "--json", capsys=capsys)
    assert (code, orjson.loads(out)["refused"].partition(",")[0]) == (
        1,
        "this run has 93 structures",
    )
    assert err.startswith("lsif-ingest: a run would fail: this run has 93 structures, which is")
    code, out, _ = run(*source, "--set", "storage.min_share_of_last=0", "--json", capsys=capsys)
    assert (code, orjson.loads(out)["refused"]) == (0, "")


def test_an_index_is_verified(
    indexed_sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--set", f"paths.data={copied(indexed_sample, tmp_path / 'data')}")
    code, out, _ = run("verify", *where, capsys=capsys)
    assert (code, out) == (
        0,
        "sample: 93 structures and 8 blocks compared with 101 points, 194 vectors checked\n",
    )
    live = EmbeddedIndex(tmp_path / "data" / "qdrant").live("sample")
    assert live is not None
    (first, *_) = read_structures(tmp_path / "data/projects/sample/structures.jsonl")
    live.structures.delete([first.id])
    live.close()
    code, out, err = run("verify", *where, "--json", capsys=capsys)
    assert (code, orjson.loads(out)["missing"]) == (1, 1)
    assert (
        "1 missing, 0 different, 0 unexpected, 0 bad vectors. Perhaps the last run was stopped "
        "before it was done. Repair it: lsif-ingest ingest with the arguments of the last run"
        in err
    )
    code, out, _ = run("verify", *where, capsys=capsys)
    assert f"missing: {first.code_type} {first.symbol}" in out
    (tmp_path / "data/projects/sample/structures.jsonl").unlink()
    code, _, err = run("verify", *where, capsys=capsys)
    assert (code, "does not exist" in err) == (1, True)


def test_verify_and_a_plan_name_payload_indexes_that_are_missing(
    indexed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--set", f"paths.data={indexed}")
    with closing(EmbeddedIndex(indexed / "qdrant")) as index:
        live = index.live("sample")
        assert live is not None
        drop_index(live.structures, "name")
    code, out, _ = run("verify", *where, capsys=capsys)
    assert (code, out.splitlines()[1:]) == (
        0,
        ["payload indexes missing: name; the next `lsif-ingest ingest` adds them"],
    )
    code, out, _ = run("verify", *where, "--json", capsys=capsys)
    report = orjson.loads(out)
    assert (code, report["ok"], report["missing_indexes"]) == (0, True, ["name"])
    code, out, _ = run("ingest", "--plan", *SOURCE, *where, capsys=capsys)
    lines = out.splitlines()
    assert (lines[0], lines[3]) == ("The index would be synced.", "  payload indexes to add: name")


def test_a_rolled_back_index_is_distinguished_from_a_damaged_one(
    indexed_sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = copied(indexed_sample, tmp_path / "data")
    where = ("--set", f"paths.data={data}")
    records, report = (
        data / "projects/sample/structures.jsonl",
        data / "projects/sample/report.json",
    )
    records.write_bytes(
        b"".join(records.read_bytes().splitlines(keepends=True)[1:])
    )  # as a run of changed sources left them
    code, _, err = run("verify", *where, capsys=capsys)
    assert (
        code,
        err.endswith("Repair it: lsif-ingest ingest with the arguments of the last run"),
    ) == (1, True)
    later = {**orjson.loads(report.read_bytes()), "started": "2126-11-25T03:15:00+00:00"}
    report.write_bytes(orjson.dumps(later))
    code, _, err = run("verify", *where, capsys=capsys)
    assert (code, "1 unexpected, 0 bad vectors. The index was rolled back" in err) == (1, True)


def test_an_index_travels_as_parquet(
    indexed_sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = (
        ("--set", f"paths.data={indexed_sample}"),
        ("--set", f"paths.data={tmp_path / 'there'}"),
    )
    code, out, _ = run("export", "-o", str(tmp_path / "out"), *here, capsys=capsys)
    assert (code, "93 structures and 8 blocks" in out) == (0, True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "blocks.parquet",
        "places.parquet",
        "structures.parquet",
    ]
    code, out, _ = run("import", str(tmp_path / "out"), "--json", *there, capsys=capsys)
    report = orjson.loads(out)
    assert (code, report["points"], report["blocks"], report["way"]) == (0, 93, 8, "built")
    assert points(tmp_path / "there") == points(indexed_sample)
    code, out, _ = run("verify", *there, capsys=capsys)
    assert (code, "194 vectors checked" in out) == (0, True)
    records = "projects/sample/structures.jsonl"
    here_and_there = [
        sorted((folder / records).read_bytes().splitlines())
        for folder in (indexed_sample, tmp_path / "there")
    ]
    assert here_and_there[0] == here_and_there[1]
    answers = []
    for where in (here, there):
        code, out, _ = run(
            "search", "wait longer after each failure", "--json", *where, capsys=capsys
        )
        answers.append([(hit["id"], round(hit["score"], 5)) for hit in orjson.loads(out)["hits"]])
    assert answers[0] == answers[1]
    code, _, err = run("import", str(tmp_path), *there, capsys=capsys)
    assert (code, "holds no export" in err) == (1, True)
    code, _, err = run("export", "--snapshot", *here, capsys=capsys)
    assert (code, "only a server writes snapshots" in err) == (1, True)


def test_a_branch_has_an_index_of_its_own_and_an_index_goes_back(
    indexed_sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = (
        ("--set", f"paths.data={indexed_sample}"),
        ("--set", f"paths.data={tmp_path / 'there'}"),
    )
    run("export", "-o", str(tmp_path / "out"), *here, capsys=capsys)
    for branch in ((), ("--branch", "feature/x"), ("--branch", "feature-x")):
        code, _, err = run("import", str(tmp_path / "out"), *branch, *there, capsys=capsys)
        assert code == 0, err
    code, out, _ = run("status", "--json", *there, capsys=capsys)
    found = {
        collection["collection"]: collection["branch"]
        for collection in orjson.loads(out)["collections"]
    }
    assert sorted(found.values()) == ["", "feature-x", "feature/x"]
    assert len(found) == 3
    code, out, _ = run(
        "status", "--project", "sample", "--branch", "feature-x", "--json", *there, capsys=capsys
    )
    assert [collection["branch"] for collection in orjson.loads(out)["collections"]] == [
        "feature-x"
    ]
    code, out, _ = run("status", "--project", "sample", "--json", *there, capsys=capsys)
    assert len(orjson.loads(out)["collections"]) == 3
    code, out, err = run("status", "--project", "samp", *there, capsys=capsys)
    assert (code, out, "no index of 'samp' at" in err) == (1, "", True)
    code, out, _ = run(
        "search",
        "cache",
        "--project",
        "sample",
        "--branch",
        "feature/x",
        "--json",
        *there,
        capsys=capsys,
    )
    assert code == 0
    code, _, err = run("search", "cache", "--branch", "feature/x", *there, capsys=capsys)
    assert (code, "--branch also needs the project: add --project NAME." in err) == (2, True)
    code, _, err = run("rollback", "--project", "sample", *there, capsys=capsys)
    assert (code, "no generation of 'sample' older than" in err) == (1, True)
    before = EmbeddedIndex(tmp_path / "there" / "qdrant").live("sample")
    run("import", str(tmp_path / "out"), "--rebuild", *there, capsys=capsys)
    code, out, _ = run("rollback", "--project", "sample", "--json", *there, capsys=capsys)
    assert before is not None
    assert (code, orjson.loads(out)["live"]) == (0, before.name)
    sample = ("--project", "sample")
    code, out, _ = run("status", *sample, "--generations", "--json", *there, capsys=capsys)
    (kept,) = [
        collection["generations"]
        for collection in orjson.loads(out)["collections"]
        if collection["branch"] == ""
    ]
    assert [(each["live"], each["complete"]) for each in kept] == [(True, True), (False, True)]
    newer = kept[1]["name"]
    _, out, _ = run("status", *sample, "--generations", *there, capsys=capsys)
    assert f"kept   {newer}  " in out
    code, out, _ = run("rollback", *sample, "--to", newer, "--json", *there, capsys=capsys)
    assert (code, orjson.loads(out)) == (
        0,
        {"collection": "sample", "was_live": before.name, "live": newer},
    )
    left = "sample--20200101T000000000000-0badcafe"
    (tmp_path / "there/qdrant/sample" / left).mkdir()
    _, out, _ = run("status", *there, capsys=capsys)
    assert f"unfinished {left}: of an unknown run; killed" in out
    code, out, _ = run("remove", "--unfinished", "--json", *there, capsys=capsys)
    assert (code, orjson.loads(out)) == (0, {"removed": [left]})
    code, out, _ = run("remove", "--unfinished", *there, capsys=capsys)
    assert (code, out.strip()) == (0, "0 unfinished generations removed")


def test_a_damaged_index_is_reported_and_the_next_run_repairs_it(
    indexed_sample: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    prefect_home: dict[str, str],
) -> None:
    def damage(name: str) -> tuple[Path, tuple[str, str], Path]:
        data = copied(indexed_sample, tmp_path / name)
        (generation,) = (path for path in (data / "qdrant/sample").iterdir() if path.is_dir())
        return data, ("--set", f"paths.data={data}"), generation

    data, where, generation = damage("swapped")
    (chunk,) = generation.glob("shard/segments/*/vector_storage-text/vectors/chunk_0.mmap")
    content = bytearray(chunk.read_bytes())
    width = 384 * 4
    content[: 2 * width] = content[width : 2 * width] + content[:width]
    chunk.write_bytes(content)
    code, out, err = run("verify", *where, capsys=capsys)
    assert (code, out.count("has another vector 'text' than its text's")) == (1, 2)
    assert "2 bad vectors" in err

    data, where, generation = damage("gone")
    next(generation.glob("shard/segments/*/vector_storage-code/vectors/chunk_0.mmap")).unlink()
    code, _, err = run("verify", *where, capsys=capsys)
    assert (code, "--rebuild" in err) == (1, True)
    done = run_cli("ingest", *SOURCE, "--json", *where, environment=prefect_home)
    assert done.returncode == 0, done.stderr
    assert "is damaged: it is built again" in done.stderr
    assert orjson.loads(done.stdout)["upload"]["way"] == "built"
    assert run("verify", *where, capsys=capsys)[0] == 0

    data, where, generation = damage("blocks")
    shutil.rmtree(generation / "blocks")
    code, _, err = run("verify", *where, capsys=capsys)
    assert (code, "blocks does not exist" in err) == (1, True)

    data, where, generation = damage("live")
    (data / "qdrant/sample/live.json").write_text("{")
    for command in (("search", "cache"), ("verify",)):
        code, _, err = run(*command, *where, capsys=capsys)
        assert (code, "live.json can't be read" in err, "--rebuild" in err) == (1, True, True)
    done = run_cli("ingest", *SOURCE, "--rebuild", *where, environment=prefect_home)
    assert done.returncode == 0, done.stderr
    assert run("verify", *where, capsys=capsys)[0] == 0


def test_exports_that_are_damaged_are_named(
    indexed_sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        "export",
        "-o",
        str(tmp_path / "out"),
        "--set",
        f"paths.data={indexed_sample}",
        capsys=capsys,
    )
    whole = (tmp_path / "out" / "structures.parquet").read_bytes()
    for content in (whole[:-30], None):
        (tmp_path / "out" / "structures.parquet").unlink()
        if content is not None:
            (tmp_path / "out" / "structures.parquet").write_bytes(content)
        code, _, err = run(
            "import",
            str(tmp_path / "out"),
            "--set",
            f"paths.data={tmp_path / 'there'}",
            capsys=capsys,
        )
        assert (code, "structures.parquet can't be read" in err, "Export again" in err) == (
            1,
            True,
            True,
        )
