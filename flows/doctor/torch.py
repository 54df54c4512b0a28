"""The doctor's check of what torch weighs. It reads package metadata and imports nothing.

torch's default wheel for Linux brings gigabytes of CUDA libraries, which only a GPU uses.
"""

from __future__ import annotations

from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from flows.doctor.finding import Finding
from flows.doctor.packages import is_checkout, pip_install
from machine.programs import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_CUDA = ("nvidia-", "cuda-", "triton")
"""What names of torch's CUDA packages begin with: nvidia-cublas-cu12, cuda-toolkit, triton ..."""
_DEVICES = ("nvidia[0-9]*", "dxg")
"""NVIDIA's GPUs in /dev, on Linux and in Windows' subsystem for Linux."""


def check_torch(
    installed: Callable[[], Iterable[Distribution]] = distributions,
    has_gpu: Callable[[], bool] | None = None,
) -> Finding:
    """Return torch's version and size; a warning if it has CUDA libraries and there is no GPU."""
    packages = dict[str, Distribution]()
    for package in installed():
        if name := package.metadata["Name"]:  # a broken installation has none
            packages.setdefault(canonicalize_name(name), package)
    torch = packages.get(canonicalize_name("torch"))
    if torch is None:  # the check of the packages reports it
        return Finding("torch", "skipped", "not installed")
    cuda = [package for name, package in packages.items() if name.startswith(_CUDA)]
    size = sum(map(_size, [torch, *cuda])) / 1e9
    found = f"torch {torch.version}, {size:,.1f} GB"
    _, _, build = torch.version.partition("+")
    if not cuda and not build.startswith("cu"):
        return Finding("torch", "ok", found)
    found += " with CUDA libraries"
    if (has_gpu or _has_gpu)():
        return Finding("torch", "ok", found)
    return Finding("torch", "warning", f"{found}, no GPU found", _advice(torch))


def _size(package: Distribution) -> int:
    """Return the bytes of a package's files, as its installation recorded them."""
    return sum(file.size or 0 for file in package.files or ())


def _has_gpu(devices: Path = Path("/dev")) -> bool:
    if any(path for pattern in _DEVICES for path in devices.glob(pattern)):
        return True
    said = ask(["nvidia-smi", "-L"])
    return said is not None and said.status == 0 and said.out.startswith("GPU")


def _advice(torch: Distribution) -> str:
    """Return how to get CPU wheels; the environment must be new, for pip keeps the libraries."""
    where = "URL of an index with CPU wheels"
    if is_checkout():
        return f"make clean setup TORCH_INDEX=URL, with the {where}"
    version, _, _ = torch.version.partition("+")
    return (
        f"in a new environment: {pip_install()} torch=={version} --index-url URL, with the {where}"
    )
