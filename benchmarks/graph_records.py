"""The graph as lsif-ingest keeps it: structures and the file of places, looked up by names."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

import tree_sitter
import tree_sitter_rust
from graph_answers import lines_of, spot_of
from graph_dump import Spot

from lsif.references.places import PlacesFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_ALL = 10_000_000


class Records:
    """Structures of a repository, and where they are referred to."""

    def __init__(self, records: Sequence[dict[str, Any]], places: Path, root: Path) -> None:
        self.root = root
        self._places = PlacesFile(places)
        self.by_id = {record["id"]: record for record in records}
        self.by_spot = {
            spot: record
            for record in records
            if self.text_at(spot := spot_of(record, root)) == record["name"].removeprefix("r#")
        }
        """Structures by where their names begin; of those that a macro names, the last."""
        self._by_file: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.implementations: dict[str, list[str]] = defaultdict(list)
        """Ids of what implements a trait or its member, by the id of that."""
        self._users: dict[str, list[str]] = defaultdict(list)
        for record in records:
            self._by_file[record["context"]["file_path"]].append(record)
            for target in record["implements"]:
                self.implementations[target].append(record["id"])
            for target in record["refers_to"]:
                self._users[target].append(record["id"])

    def places(self, target: str) -> set[Spot]:
        """Return what refers to a structure, without guesses."""
        page = self._places.page(target, 0, _ALL)
        return {Spot(*place[:3]) for place in page if not place.is_guessed}

    def callers(self, target: str) -> set[Spot]:
        """Return the names of the functions whose own lines refer to a structure."""
        return self._functions(self._users[target])

    def callees(self, caller: str) -> set[Spot]:
        """Return the names of all structures that a structure's own lines refer to."""
        return {
            spot_of(self.by_id[target], self.root) for target in self.by_id[caller]["refers_to"]
        }

    def inside(self, outer: dict[str, Any]) -> list[dict[str, Any]]:
        """Return a structure and those inside its lines."""
        return [
            record
            for record in self._by_file[outer["context"]["file_path"]]
            if outer["line_from"] <= record["line_from"] and record["line_to"] <= outer["line_to"]
        ]

    def impl_around(self, spot: Spot) -> str | None:
        """Return the id of the smallest impl block around a place."""
        around = [
            record
            for record in self._by_file[spot.path]
            if record["code_type"] == "Impl" and is_inside(spot, record)
        ]
        smallest = min(around, key=lambda it: it["line_to"] - it["line_from"], default=None)
        return None if smallest is None else str(smallest["id"])

    def text_at(self, spot: Spot) -> str:
        """Return the identifier that begins at a place, empty if none does."""
        line = lines_of(self.root / spot.path)[spot.line - 1]
        rest = line.encode("utf-16-le")[2 * (spot.column - 1) :].decode("utf-16-le")
        end = next(
            (at for at, sign in enumerate(rest) if not (sign.isalnum() or sign in "_#")), None
        )
        return rest[:end].removeprefix("r#")

    def behind_comments(self, spot: Spot) -> Spot:
        """Return where the item begins that the line comment at a place stands above."""
        for number, line in enumerate(lines_of(self.root / spot.path)[spot.line - 1 :], spot.line):
            code = line.lstrip()
            if code and not code.startswith("//"):
                is_same = number == spot.line
                return spot if is_same else Spot(spot.path, number, len(line) - len(code) + 1)
        return spot

    def kinds_around(self, spot: Spot) -> set[str]:
        """Return the kinds of tree-sitter's nodes around a place."""
        line = lines_of(self.root / spot.path)[spot.line - 1]
        before = line.encode("utf-16-le")[: 2 * (spot.column - 1)].decode("utf-16-le")
        point = (spot.line - 1, len(before.encode()))
        node = _tree(self.root / spot.path).root_node.descendant_for_point_range(point, point)
        kinds = set()
        while node is not None:
            kinds.add(node.type)
            node = node.parent
        return kinds

    def _functions(self, ids: Iterable[str]) -> set[Spot]:
        records = [self.by_id[key] for key in ids]
        return {spot_of(it, self.root) for it in records if it["code_type"] == "Function"}


def is_inside(spot: Spot, record: dict[str, Any]) -> bool:
    """Return whether a place is in the lines of a structure."""
    lines = range(record["line_from"], record["line_to"] + 1)
    return bool(spot.path == record["context"]["file_path"]) and spot.line in lines


@cache
def _tree(path: Path) -> tree_sitter.Tree:
    text = "\n".join(lines_of(path))
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language())).parse(
        text.encode()
    )
