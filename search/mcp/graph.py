"""The tools that answer from the references: places, callers, callees, implementations, tests.

An answer has as many items as fit into limits.RELATED_CHARACTERS of JSON, about a quarter as many
tokens; `next_offset` asks for the rest. Keys of items that say nothing are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import orjson
from pydantic import Field

from search import limits
from search.errors import AmbiguousName, SearchError
from search.mcp import texts
from search.mcp.arguments import Limit, Project, Request, Target
from search.mcp.models import Result
from search.relations import STEPS, Related, RelationAnswer, Subject, UsePlace, relate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from search.relations import RelationName
    from search.service import SearchService

_LONGEST = 200
"""Characters of a signature or line."""
_CANDIDATES = 20
"""Candidates of a name that an error lists."""

_Depth = Annotated[int, Field(ge=1, le=limits.STEPS, description=texts.DEPTH)]
_Offset = Annotated[int, Field(ge=0, le=limits.OFFSET, description=texts.OFFSET)]


class Item(Result):
    """A definition or place; keys that say nothing are absent."""

    place: Annotated[str | None, Field(description=texts.RELATED["place"])] = None
    kind: str | None = None
    symbol: Annotated[str | None, Field(description=texts.RELATED["symbol"])] = None
    signature: str | None = None
    text: Annotated[str | None, Field(description=texts.RELATED["text"])] = None
    used: Annotated[int | None, Field(description=texts.RELATED["used"])] = None
    is_test: bool | None = None
    steps: Annotated[int | None, Field(description=texts.RELATED["steps"])] = None
    via: Annotated[str | None, Field(description=texts.RELATED["via"])] = None
    through: Annotated[str | None, Field(description=texts.RELATED["through"])] = None
    guessed: Annotated[bool | None, Field(description=texts.RELATED["guessed"])] = None
    id: Annotated[str | None, Field(description=texts.RELATED["id"])] = None


class RelatedItems(Result):
    """A part of what has one relation to the target."""

    target: Annotated[Item, Field(description=texts.TARGET_FOUND)]
    total: int
    is_all: Annotated[bool, Field(description=texts.IS_ALL)]
    next_offset: Annotated[int | None, Field(description=texts.NEXT_OFFSET)]
    items: list[Item]

    @classmethod
    def of(cls, answer: RelationAnswer) -> RelatedItems:
        """Return as many of the answer's items as fit."""
        items = _fitting(map(_item, answer.items))
        # What the index lacks is no item, but counts for offsets.
        is_whole = len(items) == len(answer.items)
        end = answer.offset + (answer.limit if is_whole else len(items))
        return cls(
            target=_of_subject(answer.target),
            total=answer.total,
            is_all=answer.is_all,
            next_offset=end if end < answer.total else None,
            items=items,
        )


class RelationRequest(Request):
    """Arguments of a tool that returns one relation to the target."""

    result = RelatedItems
    relation: ClassVar[RelationName]

    target: Target
    offset: _Offset = 0
    limit: Limit = limits.MCP.hits
    project: Project = ""

    def answer(self, service: SearchService) -> dict[str, Any]:
        """Return RelatedItems."""
        depth = getattr(self, "depth", None)
        with service.opened(self.project) as held:
            try:
                target = held.references.target(self.target)
            except AmbiguousName as exc:
                raise candidates_of(exc) from exc
            found = relate(
                held.references,
                target,
                self.relation,
                depth=depth,
                offset=self.offset,
                limit=self.limit,
                sources=held.sources,
            )
        return RelatedItems.of(found).model_dump(exclude_defaults=True)


class FindReferences(RelationRequest):
    """Arguments of find_references."""

    tool = "find_references"
    title = "Find every use of a definition"
    description = texts.FIND_REFERENCES
    relation = "references"


class FindCallers(RelationRequest):
    """Arguments of find_callers."""

    tool = "find_callers"
    title = "Find what calls or uses a definition"
    description = texts.FIND_CALLERS
    relation = "callers"

    depth: _Depth = STEPS["callers"]


class FindCallees(RelationRequest):
    """Arguments of find_callees."""

    tool = "find_callees"
    title = "Find what a function calls"
    description = texts.FIND_CALLEES
    relation = "callees"

    depth: _Depth = STEPS["callees"]


class FindImplementations(RelationRequest):
    """Arguments of find_implementations."""

    tool = "find_implementations"
    title = "Find the implementations of a trait"
    description = texts.FIND_IMPLEMENTATIONS
    relation = "implementations"


class FindTests(RelationRequest):
    """Arguments of find_tests."""

    tool = "find_tests"
    title = "Find the tests of a definition"
    description = texts.FIND_TESTS
    relation = "tests"

    depth: _Depth = STEPS["tests"]


RELATION_REQUESTS: tuple[type[RelationRequest], ...] = (
    FindReferences,
    FindCallers,
    FindCallees,
    FindImplementations,
    FindTests,
)


def candidates_of(ambiguous: AmbiguousName) -> SearchError:
    """Return the error that lists what a name may mean, so that an agent can choose."""
    found = ambiguous.candidates
    listed = "; ".join(
        f"{it.place} ({it.code_type} {it.symbol})" if it.file_path else it.symbol
        for it in found[:_CANDIDATES]
    )
    more = f"; and {len(found) - _CANDIDATES} more" if len(found) > _CANDIDATES else ""
    return SearchError(
        f"{len(found)} definitions have this name. Pass the place or symbol of the one you mean: "
        f"{listed}{more}."
    )


def _fitting(items: Iterable[Item]) -> list[Item]:
    """Return the first items that fit into one answer, at least one."""
    fitting, left = list[Item](), limits.RELATED_CHARACTERS
    for item in items:
        left -= len(orjson.dumps(item.model_dump(exclude_defaults=True)))
        if left < 0 and fitting:
            break
        fitting.append(item)
    return fitting


def _item(found: UsePlace | Related) -> Item:
    if isinstance(found, Related):
        return _of_subject(found).model_copy(
            update={
                "steps": found.steps if found.steps > 1 else None,
                "via": found.via,
                "through": found.through,
                "guessed": found.guessed or None,
            }
        )
    return Item(
        place=f"{found.file_path}:{found.line}:{found.column}",
        kind=found.kind,
        symbol=found.structure,
        text=None if found.text is None else _cut(found.text.strip()),
        guessed=found.guessed or None,
    )


def _of_subject(found: Subject) -> Item:
    if found.id is None:
        return Item(symbol=found.symbol)
    return Item(
        place=f"{found.file_path}:{found.line_from}-{found.line_to}",
        kind=found.code_type,
        symbol=found.symbol,
        signature=_cut(found.signature),
        used=found.references,
        is_test=found.is_test or None,
        id=found.id,
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
