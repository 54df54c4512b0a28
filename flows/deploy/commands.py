"""`python -m flows.deploy.commands ACTION`: makes the deployments of prefect.yaml on a Prefect server, and runs what they schedule.

`deploy` puts the two deployments of a project on the Prefect server that PREFECT_API_URL names, with a work pool and a limit that
they share; `worker` runs what is in the pool; `serve` does both in one process, without a pool; `automations` has the server tell
of failures; `undeploy` removes a project's deployments.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from configs.errors import ConfigError, LsifIngestError
from configs.workspace import project_name
from flows.control import clean
from flows.deploy.automations import read_definitions, renew_automations
from flows.deploy.checks import check_address, check_schedule, require_pool, require_server
from flows.deploy.undeploy import remove_deployments
from flows.errors import FlowError, UsageError
from flows.orchestration import set_prefect_defaults
from flows.source.git_url import is_url
from flows.source.source import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFINITIONS = Path(__file__).with_name("prefect.yaml")
POOL_TYPES = ("process", "docker", "kubernetes")
FLOW = "reindex"
IMAGE_FOLDER = "/work"
"""Where runs in the image of flows/container are at work: WORKDIR there, with the volumes of prefect.yaml below it."""
FROM_WORKER = ("QDRANT_URL", "QDRANT_API_KEY")
"""What runs in Docker are given of their worker's environment."""
RUNS_AT_ONCE = {"process": 1, "docker": 1, "kubernetes": 0}
"""How many runs a worker has at work at once, 0 = any number: those of a process or Docker pool share the worker's machine."""
LATE_S = 900
"""Seconds after which a run that did not begin is late: with Prefect's 15 each one that waits for a worker's other run would be."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0 done, 1 failed, 2 wrong usage, 130 Ctrl-C."""
    options = _command_line_parser().parse_args(arguments)
    try:
        set_prefect_defaults()
        options.run(options)
    except (UsageError, ConfigError) as exc:
        return _fail(exc, 2)
    except LsifIngestError as exc:
        return _fail(exc, 1)
    except KeyboardInterrupt:
        return 130
    except httpx.HTTPError as exc:  # not quoted: what it tells may be pages long
        return _fail(
            FlowError(
                f"the Prefect server went away or failed ({type(exc).__name__}): look at its log, try again."
            ),
            1,
        )
    return 0


def limit_name(project: str) -> str:
    """Return the name of the limit that a project's deployments share."""
    return f"lsif-ingest-{project}"


def _command_line_parser() -> argparse.ArgumentParser:
    pool = argparse.ArgumentParser(add_help=False)
    pool.add_argument(
        "--pool",
        default="",
        metavar="NAME",
        help="work pool (default: lsif-ingest, or lsif-ingest-TYPE)",
    )
    pool.add_argument(
        "--pool-type",
        choices=POOL_TYPES,
        default="process",
        help="of the pool, where it is to be made",
    )
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument(
        "--project",
        default="",
        metavar="NAME",
        help="names index and deployments (default: as the repository)",
    )
    named.add_argument(
        "--repo", default="", metavar="REPO", help="folder or git URL, as the workers reach it"
    )
    named.add_argument(
        "--subdir",
        default="",
        metavar="DIR",
        help="folder of the Cargo project inside the repository",
    )
    named.add_argument(
        "--dump", default="", metavar="FILE", help="dump made elsewhere; needs --root"
    )
    named.add_argument(
        "--root", default="", metavar="DIR", help="folder of the sources that the dump was taken of"
    )
    project = argparse.ArgumentParser(add_help=False, parents=[named])
    project.add_argument(
        "--ref", default="", metavar="REF", help="branch, tag or commit that is indexed every night"
    )
    project.add_argument(
        "--config", default="", metavar="FILE", help="TOML file of settings, where the workers run"
    )
    project.add_argument(
        "--cron", default="0 3 * * *", help='when the nightly run begins (default: "0 3 * * *")'
    )
    project.add_argument(
        "--timezone",
        default="UTC",
        metavar="ZONE",
        help="of --cron, such as Europe/Berlin (default: UTC)",
    )
    project.add_argument(
        "--folder",
        default="",
        metavar="DIR",
        help="where it runs, holds data (default: this one; in containers /work)",
    )
    project.add_argument(
        "--image",
        default="",
        metavar="IMAGE",
        help="container image, for pools of type docker and kubernetes",
    )

    parser = argparse.ArgumentParser(
        prog="python -m flows.deploy.commands",
        description="Deploys the flow on a Prefect server, and runs it.",
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    deploy = actions.add_parser(
        "deploy", parents=[pool, project], help="make or renew a project's deployments"
    )
    deploy.set_defaults(run=_deploy)
    worker = actions.add_parser("worker", parents=[pool], help="run what is scheduled in the pool")
    worker.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="runs at once, 0: any number (default: 1; kubernetes: 0)",
    )
    worker.set_defaults(run=_work)
    serve = actions.add_parser(
        "serve", parents=[project], help="deploy, and run what is scheduled, without a pool"
    )
    serve.set_defaults(run=_serve, pool="", pool_type="process")
    server = actions.add_parser("server", help="start a Prefect server on this machine")
    server.set_defaults(run=_start_server)
    automations = actions.add_parser(
        "automations", help="renew the automations of flows/deploy/automations.yaml on the server"
    )
    automations.set_defaults(run=_renew_automations)
    undeploy = actions.add_parser(
        "undeploy", parents=[named], help="remove a project's deployments and its limit; data stay"
    )
    undeploy.set_defaults(run=_undeploy)
    return parser


