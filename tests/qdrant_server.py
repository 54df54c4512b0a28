"""A real Qdrant in the double's place, where QDRANT_TEST_BINARY names its program.

Each test gets a process of its own (restarts share one), on free ports of 127.0.0.1 and with a
folder of its own. The double stands in front of it as a proxy, so that faults are injected as ever.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import orjson
import pytest
from qdrant_client import QdrantClient
from qdrant_writes import Refusal

from qdrant_double import Call, QdrantDouble, as_error

BINARY = "QDRANT_TEST_BINARY"
_INSIDE = frozenset({"configs", "payload_indexes", "snapshots", "writes", "values", "local"})
"""What only the double has."""
_READY_S, _END_S = 60.0, 20.0


class QdrantServer:
    """A process that runs the program, until `stop`; its data stay in the folder."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._http, self._grpc = _free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http}"

    def start(self) -> None:
        """Start it unless it runs, on the same ports as before, and wait until it is ready."""
        if self._process is not None:
            return
        settings = {
            "SERVICE__HOST": "127.0.0.1",
            "SERVICE__HTTP_PORT": str(self._http),
            "SERVICE__GRPC_PORT": str(self._grpc),
            "STORAGE__STORAGE_PATH": str(self._folder / "storage"),
            "STORAGE__SNAPSHOTS_PATH": str(self._folder / "snapshots"),
            "TELEMETRY_DISABLED": "true",
            "LOG_LEVEL": "WARN",
        }
        # Those of the shell, such as a key, are for another server.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("QDRANT__")
        }
        environment |= {f"QDRANT__{name}": value for name, value in settings.items()}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program], cwd=self._folder, env=environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _READY_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self._program} does not start: {self._log()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it: what it acknowledged must be there when it starts again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_END_S)
            self._process = None

    def _is_ready(self) -> bool:
        try:
            answered = httpx.get(f"{self.url}/readyz", trust_env=False)
        except httpx.TransportError:
            return False
        return answered.status_code == httpx.codes.OK

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2000:]


class QdrantProxy(QdrantDouble):
    """The double with a real server behind it: faults are the double's, answers the server's."""

    def __init__(self, server: QdrantServer, **options: Any) -> None:
        super().__init__(**options)
        self.client.close()
        for name in _INSIDE:
            delattr(self, name)
        self.server = server
        self._own_version = self.version
        # A proxy that the environment names is not asked for this machine.
        self.client = QdrantClient(url=server.url, check_compatibility=False, trust_env=False)
        self._http = httpx.Client(base_url=server.url, timeout=120, trust_env=False)

    def __exit__(self, *details: object) -> None:
        super().__exit__(*details)
        self._http.close()

    def start(self) -> None:
        self.server.start()
        super().start()

    def stop(self) -> None:
        super().stop()
        self.server.stop()

    def __getattr__(self, name: str) -> Any:
        if name in _INSIDE:
            pytest.skip(f"looks inside the double: {name}")
        raise AttributeError(name)

    def answer(self, call: Call, headers: Mapping[str, str]) -> tuple[int, bytes]:
        try:
            self._admit(call, headers)
        except Refusal as refusal:
            return as_error(*refusal.args)
        if call.path == "/" and self.version != self._own_version:
            return 200, orjson.dumps({"title": "qdrant", "version": self.version})
        body = call.body
        if self.strict_mode and call.method == "PUT" and call.path.count("/") == 2:
            body = orjson.dumps({"strict_mode_config": self.strict_mode, **call.json})
        answered = self._http.request(
            call.method,
            call.path,
            params={name: values[0] for name, values in call.query.items()},
            content=body,
            headers={"Content-Type": "application/json"},
        )
        return answered.status_code, answered.content

    def refuse_points(self, ids: object) -> None:  # noqa: ARG002 - the double's arguments
        pytest.skip("a real server declines no sound point")

    def stay_yellow(self) -> None:
        pytest.skip("a real server gets green")

    stay_grey = stay_yellow


@contextmanager
def running_double(**options: Any) -> Iterator[QdrantDouble]:
    """Yield the double, with a real server behind it where one is given.

    A defect of the double's own fails the test.
    """
    program = os.environ.get(BINARY, "")
    if not program:
        with QdrantDouble(**options) as double:
            yield double
            assert double.errors == []
        return
    with (
        tempfile.TemporaryDirectory(prefix="qdrant-") as folder,
        QdrantServer(Path(program), Path(folder)) as server,
        QdrantProxy(server, **options) as proxy,
    ):
        yield proxy


def _free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports
