"""Deployments on a Prefect server, run by a worker: on schedule, on an event, cancelled, killed."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from configs.settings import load_settings
from configs.workspace import Workspace
from flows.locks import project_lock

from conftest import PROJECT_ROOT, SAMPLE, SAMPLE_DUMP, cli_environment, points

pytestmark = pytest.mark.deployed
SECRETS = {"QDRANT_API_KEY": "secret-of-the-worker-0451", "GIT_TOKEN": "secret-of-git-0452"}
NOTIFIED = "secret-of-the-hook-0453"
FINAL = {"COMPLETED", "CANCELLED", "CRASHED", "FAILED"}
SLOW = ["embedding.text.batch_tokens=1", "checkpoint.rows_per_file=4"]


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 180) -> Any:
    """Return what the condition returns once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    pytest.fail(f"waited {seconds} s for {what}")


@dataclass
class Server:
    """A Prefect server with its scheduler, and a folder in which runs take place."""

    home: Path
    folder: Path
    url: str
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def repository(self) -> Path:
        return self.folder / "sample"

    def start(
        self, *arguments: str, log: str, secrets: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env={**self.environment, **(secrets or {})},
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env={**self.environment, **more},
            timeout=120,
        )

    def deploy(self, *arguments: str) -> str:
        done = self.run("flows", "deploy", "--folder", str(self.folder), *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, path: str, body: Any = None, method: str = "") -> Any:
        request = urllib.request.Request(  # noqa: S310 - our own server's
            f"{self.url}{path}",
            None if body is None else json.dumps(body).encode(),
            {"content-type": "application/json"},
            method=method or ("GET" if body is None else "POST"),
        )
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as exc:
                if exc.code != 503:  # SQLite is busy: Prefect's own client asks again, too
                    raise
                exc.close()

    def deployment(self, name: str) -> dict[str, Any]:
        return dict(self.ask(f"/deployments/name/reindex/{name}"))

    def trigger(self, name: str, **parameters: Any) -> str:
        body = {"state": {"type": "SCHEDULED"}, "parameters": parameters}
        return str(
            self.ask(f"/deployments/{self.deployment(name)['id']}/create_flow_run", body)["id"]
        )

    def runs_of(self, name: str) -> list[dict[str, Any]]:
        """Return the deployment's runs that were to begin by now."""
        due = {"expected_start_time": {"before_": datetime.now(UTC).isoformat()}}
        return list(
            self.ask(
                "/flow_runs/filter", {"deployments": {"name": {"any_": [name]}}, "flow_runs": due}
            )
        )

    def state(self, run: str) -> dict[str, Any]:
        return dict(self.ask(f"/flow_runs/{run}")["state"])

    def finish(self, run: str) -> dict[str, Any]:
        """Return the state in which the run ends."""
        return dict(
            wait_for(
                lambda: (state := self.state(run))["type"] in FINAL and state, f"the end of {run}"
            )
        )

    def running(self) -> list[psutil.Process]:
        """Return the processes of flow runs."""
        found = []
        for process in self.processes:
            if psutil.pid_exists(process.pid):
                found += [
                    child
                    for child in psutil.Process(process.pid).children(recursive=True)
                    if "prefect.engine" in child.cmdline()
                ]
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home, folder = tmp_path_factory.mktemp("prefect"), tmp_path_factory.mktemp("deployed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    environment = cli_environment(
        {
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": url,
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_UI_ENABLED": "false",
            "OMP_NUM_THREADS": "1",  # several processes share the cores
            "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
            # What no test needs does not compete for SQLite.
            **{
                f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false"
                for name in (
                    "CANCELLATION_CLEANUP",
                    "CLEANUP_RECONCILER",
                    "EVENT_PERSISTER",
                    "FOREMAN",
                    "PAUSE_EXPIRATIONS",
                )
            },
            "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }
    )
    running = Server(home, folder, url, environment)
    shutil.copytree(SAMPLE, running.repository)
    process = running.start("flows", "prefect-server", log="server.log")
    try:
        wait_for(lambda: _answers(f"{url}/health") or process.poll() is not None, "the server", 120)
        assert process.poll() is None, (folder / "server.log").read_text()
        running.deploy("--dump", str(SAMPLE_DUMP), "--root", str(running.repository))
        running.start("flows", "worker", "--limit", "0", log="worker.log", secrets=SECRETS)
        yield running
    finally:
        _end(running.processes)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310
            return True
    except OSError:
        return False


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in reversed(processes):
        if process.poll() is None:
            family = [
                psutil.Process(process.pid),
                *psutil.Process(process.pid).children(recursive=True),
            ]
            for member in family:
                if member.is_running():
                    member.kill()
        process.wait(30)


@pytest.fixture(scope="module")
def commit(server: Server) -> str:
    """The commit at which the repository is."""

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        command = ["git", "-C", str(server.repository), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init")
    git("add", "--force", ".")
    git("commit", "-m", "first")
    return git("rev-parse", "HEAD")


@pytest.fixture(scope="module")
def indexed(server: Server, commit: str) -> dict[str, str]:
    """The points that a scheduled run made."""
    nightly = server.deployment("nightly-sample")
    begin = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    every = {
        "schedule": {"interval": 86400, "anchor_date": begin, "timezone": "UTC"},
        "active": True,
    }
    (schedule,) = server.ask(f"/deployments/{nightly['id']}/schedules", [every])
    (run,) = wait_for(lambda: server.runs_of("nightly-sample"), "a scheduled run")
    assert run["auto_scheduled"]
    assert server.finish(run["id"])["type"] == "COMPLETED"
    server.ask(f"/deployments/{nightly['id']}/schedules/{schedule['id']}", method="DELETE")
    return points(server.data)


def test_both_deployments_of_a_project_share_one_limit(server: Server) -> None:
    nightly, merged = server.deployment("nightly-sample"), server.deployment("on-merge-sample")
    assert nightly["schedules"][0]["schedule"] == {
        "cron": "0 3 * * *",
        "timezone": "UTC",
        "day_or": True,
    }
    assert merged["schedules"] == []
    assert (
        nightly["global_concurrency_limit"]["name"],
        nightly["global_concurrency_limit"]["limit"],
    ) == ("lsif-ingest-sample", 1)
    assert nightly["global_concurrency_limit"]["id"] == merged["global_concurrency_limit"]["id"]
    assert nightly["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert merged["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert nightly["tags"] == merged["tags"] == ["lsif-ingest", "sample"]


def test_a_scheduled_run_indexes_the_sources(indexed: dict[str, str], server: Server) -> None:
    assert len(indexed) == 93
    run = server.runs_of("nightly-sample")[0]
    assert (run["name"], run["tags"]) == (
        "reindex-sample",
        ["auto-scheduled", "lsif-ingest", "sample"],
    )


def test_an_event_of_a_git_host_starts_a_run_of_its_commit(
    indexed: dict[str, str], server: Server, commit: str
) -> None:
    event = {
        "event": "lsif-ingest.merged",
        "id": str(uuid.uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": "lsif-ingest.sample"},
        "payload": {"commit": commit},
    }
    server.ask("/events", [event])
    (run,) = wait_for(lambda: server.runs_of("on-merge-sample"), "a run for the event")
    assert run["parameters"]["commit"] == commit
    assert server.finish(run["id"])["type"] == "COMPLETED"
    assert server.ask(f"/flow_runs/{run['id']}")["name"] == f"reindex-sample-{commit[:12]}"
    assert (
        json.loads((server.data / "projects/sample/report.json").read_bytes())["commit"] == commit
    )
    assert points(server.data) == indexed


def test_another_commit_than_the_one_asked_for_fails_and_someone_is_notified(
    server: Server, indexed: dict[str, str]
) -> None:
    notifications: list[str] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            notifications.append(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{listener.server_port}/{NOTIFIED}"
        without_url = server.run("flows", "automations")
        assert without_url.stdout == (
            'Renewed: "lsif-ingest, a run is lost".\n'
            "No one will be notified of failures; set LSIF_NOTIFY_URL=https://... for that.\n"
        ), without_url.stderr
        renewed = server.run("flows", "automations", LSIF_NOTIFY_URL=address)
        assert (
            renewed.stdout
            == 'Renewed: "lsif-ingest, a run went wrong", "lsif-ingest, a run is lost".\n'
        ), renewed.stderr
        again = server.run("flows", "automations")
        assert again.stdout == (
            'Renewed: "lsif-ingest, a run is lost".\n'
            '"lsif-ingest, a run went wrong" stays as it was: '
            "LSIF_NOTIFY_URL names no new address. "
            f"To remove it: {Path(sys.executable).with_name('prefect')} automation delete "
            '"lsif-ingest, a run went wrong"\n'
        ), again.stderr
        logged = len((server.folder / "worker.log").read_text())
        run = server.trigger("on-merge-sample", commit="0123456789abcdef" * 2 + "01234567")
        state = server.finish(run)
        assert state["type"] == "FAILED"
        assert f"commit {'0123456789abcdef' * 2}01234567 was asked for" in state["message"]
        wait_for(lambda: notifications, "the notification", 30)
        listener.shutdown()
    (text,) = notifications
    words = json.loads(text)["text"]
    assert words.startswith(
        "lsif-ingest: on-merge-sample, run reindex-sample-0123456789ab is Failed. "
        "Flow run encountered an exc"
    )
    assert f"commit {'0123456789abcdef' * 2}01234567 was asked for" in words
    assert words.endswith(f"/runs/flow-run/{run}")
    log = (server.folder / "worker.log").read_text()[logged:]
    assert f"commit {'0123456789abcdef' * 2}01234567 was asked for" in log
    assert "Traceback" not in log
    assert points(server.data) == indexed


@pytest.mark.parametrize(
    "parameters",
    [
        {"repository": "https://me:secret-of-git-0452@example.org/repo.git"},
        {"repository": "https://example.org/repo.git?private_token=secret-of-git-0452"},
        {"overrides": ["checkpoint.store=s3://AKIA:secret-of-git-0452@bucket"]},
    ],
)
def test_a_token_in_an_address_is_refused_before_it_is_stored(
    server: Server, parameters: dict[str, Any]
) -> None:
    with pytest.raises(urllib.error.HTTPError, match="409") as refused:
        server.trigger("on-merge-sample", **{"dump": "", "root": "", **parameters})
    refused.value.close()


@pytest.fixture
def held(server: Server) -> Iterator[dict[str, Any]]:
    """Parameters of a run whose rust-analyzer waits as long as the file `hold` exists."""
    program, pid, hold = (
        server.folder / name for name in ("rust-analyzer", "rust-analyzer.pid", "hold")
    )
    program.write_text(
        "#!/bin/sh\n"
        '[ "$1" = lsif ] || { echo "rust-analyzer 1.0.0"; exit 0; }\n'
        f'[ -e "{hold}" ] && echo $$ > "{pid}"\n'
        f'while [ -e "{hold}" ]; do sleep 0.1; done\n'
        f'cat "{SAMPLE_DUMP}"\n'
    )
    program.chmod(0o755)
    hold.touch()
    settings = [f"rust_analyzer.command={program}", f"paths.data={server.folder / 'held'}"]
    settings.append("rust_analyzer.project=cargo")
    yield {"dump": "", "root": "", "repository": str(server.repository), "overrides": settings}
    hold.unlink(missing_ok=True)
    pid.unlink(missing_ok=True)


def _held_child(server: Server) -> psutil.Process:
    file = server.folder / "rust-analyzer.pid"
    return psutil.Process(
        int(wait_for(lambda: file.exists() and file.read_text().strip(), "rust-analyzer"))
    )


def test_of_a_project_one_run_goes_on_at_a_time_and_a_cancelled_one_leaves_nothing(
    server: Server, indexed: dict[str, str], held: dict[str, Any]
) -> None:
    first = server.trigger("on-merge-sample", **held)
    child = _held_child(server)
    (engine,) = server.running()
    nightly, waiting = server.trigger("nightly-sample"), server.trigger("on-merge-sample")
    assert server.finish(nightly)["message"] == "Deployment concurrency limit reached."
    assert server.state(nightly)["type"] == "CANCELLED"
    wait_for(
        lambda: server.state(waiting)["name"] == "AwaitingConcurrencySlot", "the second run to wait"
    )

    assert server.run("prefect", "flow-run", "cancel", first).returncode == 0
    assert server.finish(first)["type"] == "CANCELLED"
    wait_for(
        lambda: not child.is_running() and not engine.is_running(), "the run's processes to end"
    )
    data = server.folder / "held"
    with project_lock(
        Workspace(load_settings(None, [f"paths.data={data}"])).for_project("sample")
    ):  # free
        assert [
            path.name for path in (data / "projects/sample").iterdir() if path.name != "lock"
        ] == []
    assert server.finish(waiting)["type"] == "COMPLETED"
    assert points(server.data) == indexed
    assert "Traceback" not in (server.folder / "worker.log").read_text().partition(first)[2]


def test_a_run_cancelled_or_killed_while_it_embeds_is_finished_by_the_next(
    server: Server, indexed: dict[str, str]
) -> None:
    data = server.folder / "slow"
    slow = {"overrides": [*SLOW, f"paths.data={data}"]}
    made = 0
    for end in ("CANCELLED", "CRASHED"):
        run = server.trigger("on-merge-sample", **slow)
        wait_for(lambda: len(list(data.glob("checkpoints/*/*.parquet"))) > made, "vectors")  # noqa: B023
        (engine,) = server.running()
        if end == "CANCELLED":
            server.ask(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
        else:
            engine.send_signal(signal.SIGKILL)
        assert server.finish(run)["type"] == end
        wait_for(lambda: not engine.is_running(), "the run's process to end")  # noqa: B023
        assert points(data) == {}
        if end == "CANCELLED":  # what a killed one built aside, the next run removes
            assert not list((data / "qdrant").glob("*/sample--*"))
        made = len(list(data.glob("checkpoints/*/*.parquet")))
    assert (
        server.finish(server.trigger("on-merge-sample", overrides=[f"paths.data={data}"]))["type"]
        == "COMPLETED"
    )
    report = json.loads((data / "projects/sample/report.json").read_bytes())
    assert report["embeddings"][0]["from_checkpoint"] >= 4
    assert points(data) == indexed
    assert len(list((data / "qdrant").glob("*/sample--*"))) == 1


def test_a_run_whose_process_gets_sigterm_ends_its_children(
    server: Server, indexed: dict[str, str], held: dict[str, Any]
) -> None:
    run = server.trigger("on-merge-sample", **held)
    child = _held_child(server)
    server.running()[0].terminate()
    assert server.finish(run)["type"] == "CRASHED"
    wait_for(lambda: not child.is_running(), "rust-analyzer to end")


def test_a_process_serves_the_deployments_of_a_project_without_a_pool(
    server: Server, held: dict[str, Any]
) -> None:
    source = ("--project", "served", "--dump", str(SAMPLE_DUMP), "--root", str(server.repository))
    process = server.start(
        "flows", "serve-flow", *source, "--folder", str(server.folder), log="serve.log"
    )
    log = server.folder / "serve.log"
    wait_for(
        lambda: "Serving reindex/nightly-served and reindex/on-merge-served" in log.read_text(),
        "the deployments",
    )
    assert (
        server.deployment("on-merge-served")["global_concurrency_limit"]["name"]
        == "lsif-ingest-served"
    )
    assert server.finish(server.trigger("on-merge-served"))["type"] == "COMPLETED"
    assert (
        json.loads((server.data / "projects/served/report.json").read_bytes())["upload"]["points"]
        == 93
    )
    process.terminate()
    assert process.wait(30) == 0
    assert "RuntimeWarning" not in log.read_text()
    assert server.deployment("nightly-served")["paused"]  # until it is served, or deployed, again
    before = len(log.read_text())
    again = server.start(
        "flows", "serve-flow", *source, "--folder", str(server.folder), log="serve.log"
    )
    wait_for(lambda: "Serving reindex" in log.read_text()[before:], "the deployments")
    assert not server.deployment("nightly-served")["paused"]
    run = server.trigger("on-merge-served", **held)
    child = _held_child(server)
    again.terminate()
    assert again.wait(60) == 0
    assert server.finish(run)["type"] == "CANCELLED"
    assert not child.is_running()
    assert "Traceback" not in log.read_text()[before:]
    assert server.deployment("nightly-served")["paused"]
    server.deploy(
        "--project", "served", "--dump", str(SAMPLE_DUMP), "--root", str(server.repository)
    )
    assert not server.deployment("nightly-served")["paused"]


def test_a_projects_deployments_are_removed(server: Server) -> None:
    server.deploy("--project", "gone", "--dump", str(SAMPLE_DUMP), "--root", str(server.repository))
    kept = server.deployment("on-merge-sample")
    started = server.ask("/automations/filter", {})
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    waits = {
        "type": "SCHEDULED",
        "name": "AwaitingConcurrencySlot",
        "state_details": {"scheduled_time": tomorrow},
    }
    run = server.ask(
        f"/deployments/{server.deployment('on-merge-gone')['id']}/create_flow_run", {"state": waits}
    )["id"]
    assert server.state(run)["name"] == "AwaitingConcurrencySlot"
    done = server.run("flows", "undeploy", "--project", "gone")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "Removed reindex/nightly-gone and reindex/on-merge-gone with their triggers and limit. "
    )
    assert server.state(run)["type"] == "CANCELLED"
    names = [deployment["name"] for deployment in server.ask("/deployments/filter", {})]
    assert [name for name in names if "gone" in name] == []
    assert "lsif-ingest-gone" not in [
        limit["name"] for limit in server.ask("/v2/concurrency_limits/filter", {})
    ]
    left = server.ask("/automations/filter", {})
    assert len(left) == len(started) - 1
    assert (
        server.deployment("on-merge-sample")["global_concurrency_limit"]
        == kept["global_concurrency_limit"]
    )
    again = server.run("flows", "undeploy", "--project", "gone")
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "no deployment of project gone found" in again.stderr


def test_a_worker_for_a_pool_that_is_not_there_ends(server: Server) -> None:
    done = server.run("flows", "worker", "--pool", "typo")
    assert done.returncode == 2
    assert "no work pool 'typo' at http://127.0.0.1:" in done.stderr
    assert "found: lsif-ingest" in done.stderr
    assert "typo" not in [pool["name"] for pool in server.ask("/work_pools/filter", {})]


def test_the_image_runs_commands_of_lsif_ingest_and_of_prefect(tmp_path: Path) -> None:
    text = (PROJECT_ROOT / "flows/container/Dockerfile").read_text()
    entrypoint = json.loads(text.partition("ENTRYPOINT ")[2].replace("\\\n", ""))
    for name in ("lsif-ingest", "prefect"):
        (tmp_path / name).write_text(f'#!/bin/sh\nprintf "%s|" {name} "$@"\n')
        (tmp_path / name).chmod(0o755)

    def said(*arguments: str) -> str:
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        return subprocess.run(
            [*entrypoint, *arguments], capture_output=True, text=True, check=True, env=environment
        ).stdout

    assert said("ingest", "--repo", "a b") == "lsif-ingest|ingest|--repo|a b|"
    assert said("prefect", "flow-run", "execute") == "prefect|flow-run|execute|"


@pytest.mark.parametrize("pool_type", ["docker", "kubernetes"])
def test_a_project_is_deployed_for_containers(server: Server, pool_type: str) -> None:
    project = (
        "--project",
        f"in-{pool_type}",
        "--repo",
        "https://example.org/group/repo.git",
        "--pool-type",
        pool_type,
    )
    done = server.run(
        "flows",
        "deploy",
        *project,
        "--image",
        "registry.example.org/lsif-ingest:1",
        **SECRETS,
    )
    assert done.returncode == 0, done.stderr
    assert f"in work pool lsif-ingest-{pool_type}" in done.stdout
    merged = server.deployment(f"on-merge-in-{pool_type}")
    assert (merged["work_pool_name"], merged["entrypoint"], merged["path"]) == (
        f"lsif-ingest-{pool_type}",
        "flows.deploy.reindex.reindex",
        None,
    )
    assert merged["job_variables"]["image"] == "registry.example.org/lsif-ingest:1"
    assert merged["parameters"]["repository"] == "https://example.org/group/repo.git"
    assert merged["pull_steps"] == [
        {"prefect.deployments.steps.set_working_directory": {"directory": "/work"}}
    ]
    template = server.ask(f"/work_pools/lsif-ingest-{pool_type}")["base_job_template"]
    by_worker = {"QDRANT_URL": "{{ $QDRANT_URL }}", "QDRANT_API_KEY": "{{ $QDRANT_API_KEY }}"}
    assert template["variables"]["properties"]["env"].get("default") == (
        by_worker if pool_type == "docker" else None
    )


def test_no_secret_reaches_the_server(server: Server, indexed: dict[str, str]) -> None:
    files = [path for path in server.home.rglob("*") if path.is_file()]
    assert any(path.name == "prefect.db" for path in files)
    stored = {path: path.read_bytes() for path in files}
    assert any(b"reindex-sample" in content for content in stored.values())
    for secret in (*SECRETS.values(), NOTIFIED):
        assert [path for path, content in stored.items() if secret.encode() in content] == []


@pytest.mark.parametrize(
    ("arguments", "url", "message"),
    [
        (
            ("worker",),
            "",
            "Start one with `lsif-ingest prefect-server`, then `export PREFECT_API_URL=",
        ),
        (
            ("deploy", "--repo", "x", "--pool-type", "docker"),
            "http://127.0.0.1:9/api",
            "type docker needs --image:",
        ),
        (("deploy", "--repo", "/absent"), "http://127.0.0.1:9/api", "no folder /absent"),
    ],
)
def test_what_is_missing_is_reported(
    arguments: tuple[str, ...], url: str, message: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flows", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT_ROOT,
        env=cli_environment(
            {"PREFECT_HOME": str(tmp_path), **({"PREFECT_API_URL": url} if url else {})}
        ),
    )
    assert (done.returncode, message in done.stderr) == (1 if "folder" in message else 2, True), (
        done.stderr
    )
