"""Asks the Hugging Face Hub, or its cache on this machine, for models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from configs.settings import PACKAGED_PREFIX
from embedding.errors import ModelError, first_line
from machine.proxies import why_out_of_reach

if TYPE_CHECKING:
    from configs.settings import ModelSettings

_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Files of a hub model; one of them has its weights, or the names of the files that do."""
ADVICE = (
    "Check its name (embedding.<vector>.model, or --base of tune); "
    f'"{PACKAGED_PREFIX}rust-code" needs no download.'
)
"""Ends the message about a model that can't be had."""


def resolve_on_hub(settings: ModelSettings) -> str:
    """Return the commit of the model's revision, from the Hub or from an earlier download.

    Raises ModelError if neither has it.
    """
    from huggingface_hub import constants, hf_hub_download  # noqa: PLC0415 - for hub models only

    # Asked first, because the library asks six times, and waits 23 s in between.
    unreachable = (
        "" if constants.HF_HUB_OFFLINE else why_unreachable(float(constants.HF_HUB_ETAG_TIMEOUT))
    )
    try:
        config = hf_hub_download(
            settings.model,
            "config.json",
            revision=settings.revision or None,
            local_files_only=bool(unreachable),
        )
    except Exception as exc:  # network, permission, name and cache errors of three libraries
        raise ModelError(
            f"model {settings.model} is not a local folder and could not be downloaded from the "
            f"Hugging Face Hub: {unreachable or first_line(exc)}. {ADVICE}"
        ) from exc
    return Path(config).parent.name


def why_unreachable(timeout_s: float) -> str:
    """Return why the Hub does not answer within the time; "" if it does."""
    from huggingface_hub import get_session  # noqa: PLC0415 - for hub models only

    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    if why := why_out_of_reach(hub, os.environ):
        return f"{urlsplit(hub).hostname or hub} can't be reached: {why}"
    try:
        # With the library's own session: another one may trust other certificates.
        get_session().head(hub, timeout=timeout_s)
    except OSError as exc:  # what requests raises
        return f"{urlsplit(hub).hostname or hub} can't be reached ({type(exc).__name__})"
    return ""


def go_offline() -> None:
    """Make the Hub's library, in this process, use only what it has downloaded before."""
    from huggingface_hub import constants  # noqa: PLC0415 - for hub models only
    from huggingface_hub.utils import reset_sessions  # type: ignore[attr-defined] # noqa: PLC0415

    os.environ["HF_HUB_OFFLINE"] = "1"
    constants.HF_HUB_OFFLINE = True  # it has read its environment
    reset_sessions()  # those that exist go on asking


def has_weights(model: str, commit: str) -> bool:
    """Return whether the weights of a model of the Hub are on this machine."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - for hub models only

    kept = (try_to_load_from_cache(model, name, revision=commit) for name in _WEIGHTS)
    return any(isinstance(path, str) for path in kept)
