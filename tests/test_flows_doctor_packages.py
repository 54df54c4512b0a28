"""The doctor's checks of Python, its packages, and what torch weighs."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

import pytest
from doctored import always, changed

from configs.settings import Settings
from flows.doctor import packages as doctor_packages
from flows.doctor import torch as doctor_torch
from flows.doctor.finding import Finding

from conftest import PROJECT_ROOT

pytestmark = pytest.mark.usefixtures("bare_environment")


def test_python_is_recent_enough_or_not() -> None:
    assert doctor_packages.check_python((3, 12, 1)).found == f"3.12.1 in {sys.prefix}"
    finding = doctor_packages.check_python((3, 10, 9))
    assert (finding.status, finding.found) == ("failed", "3.10.9 found, 3.11 or later required")


def with_versions(**others: str | None) -> Callable[[str], str]:
    """Return a look-up of installed versions with some replaced; None: not installed."""

    def installed(name: str) -> str:
        known = others.get(name.replace("-", "_"), version(name))
        if known is None:
            raise PackageNotFoundError(name)
        return known

    return installed


def test_packages_are_those_that_were_tried_together(tmp_path: Path) -> None:
    tried = tmp_path / "constraints.txt"
    tried.write_text("# tried\ntorch==2.13.0\nNumPy==2.4.6\n")
    same = doctor_packages.check_packages(with_versions(torch="2.13.0+cpu", numpy="2.4.6"), tried)
    assert (same.status, same.advice) == ("ok", "")
    other = doctor_packages.check_packages(with_versions(torch="2.14.0", numpy="2.4.6"), tried)
    assert (other.status, other.found) == ("warning", "torch 2.14.0 found, tested with 2.13.0")
    assert other.advice == f"{sys.executable} -m pip install torch==2.13.0"


def test_a_package_that_can_not_be_used_fails(tmp_path: Path) -> None:
    found = doctor_packages.check_packages(
        with_versions(pyarrow=None, transformers="5.0.0"), tmp_path / "none.txt"
    )
    assert found.status == "failed"
    assert "pyarrow is missing, >=17 required" in found.found
    assert "transformers 5.0.0 found, <5,>=4.56 required" in found.found
    assert found.advice == f"{sys.executable} -m pip install 'pyarrow>=17' 'transformers<5,>=4.56'"
    assert "none.txt" not in found.found
    whole = doctor_packages.check_packages(constraints=tmp_path / "none.txt")
    assert (whole.status, "no constraints.txt" in whole.found) == ("ok", True)


def test_prefect_is_checked_with_its_partners_and_its_home(
    tmp_path: Path, a_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = tmp_path / "constraints.txt"
    tried.write_text("prefect==3.8.8\nfastapi==0.149.0\naiosqlite==0.21.0\n")
    versions = {"prefect": "3.8.8", "fastapi": "0.149.0", "aiosqlite": "0.21.0"}
    good = doctor_packages.check_prefect(with_versions(**versions), tried)
    assert (good.status, good.found) == (
        "ok",
        f"prefect 3.8.8, fastapi 0.149.0, aiosqlite 0.21.0; home {tmp_path / 'prefect'}",
    )
    bad = doctor_packages.check_prefect(with_versions(**{**versions, "aiosqlite": "0.22.1"}), tried)
    assert (bad.status, bad.found) == (
        "failed",
        "aiosqlite 0.22.1 found, <0.22,>=0.20 required; tested with 0.21.0",
    )
    assert bad.advice == f"{sys.executable} -m pip install aiosqlite==0.21.0"
    monkeypatch.setenv("PREFECT_HOME", str(a_file / "home"))  # a run does not write there
    unwritable = doctor_packages.check_prefect(with_versions(**versions), tried)
    assert (unwritable.status, unwritable.found.endswith(f"home {a_file}/home")) == ("ok", True)


def test_dask_is_an_extra_unless_it_is_configured(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str) -> str:
        raise PackageNotFoundError(name)

    missing = doctor_packages.check_dask(settings.cluster, none)
    assert missing == Finding("dask", "skipped", "prefect-dask, dask, distributed not installed")
    there = {"prefect-dask": "0.3.7", "dask": "2026.8.0", "distributed": "2026.8.0"}.__getitem__
    assert (
        doctor_packages.check_dask(settings.cluster, there).found
        == "prefect-dask 0.3.7, dask 2026.8.0, distributed 2026.8.0"
    )
    own = changed(settings, "cluster.runner=dask")
    needed = doctor_packages.check_dask(own.cluster, none)
    assert (needed.status, needed.found.startswith('cluster.runner is "dask"; ')) == (
        "failed",
        True,
    )
    assert (
        needed.advice == f"{sys.executable} -m pip install -c {PROJECT_ROOT}/constraints.txt"
        f" -e '{PROJECT_ROOT}[dask]'"
    )
    monkeypatch.setattr(doctor_packages, "_CHECKOUT", Path("/no/such"))  # as in a wheel
    monkeypatch.setattr(doctor_packages, "constraints_file", lambda: Path("/the/constraints.txt"))
    assert (
        doctor_packages.install_extra("dask")
        == f"{sys.executable} -m pip install -c /the/constraints.txt 'prefect-dask>=0.3.7'"
    )
    assert doctor_packages.check_dask(own.cluster, there).status == "ok"


def test_a_dask_scheduler_listens_or_not(settings: Settings) -> None:
    there = {"prefect-dask": "0.3.7", "dask": "2026.8.0", "distributed": "2026.8.0"}.__getitem__
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        own = changed(settings, "cluster.runner=dask", f"cluster.scheduler=tcp://127.0.0.1:{port}")
        assert doctor_packages.check_dask(own.cluster, there).found.endswith(
            f"; scheduler tcp://127.0.0.1:{port} listens"
        )
    finding = doctor_packages.check_dask(own.cluster, there)
    assert (
        finding.found == f"no Dask scheduler listens at tcp://127.0.0.1:{port} (Connection refused)"
    )
    assert (finding.status, finding.advice) == (
        "failed",
        f"dask scheduler --port {port}, on that machine",
    )


# ---- What torch weighs


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., Callable[[], Iterable[Distribution]]]:
    """Return what is installed: packages by name, with their version and their size in bytes."""

    def install(**packages: tuple[str, int]) -> Callable[[], Iterable[Distribution]]:
        for name, (number, size) in packages.items():
            folder = tmp_path / f"{name}-{number}.dist-info"
            folder.mkdir()
            (folder / "METADATA").write_text(f"Name: {name}\nVersion: {number}\n")
            (folder / "RECORD").write_text(f"{name}/lib.so,sha256=x,{size}\n{name}/made.pyc,,\n")
            # The backport importlib_metadata, once a library has imported it, looks for the files.
            (tmp_path / name).mkdir()
            (tmp_path / name / "lib.so").touch()
        return lambda: distributions(path=[str(tmp_path)])

    return install


def test_torch_with_cuda_libraries_and_no_gpu_is_a_warning(
    environment: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = environment(
        torch=("2.13.0+cu130", 900_000_000),
        nvidia_cublas=("13.1", 3_000_000_000),
        cuda_toolkit=("13.0.2", 400_000_000),
        triton=("3.7", 600_000_000),
        numpy=("2.4.6", 70_000_000),
    )
    finding = doctor_torch.check_torch(installed, always(answer=False))
    assert (finding.status, finding.found) == (
        "warning",
        "torch 2.13.0+cu130, 4.9 GB with CUDA libraries, no GPU found",
    )
    assert finding.advice.startswith("make clean setup TORCH_INDEX=URL, with the URL of an index")
    monkeypatch.setattr(doctor_packages, "_CHECKOUT", Path("/no/such"))  # as in a wheel
    finding = doctor_torch.check_torch(installed, always(answer=False))
    assert f"{sys.executable} -m pip install torch==2.13.0 --index-url URL" in finding.advice
    with_gpu = doctor_torch.check_torch(installed, always(answer=True))
    assert with_gpu == Finding("torch", "ok", "torch 2.13.0+cu130, 4.9 GB with CUDA libraries")


def test_torch_without_cuda_libraries_needs_no_gpu(environment: Callable[..., Any]) -> None:
    installed = environment(torch=("2.13.0+cpu", 700_000_000), numpy=("2.4.6", 70_000_000))
    finding = doctor_torch.check_torch(installed, pytest.fail)
    assert finding == Finding("torch", "ok", "torch 2.13.0+cpu, 0.7 GB")


def test_torch_may_have_its_cuda_libraries_inside(environment: Callable[..., Any]) -> None:
    installed = environment(torch=("2.13.0+cu130", 1_000_000_000))
    finding = doctor_torch.check_torch(installed, always(answer=False))
    assert finding.found == "torch 2.13.0+cu130, 1.0 GB with CUDA libraries, no GPU found"


def test_without_torch_there_is_nothing_to_weigh(environment: Callable[..., Any]) -> None:
    finding = doctor_torch.check_torch(environment(numpy=("2.4.6", 1)), pytest.fail)
    assert finding == Finding("torch", "skipped", "not installed")


def test_a_gpu_is_a_device_or_one_that_nvidia_smi_lists(
    tmp_path: Path, program: Callable[[str, str], Path]
) -> None:
    devices = tmp_path / "dev"
    devices.mkdir()
    (devices / "nvidiactl").touch()  # the driver without a GPU
    program("nvidia-smi", "exit 9")
    assert not doctor_torch._has_gpu(devices)
    program("nvidia-smi", "echo 'No devices were found'")
    assert not doctor_torch._has_gpu(devices)
    program("nvidia-smi", "echo 'GPU 0: NVIDIA H100 (UUID: GPU-1)'")
    assert doctor_torch._has_gpu(devices)
    program("nvidia-smi", "exit 9")
    (devices / "nvidia0").touch()
    assert doctor_torch._has_gpu(devices)
