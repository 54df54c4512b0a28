"""Renews the automations of automations.yaml on the Prefect server that PREFECT_API_URL names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr

DEFINITIONS = Path(__file__).with_name("automations.yaml")
BLOCK = "lsif-ingest"
"""Name of the webhook block that holds the address of whoever is told."""


def read_definitions(path: Path) -> Any:
    """Return what the YAML file holds, its {{ $NAME }} filled in from the environment as `prefect deploy` does it."""
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - with Prefect
    from prefect.utilities.templating import apply_values  # noqa: PLC0415

    return apply_values(yaml.safe_load(path.read_text(encoding="utf-8")), {}, remove_notset=False)


async def renew_automations(url: str) -> tuple[list[str], list[str]]:
    """Put the automations in the place of those of the same names; return the names, and those of others that stay as they were.

    Without `url` those that tell somebody are not made; where they are there already, they stay, with their address.
    """
    from prefect.blocks.webhook import Webhook  # noqa: PLC0415 - takes time
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.events.schemas.automations import AutomationCore  # noqa: PLC0415

    if url:
        os.environ["LSIF_NOTIFY_BLOCK"] = str(
            await Webhook(url=SecretStr(url)).save(BLOCK, overwrite=True)
        )
    known = read_definitions(DEFINITIONS)
    telling = {
        one["name"]
        for one in known
        if any(action["type"] == "call-webhook" for action in one["actions"])
    }
    wanted = [
        AutomationCore.model_validate(one) for one in known if url or one["name"] not in telling
    ]
    async with get_client() as client:
        for automation in wanted:
            for former in await client.read_automations_by_name(automation.name):
                await client.delete_automation(former.id)
            await client.create_automation(automation)
        others = [
            one["name"]
            for one in known
            if one["name"] not in {automation.name for automation in wanted}
        ]
        stay = [name for name in others if await client.read_automations_by_name(name)]
    return [automation.name for automation in wanted], stay
