"""Arguments and files that no user writes on purpose end in one message, and with exit code 2."""

from __future__ import annotations

import re
from pathlib import Path

import anyio
import orjson
import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCNotification

from flows.cli.main import command_line_parser, main
from lsif.errors import StructuresError
from lsif.jsonl import read_structures
from machine.text import why_malformed
from search.confidence import read_calibration
from search.errors import CalibrationError, EvaluationError
from search.judged import read_queries
from search.mcp.server import answer_what_is_no_message
from storage.embedded.generation import EmbeddedGeneration
from storage.embedded.index import EmbeddedIndex
from storage.errors import IndexDamaged, IndexMissing

NO_TEXT, LONG = "\udc80", "x" * 5000
PYTHON = re.compile(r"Error\b|Errno|positional|surrogate|attribute|\bstr\b|\bint\b|__init__|debug")
"""Words that mean nothing to a user."""


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    try:
        code = main(words)
    except SystemExit as exc:  # argparse
        code = int(exc.code or 0)
    return code, capsys.readouterr().err.rstrip().splitlines()[-1]


@pytest.mark.parametrize(
    "words",
    [
        ("status", "--project", "p", "--branch", NO_TEXT),
        ("status", "--project", NO_TEXT),
        ("status", "--set", f"paths.data={NO_TEXT}"),
        ("status", "--config", NO_TEXT),
        ("search", f"how {NO_TEXT}"),
        ("similar", NO_TEXT),
        ("refs", NO_TEXT),
        ("ingest", "--repo", f"a{NO_TEXT}"),
        ("import", NO_TEXT),
        ("parse", "x", "--root", ".", "-o", "o", "--set", f"paths.data={NO_TEXT}"),
        ("parse", "x", "--root", ".", "-o", "o", "--project", NO_TEXT),
        (NO_TEXT,),
    ],
)
def test_an_argument_that_is_not_utf_8_is_named(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = said(capsys, *words)
    assert (code, "lsif-ingest: " in line) == (2, True)
    assert not PYTHON.search(line)


@pytest.mark.parametrize(
    "words",
    [
        ("status", "--project", LONG),
        ("search", "q", "--project", "p", "--branch", LONG),
        ("status", "--set", f"paths.data={LONG}"),
        ("search", "q", "--set", f"paths.data={LONG}"),
        ("parse", "x", "--root", LONG, "-o", "o"),
        ("parse", "x", "--root", ".", "-o", LONG),
        ("ingest", "--structures", LONG),
        ("dump", "--repo", LONG, "-o", "o"),
        ("import", LONG),
        ("status", "--set", f"{LONG}=1"),
        (LONG,),
    ],
)
def test_what_is_far_too_long_is_cut_short_and_told(
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, line = said(capsys, *words)
    assert (code, len(line) < 500) == (2, True)
    assert not PYTHON.search(line)


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 5000 + "]" * 5000, "[flow]\nretries = " + "9" * 5000]
)
def test_toml_that_no_reader_takes_is_wrong_usage(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)
    for words in (("--config", str(file)), ("--set", f"flow.retries={text.split(' = ')[1]}")):
        code, line = said(capsys, "status", *words)
        assert (code, "can't be read" in line, "thousands of digits" in line) == (2, True, True)


def test_a_data_folder_that_is_a_file_is_told(
    a_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for data in (a_file, a_file / "data"):
        assert said(capsys, "status", "--set", f"paths.data={data}") == (
            2,
            f"lsif-ingest: {a_file} is no folder. Choose another: --set paths.data=DIR",
        )


@pytest.mark.parametrize("words", [("--debug",), ("--json", "-x")])
def test_options_without_a_command_get_the_first_commands(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("Name a command, such as\n")
    assert command_line_parser().prog == "lsif-ingest"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "it is not JSON: "),
        (b"[1]", "a value is of another type than expected"),
        (b"{}", "these keys are missing: name, "),
        (b'{"context": 3}', ""),
    ],
)
def test_a_damaged_file_of_records_is_told_without_python(
    line: bytes, problem: str, tmp_path: Path
) -> None:
    file = tmp_path / "structures.jsonl"
    file.write_bytes(line + b"\n")
    with pytest.raises(StructuresError) as raised:
        list(read_structures(file))
    text = str(raised.value)
    assert text.startswith(f"{file}, line 1: {problem}")
    assert text.endswith("Write it again: lsif-ingest ingest, with the arguments of the last run.")
    assert not PYTHON.search(text)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"{}", b'"generation"', b"\xff"])
def test_damaged_files_of_an_index_are_told_without_python(content: bytes, tmp_path: Path) -> None:
    index, folder = EmbeddedIndex(tmp_path), tmp_path / "p"
    folder.mkdir()
    (folder / "live.json").write_bytes(content)
    (folder / "metadata.json").write_bytes(content)
    calibration = folder / "live.json"
    for kind, read in (
        (IndexDamaged, lambda: index.live("p")),
        (IndexMissing, lambda: EmbeddedGeneration.open(folder)),
        (CalibrationError, lambda: read_calibration(calibration)),
    ):
        with pytest.raises(kind, match="can't be (read|opened)") as raised:
            read()
        assert not PYTHON.search(str(raised.value))


def test_what_python_says_of_a_document_is_put_into_words_of_json() -> None:
    def made(*, name: str) -> None: ...

    for change, problem in (
        ({}, "these keys are missing: name"),
        ({"name": "x", "other": 1}, "the key other is unknown"),
    ):
        with pytest.raises(TypeError) as raised:
            made(**change)  # type: ignore[arg-type]
        assert why_malformed(raised.value) == problem


def test_a_query_that_is_too_long_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "queries.jsonl"
    file.write_bytes(b'{"query": "a"}\n' + orjson.dumps({"query": "b" * 20_001}) + b"\n")
    with pytest.raises(
        EvaluationError, match=r"queries.jsonl, line 2: the query has 20,001 .* at most 20,000\."
    ):
        read_queries(file)


def test_a_line_that_is_no_message_is_answered() -> None:
    from mcp_types import jsonrpc_message_adapter

    async def exchange() -> tuple[list[object], list[SessionMessage]]:
        write, incoming = anyio.create_memory_object_stream[object](9)
        passed, server = anyio.create_memory_object_stream[object](9)
        outgoing, answers = anyio.create_memory_object_stream[SessionMessage](9)
        good = SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="x"))
        await write.send(good)
        for line in ("{", '"\\ud800"', '{"a": 1}'):
            try:
                jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError as exc:
                await write.send(exc)
        await write.send(good)
        write.close()
        await answer_what_is_no_message(incoming, passed, outgoing)
        outgoing.close()
        with incoming, server, answers:
            return [one async for one in server], [one async for one in answers]

    passed, answers = anyio.run(exchange)
    assert len(passed) == 2
    errors = [answer.message for answer in answers]
    assert all(isinstance(error, JSONRPCError) and error.id is None for error in errors)
    assert [error.error.code for error in errors] == [-32700, -32700, -32600]  # type: ignore[union-attr]
