"""The MCP server on standard input and output (https://modelcontextprotocol.io/specification).

Requests are answered in threads and models load in the background, so an agent's first questions,
such as which tools there are, are answered at once.
"""

from __future__ import annotations

import logging
import signal
import sys
from contextlib import redirect_stdout
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, ListToolsResult
from pydantic import ValidationError

from configs.errors import LsifIngestError
from search.mcp.texts import INSTRUCTIONS
from search.mcp.tools import call_tool, describe_tools

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from anyio.abc import ObjectSendStream
    from mcp.server.context import ServerRequestContext
    from mcp_types import CallToolRequestParams, CallToolResult, PaginatedRequestParams

    from search.service import SearchService

logger = logging.getLogger(__name__)

_AT_ONCE = 8
"""Requests that are answered at the same time; others wait."""


def make_server(service: SearchService) -> Server[Any]:
    """Return the server, not yet running; it may run in one event loop."""
    tools, at_once = describe_tools(), anyio.CapacityLimiter(_AT_ONCE)

    async def list_tools(
        _context: ServerRequestContext[Any], _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=tools)

    async def call(
        _context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult:
        return await anyio.to_thread.run_sync(
            call_tool, service, params.name, params.arguments or {}, limiter=at_once
        )

    return Server(
        "lsif-ingest",
        title="Code search",
        version=version("lsif-ingest"),
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call,
    )


def serve_stdio(service: SearchService) -> None:
    """Serve one client on standard input and output until it disconnects.

    Whatever else is printed goes to standard error. Call it in the main thread. An interrupt ends
    the process at once. The service stays open.
    """
    # Python's own handler would wait for the thread that reads standard input, which nothing wakes.
    interrupt = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        anyio.run(_serve, make_server(service), service)
    finally:
        signal.signal(signal.SIGINT, interrupt)


async def _serve(server: Server[Any], service: SearchService) -> None:
    async with stdio_server() as (incoming, outgoing):
        # What was buffered would otherwise reach the client at the end.
        with redirect_stdout(sys.stderr):
            # The group waits for the models at the end: libraries crash if a load is cut off.
            async with anyio.create_task_group() as loading:
                loading.start_soon(anyio.to_thread.run_sync, _warm_up, service)
                write, read = anyio.create_memory_object_stream[Any](0)
                loading.start_soon(answer_what_is_no_message, incoming, write, outgoing)
                with read:
                    await server.run(read, outgoing, server.create_initialization_options())


async def answer_what_is_no_message(
    incoming: AsyncIterable[Any], server: ObjectSendStream[Any], outgoing: Any
) -> None:
    """Pass each message on to the server; answer a line that holds none by an error.

    The SDK drops such a line, and its client would wait for an answer forever.
    """
    async with server:
        async for item in incoming:
            if not isinstance(item, Exception):
                await server.send(item)
                continue
            is_json = isinstance(item, ValidationError) and all(
                error["type"] != "json_invalid" for error in item.errors()
            )
            code, what = (
                (INVALID_REQUEST, "this is no JSON-RPC message")
                if is_json
                else (PARSE_ERROR, "this is not JSON in UTF-8")
            )
            problem = JSONRPCError(
                jsonrpc="2.0", id=None, error=ErrorData(code=code, message=f"{what}.")
            )
            await outgoing.send(SessionMessage(problem))


def _warm_up(service: SearchService) -> None:
    try:
        service.warm_up()
    except LsifIngestError as exc:
        logger.warning("not ready to search: %s", exc)
    # A panic of Qdrant's engine is no Exception. The first request meets it again and reports it.
    except BaseException:
        logger.exception("not ready to search")
