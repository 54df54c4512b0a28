"""A Prefect server for one run, if none is configured.

Prefect would start one itself. That one shares the terminal's process group, so that Ctrl-C ends it
before the run can report to it, and it outlives a run that is killed. This one has its own session
and ends when the pipe to the run does, however the run ended. Run as a program
(`python -m flows.server.temporary FD HOME`), this module is the server.

Its database is its own: the user's may be of another version of Prefect, damaged, or not writable.
Making one takes 5 s of processor time, so that an empty one is kept for the next run.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path

from flows.errors import FlowError
from machine.files import temporary_beside
from machine.proxies import without_proxies

_STARTUP_S = 120
"""A busy machine with a new database takes half a minute."""
_SHUTDOWN_S = 10
_SETTINGS = {
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_UI_ENABLED": "false",
    # No run needs Prefect's types of blocks; a server that stays registers them. Without the second
    # setting it would not, because this one would note in PREFECT_HOME that it had.
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    # Services that one run does not need. The database is SQLite, where writers wait for each
    # other: https://github.com/PrefectHQ/prefect/issues/18934
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


_DATABASE = "prefect.db"
_OF_ANOTHER_SERVER = (
    "QDRANT_",
    "PREFECT_HOME",
    "PREFECT_PROFILES_PATH",
    "PREFECT_API_DATABASE_",
    "PREFECT_SERVER_DATABASE_",
)
"""Beginnings of the names of variables that it does not get."""


class TemporaryServer:
    """A server that starts at once and lives as long as this process, or until `stop`."""

    def __init__(self, kept: Path | None = None) -> None:
        """Start it with a copy of the empty database in the folder `kept`, if there is one."""
        self._empty = None if kept is None else kept / f"empty-{version('prefect')}.db"
        self.home = Path(tempfile.mkdtemp(prefix="lsif-ingest-prefect-"))
        """Its PREFECT_HOME, which is removed when it ends."""
        self._is_new = not _copied(self._empty, self.home / _DATABASE)
        # The server gets the bound socket: a port that is free now may soon be another run's.
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        self.api_url = f"http://127.0.0.1:{bound.getsockname()[1]}/api"
        # 0 to 2 may be closed here, and are the server's own.
        descriptor = fcntl.fcntl(bound.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
        bound.close()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - for as long as the server lives
        self._process = subprocess.Popen(
            # -P: the working folder may have packages with our names, and they must not run
            [
                *(sys.executable, "-P", "-m", "flows.server.temporary"),
                *(str(descriptor), str(self.home)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            start_new_session=True,
            pass_fds=(descriptor,),
            env={
                **_SETTINGS,
                **{
                    name: value
                    for name, value in without_proxies(os.environ).items()
                    if not name.upper().startswith(_OF_ANOTHER_SERVER)
                },
                "PREFECT_HOME": str(self.home),
                "PREFECT_API_DATABASE_CONNECTION_URL": (
                    f"sqlite+aiosqlite:///{self.home / _DATABASE}"
                ),
            },
        )
        os.close(descriptor)  # ours; the server has its own
        # Not when the flow ends: Prefect's threads send their last events as the interpreter ends,
        # before this.
        atexit.register(self.stop)

    def wait(self) -> None:
        """Return once the server answers. Raises FlowError if it does not start."""
        deadline = time.monotonic() + _STARTUP_S
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with opener.open(f"{self.api_url}/health", timeout=5):
                    self._keep_empty()
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        ended = self._process.poll()
        what = (
            f"ended with status {ended}{self._last_words()}"
            if ended is not None
            else f"did not answer within {_STARTUP_S} s"
        )
        raise FlowError(
            f"the temporary Prefect server {what}. "
            "Try `prefect server start` and set PREFECT_API_URL."
        )

    def _keep_empty(self) -> None:
        """Keep a copy of the new database, which no run has written to yet, for other runs."""
        if self._empty is None or not self._is_new:
            return
        self._is_new = False
        temporary = temporary_beside(self._empty)
        # Nothing depends on it: a later run makes one again.
        with suppress(OSError, sqlite3.Error):
            self._empty.parent.mkdir(parents=True, exist_ok=True)
            for old in self._empty.parent.glob("empty-*.db"):
                old.unlink()
            with (
                closing(sqlite3.connect(self.home / _DATABASE)) as made,
                closing(sqlite3.connect(temporary)) as copy,
            ):
                made.backup(copy)
            temporary.replace(self._empty)
        temporary.unlink(missing_ok=True)

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        return next(
            (f": {line.strip()[:200].rstrip('.')}" for line in reversed(lines) if line.strip()), ""
        )

    def stop(self) -> None:
        """Let the server finish what it does, then end it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_SHUTDOWN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()
        shutil.rmtree(self.home, ignore_errors=True)


def _copied(empty: Path | None, target: Path) -> bool:
    """Return whether there is an empty database that is sound, and the target is its copy."""
    if empty is None or not empty.is_file():
        return False
    try:
        shutil.copyfile(empty, target)
        with closing(sqlite3.connect(target)) as database:
            (sound,) = database.execute("PRAGMA quick_check").fetchone()
            database.execute("SELECT version_num FROM alembic_version").fetchone()
            (runs,) = database.execute("SELECT count(*) FROM flow_run").fetchone()
    except (OSError, sqlite3.Error):
        sound, runs = "damaged", 0
    if (sound, runs) == ("ok", 0):
        return True
    target.unlink(missing_ok=True)
    return False


def serve(bound: socket.socket, home: Path) -> None:
    """Serve Prefect's API on the bound socket until standard input ends; then remove its home."""
    # The imports make some hundred thousand objects that all stay; looking through them again and
    # again takes a quarter of the imports' time.
    gc.disable()
    import uvicorn  # noqa: PLC0415 - in the server's own process only
    from prefect.server.api.server import create_app  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    server = uvicorn.Server(uvicorn.Config(create_app(ephemeral=True), log_level="critical"))

    def watch() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True
        time.sleep(_SHUTDOWN_S)
        shutil.rmtree(home, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    server.run(sockets=[bound])
    shutil.rmtree(home, ignore_errors=True)  # its run may have been killed
    # All is stored and every service has ended; a normal exit would take a second for nothing.
    os._exit(0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]))
