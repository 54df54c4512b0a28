"""The commands that ask an index: search, similar, evaluate, serve, mcp."""

from __future__ import annotations

import argparse
import ipaddress
import logging
import os
import re
import shlex
import socket
import subprocess
import sys
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flows.cli.index import chosen_collection, named_collection, print_json
from flows.errors import UsageError
from search.answer import GROUPINGS, MODES
from search.filters import STRUCTURE_FIELDS, TESTS, Filters, parse_filters
from storage.errors import StorageError

if TYPE_CHECKING:
    from configs.workspace import Workspace
    from search.answer import Answer, Mode
    from search.engine import Searcher
    from search.evaluate import JudgedQuery
    from search.service import SearchService

logger = logging.getLogger(__name__)

_SHOWN_VALUES = 10
_STANDARD_ERROR = 2
"""Where an editor writes beside JSON."""
_PLACED = {
    "code": "-g {path}:{line}",
    "codium": "-g {path}:{line}",
    "subl": "{path}:{line}",
    "zed": "{path}:{line}",
    "hx": "{path}:{line}",
}
"""How editors take a place; the others take +LINE FILE."""


def add_search_commands(
    commands: Any,
    common: list[argparse.ArgumentParser],
    as_json: argparse.ArgumentParser,
    of_project: argparse.ArgumentParser,
) -> None:
    """Add the parsers of the commands."""
    shape = argparse.ArgumentParser(add_help=False)
    shape.add_argument(
        "--limit",
        type=_hits,
        metavar="N",
        help="hits shown, with --group-by groups, 1 to 1000 (default: search.limit)",
    )
    shape.add_argument(
        "--filter",
        dest="filters",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help=f"search only there; fields: {', '.join(STRUCTURE_FIELDS)}; path takes a folder, a file or a glob; may be repeated, "
        "values of one field are alternatives",
    )
    shape.add_argument(
        "--tests",
        choices=TESTS,
        default="include",
        help="whether tests are searched (default: include)",
    )
    shape.add_argument("--group-by", choices=GROUPINGS, help="show the best hits of each")
    shape.add_argument(
        "--group-size", type=_hits, metavar="N", help="hits of a group (default: search.group_size)"
    )
    shape.add_argument(
        "--snippet",
        type=_count,
        default=6,
        metavar="N",
        help="lines shown of each hit's source (default: 6; 0: none)",
    )
    shape.add_argument(
        "--open",
        nargs="?",
        type=_hits,
        const=1,
        metavar="N",
        dest="opened",
        help="open the first hit, or hit N, in $VISUAL or $EDITOR (behind the query)",
    )

    search = commands.add_parser(
        "search", parents=[*common, as_json, of_project, shape], help="search the index"
    )
    search.add_argument("query", metavar="QUERY", help="words, or a piece of code")
    search.add_argument(
        "--mode", choices=MODES, default="hybrid", help="way to search (default: hybrid)"
    )
    search.add_argument(
        "--lines", action="store_true", help="show the lines of each hit that match best"
    )
    search.set_defaults(run=_search)

    similar = commands.add_parser(
        "similar",
        parents=[*common, as_json, of_project, shape],
        help="find what is like a structure",
    )
    similar.add_argument(
        "place", metavar="PLACE", help="FILE:LINE, the structure's id, or its name or symbol"
    )
    similar.add_argument(
        "--mode",
        choices=("hybrid", "text", "code"),
        default="hybrid",
        help="vectors compared (default: both)",
    )
    similar.set_defaults(run=_similar)

    evaluate = commands.add_parser(
        "evaluate", parents=[*common, as_json, of_project], help="measure answers by judged queries"
    )
    evaluate.add_argument(
        "queries",
        type=Path,
        metavar="QUERIES",
        help='JSON lines: {"query", "kind"?, "answers": [...]}',
    )
    evaluate.add_argument(
        "--mode",
        dest="modes",
        action="append",
        choices=MODES,
        help="may be repeated (default: all)",
    )
    evaluate.add_argument(
        "--calibrate",
        type=Path,
        metavar="FILE",
        help="fit the confidence to these queries and write it there, for search.calibration",
    )
    evaluate.set_defaults(run=_evaluate)

    serve = commands.add_parser(
        "serve", parents=[*common, of_project], help="serve the page and the HTTP API"
    )
    serve.add_argument(
        "--host",
        type=_address,
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to bind (default: 127.0.0.1, this machine only)",
    )
    serve.add_argument(
        "--port", type=_port, default=8000, metavar="N", help="port (default: 8000; 0: any)"
    )
    serve.add_argument(
        "--allow-host",
        dest="hosts",
        action="append",
        default=[],
        metavar="NAME",
        help="name that the server is reached by, too",
    )
    serve.set_defaults(run=_serve)

    mcp = commands.add_parser(
        "mcp",
        parents=[*common, of_project],
        help="serve coding agents by MCP on standard input and output",
    )
    mcp.set_defaults(run=_mcp)


