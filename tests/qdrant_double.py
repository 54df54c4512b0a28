"""A double of a Qdrant server for tests. It fails on command.

A real server can't be installed everywhere; qdrant_server has what puts one behind the double.
The double listens on a port of 127.0.0.1, takes the
REST calls that `QdrantClient(url=...)` sends, and answers them from the client library's local
mode, in the envelope and with the error texts of a server. It has no indexing, no shards, no
consistency, and no gRPC. It adds what only a server can do: reject requests, be slow, and break a
connection before or after a change was applied.

    with QdrantDouble() as double:
        double.fail(Status(503), method="PUT", path=r"/points$", times=2)
        client = QdrantClient(url=double.url, check_compatibility=False)
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self, TypeVar, cast
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from qdrant_answers import (
    check_ids,
    check_upsert,
    config_fields,
    malformed,
    no_facet,
    point_fields,
    snapshot_fields,
)
from qdrant_client import QdrantClient, models
from qdrant_client.local.qdrant_local import QdrantLocal
from qdrant_strict import check_limits
from qdrant_writes import Refusal, Writes, dense_sizes

Model = TypeVar("Model", bound=BaseModel)

# ---- Faults


@dataclass(frozen=True)
class Status:
    """Answers with this status: the request is read, and not applied."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None  # None: an error as the server spells it


class Reset:
    """Resets the connection (TCP RST) before the body is read: nothing is applied.

    A client that is still sending may take it for a connection closed without an answer.
    """


class CutAnswer:
    """Applies the request, sends the answer's head and half of its body, and closes."""


class LostAnswer:
    """Applies the request, and closes the connection without a word."""


@dataclass(frozen=True)
class Delay:
    """Waits, then goes on as usual. If the client gave up, its request is applied late."""

    seconds: float


Fault = Status | Reset | CutAnswer | LostAnswer | Delay


@dataclass
class _Rule:
    fault: Fault
    method: str | None
    path: re.Pattern[str]
    left: float
    after: int


# ---- Requests and answers


class Request(NamedTuple):
    """A request as it came. n_points is None if it names no points, or was not read."""

    method: str
    path: str
    n_bytes: int
    n_points: int | None


