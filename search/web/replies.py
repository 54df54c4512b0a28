"""How the HTTP API sends answers, and with which status it refuses."""

from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Response

from configs.errors import LsifIngestError
from search import limits
from search.errors import (
    AmbiguousName,
    FileUnknown,
    ProjectUnknown,
    ReferencesMissing,
    SearchError,
    StructureMissing,
)
from search.web.models import ErrorModel

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorModel, "description": "the request is not valid"},
    404: {"model": ErrorModel, "description": "not in the index"},
    503: {"model": ErrorModel, "description": "there is no index, or it can't be read"},
}
"""What a route may answer instead, for OpenAPI."""
GRAPH_ERRORS: dict[int | str, dict[str, Any]] = {
    **ERRORS,
    409: {
        "model": ErrorModel,
        "description": "the index was made without references, or their places are not here",
    },
}
"""The same of a route that needs references. It is no 503: asking again later is no use."""


def json_reply(document: dict[str, Any], status: int = 200) -> Response:
    """Return the reply with this document."""
    return Response(orjson.dumps(document), status, media_type="application/json")


def refusal(exc: LsifIngestError) -> Response:
    """Return the reply that tells the error, in the shape of ErrorModel."""
    document: dict[str, Any] = {"detail": str(exc)}
    if isinstance(exc, AmbiguousName):
        shown = exc.candidates[: limits.RELATED]
        document["candidates"] = [candidate.to_dict() for candidate in shown]
    return json_reply(document, status_of(exc))


def status_of(exc: LsifIngestError) -> int:
    """Return the status of the reply that tells the error."""
    if isinstance(exc, SearchError):
        return HTTPStatus.BAD_REQUEST
    if isinstance(exc, StructureMissing | FileUnknown | ProjectUnknown):
        return HTTPStatus.NOT_FOUND
    if isinstance(exc, ReferencesMissing):
        return HTTPStatus.CONFLICT
    return HTTPStatus.SERVICE_UNAVAILABLE
