"""The command line as people use it.

Whole runs have their own process, or share one Prefect test server.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from searchable import DEFAULT_MODEL, DEFAULT_TOLD

from configs.settings import Settings
from configs.workspace import Workspace
from flows.cli import main as cli
from flows.cli.arguments import workspace_of
from flows.cli.ingest import search_command
from flows.cli.termination import Terminated
from flows.errors import FlowError, UsageError

from conftest import (
    DATA,
    PROJECT_ROOT,
    SAMPLE,
    SAMPLE_DUMP,
    SOURCE,
    children_of,
    cli_environment,
    copied,
    give_empty_database,
    points,
    run,
    run_cli,
)


def test_a_first_run_indexes_the_sample_and_accounts_for_it(
    first_run: dict[str, Any], data: Path
) -> None:
    assert first_run["project"] == "sample"
    assert first_run["parse"]["structures"] == first_run["upload"]["points"] == 93
    assert first_run["parse"]["definitions"] == 77 + sum(first_run["parse"]["skipped"].values())
    assert [
        (embedding["vector"], embedding["texts"], embedding["dimension"])
        for embedding in first_run["embeddings"]
    ] == [
        ("text", 93, 384),
        ("code", 93, 384),
        ("blocks", 8, 384),
    ]
    assert [embedding["embedded"] for embedding in first_run["embeddings"]][1:] == [93, 8]
    assert list(first_run["seconds"]) == [
        "check",
        "parse",
        "embed text",
        "embed code",
        "embed blocks",
        "upload",
        "total",
    ]
    assert len(points(data)) == 93
    assert orjson.loads((data / "projects/sample/report.json").read_bytes()) == first_run


def test_a_run_leaves_a_page_and_a_history_and_names_itself(
    first_run: dict[str, Any], data: Path
) -> None:
    assert first_run["parse"]["crates"] == {"sample": 90, "area": 3}
    assert first_run["upload"]["changes"] == {}
    assert len(first_run["run_id"]) == 36
    folder = data / "projects/sample"
    page = (folder / "report.html").read_text()
    assert "<h1>Index of sample</h1>" in page
    assert first_run["run_id"] in page
    name = re.sub(r"[-:]|\+.*", "", first_run["started"]) + "Z"
    assert orjson.loads((folder / f"runs/{name}.json").read_bytes()) == first_run
    assert "Newest run of this project" in (folder / f"runs/{name}.html").read_text()


def test_a_run_leaves_the_users_prefect_alone_and_keeps_an_empty_database(
    first_run: dict[str, Any], first_home: dict[str, str], data: Path
) -> None:
    home = Path(first_home["PREFECT_HOME"])
    assert [path.name for path in home.glob("*.db*")] == ["prefect.db"]
    assert (home / "prefect.db").read_text() == "of a later version"
    assert not (home / "memo_store.toml").exists()  # in which Prefect notes registered blocks
    (kept,) = (data / "prefect").iterdir()
    with closing(sqlite3.connect(kept)) as database:
        assert database.execute("SELECT count(*) FROM flow_run").fetchone() == (0,)


def test_a_second_run_embeds_nothing_and_gives_the_same_bytes_and_ids(
    first_run: dict[str, Any], data: Path, prefect_home: dict[str, str]
) -> None:
    records, before = (data / "projects/sample/structures.jsonl").read_bytes(), points(data)
    done = run_cli("ingest", *SOURCE, "--set", f"paths.data={data}", environment=prefect_home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("nothing embedded again, 93 from the checkpoint") == 2
    assert '-m flows search "how do I ..." --project sample --set' in done.stdout
    assert (data / "projects/sample/structures.jsonl").read_bytes() == records
    assert points(data) == before
    assert "loading" not in done.stderr


def test_search_finds_the_answer_and_prints_where_it_is(
    first_run: dict[str, Any], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = "how do I wait longer after each failed attempt"
    code, out, _ = run("search", query, "--json", "--set", f"paths.data={data}", capsys=capsys)
    assert code == 0
    answer = orjson.loads(out)
    assert (answer["query"], answer["mode"], len(answer["hits"])) == (query, "hybrid", 10)
    assert (answer["hits"][0]["file_path"], answer["hits"][0]["name"]) == (
        "src/retry.rs",
        "Doubling",
    )
    assert answer["good"]
    assert answer["confidence"] > 0.8
    assert set(answer["hits"][0]["scores"]) == {"text", "code", "bm25"}
    code, out, _ = run(
        "search", "rainbow ponies", "--json", "--set", f"paths.data={data}", capsys=capsys
    )
    assert (code, orjson.loads(out)["good"]) == (0, False)
    code, out, _ = run(
        "search",
        "remove the oldest entry",
        "--mode",
        "code",
        "--limit",
        "3",
        "--set",
        f"paths.data={data}",
        capsys=capsys,
    )
    assert code == 0
    assert out.startswith("3 hits in sample")
    (insert,) = (line for line in out.splitlines() if "Function Cache::insert" in line)
    assert " src/cache.rs:57-69 " in insert
    assert "(code 0." in insert
    assert "fn insert(&mut self, key: K, value: V) -> Option<V>" in out


def test_the_command_that_searches_has_only_what_a_search_reads(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[cluster]\nworkers = 3\n")

    def command(*arguments: str) -> str:
        options = cli.command_line_parser().parse_args(["ingest", "--repo", "x", *arguments])
        project = workspace_of(options).for_project("one")
        whole = search_command(project, options.config, options.overrides)
        return whole.partition('search "how do I ..." ')[2]

    assert (
        command("--set", "cluster.workers=4", "--set", "rust_analyzer.network=offline")
        == "--project one"
    )
    assert command("--set", "storage.min_share_of_last=0") == "--project one"
    assert (
        command("--set", "paths.data=/d", "--branch", "dev")
        == "--project one --branch dev --set paths.data=/d"
    )
    own = ("--config", str(tmp_path / "own.toml"))
    assert command(*own) == "--project one"
    (tmp_path / "own.toml").write_text('[embedding.text]\nrecipe = "tutorial-1"\n')
    assert (
        command(*own, "--set", "search.limit=3")
        == f"--project one --config {tmp_path}/own.toml --set search.limit=3"
    )


def test_status_shows_what_is_indexed(
    first_run: dict[str, Any], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run("status", "--json", "--set", f"paths.data={data}", capsys=capsys)
    assert code == 0
    (collection,) = orjson.loads(out)["collections"]
    assert (collection["collection"], collection["points"], collection["project"]) == (
        "sample",
        93,
        "sample",
    )
    assert collection["vectors"]["text"]["dimension"] == 384
    assert DEFAULT_MODEL in collection["vectors"]["code"]["description"]
    assert collection["coverage"]["files_from_index"] == collection["coverage"]["files"] == 10
    assert collection["coverage"]["folders"]["tests"]["from_index"] == 3
    code, out, _ = run("status", "--set", f"paths.data={data}", capsys=capsys)
    assert "points 93" in out
    assert (
        "  files  10 Rust files: 10 from the index (100%), 0 from the source\n"
        "         src: 9 of 9 files from the index\n"
        "         tests: 1 of 1 file from the index\n"
        "  items  79 definitions: 77 from the index (97%), 2 from the source; 14 impl blocks\n"
    ) in out
    code, out, _ = run("status", "--set", f"paths.data={data / 'nowhere'}", capsys=capsys)
    assert code == 0
    assert "Nothing is indexed" in out


def test_searching_without_an_index_fails_with_the_command_that_makes_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, message = run("search", "x", "--set", f"paths.data={tmp_path}", capsys=capsys)
    assert (code, out) == (1, "")
    assert "no index" in message
    assert "lsif-ingest ingest --repo DIR" in message


def test_searching_with_another_model_is_refused(
    first_run: dict[str, Any], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = ("--set", f"paths.data={data}", "--set", "embedding.code.max_tokens=64")
    code, _, message = run("search", "x", *changed, capsys=capsys)
    assert code == 1
    assert f"was made with code = {DEFAULT_MODEL}" in message
    assert "64 tokens" in message


@pytest.mark.parametrize(
    "others", [["-o", "{dump}"], ["-o", "a", "--blocks", "a"], ["-o", "a", "--report", "./a"]]
)
def test_parse_refuses_to_write_two_things_to_one_file(
    others: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dump = tmp_path / "dump.lsif"
    dump.write_bytes(SAMPLE_DUMP.read_bytes())
    monkeypatch.chdir(tmp_path)
    arguments = [argument.format(dump=dump) for argument in others]
    code, _, message = run("parse", str(dump), "--root", str(SAMPLE), *arguments, capsys=capsys)
    assert code == 2
    assert "must be different files" in message
    assert dump.read_bytes() == SAMPLE_DUMP.read_bytes()


def test_parse_writes_the_records_and_its_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "structures.jsonl"
    code, out, _ = run(
        "parse", str(SAMPLE_DUMP), "--root", str(SAMPLE), "-o", str(output), "--json", capsys=capsys
    )
    assert code == 0
    ledger = orjson.loads(out)
    assert (ledger["structures"], ledger["definitions"], ledger["snippets_checked"]) == (
        93,
        328,
        93,
    )
    assert len(output.read_bytes().splitlines()) == 93
    blocks, report = tmp_path / "blocks.jsonl", tmp_path / "report.json"
    written = ("--blocks", str(blocks), "--report", str(report))
    code, out, _ = run(
        "parse", str(SAMPLE_DUMP), "--root", str(SAMPLE), "-o", str(output), *written, capsys=capsys
    )
    assert orjson.loads(report.read_bytes()) == {**ledger, "blocks": 8}
    assert len(blocks.read_bytes().splitlines()) == 8
    assert "93 structures (77 of 328 definitions, 16 from the sources alone) in 10 files" in out
    assert "skipped, external: defined outside the root" in out


def test_records_are_not_written_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("parse", str(SAMPLE_DUMP), "--root", str(SAMPLE), "-o", "-", capsys=capsys)
    assert "standard output can't be used here" in capsys.readouterr().err


def test_dump_runs_rust_analyzer_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "rust-analyzer"
    program.write_text(f"#!/bin/sh\ncat {SAMPLE_DUMP}\n")
    program.chmod(0o755)
    output = tmp_path / "out.lsif"
    code, out, _ = run(
        "dump",
        "--repo",
        str(SAMPLE),
        "-o",
        str(output),
        "--set",
        f"rust_analyzer.command={program}",
        "--set",
        "rust_analyzer.project=cargo",
        capsys=capsys,
    )
    assert code == 0
    assert output.read_bytes() == SAMPLE_DUMP.read_bytes()
    assert "bytes in" in out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("unknown",),
        ("ingest",),
        ("ingest", "--repo", "x", "--dump", "y", "--root", "z"),
        ("ingest", "--dump", "x"),
        ("ingest", "--root", "x", "--repo", "y"),
        ("search",),
        ("search", "x", "--mode", "magic"),
        ("search", "x", "--limit", "0"),
        ("search", "x", "--limit", "1001"),
        ("search", "  ", "--set", "paths.data=DATA"),
        ("search", "\udcff", "--set", "paths.data=DATA"),
        ("status", "--set", "search.limt=2"),
        ("status", "--set", "nonsense"),
        ("status", "--config", "/absent.toml"),
        ("dump", "--repo", "x", "-o", "/absent/folder/dump.lsif"),
        ("parse", "x", "--root", "y", "-o", "/tmp"),
        ("parse", "x"),
        ("dump", "--repo", "x"),
    ],
)
def test_wrong_usage_has_exit_code_2(
    arguments: tuple[str, ...], indexed_sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = cli.main([argument.replace("DATA", str(indexed_sample)) for argument in arguments])
    except SystemExit as exc:  # argparse's way
        code = exc.code if isinstance(exc.code, int) else -1
    assert code == 2
    assert capsys.readouterr().out == ""


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == "lsif-ingest 0.1.0\n"


def test_failures_are_one_line_without_traceback_unless_debug(tmp_path: Path) -> None:
    arguments = (
        "parse",
        str(tmp_path / "absent.lsif"),
        "--root",
        str(SAMPLE),
        "-o",
        str(tmp_path / "out"),
    )
    done = run_cli(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("lsif-ingest: can't read the dump")
    assert len(done.stderr.splitlines()) == 1
    debug = run_cli(*arguments, "--debug")
    assert debug.returncode == 1
    assert "Traceback" in debug.stderr
    assert not (tmp_path / "out").exists()


def test_a_failed_flow_is_reported_once_and_without_traceback(
    tmp_path: Path, prefect_home: dict[str, str]
) -> None:
    empty = tmp_path / "empty.lsif"
    empty.touch()
    arguments = (
        "ingest",
        "--dump",
        str(empty),
        "--root",
        str(SAMPLE),
        "--set",
        f"paths.data={tmp_path / 'data'}",
    )
    done = run_cli(*arguments, environment=prefect_home)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("is empty: rust-analyzer failed") == 1
    others = [line for line in done.stderr.splitlines() if not line.startswith("INFO flows")]
    assert len(others) == 1, others
    assert others[0].startswith(
        f"lsif-ingest: {empty} is empty: rust-analyzer failed before it wrote anything. "
        "Make it again with"
    )


@pytest.mark.parametrize(
    ("logger", "level", "shown"),
    [
        ("prefect.flow_runs", logging.INFO, False),
        ("prefect.flow_runs", logging.WARNING, True),
        ("prefect.task_runs", logging.ERROR, False),
        ("EventsWorker", logging.WARNING, False),  # "Still processing items", on a busy machine
        ("flows.lanes", logging.INFO, True),
    ],
)
def test_what_prefect_says_of_its_own_is_hidden(logger: str, level: int, *, shown: bool) -> None:
    from flows.cli.main import _WithoutProgress

    record = logging.LogRecord(logger, level, "", 0, "something", None, None)
    assert _WithoutProgress().filter(record) is shown


HEAVY = {"torch", "prefect", "transformers"}


def test_help_and_status_import_neither_torch_nor_prefect() -> None:
    script = (
        "import sys; from flows.cli import main as cli\n"
        "for words in (['--help'], *([command, '--help'] for command in cli.COMMANDS)):\n"
        "    try: cli.main(words)\n"
        "    except SystemExit: pass\n"
        "cli.main(['status', '--set', 'paths.data=/nonexistent'])\n"
        f"sys.stderr.write(' '.join(sorted({HEAVY} & set(sys.modules))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PROJECT_ROOT
    )
    assert done.stderr == ""


def test_a_command_imports_no_module_of_another() -> None:
    script = (
        "import sys; from flows.cli import main as cli\n"
        "try: cli.main(['search', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.stderr.write(' '.join(sorted(module for module in sys.modules if 'flows.' in module)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PROJECT_ROOT
    )
    own = ["arguments", "editor", "main", "output", "search", "termination"]
    assert done.stderr.split() == [
        *("flows.cli", *(f"flows.cli.{name}" for name in own)),
        "flows.errors",
    ]


def test_every_command_can_be_debugged() -> None:
    arguments = {
        "ingest": ["--repo", "x"],
        "dump": ["--repo", "x", "-o", "/tmp/x"],
        "parse": ["x", "--root", "y", "-o", "/tmp/x"],
        "search": ["x"],
        "similar": ["x"],
        "refs": ["x"],
        "evaluate": ["x"],
        "remove": ["--unfinished"],
        "export": ["--snapshot"],
        "import": ["x"],
        "checkpoint": ["compact"],
        "tune": ["x", "-o", "y"],
    }
    for command in cli.COMMANDS:
        words = [command, *arguments.get(command, [])]
        assert not cli.command_line_parser(command).parse_args(words).debug
        assert cli.command_line_parser(command).parse_args([*words, "--debug"]).debug


def test_without_a_command_the_first_ones_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    first, ingest, *_ = err.splitlines()
    assert first == "Name a command, such as"
    assert ingest.split("  ")[1] == "lsif-ingest ingest --repo DIR"
    assert ingest.endswith("  index a repository, a dump or a structures.jsonl")
    assert err.endswith("`lsif-ingest COMMAND --help` explains one.\n")


@pytest.mark.parametrize(
    ("word", "meant"),
    [("ingst", "; did you mean ingest?"), ("stauts", "; did you mean status?"), ("xyz", ".")],
)
def test_a_mistyped_command_gets_a_suggestion(
    word: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([word, "--json"]) == 2
    assert capsys.readouterr().err == (
        f"lsif-ingest: there is no command {word!r}{meant} `lsif-ingest --help` lists all.\n"
    )


def test_every_command_explains_itself_and_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    for command in cli.COMMANDS:
        with pytest.raises(SystemExit, match="0"):
            cli.main([command, "--help"])
        text = " ".join(capsys.readouterr().out.split())
        assert text.startswith(f"usage: lsif-ingest {command} ")
        assert cli.COMMANDS[command][1][1:] in text


@pytest.mark.parametrize(
    "command",
    [
        "ingest --repo x",
        "dump --repo x -o /tmp/x",
        "parse x --root y -o /tmp/x",
        "import x",
        "doctor",
        "search x",
        "similar x",
        "refs x",
        "evaluate x",
        "serve",
        "mcp",
        "status",
        "verify",
        "rollback",
        "remove --unfinished",
        "export -o x",
    ],
)
def test_a_project_may_be_named_to_every_command_about_one(command: str, tmp_path: Path) -> None:
    def project(*words: str) -> str:
        options = cli.command_line_parser().parse_args([*command.split(), *words])
        return workspace_of(options).settings.project.name

    assert project() == ""
    assert project("--project", "one") == "one"
    assert project("--project", "7") == "7"  # a name, not a number
    assert project("--set", "project.name=two") == "two"
    assert project("--project", "one", "--set", "project.name=one") == "one"
    (tmp_path / "own.toml").write_text('[project]\nname = "two"\n')
    assert project("--project", "one", "--config", str(tmp_path / "own.toml")) == "one"
    with pytest.raises(
        UsageError, match=r"^--project says 'one', --set project\.name says 'two': leave one"
    ):
        project("--project", "one", "--set", "project.name=two")


# Runs of the flow inside this process ------------------------------------------------------------


@pytest.fixture
def own_data(first_run: dict[str, Any], data: Path, tmp_path: Path) -> Path:
    """A copy of the first run's data that a test may change."""
    return copied(data, tmp_path / "data")


