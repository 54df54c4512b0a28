"""What an identifier is, for the whole program: names of definitions, words of texts, queries.

It consists of letters, digits, `_` and whatever else Unicode allows in one (XID_Continue): vowel
signs of Indian scripts, combining accents, the dot of `col·lecció`. Two names are equal if rustc
takes them for the same. It normalises names to NFC, and `r#` only says that a name is no keyword:
https://doc.rust-lang.org/reference/identifiers.html. Records keep the source's spelling.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache

RAW = "r#"
_PATTERNS = {
    "identifier": r"(?:r#)?(?:[^\W\d]|{first})\w*(?:{more}+\w*)*",
    "names or numbers": r"(?:[^\W\d]|{first})\w*(?:{more}+\w*)*|\d+",
    "runs": r"\w+(?:{more}+\w*)*",
    "parts": r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?{letter}+(?:{more}+{letter}*)*[0-9]*|[A-Z]+[0-9]*|[0-9]+",
}
"""By what they find: `{first}` and `{more}` are what `\\w` lacks at the beginning and behind it,
`{letter}` is neither capital nor digit."""
_NOTHING, _LETTER = "(?!)", "[^\\W0-9_A-Z]"
_ASCII = {
    name: re.compile(pattern.format(first=_NOTHING, more=_NOTHING, letter=_LETTER), re.ASCII)
    for name, pattern in _PATTERNS.items()
}
_SCRIPTS = "\U00010000-\U0001cfff\U0001e000-\U0001efff\U00020000-\U0003ffff"
"""Where Unicode has scripts only, some of them newer than this Python's `\\w`."""
_FIRST = f"(?![\\0-\\x7f])[\u1885\u1886\u2118\u212e{_SCRIPTS}]"
_MORE = f"\u00b7\u0387\u2118\u212e\u200c\u200d\u30fb\uff65{_SCRIPTS}\U000e0100-\U000e01ef"
"""Without marks and ties, which are many."""
_MARKS = frozenset({"Mn", "Mc", "Pc"})
"""Their categories."""
_RAW_PREFIX = re.compile(r"(?<![^\W_])r#(?=[^\W\d])")


def identifier_at(text: str, at: int = 0) -> str:
    """Return the identifier that begins at the index, with its `r#`; empty if there is none.

    >>> identifier_at("fn r#type()", 3)
    'r#type'
    """
    match = _pattern("identifier", text).match(text, at)
    return match[0] if match is not None else ""


def is_identifier(text: str) -> bool:
    """Return whether the text is one identifier, without `r#`."""
    return text.isidentifier()


def identifiers_in(text: str) -> list[str]:
    """Return the identifiers in the text, in order; `r#type` is `type`."""
    return _pattern("identifier", text).findall(without_raw(text))


def runs_in(text: str) -> list[str]:
    """Return the longest runs of characters that identifiers may have: also numbers."""
    return _pattern("runs", text).findall(text)


def names_and_numbers(text: str) -> list[str]:
    """Return the identifiers and the whole numbers in the text, in order.

    >>> names_and_numbers("x2 = 2x")
    ['x2', '2', 'x']
    """
    return _pattern("names or numbers", text).findall(text)


def parts_of(identifier: str) -> list[str]:
    """Return the words that an identifier or path is made of, with their case.

    >>> parts_of("HTTPServer::f32_vec")
    ['HTTP', 'Server', 'f32', 'vec']
    """
    return _pattern("parts", identifier).findall(identifier)


def composed(text: str) -> str:
    """Return the text in NFC, as rustc compares names."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def without_raw(text: str) -> str:
    """Return the text without the `r#` before its raw identifiers; raw strings stay.

    >>> without_raw('r#type::r#fn(r#"text"#)')
    'type::fn(r#"text"#)'
    """
    return _RAW_PREFIX.sub("", text) if RAW in text else text


def plain_name(name: str) -> str:
    """Return what names, and paths of them, that rustc takes for the same have in common.

    >>> plain_name("r#gen") == plain_name("gen")
    True
    """
    return without_raw(composed(name))


def is_same(name: str, other: str) -> bool:
    """Return whether rustc takes both names, or paths of names, for the same."""
    return name == other or plain_name(name) == plain_name(other)


def spellings(name: str) -> tuple[str, ...]:
    """Return the name and other spellings of it that a source may have: NFC, NFD, with `r#`.

    >>> spellings("type")
    ('type', 'r#type')
    """
    forms = [plain_name(name), unicodedata.normalize("NFD", plain_name(name))]
    raw = [f"{RAW}{form}" for form in forms if is_identifier(form)]
    return tuple(dict.fromkeys([name, *forms, *raw]))


def symbol_key(symbol: str) -> int:
    """Return a number that stands for a symbol, however its source spells it."""
    digest = hashlib.blake2b(plain_name(symbol).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _pattern(name: str, text: str) -> re.Pattern[str]:
    """Return the pattern of that name; that for ASCII takes half of the time."""
    return _ASCII[name] if text.isascii() else _unicode_pattern(name)


@cache
def _unicode_pattern(name: str) -> re.Pattern[str]:
    return re.compile(_PATTERNS[name].format(first=_FIRST, more=_more(), letter=_LETTER))


@cache
def _more() -> str:
    r"""Return the pattern of a character that identifiers may have and `\w` lacks."""
    codes = (*range(0x80, 0x10000), *range(0x1D000, 0x1E000))
    marks = [code for code in codes if unicodedata.category(chr(code)) in _MARKS]
    # Most of what ends an identifier is ASCII, and seen at once.
    return f"(?:(?![\\0-\\x7f])[{_MORE}{_ranges(marks)}])"


def _ranges(codes: list[int]) -> str:
    """Return the ascending code points as the inside of a character class."""
    pairs: list[list[int]] = []
    for code in codes:
        if pairs and pairs[-1][1] == code - 1:
            pairs[-1][1] = code
        else:
            pairs.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in pairs)
