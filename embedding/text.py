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


RECIPES: dict[str, Callable[[Structure], str]] = {"tutorial-1": textify, "snippet-1": snippet}


def _humanize(identifier: str) -> str:
    """Return camel case and snake case as separate words.

    >>> _humanize("IsReady")
    'Is ready'
    """
    return inflection.humanize(inflection.underscore(identifier))
