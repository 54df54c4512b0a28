"""How large a query and an answer may be, and why, for each way to ask.

    way      query   hits  group  why
    engine  20,000  1,000  1,000  a pasted function is long; models read a few thousand characters
    HTTP     2,000    100     20  a query is part of the URL, which proxies cut at about 8 KB
    MCP     20,000     50      -  hits with their source fill the context of an agent

The command line has the engine's limits. `hits` counts groups if hits are grouped; MCP groups none.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Limits(NamedTuple):
    """The largest values of one way to ask."""

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

DEPTH: Final = 20_000
"""Points that a retriever is asked for: groups need many."""
RANGES: Final = 3
"""Ranges of lines that a hit points at."""
LINES: Final = 3
"""Lines of a hit that match best."""
MAP: Final = 4000
"""Structures on the map; of more, every n-th is shown. More would be slow to lay out and draw."""
