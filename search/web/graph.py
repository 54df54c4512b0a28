"""The routes that answer from the graph: places, callers, callees, implementations, tests."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Response

from search import limits
from search.relations import STEPS, RelationName, relate
from search.web.models import PlacesModel, RelatedModel
from search.web.parameters import Project
from search.web.replies import GRAPH_ERRORS, json_reply

if TYPE_CHECKING:
    from search.service import SearchService


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of an answer a request asks for."""

    offset: Annotated[
        int, Query(ge=0, le=limits.OFFSET, description="items to leave out at the beginning")
    ] = 0
    limit: Annotated[
        int, Query(ge=1, le=limits.HTTP.hits, description="maximum number of items")
    ] = 20
    project: Project = ""


PartOf = Annotated[Part, Depends()]
Depth = Annotated[
    int, Query(ge=1, le=limits.STEPS, description="maximum number of steps from the target")
]


def add_graph(router: APIRouter, service: "SearchService") -> None:
    """Add the routes that answer from the graph."""

    def answer(
        target: str, relation: RelationName, part: Part, depth: int | None = None
    ) -> Response:
        with service.opened(part.project) as held:
            found = relate(
                held.references,
                held.references.target(target),
                relation,
                depth=depth,
                offset=part.offset,
                limit=part.limit,
                sources=held.sources,
            )
        return json_reply(found.to_dict())

    _add_structure_routes(router, answer)

    @router.get(
        "/api/references",
        response_model=PlacesModel | RelatedModel,
        responses=GRAPH_ERRORS,
    )
    def of_target(
        target: Annotated[
            str,
            Query(
                min_length=1,
                max_length=limits.HTTP.query,
                description="id, FILE:LINE, symbol or name, of a dependency's item, too",
            ),
        ],
        part: PartOf,
        relation: RelationName = "references",
        depth: Annotated[
            Depth | None, Query(description="not of references and implementations")
        ] = None,
    ) -> Response:
        """Return what is related to a structure, or to a symbol outside the index."""
        return answer(target, relation, part, depth)


def _add_structure_routes(router: APIRouter, answer: Callable[..., Response]) -> None:
    route = "/api/structure/{structure_id}/"

    @router.get(f"{route}references", response_model=PlacesModel, responses=GRAPH_ERRORS)
    def references(structure_id: uuid.UUID, part: PartOf) -> Response:
        """Return the places that refer to a structure, by file and line."""
        return answer(str(structure_id), "references", part)

    @router.get(f"{route}callers", response_model=RelatedModel, responses=GRAPH_ERRORS)
    def callers(structure_id: uuid.UUID, part: PartOf, depth: Depth = STEPS["callers"]) -> Response:
        """Return the structures that refer to a structure, those used most first."""
        return answer(str(structure_id), "callers", part, depth)

    @router.get(f"{route}callees", response_model=RelatedModel, responses=GRAPH_ERRORS)
    def callees(structure_id: uuid.UUID, part: PartOf, depth: Depth = STEPS["callees"]) -> Response:
        """Return what a structure calls; then symbols outside the index."""
        return answer(str(structure_id), "callees", part, depth)

    @router.get(f"{route}implementations", response_model=RelatedModel, responses=GRAPH_ERRORS)
    def implementations(structure_id: uuid.UUID, part: PartOf) -> Response:
        """Return the impl blocks of a trait, or what implements a trait's member."""
        return answer(str(structure_id), "implementations", part)

    @router.get(f"{route}tests", response_model=RelatedModel, responses=GRAPH_ERRORS)
    def tests(structure_id: uuid.UUID, part: PartOf, depth: Depth = STEPS["tests"]) -> Response:
        """Return the tests that reach a structure, the nearest first."""
        return answer(str(structure_id), "tests", part, depth)
