"""The repositories with judged queries, as benchmarks/quality/repositories.toml lists them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import BaseModel, Field, TypeAdapter, model_validator

from search.judged import JudgedQuery, read_queries

FOLDER = Path(__file__).parent / "quality"
"""The table, and the queries of each repository."""

Half: TypeAlias = Literal["development", "test"]
HALVES: tuple[Half, ...] = get_args(Half)

KINDS = (
    "words",  # of somebody who does not know the code
    "issue",  # titles of changes; the answers are the functions that they changed
    "code",  # as somebody remembers it
    "identifier",  # whose definition is wanted
    "literal",  # a message or string as it is printed
    "who-calls",
    "implementations-of",
    "none",  # nothing in the repository answers it
)
"""Kinds of queries."""


class JudgedRepository(BaseModel, frozen=True, extra="forbid", strict=True):
    """Where a repository comes from, git or a Debian package, and what it is used for."""

    name: str
    half: Half
    url: str = ""
    commit: Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")] = ""
    debian: str = ""

    @model_validator(mode="after")
    def _comes_from_one_place(self) -> JudgedRepository:
        if bool(self.url) != bool(self.commit) or bool(self.url) == bool(self.debian):
            raise ValueError(f"{self.name}: expected url and commit, or debian")
        return self

    def queries(self) -> list[JudgedQuery]:
        """Return its judged queries."""
        return read_queries(FOLDER / f"{self.name}.jsonl")


def read_repositories() -> list[JudgedRepository]:
    """Return all repositories, in the order of the table. Raises ValidationError."""
    table = tomllib.loads((FOLDER / "repositories.toml").read_text(encoding="utf-8"))
    return TypeAdapter(list[JudgedRepository]).validate_python(table["repository"])
