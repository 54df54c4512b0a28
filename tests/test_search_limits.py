from __future__ import annotations

import re

import pytest

from search import limits
from search.errors import SearchError
from search.limits import ENGINE, HTTP, MCP, Limits

from conftest import PROJECT_ROOT

SEARCH = (PROJECT_ROOT / "docs" / "search.md").read_text()


@pytest.mark.parametrize(
    ("way", "row"),
    [(ENGINE, "command line, library"), (HTTP, "HTTP"), (MCP, "MCP")],
)
def test_the_docs_and_the_module_have_one_table_of_limits(way: Limits, row: str) -> None:
    numbers = f"{way.query:,} | {way.hits:,} | {f'{way.group:,}' if way.group > 1 else '-'}"
    found = re.search(rf"^\| {row} \| {re.escape(numbers)} \| (.+) \|$", SEARCH, re.MULTILINE)
    assert found
    words = " ".join((limits.__doc__ or "").split())
    assert f"{numbers.replace(' | ', ' ')} {found[1]}" in words


def test_what_http_and_agents_may_ask_the_engine_answers() -> None:
    for way in (HTTP, MCP):
        assert way.query <= ENGINE.query
        assert way.hits <= ENGINE.hits
        assert way.group <= ENGINE.group


@pytest.mark.parametrize("number", [0, -1, 1001])
def test_a_number_beyond_its_limit_is_an_error(number: int) -> None:
    with pytest.raises(SearchError, match=f"the limit is {number}; expected 1 to 1000"):
        limits.within("limit", number, 10, ENGINE.hits)
    assert limits.within("limit", None, 10, ENGINE.hits) == 10
    assert limits.within("limit", 1000, 10, ENGINE.hits) == 1000


def test_the_package_header_names_every_module() -> None:
    header = (PROJECT_ROOT / "search" / "__init__.py").read_text()
    for path in sorted((PROJECT_ROOT / "search").iterdir()):
        name = path.stem
        if path.suffix in ("", ".py") and not name.startswith("_"):
            assert re.search(rf"\b{name}\b", header), name
