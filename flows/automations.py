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


async def renew_automations(url: str) -> list[str]:
    """Put the automations in the place of those of the same names; return the names. Without `url` nobody is told anything."""
    from prefect.blocks.webhook import Webhook  # noqa: PLC0415 - takes time
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.events.schemas.automations import AutomationCore  # noqa: PLC0415

    if url:
        os.environ["LSIF_NOTIFY_BLOCK"] = str(await Webhook(url=SecretStr(url)).save(BLOCK, overwrite=True))
    wanted = [
        AutomationCore.model_validate(one)
        for one in read_definitions(DEFINITIONS)
        if url or all(action["type"] != "call-webhook" for action in one["actions"])
    ]
    async with get_client() as client:
        for automation in wanted:
            for former in await client.read_automations_by_name(automation.name):
                await client.delete_automation(former.id)
            await client.create_automation(automation)
    return [automation.name for automation in wanted]
