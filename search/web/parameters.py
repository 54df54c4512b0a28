"""The parameters that several routes of the HTTP API share, and how they can be wrong."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request
from fastapi.dependencies.utils import get_flat_params

from search import limits
from search.answer import GroupBy
from search.errors import SearchError
from search.filters import Filters, Tests

Project = Annotated[
    str, Query(max_length=limits.PROJECT, description="index to search; default: the server's")
]
Values = Annotated[
    list[Annotated[str, Query(max_length=limits.VALUE)]], Query(max_length=limits.VALUES)
]

_EDGE = "id, symbol or name of a structure, or a symbol outside the index"


def filters_of(  # noqa: PLR0913, PLR0917 - one each parameter of the address
    crate: Values = [],  # noqa: B006 - FastAPI copies it
    path: Annotated[
        Values,
        Query(description="folder, file or glob; * and ? stay within a folder, ** does not"),
    ] = [],  # noqa: B006
    module: Values = [],  # noqa: B006
    kind: Values = [],  # noqa: B006
    visibility: Values = [],  # noqa: B006
    owner: Values = [],  # noqa: B006
    trait: Values = [],  # noqa: B006
    origin: Values = [],  # noqa: B006
    calls: Annotated[Values, Query(description=_EDGE)] = [],  # noqa: B006
    called_by: Annotated[Values, Query(description=_EDGE)] = [],  # noqa: B006
    implements: Annotated[Values, Query(description=_EDGE)] = [],  # noqa: B006
    tests: Tests = "include",
    generated: Tests = "include",
) -> Filters:
    """Return the filters of a request; the values of one field are alternatives."""
    return Filters(
        crate=tuple(crate),
        path=tuple(path),
        module=tuple(module),
        kind=tuple(kind),
        visibility=tuple(visibility),
        owner=tuple(owner),
        trait=tuple(trait),
        origin=tuple(origin),
        calls=tuple(calls),
        called_by=tuple(called_by),
        implements=tuple(implements),
        tests=tests,
        generated=generated,
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """How many hits a request asks for, and how they are grouped."""

    limit: Annotated[
        int,
        Query(
            ge=1, le=limits.HTTP.hits, description="maximum number of hits (groups with group_by)"
        ),
    ] = 10
    group_by: GroupBy | None = None
    group_size: Annotated[
        int, Query(ge=1, le=limits.HTTP.group, description="maximum number of hits of a group")
    ] = 3


def known_only(request: Request) -> None:
    """Raise SearchError for an unknown parameter: a misspelt filter must not widen the search."""
    known = {field.alias for field in get_flat_params(request.scope["route"].dependant)}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise SearchError(
            f"there is no parameter {unknown[0][:100]!r} here; expected {', '.join(sorted(known))}."
        )