def _deploy(options: argparse.Namespace) -> None:
    values = _values(options)
    if options.pool_type != "process" and not options.image:
        raise UsageError(
            f"a work pool of type {options.pool_type} needs --image (IMAGE=): build one by flows/container/Dockerfile."
        )
    require_server()
    os.environ.update(values)
    _prefect(
        "work-pool",
        "create",
        values["LSIF_POOL"],
        "--type",
        options.pool_type,
        unless="already exists",
    )
    asyncio.run(_prepare_pool(values["LSIF_POOL"], options.pool_type))
    _prefect("deploy", "--all", "--prefect-file", str(DEFINITIONS))
    names = [f"{FLOW}/{one['name']}" for one in definitions()]
    asyncio.run(_share_limit(limit_name(values["LSIF_PROJECT"]), names))
    worker = f"make worker POOL={values['LSIF_POOL']}" + (
        "" if options.pool_type == "process" else f" POOL_TYPE={options.pool_type}"
    )
    sys.stdout.write(
        f"Deployed {' and '.join(names)} in work pool {values['LSIF_POOL']}; "
        f"nightly is at {options.cron!r}, {values['LSIF_TIMEZONE']}.\n"
        f"Run what is scheduled:  {worker}\n"
        f"Run one now:            .venv/bin/prefect deployment run {names[-1]}\n"
    )


def _start_server(_options: argparse.Namespace) -> None:
    # In memory, as is the default, what a run holds would be forgotten with the server, and never given back if the run dies, too.
    os.environ.setdefault(
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE",
        "prefect.server.concurrency.lease_storage.filesystem",
    )
    os.environ.setdefault("PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS", str(LATE_S))
    if not os.environ.get(
        "PREFECT_API_URL"
    ):  # else Prefect takes that: what tells of a failed run has a link to it
        host, port = (
            os.environ.get("PREFECT_SERVER_API_HOST", "127.0.0.1"),
            os.environ.get("PREFECT_SERVER_API_PORT", "4200"),
        )
        name = socket.gethostname() if host in {"0.0.0.0", "::"} else host  # noqa: S104 - what listens everywhere has a name
        os.environ.setdefault(
            "PREFECT_UI_URL", f"http://{f'[{name}]' if ':' in name else name}:{port}"
        )
    os.execv(sys.executable, [sys.executable, "-m", "prefect", "server", "start"])  # noqa: S606


def _work(options: argparse.Namespace) -> None:
    pool, limit = (
        _pool(options),
        RUNS_AT_ONCE[options.pool_type] if options.limit is None else options.limit,
    )
    if limit < 0:
        raise UsageError(
            f"--limit (LIMIT=) takes how many runs go on at once, 0 for any number, found {limit}."
        )
    require_pool(require_server(), pool, options.pool_type)
    arguments = [
        sys.executable,
        "-m",
        "prefect",
        "worker",
        "start",
        "--pool",
        pool,
        "--type",
        options.pool_type,
    ]
    arguments += ["--limit", str(limit)] if limit else []
    many = "runs at once" if limit != 1 else "run at a time"
    sys.stdout.write(
        f"Serving work pool {pool}, {limit or 'any number of'} {many} (LIMIT=, --limit); Ctrl-C ends it.\n"
    )
    sys.stdout.flush()
    # A script's `&` has what it starts ignore SIGINT, which Prefect sends itself on SIGTERM: the worker would never end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.executable, arguments)  # noqa: S606 - the worker takes this process's place, and its signals


