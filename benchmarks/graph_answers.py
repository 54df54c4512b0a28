"""What the language server says of structures: references, calls, implementations."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from graph_dump import Spot
from language_server import RequestFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from language_server import LanguageServer

RELATIONS = ("references", "callers", "callees", "implementations")
KEYWORDS = "fn|struct|enum|union|trait|type|const|static|mod|macro_rules!"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says of one structure. What it says of other repositories is left out."""

    symbol: str
    code_type: str
    spot: Spot
    """Of the structure's name."""
    references: list[Spot] = field(default_factory=list)
    callers: list[Spot] = field(default_factory=list)
    """Names of the functions around what refers to it."""
    callees: list[Spot] = field(default_factory=list)
    """Names of the functions, tuple structs and variants that it calls."""
    implementations: list[Spot] = field(default_factory=list)
    """Of a trait, heads of its impl blocks; of its member, the names of the blocks' members."""
    failed: list[str] = field(default_factory=list)
    """What the server could not say, as it panicked: names of the fields before."""


def draw(records: Sequence[dict[str, Any]], number: int, seed: int) -> list[dict[str, Any]]:
    """Return so many records that the dump has, the same share of each kind while there are any.

    Members of traits and of their impl blocks are kinds of their own.
    """
    by_kind: dict[tuple[str, bool, bool], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        if record["origin"] == "index":
            kind = record["code_type"], bool(record["trait_name"]), bool(record["implements"])
            by_kind[kind].append(record)
    drawn: list[dict[str, Any]] = []
    chance = random.Random(seed)  # noqa: S311 - nothing is secret
    for _, waiting in sorted(by_kind.items()):
        chance.shuffle(waiting)
    while len(drawn) < number and any(by_kind.values()):
        drawn += [waiting.pop() for _, waiting in sorted(by_kind.items()) if waiting]
    return sorted(drawn[:number], key=lambda record: (record["symbol"], record["id"]))


@cache
def lines_of(path: Path) -> list[str]:
    """Return the lines of a file, without its byte order mark."""
    return path.read_bytes().decode("utf-8-sig").split("\n")


def spot_of(record: dict[str, Any], root: Path) -> Spot:
    """Return where the record's name begins."""
    path, name = record["context"]["file_path"], re.escape(record["name"].removeprefix("r#"))
    line = lines_of(root / path)[record["line"] - 1]
    found = re.search(rf"(?<!\w)(?:{KEYWORDS})\s+(?:mut\s+)?(?:r#)?({name})\b", line)
    if found is None and record["code_type"] != "Module":  # which may be a file of its own
        found = re.search(rf"(?<!\w)(?:r#)?({name})(?!\w)", line)
    column = found.start(1) if found is not None else 0
    if found is not None and line[:column].endswith("r#"):
        column -= 2
    return Spot(path, record["line"], len(line[:column].encode("utf-16-le")) // 2 + 1)


def ask(server: LanguageServer, record: dict[str, Any]) -> Answer:
    """Return what the server says of the record's structure."""
    spot = spot_of(record, server.root)
    root = server.root.as_uri() + "/"

    def at(method: str, **params: Any) -> Any:
        return server.at(method, spot.path, spot.line - 1, spot.column - 1, **params) or []

    items: list[Any] = []
    if record["code_type"] == "Function":
        items = at("textDocument/prepareCallHierarchy")
    asked: dict[str, Callable[[], list[Any]]] = {
        "references": lambda: at("textDocument/references", context={"includeDeclaration": False}),
        "callers": lambda: _calls(server, items, "incomingCalls", "from"),
        "callees": lambda: _calls(server, items, "outgoingCalls", "to"),
        "implementations": lambda: at("textDocument/implementation"),
    }
    said: dict[str, Any] = {}
    failed: list[str] = []
    for relation, question in asked.items():
        try:
            said[relation] = _spots(root, question())
        except RequestFailed:
            failed.append(relation)
    return Answer(record["symbol"], record["code_type"], spot, failed=failed, **said)


def _calls(server: LanguageServer, items: list[Any], method: str, end: str) -> list[dict[str, Any]]:
    """Return one end of all calls of the functions."""
    called: list[Any] = []
    for item in items:
        called += server.request(f"callHierarchy/{method}", item=item) or []
    return [call[end] for call in called]


def _spots(root: str, places: list[dict[str, Any]]) -> list[Spot]:
    """Return where the server's places begin, sorted, those outside the root left out."""
    found = set()
    for place in places:
        if place["uri"].startswith(root):
            start = place["selectionRange" if "selectionRange" in place else "range"]["start"]
            path = unquote(place["uri"].removeprefix(root))
            found.add(Spot(path, start["line"] + 1, start["character"] + 1))
    return sorted(found)


def write_answers(path: Path, server: str, answers: Sequence[Answer]) -> None:
    """Write what the server of that name and version said, an answer a line."""
    lines = ",\n".join(json.dumps(asdict(answer), ensure_ascii=False) for answer in answers)
    path.write_text(f'{{"server": "{server}", "answers": [\n{lines}\n]}}\n', encoding="utf-8")


def read_answers(path: Path) -> list[Answer]:
    """Return what `write_answers` wrote."""
    answers = []
    for fields in json.loads(path.read_text(encoding="utf-8"))["answers"]:
        spots = {name: [Spot(*spot) for spot in fields[name]] for name in RELATIONS}
        answers.append(Answer(**{**fields, **spots, "spot": Spot(*fields["spot"])}))
    return answers
