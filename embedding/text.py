"""Recipes: versioned rules that render a structure as the text that is embedded.

A recipe never changes once vectors were made with it. A better one gets a new name, and so a new
fingerprint.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import inflection

from lsif.identifiers import composed, identifiers_in, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsif.structure import Structure


_IDENTIFIERS_KEPT = 1 << 14
"""How many identifiers' words are remembered: most of a repository's come again and again."""
_COMMENT = re.compile(r"//[^\n]*")
_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_LINK_TARGET = re.compile(r"\]\([^)]*\)|\]\[[^\]]*\]")
_MARKS = re.compile(r"[`*#\[\]]")
_DOCS_AND_ATTRIBUTES = re.compile(r"\n[^\S\n]*(?:///|//!|#\[)[^\n]*")
_COMMENT_CHARACTERS, _BODY_WORDS, _SHORT = 400, 25, 2
_DOCS = re.compile(r"^[^\S\n]*(?://[/!]|#!?\[doc\b)[^\n]*\n", re.MULTILINE)
_BLOCK_DOCS = re.compile(r"^[^\S\n]*/\*[*!].*?\*/[^\S\n]*\n", re.MULTILINE | re.DOTALL)


def textify(structure: Structure) -> str:
    """Return the structure as natural language, to the letter as Qdrant's tutorial renders it.

    https://qdrant.tech/documentation/tutorials/code-search/, "Code to natural language conversion".
    """
    context = structure.context
    docs = f"that does {structure.docstring}" if structure.docstring else ""
    owner = f"defined in struct {_humanize(context.struct_name)}" if context.struct_name else ""
    sentence = (
        f"{structure.code_type} {_humanize(structure.name)} {docs} "
        f"defined as {_humanize(structure.signature)} "
        f"{owner} module {context.module} file {context.file_name}"
    )
    return " ".join(re.findall(r"\w+", sentence))


def snippet(structure: Structure) -> str:
    """Return the structure's source as it is."""
    return structure.context.snippet


def words(structure: Structure) -> str:
    """Return the structure as the words that people search for.

    What matters most comes first, because a model reads the beginning best: kind and name, the
    first paragraph of the documentation, owner, module, comments in the body, the first distinct
    words of the body, the rest of the documentation. Chosen among fifteen renderings on 80 queries
    (benchmarks/quality.py): the mean reciprocal rank is a quarter above that of `textify`.
    """
    context = structure.context
    docs = _plain(structure.docstring or "")
    first, _, rest = docs.partition("\n\n")
    code = _DOCS_AND_ATTRIBUTES.sub("", f"\n{context.snippet}")
    comments = " ".join(comment.strip("/ ") for comment in _COMMENT.findall(code))
    parts = (
        f"{_kind(structure)} {_split(structure.name)}",
        first,
        _owner(structure),
        f"in {_split(structure.module_path)}",
        comments[:_COMMENT_CHARACTERS],
        " ".join(_body_words(_COMMENT.sub("", code))),
        rest,
    )
    return ". ".join(folded for part in parts if (folded := " ".join(part.split())))


def _kind(structure: Structure) -> str:
    if structure.code_type == "Impl":
        return "implementation of trait" if structure.trait_name else "implementation of type"
    is_method = structure.context.struct_name and structure.code_type == "Function"
    return "method" if is_method else _split(structure.code_type)


def _owner(structure: Structure) -> str:
    """Return whose member it is; of an impl block the header, since its name says whose it is."""
    if structure.code_type == "Impl":
        return _split(structure.signature)
    owner = structure.context.struct_name
    return f"of {_split(owner)}" if owner else ""


def _body_words(code: str) -> list[str]:
    """Return the first distinct words of more than two letters in the code's identifiers."""
    found: dict[str, None] = {}
    seen = set[str]()
    for line in code.split("\n"):  # most bodies have enough words in their first few lines
        for identifier in identifiers_in(line):
            if identifier not in seen:
                seen.add(identifier)
                found.update(_long_words(identifier))
        if len(found) >= _BODY_WORDS:
            break
    return list(found)[:_BODY_WORDS]


@lru_cache(_IDENTIFIERS_KEPT)
def _long_words(identifier: str) -> dict[str, None]:
    return dict.fromkeys(word for word in _split(identifier).split() if len(word) > _SHORT)


def _plain(docs: str) -> str:
    """Return Markdown without code blocks, link targets and marks."""
    return _MARKS.sub(" ", _LINK_TARGET.sub("]", _FENCED.sub(" ", docs))).strip()


@lru_cache(_IDENTIFIERS_KEPT)
def _split(identifier: str) -> str:
    """Return the words of an identifier or path in lower case.

    >>> _split("HTTPServer::f32_vec")
    'http server f32 vec'
    """
    return " ".join(parts_of(composed(identifier))).lower()


def passage(structure: Structure) -> str:
    """Return the structure as a reranker reads it: its path, its documentation, its source.

    A reranker reads the beginning only, so the documentation is left out of the source.
    """
    parts = (structure.symbol, structure.docstring, without_docs(structure.context.snippet))
    return "\n".join(part for part in parts if part)


def without_docs(source: str) -> str:
    """Return source without its documentation comments and attributes."""
    return _BLOCK_DOCS.sub("", _DOCS.sub("", source))


RECIPES: dict[str, Callable[[Structure], str]] = {
    "tutorial-1": textify,
    "words-2": words,
    "snippet-1": snippet,
}


def _humanize(identifier: str) -> str:
    """Return camel case and snake case as separate words.

    >>> _humanize("IsReady")
    'Is ready'
    """
    return inflection.humanize(inflection.underscore(identifier))
