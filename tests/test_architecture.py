"""The import graph has no circle, and DEVELOPMENT.md draws it as it is; docstring examples run."""

from __future__ import annotations

import ast
import doctest
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import PROJECT_ROOT

PACKAGES = ("configs", "machine", "lsif", "embedding", "storage", "search", "flows")
DRAWN_INSIDE = ("lsif", "flows")
"""Packages whose parts are drawn, too."""
BENCHMARKS = sorted((PROJECT_ROOT / "benchmarks").glob("*.py"))
SOURCES = {
    ".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((PROJECT_ROOT / package).rglob("*.py"))
}


def imported_names(source: str) -> Iterator[str]:
    """Yield what a module imports anywhere: for type checks only, and inside functions, too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not followed"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def is_package(module: str) -> bool:
    """Return whether the module is a package's `__init__`."""
    return SOURCES[module].name == "__init__.py"


def module_of(name: str) -> str | None:
    """Return the module of ours that holds the name, or None."""
    return next((part for part in (name, name.rpartition(".")[0]) if part in SOURCES), None)


def module_graph() -> dict[str, set[str]]:
    """Return the modules that each module imports."""
    graph = {}
    for module, path in SOURCES.items():
        found = {module_of(name) for name in imported_names(path.read_text())}
        graph[module] = {other for other in found if other is not None} - {module}
    return graph


def reachable(graph: Mapping[str, Set[str]], start: str) -> set[str]:
    """Return every module that importing this one may load."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def find_circles(graph: Mapping[str, Set[str]]) -> list[set[str]]:
    """Return the strongly connected components of more than one module, in order of names."""
    reached = {module: reachable(graph, module) for module in graph}
    circles = {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in graph
        if module in reached[module]
    }
    return sorted((set(circle) for circle in circles), key=min)


GRAPH = module_graph()


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}, "e": {"f"}, "f": {"g"}, "g": {"e"}}
    assert find_circles(graph) == [{"b", "c"}, {"e", "f", "g"}]


def test_imports_are_found_wherever_they_stand() -> None:
    source = (
        "import lsif.join\n"
        "if TYPE_CHECKING:\n    from storage import index\n"
        "def f():\n    from lsif.blocks import Block\n"
    )
    assert list(imported_names(source)) == ["lsif.join", "storage.index", "lsif.blocks.Block"]
    assert module_of("lsif.blocks.Block") == "lsif.blocks"
    assert module_of("orjson.dumps") is None


def test_no_circle_between_modules() -> None:
    assert find_circles(GRAPH) == []


def part_of(module: str) -> str | None:
    """Return the part of its package that a module belongs to; None for the package itself.

    >>> part_of("lsif.rust.syntax")
    'lsif.rust'
    """
    words = module.split(".")
    return ".".join(words[:2]) if len(words) > 1 else None


def edges_between_packages() -> set[tuple[str, str]]:
    names = {
        (module.partition(".")[0], other.partition(".")[0])
        for module, others in GRAPH.items()
        for other in others
    }
    return {(name, other) for name, other in names if name != other}


def edges_inside(package: str) -> set[tuple[str, str]]:
    """Return the imports between the parts of a package; any part may import its errors."""
    return {
        (part, other_part)
        for module, others in GRAPH.items()
        for other in others
        if (part := part_of(module)) and (other_part := part_of(other)) and part != other_part
        if part.startswith(f"{package}.") and other_part.startswith(f"{package}.")
        if other_part != f"{package}.errors"
    }


def drawn_edges() -> list[set[tuple[str, str]]]:
    """Return the edges of each drawing of DEVELOPMENT.md: lines of the form `part -> parts`."""
    text = (PROJECT_ROOT / "DEVELOPMENT.md").read_text()
    drawings = []
    for block in re.findall(r"```text\n(.*?)```", text, re.DOTALL):
        lines = [line.split("──▶") for line in block.splitlines() if "──▶" in line]
        if lines:
            drawings.append(
                {(left.strip(), name) for left, right in lines for name in right.split()}
            )
    return drawings


def test_the_drawing_is_the_import_graph() -> None:
    packages, *parts = drawn_edges()
    assert packages == edges_between_packages()
    for package, drawn in zip(DRAWN_INSIDE, parts, strict=True):
        named = {(f"{package}.{left}", f"{package}.{right}") for left, right in drawn}
        assert named == edges_inside(package), package


@pytest.mark.parametrize("package", [name for name in SOURCES if is_package(name)])
def test_a_package_says_its_reading_order(package: str) -> None:
    text = ast.get_docstring(ast.parse(SOURCES[package].read_text())) or ""
    inside = [name for name in SOURCES if name.rpartition(".")[0] == package]
    names = {name.rpartition(".")[2] for name in inside} - {"__main__"}
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize(
    "module", [module for module, path in SOURCES.items() if ">>> " in path.read_text()]
)
def test_the_examples_of_docstrings_are_true(module: str) -> None:
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted > 0
    assert results.failed == 0


def programs_in(source: str) -> Iterator[str]:
    """Yield a module's source, and the programs that stand in it as text."""
    yield source
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            with suppress(SyntaxError):
                ast.parse(node.value)
                yield node.value


@pytest.mark.parametrize("path", BENCHMARKS, ids=[path.stem for path in BENCHMARKS])
def test_what_a_benchmark_imports_exists(path: Path) -> None:
    """A benchmark is run by hand: without this, a renamed function is noticed months later."""
    names = {name for text in programs_in(path.read_text()) for name in imported_names(text)}
    for name in sorted(names):
        if name.partition(".")[0] in PACKAGES:
            module = module_of(name)
            assert module is not None, name
            if name != module:
                assert hasattr(importlib.import_module(module), name.rpartition(".")[2]), name


def test_benchmarks_can_be_imported() -> None:
    names = [path.stem for path in BENCHMARKS]
    program = "import sys, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = subprocess.run(
        [sys.executable, "-c", program, *names],
        cwd=PROJECT_ROOT / "benchmarks",
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
