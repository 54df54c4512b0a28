"""Code as people remember it: a few lines of a function, or its signature, with other names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from lsif.structure import Structure

_LOCAL = re.compile(r"(?<![.:\w'])[a-z][a-z0-9_]*\b(?!\s*(?:[(!:{]|<))")
"""A lowercase name that is no field, call, macro, path or type: most are variables."""
_BOUND = re.compile(
    r"\b(?:let|mut|ref|for)\s+([a-z_][a-z0-9_]*)"
    r"|[|,(]\s*([a-z_][a-z0-9_]*)\s*(?:[,|)]|:(?!:))"
)
"""A name that a pattern binds."""
_KEYWORDS = frozenset(
    {
        *("as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum"),
        *("extern", "false", "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod"),
        *("move", "mut", "pub", "ref", "return", "self", "static", "struct", "super", "trait"),
        *("true", "type", "unsafe", "use", "where", "while"),
    }
)
_PRIMITIVE = re.compile(r"[uif](?:\d+|size)|bool|char|str")
_NAMES = ("a", "b", "x", "y", "n", "i", "item", "value", "it", "p", "q", "buf", "data", "f", "s")
_FEWEST_LINES, _MOST_TAKEN = 3, 5
"""Lines of a body, and of a fragment."""
_SHORTEST, _LONGEST = 25, 300
"""Characters of a fragment."""
_OF_FUNCTIONS = 0.25
"""Share of the functions of whose code is asked."""
_OF_VARIABLES = 0.5
"""Share of the variables that have another name."""
_BY_SIGNATURE = 0.3
"""Share of these questions that are a signature."""


def fragment_of(function: Structure, rng: random.Random) -> str:
    """Return code that a function answers, "" for most functions and where there is too little."""
    if rng.random() >= _OF_FUNCTIONS:
        return ""
    if rng.random() < _BY_SIGNATURE:
        name = re.escape(function.name)
        taken = re.sub(rf"\bfn\s+{name}\b", "fn", " ".join(function.signature.split()))
        taken = re.sub(r"^pub(?:\([^)]*\))?\s+", "", taken)
    else:
        _, _, body = function.context.snippet.partition("{")
        lines = [line.strip() for line in body.splitlines() if len(line.strip()) > 1]
        if len(lines) < _FEWEST_LINES:
            return ""
        count = rng.randint(1, _MOST_TAKEN)
        first = rng.randrange(max(1, len(lines) - count))
        taken = "\n".join(line for line in lines[first : first + count] if line[:2] != "//")
    asked = _renamed(taken, rng)
    return asked if _SHORTEST <= len(asked) <= _LONGEST else ""


def _is_known(name: str) -> bool:
    """Return whether the language has given the name its meaning."""
    return name in _KEYWORDS or _PRIMITIVE.fullmatch(name) is not None


def _renamed(code: str, rng: random.Random) -> str:
    """Return the code with other names for half of its variables."""
    found = [name for match in _BOUND.finditer(code) if (name := match[1] or match[2])]
    found += _LOCAL.findall(code)
    variables = [name for name in dict.fromkeys(found) if not _is_known(name)]
    others = [name for name in _NAMES if name not in variables]
    rng.shuffle(others)
    renamed = (name for name in variables if rng.random() < _OF_VARIABLES)
    new = dict(zip(renamed, others, strict=False))
    if not new:
        return code
    names = "|".join(map(re.escape, sorted(new)))
    return re.sub(rf"(?<![.:\w'])(?:{names})\b", lambda match: new[match[0]], code)
