"""How this process shares the machine's processors: threads that wait, their number, niceness.

What is in the environment counts for libraries that are loaded later, and for processes that this
one starts; the rest are told.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from types import ModuleType

_LOADED: MutableMapping[str, ModuleType] = sys.modules
_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
_NUMBERS = (
    "OMP_NUM_THREADS",  # torch, pyarrow, scikit-learn
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "RAYON_NUM_THREADS",  # tokenizers, Qdrant's engine
)


def wait_without_spinning(environment: MutableMapping[str, str]) -> None:
    """Have OpenMP's threads sleep while they wait, unless the user said how they wait.

    They spin for milliseconds at each barrier. If another program needs the processor, the thread
    that they wait for may not run at all meanwhile. OpenMP reads it as its library is loaded.
    """
    if not any(name in environment for name in _WAITING):
        environment["OMP_WAIT_POLICY"] = "PASSIVE"


def compute_with(threads: int) -> None:
    """Let this process, and those it starts, compute with so many threads; 0 = as they would."""
    if not threads:
        return
    for name in _NUMBERS:
        os.environ[name] = str(threads)
    if (torch := _LOADED.get("torch")) is not None:
        torch.set_num_threads(threads)
    if (arrow := _LOADED.get("pyarrow")) is not None:
        arrow.set_cpu_count(threads)
    if "numpy" in _LOADED:
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - for settings that say so

        threadpool_limits(threads)


def be_nice(niceness: int) -> None:
    """Run this thread, and all threads and processes that it starts, at least so nicely, 0 to 19.

    Nobody but the administrator can take that back.
    """
    if niceness > os.getpriority(os.PRIO_PROCESS, 0):
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
