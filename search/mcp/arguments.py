"""What the tools have in common: kinds of arguments, and the base of all requests."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import orjson
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from search import limits
from search.mcp import texts

if TYPE_CHECKING:
    from search.mcp.models import Result
    from search.service import SearchService


def _as_list(value: object) -> object:
    """Return a list that a client sent as text, as some do: `["a"]` or a single `a`.

    >>> _as_list('["a", "b"]'), _as_list("a"), _as_list("")
    (['a', 'b'], ['a'], [])
    """
    if not isinstance(value, str):
        return value
    if value.startswith("["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            pass  # a glob may begin so
    return [value] if value else []


Text = Annotated[str, Field(min_length=1, max_length=limits.VALUE)]
Values = Annotated[tuple[Text, ...], Field(max_length=limits.VALUES), BeforeValidator(_as_list)]
Limit = Annotated[int, Field(ge=1, le=limits.MCP.hits, description=texts.LIMIT)]
Project = Annotated[
    str,
    Field(max_length=limits.PROJECT, pattern=r"^(\w[\w.@-]*)?$", description=texts.PROJECT),
]
Id = Annotated[uuid.UUID, Field(description=texts.ID)]
Target = Annotated[
    str,
    Field(
        min_length=1,
        max_length=limits.MCP.query,
        validation_alias=AliasChoices("target", "id"),
        description=texts.TARGET,
    ),
]


class Request(BaseModel):
    """A tool: its fields are the arguments, `answer` gives the result."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    """What an agent chooses the tool by."""
    result: ClassVar[type[Result] | None] = None
    """None if the keys of the result are those of another package's record."""

    def answer(self, service: SearchService) -> dict[str, Any]:
        """Return the result as plain data. Raises LsifIngestError."""
        raise NotImplementedError
