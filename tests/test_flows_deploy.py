"""The commands about deployments, as far as they go without a Prefect server."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import yaml  # type: ignore[import-untyped]
from prefect.utilities.templating import apply_values

from flows.cli import deploy as deploy_commands
from flows.cli import main as cli
from flows.deploy import automations, deployments, pool
from flows.deploy.reindex import withholding_secrets, without_traceback
from flows.errors import FlowError, UsageError
from flows.server.api import Api

from conftest import PROJECT_ROOT, SAMPLE, SAMPLE_DUMP

API = Api("http://127.0.0.1:9/api", {})
SOURCE = ("--dump", str(SAMPLE_DUMP), "--root", str(SAMPLE))


@pytest.fixture
def no_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a server that does not exist. A call of Prefect's command line fails the test."""
    monkeypatch.setenv("PREFECT_API_URL", API.url)
    for module in (deployments, pool):
        monkeypatch.setattr(
            module, "run_prefect", lambda *_words, **_options: pytest.fail("something was made")
        )
    monkeypatch.setattr(deploy_commands, "set_prefect_defaults", lambda: None)


def template(**env: str) -> dict[str, Any]:
    return {
        "job_configuration": {"env": "{{ env }}"},
        "variables": {"properties": {"env": {"type": "object", "default": env}}},
    }


def test_secrets_of_the_worker_reach_containers_and_not_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "secret-of-the-worker-0451")
    monkeypatch.delenv("QDRANT_URL", raising=False)
    stored = pool.with_environment_of_worker(template())["variables"]["properties"]["env"][
        "default"
    ]
    assert stored == {"QDRANT_URL": "{{ $QDRANT_URL }}", "QDRANT_API_KEY": "{{ $QDRANT_API_KEY }}"}
    # As Prefect's worker fills it in.
    assert apply_values(stored, {}) == {
        "QDRANT_URL": "",
        "QDRANT_API_KEY": "secret-of-the-worker-0451",
    }


def test_a_pools_own_environment_stays() -> None:
    own = template(QDRANT_URL="http://qdrant:6333", AWS_PROFILE="{{ $AWS_PROFILE }}")
    once = pool.with_environment_of_worker(own)
    assert once["variables"]["properties"]["env"]["default"] == {
        "QDRANT_URL": "http://qdrant:6333",
        "QDRANT_API_KEY": "{{ $QDRANT_API_KEY }}",
        "AWS_PROFILE": "{{ $AWS_PROFILE }}",
    }
    assert pool.with_environment_of_worker(once) == once
    assert own == template(QDRANT_URL="http://qdrant:6333", AWS_PROFILE="{{ $AWS_PROFILE }}")


