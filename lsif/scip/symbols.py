"""The grammar of symbols (scip.proto, message Symbol)."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

LOCAL = b"local "
"""How the symbols begin that only their document knows."""


class Suffix(Enum):
    """What kind of thing a descriptor names, by the characters around the name."""

    NAMESPACE = "/"
    TYPE = "#"
    TERM = "."
    META = ":"
    MACRO = "!"
    METHOD = "()."
    TYPE_PARAMETER = "[]"
    PARAMETER = "()"


class Descriptor(NamedTuple):
    """One step of a symbol's path."""

    name: str
    suffix: Suffix
    disambiguator: str = ""
    """Of a method: tells overloads apart."""


class Symbol(NamedTuple):
    """A symbol that is not local; empty where it has a placeholder."""

    scheme: str
    manager: str
    package: str
    version: str
    descriptors: tuple[Descriptor, ...]

    @property
    def owner(self) -> Symbol:
        """What it is in: the same without the last descriptor."""
        return self._replace(descriptors=self.descriptors[:-1])


_SUFFIXES = {suffix.value: suffix for suffix in Suffix}
_PLACEHOLDER = "."
_LONGEST = 1 << 16
"""Characters; a longer symbol is of no use to anybody."""
_HEAD = re.compile(r"((?:[^ ]|  )*+) " * 4)
_SIMPLE = r"[\w+\-$]"
_NAME = rf"{_SIMPLE}++|`(?:[^`]|``)++`"
_DESCRIPTOR = re.compile(
    rf"(?P<name>{_NAME})(?:(?P<suffix>[/#.:!])|\((?P<disambiguator>{_SIMPLE}*+)\)\.)"
    rf"|\[(?P<type_parameter>{_NAME})\]|\((?P<parameter>{_NAME})\)"
)


def parse_symbol(text: str) -> Symbol | None:
    """Return the symbol, None if the text is none, or a local one, or far too long.

    >>> parse_symbol("scip-go gomod a . `a/b`/T#f(+1).").descriptors[-1]
    Descriptor(name='f', suffix=<Suffix.METHOD: '().'>, disambiguator='+1')
    """
    head = _HEAD.match(text) if len(text) <= _LONGEST else None
    if head is None or not head[1] or text.startswith("local "):
        return None
    descriptors, at = [], head.end()
    while at < len(text):
        match = _DESCRIPTOR.match(text, at)
        if match is None:
            return None
        descriptors.append(_descriptor(match))
        at = match.end()
    if not descriptors:
        return None
    scheme, *package = (part.replace("  ", " ") for part in head.groups())
    manager, name, version = ("" if part == _PLACEHOLDER else part for part in package)
    return Symbol(scheme, manager, name, version, tuple(descriptors))


def _descriptor(match: re.Match[str]) -> Descriptor:
    if match["type_parameter"] is not None:
        return Descriptor(_unescaped(match["type_parameter"]), Suffix.TYPE_PARAMETER)
    if match["parameter"] is not None:
        return Descriptor(_unescaped(match["parameter"]), Suffix.PARAMETER)
    name = _unescaped(match["name"])
    if match["suffix"] is not None:
        return Descriptor(name, _SUFFIXES[match["suffix"]])
    return Descriptor(name, Suffix.METHOD, match["disambiguator"])


def _unescaped(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name
