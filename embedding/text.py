"""Recipes: the versioned rules that render a structure into the text that is embedded.

A recipe never changes once vectors were made by it; a better one gets a new name, and with it a new fingerprint.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import inflection

if TYPE_CHECKING:
    from collections.abc import Callable

    from lsif.structure import Structure


_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^\W\d_A-Z]+[0-9]*|[A-Z]+[0-9]*|[0-9]+")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_COMMENT = re.compile(r"//[^\n]*")
_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_LINK_TARGET = re.compile(r"\]\([^)]*\)|\]\[[^\]]*\]")
_MARKS = re.compile(r"[`*#\[\]]")
_DOCS_AND_ATTRIBUTES = ("///", "//!", "#[")
_COMMENT_CHARACTERS, _BODY_WORDS, _SHORT = 400, 25, 2


def textify(structure: Structure) -> str:
    """Return the structure as words of natural language: the rendering of Qdrant's code-search tutorial, to the letter.

    https://qdrant.tech/documentation/tutorials/code-search/, "Code to natural language conversion".
    """
    context = structure.context
    docs = f"that does {structure.docstring}" if structure.docstring else ""
    owner = f"defined in struct {_humanize(context.struct_name)}" if context.struct_name else ""
    sentence = (
        f"{structure.code_type} {_humanize(structure.name)} {docs} defined as {_humanize(structure.signature)} "
        f"{owner} module {context.module} file {context.file_name}"
    )
    return " ".join(word for word in re.split(r"\W", sentence) if word)


def snippet(structure: Structure) -> str:
    """Return the structure's source as it is."""
    return structure.context.snippet


def words(structure: Structure) -> str:
    """Return the structure as the words that people search it by, what matters most first: a model reads the beginning best.

    Kind and name, the first paragraph of the documentation, owner, module, the comments in the body, the first words of the body
    that were not there yet, the rest of the documentation. Chosen among fifteen renderings on 80 queries
    (benchmarks/quality.py): the mean reciprocal rank is a quarter above that of `textify`.
    """
    context = structure.context
    docs = _plain(structure.docstring or "")
    first, _, rest = docs.partition("\n\n")
    code = "\n".join(
        line
        for line in context.snippet.split("\n")
        if not line.lstrip().startswith(_DOCS_AND_ATTRIBUTES)
    )
    comments = " ".join(comment.strip("/ ") for comment in _COMMENT.findall(code))
    kind = (
        "method"
        if context.struct_name and structure.code_type == "Function"
        else _split(structure.code_type)
    )
    parts = (
        f"{kind} {_split(structure.name)}",
        first,
        f"of {_split(context.struct_name)}" if context.struct_name else "",
        f"in {_split(structure.module_path)}",
        comments[:_COMMENT_CHARACTERS],
        " ".join(_body_words(_COMMENT.sub("", code))),
        rest,
    )
    return ". ".join(folded for part in parts if (folded := " ".join(part.split())))


def _body_words(code: str) -> list[str]:
    """Return the first words of more than two letters that the code's identifiers are made of, each once."""
    found = dict.fromkeys(
        word
        for name in _IDENTIFIER.findall(code)
        for word in _split(name).split()
        if len(word) > _SHORT
    )
    return list(found)[:_BODY_WORDS]


def _plain(docs: str) -> str:
    """Return Markdown without code blocks, link targets and marks."""
    return _MARKS.sub(" ", _LINK_TARGET.sub("]", _FENCED.sub(" ", docs))).strip()


def _split(identifier: str) -> str:
    """Return the words of an identifier or path in lower case.

    >>> _split("HTTPServer::f32_vec")
    'http server f32 vec'
    """
    return " ".join(_WORD.findall(identifier)).lower()


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
