"""A project's two deployments: what prefect.yaml says of them, put on the server or removed."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.workspace import project_name
from flows.deploy.automations import read_definitions
from flows.deploy.checks import check_schedule, require_server
from flows.deploy.pool import make_pool
from flows.deploy.programs import how_to_call, run_prefect
from flows.errors import FlowError, UsageError
from flows.source.git_url import is_url

if TYPE_CHECKING:
    from flows.source.source import Source

DEFINITIONS = Path(__file__).with_name("prefect.yaml")
FLOW = "reindex"
IMAGE_FOLDER = "/work"
"""Working folder of runs in the image of flows/container; prefect.yaml puts volumes below it."""


@dataclass(frozen=True, kw_only=True)
class ProjectToDeploy:
    """What a project's deployments index, where and when they run."""

    project: str
    source: Source
    config: str = ""
    """TOML file of settings, on the machine where runs take place; "" = none."""
    cron: str = "0 3 * * *"
    timezone: str = "UTC"
    folder: str = ""
    """Working folder of runs; "" = the current folder, in containers IMAGE_FOLDER."""
    image: str = ""
    pool: str = ""
    pool_type: str = "process"

    @property
    def limit(self) -> str:
        """The name of the concurrency limit that the project's deployments share."""
        return limit_name(self.project)

    def check(self) -> None:
        """Raise if the deployments could not run: checks what this machine can see."""
        if self.pool_type == "process":  # containers have other files
            self.source.check()
        require_project_name(self.project)
        check_schedule(self.cron, self.timezone)
        if self.pool_type != "process" and not self.image:
            raise UsageError(
                f"a work pool of type {self.pool_type} needs --image: "
                "build one with flows/container/Dockerfile."
            )

    def environment(self) -> dict[str, str]:
        """Return the variables that prefect.yaml reads; paths of this machine are absolute."""
        here, source = self.pool_type == "process", self.source

        def path(given: Path | str | None) -> str:
            text = str(given or "")
            return str(Path(text).absolute()) if text and here and not is_url(text) else text

        return {
            "LSIF_PROJECT": self.project,
            "LSIF_REPO": path(source.repo),
            "LSIF_REF": source.ref,
            "LSIF_SUBDIR": source.subdir,
            "LSIF_DUMP": path(source.dump),
            "LSIF_ROOT": path(source.root),
            "LSIF_CONFIG": path(self.config),
            "LSIF_CRON": self.cron,
            "LSIF_TIMEZONE": self.timezone,
            "LSIF_FOLDER": path(self.folder or ".") if here else self.folder or IMAGE_FOLDER,
            "LSIF_IMAGE": self.image,
            "LSIF_POOL": self.pool,
        }


def deploy(wanted: ProjectToDeploy) -> list[str]:
    """Make or renew the project's deployments; return their names, each FLOW/NAME.

    Makes the work pool and the limit, too. Raises UsageError or FlowError.
    """
    wanted.check()
    require_server()
    os.environ.update(wanted.environment())
    asyncio.run(make_pool(wanted.pool, wanted.pool_type))
    run_prefect("deploy", "--all", "--prefect-file", str(DEFINITIONS))
    names = [f"{FLOW}/{deployment['name']}" for deployment in definitions()]
    asyncio.run(share_limit(wanted.limit, names))
    return names


def undeploy(project: str) -> list[str]:
    """Remove the project's deployments and their limit; return the names found.

    Raises FlowError if the server has none of them.
    """
    require_project_name(project)
    require_server()
    os.environ["LSIF_PROJECT"] = project
    wanted = [f"{FLOW}/{deployment['name']}" for deployment in definitions()]
    found = asyncio.run(_remove(wanted, limit_name(project)))
    if not found:
        raise FlowError(
            f"no deployment of project {project} found; "
            f"`{how_to_call('prefect')} deployment ls` lists all."
        )
    return found


def limit_name(project: str) -> str:
    """Return the name of the concurrency limit that a project's deployments share."""
    return f"lsif-ingest-{project}"


def require_project_name(project: str) -> None:
    """Raise UsageError if the text can't be a project's name as it is."""
    if project_name(project) != project:
        raise UsageError(f"--project takes letters, digits and _ . -, found {project!r}.")


def definitions() -> list[dict[str, Any]]:
    """Return the deployments of prefect.yaml, filled in from the environment."""
    return list(read_definitions(DEFINITIONS)["deployments"])


async def share_limit(limit: str, deployments: list[str]) -> None:
    """Bind the deployments to one limit of one run at a time.

    Each keeps its own rule for what happens when the limit is taken. prefect.yaml and Prefect's
    client know limits of a single deployment only; the server can share one.
    """
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - takes a second

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


async def _remove(names: list[str], limit: str) -> list[str]:
    """Remove the deployments with their triggers, waiting runs and limit; return the names found.

    A run in progress goes on.
    """
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - takes a second
    from prefect.client.schemas.filters import FlowRunFilter  # noqa: PLC0415 - with Prefect
    from prefect.exceptions import ObjectNotFound  # noqa: PLC0415 - with Prefect
    from prefect.states import Cancelled  # noqa: PLC0415 - with Prefect

    found = list[str]()
    async with get_client() as client:
        for name in names:
            try:
                deployment = await client.read_deployment_by_name(name)
            except ObjectNotFound:
                continue
            # The server keeps runs that wait for the limit. Without a worker they wait forever.
            waiting = {
                "deployment_id": {"any_": [deployment.id]},
                "state": {"name": {"any_": ["AwaitingConcurrencySlot"]}},
            }
            for run in await client.read_flow_runs(
                flow_run_filter=FlowRunFilter.model_validate(waiting)
            ):
                await client.set_flow_run_state(
                    run.id, Cancelled(message="The deployment was removed."), force=True
                )
            await client.delete_resource_owned_automations(f"prefect.deployment.{deployment.id}")
            await client.delete_deployment(deployment.id)
            found.append(name)
        with suppress(ObjectNotFound):  # the server removes it with the first deployment
            await client.delete_global_concurrency_limit_by_name(limit)
    return found
