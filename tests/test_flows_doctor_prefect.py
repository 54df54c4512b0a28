"""The doctor's checks of a Prefect server, with a double of it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from flows.doctor import prefect as doctor_prefect
from flows.doctor.finding import Finding
from flows.server import api as prefect_api

from conftest import run_cli

pytestmark = pytest.mark.usefixtures("bare_environment")


class PrefectDouble(ThreadingHTTPServer):
    """Answers what a test gives it for each path; 404 and a page otherwise."""

    daemon_threads = True

    def __init__(self, answers: dict[str, Any], authorization: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.answers, self.authorization = answers, authorization
        self.released = threading.Event()


class _Answers(BaseHTTPRequestHandler):
    server: PrefectDouble

    def _serve(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        known = self.path in self.server.answers
        code = 200 if known else 404
        if known and self.server.authorization not in ("", self.headers.get("Authorization")):
            code = 401
        answer = self.server.answers.get(self.path)
        if answer == "hang":
            self.server.released.wait(30)
        body = orjson.dumps(answer) if known else b"<html>"
        self.send_response(code)
        self.send_header("Content-Type", "application/json" if known else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _serve  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@contextmanager
def prefect(monkeypatch: pytest.MonkeyPatch, authorization: str = "", **more: Any) -> Iterator[str]:
    """Run a double of Prefect 3.8.8 that the environment names; yield its API's URL."""
    answers = {"/api/health": True, "/api/admin/version": "3.8.8"}
    answers.update({f"/api/{name}": answer for name, answer in more.pop("answers", {}).items()})
    with PrefectDouble(answers, authorization) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api"
        monkeypatch.setenv("PREFECT_API_URL", url)
        yield url
        server.released.set()
        server.shutdown()


def test_without_a_server_each_run_starts_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finding = doctor_prefect.check_server()
    assert finding == Finding(
        "prefect server", "ok", "none (PREFECT_API_URL is not set): each run starts a temporary one"
    )
    assert doctor_prefect.check_deployments() == Finding(
        "deployments", "skipped", "no Prefect server"
    )


@pytest.mark.parametrize(
    ("client", "status", "advice"),
    [
        ("3.8.1", "ok", ""),
        ("3.9.0", "warning", "pip install 'prefect==3.9.0' where the server runs"),
        (
            "4.0.0",
            "failed",
            "python -m pip install 'prefect==3.8.8', or use a server of version 4.0.0",
        ),
    ],
)
def test_the_versions_of_client_and_server_fit_or_not(
    client: str, status: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prefect(monkeypatch) as url:
        finding = doctor_prefect.check_server(client)
    assert finding == Finding(
        "prefect server", status, f"Prefect 3.8.8 at {url}, {client} here", advice
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("PREFECT_API_KEY", "pnu_the-key", "Bearer pnu_the-key"),
        (
            "PREFECT_API_AUTH_STRING",
            "admin:pass",
            f"Basic {base64.b64encode(b'admin:pass').decode()}",
        ),
    ],
)
def test_a_prefect_server_takes_the_key_or_refuses(
    name: str, value: str, sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prefect(monkeypatch, sent) as url:
        finding = doctor_prefect.check_server()
        assert (finding.status, finding.found) == ("failed", f"{url} denies access (HTTP 401)")
        assert (
            finding.advice == "export PREFECT_API_KEY=KEY, or PREFECT_API_AUTH_STRING=USER:PASSWORD"
        )
        assert doctor_prefect.check_deployments().status == "skipped"
        monkeypatch.setenv(name, value)
        assert doctor_prefect.check_server("3.8.8").status == "ok"


def test_an_address_without_api_or_no_address_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with prefect(monkeypatch) as url:
        monkeypatch.setenv("PREFECT_API_URL", url.removesuffix("/api"))
        finding = doctor_prefect.check_server()
    assert (finding.status, finding.advice) == ("failed", f"export PREFECT_API_URL={url}")
    finding = doctor_prefect.check_server()
    assert (
        finding.found == f"no Prefect server answers at {url.removesuffix('/api')} (ConnectError)"
    )
    assert finding.advice == "prefect server start, or unset PREFECT_API_URL"
    for bad in ("localhost:4200/api", "http://u:geheim@[oops/api", "http://host:port/api"):
        monkeypatch.setenv("PREFECT_API_URL", bad)
        finding = doctor_prefect.check_server()
        assert (finding.status, finding.found) == ("failed", "PREFECT_API_URL is not a URL")


def test_a_prefect_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_api, "_ANSWER_S", 0.3)
    with prefect(monkeypatch, answers={"health": "hang"}) as url:
        finding = doctor_prefect.check_server()
    assert (finding.status, finding.found) == (
        "failed",
        f"Prefect at {url} did not answer within 0.3 s",
    )