def ingest(data: Path, *arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    return run(
        "ingest",
        *arguments,
        "--set",
        f"paths.data={data}",
        "--set",
        "flow.retry_delay_s=0.0",
        capsys=capsys,
    )


@pytest.mark.usefixtures("harness")
def test_a_structures_file_of_the_tutorial_is_indexed_without_dump_and_sources(
    own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = ingest(
        own_data, "--structures", str(DATA / "tutorial.jsonl"), "--json", capsys=capsys
    )
    assert code == 0
    assert orjson.loads(out)["upload"]["points"] == 1
    code, out, _ = run(
        "search",
        "wait until ready",
        "--project",
        "tutorial",
        "--json",
        "--set",
        f"paths.data={own_data}",
        capsys=capsys,
    )
    assert [hit["name"] for hit in orjson.loads(out)["hits"]] == ["await_ready_for_timeout"]


@pytest.mark.usefixtures("harness")
def test_another_model_is_rejected_without_rebuild(
    own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = points(own_data)
    change = ("--set", "embedding.code.max_tokens=64")
    code, _, message = ingest(own_data, *SOURCE, *change, capsys=capsys)
    assert code == 1
    assert (
        f"was made with code = {DEFAULT_TOLD}, recipe snippet-1); the configuration says" in message
    )
    assert "--rebuild" in message
    assert points(own_data) == before
    code, out, _ = ingest(own_data, *SOURCE, *change, "--rebuild", "--json", capsys=capsys)
    assert code == 0
    text, code_vector, blocks = orjson.loads(out)["embeddings"]
    assert (text["embedded"], code_vector["from_checkpoint"], blocks["from_checkpoint"]) == (
        0,
        0,
        0,
    )  # only the code vectors' fingerprint changed
    assert points(own_data) == before


@pytest.mark.usefixtures("harness")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dump", "DATA/empty.lsif", "--root", str(SAMPLE)), "empty.lsif is empty"),
        (("--dump", "DATA/cut.lsif", "--root", str(SAMPLE)), "cut off in the middle of line"),
        (("--dump", str(DATA), "--root", str(SAMPLE)), "is a folder"),
        (
            ("--dump", str(SAMPLE_DUMP), "--root", str(DATA)),
            "none of the dump's 10 files can be read",
        ),
        (("--repo", "DATA/checkpoints"), "holds no Cargo.toml"),
        (
            ("--repo", str(SAMPLE), "--set", "rust_analyzer.command=no-such-program"),
            "rustup component add rust-analyzer",
        ),
        (
            ("--repo", str(SAMPLE), "--set", "rust_analyzer.command=/bin/false"),
            "failed with exit status 1",
        ),
        (("--structures", "DATA/cut.lsif"), "holds no structure"),
        ((*SOURCE, "--set", "embedding.code.model=packaged:other"), "no packaged model"),
    ],
)
def test_a_failed_run_says_why_and_leaves_the_index_as_it_was(
    own_data: Path, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_data / "empty.lsif").touch()
    (own_data / "cut.lsif").write_bytes(SAMPLE_DUMP.read_bytes()[:100_000])
    files = {path for path in own_data.rglob("*") if path.is_file()}
    before = points(own_data)
    code, out, last = ingest(
        own_data,
        *(argument.replace("DATA/", f"{own_data}/") for argument in arguments),
        capsys=capsys,
    )
    assert (code, out) == (1, "")
    assert message in last
    assert points(own_data) == before
    assert {path for path in own_data.rglob("*") if path.is_file() and path.name != "lock"} <= files


@pytest.mark.usefixtures("harness")
def test_a_locked_index_is_refused_before_any_work(
    own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from storage.embedded.index import EmbeddedIndex

    with EmbeddedIndex(own_data / "qdrant").writing("sample"):
        code, _, message = ingest(own_data, *SOURCE, capsys=capsys)
    assert code == 1
    assert "another process is writing" in message


@pytest.mark.usefixtures("harness")
def test_two_repositories_of_one_name_do_not_replace_each_other(
    own_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(shutil.copytree(SAMPLE, tmp_path / "elsewhere" / "sample"))
    before = points(own_data)
    code, _, message = ingest(
        own_data, "--dump", str(SAMPLE_DUMP), "--root", str(other), capsys=capsys
    )
    assert code == 1
    assert "project 'sample' was indexed from" in message
    assert f"this is {other}" in message
    assert points(own_data) == before
    code, _, _ = ingest(
        own_data,
        "--dump",
        str(SAMPLE_DUMP),
        "--root",
        str(other),
        "--set",
        "project.name=other",
        capsys=capsys,
    )
    assert code == 0


@pytest.mark.parametrize(
    ("stop", "code", "word"),
    [(KeyboardInterrupt, 130, "interrupted"), (Terminated, 143, "SIGTERM")],
)
def test_what_fails_of_a_signal_is_reported_as_the_signal(
    stop: type[BaseException],
    code: int,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object) -> None:
        try:
            raise stop
        finally:
            raise ValueError("Task run is not set")  # as Prefect does

    monkeypatch.setattr("search.published.connect", interrupted)
    assert run("status", capsys=capsys)[::2] == (
        code,
        (
            f"lsif-ingest: {'ended by ' * (code == 143)}{word}; "
            "finished embeddings are saved, run again to resume"
        ),
    )


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_ends_at_once_and_leaves_no_server(
    tmp_path: Path, prefect_home: dict[str, str], sent: signal.Signals
) -> None:
    own = tmp_path / "data"
    arguments = [
        "ingest",
        *SOURCE,
        "--set",
        f"paths.data={own}",
        "--set",
        "embedding.text.batch_tokens=1",
        "--set",
        "checkpoint.rows_per_file=4",
    ]
    give_empty_database(own)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", *arguments],
        cwd=PROJECT_ROOT,
        env=cli_environment(prefect_home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # the signal goes to the whole group, as from a terminal
    )
    assert process.stderr is not None
    said = ""
    while "text: 4 of 93 texts" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    children = children_of(process.pid)
    assert any(
        b"flows.server.temporary" in Path(f"/proc/{child}/cmdline").read_bytes()
        for child in children
    )
    if sent == signal.SIGTERM:  # from a service manager: to this process alone
        process.send_signal(sent)
    else:
        os.killpg(process.pid, sent)
    began = time.monotonic()
    said += process.stderr.read()
    process.stderr.close()
    code = process.wait(60)
    if sent != signal.SIGKILL:
        how = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "ended by SIGTERM")}[sent]
        last = said.splitlines()[-1]
        assert (code, last) == (
            how[0],
            f"lsif-ingest: {how[1]}; finished embeddings are saved, run again to resume",
        ), said
        assert "Traceback" not in said
        assert list(own.glob("checkpoints/*/*.parquet"))
    assert time.monotonic() - began < 20
    while (
        any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() - began < 30
    ):
        time.sleep(0.1)
    assert not [child for child in children if Path(f"/proc/{child}").exists()]


@pytest.mark.usefixtures("harness")
def test_two_runs_of_one_project_do_not_mix(
    own_data: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.locks import project_lock

    own = settings.model_copy(
        update={"paths": settings.paths.model_copy(update={"data": str(own_data)})}
    )
    project = Workspace(own).for_project("sample")
    with project_lock(project):
        code, _, message = ingest(own_data, *SOURCE, capsys=capsys)
    assert code == 1
    assert f"another run of project 'sample' is in progress in {project.folder.path}" in message


def test_one_damaged_collection_hides_no_other(
    own_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = own_data / "qdrant" / "broken"
    broken.mkdir()
    (broken / "live.json").write_text('{"generation": "broken--1"}')
    code, out, _ = run("status", "--json", "--set", f"paths.data={own_data}", capsys=capsys)
    assert code == 0
    first, second = orjson.loads(out)["collections"]
    assert "can't be opened" in first["error"]
    assert second["points"] == 93
    code, out, _ = run("search", "x", "--json", "--set", f"paths.data={own_data}", capsys=capsys)
    assert (code, orjson.loads(out)["project"]) == (0, "sample")


@pytest.mark.usefixtures("harness")
def test_an_unreachable_server_is_tried_again_then_reported(
    own_data: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QDRANT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("QDRANT_API_KEY", "secret-key-0451")
    code, _, message = ingest(own_data, *SOURCE, "--set", "flow.retries=2", capsys=capsys)
    assert code == 1
    assert "no Qdrant answers at http://127.0.0.1:9" in message
    assert caplog.text.count("Retry") == 2
    assert "secret-key-0451" not in caplog.text + message
    code, _, message = run("search", "x", "--set", f"paths.data={own_data}", capsys=capsys)
    assert (code, "no Qdrant answers" in message) == (1, True)


def test_a_killed_run_is_finished_by_the_next(
    tmp_path: Path, prefect_home: dict[str, str], first_run: dict[str, Any], data: Path
) -> None:
    own = tmp_path / "data"
    arguments = [
        "ingest",
        *SOURCE,
        "--json",
        "--set",
        f"paths.data={own}",
        "--set",
        "checkpoint.rows_per_file=8",
    ]
    give_empty_database(own)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", *arguments],
        cwd=PROJECT_ROOT,
        env=cli_environment(prefect_home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while (
        not list(own.glob("checkpoints/*/*.parquet"))
        and process.poll() is None
        and time.monotonic() < deadline
    ):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert points(own) == {}
    done = run_cli(*arguments, environment=prefect_home)
    assert done.returncode == 0, done.stderr
    report = orjson.loads(done.stdout)
    assert report["embeddings"][0]["from_checkpoint"] >= 8
    assert points(own) == points(data)


def test_the_checkpoint_is_shown_and_shrunk(
    indexed_sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = copied(indexed_sample, tmp_path / "data")
    where = ("--set", f"paths.data={data}")
    code, out, _ = run("checkpoint", "stats", "--json", *where, capsys=capsys)
    assert code == 0
    counts = sorted((folder["vectors"], folder["live"]) for folder in orjson.loads(out))
    assert counts == [(93, 93), (101, 101)]
    (data / "projects/sample/structures.jsonl").unlink()
    code, out, _ = run("checkpoint", "stats", *where, capsys=capsys)
    assert "0% in use" in out
    code, out, _ = run("checkpoint", "compact", *where, capsys=capsys)
    assert (code, out) == (
        0,
        "0 vectors dropped; 194 unused ones stay, because they are less than a day old\n",
    )
    make_old(data / "checkpoints")
    code, out, _ = run("checkpoint", "compact", "--json", *where, capsys=capsys)
    assert (code, orjson.loads(out)) == (0, {"dropped": 194, "too_young": 0})
    code, out, _ = run("checkpoint", "stats", *where, capsys=capsys)
    assert (code, out) == (0, "the checkpoint is empty\n")


def test_a_store_that_others_may_use_is_not_shrunk_unasked(
    indexed_sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = shutil.copytree(indexed_sample / "checkpoints", tmp_path / "checkpoints")
    make_old(store)
    before = sorted(store.glob("*/*"))
    where = ("--set", f"paths.data={tmp_path / 'other'}", "--set", f"checkpoint.store={store}")
    code, out, message = run("checkpoint", "compact", *where, capsys=capsys)
    assert (code, out, sorted(store.glob("*/*"))) == (2, "", before)
    assert f"others may use {store}" in message
    assert "--shared-too" in message
    code, out, _ = run("checkpoint", "compact", "--shared-too", *where, capsys=capsys)
    assert (code, out) == (0, "194 vectors dropped\n")


def test_no_run_and_no_compaction_are_at_work_at_once(
    indexed_sample: Path,
    tmp_path: Path,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from flows import locks
    from flows.stages import checkpoint

    data = copied(indexed_sample, tmp_path / "data")
    where = ("--set", f"paths.data={data}")
    own = settings.model_copy(
        update={"paths": settings.paths.model_copy(update={"data": str(data)})}
    )
    with (
        locks.project_lock(Workspace(own).for_project("new")),
        locks.project_lock(Workspace(own).for_project("other")),
    ):  # neither has a structures.jsonl
        code, out, message = run("checkpoint", "compact", *where, capsys=capsys)
    assert (code, out) == (1, "")
    assert f"a run is in progress in {data}" in message

    def meanwhile(*_: object, **__: object) -> None:
        with (
            pytest.raises(FlowError, match="vectors are being compacted"),
            locks.project_lock(Workspace(own).for_project("newest")),
        ):
            pass
        raise FlowError("tried")

    monkeypatch.setattr(checkpoint, "compact", meanwhile)
    assert "tried" in run("checkpoint", "compact", *where, capsys=capsys)[2]
    with locks.project_lock(Workspace(own).for_project("newest")):
        pass


def make_old(store: Path) -> None:
    then = time.time() - 25 * 3600
    for path in store.glob("*/*"):
        os.utime(path, (then, then))
