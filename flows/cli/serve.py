"""`lsif-ingest serve` and `lsif-ingest mcp`: searching for other programs."""

from __future__ import annotations

import argparse
import ipaddress
import re
import socket
import sys
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from flows.cli.arguments import (
    add_index,
    add_settings,
    named_collection,
    whole_number,
    workspace_of,
)
from flows.errors import UsageError
from storage.errors import StorageError

if TYPE_CHECKING:
    from search.service import SearchService

_HOST_NAME = re.compile(r"\*|(\*\.)?[\w.-]+|\[[\da-fA-F:.]+\]")


def add_serve(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `serve`."""
    parser.add_argument(
        "--host",
        type=_address,
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on (default: 127.0.0.1, this machine only)",
    )
    parser.add_argument(
        "--port",
        type=whole_number(0, 65_535),
        default=8000,
        metavar="N",
        help="port to listen on (default: 8000; 0: any free one)",
    )
    parser.add_argument(
        "--allow-host",
        dest="hosts",
        action="append",
        default=[],
        metavar="NAME",
        help="another name under which clients reach the server; may be repeated",
    )
    add_index(parser)
    add_settings(parser)
    parser.set_defaults(run=_serve)


def add_mcp(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mcp`."""
    add_index(parser)
    add_settings(parser)
    parser.set_defaults(run=_mcp)


def _serve(options: argparse.Namespace) -> None:
    from search.service import SearchService  # noqa: PLC0415 - half a second

    workspace, host, port = workspace_of(options), options.host, options.port
    names = _allowed_names(host, options.hosts)
    with (
        closing(SearchService(workspace, named_collection(workspace))) as service,
        suppress(KeyboardInterrupt),  # Ctrl-C is how it ends
    ):
        _listen(service, host, port, names)


def _allowed_names(host: str, others: list[str]) -> list[str]:
    """Return the values of the header `Host` that the server answers; `*` is any."""
    for name in others:
        if not _HOST_NAME.fullmatch(name):
            raise UsageError(
                f"--allow-host takes a name such as search.example.org, found {name!r}."
            )
    if _is_loopback(host) or others:
        return ["localhost", "127.0.0.1", "[::1]", host, *others]
    return ["*"]


def _listen(service: SearchService, host: str, port: int, names: list[str]) -> None:
    import uvicorn  # noqa: PLC0415 - a tenth of a second

    from search.web.app import make_app  # noqa: PLC0415 - half a second

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=512)
    except OSError as exc:
        raise UsageError(
            f"can't listen on {host}:{port}: {exc.strerror or exc}. "
            "Choose another: --port N, or --host ADDRESS"
        ) from exc
    # Connections inherit it. Without it an answer waits 40 ms until its head is acknowledged.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with listening:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        try:
            service.warm_up()
            sys.stdout.write(f"Serving {service.describe()} at {address}\n")
        except StorageError as exc:  # it answers 503 until there is an index
            sys.stdout.write(f"Serving at {address}, without an index so far: {exc}\n")
        sys.stdout.flush()
        config = uvicorn.Config(
            make_app(service, names), log_level="warning", access_log=False, server_header=False
        )
        uvicorn.Server(config).run(sockets=[listening])


def _mcp(options: argparse.Namespace) -> None:
    from search.mcp.server import serve_stdio  # noqa: PLC0415 - a second
    from search.service import SearchService  # noqa: PLC0415 - half a second

    workspace = workspace_of(options)
    with closing(SearchService(workspace, named_collection(workspace))) as service:
        serve_stdio(service)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(
            "expected an address; 0.0.0.0 means all addresses of this machine"
        )
    return text.strip()
