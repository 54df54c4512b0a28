"""What a name declares in other languages than Rust, as hover, tag or the words before it say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lsif.other.lexer import C_FAMILY

if TYPE_CHECKING:
    from lsif.reader.elements import Tag
    from lsif.reader.hover import Hover
    from lsif.structure import CodeType

_WORDS: dict[str, CodeType] = {
    "function": "Function", "func": "Function", "fn": "Function", "def": "Function",
    "fun": "Function", "sub": "Function", "method": "Function", "constructor": "Function",
    "getter": "Function", "setter": "Function", "class": "Class", "struct": "Struct",
    "record": "Struct", "union": "Union", "interface": "Interface", "protocol": "Interface",
    "trait": "Trait", "enum": "Enum", "type": "TypeAlias", "typedef": "TypeAlias",
    "namespace": "Module", "module": "Module", "mod": "Module", "package": "Module",
    "const": "Const", "static": "Static", "let": "Static", "var": "Static", "val": "Const",
    "macro": "Macro", "define": "Macro",
}  # fmt: skip
"""What a declaration's keyword says of it."""
_FUNCTION_WORDS = frozenset({"function", "func", "fn", "def", "fun", "sub"})
_KEYWORD_BEFORE = re.compile(r"\b(?:(?P<enum>enum)\s+)?(?P<keyword>[a-z]+)\s+\Z")
_NO_DECLARATION = frozenset(
    {"await", "case", "delete", "else", "goto", "in", "new", "return", "throw", "typeof", "yield"}
)
"""Words after which a name is called, not declared."""
_TYPED = re.compile(r"(?:[\w>\])*&?]|::\s*~?|~)\s*\Z")
"""How the text before a function's name ends if it has a type or an owner."""
_ANNOTATIONS = re.compile(r"\s*(?:@[\w.]+(?:\([^()]*\))?|\[[^\[\]]*\])\s*")
_SYMBOL_KINDS: dict[int, CodeType] = {
    2: "Module", 3: "Module", 4: "Module", 5: "Class", 6: "Function", 9: "Function", 10: "Enum",
    11: "Interface", 12: "Function", 13: "Static", 14: "Const", 23: "Struct",
}  # fmt: skip
"""The kinds of symbols that are items.

https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#symbolKind
Kind 7 is left out: lsif-tsc uses it for everything that it has no word for."""
_FIELD_KINDS = frozenset({8, 22})
_TYPE_PARAMETER = 26
_PARENTHESIZED = re.compile(r"\((?P<what>[a-z ]+)\)\s")
_WORD = re.compile(r"\b[a-z]+\b")
_GO_TYPE = re.compile(r"type\s+\S+\s+(struct|interface)\b")
_WORDS_BEFORE = re.compile(
    rb"""(?:(?:[\w*&!]+(?:\([^()\n]*\))?|\([^()\n]*\)|"[^"\n]*")[ \t]+)*\Z"""
)
"""Such as `pub(crate) extern "C" fn`, or Go's `func (q *Queue)`."""
_WORDS_BYTES = 200


def words_before(data: bytes, start: int) -> int:
    """Return where the words before the place begin in its line."""
    line = max(data.rfind(b"\n", 0, start) + 1, start - _WORDS_BYTES)
    match = _WORDS_BEFORE.search(data[line:start])
    return line + match.start() if match is not None else start


def kind_of(hover: Hover | None, tag: Tag | None, before: str, name: str) -> CodeType | None:
    """Return what a name declares by its hover, its tag or the words before it.

    None if it is no item.
    """
    if hover is not None and hover.code_type is not None:
        return hover.code_type
    declaration = hover.declaration if hover is not None else ""
    go_type = _GO_TYPE.match(declaration)
    if go_type is not None:
        return _WORDS[go_type[1]]
    if (what := _PARENTHESIZED.match(declaration)) is not None:
        return _WORDS.get(what["what"].split()[-1])
    if tag is not None and tag.kind in _SYMBOL_KINDS:
        return _SYMBOL_KINDS[tag.kind]
    if tag is not None and (tag.kind in _FIELD_KINDS or tag.kind == _TYPE_PARAMETER):
        return None
    head, found, _ = declaration.partition(name)
    head = head if found else declaration.partition("(")[0]
    return _keyword_kind(head, direct=bool(found)) or _keyword_kind(before, direct=True)


def kind_without_keyword(language: str, before: str, *, is_type: bool) -> CodeType | None:
    """Return "Function" if a name that a parenthesis follows declares one without a keyword.

    `before` is all of the declaration before the name, `is_type` whether a type of that name is
    declared in the file: a constructor has no type of its own, as a constant of an enum has none.
    """
    if language not in C_FAMILY:
        return None
    words = _ANNOTATIONS.sub(" ", before)
    last = _WORD.findall(words)[-1:]
    if last and (last[0] in _NO_DECLARATION and words.rstrip().endswith(last[0])):
        return None
    return "Function" if is_type or _TYPED.search(words) else None


def _keyword_kind(words: str, *, direct: bool) -> CodeType | None:
    """Return the kind that the words before a name say.

    The keyword right before it says more than those before that, such as `static` or `const`.
    """
    last = _KEYWORD_BEFORE.search(words) if direct else None
    if last is not None and last["keyword"] in _WORDS:
        return _WORDS["enum" if last["enum"] else last["keyword"]]
    found = [word for word in _WORD.findall(words) if word in _WORDS]
    function = next((word for word in found if word in _FUNCTION_WORDS), None)
    return _WORDS[function or found[0]] if found else None


def why_no_item(hover: Hover | None, tag: Tag | None) -> str:
    """Return why a name that declares no item declares none."""
    what = _PARENTHESIZED.match(hover.declaration) if hover is not None else None
    if (what is not None and what["what"] in ("property", "enum member", "field")) or (
        tag is not None and tag.kind in _FIELD_KINDS
    ):
        return "field_or_variant"
    return "import" if what is not None and what["what"] == "alias" else "local"
