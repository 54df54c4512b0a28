"""What the tools return. A hit's keys are derived from lsif.structure.Structure, as in HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from search.limits import SNIPPET, SNIPPET_LINES
from search.mcp import texts
from search.record import flatten, record_docs, record_keys

if TYPE_CHECKING:
    from search.answer import Answer
    from search.hit import Hit

_LEFT_OUT = (
    *("file_path", "line_from", "line_to"),  # `place` says them
    "snippet_from",  # `cut` says it
    *("crate", "module", "module_path", "trait_name", "visibility"),
    *("is_test", "docstring", "generated", "origin"),
    *("references", "tested_by"),  # `usage` says them
)
"""Keys of a structure that a hit does not have here: get_structure returns all."""
_NAMES = {"code_type": "kind", "struct_name": "owner"}
"""Keys that have another name here: that of the filter."""
_FIRST = (
    *("place", "line", "name", "kind", "symbol", "owner", "signature", "summary", "usage"),
    *("score", "id"),
)
_LAST = ("highlighted", "snippet", "cut")
"""A hit's keys in order; others, of new fields, are between these."""


class Result(BaseModel):
    """Part of a tool's result; every key is always there."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _hit_model() -> Any:
    """Return the model of a hit."""
    docs = record_docs()
    types: dict[str, Any] = {"place": str, "score": float, "highlighted": list[str]}
    types |= {_NAMES.get(key.name, key.name): key.type for key in record_keys().values()}
    types |= {"usage": str, "cut": str | None}
    between = [name for name in types if name not in {*_FIRST, *_LAST, *_LEFT_OUT}]
    described: dict[str, Any] = {
        name: (types[name], Field(description=texts.HIT.get(name, docs.get(name))))
        for name in (*_FIRST, *between, *_LAST)
    }
    return create_model("HitKeys", __base__=Result, **described)


class FoundStructure(_hit_model()):  # type: ignore[misc]
    """A hit, as an agent needs it."""

    @classmethod
    def of(cls, hit: Hit) -> FoundStructure:
        """Return the hit with its snippet cut."""
        snippet, cut = _cut(hit)
        known = {_NAMES.get(name, name): value for name, value in flatten(hit.structure).items()}
        values = {name: value for name, value in known.items() if name in cls.model_fields}
        values |= {
            "place": f"{hit.file_path}:{hit.line_from}-{hit.line_to}",
            "usage": hit.usage,
            "score": round(hit.score, 4),
            "highlighted": [f"{lines.line_from}-{lines.line_to}" for lines in hit.ranges],
            "snippet": snippet,
            "cut": cut,
        }
        return cls(**values)


class FoundStructures(Result):
    """What a search found."""

    confidence: Annotated[float | None, Field(description=texts.CONFIDENCE)]
    good: Annotated[bool, Field(description=texts.GOOD)]
    note: str | None
    commit: Annotated[str | None, Field(description=texts.COMMIT)]
    project: str
    hits: Annotated[list[FoundStructure], Field(description="best first")]

    @classmethod
    def of(cls, answer: Answer) -> FoundStructures:
        """Return the answer."""
        return cls(
            confidence=None if answer.confidence is None else round(answer.confidence, 4),
            good=answer.has_answer,
            note=_note(answer),
            commit=answer.commit,
            project=answer.project,
            hits=[FoundStructure.of(hit) for hit in answer.hits],
        )


def _note(answer: Answer) -> str | None:
    if answer.from_references is not None:
        return f"{answer.from_references.describe()}: {answer.from_references.total} in all"
    return None if answer.has_answer else texts.NO_GOOD_MATCH


def _cut(hit: Hit) -> tuple[str, str | None]:
    """Return the first lines of the snippet, and where it was cut."""
    whole = hit.snippet.removesuffix("\n")
    shown = "\n".join(whole.split("\n")[:SNIPPET_LINES])[:SNIPPET]
    last = hit.first_line + shown.count("\n")
    if shown == whole:
        part = f"the snippet is a part of lines {hit.line_from}-{hit.line_to}, from line "
        part += f"{hit.first_line} to {last}; the index has no more of it"
        return hit.snippet, part if hit.structure.snippet_from else None
    where = f"the snippet ends in line {last} of {hit.line_from}-{hit.line_to}"
    return shown, f"{where}; get_structure returns all of it"
