"""The forms in which people ask for what documentation tells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import inflection

if TYPE_CHECKING:
    import random

_VERB = re.compile(r"([A-Z][a-z]+s) (?=\S)")
"""`Returns the ...`: documentation of what an item does begins with a verb."""
_NOT_VERBS = frozenset(
    {
        *("This", "Is", "Has", "Was", "Does", "Its", "Always"),
        *("Options", "Errors", "Contents", "Settings"),
    }
)
_ARTICLE = re.compile(r"(?:An?|The) ")
"""`A cache of ...`: documentation of what an item is begins with an article."""
_ABOUT_VERBS = ("how to {}", "how do we {}", "where do we {}", "{}", "function to {}")
_ABOUT_THINGS = ("{}", "{}", "where is the {}", "which type is the {}", "what is the {}")
_AS_IT_IS = 0.5
"""Share of the sentences that stay as they are."""


def as_asked(told: str, rng: random.Random) -> str:
    """Return a sentence of documentation, or in half of the cases a question that it answers.

    >>> import random
    >>> as_asked("Returns the first match.", random.Random(2))
    'how to return the first match'
    """
    if rng.random() < _AS_IT_IS:
        return told
    plain = told.rstrip(".")
    verb = _VERB.match(plain)
    if verb is not None and verb[1] not in _NOT_VERBS:
        rest = plain[verb.end() :]
        return rng.choice(_ABOUT_VERBS).format(f"{inflection.singularize(verb[1].lower())} {rest}")
    article = _ARTICLE.match(plain)
    if article is not None:
        return rng.choice(_ABOUT_THINGS).format(plain[article.end() :])
    return plain[:1].lower() + plain[1:]
