"""The double answers as a real Qdrant 1.17.1 did: same status, same shape, same error text.

tests/data/qdrant-1.17.1.jsonl holds what a server answered, a request and its answer a line. The
first lines are samples of several sessions, so that some need what was done before.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import orjson
import pytest

from qdrant_double import QdrantDouble

RECORDED = Path(__file__).parent / "data/qdrant-1.17.1.jsonl"
EXCHANGES = [orjson.loads(line) for line in RECORDED.read_bytes().splitlines()]
SESSIONS = (0, 12, 13, 15, 16, 17, 18, 19, 20, 23, 24, 26, 29, 33, 37, 38, 51, 64, len(EXCHANGES))
"""The first exchange of each session: the server was new then, or its collections were."""
STRUCTURES, POINTS, C = (EXCHANGES[number]["body"] for number in (5, 6, 20))
"""What makes a collection of structures, what puts points into it, and what makes one named c."""

Request: TypeAlias = tuple[str, str, Any]


def points(first: int, end: int) -> Request:
    """Put points of these ids into c."""
    kinds = ("fn", "struct", "enum")
    made = [
        {
            "id": number,
            "vector": {"code": [1.0, *[0.1 * number] * 7], "text": [1.0, 0.0, 0.0, number / 10]},
            "payload": {"kind": kinds[number % 3], "line": number},
        }
        for number in range(first, end)
    ]
    return "PUT", "/collections/c/points?wait=true", {"points": made}


def index(collection: str, field: str, schema: str = "keyword") -> Request:
    return "PUT", f"{collection}/index", {"field_name": field, "field_schema": schema}


def collection_of(number: int) -> str:
    return "/".join(EXCHANGES[number]["path"].split("/")[:3])


def filled(number: int) -> list[Request]:
    """Make the structures' collection that the exchange asks, with points."""
    name = collection_of(number)
    return [*emptied(number), ("PUT", f"{name}/points?wait=true", POINTS)]


def emptied(number: int) -> list[Request]:
    name = collection_of(number)
    return [("PUT", name, STRUCTURES), index(name, "crate")]


MADE_C: list[Request] = [("PUT", "/collections/c", C), points(1, 26)]
LIVE = {"create_alias": {"collection_name": "old", "alias_name": "live"}}
PAIR = [{"id": 1, "vector": [1.0, -0.6, 0.0, 0.6]}, {"id": 2, "vector": [-0.4, 0.2, 0.8, -0.8]}]
INDEXES = EXCHANGES[9]["answer"]["result"]["payload_schema"].items()
BEFORE: dict[int, list[Request]] = {
    9: [index(collection_of(9), field, found["data_type"]) for field, found in INDEXES],
    **{number: filled(number) for number in (12, 13, 16, 17, 18)},
    15: emptied(15),
    19: [("PUT", collection_of(19), {"vectors": {}})],
    22: [points(1, 13)],
    23: [
        ("PUT", "/collections/new", {"vectors": {}}),
        ("PUT", "/collections/old", {"vectors": {}}),
        ("POST", "/collections/aliases", {"actions": [LIVE]}),
    ],
    28: [("PUT", "/collections/c/points?wait=true", {"points": PAIR})],
    30: [index("/collections/c", "kind"), index("/collections/c", "line", "integer")],
    **dict.fromkeys((29, 33, 38), MADE_C),
}
"""What was done before an exchange, and is not recorded."""


@pytest.fixture
def double() -> Iterator[QdrantDouble]:
    with QdrantDouble() as running:
        yield running
        assert running.errors == []


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """One for all: each loads the certificates of the system anew."""
    with httpx.Client() as opened:
        yield opened


def send(client: httpx.Client, double: QdrantDouble, exchange: dict[str, Any]) -> httpx.Response:
    body = exchange["body"]
    query = {key: value[0] for key, value in exchange["query"].items()}
    return client.request(
        exchange["method"],
        f"{double.url}{exchange['path']}",
        params=query,
        content=body if isinstance(body, str) else orjson.dumps(body) if body is not None else None,
    )


def shape(answer: Any) -> Any:
    """Return the keys and the types of the values; lists keep their length."""
    if isinstance(answer, dict):
        return {key: shape(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return [shape(value) for value in answer]
    return type(answer).__name__


@pytest.mark.parametrize("session", range(len(SESSIONS) - 1))
def test_the_double_answers_as_a_server_did(
    session: int, double: QdrantDouble, client: httpx.Client
) -> None:
    for number in range(SESSIONS[session], SESSIONS[session + 1]):
        exchange = EXCHANGES[number]
        for method, path, body in BEFORE.get(number, []):
            request = client.request(method, f"{double.url}{path}", content=orjson.dumps(body))
            request.raise_for_status()
        answer = send(client, double, exchange)
        found = {key: value for key, value in answer.json().items() if key != "time"}
        wanted, what = exchange["answer"], f"{number} {exchange['method']} {exchange['path']}"
        assert (what, answer.status_code) == (what, exchange["status"])
        assert (what, shape(found)) == (what, shape(wanted))
        if exchange["status"] != 200:
            assert (what, found) == (what, wanted)
        if "note" in exchange or exchange["path"].endswith(("/count", "/facet")):
            assert (what, without_numbers(found)) == (what, without_numbers(wanted))


def without_numbers(answer: Any) -> Any:
    """Return the answer without the number of the operation, which each server counts itself."""
    if isinstance(answer.get("result"), dict):
        answer["result"].pop("operation_id", None)
    return answer
