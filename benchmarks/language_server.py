"""A client of rust-analyzer as a language server, as small as comparisons need it.

Files are never opened: the server reads them from the disk. Positions are 0-based, columns UTF-16.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO, Self

SETTINGS = {
    "cachePriming": {"enable": False},
    "cargo": {"allTargets": True, "buildScripts": {"enable": True}},
    "cfg": {"setTest": True},
    "checkOnSave": False,
    "files": {"watcher": "server"},
    "procMacro": {"enable": True},
    "references": {"excludeImports": False, "excludeTests": False},
}
"""What `rust-analyzer lsif` does, too: all targets, tests, build scripts and procedural macros."""
CAPABILITIES = {
    "experimental": {"serverStatusNotification": True},
    "general": {"positionEncodings": ["utf-16"]},
    "window": {"workDoneProgress": True},
}
TIMEOUT_S = 1800


class ServerEnded(RuntimeError):
    """The server ended before it answered."""


class RequestFailed(RuntimeError):
    """The server answered a request by an error; it may have panicked, and goes on."""


class LanguageServer:
    """A server that has loaded a project, in use as a context."""

    def __init__(self, command: str, root: Path, environment: Mapping[str, str]) -> None:
        """Start the server in `root`; it is ended after half an hour at the latest."""
        self.root = root.resolve()
        self._process = subprocess.Popen(
            [command],
            cwd=self.root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._ids = count(1)
        self._is_ready = False
        self._guard = threading.Timer(TIMEOUT_S, self._process.kill)
        self._guard.daemon = True

    def __enter__(self) -> Self:
        """Wait until the project is loaded."""
        self._guard.start()
        folder = {"uri": self.root.as_uri(), "name": self.root.name}
        answer = self.request(
            "initialize",
            processId=os.getpid(),
            rootUri=folder["uri"],
            workspaceFolders=[folder],
            capabilities=CAPABILITIES,
            initializationOptions=SETTINGS,
        )
        self.name = "{name} {version}".format(**answer["serverInfo"])
        """The program with its version."""
        self._send({"method": "initialized", "params": {}})
        self._wait()
        return self

    def _wait(self) -> None:
        """Wait until the server says that it is ready, and still is after another answer.

        Between two steps of loading it says so, too.
        """
        is_ready = False
        while not is_ready:
            self._take()
            if self._is_ready:
                self.request("rust-analyzer/analyzerStatus")
                is_ready = self._is_ready

    def request(self, method: str, **params: Any) -> Any:
        """Return the server's result. Raises RequestFailed or ServerEnded if it has none."""
        number = next(self._ids)
        has_none = method == "shutdown"
        self._send({"id": number, "method": method, **({} if has_none else {"params": params})})
        while True:
            message = self._take()
            if message.get("id") == number and "method" not in message:
                if "error" in message:
                    raise RequestFailed(f"{method}: {message['error']['message']}")
                return message.get("result")

    def at(self, method: str, path: str, line: int, column: int, **params: Any) -> Any:
        """Return the result of a request about a position in a file of the project."""
        return self.request(
            method,
            textDocument={"uri": (self.root / path).as_uri()},
            position={"line": line, "character": column},
            **params,
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError, ServerEnded):
            self.request("shutdown")
            self._send({"method": "exit"})
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        self._process.kill()
        self._process.wait()
        self._guard.cancel()

    def _take(self) -> dict[str, Any]:
        """Return the next message; answer it if it is a request of the server."""
        message = _read(self._stdout)
        match message:
            case {"id": number, "method": "workspace/configuration", "params": params}:
                self._send({"id": number, "result": [SETTINGS] * len(params["items"])})
            case {"id": number, "method": _}:
                self._send({"id": number, "result": None})
            case {"method": "experimental/serverStatus", "params": {"quiescent": is_ready}}:
                self._is_ready = is_ready
            case _:
                pass
        return message

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._stdin.flush()

    @property
    def _stdin(self) -> BinaryIO:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        return self._process.stdin  # type: ignore[return-value]

    @property
    def _stdout(self) -> BinaryIO:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        return self._process.stdout  # type: ignore[return-value]


def _read(stream: BinaryIO) -> dict[str, Any]:
    """Return the next message of the stream."""
    size = 0
    while (line := stream.readline()) != b"\r\n":
        if not line:
            raise ServerEnded("the language server ended before it answered.")
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    message: dict[str, Any] = json.loads(stream.read(size))
    return message
