"""What `python -m flows.deploy` prepares, without a Prefect server."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import pytest
from prefect.utilities.templating import apply_values

from flows import deploy, deploy_checks
from flows.errors import UsageError
from flows.prefect_api import Api

from conftest import PROJECT_ROOT, SAMPLE, SAMPLE_DUMP

API = Api("http://127.0.0.1:9/api", {})
SOURCE = ("--dump", str(SAMPLE_DUMP), "--root", str(SAMPLE))


@pytest.fixture
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a server where none is; what asks Prefect's own command line fails the test."""
    monkeypatch.setenv("PREFECT_API_URL", API.url)
    monkeypatch.setattr(deploy, "_prefect", lambda *_arguments, **_options: pytest.fail("something was made"))
    monkeypatch.setattr(deploy, "set_prefect_defaults", lambda: None)


def template(**env: str) -> dict[str, Any]:
    return {"job_configuration": {"env": "{{ env }}"}, "variables": {"properties": {"env": {"type": "object", "default": env}}}}


def test_secrets_of_the_worker_reach_containers_and_not_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "secret-of-the-worker-0451")
    monkeypatch.delenv("QDRANT_URL", raising=False)
    stored = deploy.with_environment_of_worker(template())["variables"]["properties"]["env"]["default"]
    assert stored == {"QDRANT_URL": "{{ $QDRANT_URL }}", "QDRANT_API_KEY": "{{ $QDRANT_API_KEY }}"}
    # As Prefect's worker fills it in.
    assert apply_values(stored, {}) == {"QDRANT_URL": "", "QDRANT_API_KEY": "secret-of-the-worker-0451"}


def test_a_pools_own_environment_stays() -> None:
    own = template(QDRANT_URL="http://qdrant:6333", AWS_PROFILE="{{ $AWS_PROFILE }}")
    once = deploy.with_environment_of_worker(own)
    assert once["variables"]["properties"]["env"]["default"] == {
        "QDRANT_URL": "http://qdrant:6333",
        "QDRANT_API_KEY": "{{ $QDRANT_API_KEY }}",
        "AWS_PROFILE": "{{ $AWS_PROFILE }}",
    }
    assert deploy.with_environment_of_worker(once) == once
    assert own == template(QDRANT_URL="http://qdrant:6333", AWS_PROFILE="{{ $AWS_PROFILE }}")


def test_a_worker_that_a_script_starts_in_the_background_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends itself SIGINT on SIGTERM; a shell without job control has its background jobs ignore that."""
    found: list[Any] = []
    monkeypatch.setattr(os, "execv", lambda _program, _arguments: found.append(signal.getsignal(signal.SIGINT)))
    monkeypatch.setattr(deploy, "require_server", lambda: API)
    monkeypatch.setattr(deploy, "require_pool", lambda *_: None)
    monkeypatch.setattr(deploy, "set_prefect_defaults", lambda: None)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert deploy.main(["worker"]) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert found == [signal.SIG_DFL]


@pytest.mark.parametrize("action", ["deploy", "serve"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "what is to be deployed? REPO=DIR-or-URL (--repo), or DUMP=FILE ROOT=DIR (--dump, --root)."),
        ((*SOURCE, "--cron", "every night"), "--cron (CRON=) takes minute, hour, day, month and weekday"),
        ((*SOURCE, "--cron", ""), "--cron (CRON=) takes"),
        ((*SOURCE, "--timezone", "Berlin"), "--timezone (TIMEZONE=) takes a name such as UTC or Europe/Berlin, found 'Berlin'."),
    ],
)
@pytest.mark.usefixtures("nobody_answers")
def test_wrong_usage_is_told_before_anything_is_made(
    action: str, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy.main([action, *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("target", ["deploy", "serve-flow"])
def test_make_deploys_what_is_named_and_never_the_sample(target: str) -> None:
    def command(*variables: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name not in ("REPO", "DUMP", "ROOT", "MAKEFLAGS")}
        dry = ["make", "--dry-run", target, *variables]
        return subprocess.run(dry, capture_output=True, text=True, check=True, cwd=PROJECT_ROOT, env=environment).stdout

    assert "--repo" not in command()
    assert "--dump" not in command()
    assert '--dump "$LSIF_DUMP" --root "$LSIF_ROOT"' in command("DUMP=a", "ROOT=b")
    assert '--repo "$LSIF_REPO"' in command("REPO=a")


@pytest.mark.parametrize("arguments", [("deploy", *SOURCE), ("serve", *SOURCE), ("worker",), ("automations",)])
@pytest.mark.usefixtures("nobody_answers")
def test_a_server_that_is_down_is_told_in_a_line(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.main(arguments) == 1
    assert capsys.readouterr().err == (
        "lsif-ingest: no Prefect answers at http://127.0.0.1:9/api (ConnectError): start one by `make prefect`, "
        "or name one that runs (`export PREFECT_API_URL=http://127.0.0.1:4200/api`).\n"
    )


@pytest.mark.parametrize("url", ["hooks.example.org/secret-0453", "https:///secret-0453", "http://u:secret-0453@[oops"])
@pytest.mark.usefixtures("nobody_answers")
def test_an_address_that_is_none_is_refused_unquoted(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LSIF_NOTIFY_URL", url)
    assert deploy.main(["automations"]) == 2
    assert capsys.readouterr().err == "lsif-ingest: LSIF_NOTIFY_URL is no address such as https://hooks.example.org/...\n"


@pytest.mark.parametrize(
    ("name", "pool_type", "message"),
    [
        ("typo", "process", "no work pool 'typo' at http://127.0.0.1:9/api; there are: boats, lsif-ingest. `make deploy` makes it"),
        ("boats", "process", "work pool boats is of type docker, not process: say --pool-type (POOL_TYPE=)."),
        ("lsif-ingest", "process", ""),
    ],
)
def test_a_worker_serves_a_pool_that_is_there(
    name: str, pool_type: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pools = [{"name": "lsif-ingest", "type": "process"}, {"name": "boats", "type": "docker"}]

    def ask(_api: Api, _method: str, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        assert path == "/work_pools/filter"
        wanted = body["work_pools"]["name"]["any_"] if body else [pool["name"] for pool in pools]
        return [pool for pool in pools if pool["name"] in wanted]

    monkeypatch.setattr(deploy_checks, "ask", ask)
    monkeypatch.setattr(deploy, "require_server", lambda: API)
    monkeypatch.setattr(deploy, "set_prefect_defaults", lambda: None)
    monkeypatch.setattr(os, "execv", lambda *_: None)
    before = signal.getsignal(signal.SIGINT)
    try:
        assert deploy.main(["worker", "--pool", name, "--pool-type", pool_type]) == (2 if message else 0)
    finally:
        signal.signal(signal.SIGINT, before)
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ("" if message else "Serving work pool lsif-ingest; Ctrl-C ends it.\n")
    monkeypatch.setattr(deploy_checks, "ask", lambda *_: [])
    with pytest.raises(UsageError, match="there is none"):
        deploy_checks.require_pool(API, name, pool_type)
