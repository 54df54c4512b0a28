"""Work pools: their names and types, making one, checking that one exists."""

from __future__ import annotations

import copy
from typing import Any

from flows.deploy.programs import run_prefect
from flows.errors import UsageError
from flows.server.api import Api, ask

POOL_TYPES = ("process", "docker", "kubernetes")
_FROM_WORKER = ("QDRANT_URL", "QDRANT_API_KEY")
"""Variables that runs in Docker get from their worker's environment."""


def pool_name(name: str, pool_type: str) -> str:
    """Return the pool's name: the given one, or the default of the type.

    >>> pool_name("", "process"), pool_name("", "docker"), pool_name("boats", "docker")
    ('lsif-ingest', 'lsif-ingest-docker', 'boats')
    """
    return name or ("lsif-ingest" if pool_type == "process" else f"lsif-ingest-{pool_type}")


def require_pool(api: Api, name: str, pool_type: str) -> None:
    """Raise UsageError if the pool does not exist or has another type.

    Prefect's worker would make the pool itself, and wait in it forever.
    """
    found: list[dict[str, Any]] = ask(
        api, "POST", "/work_pools/filter", {"work_pools": {"name": {"any_": [name]}}}
    )
    if not found:
        pools = ask(api, "POST", "/work_pools/filter", {})
        others = ", ".join(sorted(pool["name"] for pool in pools))
        raise UsageError(
            f"no work pool {name!r} at {api.location}; "
            f"{f'found: {others}' if others else 'there is none'}. "
            "`lsif-ingest deploy` makes it; or choose another with --pool."
        )
    if found[0]["type"] != pool_type:
        raise UsageError(
            f"work pool {name} has the type {found[0]['type']}, not {pool_type}: set --pool-type."
        )


async def make_pool(name: str, pool_type: str) -> None:
    """Make the work pool if there is none of that name. Raises UsageError if its type differs."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - takes a second
    from prefect.client.schemas.actions import WorkPoolUpdate  # noqa: PLC0415 - with Prefect

    run_prefect("work-pool", "create", name, "--type", pool_type, unless="already exists")
    async with get_client() as client:
        pool = await client.read_work_pool(name)
        if pool.type != pool_type:
            raise UsageError(
                f"work pool {name} has the type {pool.type}, not {pool_type}: "
                "choose another with --pool."
            )
        if pool_type == "docker":
            template = with_environment_of_worker(pool.base_job_template)
            if template != pool.base_job_template:
                await client.update_work_pool(name, WorkPoolUpdate(base_job_template=template))


def with_environment_of_worker(template: dict[str, Any]) -> dict[str, Any]:
    """Return a job template that passes the worker's Qdrant variables on to containers.

    Variables that the template sets already stay. The server stores names only: each worker fills
    in its own values, or an empty text. In prefect.yaml `prefect deploy` would fill in the values,
    and the server would store secrets.
    """
    changed = copy.deepcopy(template)
    env = changed["variables"]["properties"]["env"]
    from_worker = {name: f"{{{{ ${name} }}}}" for name in _FROM_WORKER}
    env["default"] = from_worker | (env.get("default") or {})
    return changed
