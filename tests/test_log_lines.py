"""What is logged can be read without the source: each number has its unit."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from conftest import PROJECT_ROOT

PACKAGES = ("configs", "machine", "lsif", "embedding", "storage", "flows")
_NUMBER = re.compile(r"%[\d.,]*[df](?P<unit>.{0,12})")
_UNIT = re.compile(r" (s|MB|%%|tokens/s|[a-z]+s|more)\b| of %d [a-z]+s\b")
_NO_QUANTITIES = {
    "%s ended with status %d",
    "step %d of %d, loss %.3f, %s left",
    "%s, %s: mean reciprocal rank %.3f, first %.3f, of %d questions that were held back",
}


def log_lines() -> Iterator[tuple[str, str]]:
    for path in sorted(
        path for package in PACKAGES for path in (PROJECT_ROOT / package).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                not isinstance(node, ast.Call)
                or not isinstance(node.func, ast.Attribute)
                or not node.args
            ):
                continue
            if (
                isinstance(node.func.value, ast.Name)
                and node.func.value.id == "logger"
                and isinstance(node.args[0], ast.Constant)
            ):
                yield f"{path.parent.name}/{path.name}:{node.lineno}", str(node.args[0].value)


def units_missing(line: str) -> list[str]:
    return [found.group() for found in _NUMBER.finditer(line) if not _UNIT.match(found["unit"])]


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("%s: done in %.1f s", []),
        ("%s: %d of %d texts, %.0f tokens/s", []),
        ("%d structures and %d blocks", []),
        ("done in %.1f", ["%.1f"]),
        ("size %d, %.1f s", ["%d, %.1f s"]),
    ],
)
def test_a_number_without_a_unit_is_noticed(line: str, missing: list[str]) -> None:
    assert units_missing(line) == missing


def test_every_number_in_a_log_line_has_its_unit() -> None:
    lines = list(log_lines())
    assert len(lines) > 20
    assert [
        place for place, line in lines if line not in _NO_QUANTITIES and units_missing(line)
    ] == []