def _hits(text: str) -> int:
    return _number(text, 1, 1000)


def _count(text: str) -> int:
    return _number(text, 0, 1000)


def _port(text: str) -> int:
    return _number(text, 0, 65_535)


def _number(text: str, least: int, most: int) -> int:
    number = int(text) if text.isdecimal() else -1
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(
            f"expected a number from {least} to {most}, found {text!r}"
        )
    return number


def _search(options: argparse.Namespace, workspace: Workspace) -> None:
    filters = _checked(options)
    with ExitStack() as stack:
        searcher, collection = _searcher(options, workspace, stack)
        answer = searcher.search(
            options.query,
            options.mode,
            limit=options.limit,
            filters=filters,
            group_by=options.group_by,
            group_size=options.group_size,
            lines=options.lines,
        )
        _explain_nothing(searcher, filters, answer)
    _show(options, workspace, collection, answer)


def _checked(options: argparse.Namespace) -> Filters:
    """Return the filters. Raises UsageError for options that do not go together, before any work is done."""
    if options.opened is not None and not (sys.stdout.isatty() or _editor()):
        raise UsageError(
            "--open starts an editor, and this is no terminal: set EDITOR to one that needs none."
        )
    if options.group_size is not None and options.group_by is None:
        raise UsageError("--group-size goes with --group-by.")
    return parse_filters(options.filters, options.tests)


def _editor() -> str:
    return os.environ.get("VISUAL", "").strip() or os.environ.get("EDITOR", "").strip()


def _similar(options: argparse.Namespace, workspace: Workspace) -> None:
    filters = _checked(options)
    with ExitStack() as stack:
        searcher, collection = _searcher(options, workspace, stack)
        answer = searcher.similar(
            searcher.resolve(options.place),
            options.mode,
            limit=options.limit,
            filters=filters,
            group_by=options.group_by,
            group_size=options.group_size,
        )
        _explain_nothing(searcher, filters, answer)
    _show(options, workspace, collection, answer)


def _explain_nothing(searcher: Searcher, filters: Filters, answer: Answer) -> None:
    """Say which values there are, where filters leave nothing to be found."""
    if answer.hits:
        return
    for field, wanted in filters.given().items():
        there = searcher.generation.structures.values(STRUCTURE_FIELDS[field])
        if field != "path" and not set(wanted) & set(there):
            logger.warning(
                "no structure has %s %s; there is %s",
                field,
                " or ".join(wanted),
                ", ".join(list(there)[:_SHOWN_VALUES]) or "none",
            )
        elif field == "path":
            logger.warning(
                "nothing was found under %s: folders and files are named from the repository's root",
                ", ".join(wanted),
            )


def _searcher(
    options: argparse.Namespace, workspace: Workspace, stack: ExitStack, *, quick: bool = True
) -> tuple[Searcher, str]:
    """Return a searcher, open as long as the stack is, and the name of its collection."""
    from search.opening import connect, open_searcher  # noqa: PLC0415 - see flows.cli.main

    index = stack.enter_context(closing(connect(workspace)))
    collection = chosen_collection(options, workspace, index)
    return open_searcher(workspace, index, collection, quick=quick), collection


def _show(
    options: argparse.Namespace, workspace: Workspace, collection: str, answer: Answer
) -> None:
    from flows.cli.answers import print_answer  # noqa: PLC0415 - see flows.cli.main

    if options.json:
        print_json(answer.to_dict())
    else:
        print_answer(answer, lines_shown=options.snippet)
    if options.opened is not None:
        _open(
            workspace,
            collection,
            answer,
            options.opened,
            output=_STANDARD_ERROR if options.json else None,
        )


