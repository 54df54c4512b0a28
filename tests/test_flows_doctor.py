"""`lsif-ingest doctor` runs all checks, prints what they found, and keeps secrets to itself."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from doctored import healthy_programs

from configs.settings import Settings
from configs.workspace import Workspace
from flows.doctor.examination import checks_of, examine
from flows.doctor.finding import Finding
from machine import programs
from machine.secrets import secrets_of

from conftest import PROJECT_ROOT, SAMPLE, run, run_cli

pytestmark = pytest.mark.usefixtures("bare_environment")
CHECKS = [
    "python",
    "packages",
    "torch",
    "git",
    "rust-analyzer",
    "rust-src",
    "cargo",
    "model text",
    "model code",
    "checkpoint",
    "index",
    "prefect",
    "prefect server",
    "deployments",
    "dask",
    "disk",
    "runs",
    "leftovers",
]


def test_every_check_runs_and_has_the_name_it_is_listed_by(settings: Settings) -> None:
    findings = examine(checks_of(Workspace(settings), SAMPLE))
    assert [finding.check for finding in findings] == [
        *CHECKS,
        "repository",
        "toolchain",
        "sources",
        "manifests",
        "features",
        "crates",
    ]
    assert {
        finding.check: check().check
        for finding, check in zip(
            findings, checks_of(Workspace(settings), SAMPLE).values(), strict=True
        )
    } == {finding.check: finding.check for finding in findings}
    assert all(finding.advice for finding in findings if finding.status in ("warning", "failed"))


def test_a_check_that_fails_or_hangs_keeps_no_other_from_its_answer() -> None:
    released = threading.Event()

    def broken() -> Finding:
        raise ValueError("not foreseen")

    def hanging() -> Finding:
        released.wait(60)
        return Finding("hanging", "ok", "at last")

    first, second, third = examine(
        {"broken": broken, "hanging": hanging, "good": lambda: Finding("good", "ok", "fine")},
        deadline_s=0.5,
    )
    released.set()
    assert (first.status, first.found) == ("failed", "ValueError: not foreseen")
    assert (second.check, second.status, second.found) == (
        "hanging",
        "failed",
        "did not answer within 0.5 s",
    )
    assert (third.status, third.found) == ("ok", "fine")


def test_a_bucket_that_never_answers_does_not_keep_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [
        "doctor",
        "--json",
        "--set",
        "checkpoint.store=s3://bucket/prefix",
        "--set",
        f"paths.data={tmp_path / 'data'}",
    ]
    script = (
        "import sys; from flows.cli import main as cli; from flows.doctor import examination; "
        f"examination._DEADLINE_S = 5.0; sys.exit(cli.main({arguments}))"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
        said = programs.ask([sys.executable, "-c", script], timeout_s=60, folder=PROJECT_ROOT)
    assert said is not None
    assert said.status == 1  # not ended from outside
    late = next(item for item in orjson.loads(said.out)["checks"] if item["check"] == "checkpoint")
    assert (late["status"], late["found"]) == ("failed", "did not answer within 5 s")


def test_the_json_document_has_one_entry_a_check(
    settings: Settings, program: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    healthy_programs(program)
    code, out, _ = run(
        "doctor", "--json", "--set", f"paths.data={settings.paths.data}", capsys=capsys
    )
    document = orjson.loads(out)
    assert (code, list(document), document["ok"]) == (0, ["ok", "checks"], True)
    assert [item["check"] for item in document["checks"]] == CHECKS
    runs = next(item for item in document["checks"] if item["check"] == "runs")
    assert isinstance(runs.pop("seconds"), float)
    assert runs == {"check": "runs", "status": "ok", "found": "none in progress", "advice": ""}


def test_a_failed_check_is_exit_code_1_and_a_warning_is_not(
    settings: Settings, program: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    sysroot = healthy_programs(program)
    shutil.rmtree(sysroot)
    where = ("--set", f"paths.data={settings.paths.data}")
    code, out, _ = run("doctor", *where, capsys=capsys)
    assert code == 0
    assert "ok       rust-analyzer   1.85.1 at " in out
    assert f"warning  rust-src        {sysroot} is missing" in out
    assert "\x1b" not in out  # colours are for terminals
    program("cargo", "exit 3")
    assert run("doctor", *where, capsys=capsys)[0] == 0  # no repository needs it
    code, out, message = run("doctor", "--repo", str(SAMPLE), *where, capsys=capsys)
    assert (code, message) == (1, "lsif-ingest: 1 of 24 checks failed: cargo.")
    assert "failed   cargo           cargo does not run: it exits with status 3\n" in out
    assert "                         > rustup default stable\n" in out
    code, out, _ = run("doctor", "--json", "--repo", str(SAMPLE), *where, capsys=capsys)
    assert (code, orjson.loads(out)["ok"]) == (1, False)


def test_a_colour_is_shown_where_it_is_asked_for_and_never_with_no_color(
    program: Callable[[str, str], Path],
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    healthy_programs(program)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    where = ("--set", f"paths.data={settings.paths.data}")
    _, out, _ = run("doctor", *where, capsys=capsys)
    assert "\x1b[32mok" in out
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, _ = run("doctor", *where, capsys=capsys)
    assert "\x1b[32mok" not in out


def test_neither_torch_nor_prefect_is_imported(settings: Settings, tmp_path: Path) -> None:
    arguments = ["doctor", "--json", "--set", f"paths.data={tmp_path / 'data'}"]
    heavy = ("torch", "transformers", "sentence_transformers", "prefect")
    ending = f"sys.exit(3 if any(name in sys.modules for name in {heavy}) else 0)"
    script = f"import sys; from flows.cli import main as cli; cli.main({arguments}); {ending}"
    said = programs.ask([sys.executable, "-c", script], timeout_s=120, folder=PROJECT_ROOT)
    assert said is not None
    assert [item["check"] for item in orjson.loads(said.out)["checks"]] == CHECKS
    assert said.status == 0
    assert not (tmp_path / "data").exists()  # it leaves no trace


# ---- Secrets


def test_no_secret_is_printed(
    settings: Settings,
    tmp_path: Path,
    program: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets = {
        "QDRANT_API_KEY": "key-of-qdrant-4711",
        "PREFECT_API_KEY": "pnu_of-prefect-4712",
        "PREFECT_API_AUTH_STRING": "admin:pass-4713",
    }
    environment = {
        **secrets,
        "QDRANT_URL": "http://someone:p%40ss-4714@127.0.0.1:9",
        "PREFECT_API_URL": "http://other:word-4715@127.0.0.1:9/api",
        "PREFECT_HOME": str(tmp_path),
    }
    # The program prints all that it knows, and a broken check quotes it.
    program(
        "rust-analyzer",
        'echo "$QDRANT_API_KEY $PREFECT_API_KEY $PREFECT_API_AUTH_STRING $QDRANT_URL" >&2; exit 1',
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def broken() -> Finding:
        names = ("QDRANT_URL", "PREFECT_API_URL", "QDRANT_API_KEY")
        raise ValueError(" ".join(["p@ss-4714", *(os.environ[name] for name in names)]))

    findings = examine({**checks_of(Workspace(settings), None), "broken": broken})
    said = repr(findings)
    done = run_cli(
        "doctor",
        "--json",
        "--debug",
        "--set",
        f"paths.data={tmp_path / 'd'}",
        environment=environment,
    )
    assert done.returncode == 1
    assert "no Qdrant answers at http://127.0.0.1:9" in done.stdout
    assert "no Prefect server answers at http://127.0.0.1:9/api (ConnectError)" in done.stdout
    for text in (said, done.stdout, done.stderr):
        for secret in (*secrets.values(), "p%40ss-4714", "p@ss-4714", "word-4715"):
            assert secret not in text
    assert "does not run: *** *** *** http://***@127.0.0.1:9" in said


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("QDRANT_API_KEY", "abcdef\n", ["abcdef\n", "abcdef"]),
        ("QDRANT_URL", "http://u:p%3Aq-x@host", ["u:p%3Aq-x", "p%3Aq-x", "p:q-x"]),
        ("QDRANT_URL", "http://u:sla/sh@host", ["u:sla/sh", "sla/sh"]),
        ("QDRANT_URL", "http://token-alone@host", ["token-alone"]),
        ("QDRANT_URL", "http://host:6333", []),
        (
            "PREFECT_API_DATABASE_CONNECTION_URL",
            "postgresql://u:secret@db/prefect",
            ["u:secret", "secret"],
        ),
        ("HF_TOKEN", "hf_x", ["hf_x"]),
        ("QDRANT_API_KEY", "abc", []),  # would blot out words, and hides nothing
        ("PATH", "http://u:secret@host", []),
    ],
)
def test_what_is_secret_in_the_environment(name: str, value: str, hidden: list[str]) -> None:
    assert secrets_of({name: value}) == hidden