@dataclass
class Call:
    """A request on its way to the function that answers it."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    body: bytes

    @cached_property
    def json(self) -> Any:
        return orjson.loads(self.body)

    def parse(self, model: type[Model]) -> Model:
        return model.model_validate(self.json)

    def n_points(self) -> int | None:
        try:
            counts = list(_count_points(self.json))
        except ValueError:
            return None
        return sum(counts) if counts else None


def _count_points(body: Any) -> Iterator[int]:
    for key, value in body.items() if isinstance(body, dict) else ():
        if key in {"points", "ids"} and isinstance(value, list):
            yield len(value)
        elif key == "batch" or key in _UPDATES.values():
            yield from _count_points(value)
        elif key == "operations" and isinstance(value, list):
            for operation in value:
                yield from _count_points(operation)


def as_error(code: int, message: str) -> tuple[int, bytes]:
    """Return an error as a server answers it."""
    return code, to_json({"status": {"error": message}, "time": 0.0})


# what local mode says, the status that a server answers then, and how it spells it
_SPELLINGS = [
    (r"Collection (.*) not found", 404, r"Not found: Collection `\1` doesn't exist!"),
    (r"(Collection|Alias) (.*) already exists", 409, r"Wrong input: \1 `\2` already exists!"),
    (r"Point (.*) is not found in the collection", 404, r"Not found: No point with id \1 found"),
    (
        r"\w+ vector (.*) is not found in the collection",
        400,
        r"Wrong input: Not existing vector name error: \1",
    ),
    (
        r"shapes \(\d+,(\d+)\) and \((\d+),\) .*",
        400,
        r"Wrong input: Vector dimension error: expected dim: \1, got \2",
    ),
    (r"(?:Wrong input: )?(.*)", 400, r"Wrong input: \1"),
]


def _refusal(error: ValueError, body: bytes) -> tuple[int, bytes]:
    if isinstance(error, ValidationError | orjson.JSONDecodeError):
        return as_error(400, malformed(body, error))
    text = str(error)
    found = (
        (re.fullmatch(pattern, text, re.DOTALL), code, spelling)
        for pattern, code, spelling in _SPELLINGS
    )
    return next(as_error(code, match.expand(spelling)) for match, code, spelling in found if match)


_READS = re.compile(
    r"GET .*|POST /collections/[^/]+/(points|facet|points/(scroll|count|query|query/batch))"
)
"""What a key that may only read is allowed."""

# ---- The server


class QdrantDouble:
    """The server, its data, and the faults that it was told to show. The data outlive `stop`."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        version: str = "1.17.1",
        max_body_bytes: int | None = None,
    ) -> None:
        self.api_key = api_key
        self.read_only_key: str | None = None
        self.version = version
        self.max_body_bytes = max_body_bytes
        self.too_long_status = 413  # a proxy's; Qdrant itself answers 400 with this text
        self.strict_mode: dict[str, Any] = {}  # of all collections that are made from now on
        self.status = "green"
        self.requests: list[Request] = []
        self.errors: list[
            BaseException | None
        ] = []  # of the double itself: requests that met one were answered 500
        self.client = QdrantClient(":memory:")
        self.local = cast(
            "QdrantLocal", self.client._client
        )  # as the client asks it, less the inference of vectors
        self.writes = Writes(self.local)
        self.writes.before_delete = self._note_values
        self.values: dict[tuple[str, str], set[Any]] = {}  # of indexed fields, before a deletion
        self.lock = (
            threading.RLock()
        )  # local mode knows no threads: hold it to look at the client while requests come
        self.configs: dict[str, dict[str, Any]] = {}
        self.payload_indexes: dict[str, dict[str, Any]] = {}
        self.snapshots: dict[str, dict[str, bytes]] = {}
        self.serial = itertools.count(1)
        self._rules: list[_Rule] = []
        self._port = 0
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.client.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listens, on the same port as before."""
        self._server = _Server(self._port, self)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Hangs up on everybody, and listens no more."""
        if self._server is not None:
            self._server.hang_up()
            self._server = None

    def fail(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        path: str = "",
        times: int | None = 1,
        after: int = 0,
    ) -> None:
        """Lets `after` matching requests pass, then gives the fault to the next `times`.

        `times` None means all. If several faults are due, the oldest is given first, and the others
        wait for the next request.
        """
        with self.lock:
            self._rules.append(
                _Rule(
                    fault, method, re.compile(path), float("inf") if times is None else times, after
                )
            )

    def heal(self) -> None:
        """Forgets the faults."""
        with self.lock:
            self._rules.clear()

    def refuse_points(self, ids: Iterable[int | str]) -> None:
        """From now on decline every upsert with one of these ids; no ids end that."""
        with self.lock:
            self.writes.refused = {str(point_id) for point_id in ids}

    def stay_yellow(self) -> None:
        self.status = "yellow"

    def stay_grey(self) -> None:
        """Index no more until the optimizers are configured, as after a start."""
        self.status = "grey"

    def go_green(self) -> None:
        self.status = "green"

    def resolve(self, name: str) -> str:
        """The collection that a name or an alias means."""
        self.local._get_collection(name)
        return self.local.aliases.get(name, name)

    def update_result(self, call: Call) -> dict[str, Any]:
        return {
            "operation_id": next(self.serial),
            "status": "completed" if call.query.get("wait") == ["true"] else "acknowledged",
        }

    def update(self, call: Call, name: str, body: Any) -> list[dict[str, Any]]:
        for operation in body["operations"]:
            if "upsert" in operation:
                check_upsert(operation["upsert"])
        name, operations = (
            self.resolve(name),
            models.UpdateOperations.model_validate(body).operations,
        )
        wait = call.query.get("wait") == ["true"]
        self.writes.write(name, operations, dense_sizes(self.configs[name]), wait=wait)
        return [self.update_result(call) for _ in operations]

    def meet(self, method: str, path: str) -> Fault | None:
        """The fault that this request is to show."""
        met: _Rule | None = None
        with self.lock:
            for rule in self._rules:
                if rule.method not in {None, method} or not rule.path.search(path):
                    continue
                if rule.after > 0:
                    rule.after -= 1
                elif met is None and rule.left > 0:
                    met, rule.left = rule, rule.left - 1
        return None if met is None else met.fault

    def answer(self, call: Call, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Applies a request."""
        try:
            self._admit(call, headers)
            with self.lock:
                self.writes.apply_waiting()
                function, args = self._route(call)
                self._check_limits(call, args.get("name", ""))
                result = function(self, call, **args)
        except Refusal as refusal:
            return as_error(*refusal.args)
        except ValueError as error:
            return _refusal(error, call.body)
        except Exception as error:  # noqa: BLE001 - a server answers 500, and the test may look it up
            self.errors.append(error)
            return as_error(500, f"Service internal error: {error!r}")
        return 200, result if isinstance(result, bytes) else to_json(
            {"result": result, "status": "ok", "time": 0.0}
        )

    def _admit(self, call: Call, headers: Mapping[str, str]) -> None:
        if self.api_key is not None and call.path != "/":  # a server tells its version to everybody
            key = headers.get("api-key") or headers.get("Authorization", "").removeprefix("Bearer ")
            if self.read_only_key is not None and key == self.read_only_key:
                if not _READS.fullmatch(f"{call.method} {call.path}"):
                    raise Refusal(403, "Forbidden: Global manage access is required")
            elif key != self.api_key:
                raise (
                    Refusal(403, "Invalid api-key")
                    if key
                    else Refusal(401, "Must provide an API key or a bearer token")
                )
        if self.max_body_bytes is not None and len(call.body) > self.max_body_bytes:
            text = (
                f"JSON payload ({len(call.body)} bytes) is larger than allowed "
                f"(limit: {self.max_body_bytes} bytes)."
            )
            raise Refusal(self.too_long_status, f"Payload error: {text}")

    def _note_values(self, name: str) -> None:
        for key in self.payload_indexes[name]:
            found = self.local.facet(name, key, limit=1_000_000).hits
            self.values.setdefault((name, key), set()).update(hit.value for hit in found)

    def _check_limits(self, call: Call, name: str) -> None:
        name = self.local.aliases.get(name, name)
        if strict := self.configs.get(name, {}).get("strict_mode_config"):
            body = call.json if call.body else None
            check_limits(strict, call.query, body, self.payload_indexes[name])

    def _route(self, call: Call) -> tuple[Function, dict[str, str]]:
        for pattern, function in _PATTERNS:
            if found := pattern.fullmatch(f"{call.method} {call.path}"):
                return function, {name: unquote(value) for name, value in found.groupdict().items()}
        raise Refusal(404, f"the double has no {call.method} {call.path}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, double: QdrantDouble) -> None:
        self.double = double
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Connection)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.connections.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's arguments
        if not isinstance(
            error := sys.exception(), OSError
        ):  # an OSError: the client has hung up, or the double has
            self.double.errors.append(error)

    def hang_up(self) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in self.connections.copy():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 2
        while self.connections and time.monotonic() < deadline:  # their threads close them
            time.sleep(0.001)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer goes out in one piece
    server: _Server

    def _serve(self) -> None:
        double, url, n_bytes = (
            self.server.double,
            urlsplit(self.path),
            int(self.headers.get("Content-Length") or 0),
        )
        fault = double.meet(self.command, url.path)
        call = Call(
            self.command,
            url.path,
            parse_qs(url.query),
            b"" if isinstance(fault, Reset) else self.rfile.read(n_bytes),
        )
        double.requests.append(Request(self.command, url.path, n_bytes, call.n_points()))
        self.close_connection = self.close_connection or isinstance(
            fault, Reset | CutAnswer | LostAnswer
        )
        if isinstance(fault, Reset):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())  # its own close() would say goodbye first
            return
        if isinstance(fault, Delay):
            self.server.stopping.wait(fault.seconds)
        if len(call.body) < n_bytes or self.server.stopping.is_set():
            self.close_connection = True
            return
        if isinstance(fault, Status):
            code, body = as_error(
                fault.code, f"the double's {fault.code} {HTTPStatus(fault.code).phrase}"
            )
            self._send(code, body if fault.body is None else fault.body.encode(), fault.headers)
            return
        code, body = double.answer(call, cast("Mapping[str, str]", self.headers))
        if not isinstance(fault, LostAnswer):
            self._send(code, body, n_bytes=len(body) // 2 if isinstance(fault, CutAnswer) else None)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the base class's names

    def _send(
        self,
        code: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        n_bytes: int | None = None,
    ) -> None:
        self.send_response(code)
        kind = "application/json" if body[:1] == b"{" else "application/octet-stream"
        for name, value in (
            {"Content-Type": kind, "Content-Length": str(len(body))} | dict(headers or {})
        ).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:n_bytes])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


# ---- The calls: one function each, and the routing table

Function = Callable[
    ..., Any
]  # takes the double, the call and what the path names; answers bytes as they are, else an envelope


def create_collection(double: QdrantDouble, call: Call, name: str) -> bool:
    wanted = call.parse(models.CreateCollection)
    double.local.create_collection(
        name, wanted.vectors, wanted.sparse_vectors, metadata=wanted.metadata
    )
    vars(double.local.collections[name])["LARGE_DATA_THRESHOLD"] = (
        sys.maxsize
    )  # above it, local mode warns
    double.configs[name] = {key: value for key, value in call.json.items() if key != "metadata"}
    if double.strict_mode:
        double.configs[name].setdefault("strict_mode_config", double.strict_mode)
    double.payload_indexes[name], double.snapshots[name] = {}, {}
    return True


def update_collection(double: QdrantDouble, call: Call, name: str) -> bool:
    change, config = call.parse(models.UpdateCollection), double.configs[double.resolve(name)]
    double.local.update_collection(name, change.sparse_vectors, change.metadata, change.vectors)
    wanted = {key: value for key, value in call.json.items() if key != "metadata"}
    if "optimizers_config" in wanted and double.status == "grey":
        double.go_green()
    wanted |= wanted.pop("params", {})
    if "" in wanted.get("vectors", {}):  # the only vector, without a name
        wanted["vectors"] = wanted["vectors"][""]
    if quantization := wanted.pop("quantization_config", None):  # a new kind replaces the former
        config["quantization_config"] = None if quantization == "Disabled" else quantization
    _merge(config, wanted)
    return True


def _merge(config: dict[str, Any], change: Mapping[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            _merge(config[key], value)
        else:
            config[key] = value


def get_collection(double: QdrantDouble, _call: Call, name: str) -> dict[str, Any]:
    name = double.resolve(name)
    metadata = double.local.get_collection(name).config.metadata
    schemas = double.payload_indexes[name].items()
    return {
        "status": double.status,
        "optimizer_status": "ok",
        "indexed_vectors_count": 0,
        "points_count": double.local.count(name).count,
        "segments_count": 2,
        "config": config_fields(double.configs[name], metadata),
        "payload_schema": {key: _schema_fields(double, name, key, kind) for key, kind in schemas},
        "update_queue": {"length": 0},
    }


def _schema_fields(double: QdrantDouble, name: str, key: str, schema: Any) -> dict[str, Any]:
    params = {"data_type": schema["type"], "params": schema} if isinstance(schema, dict) else {}
    filled = models.Filter(
        must_not=[models.IsEmptyCondition(is_empty=models.PayloadField(key=key))]
    )
    return {"data_type": schema, **params, "points": double.local.count(name, filled).count}


def delete_collection(double: QdrantDouble, _call: Call, name: str) -> bool:
    double.writes.forget(name)
    for kept in (double.configs, double.payload_indexes, double.snapshots):
        kept.pop(name, None)
    return double.local.delete_collection(name)  # its aliases go with it


def update_aliases(double: QdrantDouble, call: Call) -> bool:
    return double.local.update_collection_aliases(call.parse(models.ChangeAliasesOperation).actions)


def create_index(double: QdrantDouble, call: Call, name: str) -> Any:
    if call.parse(models.CreateFieldIndex).field_schema is None:
        raise Refusal(400, "Wrong input: the double does not guess a field's schema")
    double.payload_indexes[double.resolve(name)][call.json["field_name"]] = call.json[
        "field_schema"
    ]
    return double.update_result(call)


def delete_index(double: QdrantDouble, call: Call, name: str, key: str) -> Any:
    double.payload_indexes[double.resolve(name)].pop(key, None)
    return double.update_result(call)


_UPDATES = {  # each takes one operation of a batch as its body
    "PUT /points": "upsert",
    "POST /points/delete": "delete",
    "POST /points/payload": "set_payload",
    "PUT /points/payload": "overwrite_payload",
    "POST /points/payload/delete": "delete_payload",
    "POST /points/payload/clear": "clear_payload",
    "PUT /points/vectors": "update_vectors",
    "POST /points/vectors/delete": "delete_vectors",
}


def update(operation: str, double: QdrantDouble, call: Call, name: str) -> Any:
    return double.update(call, name, {"operations": [{operation: call.json}]})[0]


_FILTERS = {
    "scroll": "scroll_filter",
    "count": "count_filter",
    "facet": "facet_filter",
}  # local mode's names for it


def _read(method: str, double: QdrantDouble, name: str, request: BaseModel, **defaults: Any) -> Any:
    """Asks local mode by its argument names; defaults of what is not passed are the server's."""
    names = {
        "filter": _FILTERS.get(method, "query_filter"),
        "params": "search_params",
        "with_vector": "with_vectors",
    }
    sent = {names.get(key, key): getattr(request, key) for key in request.model_fields_set}
    if params := sent.pop("search_params", None):
        sent["search_params"] = models.SearchParams(
            idf=params.idf
        )  # of the others local mode says that they are ignored
    for key, given in sent.items():
        if isinstance(given, models.Filter):
            sent[key] = _as_heeded(given)
    arguments = defaults | {key: value for key, value in sent.items() if value is not None}
    return getattr(double.local, method)(name, **arguments)


def _as_heeded(given: models.Filter) -> models.Filter:
    """Return what a server heeds of a filter: no must_not that must has, too."""
    must, must_not = (
        clause if isinstance(clause, list) else [clause] if clause else []
        for clause in (given.must, given.must_not)
    )
    kept = [condition for condition in must_not if condition not in must]
    return given.model_copy(update={"must_not": kept or None})


def read(
    model: type[BaseModel],
    method: str,
    double: QdrantDouble,
    call: Call,
    name: str,
    **defaults: Any,
) -> Any:
    return _read(method, double, name, call.parse(model), **defaults)


def scroll(double: QdrantDouble, call: Call, name: str) -> Any:
    request = call.parse(models.ScrollRequest)
    if request.limit == 0:
        least = "scroll_request.limit: value 0 invalid, must be 1 or larger"
        raise Refusal(422, f"Validation error in JSON body: [{least}]")
    points, offset = _read("scroll", double, name, request)
    shown = True if request.with_payload is None else request.with_payload
    found = [point_fields(point, shown) for point in points]
    return {"points": found, "next_page_offset": offset}


def retrieve(double: QdrantDouble, call: Call, name: str) -> Any:
    check_ids(call.json["ids"], f" at line 1 column {len(call.body)}")
    request = call.parse(models.PointRequest)
    shown = True if request.with_payload is None else request.with_payload
    return [point_fields(point, shown) for point in _read("retrieve", double, name, request)]


def facet(double: QdrantDouble, call: Call, name: str) -> Any:
    request = call.parse(models.FacetRequest)
    if (
        request.key not in double.payload_indexes[double.resolve(name)]
    ):  # local mode knows no indexes
        raise Refusal(400, no_facet(request.key))
    found = _read("facet", double, name, request)
    if request.exact:  # then a server still shows values whose points are deleted
        shown = {hit.value for hit in found.hits}
        gone = sorted(double.values.get((double.resolve(name), request.key), set()) - shown)
        found.hits += [models.FacetValueHit(value=value, count=0) for value in gone]
    return found


def query(double: QdrantDouble, call: Call, name: str) -> Any:
    return _hits(double, name, call.parse(models.QueryRequest))


def query_batch(double: QdrantDouble, call: Call, name: str) -> Any:
    requests = call.parse(models.QueryRequestBatch).searches
    return [_hits(double, name, request) for request in requests]


def _hits(double: QdrantDouble, name: str, request: models.QueryRequest) -> dict[str, Any]:
    found = _read("query_points", double, name, request, with_payload=False).points
    return {"points": [point_fields(point, request.with_payload) for point in found]}


def create_snapshot(double: QdrantDouble, call: Call, name: str) -> Any:
    content = f"snapshot of {name}: {double.local.count(name).count} points".encode()
    double.snapshots[double.resolve(name)][f"{name}-{next(double.serial)}.snapshot"] = content
    return list_snapshots(double, call, name)[-1]


def list_snapshots(double: QdrantDouble, _call: Call, name: str) -> Any:
    found = double.snapshots[double.resolve(name)].items()
    return [
        snapshot_fields(key, content, hashlib.sha256(content).hexdigest()) for key, content in found
    ]


def download_snapshot(double: QdrantDouble, _call: Call, name: str, key: str) -> bytes:
    if key not in (snapshots := double.snapshots[double.resolve(name)]):
        raise Refusal(404, f"Not found: Snapshot {key} not found")
    return snapshots[key]


_ROUTES: dict[str, Function] = {
    "GET /": lambda double, _: to_json(
        {"title": "qdrant - vector search engine", "version": double.version}
    ),
    "GET /readyz": lambda *_: b"all shards are ready",
    "GET /cluster": lambda *_: {"status": "disabled"},
    "GET /aliases": lambda double, _: double.local.get_aliases(),
    "GET /collections": lambda double, _: double.local.get_collections(),
    "POST /collections/aliases": update_aliases,
    "PUT /collections/{name}": create_collection,
    "PATCH /collections/{name}": update_collection,
    "GET /collections/{name}": get_collection,
    "DELETE /collections/{name}": delete_collection,
    "GET /collections/{name}/exists": lambda double, _, name: {
        "exists": double.local.collection_exists(name)
    },
    "GET /collections/{name}/aliases": lambda double, _, name: double.local.get_collection_aliases(
        name
    ),
    "PUT /collections/{name}/index": create_index,
    "DELETE /collections/{name}/index/{key}": delete_index,
    **{
        request.replace(" ", " /collections/{name}"): partial(update, operation)
        for request, operation in _UPDATES.items()
    },
    "POST /collections/{name}/points/batch": lambda double, call, name: double.update(
        call, name, call.json
    ),
    "POST /collections/{name}/points": retrieve,
    "POST /collections/{name}/points/scroll": scroll,
    "POST /collections/{name}/points/count": partial(read, models.CountRequest, "count"),
    "POST /collections/{name}/facet": facet,
    "POST /collections/{name}/points/query": query,
    "POST /collections/{name}/points/query/batch": query_batch,
    "POST /collections/{name}/points/query/groups": partial(
        read, models.QueryGroupsRequest, "query_points_groups", with_payload=False
    ),
    "POST /collections/{name}/snapshots": create_snapshot,
    "GET /collections/{name}/snapshots": list_snapshots,
    "GET /collections/{name}/snapshots/{key}": download_snapshot,
}
_PATTERNS = [
    (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", request)), function)
    for request, function in _ROUTES.items()
]