def _open(
    workspace: Workspace, collection: str, answer: Answer, number: int, *, output: int | None
) -> None:
    """Open a hit in the editor. Raises UsageError where there is no such hit, no editor, or the sources are not at hand."""
    from search.web.sources import read_root  # noqa: PLC0415 - see flows.cli.main

    root = read_root(workspace.project_folder(collection))
    if number > len(answer.hits):
        raise UsageError(f"there is no hit number {number} to open.")
    if root is None:
        raise UsageError(
            f"the sources of {collection} are not known on this machine: it was not ingested here, or they are gone."
        )
    hit = answer.hits[number - 1]
    named = _editor() or "vi"
    try:
        editor = shlex.split(named)
    except ValueError as exc:
        raise UsageError(f"{named!r} is no command: {exc}. Set EDITOR.") from exc
    placed = _PLACED.get(Path(editor[0]).stem, "+{line} {path}").split()
    place = [word.format(path=root / hit.file_path, line=hit.line) for word in placed]
    try:
        status = subprocess.run([*editor, *place], check=False, stdout=output).returncode
    except OSError as exc:
        raise UsageError(f"can't start {editor[0]}: {exc.strerror or exc}. Set EDITOR.") from exc
    if status:
        logger.warning("%s ended with status %d", editor[0], status)


def _evaluate(options: argparse.Namespace, workspace: Workspace) -> None:
    from search.evaluate import evaluate, read_queries  # noqa: PLC0415 - see flows.cli.main

    queries, modes = read_queries(options.queries), list(dict.fromkeys(options.modes or MODES))
    with ExitStack() as stack:
        searcher, _ = _searcher(options, workspace, stack, quick=False)
        absent = {answer.file_path for query in queries for answer in query.answers} - set(
            searcher.files()
        )
        if absent:
            logger.warning(
                "%d files of answers are not in the index, such as %s: nothing can find them",
                len(absent),
                min(absent),
            )
        if options.calibrate is not None:
            _calibrate(searcher, queries, options.calibrate)
        found = evaluate(
            queries, lambda query, mode: searcher.search(query, cast("Mode", mode), limit=10), modes
        )
    if options.json:
        print_json(found.to_dict())
    else:
        sys.stdout.write(found.to_text() + "\n")


def _calibrate(searcher: Searcher, queries: list[JudgedQuery], path: Path) -> None:
    from search.confidence import Calibration, fit  # noqa: PLC0415 - see flows.cli.main

    modes: dict[str, dict[str, float]] = {}
    for mode in MODES:
        evidences = [searcher.search(query.query, mode).evidence for query in queries]
        modes[mode] = fit(evidences, [bool(query.answers) for query in queries])
    models = {name: info.fingerprint for name, info in searcher.generation.metadata.vectors.items()}
    Calibration(models, modes).write(path)
    logger.info(
        'the confidence was fitted to %d queries: use it by --set search.calibration="%s"',
        len(queries),
        path,
    )


def _serve(options: argparse.Namespace, workspace: Workspace) -> None:
    import uvicorn  # noqa: PLC0415 - see flows.cli.main

    from search.web.app import make_app  # noqa: PLC0415

    host, family = options.host, socket.AF_INET6 if ":" in options.host else socket.AF_INET
    here = _is_loopback(host)
    names = (
        ["localhost", "127.0.0.1", "[::1]", host, *options.hosts]
        if here or options.hosts
        else ["*"]
    )
    for name in options.hosts:
        if not re.fullmatch(r"\*|(\*\.)?[\w.-]+|\[[\da-fA-F:.]+\]", name):
            raise UsageError(
                f"--allow-host takes a name such as search.example.org, found {name!r}."
            )
    with (
        closing(_service(options, workspace)) as service,
        suppress(KeyboardInterrupt),
    ):  # Ctrl-C is how it ends
        try:
            listening = socket.create_server((host, options.port), family=family, backlog=512)
        except OSError as exc:
            raise UsageError(
                f"can't listen on {host}:{options.port}: {exc.strerror or exc}. Choose another: --port N, or --host ADDRESS"
            ) from exc
        # Those that are accepted inherit it; without it an answer waits 40 ms for the acknowledgement of its head.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with listening:
            address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
            try:
                service.warm_up()
                sys.stdout.write(f"Serving {service.describe()} at {address}\n")
            except StorageError as exc:  # it answers 503 until there is one
                sys.stdout.write(f"Serving at {address}, without an index so far: {exc}\n")
            sys.stdout.flush()
            config = uvicorn.Config(
                make_app(service, names), log_level="warning", access_log=False, server_header=False
            )
            uvicorn.Server(config).run(sockets=[listening])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(
            "expected an address; 0.0.0.0 is every one of this machine"
        )
    return text.strip()


def _mcp(options: argparse.Namespace, workspace: Workspace) -> None:
    from search.mcp.server import serve_stdio  # noqa: PLC0415 - see flows.cli.main

    with closing(_service(options, workspace)) as service:
        serve_stdio(service)


def _service(options: argparse.Namespace, workspace: Workspace) -> SearchService:
    from search.service import SearchService  # noqa: PLC0415 - see flows.cli.main

    return SearchService(workspace, named_collection(options, workspace))
