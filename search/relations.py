"""What is related to a structure, as every interface shows it: places, callers, tests ...

`relate` asks search.references and puts symbols, lines and texts where that has keys. `to_dict` of
its answer is the JSON of the command line, of HTTP and of MCP.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from search import limits
from search.errors import SearchError
from search.record import flatten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsif.references.places import Place
    from lsif.structure import Structure
    from search.references import Neighbour, Page, References, Target
    from search.sources import Sources

RelationName = Literal["references", "callers", "callees", "implementations", "tests"]
RELATIONS: tuple[RelationName, ...] = get_args(RelationName)
STEPS: dict[str, int] = {"callers": 1, "callees": 1, "tests": 3}
"""Steps that are taken unless others are asked for; other relations have no steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A structure, or a symbol outside the index: what an answer is about."""

    id: str | None
    """None for a symbol outside, of which only symbol and name are known."""
    symbol: str
    name: str
    code_type: str = ""
    crate: str = ""
    file_path: str = ""
    line: int = 0
    """Of the name, 1-based."""
    line_from: int = 0
    line_to: int = 0
    signature: str = ""
    is_test: bool = False
    references: int | None = None
    """Number of places that refer to it; None for a symbol outside."""


_FACTS = tuple(field.name for field in fields(Subject))


@dataclass(frozen=True, slots=True, kw_only=True)
class Related(Subject):
    """A structure, or a symbol outside the index, that is related to the target."""

    steps: int
    """Distance from the target."""
    via_id: str | None = None
    """Of the structure one step nearer to the target; None if that is the target itself."""
    via: str | None = None
    """Its symbol."""
    through: str | None = None
    """Symbol of the trait's member that the call goes through."""
    guessed: bool = False
    """Whether only names say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsePlace:
    """A place that refers to the target."""

    file_path: str
    line: int
    """1-based."""
    column: int
    """Of the name's beginning, 1-based, in UTF-16 code units."""
    length: int
    """Of the name, in the same units; 0 if it spans lines."""
    kind: str | None
    """`implementation` for the trait in the head of an impl block, else None."""
    structure_id: str | None
    """The innermost structure around it; None if it belongs to its file."""
    structure: str | None
    """Its symbol."""
    text: str | None
    """The line's text, without its end; None if it is not at hand."""
    guessed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationAnswer:
    """A part of what has one relation to the target."""

    target: Subject
    relation: RelationName
    depth: int
    """Steps that were taken at most."""
    offset: int
    """Items before the first of these."""
    limit: int
    total: int
    """Items of the whole list, as far as they were counted."""
    is_all: bool
    """Whether all were counted: else there are more than `total`."""
    items: Sequence[UsePlace] | Sequence[Related]
    """Places for `references`, what is related for all others; nearest and most used first."""

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return asdict(self)


def relate(
    references: References,
    target: Target,
    relation: RelationName,
    *,
    depth: int | None = None,
    offset: int = 0,
    limit: int = limits.RELATED,
    sources: Sources | None = None,
) -> RelationAnswer:
    """Return what has the relation to the target: at most `limit` items after the first `offset`.

    `depth` is the most steps to callers, callees or tests; None is as STEPS says. Lines outside of
    structures have their text only with `sources`. Raises SearchError for values that can't be
    used, and what the methods of References raise.
    """
    limits.validate_name("relation", relation, RELATIONS)
    steps = _steps(relation, depth)
    limits.within("limit", limit, limits.RELATED, limits.ENGINE.hits)
    if offset < 0:
        raise SearchError(f"the offset is {offset}; expected 0 or more.")
    page: Page[Place] | Page[Neighbour]
    items: Sequence[UsePlace] | Sequence[Related]
    if relation == "references":
        page = places = references.references(target, offset, limit)
        items = _use_places(places.items, references, sources)
    else:
        page = neighbours = _neighbours(references, target, relation, steps, offset, limit)
        items = related(neighbours.items, references)
    return RelationAnswer(
        target=Subject(**facts(target.key, target.structure)),
        relation=relation,
        depth=steps,
        offset=offset,
        limit=limit,
        total=page.total,
        is_all=page.is_all,
        items=items,
    )


def _steps(relation: RelationName, depth: int | None) -> int:
    """Return how many steps are taken. Raises SearchError for too many."""
    if relation not in STEPS:
        if depth not in {None, 1}:
            raise SearchError(f"{relation} have no depth; {', '.join(STEPS)} do.")
        return 1
    return limits.within("depth", depth, STEPS[relation], limits.STEPS)


def _neighbours(
    references: References,
    target: Target,
    relation: RelationName,
    steps: int,
    offset: int,
    limit: int,
) -> Page[Neighbour]:
    if relation == "callers":
        return references.callers(target, offset, limit, depth=steps)
    if relation == "callees":
        return references.callees(target, offset, limit, depth=steps)
    if relation == "tests":
        return references.tests(target, offset, limit, depth=steps)
    return references.implementations(target, offset, limit)


def related(neighbours: Sequence[Neighbour], references: References) -> list[Related]:
    """Return the neighbours as they are shown."""
    keys = {key for found in neighbours for key in (found.via, found.through) if key is not None}
    symbols = references.symbols(keys)
    return [
        Related(
            **facts(found.key, found.structure),
            steps=found.steps,
            via_id=found.via,
            via=None if found.via is None else symbols.get(found.via),
            through=None if found.through is None else symbols.get(found.through),
            guessed=found.is_guessed,
        )
        for found in neighbours
    ]


def _use_places(
    places: Sequence[Place], references: References, sources: Sources | None
) -> list[UsePlace]:
    around = references.structures({place.structure_id for place in places if place.structure_id})
    structures = [around.get(place.structure_id or "") for place in places]
    texts = [*map(_text_in, structures, [place.line for place in places])]
    missing = [
        (place.file_path, place.line)
        for place, text in zip(places, texts, strict=True)
        if text is None
    ]
    others = {} if sources is None else sources.lines(missing)
    return [
        UsePlace(
            file_path=place.file_path,
            line=place.line,
            column=place.column,
            length=place.length,
            kind=place.kind,
            structure_id=place.structure_id,
            structure=None if structure is None else structure.symbol,
            text=others.get((place.file_path, place.line)) if text is None else text,
            guessed=place.is_guessed,
        )
        for place, structure, text in zip(places, structures, texts, strict=True)
    ]


def _text_in(structure: Structure | None, line: int) -> str | None:
    """Return the text of a line of the structure, None if its snippet is only a part."""
    if structure is None or structure.snippet_from:
        return None
    lines = structure.context.snippet.split("\n")
    row = line - structure.line_from
    return lines[row].rstrip("\r") if 0 <= row < len(lines) else None


def facts(key: str, structure: Structure | None) -> dict[str, Any]:
    """Return the fields of a Subject."""
    if structure is None:
        return {"id": None, "symbol": key, "name": key.rpartition("::")[2]}
    return flatten(structure, _FACTS)
