from __future__ import annotations

import importlib
import inspect
import re
from typing import TYPE_CHECKING

import pytest

from configs.errors import LsifIngestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

MODULES = [
    importlib.import_module(f"{package}.errors")
    for package in ("configs", "lsif", "embedding", "storage", "search", "flows")
]


def drawn(module: ModuleType) -> dict[str, str | None]:
    """Return each class that the module's docstring draws with the one above it."""
    found: dict[str, str | None] = {}
    above: list[str] = []
    for line in (module.__doc__ or "").splitlines()[2:]:
        match = re.match(r"((?:│   |    )*)(├── |└── |)([\w.]+)", line)
        if match is None:
            continue
        depth = len(match[1]) // 4 + bool(match[2])
        name = match[3].rpartition(".")[2]
        found[name] = above[depth - 1] if depth else None
        above[depth:] = [name]
    return found


def errors_of(module: ModuleType) -> Iterator[type[LsifIngestError]]:
    for _, one in inspect.getmembers(module, inspect.isclass):
        if one.__module__ == module.__name__ and issubclass(one, LsifIngestError):
            yield one


def test_the_root_draws_every_error_that_comes_of_it_at_once() -> None:
    at_once = {
        one.__name__: "LsifIngestError"
        for module in MODULES
        for one in errors_of(module)
        if one.__bases__ == (LsifIngestError,)
    }
    assert drawn(MODULES[0]) == {"LsifIngestError": None, **at_once}


@pytest.mark.parametrize("module", MODULES[1:], ids=lambda module: module.__name__)
def test_a_package_draws_its_errors_as_they_are(module: ModuleType) -> None:
    own = list(errors_of(module))
    names = {one.__name__ for one in own}
    real = {
        one.__name__: base.__name__ if (base := one.__bases__[0]).__name__ in names else None
        for one in own
    }
    assert drawn(module) == real


def test_no_error_is_outside_of_these_modules() -> None:
    def below(one: type[LsifIngestError]) -> set[type[LsifIngestError]]:
        return {one}.union(*map(below, one.__subclasses__()))

    product = {one for one in below(LsifIngestError) if not one.__module__.startswith("test_")}
    assert {one.__module__ for one in product} <= {module.__name__ for module in MODULES}
