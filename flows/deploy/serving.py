"""A project's deployments, served by one process without a work pool."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

from flows.deploy.checks import require_server
from flows.deploy.deployments import FLOW, definitions, share_limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from flows.deploy.deployments import ProjectToDeploy


def serve_flow(wanted: ProjectToDeploy, when_ready: Callable[[list[str]], None]) -> None:
    """Deploy the project and run what is scheduled, until a signal ends it.

    `when_ready` gets the deployments' names as soon as runs may begin.
    """
    wanted.check()
    require_server()
    environment = wanted.environment()
    os.environ.update(environment)
    os.chdir(environment["LSIF_FOLDER"])
    asyncio.run(_serve(wanted, when_ready))


async def _serve(wanted: ProjectToDeploy, when_ready: Callable[[list[str]], None]) -> None:
    from prefect.client.schemas.objects import ConcurrencyLimitConfig  # noqa: PLC0415 - 1 s
    from prefect.deployments.runner import RunnerDeployment  # noqa: PLC0415 - with Prefect
    from prefect.runner import Runner  # noqa: PLC0415 - with Prefect
    from prefect.schedules import Cron  # noqa: PLC0415 - with Prefect
    from prefect.types.entrypoint import EntrypointType  # noqa: PLC0415 - with Prefect

    from flows.deploy.reindex import reindex  # noqa: PLC0415 - imports Prefect

    loop, stopping = asyncio.get_running_loop(), list[asyncio.Task[None]]()

    class Server(Runner):
        def handle_sigterm(self, *_arguments: Any, **_options: Any) -> None:
            if not self.started:
                sys.exit(0)
            # Prefect calls `astop` without awaiting it: a run in progress would stay Running.
            loop.call_soon_threadsafe(lambda: stopping.append(loop.create_task(self.astop())))

    runner, names = Server(name=f"lsif-ingest {wanted.project}"), []
    for definition in definitions():
        schedules = definition["schedules"]
        deployment = RunnerDeployment.from_flow(
            reindex,
            name=definition["name"],
            paused=False,  # the end of the process that served it last paused it
            schedules=[Cron(each["cron"], timezone=each["timezone"]) for each in schedules],
            concurrency_limit=ConcurrencyLimitConfig(**definition["concurrency_limit"]),
            entrypoint_type=EntrypointType.MODULE_PATH,
            **{key: definition[key] for key in ("description", "tags", "parameters")},
        )
        await runner.add_deployment(deployment)  # type: ignore[misc]  # awaitable inside a loop
        names.append(f"{FLOW}/{definition['name']}")
    await share_limit(wanted.limit, names)
    when_ready(names)
    await runner.start()
