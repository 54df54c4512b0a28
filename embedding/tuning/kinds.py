"""The kinds of pairs: where their questions come from."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["docs", "more docs", "name", "comment", "commit", "query", "code"]
KINDS: tuple[Kind, ...] = get_args(Kind)
