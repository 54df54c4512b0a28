"""A searchable index of the sample that needs no model, changes to it, and a server of it.

The index says that it was made with the packaged model, so everything but the model itself is
real: its vectors come from a fake encoder, which also replaces the model for queries.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from configs.settings import Settings, load_settings
from configs.workspace import ProjectWorkspace, Workspace
from embedding import models
from embedding.models import resolve_model
from embedding.work_units import WorkUnit
from flows.stages.records import import_records, parse_repository
from flows.stages.upload import upload
from flows.stages.vectors import embed, plan_vectors
from lsif.jsonl import read_blocks, read_structures, write_records
from lsif.structure import Structure, with_digest
from search.service import SearchService
from search.web.app import make_app
from storage.metadata import Metadata
from storage.upload import UploadReport

from conftest import SAMPLE, SAMPLE_DUMP, FakeEncoder

DEFAULT_MODEL, *_ = models.AUTO_MODELS
_DEFAULT = models.PACKAGED_MODELS[DEFAULT_MODEL.removeprefix(models.PACKAGED_PREFIX)]
DEFAULT_TOLD = f"{DEFAULT_MODEL} ({_DEFAULT.weights_sha256[:12]}"
"""How messages begin to tell the model that new indexes get."""
HOSTS = ("localhost", "127.0.0.1", "[::1]")


@dataclass
class Models:
    """The fake encoder, and each model that was loaded in whose place it stands."""

    encoder: FakeEncoder
    loaded: list[str] = field(default_factory=list)

    def encoded(self, text: str) -> int:
        """Return how often the text was encoded."""
        return sum(batch.count(text) for batch in self.encoder.batches)

    def forget(self) -> None:
        """Let models be loaded anew."""
        models._load_once.cache_clear()
        models._query_encoder_once.cache_clear()
        self.loaded.clear()


@contextmanager
def fake_models() -> Iterator[Models]:
    """Load the fake encoder instead of each model; fingerprints stay those of the models."""
    fake = Models(FakeEncoder(384))

    def load(source: object, *_others: object) -> FakeEncoder:
        fake.loaded.append(str(source))
        return fake.encoder

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("embedding.models.load_encoder", load)
        patch.setattr("embedding.encoders.numpy_bert.load_query_encoder", load)
        fake.forget()
        yield fake
        fake.forget()


def settings_of(data: Path, *overrides: str) -> Settings:
    return load_settings(None, [f"paths.data={data}", *overrides])


def workspace_of(data: Path, *overrides: str) -> Workspace:
    return Workspace(settings_of(data, *overrides))


def index_sample(
    data: Path,
    root: Path = SAMPLE,
    *,
    dump: Path = SAMPLE_DUMP,
    commit: str | None = "0123abc",
    dirty: bool = False,
    references: bool = False,
) -> UploadReport:
    """Index the sample, with sources in `root`, as `lsif-ingest ingest` does without Prefect.

    With `references` it has impl blocks, too. Return what the upload did.
    """
    project = _project(data, "sample")
    parsed = parse_repository(
        project,
        dump,
        root,
        project.folder,
        source_items=references,
        references=references,
    )
    return _publish(project, commit=commit, dirty=dirty, places=parsed.places_digest)


def index_tutorial(data: Path, source: Path, project: str) -> None:
    """Index a structures.jsonl in the tutorial's format."""
    workspace = _project(data, project)
    import_records(workspace, source, workspace.folder)
    _publish(workspace)


def structures_of(data: Path) -> list[Structure]:
    """Return the sample's structures as they were indexed last."""
    return list(read_structures(_project(data, "sample").folder.structures))


def index_structures(data: Path, structures: Iterable[Structure]) -> None:
    """Index these structures instead of the sample's."""
    project = _project(data, "sample")
    write_records(project.folder.structures, structures)
    project.folder.blocks.touch()
    _publish(project)


def document(data: Path, word: str, symbol: str = "sample::cache::Cache<K, V>::insert") -> None:
    """Publish another generation, in which the documentation of one structure is this word."""
    index_structures(
        data,
        [
            changed(structure, docstring=word) if structure.symbol == symbol else structure
            for structure in structures_of(data)
        ],
    )


def changed(structure: Structure, **changes: Any) -> Structure:
    """Return the structure with other fields, those of its context included."""
    fields = asdict(structure)
    del fields["digest"]
    fields["context"] |= {
        name: changes.pop(name) for name in list(changes) if name in fields["context"]
    }
    return with_digest({**fields, **changes})


def _project(data: Path, name: str) -> ProjectWorkspace:
    project = workspace_of(data).for_project(name)
    project.folder.path.mkdir(parents=True, exist_ok=True)
    return project


def _publish(
    project: ProjectWorkspace,
    *,
    commit: str | None = "0123abc",
    dirty: bool = False,
    places: str = "",
) -> UploadReport:
    folder = project.folder
    units: list[WorkUnit] = []
    plan = plan_vectors(project, units.append)
    plan.take(list(read_structures(folder.structures)), list(read_blocks(folder.blocks)))
    plan.finish()
    for unit in units:
        plan.begin(unit)
        plan.done(unit, embed(project, unit))
    plan.no_more()
    metadata = Metadata(project.project, "file:///sample", commit, dirty, "", {}, places=places)
    report = upload(project, metadata, plan)
    plan.close()
    return report


def model_digests(settings: Settings) -> dict[str, str]:
    """Return the digest of each vector's fingerprint."""
    return {
        name: resolve_model(getattr(settings.embedding, name)).fingerprint.digest
        for name in ("text", "code")
    }


@dataclass
class Site:
    """A server that runs, what it serves, and a client of it."""

    service: SearchService
    client: httpx.Client
    port: int

    def get(self, path: str, /, **parameters: Any) -> httpx.Response:
        """Ask for a path."""
        return self.client.get(path, params=parameters or None)

    def json(self, path: str, /, **parameters: Any) -> dict[str, Any]:
        """Return what was asked for, which must be there."""
        reply = self.get(path, **parameters)
        assert reply.status_code == 200, reply.text
        document: dict[str, Any] = reply.json()
        return document

    def refusal(self, path: str, /, **parameters: Any) -> tuple[int, str]:
        """Return status and message."""
        reply = self.get(path, **parameters)
        return reply.status_code, reply.json()["detail"]

    def send(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send bytes as they are; return status (0: it hung up), lower-case headers, and body."""
        received = b""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection,
            suppress(ConnectionError),
        ):
            connection.sendall(request)
            while part := connection.recv(65_536):
                received += part
        if not received:
            return 0, {}, b""
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        return int(first.split()[1]), headers, body


@contextmanager
def served(service: SearchService, hosts: Sequence[str] = HOSTS) -> Iterator[Site]:
    """Serve on a port of 127.0.0.1 in a thread, as `lsif-ingest serve` does; close the service."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    port = listening.getsockname()[1]
    config = uvicorn.Config(
        make_app(service, hosts),
        log_level="warning",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="uvicorn")
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30
        ) as client:
            yield Site(service, client, port)
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        service.close()
    assert not thread.is_alive()


def mapped(name: str) -> int:
    """Return how many files with the name in their path this process has open or mapped (Linux)."""
    held = sum(name in line for line in Path("/proc/self/maps").read_text().splitlines())
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            held += name in str(descriptor.readlink())
    return held


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until the condition holds; fail where it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.01)
