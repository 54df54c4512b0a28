"""A new field of a structure is one line in lsif/structure.py: it reaches everything from there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import orjson

from conftest import PROJECT_ROOT, cli_environment

PACKAGES = ("configs", "machine", "lsif", "embedding", "storage", "search", "flows")
FIELD = '    marked: bool = False\n    """Whether somebody marked it."""\n'
BEFORE = "    docs_inherited: bool = False\n"

RUN = '''
import contextlib, io, pathlib, sys

import orjson
import pyarrow.parquet as pq
from fastapi.testclient import TestClient

from flows.cli.main import main
from search.mcp.tools import call_tool, describe_tools
from search.service import SearchService
from search.web.app import make_app
from searchable import changed, fake_models, index_sample, index_structures, structures_of
from searchable import workspace_of

data = pathlib.Path(sys.argv[1])
answers = {}


def command(*words):
    """Return what a command prints."""
    printed = io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(printed):
        main([*words, "--set", f"paths.data={data}"])
    printed.flush()
    return printed.buffer.getvalue()


with fake_models():
    index_sample(data)
    lines = workspace_of(data).project_folder("sample").structures.read_bytes().splitlines()
    answers["parsed"] = [orjson.loads(line)["marked"] for line in lines]
    index_structures(data, [changed(one, marked=one.is_test) for one in structures_of(data)])

    words = ("search", "retry", "--mode", "bm25", "--limit", "40", "--json")
    hits = orjson.loads(command(*words))["hits"]
    answers["--json"] = [(hit["is_test"], hit["marked"]) for hit in hits]
    test = next(hit["id"] for hit in hits if hit["is_test"])

    service = SearchService(workspace_of(data))
    client = TestClient(make_app(service, ["*"]))
    hits = client.get("/api/search", params={"q": "retry", "limit": 100}).json()["hits"]
    answers["HTTP"] = [(hit["is_test"], hit["marked"]) for hit in hits]
    answers["HTTP, one structure"] = client.get(f"/api/structure/{test}").json()["marked"]
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for name in ("HitModel", "StructureModel"):
        answers[f"OpenAPI, {name}"] = schemas[name]["properties"]["marked"]

    (tool,) = (tool for tool in describe_tools() if tool.name == "search_code")
    fields = tool.output_schema["$defs"]["FoundStructure"]["properties"]
    answers["MCP, schema"] = fields["marked"]["type"]
    found = call_tool(service, "search_code", {"query": "retry"}).structured_content
    answers["MCP"] = all("marked" in hit for hit in found["hits"])
    found = call_tool(service, "get_structure", {"id": test}).structured_content
    answers["MCP, one structure"] = found["marked"]
    service.close()

    command("export", "-o", str(data / "exported"))
    rows = pq.read_table(data / "exported" / "structures.parquet").column("payload").to_pylist()
    answers["Parquet"] = [(row["is_test"], row["marked"]) for row in map(orjson.loads, rows)]

print(orjson.dumps(answers).decode())
'''
"""Runs the sample from the dump to the answers, and prints what each says of the field."""


def test_a_new_field_of_a_structure_is_everywhere_from_the_parse_to_the_export(
    tmp_path: Path,
) -> None:
    copy = tmp_path / "project"
    for package in PACKAGES:
        shutil.copytree(PROJECT_ROOT / package, copy / package)
    record = copy / "lsif" / "structure.py"
    text = record.read_text()
    assert text.count(BEFORE) == 1
    record.write_text(text.replace(BEFORE, FIELD + BEFORE))
    path = f"{copy}:{PROJECT_ROOT / 'tests'}"
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "data")],
        env=cli_environment({"PYTHONPATH": path}), cwd=copy, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    answers = orjson.loads(done.stdout.splitlines()[-1])

    assert answers.pop("parsed") == [False] * 77
    for name in ("--json", "HTTP", "Parquet"):
        pairs = answers.pop(name)
        assert {True, False} <= {marked for _, marked in pairs}, name
        assert all(is_test == marked for is_test, marked in pairs), name
    described = {"title": "Marked", "description": "Whether somebody marked it."}
    assert answers == {
        "HTTP, one structure": True,
        "OpenAPI, HitModel": {**described, "type": "boolean"},
        "OpenAPI, StructureModel": {**described, "type": "boolean"},
        "MCP, schema": "boolean",
        "MCP": True,
        "MCP, one structure": True,
    }
