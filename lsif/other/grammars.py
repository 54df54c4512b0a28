"""The grammar and the rules of each language that has them here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import tree_sitter
import tree_sitter_c
import tree_sitter_cpp
import tree_sitter_go
import tree_sitter_java
import tree_sitter_javascript
import tree_sitter_python
import tree_sitter_typescript

from lsif.other import c, go, java, javascript, python
from lsif.other.preprocessor import branches, with_macros

if TYPE_CHECKING:
    from tree_sitter import Node

    from lsif.other.declaration import Declaration

Load = Callable[[], object]


class Grammar(NamedTuple):
    """A language's grammar, and what its nodes declare."""

    languages: tuple[Load, ...]
    """A source that the first does not understand is tried with the next."""
    declared_by: Callable[[Node], Declaration | None]
    branches: Callable[[bytes], Iterator[bytes]] | None = None
    """Makes sources of one that conditions of a preprocessor divide."""
    with_macros: Callable[[Declaration, bytes], Declaration] | None = None
    """Adds what macros hide from the grammar."""


_C, _CPP = tree_sitter_c.language, tree_sitter_cpp.language
_TSX = tree_sitter_typescript.language_tsx
_JAVASCRIPT = Grammar((tree_sitter_javascript.language, _TSX), javascript.declared_by)
GRAMMARS = {
    "c": Grammar((_C, _CPP), c.declared_by, branches, with_macros),
    "cpp": Grammar((_CPP, _C), c.declared_by, branches, with_macros),
    "go": Grammar((tree_sitter_go.language,), go.declared_by),
    "java": Grammar((tree_sitter_java.language,), java.declared_by),
    "javascript": _JAVASCRIPT,
    "javascriptreact": _JAVASCRIPT,
    "python": Grammar((tree_sitter_python.language,), python.declared_by),
    "typescript": Grammar((tree_sitter_typescript.language_typescript,), javascript.declared_by),
    "typescriptreact": Grammar((_TSX,), javascript.declared_by),
}
"""By language identifier."""


@cache
def language_of(load: Load) -> tree_sitter.Language:
    """Return a grammar, loaded once."""
    return tree_sitter.Language(load())


@cache
def parser_of(load: Load) -> tree_sitter.Parser:
    """Return a grammar's parser, made once."""
    return tree_sitter.Parser(language_of(load))
