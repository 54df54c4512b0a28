"""A Prefect server for one run, where none is configured.

Prefect would start one by itself; that one shares the terminal's process group, so that Ctrl-C ends the server before the run
can tell it anything, and it outlives a run that is killed. This one is in a session of its own and ends when the pipe to the run
does, however the run ended. Run as a program (`python -m flows.temporary_server PORT`) it is the server itself.
"""

from __future__ import annotations

import atexit
import gc
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from flows.errors import FlowError

_STARTUP_S = 120
"""A busy machine with a new database takes half a minute."""
_SHUTDOWN_S = 10
_SETTINGS = {
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_UI_ENABLED": "false",
    # Services that one run does not need. The database is SQLite, where each more writer is one more to wait for:
    # https://github.com/PrefectHQ/prefect/issues/18934
    **{
        f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false"
        for name in (
            "CANCELLATION_CLEANUP",
            "CLEANUP_RECONCILER",
            "EVENT_PERSISTER",
            "FOREMAN",
            "LATE_RUNS",
            "PAUSE_EXPIRATIONS",
            "REPOSSESSOR",
            "SCHEDULER",
            "TRIGGERS",
        )
    },
}


class TemporaryServer:
    """A server that starts at once and lives as long as this process, or until `stop`."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self.api_url = f"http://127.0.0.1:{self._port}/api"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flows.temporary_server", str(self._port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**_SETTINGS, **{name: value for name, value in os.environ.items() if not name.startswith("QDRANT_")}},
        )
        # Not when the flow ends: Prefect's threads tell the server the last events when the interpreter goes down, before this.
        atexit.register(self.stop)

    def wait(self) -> None:
        """Return once the server answers. Raises FlowError where it does not come up."""
        deadline = time.monotonic() + _STARTUP_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.api_url}/health", timeout=5):  # noqa: S310 - a loopback address of our own
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        ended = self._process.poll()
        what = f"ended with status {ended}" if ended is not None else f"did not answer within {_STARTUP_S} s"
        raise FlowError(f"the temporary Prefect server {what}. Try `prefect server start` and set PREFECT_API_URL.")

    def stop(self) -> None:
        """Let the server finish what it does, then end it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_SHUTDOWN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve(port: int) -> None:
    """Serve Prefect's API on the loopback port until standard input ends."""
    gc.disable()  # what is imported stays: looking through it again and again is a tenth of the start
    import uvicorn  # noqa: PLC0415 - in the server's own process only
    from prefect.server.api.server import create_app  # noqa: PLC0415

    gc.freeze()
    gc.enable()

    server = uvicorn.Server(uvicorn.Config(create_app(ephemeral=True), host="127.0.0.1", port=port, log_level="critical"))

    def watch() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True
        time.sleep(_SHUTDOWN_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    server.run()
    os._exit(0)  # the server is down and its database closed; taking the interpreter apart would keep the run waiting for seconds


if __name__ == "__main__":
    serve(int(sys.argv[1]))
