"""The wheel, installed in an environment of its own: it needs nothing of the checkout."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import orjson
import psutil
import pytest

from conftest import PROJECT_ROOT, SAMPLE, SAMPLE_DUMP, cli_environment

pytestmark = pytest.mark.deployed

PACKAGES = ("configs", "machine", "lsif", "embedding", "storage", "search", "flows")


def run(
    *command: str | Path, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
        timeout=300,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed: make setup")
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*pip, *options, str(PROJECT_ROOT)], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that holds the wheel.

    What the wheel requires comes from this environment's folders, by a .pth file: it is not copied.
    """
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    options = ["install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, *options, str(wheel)], check=True, capture_output=True)
    shared = [path for path in sys.path if Path(path).name == "site-packages"]
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (own / "shared.pth").write_text("".join(f"{path}\n" for path in shared))
    prefect = folder / "bin" / "prefect"
    prefect.write_text(f'#!/bin/sh\nexec {python} -P -m prefect "$@"\n')
    prefect.chmod(0o755)
    return folder / "bin"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the checkout, with a copy of the sample and its dump."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(SAMPLE, folder / "sample")
    shutil.copy(SAMPLE_DUMP, folder / "sample.lsif")
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    outside = cli_environment({"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))})
    return {name: text for name, text in outside.items() if not name.startswith("PYTHON")}


@pytest.fixture(scope="module")
def server(
    installed: Path, elsewhere: Path, environment: dict[str, str]
) -> Iterator[dict[str, str]]:
    """The environment that names a Prefect server, which the installed program started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    named = {
        **environment,
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_UI_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    process = start(installed, "prefect-server", elsewhere, named)
    try:
        deadline = time.monotonic() + 120
        while not answers(f"{url}/health"):
            log = (elsewhere / "prefect-server.log").read_text()
            assert process.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.2)
        yield named
    finally:
        end(process)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server's
            return True
    except OSError:
        return False


def start(
    installed: Path, command: str, folder: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    with (folder / f"{command}.log").open("wb") as log:
        return subprocess.Popen(
            [installed / "lsif-ingest", command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=environment,
        )


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        family = psutil.Process(process.pid)
        for member in [family, *family.children(recursive=True)]:
            if member.is_running():
                member.kill()
    process.wait(30)


def test_every_package_comes_from_the_wheel(
    installed: Path, elsewhere: Path, environment: dict[str, str]
) -> None:
    script = (
        f"import importlib; names = {PACKAGES}\n"
        "print(*(importlib.import_module(name).__file__ for name in names), sep='\\n')"
    )
    done = run(installed / "python", "-P", "-c", script, folder=elsewhere, environment=environment)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        assert Path(line).is_relative_to(installed.parent), line
    assert len(done.stdout.splitlines()) == len(PACKAGES)


def test_the_sample_is_indexed_and_searched(
    installed: Path, elsewhere: Path, environment: dict[str, str]
) -> None:
    def lsif_ingest(*words: str) -> str:
        done = run(installed / "lsif-ingest", *words, folder=elsewhere, environment=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    report = orjson.loads(
        lsif_ingest("ingest", "--dump", "sample.lsif", "--root", "sample", "--json")
    )
    assert report["upload"]["points"] == 93
    assert (
        "<h1>Index of sample</h1>" in (elsewhere / "data/projects/sample/report.html").read_text()
    )
    found = orjson.loads(lsif_ingest("search", "wait longer after each attempt", "--json"))
    assert found["hits"][0]["file_path"] == "src/retry.rs"
    assert "194 vectors checked" in lsif_ingest("verify")
    done = run(
        installed / "lsif-ingest", "doctor", "--json", folder=elsewhere, environment=environment
    )
    checks = {check["check"]: check for check in orjson.loads(done.stdout)["checks"]}
    assert "no constraints.txt" not in checks["packages"]["found"]  # the wheel carries it


def test_a_deployment_runs(installed: Path, elsewhere: Path, server: dict[str, str]) -> None:
    def ask(path: str, body: object = None) -> dict[str, object]:
        request = urllib.request.Request(  # noqa: S310 - our own server's
            f"{server['PREFECT_API_URL']}{path}",
            None if body is None else json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return dict(json.loads(answer.read()))

    source = ("--project", "wheel", "--dump", "sample.lsif", "--root", "sample")
    done = run(installed / "lsif-ingest", "deploy", *source, folder=elsewhere, environment=server)
    assert done.returncode == 0, done.stderr
    assert f"{installed}/lsif-ingest worker --pool lsif-ingest\n" in done.stdout
    names = [f"{kind}-wheel" for kind in ("nightly", "on-merge")]
    for name in names:
        deployment = ask(f"/deployments/name/reindex/{name}")
        assert (deployment["entrypoint"], deployment["path"]) == (
            "flows.deploy.reindex.reindex",
            None,
        )
        assert deployment["pull_steps"] == [
            {"prefect.deployments.steps.set_working_directory": {"directory": str(elsewhere)}}
        ]
    worker = start(installed, "worker", elsewhere, server)
    try:
        path = f"/deployments/{deployment['id']}/create_flow_run"
        run_id = ask(path, {"state": {"type": "SCHEDULED"}})["id"]
        deadline, state = time.monotonic() + 180, ""
        while time.monotonic() < deadline and state not in {"COMPLETED", "FAILED", "CRASHED"}:
            time.sleep(0.5)
            state = str(ask(f"/flow_runs/{run_id}")["state_type"])
        assert state == "COMPLETED", (elsewhere / "worker.log").read_text()
    finally:
        end(worker)
    report = json.loads((elsewhere / "data/projects/wheel/report.json").read_bytes())
    assert report["upload"]["points"] == 93
    done = run(
        *(installed / "lsif-ingest", "undeploy", "--project", "wheel"),
        folder=elsewhere,
        environment=server,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Removed reindex/nightly-wheel and reindex/on-merge-wheel")
