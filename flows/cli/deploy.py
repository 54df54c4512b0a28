"""The commands about a Prefect server that stays: deploy, undeploy, worker and their like."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from typing import TYPE_CHECKING

from flows.cli.arguments import add_debug
from flows.deploy.automations import renew_automations
from flows.deploy.checks import check_notify_url, require_server, server_failures_explained
from flows.deploy.deployments import ProjectToDeploy, deploy, undeploy
from flows.deploy.pool import POOL_TYPES, pool_name, require_pool
from flows.deploy.programs import RUNS_AT_ONCE, become_server, become_worker, how_to_call
from flows.deploy.serving import serve_flow
from flows.errors import UsageError
from flows.server.environment import set_prefect_defaults
from flows.source.source import Source

if TYPE_CHECKING:
    import argparse


def add_deploy(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `deploy`."""
    _add_pool(parser)
    _add_source(parser)
    _add_when_and_where(parser)
    parser.add_argument(
        "--image",
        default="",
        metavar="IMAGE",
        help="container image; required by pools of type docker and kubernetes",
    )
    add_debug(parser)
    parser.set_defaults(run=_deploy)


def add_serve_flow(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `serve-flow`."""
    _add_source(parser)
    _add_when_and_where(parser)
    add_debug(parser)
    parser.set_defaults(run=_serve_flow, image="", pool="", pool_type="process")


def add_undeploy(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `undeploy`."""
    _add_source(parser)
    add_debug(parser)
    parser.set_defaults(run=_undeploy)


def add_worker(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `worker`."""
    _add_pool(parser)
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="maximum number of runs at a time; 0 for any number (default: 1; kubernetes: 0)",
    )
    add_debug(parser)
    parser.set_defaults(run=_worker)


def add_prefect_server(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `prefect-server`."""
    add_debug(parser)
    parser.set_defaults(run=_prefect_server)


def add_automations(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `automations`."""
    add_debug(parser)
    parser.set_defaults(run=_automations)


def _add_pool(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pool",
        default="",
        metavar="NAME",
        help="Prefect work pool (default: lsif-ingest, or lsif-ingest-TYPE)",
    )
    parser.add_argument(
        "--pool-type",
        choices=POOL_TYPES,
        default="process",
        help="type of the work pool (default: process)",
    )


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--project",
        default="",
        metavar="NAME",
        help="name of the index and of the deployments (default: the repository's name)",
    )
    parser.add_argument(
        "--repo", default="", metavar="DIR|URL", help="folder or git URL, as workers reach it"
    )
    parser.add_argument(
        "--subdir",
        default="",
        metavar="DIR",
        help="folder of the Cargo project inside the repository",
    )
    parser.add_argument(
        "--dump", default="", metavar="FILE", help="dump of LSIF or SCIP to index; needs --root"
    )
    parser.add_argument(
        "--root", default="", metavar="DIR", help="folder of the sources that the dump describes"
    )


def _add_when_and_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ref", default="", metavar="REF", help="branch, tag or commit to index every night"
    )
    parser.add_argument(
        "--config",
        default="",
        metavar="FILE",
        help="TOML file of settings on the machine where runs take place",
    )
    parser.add_argument(
        "--cron", default="0 3 * * *", help='time of the nightly run (default: "0 3 * * *")'
    )
    parser.add_argument(
        "--timezone",
        default="UTC",
        metavar="ZONE",
        help="time zone of --cron, such as Europe/Berlin (default: UTC)",
    )
    parser.add_argument(
        "--folder",
        default="",
        metavar="DIR",
        help="working folder of runs; holds their data (default: this folder; containers: /work)",
    )


def _project_to_deploy(options: argparse.Namespace) -> ProjectToDeploy:
    if not options.repo and not options.dump:
        raise UsageError("nothing to deploy: give --repo DIR|URL, or --dump FILE and --root DIR.")
    source = _source(options)
    return ProjectToDeploy(
        project=options.project or source.project(""),
        source=source,
        config=options.config,
        cron=options.cron,
        timezone=options.timezone or "UTC",
        folder=options.folder,
        image=options.image,
        pool=pool_name(options.pool, options.pool_type),
        pool_type=options.pool_type,
    )


def _source(options: argparse.Namespace) -> Source:
    names = ("repo", "ref", "subdir", "dump", "root")
    given = {name: getattr(options, name, "") for name in names}
    return Source.model_validate({name: value for name, value in given.items() if value})


def _deploy(options: argparse.Namespace) -> None:
    wanted = _project_to_deploy(options)
    set_prefect_defaults()
    with server_failures_explained():
        names = deploy(wanted)
    pool_type = "" if wanted.pool_type == "process" else f" --pool-type {wanted.pool_type}"
    sys.stdout.write(
        f"Deployed {' and '.join(names)} in work pool {wanted.pool}; "
        f"the nightly run is at {wanted.cron!r}, {wanted.timezone}.\n"
        f"Run what is scheduled:  {how_to_call('lsif-ingest')} worker --pool "
        f"{shlex.quote(wanted.pool)}{pool_type}\n"
        f"Run one now:            {how_to_call('prefect')} deployment run {names[-1]}\n"
    )


def _serve_flow(options: argparse.Namespace) -> None:
    wanted = _project_to_deploy(options)
    set_prefect_defaults()

    def announce(names: list[str]) -> None:
        sys.stdout.write(f"Serving {' and '.join(names)}; Ctrl-C stops, and pauses them.\n")
        sys.stdout.flush()

    with server_failures_explained():
        serve_flow(wanted, announce)


def _undeploy(options: argparse.Namespace) -> None:
    if not (options.project or options.repo or options.dump):
        raise UsageError("which project? Give --project NAME, or --repo DIR|URL.")
    project = options.project or _source(options).project("")
    set_prefect_defaults()
    with server_failures_explained():
        removed = undeploy(project)
    sys.stdout.write(
        f"Removed {' and '.join(removed)} with their triggers and limit. The index, the checkpoint "
        f"and data/projects/{project} stay on the machine where the runs took place. "
        "The work pool and a run in progress stay, too.\n"
    )


def _worker(options: argparse.Namespace) -> None:
    pool, pool_type = pool_name(options.pool, options.pool_type), options.pool_type
    limit = RUNS_AT_ONCE[pool_type] if options.limit is None else options.limit
    if limit < 0:
        raise UsageError(f"--limit takes a number of runs, 0 for any number, found {limit}.")
    set_prefect_defaults()
    with server_failures_explained():
        require_pool(require_server(), pool, pool_type)
    runs = "run at a time" if limit == 1 else "runs at a time"
    sys.stdout.write(
        f"Serving work pool {pool}, {limit or 'any number of'} {runs} (--limit); Ctrl-C stops.\n"
    )
    sys.stdout.flush()
    become_worker(pool, pool_type, limit)


def _prefect_server(_options: argparse.Namespace) -> None:
    set_prefect_defaults()
    become_server()


def _automations(_options: argparse.Namespace) -> None:
    if url := os.environ.get("LSIF_NOTIFY_URL", ""):
        check_notify_url(url)
    set_prefect_defaults()
    with server_failures_explained():
        require_server()
        renewed, kept = asyncio.run(renew_automations(url))
    sys.stdout.write("Renewed: " + ", ".join(f'"{name}"' for name in renewed) + ".\n")
    if not url and not kept:
        sys.stdout.write(
            "No one will be notified of failures; set LSIF_NOTIFY_URL=https://... for that.\n"
        )
    for name in kept:
        sys.stdout.write(
            f'"{name}" stays as it was: LSIF_NOTIFY_URL names no new address. '
            f'To remove it: {how_to_call("prefect")} automation delete "{name}"\n'
        )
