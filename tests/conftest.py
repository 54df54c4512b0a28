"""Fixtures: the sample repository, a fake encoder that counts, both ends of storage."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
import qdrant_edge as edge
from fakes import FINGERPRINTS, FakeEncoder, embed_all
from moto.server import ThreadedMotoServer
from pyarrow import fs
from qdrant_server import running_double
from servers import SAMPLE_METADATA, server_index

from configs.settings import Settings, load_settings
from embedding.checkpoint import Checkpoint, as_keys
from embedding.encoder import Fingerprint
from embedding.text import RECIPES
from embedding.vectors import VectorTable, gather
from flows.server.environment import set_prefect_defaults
from flows.server.temporary import TemporaryServer
from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.structure import Structure
from machine.files import temporary_beside
from storage.embedded.disk import copy_file
from storage.embedded.index import EmbeddedIndex
from storage.embedded.points import ShardPoints
from storage.index import Index, Points
from storage.metadata import Metadata
from storage.points import FileSource
from storage.server.connection import connect
from storage.server.points import ServerPoints

from qdrant_double import QdrantDouble

set_prefect_defaults()  # before a test's module imports Prefect, as the command line does
os.environ["HF_HUB_OFFLINE"] = (
    "1"  # before one imports the hub's library: it would try a network that isn't there for 23 s
)
if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # as a shell starts what it runs in the background, and so its children
    signal.signal(signal.SIGINT, signal.default_int_handler)


def has_room_in_memory() -> bool:
    """Return whether temporary folders may be in memory: an index takes 300 MB for a while."""
    return (
        os.access("/dev/shm", os.W_OK)
        and shutil.disk_usage("/dev/shm").free > 8e9
        and psutil.virtual_memory().available > 12e9
    )


if has_room_in_memory():
    # The embedded engine allots large sparse files and waits for the disk again and again.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", "/dev/shm")

PROJECT_ROOT = Path(__file__).parent.parent
PREFECT_KEPT = PROJECT_ROOT / ".pytest_cache/prefect"
DATA = Path(__file__).parent / "data"
SAMPLE = DATA / "sample"
SAMPLE_DUMP = DATA / "sample.lsif"
S3_SECRET = "s3-secret-0451"  # noqa: S105 - looked for in every message


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def fingerprint() -> Fingerprint:
    return Fingerprint("fake", "1", "snippet-1", 0)


@pytest.fixture(scope="session")
def sample_structures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """structures.jsonl of the sample, with its blocks.jsonl beside it."""
    output = tmp_path_factory.mktemp("sample") / "structures.jsonl"
    blocks = output.with_name("blocks.jsonl")
    parse_dump(
        SAMPLE_DUMP,
        SAMPLE,
        output,
        project="sample",
        max_bad_lines=0,
        max_stale_share=0,
        blocks=blocks,
    )
    return output


@pytest.fixture(scope="session")
def structures(sample_structures: Path) -> list[Structure]:
    return list(read_structures(sample_structures))


def vectors_of(
    structures: Path, store: Path | str, fingerprint: Fingerprint, scratch: Path
) -> VectorTable:
    """Return the checkpoint's vectors of the structures, in their order."""
    recipe = RECIPES[fingerprint.recipe]
    keys = [fingerprint.key(recipe(structure)) for structure in read_structures(structures)]
    return gather(Checkpoint(store, fingerprint), as_keys(keys), scratch)


def embedded_source(structures: Path, folder: Path) -> FileSource:
    """Return the records with vectors of a fake encoder, and the blocks if there are some."""
    found = structures.with_name("blocks.jsonl")
    blocks = found if found.is_file() else None
    plan = embed_all(structures, folder, FakeEncoder, blocks=blocks)
    tables = plan.tables(folder / structures.name)
    named = {name: tables[name] for name in FINGERPRINTS}
    return FileSource(structures, named, blocks, tables["blocks"] if blocks else None)