def test_a_profile_names_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with prefect(monkeypatch) as url:
        home = tmp_path / "home"
        home.mkdir()
        (home / "profiles.toml").write_text(
            f'active = "ours"\n[profiles.ours]\nPREFECT_API_URL = "{url}"\n'
        )
        where = {"PREFECT_HOME": str(home)}
        done = run_cli(
            "doctor",
            "--json",
            "--set",
            f"paths.data={tmp_path / 'data'}",
            environment=where,
            cwd=tmp_path,
        )
    server = next(
        item for item in orjson.loads(done.stdout)["checks"] if item["check"] == "prefect server"
    )
    assert server["found"].startswith(f"Prefect 3.8.8 at {url}, ")


def test_deployments_are_reported_with_their_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        {"name": "nightly-sample", "work_pool_name": "lsif", "status": "READY", "paused": False},
        {"name": "on-merge-sample", "work_pool_name": "lsif", "status": "READY", "paused": True},
        {"name": "by-hand", "work_pool_name": None, "status": "NOT_READY", "paused": False},
    ]
    workers = [{"name": "w", "status": "ONLINE", "last_heartbeat_time": "2020-01-01T00:00:00Z"}]
    answers: dict[str, Any] = {
        "deployments/filter": found,
        "work_pools/lsif/workers/filter": workers,
    }
    with prefect(monkeypatch, answers=answers):
        finding = doctor_prefect.check_deployments()
        workers[0]["status"] = "OFFLINE"
        with prefect(monkeypatch, answers=answers):
            lonely = doctor_prefect.check_deployments()
        with prefect(monkeypatch, answers={"deployments/filter": []}):
            none = doctor_prefect.check_deployments()
        with prefect(monkeypatch, answers={"deployments/filter": [{"work_pool_name": None}]}):
            odd = doctor_prefect.check_deployments()
    expected = (
        "nightly-sample ready in lsif; on-merge-sample paused in lsif; by-hand not_ready, served; "
        "lsif: 1 worker, last heartbeat "
    )
    assert (finding.status, finding.found.startswith(expected)) == ("ok", True)
    assert (lonely.status, lonely.advice) == ("warning", "prefect worker start --pool lsif")
    assert none == Finding("deployments", "skipped", "no deployment has the tag lsif-ingest")
    assert (odd.status, odd.found) == ("warning", "unexpected answer from the server: KeyError")


@pytest.mark.parametrize("how", [{"paused": True}, {"schedules": [{"active": False}]}])
def test_a_nightly_that_is_paused_is_reported(
    how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    nightly = {
        "name": "nightly-sample",
        "work_pool_name": None,
        "status": "READY",
        "paused": False,
        "schedules": [{"active": True}],
    }
    with prefect(monkeypatch, answers={"deployments/filter": [nightly]}):
        running = doctor_prefect.check_deployments()
    with prefect(monkeypatch, answers={"deployments/filter": [{**nightly, **how}]}):
        paused = doctor_prefect.check_deployments()
    assert running == Finding("deployments", "ok", "nightly-sample ready, served")
    assert (paused.status, paused.found) == ("warning", "nightly-sample paused, served")
    assert paused.advice.startswith(
        "nightly-sample won't start at night: run lsif-ingest serve-flow or lsif-ingest deploy"
    )
