"""Symbols, matched with what people write for them."""

from __future__ import annotations

import re

from lsif.identifiers import identifiers_in, plain_name

_STANDARD = frozenset({"std", "core", "alloc"})
"""Crates that re-export each other's items."""
_GENERICS = re.compile(r"(?<=\w)<[^<>]*>")
_SELF_TYPE = re.compile(r"<([^<>]*?)(?: as [^<>]*)?>")
_ARGUMENTS = re.compile(r"(?<=\w)(?:::)?<(?:(?! as )[^<>])*>")
"""Generics in a path as people write it: `Vec<u8>`, `Vec::<u8>`."""
_NAMED_TYPE = re.compile(r"^<([\w:#]+)>|<([\w:#]+) as [^<>]*>")
_NESTED = 16
"""Generics within each other, at most."""
_CALL = re.compile(r"(?:\(\s*\)|!)$")
_PATH_SEPARATOR = re.compile(r"::|\.|(?<!\br)#")
_QUOTES = " \t\r\n`'\"“”‘’"


def bare(text: str) -> str:
    """Return the text without the quotes, backticks and blanks around it."""
    return text.strip(_QUOTES)


def readings(written: str) -> list[str]:
    """Return what may be meant by a name or path as people write it, the most literal first.

    >>> readings("`Circle.area()`")
    ['`Circle.area()`', 'Circle.area', 'Circle::area']
    """
    text = _CALL.sub("", bare(written))
    return [*filter(None, dict.fromkeys([written.strip(), text, "::".join(path_of(text))]))]


def path_of(text: str) -> tuple[str, ...]:
    """Return the segments of a name or path, none if the text is something else.

    >>> path_of("cache::Cache<K, V>::insert()"), path_of("<Circle as Shape>.area")
    (('cache', 'Cache', 'insert'), ('Circle', 'area'))
    """
    plain = _CALL.sub("", text.strip().strip("`"))
    for _ in range(_NESTED):  # the innermost ones first
        if "<" not in plain:
            break
        plain = _ARGUMENTS.sub("", _NAMED_TYPE.sub(r"\1\2", plain))
    path = tuple(segment for segment in _PATH_SEPARATOR.split(plain) if segment)
    are_names = all(identifiers_in(segment) == [plain_name(segment)] for segment in path)
    return path if are_names else ()


def as_written(symbol: str) -> str:
    """Return a symbol as people write it: without generics, a trait's impl by its type.

    >>> as_written("cache::Cache<K, Vec<V>>::insert"), as_written("geo::<Circle as Shape>::area")
    ('cache::Cache::insert', 'geo::Circle::area')
    """
    text, without = symbol.replace("->", ""), ""
    while text != without:  # the innermost ones first
        text, without = _GENERICS.sub("", text), text
    return _SELF_TYPE.sub(r"\1", text)


def matches_symbol(symbol: str, written: str) -> bool:
    """Return whether the symbol, a full path, may be what is written: an end or re-export of it.

    The modules between a crate and its item may be left out, a type may not.

    >>> matches_symbol("tokio::task::spawn::spawn", "tokio::spawn")
    True
    >>> matches_symbol("tokio::task::JoinSet::spawn", "tokio::spawn")
    False
    """
    parts, wanted = plain_name(symbol).split("::"), plain_name(written).split("::")
    if len(wanted) > len(parts) or parts[-1] != wanted[-1]:
        return False
    if parts[-len(wanted) :] == wanted:
        return True
    if not _is_same_crate(parts[0], wanted[0]):
        return False
    waiting = wanted[1:]
    for part in parts[1:]:
        if waiting and part == waiting[0]:
            del waiting[0]
        elif part[:1].isupper():
            return False
    return not waiting


def _is_same_crate(crate: str, written: str) -> bool:
    return crate == written or {crate, written} <= _STANDARD