@pytest.fixture
def source(sample_structures: Path, tmp_path: Path) -> FileSource:
    """The sample's records with vectors."""
    return embedded_source(sample_structures, tmp_path / "checkpoint")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The default settings, with data in a temporary folder and no pause between tries."""
    return load_settings(None, [f"paths.data={tmp_path / 'data'}", "flow.retry_delay_s=0.0"])


@pytest.fixture
def metadata() -> Metadata:
    return SAMPLE_METADATA


@pytest.fixture
def double() -> Iterator[QdrantDouble]:
    """A server's double, or a real server behind it; a defect of its own fails the test."""
    with running_double() as running:
        yield running


def drop_index(points: Points[Any], field: str) -> None:
    """Remove a payload index, as if an earlier version had made the points."""
    if isinstance(points, ServerPoints):
        points._client.delete_payload_index(points._name, field)
        return
    assert isinstance(points, ShardPoints)
    name, _ = points._index(field)
    points._update(edge.UpdateOperation.delete_field_index(name))
    points._written = 1  # so that it is flushed


@pytest.fixture(params=["embedded", "server"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    """Both ends of the interface, with a double of the server, or a real one behind it."""
    opened: Index
    if request.param == "embedded":
        opened = EmbeddedIndex(tmp_path / "qdrant")
    else:
        double = request.getfixturevalue("double")
        opened = server_index(connect(double.url, None, load_settings().storage), double.url)
    yield opened
    opened.close()


@pytest.fixture
def write_lines(tmp_path: Path) -> Callable[..., Path]:
    """Write a dump of the given elements (dicts) or raw lines (bytes)."""

    def write(*lines: dict[str, object] | bytes, name: str = "dump.lsif") -> Path:
        path = tmp_path / name
        path.write_bytes(
            b"".join(
                line if isinstance(line, bytes) else orjson.dumps(line) + b"\n" for line in lines
            )
        )
        return path

    return write


def cli_environment(environment: dict[str, str]) -> dict[str, str]:
    """Return the environment of a run: this one's, without servers that it names."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("QDRANT_", "PREFECT_"))
    }
    return {**inherited, "PYTHONPATH": str(PROJECT_ROOT), **environment}


def run_cli(
    *arguments: str, environment: dict[str, str] | None = None, cwd: Path = PROJECT_ROOT
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would, in a process of its own."""
    data = next(
        (Path(cwd, word[11:]) for word in arguments if word.startswith("paths.data=")), None
    )
    if data is None or arguments[0] != "ingest":
        return _run_cli(arguments, environment or {}, cwd)
    give_empty_database(data)
    done = _run_cli(arguments, environment or {}, cwd)
    _keep_empty_database(data)
    return done


def give_empty_database(data: Path) -> None:
    """Give the data folder an empty database of Prefect that another test made: it takes 5 s.

    A run that makes one keeps it for all processes of tests.
    """
    kept, own = _empty_databases(data)
    if kept.is_file() and not own.exists():
        with suppress(OSError):
            own.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kept, own)


def _keep_empty_database(data: Path) -> None:
    kept, own = _empty_databases(data)
    if own.is_file() and not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(kept)
        shutil.copyfile(own, temporary)
        temporary.replace(kept)


def _empty_databases(data: Path) -> tuple[Path, Path]:
    name = f"empty-{version('prefect')}.db"
    return PREFECT_KEPT / name, data / "prefect" / name


def _run_cli(
    arguments: tuple[str, ...], environment: dict[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=cli_environment(environment),
        timeout=300,
    )


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Run the command line here; return exit code, standard output, the last line of errors."""
    from flows.cli import main as cli

    capsys.readouterr()
    code = cli.main(arguments)
    out, err = capsys.readouterr()
    return (
        code,
        out,
        next((line for line in reversed(err.splitlines()) if line.startswith("lsif-ingest: ")), ""),
    )


def points(data: Path) -> dict[str, str]:
    """Return id → digest of the sample's points in the embedded index."""
    live = EmbeddedIndex(data / "qdrant").live("sample")
    return (
        {row.id: row.values[0] for row in live.structures.select(["digest"])}
        if live is not None
        else {}
    )


def children_of(parent: int) -> set[int]:
    """Return the process ids of a process's own children (Linux)."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.add(int(stat.parent.name))
        except OSError:
            continue
    return found


def moved(structure: Structure, lines: int) -> Structure:
    """Return the structure as many lines further down."""
    return replace(
        structure,
        line=structure.line + lines,
        line_from=structure.line_from + lines,
        line_to=structure.line_to + lines,
    )


SOURCE = ("--dump", str(SAMPLE_DUMP), "--root", str(SAMPLE))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))}


@pytest.fixture(scope="module")
def s3_environment() -> Iterator[dict[str, str]]:
    """The environment that leads to an S3 server on this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": S3_SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    server.stop()


@pytest.fixture
def bucket(s3_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    for name, value in s3_environment.items():
        monkeypatch.setenv(name, value)
    name = tmp_path.name.replace("_", "-").lower()
    fs.FileSystem.from_uri(f"s3://{name}?allow_bucket_creation=true")[0].create_dir(name)
    return f"s3://{name}/vectors/of-ci"


@pytest.fixture(scope="session")
def started_server() -> Iterator[TemporaryServer]:
    """A server, with its own database, for flows that run in this process."""
    from prefect.logging.configuration import setup_logging

    # A first flow would do it in the middle of a test, and drop the handler that captures records.
    setup_logging()
    server = TemporaryServer(PREFECT_KEPT)
    server.wait()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def prefect_server(started_server: TemporaryServer) -> str:
    """The server's address."""
    return started_server.api_url


@pytest.fixture(scope="session")
def server_home(started_server: TemporaryServer) -> Path:
    """The folder of the database of `prefect_server`."""
    return started_server.home


@pytest.fixture(scope="module")
def harness(prefect_server: str) -> Iterator[None]:
    """Flows that run inside this process report to that server, in the tests of one module."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        temporary_settings,
    )

    with temporary_settings(
        {PREFECT_API_URL: prefect_server, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    ):
        yield
        APILogWorker.drain_all()
        EventsWorker.drain_all()  # one that is left over fails to send what comes later


@pytest.fixture(scope="session")
def first_home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The home of Prefect in `first_run`, with a database that no server can open."""
    home = tmp_path_factory.mktemp("first-prefect")
    (home / "prefect.db").write_text("of a later version")
    return {"PREFECT_HOME": str(home)}


@pytest.fixture(scope="session")
def first_run(data: Path, first_home: dict[str, str]) -> dict[str, Any]:
    """The report of a first run on the sample in its own process, with the temporary server."""
    done = run_cli(
        "ingest", *SOURCE, "--json", "--set", f"paths.data={data}", environment=first_home
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    report: dict[str, Any] = orjson.loads(done.stdout)  # one document and nothing else
    return report


@pytest.fixture(scope="session")
def indexed_sample(first_run: dict[str, Any], data: Path) -> Path:
    """The data folder of that run."""
    return data


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No servers are named, and the homes of Prefect and Cargo are this test's."""
    for name in list(os.environ):
        if name.startswith(("QDRANT_", "PREFECT_", "CARGO_", "RUST")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "cargo"))


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Write a shell script that is found before the system's program of that name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def write(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def a_file(tmp_path: Path) -> Path:
    """A file where a folder should be: root can write everywhere else."""
    path = tmp_path / "a-file"
    path.touch()
    return path


def copied(data: Path, target: Path) -> Path:
    """Return a copy of a data folder that a test may change; the holes of its files stay holes."""
    return Path(shutil.copytree(data, target, copy_function=copy_file))


@pytest.fixture
def indexed(indexed_sample: Path, tmp_path: Path) -> Path:
    """A data folder with an index of the sample."""
    return copied(indexed_sample, tmp_path / "data")
