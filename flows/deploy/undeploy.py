"""Takes a project's deployments off the Prefect server that PREFECT_API_URL names. Data and index stay."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


async def remove_deployments(names: Sequence[str], limit: str) -> list[str]:
    """Remove the deployments, each FLOW/NAME, with their triggers, the runs that wait, and their limit; return the names found.

    A run that is at work goes on.
    """
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - takes time
    from prefect.client.schemas.filters import FlowRunFilter  # noqa: PLC0415
    from prefect.exceptions import ObjectNotFound  # noqa: PLC0415
    from prefect.states import Cancelled  # noqa: PLC0415

    found = list[str]()
    async with get_client() as client:
        for name in names:
            try:
                deployment = await client.read_deployment_by_name(name)
            except ObjectNotFound:
                continue
            # Those that wait for the limit the server leaves behind, and where no worker comes for them they would wait for ever.
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
