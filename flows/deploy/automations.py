"""The automations of automations.yaml, renewed on the Prefect server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr

DEFINITIONS = Path(__file__).with_name("automations.yaml")
_BLOCK = "lsif-ingest"
"""Name of the webhook block that holds the address to notify."""


def read_definitions(path: Path) -> Any:
    """Return the YAML file's content, {{ $NAME }} filled in from the environment.

    `prefect deploy` fills it in the same way.
    """
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - with Prefect
    from prefect.utilities.templating import apply_values  # noqa: PLC0415 - takes a second

    return apply_values(yaml.safe_load(path.read_text(encoding="utf-8")), {}, remove_notset=False)


async def renew_automations(url: str) -> tuple[list[str], list[str]]:
    """Replace the automations of the same names; return the names of the new and of the kept ones.

    Without `url` no automation that notifies is made. One on the server already stays, with the
    address it has.
    """
    from prefect.blocks.webhook import Webhook  # noqa: PLC0415 - takes a second
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - with Prefect
    from prefect.events.schemas.automations import AutomationCore  # noqa: PLC0415 - with Prefect

    if url:
        block = await Webhook(url=SecretStr(url)).save(_BLOCK, overwrite=True)
        os.environ["LSIF_NOTIFY_BLOCK"] = str(block)
    wanted, others = list[AutomationCore](), list[str]()
    for definition in read_definitions(DEFINITIONS):
        notifies = any(action["type"] == "call-webhook" for action in definition["actions"])
        if url or not notifies:
            wanted.append(AutomationCore.model_validate(definition))
        else:
            others.append(definition["name"])
    async with get_client() as client:
        for automation in wanted:
            for former in await client.read_automations_by_name(automation.name):
                await client.delete_automation(former.id)
            await client.create_automation(automation)
        kept = [name for name in others if await client.read_automations_by_name(name)]
    return [automation.name for automation in wanted], kept
