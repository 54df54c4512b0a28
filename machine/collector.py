"""Python's collector of unused cycles, called less often."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_YOUNG_OBJECTS = 50_000
"""New objects before Python looks for unused cycles; its default is 700.

Prefect and torch make a million objects that all stay, and a run makes millions that need no
collector. With the default, looking through them takes a tenth of a run's CPU time.
"""


def collect_rarely() -> None:
    """Let the collector wait for more new objects, until the process ends."""
    gc.set_threshold(_YOUNG_OBJECTS)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let the collector wait for more new objects, and leave out all that exist already."""
    before = gc.get_threshold()
    gc.freeze()
    collect_rarely()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
