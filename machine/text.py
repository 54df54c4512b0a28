"""Text for people: safe on a terminal, numbers with their noun, times."""

from __future__ import annotations

import re
from json import JSONDecodeError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What moves the cursor, changes colours or turns text around: sources must not do that."""

_BREAKS = re.compile(r"[\t\n\u2028\u2029]")
"""What breaks lines and columns, and is not among those."""

_MINUTE = 60


def clean(text: str) -> str:
    """Return the text with characters that would steer a terminal replaced."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    r"""Return a name on one line, safe on a terminal: names of files may have line breaks.

    >>> one_line("a\nb.rs")
    'a�b.rs'
    """
    return _BREAKS.sub("\N{REPLACEMENT CHARACTER}", clean(text))


def why_malformed(exc: Exception) -> str:
    """Return what is wrong with a stored JSON document, in words of JSON and not of Python.

    >>> why_malformed(KeyError("id")), why_malformed(TypeError("'int' object is not iterable"))
    ('the key id is missing', 'a value is of another type than expected')
    """
    said = " ".join(str(exc).split())
    names = ", ".join(re.findall(r"'(\w+)'", said))
    if isinstance(exc, OSError):
        return exc.strerror or said
    if isinstance(exc, KeyError):
        return f"the key {names or said} is missing"
    if isinstance(exc, TypeError | AttributeError):
        if "missing" in said and names:
            return f"these keys are missing: {names}"
        if "unexpected keyword" in said and names:
            return f"the key {names} is unknown"
        return "a value is of another type than expected"
    if "UTF-8" in said or isinstance(exc, UnicodeError):
        return "it is not UTF-8"
    return f"it is not JSON: {said}" if isinstance(exc, JSONDecodeError) else said


def counted(number: int, noun: str) -> str:
    """Return the number with its noun.

    >>> counted(1, "block"), counted(1200, "block")
    ('1 block', '1,200 blocks')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def named(names: Sequence[str], most: int) -> str:
    """Return the first `most` names, and whether there are others.

    >>> named(["a", "b"], 2), named(["a", "b", "c"], 2)
    ('a, b', 'a, b, ...')
    """
    return ", ".join([*names[:most], *(["..."] if len(names) > most else [])])


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration(5 * 3600 + 4 * 60), duration(90), duration(9)
    ('5:04 h', '2 min', '9 s')
    """
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return f"{hours}:{minutes:02} h" if hours else f"{minutes} min"