def test_a_worker_that_a_script_starts_in_the_background_can_be_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On SIGTERM it sends itself SIGINT, which background jobs of a script ignore."""
    found: list[Any] = []
    monkeypatch.setattr(
        os, "execv", lambda _program, _arguments: found.append(signal.getsignal(signal.SIGINT))
    )
    monkeypatch.setattr(deploy_commands, "require_server", lambda: API)
    monkeypatch.setattr(deploy_commands, "require_pool", lambda *_: None)
    monkeypatch.setattr(deploy_commands, "set_prefect_defaults", lambda: None)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert cli.main(["worker"]) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert found == [signal.SIG_DFL]


@pytest.mark.parametrize("action", ["deploy", "serve-flow"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (),
            "nothing to deploy: give --repo DIR|URL, or --dump FILE and --root DIR.",
        ),
        (
            (*SOURCE, "--cron", "every night"),
            "--cron takes minute, hour, day, month and weekday",
        ),
        ((*SOURCE, "--cron", ""), "--cron takes"),
        (
            (*SOURCE, "--timezone", "Berlin"),
            "--timezone takes a name such as UTC or Europe/Berlin, found 'Berlin'.",
        ),
    ],
)
@pytest.mark.usefixtures("no_server_answers")
def test_wrong_usage_is_reported_before_anything_is_made(
    action: str, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([action, *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_make_deploys_what_is_named_and_never_the_sample() -> None:
    def command(*variables: str) -> str:
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("REPO", "DUMP", "ROOT", "MAKEFLAGS")
        }
        dry = ["make", "--dry-run", "deploy", *variables]
        return subprocess.run(
            dry, capture_output=True, text=True, check=True, cwd=PROJECT_ROOT, env=environment
        ).stdout

    assert "--repo" not in command()
    assert "--dump" not in command()
    assert '--dump "$LSIF_DUMP" --root "$LSIF_ROOT"' in command("DUMP=a", "ROOT=b")
    assert '--repo "$LSIF_REPO"' in command("REPO=a")


@pytest.mark.parametrize(
    "arguments", [("deploy", *SOURCE), ("serve-flow", *SOURCE), ("worker",), ("automations",)]
)
@pytest.mark.usefixtures("no_server_answers")
def test_a_server_that_is_down_is_reported_in_a_line(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err == (
        "lsif-ingest: no Prefect server answers at http://127.0.0.1:9/api (ConnectError): "
        "start one with `lsif-ingest prefect-server`, or name one that runs "
        "(`export PREFECT_API_URL=http://127.0.0.1:4200/api`).\n"
    )


@pytest.mark.parametrize(
    "url", ["hooks.example.org/secret-0453", "https:///secret-0453", "http://u:secret-0453@[oops"]
)
@pytest.mark.usefixtures("no_server_answers")
def test_an_address_that_is_none_is_refused_unquoted(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LSIF_NOTIFY_URL", url)
    assert cli.main(["automations"]) == 2
    assert (
        capsys.readouterr().err
        == "lsif-ingest: LSIF_NOTIFY_URL is not a URL such as https://hooks.example.org/...\n"
    )


@pytest.mark.parametrize(
    ("name", "pool_type", "message"),
    [
        (
            "typo",
            "process",
            (
                "no work pool 'typo' at http://127.0.0.1:9/api; found: boats, lsif-ingest. "
                "`lsif-ingest deploy` makes it"
            ),
        ),
        (
            "boats",
            "process",
            "work pool boats has the type docker, not process: set --pool-type.",
        ),
        ("lsif-ingest", "process", ""),
    ],
)
def test_a_worker_serves_a_pool_that_is_there(
    name: str,
    pool_type: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pools = [{"name": "lsif-ingest", "type": "process"}, {"name": "boats", "type": "docker"}]

    def ask(_api: Api, _method: str, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        assert path == "/work_pools/filter"
        wanted = body["work_pools"]["name"]["any_"] if body else [pool["name"] for pool in pools]
        return [pool for pool in pools if pool["name"] in wanted]

    monkeypatch.setattr(pool, "ask", ask)
    monkeypatch.setattr(deploy_commands, "require_server", lambda: API)
    monkeypatch.setattr(deploy_commands, "set_prefect_defaults", lambda: None)
    monkeypatch.setattr(os, "execv", lambda *_: None)
    before = signal.getsignal(signal.SIGINT)
    try:
        assert cli.main(["worker", "--pool", name, "--pool-type", pool_type]) == (
            2 if message else 0
        )
    finally:
        signal.signal(signal.SIGINT, before)
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == (
        ""
        if message
        else "Serving work pool lsif-ingest, 1 run at a time (--limit); Ctrl-C stops.\n"
    )
    monkeypatch.setattr(pool, "ask", lambda *_: [])
    with pytest.raises(UsageError, match="there is none"):
        pool.require_pool(API, name, pool_type)


@pytest.mark.parametrize(
    ("arguments", "limit"),
    [
        ((), ["--limit", "1"]),
        (("--limit", "3"), ["--limit", "3"]),
        (("--limit", "0"), []),
        (("--pool-type", "kubernetes"), []),
        (("--pool-type", "docker"), ["--limit", "1"]),
    ],
)
def test_a_worker_has_as_many_runs_at_once_as_it_may(
    arguments: tuple[str, ...], limit: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _program, words: started.append(words))
    monkeypatch.setattr(deploy_commands, "require_server", lambda: API)
    monkeypatch.setattr(deploy_commands, "require_pool", lambda *_: None)
    monkeypatch.setattr(deploy_commands, "set_prefect_defaults", lambda: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert cli.main(["worker", *arguments]) == 0
    assert started[0][started[0].index("--type") + 2 :] == limit
    assert cli.main(["worker", "--limit", "-1"]) == 2


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, "http://127.0.0.1:4200"),
        (
            {"PREFECT_SERVER_API_HOST": "172.17.0.1", "PREFECT_SERVER_API_PORT": "4300"},
            "http://172.17.0.1:4300",
        ),
        ({"PREFECT_UI_URL": "https://prefect.example.org"}, "https://prefect.example.org"),
        ({"PREFECT_API_URL": API.url}, None),  # Prefect takes it from there
    ],
)
def test_a_server_knows_the_address_of_its_page(
    environment: dict[str, str], url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found: list[dict[str, str]] = []
    monkeypatch.setattr(os, "execv", lambda *_: found.append(dict(os.environ)))
    monkeypatch.setattr(deploy_commands, "set_prefect_defaults", lambda: None)
    before = dict(os.environ)
    try:
        assert cli.main(["prefect-server"]) == 0
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
    assert found[0].get("PREFECT_UI_URL") == url


@pytest.mark.parametrize("ui_url", [None, "http://prefect.example.org:4200"])
@pytest.mark.parametrize("message", [None, 'FlowError: "a" <!channel> & b\nsecond line'])
def test_the_notification_of_a_failed_run(ui_url: str | None, message: str | None) -> None:
    from prefect.server.events.jinja_filters import all_filters
    from prefect.server.schemas.core import FlowRun
    from prefect.server.schemas.states import Failed
    from prefect.server.utilities.user_templates import (
        register_user_template_filters,
        render_user_template_sync,
        validate_user_template,
    )
    from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

    register_user_template_filters(all_filters)
    (notifies, _) = yaml.safe_load(automations.DEFINITIONS.read_text(encoding="utf-8"))
    payload = notifies["actions"][0]["payload"]
    validate_user_template(payload)
    run = FlowRun(
        id=UUID("018cd4ee-67d2-41e1-9c5f-0aa9a0f8f9b6"),
        flow_id=UUID("018cd4ee-67d2-41e1-9c5f-0aa9a0f8f9b7"),
        name="reindex-sample",
        state=Failed(message=message and message + "x" * 1000),
    )
    with temporary_settings({PREFECT_UI_URL: ui_url, PREFECT_API_URL: None}):
        text = json.loads(
            render_user_template_sync(
                payload, {"flow_run": run, "deployment": SimpleNamespace(name="nightly-sample")}
            )
        )
    words = ["lsif-ingest: nightly-sample, run reindex-sample is Failed."]
    if message:
        assert len(text["text"]) < 700
        text["text"] = text["text"].replace("x" * (500 - len(message)), "")
        words.append('FlowError: "a" &lt;!channel&gt; &amp; b\nsecond line')
    words += [f"{ui_url}/runs/flow-run/{run.id}"] if ui_url else []
    assert text == {"text": " ".join(words)}


def test_a_failure_that_its_message_explains_is_logged_without_traceback() -> None:
    def logged(failure: Exception) -> Any:
        record = logging.LogRecord(
            "prefect.flow_runs",
            logging.ERROR,
            "f",
            1,
            "failed",
            None,
            (type(failure), failure, None),
        )
        assert without_traceback(record)
        return record.exc_info

    assert logged(FlowError("no ref nosuch.")) is None
    assert logged(ValueError("a defect")) is not None


def test_the_message_of_a_failed_run_quotes_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "secret-of-the-worker-0451")
    monkeypatch.setenv("QDRANT_URL", "https://me:secret-0452@qdrant.example.org")
    with pytest.raises(FlowError) as raised, withholding_secrets():
        raise ValueError(
            "401 at https://me:secret-0452@qdrant.example.org for secret-of-the-worker-0451"
        )
    assert str(raised.value) == "ValueError: 401 at https://***@qdrant.example.org for ***"
    with pytest.raises(ValueError, match="^a defect$"), withholding_secrets():
        raise ValueError("a defect")


@pytest.mark.usefixtures("no_server_answers")
def test_undeploy_asks_for_a_project(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["undeploy"]) == 2
    assert "which project? Give --project NAME, or --repo DIR|URL." in capsys.readouterr().err
    assert cli.main(["undeploy", "--project", "a/b"]) == 2
    assert cli.main(["undeploy", "--project", "a"]) == 1  # no server answers