def _serve(options: argparse.Namespace) -> None:
    values = _values(options)
    require_server()
    os.environ.update(values)
    os.chdir(values["LSIF_FOLDER"])
    asyncio.run(_serve_definitions(values))


async def _serve_definitions(values: dict[str, str]) -> None:
    from prefect.client.schemas.objects import ConcurrencyLimitConfig  # noqa: PLC0415 - takes time
    from prefect.deployments.runner import RunnerDeployment  # noqa: PLC0415
    from prefect.runner import Runner  # noqa: PLC0415
    from prefect.schedules import Cron  # noqa: PLC0415
    from prefect.types.entrypoint import EntrypointType  # noqa: PLC0415

    from flows.deploy.reindex import reindex  # noqa: PLC0415

    loop, stopping = asyncio.get_running_loop(), list[asyncio.Task[None]]()

    class Server(Runner):
        def handle_sigterm(self, *_arguments: Any, **_options: Any) -> None:
            if not self.started:
                sys.exit(0)
            # Prefect's own calls `astop` and awaits it nowhere: a run that is at work would be Running for ever.
            loop.call_soon_threadsafe(lambda: stopping.append(loop.create_task(self.astop())))

    runner, names = Server(name=f"lsif-ingest {values['LSIF_PROJECT']}"), []
    for one in definitions():
        deployment = RunnerDeployment.from_flow(
            reindex,
            name=one["name"],
            paused=False,  # as whoever served it before has left it
            schedules=[Cron(each["cron"], timezone=each["timezone"]) for each in one["schedules"]],
            concurrency_limit=ConcurrencyLimitConfig(**one["concurrency_limit"]),
            entrypoint_type=EntrypointType.MODULE_PATH,
            **{key: one[key] for key in ("description", "tags", "parameters")},
        )
        await runner.add_deployment(deployment)  # type: ignore[misc]  # awaitable where a loop runs
        names.append(f"{FLOW}/{one['name']}")
    await _share_limit(limit_name(values["LSIF_PROJECT"]), names)
    sys.stdout.write(f"Serving {' and '.join(names)}; Ctrl-C ends it, and pauses them.\n")
    sys.stdout.flush()
    await runner.start()


def definitions() -> list[dict[str, Any]]:
    """Return the deployments of prefect.yaml, filled in from the environment."""
    return list(read_definitions(DEFINITIONS)["deployments"])


async def _prepare_pool(name: str, pool_type: str) -> None:
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - takes time
    from prefect.client.schemas.actions import WorkPoolUpdate  # noqa: PLC0415

    async with get_client() as client:
        pool = await client.read_work_pool(name)
        if pool.type != pool_type:
            raise UsageError(
                f"work pool {name} is of type {pool.type}, not {pool_type}: name another by --pool (POOL=)."
            )
        if pool_type == "docker":
            template = with_environment_of_worker(pool.base_job_template)
            if template != pool.base_job_template:
                await client.update_work_pool(name, WorkPoolUpdate(base_job_template=template))


def with_environment_of_worker(template: dict[str, Any]) -> dict[str, Any]:
    """Return a job template that has containers get FROM_WORKER; what it says of these names already stays.

    The server stores the names only: the worker fills in what they are there; one that is not set is empty. In prefect.yaml it
    would be `prefect deploy` that fills in, and the server would store secrets.
    """
    changed = copy.deepcopy(template)
    env = changed["variables"]["properties"]["env"]
    env["default"] = {name: f"{{{{ ${name} }}}}" for name in FROM_WORKER} | (
        env.get("default") or {}
    )
    return changed


async def _share_limit(limit: str, deployments: list[str]) -> None:
    """Bind the deployments to one limit of one run at a time; what each does where it is taken stays its own.

    prefect.yaml and Prefect's client know limits of a single deployment only; the server can share one.
    """
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - takes time

    async with get_client() as client:
        await client.upsert_global_concurrency_limit_by_name(limit, 1)
        shared = await client.read_global_concurrency_limit_by_name(limit)
        for name in deployments:
            deployment = await client.read_deployment_by_name(name)
            await client.request(
                "PATCH",
                "/deployments/{id}",
                path_params={"id": deployment.id},
                json={"global_concurrency_limit_id": str(shared.id)},
            )


