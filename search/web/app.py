"""The HTTP API and the page: answers of a SearchService as JSON.

Everything is read only. Without an index it answers 503, never an empty 200. It answers only to the
host names that it was given, so that no foreign page can reach it by a name of its own (DNS
rebinding).
"""

import logging
import os
import time
import uuid
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.middleware.trustedhost import TrustedHostMiddleware

from configs.errors import LsifIngestError
from search import limits
from search.answer import Mode
from search.filters import Filters
from search.record import flatten
from search.web.graph import add_graph
from search.web.metrics import Metrics
from search.web.models import AnswerModel, FileModel, MapModel, StatusModel, StructureModel
from search.web.parameters import Project, Shape, filters_of, known_only
from search.web.replies import ERRORS, json_reply, refusal
from storage.query import Condition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from search.engine import Searcher
    from search.service import SearchService

_PAGE = Path(__file__).parent.parent / "page"
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
"""Of the page's files. The system's table may lack them, and a module of another type isn't run."""
_POLICY = (
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
logger = logging.getLogger(__name__)

_LEAST_THREADS = 4


@asynccontextmanager
async def _few_threads(_app: FastAPI) -> "AsyncIterator[None]":
    """Answer with a few threads: more would wait for the same cores, and each needs memory."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = max(
        _LEAST_THREADS, 2 * (os.cpu_count() or 1)
    )
    yield


def make_app(
    service: "SearchService", hosts: "Sequence[str]" = ("localhost", "127.0.0.1", "[::1]")
) -> FastAPI:
    """Return the application. It rejects requests to other hosts than these; "*" accepts all."""
    # FastAPI's own pages about the API load scripts from other hosts: they are off.
    app = FastAPI(
        lifespan=_few_threads,
        title="lsif-ingest",
        description="Code search",
        docs_url=None,
        redoc_url=None,
    )
    metrics = Metrics()
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*hosts])

    @app.middleware("http")
    async def observe(
        request: Request, call_next: "Callable[[Request], Awaitable[Response]]"
    ) -> Response:
        started = time.perf_counter()
        try:
            response = await call_next(request)
        except Exception:  # a defect: its text is for the log, not for the client
            logger.exception("%s failed", request.url.path)
            response = JSONResponse(
                {"detail": "the request failed; the server's log says why."},
                HTTPStatus.INTERNAL_SERVER_ERROR,
            )
        route = getattr(request.scope.get("route"), "path", "other")
        metrics.requests.labels(route, str(response.status_code)).inc()
        metrics.seconds.labels(route).observe(time.perf_counter() - started)
        response.headers.update(_HEADERS)
        return response

    @app.exception_handler(LsifIngestError)
    async def reject(_request: Request, exc: LsifIngestError) -> Response:
        return refusal(exc)

    router = APIRouter(dependencies=[Depends(known_only)])
    _add_searches(router, service, metrics)
    _add_records(router, service)
    add_graph(router, service)
    app.include_router(router)
    _add_files(app, service, metrics)
    return app


def _add_searches(router: APIRouter, service: "SearchService", metrics: Metrics) -> None:
    @router.get("/api/search", response_model=AnswerModel, responses=ERRORS)
    def search(
        q: Annotated[
            str,
            Query(
                min_length=1, max_length=limits.HTTP.query, description="words or a piece of code"
            ),
        ],
        filters: Annotated[Filters, Depends(filters_of)],
        shape: Annotated[Shape, Depends()],
        *,
        mode: Mode = "hybrid",
        lines: Annotated[
            bool, Query(description="whether each hit has the lines that match best")
        ] = False,
        project: Project = "",
    ) -> Response:
        """Search by words or code."""
        with service.opened(project) as held:
            answer = held.searcher.search(
                q,
                mode,
                limit=shape.limit,
                filters=filters,
                group_by=shape.group_by,
                group_size=shape.group_size,
                lines=lines,
            )
        for phase in ("encode", "qdrant", "fuse"):
            metrics.phases.labels(mode, phase).observe(answer.latency_ms[phase] / 1000)
        if not answer.has_answer:
            metrics.unsure.inc()
        return json_reply(answer.to_dict())

    @router.get("/api/similar", response_model=AnswerModel, responses=ERRORS)
    def similar(
        id: Annotated[uuid.UUID, Query(description="id of a structure")],  # noqa: A002 - the parameter's name
        filters: Annotated[Filters, Depends(filters_of)],
        shape: Annotated[Shape, Depends()],
        mode: Literal["hybrid", "text", "code"] = "hybrid",
        project: Project = "",
    ) -> Response:
        """Find structures similar to one."""
        with service.opened(project) as held:
            answer = held.searcher.similar(
                str(id),
                mode,
                limit=shape.limit,
                filters=filters,
                group_by=shape.group_by,
                group_size=shape.group_size,
            )
        return json_reply(answer.to_dict())


def _add_records(router: APIRouter, service: "SearchService") -> None:
    @router.get("/api/structure/{structure_id}", response_model=StructureModel, responses=ERRORS)
    def structure(structure_id: uuid.UUID, project: Project = "") -> Response:
        """Return a structure with its blocks."""
        with service.opened(project) as held:
            return json_reply(_structure(held.searcher, str(structure_id)))

    @router.get("/api/file", response_model=FileModel, responses=ERRORS)
    def file(
        path: Annotated[str, Query(min_length=1, max_length=limits.PATH)], project: Project = ""
    ) -> Response:
        """Return an indexed file as it was when it was indexed, as far as that is known."""
        with service.opened(project) as held:
            return json_reply(held.sources.view(path).to_dict())

    @router.get(
        "/api/map",
        response_model=MapModel,
        responses={**ERRORS, 202: {"description": "the map is being made; ask again"}},
    )
    def project_map(project: Project = "") -> Response:
        """Return the structures on a plane, similar ones near each other."""
        made = service.map(project)
        return json_reply({"state": "computing"}, 202) if made is None else json_reply(made)

    @router.get("/api/status", response_model=StatusModel, responses=ERRORS)
    def status(project: Project = "") -> Response:
        """Return what is searched and which values can be filtered on."""
        return json_reply(service.status(project))


def _add_files(app: FastAPI, service: "SearchService", metrics: Metrics) -> None:
    @app.get("/healthz", responses=ERRORS)
    def health() -> Response:
        """Say whether searches can be answered; this reads the index."""
        with service.opened() as held:
            held.searcher.generation.structures.count()
            held.searcher.generation.blocks.count()
            return json_reply({"status": "ok", "generation": held.searcher.generation.name})

    @app.get("/metrics")
    def prometheus() -> Response:
        """Return the metrics for Prometheus."""
        with suppress(LsifIngestError), service.opened() as held:
            metrics.structures.labels(held.collection).set(
                held.searcher.generation.metadata.structures
            )
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    for path, endpoint in (("/healthz", health), ("/metrics", prometheus)):  # some monitors ask so
        app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    for file in sorted(_PAGE.iterdir()):
        if file.suffix in _MEDIA_TYPES:
            path = "/" if file.name == "index.html" else f"/{file.name}"
            app.add_api_route(path, _page(file), methods=["GET", "HEAD"], include_in_schema=False)


def _page(file: Path) -> "Callable[[], Response]":
    def page() -> Response:
        return FileResponse(file, media_type=_MEDIA_TYPES[file.suffix])

    return page


def _structure(searcher: "Searcher", structure_id: str) -> dict[str, Any]:
    found = searcher.structure(structure_id)
    fields = ("kind", "line_from", "line_to")
    blocks = searcher.generation.blocks.select(
        fields, where=[Condition("structure_id", (structure_id,))]
    )
    listed = sorted(
        (dict(zip(fields, row.values, strict=True)) for row in blocks),
        key=lambda block: (block["line_from"], -block["line_to"]),
    )
    return {
        **flatten(found),
        "referencing_files": found.referencing_files,
        "blocks": listed,
    }
