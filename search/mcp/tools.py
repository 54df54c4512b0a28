"""The tools: the arguments of each, and how a SearchService answers them. Everything is read only.

What goes wrong is returned as a tool's error, which an agent reads and can act on.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult, TextContent, Tool, ToolAnnotations
from pydantic import Field, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from configs.errors import LsifIngestError
from search import limits
from search.answer import Mode  # noqa: TC001 - pydantic reads it
from search.errors import AmbiguousName
from search.filters import Filters, Tests
from search.mcp import texts
from search.mcp.arguments import Id, Limit, Project, Request, Target, Values
from search.mcp.graph import RELATION_REQUESTS, candidates_of
from search.mcp.models import FoundStructures

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import CoreSchema

    from search.service import SearchService

logger = logging.getLogger(__name__)

_SHOWN_PROBLEMS = 5
"""Wrong arguments that an error names."""
_SHOWN_CHARACTERS = 100
"""Of a wrong argument."""
_EDGES = frozenset({"refers_to", "uses", "uses_called", "may_refer_to", "implements"})
"""Fields of a structure that are long lists of ids and symbols."""


class SearchCode(Request):
    """Arguments of search_code."""

    tool = "search_code"
    title = "Search code by meaning"
    description = texts.SEARCH_CODE
    result = FoundStructures

    query: Annotated[str, Field(min_length=1, max_length=limits.MCP.query, description=texts.QUERY)]
    mode: Annotated[Mode, Field(description=texts.MODE)] = "hybrid"
    limit: Limit = 5
    project: Project = ""
    crate: Annotated[Values, Field(description=texts.CRATE)] = ()
    path: Annotated[Values, Field(description=texts.PATH)] = ()
    module: Annotated[Values, Field(description=texts.MODULE)] = ()
    kind: Annotated[Values, Field(description=texts.KIND)] = ()
    visibility: Annotated[Values, Field(description=texts.VISIBILITY)] = ()
    owner: Annotated[Values, Field(description=texts.OWNER)] = ()
    trait: Annotated[Values, Field(description=texts.TRAIT)] = ()
    origin: Annotated[Values, Field(description=texts.ORIGIN)] = ()
    calls: Annotated[Values, Field(description=texts.CALLS)] = ()
    called_by: Annotated[Values, Field(description=texts.CALLED_BY)] = ()
    implements: Annotated[Values, Field(description=texts.IMPLEMENTS)] = ()
    tests: Annotated[Tests, Field(description=texts.TESTS)] = "include"
    generated: Annotated[Tests, Field(description=texts.GENERATED)] = "include"

    def answer(self, service: SearchService) -> dict[str, Any]:
        """Return FoundStructures."""
        filters = Filters(
            crate=self.crate,
            path=self.path,
            module=self.module,
            kind=self.kind,
            visibility=self.visibility,
            owner=self.owner,
            trait=self.trait,
            origin=self.origin,
            calls=self.calls,
            called_by=self.called_by,
            implements=self.implements,
            tests=self.tests,
            generated=self.generated,
        )
        with service.opened(self.project) as held:
            found = held.searcher.search(self.query, self.mode, limit=self.limit, filters=filters)
        return FoundStructures.of(found).model_dump()


class SimilarCode(Request):
    """Arguments of similar_code."""

    tool = "similar_code"
    title = "Find similar code"
    description = texts.SIMILAR_CODE
    result = FoundStructures

    id: Id
    mode: Annotated[Literal["hybrid", "text", "code"], Field(description=texts.COMPARED)] = "hybrid"
    limit: Limit = 5
    project: Project = ""

    def answer(self, service: SearchService) -> dict[str, Any]:
        """Return FoundStructures."""
        with service.opened(self.project) as held:
            found = held.searcher.similar(str(self.id), self.mode, limit=self.limit)
        return FoundStructures.of(found).model_dump()


class GetStructure(Request):
    """Arguments of get_structure."""

    tool = "get_structure"
    title = "Get a whole definition"
    description = texts.GET_STRUCTURE

    target: Target
    project: Project = ""

    def answer(self, service: SearchService) -> dict[str, Any]:
        """Return the fields of lsif.structure.Structure without those that find_callees tells."""
        with service.opened(self.project) as held:
            try:
                structure = held.searcher.structure(held.searcher.resolve(self.target))
            except AmbiguousName as exc:
                raise candidates_of(exc) from exc
        return {name: value for name, value in asdict(structure).items() if name not in _EDGES}


class IndexStatus(Request):
    """Arguments of index_status."""

    tool = "index_status"
    title = "Show what is indexed"
    description = texts.INDEX_STATUS

    project: Project = ""

    def answer(self, service: SearchService) -> dict[str, Any]:
        """Return the service's status."""
        return service.status(self.project)


_IN_ORDER: tuple[type[Request], ...] = (
    SearchCode,
    GetStructure,
    *RELATION_REQUESTS,
    SimilarCode,
    IndexStatus,
)
REQUESTS = {request.tool: request for request in _IN_ORDER}


class _Schema(GenerateJsonSchema):
    """JSON schemas without generated titles: an agent reads every word of them."""

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:  # noqa: ARG002 - pydantic's signature
        """Return False."""
        return False


def describe_tools() -> list[Tool]:
    """Return the tools as clients see them."""
    read_only = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    return [
        Tool(
            name=request.tool,
            title=request.title,
            description=request.description,
            input_schema=_schema_of(request),
            output_schema=None if request.result is None else _schema_of(request.result),
            annotations=read_only,
        )
        for request in REQUESTS.values()
    ]


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_Schema)
    return {key: value for key, value in schema.items() if key not in ("title", "description")}


def call_tool(service: SearchService, name: str, arguments: dict[str, Any]) -> CallToolResult:
    """Return a tool's result, or an error as one that says so. Blocks.

    Raises MCPError for an unknown tool only.
    """
    if name not in REQUESTS:
        raise MCPError(
            INVALID_PARAMS, f"there is no tool {name!r}; expected {', '.join(REQUESTS)}."
        )
    try:
        found = REQUESTS[name].model_validate(arguments).answer(service)
        text = TextContent(text=orjson.dumps(found).decode())
        return CallToolResult(content=[text], structured_content=found)
    except ValidationError as exc:
        return _error(_describe(exc, REQUESTS[name]))
    except LsifIngestError as exc:
        return _error(str(exc))
    # A panic of Qdrant's engine is no Exception, and no interrupt arrives in a worker thread.
    except BaseException as exc:
        logger.exception("%s failed", name)
        return _error(f"{type(exc).__name__}: {exc}")


def _error(message: str) -> CallToolResult:
    # Half a surrogate pair would end the connection. A message may quote what is very long.
    sendable = message.encode("utf-8", "backslashreplace").decode()
    text = _shortened(sendable, limits.RELATED_CHARACTERS)
    return CallToolResult(content=[TextContent(text=text)], is_error=True)


def _describe(exc: ValidationError, request: type[Request]) -> str:
    """Return what is wrong with which arguments."""
    problems = []
    for error in exc.errors(include_url=False)[:_SHOWN_PROBLEMS]:
        argument = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            expected = ", ".join(request.model_fields)
            problems.append(f"there is no argument {argument!r}; expected {expected}")
        elif error["type"] == "missing":
            problems.append(f"{argument} is missing")
        else:
            found = _shortened(repr(error["input"]), _SHOWN_CHARACTERS)
            problems.append(f"{argument}: {error['msg']}; found {found}")
    return ". ".join(problems) + "."


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"