def _prefect(*arguments: str, unless: str = "") -> None:
    """Run Prefect's command line. Raises FlowError with what it said where it fails and does not say `unless`."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    said = " ".join(f"{done.stdout} {done.stderr}".split())
    if done.returncode and not (unless and unless in said):
        raise FlowError(f"`prefect {' '.join(arguments[:2])}` failed: {said[-1000:]}")


def _renew_automations(_options: argparse.Namespace) -> None:
    if url := os.environ.get("LSIF_NOTIFY_URL", ""):
        check_address(url)
    require_server()
    renewed, former = asyncio.run(renew_automations(url))
    sys.stdout.write("Renewed: " + ", ".join(f'"{name}"' for name in renewed) + ".\n")
    if not url and not former:
        sys.stdout.write(
            "Nobody will be told of failures: LSIF_NOTIFY_URL=https://... names who is.\n"
        )
    for name in former:
        sys.stdout.write(
            f'"{name}" stays as it was, LSIF_NOTIFY_URL names no other address; '
            f'to remove it: .venv/bin/prefect automation delete "{name}"\n'
        )


def _undeploy(options: argparse.Namespace) -> None:
    if not (options.project or options.repo or options.dump):
        raise UsageError("which project? PROJECT=NAME (--project), or REPO=DIR-or-URL (--repo).")
    project = _project(options, None if options.project else _source(options))
    require_server()
    os.environ["LSIF_PROJECT"] = project
    wanted = [f"{FLOW}/{one['name']}" for one in definitions()]
    found = asyncio.run(remove_deployments(wanted, limit_name(project)))
    if not found:
        raise FlowError(
            f"no deployment of project {project} is there; `.venv/bin/prefect deployment ls` names those that are."
        )
    sys.stdout.write(
        f"Removed {' and '.join(found)} with triggers and limit. Index, checkpoint and data/projects/{project} stay where it ran, "
        "as do the work pool and a run that is at work.\n"
    )


def _values(options: argparse.Namespace) -> dict[str, str]:
    """Return what prefect.yaml takes from the environment; paths of this machine become absolute."""
    local = options.pool_type == "process"
    if not options.repo and not options.dump:
        raise UsageError(
            "what is to be deployed? REPO=DIR-or-URL (--repo), or DUMP=FILE ROOT=DIR (--dump, --root)."
        )
    repo, dump, root, config = (
        str(Path(path).absolute()) if path and local and not is_url(path) else path
        for path in (options.repo, options.dump, options.root, options.config)
    )
    source = _source(options)
    if local:
        source.check()
    project = _project(options, source)
    timezone = options.timezone or "UTC"
    check_schedule(options.cron, timezone)
    return {
        "LSIF_PROJECT": project,
        "LSIF_REPO": repo,
        "LSIF_REF": options.ref,
        "LSIF_SUBDIR": options.subdir,
        "LSIF_DUMP": dump,
        "LSIF_ROOT": root,
        "LSIF_CONFIG": config,
        "LSIF_CRON": options.cron,
        "LSIF_TIMEZONE": timezone,
        "LSIF_FOLDER": str(Path(options.folder or ".").absolute())
        if local
        else options.folder or IMAGE_FOLDER,
        "LSIF_IMAGE": options.image,
        "LSIF_POOL": _pool(options),
    }


def _source(options: argparse.Namespace) -> Source:
    names = ("repo", "ref", "subdir", "dump", "root")
    return Source.model_validate(
        {name: value for name in names if (value := getattr(options, name, ""))}
    )


def _project(options: argparse.Namespace, source: Source | None) -> str:
    project = str(options.project) if options.project or source is None else source.project("")
    if project_name(project) != project:
        raise UsageError(f"--project takes letters, digits and _ . -, found {project!r}.")
    return project


def _pool(options: argparse.Namespace) -> str:
    return str(options.pool) or (
        "lsif-ingest" if options.pool_type == "process" else f"lsif-ingest-{options.pool_type}"
    )


def _fail(exc: LsifIngestError, code: int) -> int:
    sys.stderr.write(f"lsif-ingest: {clean(' '.join(str(exc).split()))}\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
