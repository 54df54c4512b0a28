"""How large a query and an answer may be, and why, for each interface.

    for      query   hits  group  why
    engine  20,000  1,000  1,000  a pasted function can be long; models read a few thousand
                                  characters
    HTTP     2,000    100     20  a query is part of the URL, which proxies cut at about 8 KB
    MCP     20,000     50      -  hits with their source fill the context of an agent

The command line has the limits of the engine. If hits are grouped, `hits` counts groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from search.errors import SearchError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Limits(NamedTuple):
    """The largest values of one interface."""

    query: int
    """Characters of a query."""
    hits: int
    """Hits, or groups of hits."""
    group: int = 1
    """Hits of one group."""


ENGINE: Final = Limits(query=20_000, hits=1000, group=1000)
HTTP: Final = Limits(query=2_000, hits=100, group=20)
MCP: Final = Limits(query=20_000, hits=50)

VALUES: Final = 50
"""Values of one filter, by HTTP and MCP."""
VALUE: Final = 500
"""Characters of one value."""
PROJECT: Final = 200
"""Characters of a project's name."""
PATH: Final = 4096
"""Characters of a file's path: PATH_MAX of Linux."""

SNIPPET_LINES: Final = 60
"""Lines of a snippet in a hit of MCP; `get_structure` returns all of them."""
SNIPPET: Final = 12_000
"""Characters of the same: a line may be long."""

RELATED: Final = 100
"""Places, callers and the like in one answer, unless more or fewer are asked for."""
WALKED: Final = 10_000
"""Structures that a walk comes to; of more, the rest is only known to exist."""
STEPS: Final = 10
"""Steps from a structure to its callers, callees or tests."""
IMPACT_STEPS: Final = 3
"""Steps from a change to what reaches it, unless more or fewer are asked for."""
RELATED_CHARACTERS: Final = 12_000
"""JSON of the items in one answer of MCP: about 3,000 tokens."""
OFFSET: Final = 100_000_000
"""Items before those that are asked for: more than an index has."""

DEPTH: Final = 20_000
"""Points that a retriever is asked for: groups need many."""
RANGES: Final = 3
"""Ranges of lines that a hit points at."""
LINES: Final = 3
"""Lines of a hit that match best."""
MAP: Final = 4000
"""Structures on the map; of more, every n-th is shown. More would be slow to lay out and draw."""


def validate_query(query: str) -> None:
    """Raise SearchError if the engine can't search with this query."""
    try:
        query.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise SearchError("the query is not valid UTF-8.") from exc
    if not query.strip():
        raise SearchError("the query is empty; expected some words or a piece of code.")
    if len(query) > ENGINE.query:
        raise SearchError(
            f"the query has {len(query):,} characters; expected at most {ENGINE.query:,}."
        )


def within(name: str, given: int | None, default: int, most: int) -> int:
    """Return the number, or the default if none is given. Raises SearchError if it is too large."""
    number = default if given is None else given
    if not 1 <= number <= most:
        raise SearchError(f"the {name} is {number}; expected 1 to {most}.")
    return number


def validate_name(what: str, name: str, names: Sequence[str]) -> None:
    """Raise SearchError if the name is none of these."""
    if name not in names:
        raise SearchError(f"there is no {what} {name!r}; expected {', '.join(names)}.")
